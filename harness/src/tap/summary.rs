//! A connection's negotiation in one sentence, as one would tell it to a
//! colleague.

use std::fmt;

use serde::Serialize;

use super::{
    describe::{exposed, on_one_line},
    transcript::{Event, Side},
};

/// What a negotiation came to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The client went on under TLS. What the server said there can't be read:
    /// it may be a refusal.
    Encrypted,
    /// The client went on under GSSAPI encryption.
    GssEncrypted,
    /// The session stands in plaintext.
    Plaintext,
    /// The server refused in plaintext.
    Refused,
    /// The TLS handshake was ended by an alert, or by either side's going away
    /// in the middle of it or right behind it.
    HandshakeFailed,
    /// One side went away before a handshake or a login had begun.
    GivenUp,
    /// The client wanted a query cancelled, and no session.
    CancelRequest,
    /// The client said nothing.
    Silent,
    /// One side sent what is neither TLS nor PostgreSQL's protocol.
    Garbled,
    /// The server could not be reached.
    Unreachable,
    /// It was under way when the tap was ended.
    Unfinished,
}

/// One connection, summed up.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Summary {
    /// In one word.
    pub outcome: Outcome,
    /// In one sentence, without a full stop. What a peer sent is escaped, so
    /// that it stays one line.
    pub says: String,
}

/// What the alerts that end handshakes with PostgreSQL's clients and servers
/// mean there (RFC 8446, 6.2), by whose they are.
const ALERTS: &[(Side, &str, &str)] = &[
    (
        Side::Client,
        "unknown_ca",
        "it doesn't trust the server's certificate",
    ),
    (
        Side::Client,
        "bad_certificate",
        "it turns the server's certificate down, for its name or its content",
    ),
    (
        Side::Client,
        "unsupported_certificate",
        "it turns the server's certificate down for its kind or its purpose",
    ),
    (
        Side::Client,
        "certificate_expired",
        "the server's certificate is expired or not yet valid",
    ),
    (
        Side::Client,
        "certificate_revoked",
        "the server's certificate is revoked",
    ),
    (
        Side::Client,
        "certificate_unknown",
        "it turns the server's certificate down",
    ),
    (
        Side::Client,
        "decrypt_error",
        "a signature in the server's chain or handshake is wrong",
    ),
    (
        Side::Client,
        "protocol_version",
        "the server chose a version of TLS that it doesn't accept",
    ),
    (
        Side::Client,
        "insufficient_security",
        "the server's keys or ciphers are too weak for it",
    ),
    (
        Side::Client,
        "handshake_failure",
        "it doesn't accept what the server chose",
    ),
    (
        Side::Client,
        "user_canceled",
        "the person in front of it broke off",
    ),
    (
        Side::Server,
        "protocol_version",
        "it speaks no version of TLS that the client offered",
    ),
    (
        Side::Server,
        "handshake_failure",
        "it has no cipher suite or group in common with the client",
    ),
    (
        Side::Server,
        "insufficient_security",
        "what the client offered is too weak for it",
    ),
    (
        Side::Server,
        "inappropriate_fallback",
        "the client retried with an older version of TLS than both speak",
    ),
    (
        Side::Server,
        "unrecognized_name",
        "it doesn't know the name that the client asked for (SNI)",
    ),
    (
        Side::Server,
        "no_application_protocol",
        "it doesn't speak the protocol that the client asked for (ALPN)",
    ),
    (
        Side::Server,
        "unknown_ca",
        "it doesn't trust the client's certificate",
    ),
    (
        Side::Server,
        "bad_certificate",
        "it turns the client's certificate down",
    ),
    (
        Side::Server,
        "certificate_expired",
        "the client's certificate is expired or not yet valid",
    ),
    (
        Side::Server,
        "certificate_required",
        "it wants a certificate of the client",
    ),
    (
        Side::Server,
        "internal_error",
        "something went wrong inside it; its log may tell",
    ),
];

/// Words of servers that take no plaintext: PostgreSQL's since 14 and before
/// (`src/backend/libpq/auth.c`, `ClientAuthentication`), and RDS Proxy's.
const PLAINTEXT_REFUSED: [&str; 3] = ["no encryption", "SSL off", "requires TLS connections"];

