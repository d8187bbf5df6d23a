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
        "the driver does not know the sslmode word",
    ),
    (
        Phase::Parse,
        "weak-sslmode",
        "the sslmode is too weak for another parameter",
    ),
    (
        Phase::Parse,
        "option",
        "another parameter is unknown, missing or invalid",
    ),
    (
        Phase::Parse,
        "trust-file",
        "the trust anchors can't be read",
    ),
    (
        Phase::Connect,
        "unknown-host",
        "the host name has no address",
    ),
    (
        Phase::Connect,
        "unreachable",
        "there is no route to the server, or its socket does not exist",
    ),
    (Phase::Connect, "refused", "nothing listens"),
    (
        Phase::Connect,
        "reset",
        "the network or the server cut the connection",
    ),
    (
        Phase::Connect,
        "closed",
        "the server hung up without a word",
    ),
    (Phase::Connect, "timeout", "no answer in time"),
    (
        Phase::Connect,
        "wrong-server",
        "the server is not of the kind that the client requires, for example a primary",
    ),
    (
        Phase::Connect,
        "internal",
        "the client failed by itself: no memory, no socket",
    ),
    (
        Phase::Negotiate,
        "no-tls",
        "the server offers no TLS and the client insists",
    ),
    (
        Phase::Negotiate,
        "no-gss",
        "the client insists on GSSAPI encryption, and there is none",
    ),
    (
        Phase::Negotiate,
        "garbage",
        "the answer to SSLRequest or GSSENCRequest is not one that the protocol allows",
    ),
    (
        Phase::Negotiate,
        "stuffed",
        "unencrypted bytes came in before the TLS handshake",
    ),
    (
        Phase::Negotiate,
        "alpn",
        "client and server do not agree on the ALPN protocol `postgresql`",
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
        "the certificate was refused; the driver does not say why",
    ),
    (Phase::Tls, "chain", "no chain to a trust anchor"),
    (
        Phase::Tls,
        "not-a-ca",
        "a certificate in the chain is signed by a certificate that is not a CA's",
    ),
    (
        Phase::Tls,
        "constraint",
        "a CA's constraint on names, path length or policies forbids the chain",
    ),
    (Phase::Tls, "name", "the certificate is for another name"),
    (
        Phase::Tls,
        "validity",
        "a certificate is expired or not yet valid",
    ),
    (Phase::Tls, "revoked", "a certificate is revoked"),
    (
        Phase::Tls,
        "revocation",
        "revocation can't be checked: a CRL or OCSP answer is missing or bad",
    ),
    (
        Phase::Tls,
        "purpose",
        "the certificate is not meant for servers",
    ),
    (
        Phase::Tls,
        "ca-as-leaf",
        "a CA's certificate stands for a server",
    ),
    (
        Phase::Tls,
        "extension",
        "a certificate has a critical extension that the client does not know",
    ),
    (
        Phase::Tls,
        "certificate",
        "a certificate is malformed, or of a kind that the driver does not read",
    ),
    (
        Phase::Tls,
        "weak-key",
        "a key of the server or of a CA is too weak",
    ),
    (
        Phase::Tls,
        "algorithm",
        "a certificate's signature algorithm is too weak, or unknown to the client",
    ),
    (
        Phase::Tls,
        "signature",
        "a signature does not hold, in the chain or in the handshake",
    ),
    (
        Phase::Tls,
        "client-key",
        "the client's own certificate or private key can't be used",
    ),
    (
        Phase::Tls,
        "client-certificate",
        "the server rejects the client's certificate, or requires one and gets none",
    ),
    (Phase::Tls, "version", "no TLS version in common"),
    (
        Phase::Tls,
        "handshake",
        "no cipher suite in common, or another handshake failure",
    ),
    (Phase::Tls, "alert", "the server sent another TLS alert"),
    (Phase::Tls, "closed", "the server hung up in the handshake"),
    (
        Phase::Tls,
        "protocol",
        "what the server sent breaks the TLS protocol, or is not TLS",
    ),
    (
        Phase::Tls,
        "internal",
        "the client's TLS stack failed by itself",
    ),
    (Phase::Authenticate, "password", "wrong password"),
    (
        Phase::Authenticate,
        "no-password",
        "the server asks for a password, and the client has none",
    ),
    (
        Phase::Authenticate,
        "channel-binding",
        "the SCRAM exchange can't be bound to the server's certificate",
    ),
    (
        Phase::Authenticate,
        "method",
        "the client does not support or does not allow the server's method",
    ),
    (
        Phase::Authenticate,
        "iam",
        "PAM rejects the user; RDS checks IAM tokens through PAM",
    ),
    (
        Phase::Authenticate,
        "external",
        "another authority rejects the user: GSSAPI, LDAP, RADIUS, ident, …",
    ),
    (
        Phase::Authenticate,
        "client-certificate",
        "the server requires a client certificate for this user",
    ),
    (
        Phase::Authenticate,
        "server",
        "the server does not prove that it knows the password",
    ),
    (Phase::Authenticate, "timeout", "the exchange took too long"),
    (
        Phase::Authenticate,
        "protocol",
        "one side's messages break the PostgreSQL protocol",
    ),
    (
        Phase::Authorise,
        "hba",
        "no line, or a reject line, in pg_hba.conf",
    ),
    (
        Phase::Authorise,
        "tls-required",
        "a proxy in front of the server accepts only TLS connections",
    ),
    (
        Phase::Authorise,
        "protocol",
        "the server rejects the startup packet or its protocol version",
    ),
    (
        Phase::Authorise,
        "role",
        "no such role, or one that may not log in",
    ),
    (
        Phase::Authorise,
        "database",
        "no such database, or one that takes no connections",
    ),
    (
        Phase::Authorise,
        "privilege",
        "the role may not connect to the database, or not for replication",
    ),
    (
        Phase::Authorise,
        "setting",
        "the server rejects a setting in the startup packet",
    ),
    (Phase::Authorise, "limit", "too many connections"),
    (
        Phase::Authorise,
        "starting",
        "the server is starting, stopping or recovering",
    ),
    (
        Phase::Authorise,
        "internal",
        "the server failed by itself: no memory, no process, a missing file",
    ),
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
