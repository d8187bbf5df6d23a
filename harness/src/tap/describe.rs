//! A transcript in words for people.

use std::fmt;

use super::transcript::{Event, Side, Transcript};

/// One line an event, under a line for each connection; no line break at the
/// end.
impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.connections.is_empty() {
            return f.write_str("no connection was made");
        }
        for (index, events) in self.connections.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "connection {}", index + 1)?;
            for event in events {
                write!(f, "\n  {event}")?;
            }
        }
        Ok(())
    }
}

/// One line. What a peer sent is escaped, so that it stays one.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SslRequest => f.write_str("client asked for TLS (SSLRequest)"),
            Self::GssEncRequest => {
                f.write_str("client asked for GSSAPI encryption (GSSENCRequest)")
            }
            Self::CancelRequest => f.write_str("client asked to cancel a query (CancelRequest)"),
            Self::Answer { byte } => {
                let answer = if *byte == 'N' { "no" } else { "yes" };
                write!(f, "server said {answer} ({byte})")
            }
            Self::ClientHello {
                versions,
                ciphers,
                groups,
                sni,
                alpn,
            } => f.write_str(&offer(versions, ciphers, groups, sni.as_deref(), alpn)),
            Self::HelloRetryRequest { group } => {
                f.write_str("server asked for another ClientHello (HelloRetryRequest)")?;
                in_group(f, group.as_deref())
            }
            Self::ServerHello {
                version,
                cipher,
                group,
            } => {
                write!(f, "server chose {version} (ServerHello), {cipher}")?;
                in_group(f, group.as_deref())
            }
            Self::Certificate {
                common_name,
                names,
                not_before,
                not_after,
            } => write!(
                f,
                "server showed a certificate for {}, names {}, valid from {not_before} to \
                 {not_after}",
                named("CN", common_name.as_deref()),
                list(names),
            ),
            Self::Alert {
                from,
                fatal,
                description,
            } => {
                let level = if *fatal { "fatal" } else { "warning" };
                write!(f, "{from} sent alert {description} ({level}) in clear")
            }
            Self::Encrypted { from } => write!(f, "{from} sent an encrypted record"),
            Self::Startup {
                protocol,
                parameters,
            } => {
                write!(
                    f,
                    "client started a plaintext session (StartupMessage {protocol})"
                )?;
                for (name, value) in parameters {
                    write!(f, " {}={}", name.escape_debug(), value.escape_debug())?;
                }
                Ok(())
            }
            Self::NegotiateProtocolVersion { newest, unknown } => {
                write!(f, "server speaks protocol {newest} at most")?;
                if !unknown.is_empty() {
                    write!(f, ", and does not know {}", list(unknown))?;
                }
                Ok(())
            }
            Self::Authentication { kind } if kind == "ok" => {
                f.write_str("server let the client in, in plaintext")
            }
            Self::Authentication { kind } => {
                write!(f, "server asked for authentication in plaintext ({kind}")?;
                if let Some(exposed) = exposed(kind) {
                    write!(f, ": {exposed}")?;
                }
                f.write_str(")")
            }
            Self::Password => f.write_str("client sent a password message in plaintext"),
            Self::Ready => f.write_str("server was ready for queries, in plaintext"),
            Self::Error {
                severity,
                sqlstate,
                message,
            } => write!(
                f,
                "server refused in plaintext: {}: {sqlstate}: {}",
                severity.escape_debug(),
                on_one_line(message)
            ),
            Self::Garbled { from, expected } => {
                write!(f, "{from} sent garbled bytes where {expected} was due")
            }
            Self::Unreachable { why } => {
                write!(f, "tap could not reach the server: {}", why.escape_debug())
            }
            Self::Closed { by } => write!(f, "{by} closed the connection"),
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// What a peer sent as a sentence, whose quotation marks are no danger: the
/// rest is escaped.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '"' | '\'' => char.to_string(),
            _ => char.escape_debug().to_string(),
        })
        .collect()
}

/// What a kind of authentication shows of the password to whoever reads it on
/// the way (PostgreSQL manual, "Password Authentication").
pub(super) fn exposed(kind: &str) -> Option<&'static str> {
    match kind {
        "cleartext-password" => Some("password in clear"),
        "md5-password" => Some("an MD5 hash, open to guessing"),
        "sasl" => Some("no password in it, if that is SCRAM"),
        _ => None,
    }
}

fn offer(
    versions: &[String],
    ciphers: &[String],
    groups: &[String],
    sni: Option<&str>,
    alpn: &[String],
) -> String {
    let alpn = if alpn.is_empty() {
        "no ALPN".to_owned()
    } else {
        format!("ALPN {}", list(alpn))
    };
    format!(
        "client offered {} (ClientHello), {} cipher suites, groups {}, {}, {alpn}",
        list(versions),
        ciphers.len(),
        list(groups),
        named("SNI", sni),
    )
}

fn named(what: &str, name: Option<&str>) -> String {
    name.map_or_else(
        || format!("no {what}"),
        |name| format!("{what} {}", name.escape_debug()),
    )
}

fn in_group(f: &mut fmt::Formatter<'_>, group: Option<&str>) -> fmt::Result {
    match group {
        Some(group) => write!(f, ", group {group}"),
        None => Ok(()),
    }
}

fn list(entries: &[String]) -> String {
    if entries.is_empty() {
        return "none".to_owned();
    }
    let escaped: Vec<String> = entries
        .iter()
        .map(|entry| entry.escape_debug().to_string())
        .collect();
    escaped.join(", ")
}
