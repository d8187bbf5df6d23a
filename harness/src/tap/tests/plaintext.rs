//! Negotiations that stay, or end, in plaintext.

use rstest::rstest;

use super::*;

const REFUSED: &str = "SFATAL|VFATAL|C28000|Mno pg_hba.conf entry|Fauth.c||";

#[rstest]
#[case::refused(
    vec![client(startup("user|app||")), server(error(REFUSED))],
    "startup error:28000"
)]
#[case::not_offered(
    vec![client(SSL_REQUEST), server(*b"N"), client(startup("user|app||"))],
    "sslrequest N startup"
)]
#[case::both_asked(
    vec![client(GSSENC_REQUEST), server(*b"N"), client(SSL_REQUEST), server(*b"N")],
    "gssencrequest N sslrequest N"
)]
#[case::gssapi(
    vec![client(GSSENC_REQUEST), server(*b"G"), client(*b"token"), server(*b"token")],
    "gssencrequest G"
)]
#[case::error_for_an_answer(
    vec![client(SSL_REQUEST), server(error("SFATAL|C53300|Mtoo many||"))],
    "sslrequest error:53300"
)]
#[case::cancellation(vec![client(packet(80_877_102, &[1; 8])), client(*b"more")], "cancel")]
#[case::long_cancellation(vec![client(packet(80_877_102, &[1; 260]))], "cancel")]
#[case::bytes_stuffed_in_behind_the_answer(
    vec![client(SSL_REQUEST), server(b"SE\0\0\0\x08".to_vec())],
    "sslrequest S garbled"
)]
#[case::bytes_stuffed_in_before_the_hello(
    vec![client(SSL_REQUEST), server(*b"S"), server([21, 3, 3, 0, 2, 2, 40])],
    "sslrequest S garbled"
)]
#[case::alert_for_the_start_of_a_hello(
    vec![client(SSL_REQUEST), server(*b"S"), client([22]), server([21, 3, 3, 0, 2, 2, 40])],
    "sslrequest S alert:handshake_failure"
)]
#[case::plaintext_in_spite_of_the_answer(
    vec![client(SSL_REQUEST), server(*b"S"), client(startup("user|app||"))],
    "sslrequest S startup"
)]
#[case::no_answer(vec![client(SSL_REQUEST), server(*b"X")], "sslrequest garbled")]
#[case::http(vec![client(*b"GET / HTTP/1.1\r\n\r\n")], "garbled")]
#[case::too_long_a_startup(vec![client([0, 0, 0x27, 0x11])], "garbled")]
#[case::unknown_request(vec![client(packet(80_877_105, &[]))], "garbled")]
#[case::startup_without_an_end(vec![client(startup("user|app"))], "garbled")]
#[case::too_long_a_message(
    vec![client(startup("user|app||")), server([b'R', 0, 1, 0, 1])],
    "startup garbled"
)]
#[case::no_sqlstate(
    vec![client(startup("user|app||")), server(error("SFATAL|Coops!|Mno||"))],
    "startup garbled"
)]
fn the_wire_is(#[case] script: Script, #[case] wire: &str) {
    assert_eq!(transcript(&script).wire().to_string(), wire);
}

#[test]
fn a_login_is_read_up_to_its_session_without_its_secrets() {
    let script = [
        client(startup("user|app|options|-c a=b|Password|hunter2||")),
        server([authentication(10), message(b'N', b"SNOTICE\0\0")].concat()),
        client(message(b'p', b"SCRAM-SHA-256\0hunter2")),
        server([authentication(12), authentication(0)].concat()),
        server([message(b'K', b"hunter2."), message(b'Z', b"I")].concat()),
        client(message(b'Q', b"SELECT 'hunter2'\0")),
        server(error("SERROR|C42601|Mhunter2||")),
    ];
    let transcript = transcript(&script);
    let authentication = |kind: &str| Event::Authentication {
        kind: kind.to_owned(),
    };
    let parameters = [
        ("user", "app"),
        ("options", "-c a=b"),
        ("Password", "(not kept)"),
    ];
    assert_eq!(
        transcript.connections[0],
        [
            Event::Startup {
                protocol: "3.0".to_owned(),
                parameters: parameters
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
            },
            authentication("sasl"),
            Event::Password,
            authentication("sasl-final"),
            authentication("ok"),
            Event::Ready,
        ]
    );
    let json = serde_json::to_string(&transcript).expect("JSON");
    assert!(!format!("{json}{transcript}").contains("hunter2"));
}

#[test]
fn the_untranslated_severity_goes_first() {
    let script = [server(error("SFATAL?|VFATAL|C28P01|Mno||"))];
    assert_eq!(
        transcript(&script).connections[0],
        [Event::Error {
            severity: "FATAL".to_owned(),
            sqlstate: "28P01".to_owned(),
            message: "no".to_owned(),
        }]
    );
}

#[test]
fn a_server_may_speak_an_older_protocol() {
    let body = [
        &0x0003_0000_u32.to_be_bytes()[..],
        &1_u32.to_be_bytes(),
        b"_pq_.magic\0",
    ];
    let script = [
        client(packet(0x0003_0002, b"user\0app\0\0")),
        server(message(b'v', &body.concat())),
    ];
    assert_eq!(
        transcript(&script).connections[0][1],
        Event::NegotiateProtocolVersion {
            newest: "3.0".to_owned(),
            unknown: vec!["_pq_.magic".to_owned()],
        }
    );
}

#[test]
fn long_values_are_cut() {
    let script = [client(startup(&format!("user|{}||", "é".repeat(4_000))))];
    let Event::Startup { parameters, .. } = &transcript(&script).connections[0][0] else {
        panic!("no startup");
    };
    assert_eq!(parameters[0].1, format!("{}…", "é".repeat(512)));
}

#[test]
fn an_alert_to_a_client_that_has_left_is_nothing_to_anyone() {
    let mut negotiation = Negotiation::default();
    negotiation.read(Side::Client, &SSL_REQUEST);
    negotiation.read(Side::Server, b"S");
    negotiation.closed(Side::Client);
    negotiation.read(Side::Server, &record(21, &[2, 50]));
    let events = negotiation.events().to_vec();
    assert_eq!(events[2..], [Event::Closed { by: Side::Client }]);
    let transcript = Transcript {
        connections: vec![events],
    };
    assert_eq!(transcript.wire().to_string(), "sslrequest S");
}