impl Summary {
    /// Sums up what was seen of a connection, which may be going on; `in_use`
    /// is whether the client was seen to go on under TLS.
    #[must_use]
    pub fn of(events: &[Event], in_use: bool) -> Self {
        let (outcome, end) = end(events, in_use);
        let mut says = clauses(events);
        says.extend(end);
        let mark = match outcome {
            Outcome::Encrypted | Outcome::GssEncrypted => " (encrypted)",
            Outcome::Plaintext => " (plaintext)",
            _ => "",
        };
        Self {
            outcome,
            says: format!("{}{mark}", says.join(", ")),
        }
    }

    /// Whether an event decides what a negotiation came to, so that nobody need
    /// wait for the end of the connection.
    #[must_use]
    pub fn is_due(event: &Event) -> bool {
        match event {
            Event::Ready
            | Event::Answer { byte: 'G' }
            | Event::Error { .. }
            | Event::Garbled { .. }
            | Event::Unreachable { .. } => true,
            Event::Alert { fatal, .. } => *fatal,
            _ => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Encrypted => "encrypted",
            Self::GssEncrypted => "encrypted by GSSAPI",
            Self::Plaintext => "plaintext",
            Self::Refused => "refused in plaintext",
            Self::HandshakeFailed => "TLS handshake failed",
            Self::GivenUp => "given up before a handshake or a login",
            Self::CancelRequest => "cancel request",
            Self::Silent => "nothing said",
            Self::Garbled => "neither TLS nor PostgreSQL",
            Self::Unreachable => "server unreachable",
            Self::Unfinished => "unfinished",
        })
    }
}

/// What both sides said, in turn.
fn clauses(events: &[Event]) -> Vec<String> {
    let mut clauses: Vec<String> = Vec::new();
    let (mut asked, mut hello, mut kind, mut password) = (false, false, "", false);
    for event in events {
        let clause = match event {
            Event::SslRequest => {
                asked = true;
                "client asked for TLS".to_owned()
            }
            Event::GssEncRequest => {
                asked = true;
                "client asked for GSSAPI encryption".to_owned()
            }
            Event::CancelRequest => "client asked to cancel a query, in plaintext".to_owned(),
            Event::Answer { byte: 'N' } => "server said no".to_owned(),
            Event::Answer { .. } => "server said yes".to_owned(),
            Event::ClientHello { .. } if !asked && !hello => {
                hello = true;
                "client opened TLS without asking".to_owned()
            }
            Event::ServerHello {
                version, cipher, ..
            } => format!("{version} {cipher}"),
            Event::Certificate {
                common_name,
                names,
                not_after,
                ..
            } => {
                let name = common_name.as_ref().or(names.first());
                format!(
                    "certificate of {} until {not_after}",
                    name.map_or("nobody".to_owned(), |name| name.escape_debug().to_string())
                )
            }
            Event::Startup { .. } if asked => "client went on in plaintext".to_owned(),
            Event::Startup { .. } => "client did not ask for TLS".to_owned(),
            Event::Authentication { kind: asks } if asks != "ok" => {
                kind = if exposed(asks).is_some() { asks } else { kind };
                continue;
            }
            Event::Password if !password => {
                password = true;
                let message = exposed(kind).map_or_else(
                    || "a password message".to_owned(),
                    |exposed| format!("a password message ({exposed})"),
                );
                match clauses.pop() {
                    Some(before) => format!("{before} and sent {message}"),
                    None => format!("client sent {message}"),
                }
            }
            Event::Authentication { .. } if password => "server let it in".to_owned(),
            Event::Authentication { .. } => "server let it in without a password".to_owned(),
            _ => continue,
        };
        clauses.push(clause);
    }
    clauses
}

/// What it came to, and the last clause where that needs one.
fn end(events: &[Event], in_use: bool) -> (Outcome, Option<String>) {
    let last = events.iter().rev().find_map(|event| decided(event, events));
    if let Some((outcome, clause)) = last {
        return (outcome, clause);
    }
    let has = |wanted: fn(&Event) -> bool| events.iter().any(wanted);
    if in_use {
        let unseen = !has(|event| matches!(event, Event::Certificate { .. }));
        return (
            Outcome::Encrypted,
            unseen.then(|| "certificate not seen".to_owned()),
        );
    }
    let Some(by) = events.iter().find_map(|event| match event {
        Event::Closed { by } => Some(*by),
        _ => None,
    }) else {
        return (
            Outcome::Unfinished,
            Some("no end of the negotiation was seen".to_owned()),
        );
    };
    let (outcome, clause) = went_away(by, &has);
    (outcome, Some(clause))
}

