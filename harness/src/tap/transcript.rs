//! What was seen on the wire, in full and in the words of the truth tables.

use serde::{Deserialize, Serialize};

/// All TCP connections of one attempt, in the order in which they came.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Transcript {
    /// Events by connection.
    pub connections: Vec<Vec<Event>>,
}

/// Which end a message came from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The driver.
    Client,
    /// PostgreSQL.
    Server,
}

/// One thing that was readable on the wire.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The client asks for TLS.
    SslRequest,
    /// The client asks for GSSAPI encryption.
    GssEncRequest,
    /// The client asks to cancel a query.
    CancelRequest,
    /// The server's single byte in answer to a request: `S`, `N` or `G`.
    Answer {
        /// The byte as a character.
        byte: char,
    },
    /// The client opens a TLS handshake.
    ClientHello {
        /// Versions offered, best first, as `TLSv1.3`.
        versions: Vec<String>,
        /// Cipher suites offered, IANA names.
        ciphers: Vec<String>,
        /// Groups offered, IANA names.
        groups: Vec<String>,
        /// Server name indication.
        sni: Option<String>,
        /// Application protocols.
        alpn: Vec<String>,
    },
    /// The server asks for another `ClientHello` (RFC 8446, 4.1.4).
    HelloRetryRequest {
        /// The group it wants.
        group: Option<String>,
    },
    /// The server's choice.
    ServerHello {
        /// `TLSv1.3`.
        version: String,
        /// IANA name of the suite.
        cipher: String,
        /// The group of the key share, under TLS 1.3.
        group: Option<String>,
    },
    /// The server's certificate, which is in clear up to TLS 1.2.
    Certificate {
        /// The subject's first common name.
        common_name: Option<String>,
        /// DNS names and addresses of the subject alternative name.
        names: Vec<String>,
        /// The first day on which it is valid, in UTC, as `2026-02-03`.
        not_before: String,
        /// The last one.
        not_after: String,
    },
    /// An alert in clear.
    Alert {
        /// Who sent it.
        from: Side,
        /// Whether its level is fatal.
        fatal: bool,
        /// Its description, RFC 8446's name (`unknown_ca`).
        description: String,
    },
    /// From here on this side's records are encrypted. Noted once a side.
    Encrypted {
        /// Whose.
        from: Side,
    },
    /// A `StartupMessage` in plaintext.
    Startup {
        /// `3.0`.
        protocol: String,
        /// Parameter names and values.
        parameters: Vec<(String, String)>,
    },
    /// The server speaks an older minor version of the protocol than the
    /// client asked for, or does not know some of its options.
    NegotiateProtocolVersion {
        /// The newest version that it speaks, `3.0`.
        newest: String,
        /// Names of options that it does not know.
        unknown: Vec<String>,
    },
    /// An authentication request in plaintext.
    Authentication {
        /// `ok`, `cleartext-password`, `md5-password`, `sasl`, …
        kind: String,
    },
    /// A password or SASL message in plaintext; its content is not kept.
    Password,
    /// `ReadyForQuery` in plaintext: the session stands.
    Ready,
    /// An `ErrorResponse` in plaintext.
    Error {
        /// `FATAL`.
        severity: String,
        /// `28000`.
        sqlstate: String,
        /// The primary message.
        message: String,
    },
    /// Bytes that are neither TLS nor PostgreSQL where one of them was due.
    Garbled {
        /// Whose.
        from: Side,
        /// What was expected.
        expected: String,
    },
    /// The tap could not connect to the server on behalf of the client.
    Unreachable {
        /// What the system said.
        why: String,
    },
    /// The side that ended the connection first.
    Closed {
        /// Who.
        by: Side,
    },
}
