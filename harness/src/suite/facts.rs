//! The four facts by which documents describe a client: what it tries, what makes
//! it go on to the next try, what it verifies, and against which anchors.

use std::{fmt, str::FromStr};

use super::UnknownWord;

/// One way to reach the server.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Try {
    /// A plaintext `StartupMessage`.
    Plaintext,
    /// `SSLRequest`, then TLS.
    Tls,
    /// TLS from the first byte (PostgreSQL 17, `sslnegotiation=direct`).
    Direct,
}

/// What a failed try ended in.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Setback {
    /// The server answered `N`.
    No,
    /// The TLS handshake failed, for another reason than the certificate.
    Handshake,
    /// The client rejected the certificate.
    Certificate,
    /// The server refused: no line in `pg_hba.conf`.
    Hba,
    /// The server refused the login for another reason.
    Login,
}

/// What makes a client go on to its next try.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct GoesOn(Vec<After>);

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum After {
    One(Setback),
    Any,
}

/// What a client looks at in a server certificate.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Verifies {
    /// Nothing.
    Nothing,
    /// The chain.
    Chain,
    /// The chain, and the name.
    ChainAndName,
}

/// What a client verifies a chain against.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Anchors {
    /// No trust anchors.
    None,
    /// All certificates of a file.
    File,
    /// The first certificate of a file.
    First,
    /// All certificates of a file, and the public roots.
    FileAndPublic,
    /// What the system trusts.
    System,
}

macro_rules! words {
    ($kind:ident, $what:literal, $($variant:ident = $word:literal),+ $(,)?) => {
        impl $kind {
            /// All words of this vocabulary.
            pub const WORDS: &[&str] = &[$($word),+];

            /// Its word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl FromStr for $kind {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord::new($what, text, Self::WORDS.iter().copied())),
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

words!(
    Try,
    "transport",
    Plaintext = "plaintext",
    Tls = "tls",
    Direct = "direct"
);
words!(
    Setback,
    "reason to go on",
    No = "N",
    Handshake = "handshake",
    Certificate = "certificate",
    Hba = "28000",
    Login = "login",
);
words!(
    Verifies,
    "word for what is verified",
    Nothing = "nothing",
    Chain = "chain",
    ChainAndName = "chain+name",
);
words!(
    Anchors,
    "word for trust anchors",
    None = "none",
    File = "file",
    First = "first",
    FileAndPublic = "file+public",
    System = "system",
);

impl GoesOn {
    /// Whether it goes on after a setback.
    #[must_use]
    pub fn after(&self, setback: Setback) -> bool {
        self.0.contains(&After::Any) || self.0.contains(&After::One(setback))
    }
}

impl FromStr for GoesOn {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        if text == "-" {
            return Ok(Self::default());
        }
        let valid = || Setback::WORDS.iter().copied().chain(["any", "-"]);
        (text.split(','))
            .map(|word| match word {
                "any" => Ok(After::Any),
                word => (word.parse().map(After::One))
                    .map_err(|_| UnknownWord::new("reason to go on", word, valid())),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for GoesOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |after: &After| match after {
            After::One(setback) => setback.word(),
            After::Any => "any",
        };
        match self.0.is_empty() {
            true => f.pad("-"),
            false => f.pad(&self.0.iter().map(word).collect::<Vec<_>>().join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("-", Setback::No, false)]
    #[case("N", Setback::No, true)]
    #[case("N,28000", Setback::Hba, true)]
    #[case("N,28000", Setback::Certificate, false)]
    #[case("any", Setback::Certificate, true)]
    fn a_client_goes_on_after_what_it_names(
        #[case] text: &str,
        #[case] setback: Setback,
        #[case] goes_on: bool,
    ) {
        let read: GoesOn = text.parse().unwrap();
        assert_eq!(read.after(setback), goes_on);
        assert_eq!(read.to_string(), text);
    }

    #[test]
    fn an_unknown_word_lists_the_valid_ones() {
        let error = "N,errors".parse::<GoesOn>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown reason to go on `errors`; valid: N, handshake, certificate, 28000, login, any, -"
        );
        assert!("chain,name".parse::<Verifies>().is_err());
    }
}
