//! A transcript in the words of the truth tables.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    names,
    pgwire::is_sqlstate,
    transcript::{Event, Side, Transcript},
};

/// What an attempt did on the wire, connection by connection.
///
/// Written as words with spaces between them and `|` before each further TCP
/// connection: `sslrequest S hello alert:unknown_ca | startup`. A connection
/// on which nothing was said is `open`; no connection at all is `-`.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Wire(Vec<Vec<Word>>);

/// One word of a [`Wire`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Word {
    /// `sslrequest`: the client asked for TLS.
    SslRequest,
    /// `gssencrequest`: the client asked for GSSAPI encryption.
    GssEncRequest,
    /// `cancel`: the client asked to cancel a query.
    Cancel,
    /// `S`, `N` or `G`: the server answered a request.
    Answer(char),
    /// `hello`: the client opened a TLS handshake. A second `ClientHello`,
    /// which answers a `HelloRetryRequest`, is not told.
    Hello,
    /// `tls`: after the `ServerHello` the client sent an encrypted record. As
    /// far as can be seen from outside, the handshake went through; under TLS
    /// 1.3 an encrypted alert looks the same (RFC 8446, 5.2), and up to TLS 1.2
    /// the server may still refuse what the client finished. Past this word
    /// the driver's word decides.
    Tls,
    /// `tls?`, in a table alone: [`Word::Tls`], or nothing. For a client that
    /// may hang up before its last record has left it.
    MaybeTls,
    /// `alert:NAME`: either side sent an alert in clear, with RFC 8446's name
    /// for it. `close_notify` is no refusal and not told.
    Alert(String),
    /// `startup`: the client sent its `StartupMessage` in plaintext.
    Startup,
    /// `error:SQLSTATE`: the server refused in plaintext.
    Error(String),
    /// `garbled`: one side sent what is neither TLS nor PostgreSQL's protocol.
    Garbled,
    /// `unreachable`: the tap could not connect to the server.
    Unreachable,
}

/// Why a text is no [`Wire`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WireError {
    /// A word outside the vocabulary.
    #[error(
        "unknown wire word `{word}`; the words are sslrequest, gssencrequest, S, N, G, hello, \
         tls, tls? (or nothing), alert:NAME, startup, error:SQLSTATE, garbled, cancel, unreachable, \
         `|` for a new TCP connection, `open` for a connection without words, \
         and `-` for no connection"
    )]
    Unknown {
        /// The word.
        word: String,
    },
    /// `alert:` with a name that no RFC gives.
    #[error(
        "unknown alert `{name}`; the alerts are {}, or a number without a name",
        alerts()
    )]
    UnknownAlert {
        /// The name.
        name: String,
    },
    /// `error:` with something else than an SQLSTATE.
    #[error("`{code}` is no SQLSTATE; write `error:` and five digits or capitals, as error:28000")]
    NoSqlstate {
        /// What stood there.
        code: String,
    },
    /// Nothing where a connection's words were due.
    #[error(
        "a connection without words in `{wire}`; write `open` for a TCP connection on which \
         nothing was said, and `-` alone for no connection"
    )]
    Empty {
        /// The whole text.
        wire: String,
    },
}

impl Wire {
    /// The words of each TCP connection.
    #[must_use]
    pub fn connections(&self) -> &[Vec<Word>] {
        &self.0
    }

    /// Whether what was seen is what this says, word for word, `tls?` aside.
    #[must_use]
    pub fn allows(&self, seen: &Self) -> bool {
        self.0.len() == seen.0.len()
            && (self.0.iter().zip(&seen.0)).all(|(said, seen)| allow(said, seen))
    }
}

