//! Transcripts as people read them.

use super::*;

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_fallback_reads_as_a_story() {
    let fallback = Transcript {
        connections: vec![
            vec![
                Event::GssEncRequest,
                Event::Answer { byte: 'N' },
                Event::SslRequest,
                Event::Answer { byte: 'S' },
                Event::ClientHello {
                    versions: strings(&["TLSv1.3", "TLSv1.2"]),
                    ciphers: strings(&["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"]),
                    groups: strings(&["X25519MLKEM768", "x25519"]),
                    sni: Some("db.example".to_owned()),
                    alpn: strings(&["postgresql"]),
                },
                Event::HelloRetryRequest {
                    group: Some("x25519".to_owned()),
                },
                Event::ServerHello {
                    version: "TLSv1.3".to_owned(),
                    cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
                    group: Some("x25519".to_owned()),
                },
                Event::Encrypted { from: Side::Server },
                Event::Alert {
                    from: Side::Client,
                    fatal: true,
                    description: "unknown_ca".to_owned(),
                },
                Event::Closed { by: Side::Client },
            ],
            transcript(&[
                client(startup("user|app|database|db||")),
                server(authentication(5)),
                client(message(b'p', b"md5hunter2\0")),
                server(error(
                    "SFATAL|C28P01|Mpassword authentication failed\n\u{1b}[2J||",
                )),
            ])
            .connections
            .remove(0),
            vec![],
        ],
    };
    insta::assert_snapshot!(fallback, @r"
    connection 1
      client asked for GSSAPI encryption (GSSENCRequest)
      server said no (N)
      client asked for TLS (SSLRequest)
      server said yes (S)
      client offered TLSv1.3, TLSv1.2 (ClientHello), 2 cipher suites, groups X25519MLKEM768, x25519, SNI db.example, ALPN postgresql
      server asked for another ClientHello (HelloRetryRequest), group x25519
      server chose TLSv1.3 (ServerHello), TLS_AES_256_GCM_SHA384, group x25519
      server sent an encrypted record
      client sent alert unknown_ca (fatal) in clear
      client closed the connection
    connection 2
      client started a plaintext session (StartupMessage 3.0) user=app database=db
      server asked for authentication in plaintext (md5-password: an MD5 hash, open to guessing)
      client sent a password message in plaintext
      server refused in plaintext: FATAL: 28P01: password authentication failed\n\u{1b}[2J
    connection 3
    ");
}

#[test]
fn other_events_read_as_sentences() {
    let others = Transcript {
        connections: vec![vec![
            Event::CancelRequest,
            Event::Answer { byte: 'G' },
            Event::ClientHello {
                versions: strings(&["TLSv1"]),
                ciphers: vec![],
                groups: vec![],
                sni: None,
                alpn: vec![],
            },
            Event::NegotiateProtocolVersion {
                newest: "3.0".to_owned(),
                unknown: strings(&["_pq_.magic"]),
            },
            Event::Authentication {
                kind: "ok".to_owned(),
            },
            Event::Ready,
            Event::Garbled {
                from: Side::Server,
                expected: "a TLS record".to_owned(),
            },
            Event::Unreachable {
                why: "connection refused".to_owned(),
            },
        ]],
    };
    insta::assert_snapshot!(others, @r"
    connection 1
      client asked to cancel a query (CancelRequest)
      server said yes (G)
      client offered TLSv1 (ClientHello), 0 cipher suites, groups none, no SNI, no ALPN
      server speaks protocol 3.0 at most, and does not know _pq_.magic
      server let the client in, in plaintext
      server was ready for queries, in plaintext
      server sent garbled bytes where a TLS record was due
      tap could not reach the server: connection refused
    ");
    insta::assert_snapshot!(Transcript::default(), @"no connection was made");
}
