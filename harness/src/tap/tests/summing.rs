//! Negotiations in one sentence, from the bytes on.

use std::time::{Duration, SystemTime};

use super::*;
use crate::{
    report::{Live, Telling},
    tap::{ConnectionEvent, Summary, What},
};

const NO_ENTRY: &str = "SFATAL|VFATAL|C28000|Mno pg_hba.conf entry for host \"10.0.0.7\", \
    user \"app\", database \"db\", no encryption||";

/// What a client that has no TLS begins with.
fn plain() -> (Side, Vec<u8>) {
    client(startup("user|app|database|db||"))
}

fn said_no() -> Script {
    vec![client(SSL_REQUEST), server(*b"N")]
}

fn hello(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    record(22, &[&[kind], &length[1..], body].concat())
}

fn client_hello() -> (Side, Vec<u8>) {
    let suites = [0, 2, 0x13, 0x02, 1, 0];
    client(hello(1, &[&[3, 3][..], &[7; 32], &[0], &suites].concat()))
}

fn server_hello(suite: [u8; 2], extensions: &[u8]) -> (Side, Vec<u8>) {
    let length = u16::try_from(extensions.len()).expect("short");
    let parts = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &suite,
        &[0],
        &length.to_be_bytes(),
        extensions,
    ];
    server(hello(2, &parts.concat()))
}

/// Up to the server's choice of TLS 1.3.
fn chosen_1_3() -> Script {
    vec![
        client(SSL_REQUEST),
        server(*b"S"),
        client_hello(),
        server_hello([0x13, 0x02], &[0, 43, 0, 2, 3, 4]),
    ]
}

/// Up to the client's Finished, which is the size of a real one.
fn shaken_1_3() -> Script {
    let mut script = chosen_1_3();
    script.extend([
        server(record(23, &[0; 1_200])),
        client(record(20, &[1])),
        client(record(23, &[0; 69])),
    ]);
    script
}

fn alert(code: u8) -> Vec<u8> {
    record(21, &[2, code])
}

fn with(mut script: Script, more: impl IntoIterator<Item = (Side, Vec<u8>)>) -> Script {
    script.extend(more);
    script
}

fn says(script: &Script) -> String {
    summed_up(script, None)
}

fn says_when_closed(script: &Script, by: Side) -> String {
    summed_up(script, Some(by))
}

fn summed_up(script: &Script, closed: Option<Side>) -> String {
    let mut negotiation = Negotiation::default();
    for (from, bytes) in script {
        negotiation.read(*from, bytes);
    }
    if let Some(by) = closed {
        negotiation.closed(by);
    }
    let in_use = negotiation.is_in_use();
    let Summary { outcome, says } = Summary::of(negotiation.events(), in_use);
    format!("{outcome}: {says}")
}

#[test]
fn plaintext_is_told_with_what_it_shows_of_the_password() {
    let password = |kind| {
        [
            plain(),
            server(authentication(kind)),
            client(message(b'p', b"hunter2\0")),
            server(authentication(0)),
            server(message(b'Z', b"I")),
        ]
    };
    insta::assert_snapshot!(says(&with(said_no(), password(3))), @r"plaintext: client asked for TLS, server said no, client went on in plaintext and sent a password message (password in clear), server let it in (plaintext)");
    insta::assert_snapshot!(says(&password(5).to_vec()), @r"plaintext: client did not ask for TLS and sent a password message (an MD5 hash, open to guessing), server let it in (plaintext)");
    insta::assert_snapshot!(says(&password(10).to_vec()), @r"plaintext: client did not ask for TLS and sent a password message (no password in it, if that is SCRAM), server let it in (plaintext)");
    let trusted = [
        plain(),
        server(authentication(0)),
        server(message(b'Z', b"I")),
    ];
    insta::assert_snapshot!(says(&trusted.to_vec()), @r"plaintext: client did not ask for TLS, server let it in without a password (plaintext)");
    // Before the server has answered.
    let waiting = with(said_no(), password(3)[..3].to_vec());
    insta::assert_snapshot!(says(&waiting), @r"unfinished: client asked for TLS, server said no, client went on in plaintext and sent a password message (password in clear), no end of the negotiation was seen");
}