/// What one event makes of the negotiation by itself.
fn decided(event: &Event, events: &[Event]) -> Option<(Outcome, Option<String>)> {
    let decided = match event {
        Event::Ready => (Outcome::Plaintext, None),
        Event::Answer { byte: 'G' } => (Outcome::GssEncrypted, None),
        Event::CancelRequest => (Outcome::CancelRequest, None),
        Event::Error {
            sqlstate, message, ..
        } => {
            let plaintext = events.iter().any(|e| matches!(e, Event::Startup { .. }))
                && PLAINTEXT_REFUSED
                    .iter()
                    .any(|words| message.contains(words));
            let what = if plaintext { "plaintext " } else { "" };
            let message = on_one_line(message);
            (
                Outcome::Refused,
                Some(format!("{what}refused by the server: {sqlstate} {message}")),
            )
        }
        Event::Alert {
            from,
            fatal: true,
            description,
        } => {
            let meaning = (ALERTS.iter())
                .find(|(side, name, _)| side == from && name == description)
                .map_or_else(String::new, |(_, _, meaning)| format!(": {meaning}"));
            let alert = format!("TLS handshake ended by the {from}'s alert {description}{meaning}");
            (Outcome::HandshakeFailed, Some(alert))
        }
        Event::Garbled { from, expected } => (
            Outcome::Garbled,
            Some(format!(
                "{from} sent what is neither TLS nor PostgreSQL, where {expected} was due"
            )),
        ),
        Event::Unreachable { why } => (
            Outcome::Unreachable,
            Some(format!(
                "tap could not reach the server: {}",
                why.escape_debug()
            )),
        ),
        _ => return None,
    };
    Some(decided)
}

/// What it means that a side went away, by how far they had come.
fn went_away(by: Side, has: &dyn Fn(fn(&Event) -> bool) -> bool) -> (Outcome, String) {
    let no = has(|event| matches!(event, Event::Answer { byte: 'N' }));
    let encrypted = has(|event| matches!(event, Event::Encrypted { from: Side::Client }));
    let hello = has(|event| matches!(event, Event::ClientHello { .. }));
    let server_hello = has(|event| matches!(event, Event::ServerHello { .. }));
    let startup = has(|event| matches!(event, Event::Startup { .. }));
    let asked = has(|event| matches!(event, Event::SslRequest | Event::GssEncRequest));
    let yes = has(|event| matches!(event, Event::Answer { byte: 'S' }));
    let (outcome, means) = match by {
        Side::Client if encrypted => (
            Outcome::HandshakeFailed,
            " right behind the TLS handshake, without a login: it may not accept the server's \
             certificate",
        ),
        Side::Client if server_hello => (
            Outcome::HandshakeFailed,
            " in the middle of the TLS handshake: it may not accept the server's certificate",
        ),
        Side::Client if hello => (Outcome::HandshakeFailed, " before the server's hello"),
        Side::Client if startup => (Outcome::GivenUp, " in the middle of the login"),
        Side::Client if yes => (
            Outcome::GivenUp,
            " before the TLS handshake: its trust anchors or its TLS library may be missing",
        ),
        Side::Client if no => (Outcome::GivenUp, ": it may insist on encryption"),
        Side::Client if asked => (Outcome::GivenUp, " before the server's answer"),
        Side::Client => (Outcome::Silent, " without a word"),
        Side::Server if encrypted => (
            Outcome::HandshakeFailed,
            " right behind the TLS handshake, without a login: one side may not accept the other's \
             certificate, and says so under encryption alone",
        ),
        Side::Server if hello => (
            Outcome::HandshakeFailed,
            " in the middle of the TLS handshake; its log may tell why",
        ),
        Side::Server => (
            Outcome::GivenUp,
            " without a word; its log may tell why, and whether it speaks PostgreSQL's protocol",
        ),
    };
    (outcome, format!("{by} went away{means}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tap::names;

    #[test]
    fn every_alert_of_the_table_is_one() {
        for (_, name, _) in ALERTS {
            assert!(names::is_alert(name), "{name}");
        }
    }

    #[test]
    fn nothing_at_all_is_unfinished() {
        assert_eq!(Summary::of(&[], false).outcome, Outcome::Unfinished);
    }
}
