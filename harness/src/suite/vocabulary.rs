//! The closed vocabulary of outcomes: what a truth table may expect of an
//! attempt, and what the judge may see.

use std::{fmt, str::FromStr};

/// How far an attempt had come when it was refused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// The driver, or the program around it, before any socket.
    Parse,
    /// TCP.
    Connect,
    /// `SSLRequest` and its answer.
    Negotiate,
    /// The TLS handshake and the verification of the server certificate.
    Tls,
    /// PostgreSQL's authentication exchange.
    Authenticate,
    /// `pg_hba.conf`, role and database.
    Authorise,
}

/// Every refusal there is a word for: phase, class, meaning.
const REFUSALS: &[(Phase, &str, &str)] = &[
    (
        Phase::Parse,
        "sslmode",
        "the driver doesn't know the sslmode word",
    ),
    (
        Phase::Parse,
        "weak-sslmode",
        "the sslmode is too weak for another parameter",
    ),
    (
        Phase::Parse,
        "option",
        "another parameter is unknown or invalid",
    ),
    (
        Phase::Parse,
        "trust-file",
        "the trust anchors can't be read",
    ),
    (Phase::Connect, "refused", "nothing listens"),
    (
        Phase::Connect,
        "closed",
        "the server hung up without a word",
    ),
    (Phase::Connect, "timeout", "no answer in time"),
    (
        Phase::Negotiate,
        "no-tls",
        "the server offers no TLS and the client insists",
    ),
    (
        Phase::Tls,
        "unsupported",
        "the driver was given no TLS implementation",
    ),
    (Phase::Tls, "trust-file", "the trust anchors can't be read"),
    (
        Phase::Tls,
        "verify",
        "the certificate was refused; the driver doesn't say why",
    ),
    (Phase::Tls, "chain", "no chain to a trust anchor"),
    (Phase::Tls, "name", "the certificate is for another name"),
    (
        Phase::Tls,
        "validity",
        "a certificate is expired or not yet valid",
    ),
    (
        Phase::Tls,
        "purpose",
        "the certificate is not meant for servers",
    ),
    (Phase::Tls, "weak-key", "the certificate's key is too weak"),
    (
        Phase::Tls,
        "signature",
        "the server's signature doesn't hold under its certificate",
    ),
    (
        Phase::Tls,
        "ca-as-leaf",
        "a CA's certificate stands for a server",
    ),
    (
        Phase::Tls,
        "certificate",
        "a certificate is of a kind that the driver doesn't read",
    ),
    (Phase::Tls, "version", "no TLS version in common"),
    (
        Phase::Tls,
        "handshake",
        "no cipher suite in common, or another handshake failure",
    ),
    (Phase::Authenticate, "password", "wrong password"),
    (
        Phase::Authenticate,
        "channel-binding",
        "the certificate's signature has no hash to bind a SCRAM exchange to",
    ),
    (
        Phase::Authorise,
        "hba",
        "no line, or a reject line, in pg_hba.conf",
    ),
    (Phase::Authorise, "database", "no such database"),
    (Phase::Authorise, "limit", "too many connections"),
];

/// A refusal in its three precisions: phase, class, SQLSTATE.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Refusal {
    /// How far the attempt had come.
    pub phase: Phase,
    /// What was wrong, one of a closed set.
    pub class: &'static str,
    /// The server's SQLSTATE, where it was the server that refused.
    pub sqlstate: Option<String>,
}

/// What an attempt came to, in the words of a truth table.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum OutcomeClass {
    /// A session without encryption.
    Plaintext,
    /// A session over TLS.
    Encrypted,
    /// An error instead of a session.
    Refused(Refusal),
}

/// A word outside the vocabulary.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown {what} `{word}`; valid: {valid}")]
pub struct UnknownWord {
    /// What kind of word was due.
    pub what: &'static str,
    /// The word that stood there.
    pub word: String,
    /// The valid ones, joined by commas.
    pub valid: String,
}

impl UnknownWord {
    /// An error that lists the valid words.
    pub fn new<I>(what: &'static str, word: &str, valid: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let valid: Vec<String> = valid.into_iter().map(Into::into).collect();
        Self {
            what,
            word: word.to_owned(),
            valid: valid.join(", "),
        }
    }
}

impl Refusal {
    /// What the class means, for a person.
    #[must_use]
    pub fn meaning(&self) -> &'static str {
        REFUSALS
            .iter()
            .find(|(phase, class, _)| *phase == self.phase && *class == self.class)
            .map_or("", |(_, _, meaning)| meaning)
    }
}

impl FromStr for Refusal {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let unknown = || {
            let valid = (REFUSALS.iter()).map(|(phase, class, _)| format!("{phase} {class}"));
            UnknownWord::new("refusal", text, valid)
        };
        let mut words = text.split_whitespace();
        let (phase, class) = words.next().zip(words.next()).ok_or_else(unknown)?;
        let sqlstate = words.next();
        if words.next().is_some() {
            return Err(unknown());
        }
        let &(phase, class, _) = REFUSALS
            .iter()
            .find(|(known, name, _)| known.to_string() == phase && *name == class)
            .ok_or_else(unknown)?;
        if let Some(state) = sqlstate
            && !(state.len() == 5
                && state
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()))
        {
            return Err(UnknownWord::new(
                "SQLSTATE",
                state,
                ["five digits or capitals, as 28000"],
            ));
        }
        Ok(Self {
            phase,
            class,
            sqlstate: sqlstate.map(str::to_owned),
        })
    }
}

impl FromStr for OutcomeClass {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text.trim() {
            "plaintext" => Ok(Self::Plaintext),
            "encrypted" => Ok(Self::Encrypted),
            other => match other.strip_prefix("refused ") {
                Some(refusal) => refusal.parse().map(Self::Refused),
                None => Err(UnknownWord::new(
                    "outcome",
                    other,
                    ["plaintext", "encrypted", "refused PHASE CLASS [SQLSTATE]"],
                )),
            },
        }
    }
}

impl fmt::Display for OutcomeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("plaintext"),
            Self::Encrypted => f.write_str("encrypted"),
            Self::Refused(refusal) => write!(f, "refused {refusal}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.phase, self.class)?;
        self.sqlstate
            .iter()
            .try_for_each(|state| write!(f, " {state}"))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parse => "parse",
            Self::Connect => "connect",
            Self::Negotiate => "negotiate",
            Self::Tls => "tls",
            Self::Authenticate => "authenticate",
            Self::Authorise => "authorise",
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plaintext")]
    #[case("encrypted")]
    #[case("refused negotiate no-tls")]
    #[case("refused authorise hba 28000")]
    fn a_word_reads_back(#[case] text: &str) {
        let said: OutcomeClass = text.parse().unwrap();
        assert_eq!(said.to_string(), text);
    }

    #[rstest]
    #[case(
        "encripted",
        "unknown outcome `encripted`; valid: plaintext, encrypted"
    )]
    #[case("refused", "unknown outcome `refused`")]
    #[case("refused tls", "unknown refusal `tls`; valid: parse sslmode")]
    #[case("refused tls hba", "unknown refusal `tls hba`")]
    #[case("refused authorise hba 280", "unknown SQLSTATE `280`")]
    #[case("refused authorise hba 28000 more", "unknown refusal")]
    fn an_unknown_word_lists_the_valid_ones(#[case] text: &str, #[case] error: &str) {
        let seen = text.parse::<OutcomeClass>().unwrap_err().to_string();
        assert!(seen.starts_with(error), "{seen}");
    }
}