#[test]
fn a_refusal_in_plaintext_is_told_with_its_words() {
    insta::assert_snapshot!(says(&vec![plain(), server(error(NO_ENTRY))]), @r#"refused in plaintext: client did not ask for TLS, plaintext refused by the server: 28000 no pg_hba.conf entry for host "10.0.0.7", user "app", database "db", no encryption"#);
    let wrong = error("SFATAL|VFATAL|C28P01|Mpassword authentication failed\n||");
    let login = vec![
        plain(),
        server(authentication(3)),
        client(message(b'p', b"hunter2\0")),
        server(wrong),
    ];
    insta::assert_snapshot!(says(&login), @r"refused in plaintext: client did not ask for TLS and sent a password message (password in clear), refused by the server: 28P01 password authentication failed\n");
    let full = error("SFATAL|VFATAL|C53300|Mtoo many clients||");
    insta::assert_snapshot!(says(&vec![client(SSL_REQUEST), server(full)]), @r"refused in plaintext: client asked for TLS, refused by the server: 53300 too many clients");
}

#[test]
fn encryption_is_told_once_the_client_goes_on() {
    let login = [server(record(23, &[0; 60])), client(record(23, &[0; 120]))];
    insta::assert_snapshot!(says(&with(shaken_1_3(), login)), @r"encrypted: client asked for TLS, server said yes, TLSv1.3 TLS_AES_256_GCM_SHA384, certificate not seen (encrypted)");
    let direct = with(shaken_1_3(), [client(record(23, &[0; 120]))]).split_off(2);
    insta::assert_snapshot!(says(&direct), @r"encrypted: client opened TLS without asking, TLSv1.3 TLS_AES_256_GCM_SHA384, certificate not seen (encrypted)");
    let gssapi = vec![client(GSSENC_REQUEST), server(*b"G")];
    insta::assert_snapshot!(says(&gssapi), @r"encrypted by GSSAPI: client asked for GSSAPI encryption, server said yes (encrypted)");
}

#[test]
fn a_client_that_turns_a_certificate_down_is_no_session() {
    let unknown_ca = with(chosen_1_3(), [client(alert(48))]);
    insta::assert_snapshot!(says(&unknown_ca), @r"TLS handshake failed: client asked for TLS, server said yes, TLSv1.3 TLS_AES_256_GCM_SHA384, TLS handshake ended by the client's alert unknown_ca: it doesn't trust the server's certificate");
    // libpq under TLS 1.3 when the name is wrong: Finished, close_notify, gone.
    let wrong_name = with(shaken_1_3(), [client(record(23, &[0; 19]))]);
    insta::assert_snapshot!(says_when_closed(&wrong_name, Side::Client), @r"TLS handshake failed: client asked for TLS, server said yes, TLSv1.3 TLS_AES_256_GCM_SHA384, client went away right behind the TLS handshake, without a login: it may not accept the server's certificate");
    insta::assert_snapshot!(says_when_closed(&chosen_1_3(), Side::Client), @r"TLS handshake failed: client asked for TLS, server said yes, TLSv1.3 TLS_AES_256_GCM_SHA384, client went away in the middle of the TLS handshake: it may not accept the server's certificate");
    insta::assert_snapshot!(says_when_closed(&shaken_1_3(), Side::Server), @r"TLS handshake failed: client asked for TLS, server said yes, TLSv1.3 TLS_AES_256_GCM_SHA384, server went away right behind the TLS handshake, without a login: one side may not accept the other's certificate, and says so under encryption alone");
}

#[test]
fn a_server_that_turns_a_handshake_down_is_told_with_why() {
    let asked = [client(SSL_REQUEST), server(*b"S"), client_hello()].to_vec();
    let refused = |code| with(asked.clone(), [server(alert(code))]);
    insta::assert_snapshot!(says(&refused(70)), @r"TLS handshake failed: client asked for TLS, server said yes, TLS handshake ended by the server's alert protocol_version: it speaks no version of TLS that the client offered");
    insta::assert_snapshot!(says(&refused(40)), @r"TLS handshake failed: client asked for TLS, server said yes, TLS handshake ended by the server's alert handshake_failure: it has no cipher suite or group in common with the client");
    insta::assert_snapshot!(says(&refused(120)), @r"TLS handshake failed: client asked for TLS, server said yes, TLS handshake ended by the server's alert no_application_protocol: it doesn't speak the protocol that the client asked for (ALPN)");
    // Without a meaning of our own.
    insta::assert_snapshot!(says(&refused(200)), @r"TLS handshake failed: client asked for TLS, server said yes, TLS handshake ended by the server's alert 200");
    insta::assert_snapshot!(says_when_closed(&asked, Side::Server), @r"TLS handshake failed: client asked for TLS, server said yes, server went away in the middle of the TLS handshake; its log may tell why");
}

#[test]
fn what_is_broken_off_is_told_by_how_far_it_had_come() {
    let asked = vec![client(SSL_REQUEST)];
    let said_yes = with(asked.clone(), [server(*b"S")]);
    insta::assert_snapshot!(says_when_closed(&vec![], Side::Client), @r"nothing said: client went away without a word");
    insta::assert_snapshot!(says_when_closed(&asked, Side::Client), @r"given up before a handshake or a login: client asked for TLS, client went away before the server's answer");
    insta::assert_snapshot!(says_when_closed(&asked, Side::Server), @r"given up before a handshake or a login: client asked for TLS, server went away without a word; its log may tell why, and whether it speaks PostgreSQL's protocol");
    insta::assert_snapshot!(says_when_closed(&said_no(), Side::Client), @r"given up before a handshake or a login: client asked for TLS, server said no, client went away: it may insist on encryption");
    insta::assert_snapshot!(says_when_closed(&said_yes, Side::Client), @r"given up before a handshake or a login: client asked for TLS, server said yes, client went away before the TLS handshake: its trust anchors or its TLS library may be missing");
    let asks = vec![plain(), server(authentication(10))];
    insta::assert_snapshot!(says_when_closed(&asks, Side::Client), @r"given up before a handshake or a login: client did not ask for TLS, client went away in the middle of the login");
    insta::assert_snapshot!(says(&said_no()), @r"unfinished: client asked for TLS, server said no, no end of the negotiation was seen");
}

#[test]
fn what_is_no_login_is_told_as_what_it_is() {
    let cancel = vec![client(packet(80_877_102, &[1; 8]))];
    insta::assert_snapshot!(says_when_closed(&cancel, Side::Client), @r"cancel request: client asked to cancel a query, in plaintext");
    insta::assert_snapshot!(says(&vec![client(*b"GET / HTTP/1.1\r\n")]), @r"neither TLS nor PostgreSQL: client sent what is neither TLS nor PostgreSQL, where StartupMessage or a request for encryption was due");
    let mut negotiation = Negotiation::default();
    negotiation.unreachable(&std::io::Error::other("connection refused"));
    insta::assert_snapshot!(Summary::of(negotiation.events(), false).says, @r"tap could not reach the server: connection refused");
}

/// A connection as a listener hears it, a millisecond between two events.
fn connection_events(connection: u64, script: &Script) -> Vec<ConnectionEvent> {
    let mut negotiation = Negotiation::default();
    for (from, bytes) in script {
        negotiation.read(*from, bytes);
    }
    let opened = What::Opened {
        client: "10.0.0.7:4242".parse().expect("an address"),
    };
    let events = negotiation.take_events().into_iter().map(What::Event);
    let start = SystemTime::UNIX_EPOCH + Duration::from_hours(500_000);
    (0..)
        .zip([opened].into_iter().chain(events))
        .map(|(nth, what)| {
            let at = Duration::from_millis(nth);
            ConnectionEvent {
                connection,
                time: start + at,
                at,
                what,
            }
        })
        .collect()
}

fn told(telling: Telling) -> String {
    let upstream = "db.example:5432";
    let mut out = Vec::new();
    let mut live = Live::new(&mut out, telling);
    let here = "127.0.0.1:6432".parse().expect("an address");
    live.listening(here, upstream).expect("written");
    let in_clear = [
        plain(),
        server(authentication(3)),
        client(message(b'p', b"hunter2\0")),
        server(authentication(0)),
        server(message(b'Z', b"I")),
    ];
    let mut seen = connection_events(1, &with(said_no(), in_clear));
    let end = ConnectionEvent {
        what: What::Ended,
        ..seen[0].clone()
    };
    seen.push(end);
    seen.extend(connection_events(2, &said_no()));
    for connection_event in &seen {
        live.connection_event(connection_event).expect("written");
    }
    live.finish().expect("written");
    String::from_utf8(out).expect("text")
}

#[test]
fn people_read_lines() {
    insta::assert_snapshot!(told(Telling::Words), @r"
    listening on 127.0.0.1:6432, relaying to db.example:5432, until Ctrl-C
    connection 1      0.0 ms  10.0.0.7:4242 connected
    connection 1      1.0 ms  client asked for TLS (SSLRequest)
    connection 1      2.0 ms  server said no (N)
    connection 1      3.0 ms  client started a plaintext session (StartupMessage 3.0) user=app database=db
    connection 1      4.0 ms  server asked for authentication in plaintext (cleartext-password: password in clear)
    connection 1      5.0 ms  client sent a password message in plaintext
    connection 1      6.0 ms  server let the client in, in plaintext
    connection 1      7.0 ms  server was ready for queries, in plaintext
    connection 1: client asked for TLS, server said no, client went on in plaintext and sent a password message (password in clear), server let it in (plaintext)
    connection 1      0.0 ms  ended
    connection 2      0.0 ms  10.0.0.7:4242 connected
    connection 2      1.0 ms  client asked for TLS (SSLRequest)
    connection 2      2.0 ms  server said no (N)
    connection 2: client asked for TLS, server said no, no end of the negotiation was seen
    2 connections: 1 plaintext, 1 unfinished
    ");
}

#[test]
fn programs_read_json_lines() {
    let told = told(Telling::JsonLines);
    // ConnectionEvents have a time of 2027; what is none has the clock's.
    let now = regex::Regex::new(
        r#"\{("connection":\d+,)?"time":"[^"]*","event":"(listening|summary|finished)""#,
    );
    let now = now.expect("a pattern");
    let told = now.replace_all(&told, r#"{$1"time":"…","event":"$2""#);
    insta::assert_snapshot!(told, @r#"
    {"time":"…","event":"listening","address":"127.0.0.1:6432","upstream":"db.example:5432"}
    {"connection":1,"time":"2027-01-15T08:00:00.000Z","milliseconds":0.0,"event":"opened","client":"10.0.0.7:4242"}
    {"connection":1,"time":"2027-01-15T08:00:00.001Z","milliseconds":1.0,"event":"ssl-request"}
    {"connection":1,"time":"2027-01-15T08:00:00.002Z","milliseconds":2.0,"event":"answer","byte":"N"}
    {"connection":1,"time":"2027-01-15T08:00:00.003Z","milliseconds":3.0,"event":"startup","protocol":"3.0","parameters":[["user","app"],["database","db"]]}
    {"connection":1,"time":"2027-01-15T08:00:00.004Z","milliseconds":4.0,"event":"authentication","kind":"cleartext-password"}
    {"connection":1,"time":"2027-01-15T08:00:00.005Z","milliseconds":5.0,"event":"password"}
    {"connection":1,"time":"2027-01-15T08:00:00.006Z","milliseconds":6.0,"event":"authentication","kind":"ok"}
    {"connection":1,"time":"2027-01-15T08:00:00.007Z","milliseconds":7.0,"event":"ready"}
    {"connection":1,"time":"2027-01-15T08:00:00.007Z","milliseconds":7.0,"event":"summary","outcome":"plaintext","says":"client asked for TLS, server said no, client went on in plaintext and sent a password message (password in clear), server let it in (plaintext)"}
    {"connection":1,"time":"2027-01-15T08:00:00.000Z","milliseconds":0.0,"event":"ended"}
    {"connection":2,"time":"2027-01-15T08:00:00.000Z","milliseconds":0.0,"event":"opened","client":"10.0.0.7:4242"}
    {"connection":2,"time":"2027-01-15T08:00:00.001Z","milliseconds":1.0,"event":"ssl-request"}
    {"connection":2,"time":"2027-01-15T08:00:00.002Z","milliseconds":2.0,"event":"answer","byte":"N"}
    {"connection":2,"time":"…","event":"summary","outcome":"unfinished","says":"client asked for TLS, server said no, no end of the negotiation was seen"}
    {"time":"…","event":"finished","connections":2,"outcomes":{"plaintext":1,"unfinished":1}}
    "#);
}