fn allow(said: &[Word], seen: &[Word]) -> bool {
    match (said.split_first(), seen.split_first()) {
        (None, None) => true,
        (Some((Word::MaybeTls, said)), Some((Word::Tls, rest))) => allow(said, rest),
        (Some((Word::MaybeTls, said)), _) => allow(said, seen),
        (Some((word, said)), Some((first, seen))) => word == first && allow(said, seen),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

impl Transcript {
    /// The transcript in the words of the truth tables.
    #[must_use]
    pub fn wire(&self) -> Wire {
        Wire(
            self.connections
                .iter()
                .map(|events| words(events))
                .collect(),
        )
    }
}

fn words(events: &[Event]) -> Vec<Word> {
    let mut words = Vec::new();
    let (mut hello_seen, mut server_hello_seen) = (false, false);
    for event in events {
        let word = match event {
            Event::SslRequest => Word::SslRequest,
            Event::GssEncRequest => Word::GssEncRequest,
            Event::CancelRequest => Word::Cancel,
            Event::Answer { byte } => Word::Answer(*byte),
            Event::ClientHello { .. } if !hello_seen => {
                hello_seen = true;
                Word::Hello
            }
            Event::ServerHello { .. } => {
                server_hello_seen = true;
                continue;
            }
            Event::Encrypted { from: Side::Client } if server_hello_seen => Word::Tls,
            Event::Alert { description, .. } if description != "close_notify" => {
                Word::Alert(description.clone())
            }
            Event::Startup { .. } => Word::Startup,
            Event::Error { sqlstate, .. } => Word::Error(sqlstate.clone()),
            Event::Garbled { .. } => Word::Garbled,
            Event::Unreachable { .. } => Word::Unreachable,
            Event::ClientHello { .. }
            | Event::HelloRetryRequest { .. }
            | Event::Certificate { .. }
            | Event::Encrypted { .. }
            | Event::Alert { .. }
            | Event::NegotiateProtocolVersion { .. }
            | Event::Authentication { .. }
            | Event::Password
            | Event::Ready
            | Event::Closed { .. } => continue,
        };
        words.push(word);
    }
    words
}

impl FromStr for Wire {
    type Err = WireError;

    fn from_str(wire: &str) -> Result<Self, WireError> {
        if wire.trim() == "-" {
            return Ok(Self::default());
        }
        wire.split('|')
            .map(|connection| match connection.trim() {
                "" => Err(WireError::Empty {
                    wire: wire.to_owned(),
                }),
                "open" => Ok(Vec::new()),
                words => words.split_whitespace().map(str::parse).collect(),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Word {
    type Err = WireError;

    fn from_str(word: &str) -> Result<Self, WireError> {
        let word = match word {
            "sslrequest" => Self::SslRequest,
            "gssencrequest" => Self::GssEncRequest,
            "cancel" => Self::Cancel,
            "S" => Self::Answer('S'),
            "N" => Self::Answer('N'),
            "G" => Self::Answer('G'),
            "hello" => Self::Hello,
            "tls" => Self::Tls,
            "tls?" => Self::MaybeTls,
            "startup" => Self::Startup,
            "garbled" => Self::Garbled,
            "unreachable" => Self::Unreachable,
            _ => return parametrised(word),
        };
        Ok(word)
    }
}

fn parametrised(word: &str) -> Result<Word, WireError> {
    match word.split_once(':') {
        // `close_notify` is a name, but a row that expects it never matches.
        Some(("alert", name)) if names::is_alert(name) && name != "close_notify" => {
            Ok(Word::Alert(name.to_owned()))
        }
        Some(("alert", name)) => Err(WireError::UnknownAlert {
            name: name.to_owned(),
        }),
        Some(("error", code)) if is_sqlstate(code) => Ok(Word::Error(code.to_owned())),
        Some(("error", code)) => Err(WireError::NoSqlstate {
            code: code.to_owned(),
        }),
        _ => Err(WireError::Unknown {
            word: word.to_owned(),
        }),
    }
}

fn alerts() -> String {
    names::alerts()
        .filter(|name| *name != "close_notify")
        .collect::<Vec<_>>()
        .join(", ")
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.pad("-");
        }
        let connections: Vec<String> = self.0.iter().map(|words| connection(words)).collect();
        f.pad(&connections.join(" | "))
    }
}

fn connection(words: &[Word]) -> String {
    if words.is_empty() {
        return "open".to_owned();
    }
    let words: Vec<String> = words.iter().map(Word::to_string).collect();
    words.join(" ")
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SslRequest => f.write_str("sslrequest"),
            Self::GssEncRequest => f.write_str("gssencrequest"),
            Self::Cancel => f.write_str("cancel"),
            Self::Answer(byte) => write!(f, "{byte}"),
            Self::Hello => f.write_str("hello"),
            Self::Tls => f.write_str("tls"),
            Self::MaybeTls => f.write_str("tls?"),
            Self::Alert(name) => write!(f, "alert:{name}"),
            Self::Startup => f.write_str("startup"),
            Self::Error(sqlstate) => write!(f, "error:{sqlstate}"),
            Self::Garbled => f.write_str("garbled"),
            Self::Unreachable => f.write_str("unreachable"),
        }
    }
}

impl Serialize for Wire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none("-")]
    #[case::silent("open")]
    #[case::plaintext("startup error:28000")]
    #[case::fallback("sslrequest S hello alert:unknown_ca | startup")]
    #[case::all(
        "gssencrequest N sslrequest S hello tls tls? | open | cancel | garbled G unreachable"
    )]
    #[case::alert_without_name("sslrequest S hello alert:200")]
    fn what_is_written_is_read(#[case] text: &str) {
        let wire: Wire = text.parse().expect("a wire");
        assert_eq!(wire.to_string(), text);
        let json = serde_json::to_string(&wire).expect("a string");
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Wire>(&json).expect("a wire"), wire);
    }

    #[rstest]
    #[case::as_said("sslrequest S hello tls", "sslrequest S hello tls", true)]
    #[case::it_may("sslrequest S hello tls?", "sslrequest S hello tls", true)]
    #[case::it_may_not("sslrequest S hello tls?", "sslrequest S hello", true)]
    #[case::it_must("sslrequest S hello tls", "sslrequest S hello", false)]
    #[case::an_alert_is_no_silence("hello tls?", "hello alert:unknown_ca", false)]
    #[case::nothing_may_follow("hello tls?", "hello tls alert:unknown_ca", false)]
    #[case::nor_another_connection("hello tls?", "hello tls | startup", false)]
    #[case::once_alone("hello tls? alert:unknown_ca", "hello alert:unknown_ca", true)]
    fn a_table_may_leave_a_last_record_open(
        #[case] said: &str,
        #[case] seen: &str,
        #[case] allowed: bool,
    ) {
        let [said, seen] = [said, seen].map(|text| text.parse::<Wire>().expect("a wire"));
        assert_eq!(said.allows(&seen), allowed);
    }

    #[test]
    fn spaces_do_not_matter() {
        let wire: Wire = "  sslrequest  N|startup ".parse().expect("a wire");
        assert_eq!(wire.to_string(), "sslrequest N | startup");
    }

    #[rstest]
    #[case::empty("", "write `open`")]
    #[case::bar_alone("|", "write `open`")]
    #[case::bar_last("startup |", "write `open`")]
    #[case::word("sslrequest s", "unknown wire word `s`; the words are sslrequest,")]
    #[case::dash_inside("startup -", "unknown wire word `-`")]
    #[case::open_inside("open startup", "unknown wire word `open`")]
    #[case::alert("hello alert:unknown_cat", "the alerts are unexpected_message,")]
    #[case::not_told("hello alert:close_notify", "unknown alert `close_notify`")]
    #[case::sqlstate("startup error:2800", "`2800` is no SQLSTATE")]
    fn a_wrong_word_shows_the_right_ones(#[case] text: &str, #[case] hint: &str) {
        let error = text.parse::<Wire>().expect_err("no wire").to_string();
        assert!(error.contains(hint), "{error}");
    }

    fn client_hello() -> Event {
        Event::ClientHello {
            versions: vec![],
            ciphers: vec![],
            groups: vec![],
            sni: None,
            alpn: vec![],
        }
    }

    fn server_hello() -> Event {
        Event::ServerHello {
            version: "TLSv1.3".to_owned(),
            cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
            group: None,
        }
    }

    fn alert(description: &str) -> Event {
        Event::Alert {
            from: Side::Client,
            fatal: true,
            description: description.to_owned(),
        }
    }

    const CLIENT_DARK: Event = Event::Encrypted { from: Side::Client };
    const SERVER_DARK: Event = Event::Encrypted { from: Side::Server };

    #[rstest]
    #[case::retried(
        vec![
            client_hello(),
            Event::HelloRetryRequest { group: None },
            client_hello(),
            server_hello(),
            SERVER_DARK,
            CLIENT_DARK,
        ],
        "hello tls"
    )]
    #[case::server_alone(vec![client_hello(), server_hello(), SERVER_DARK], "hello")]
    #[case::early_data(vec![client_hello(), CLIENT_DARK, server_hello()], "hello")]
    #[case::alert_in_clear(
        vec![client_hello(), server_hello(), SERVER_DARK, alert("unknown_ca")],
        "hello alert:unknown_ca"
    )]
    #[case::farewell(vec![client_hello(), alert("close_notify")], "hello")]
    #[case::silence(vec![Event::Closed { by: Side::Client }], "open")]
    fn events_project_to_words(#[case] events: Vec<Event>, #[case] wire: &str) {
        let transcript = Transcript {
            connections: vec![events],
        };
        assert_eq!(transcript.wire().to_string(), wire);
    }
}
