//! Whatever comes, in whatever pieces: no panic, no growth, the same events.

use std::cell::RefCell;

use proptest::{collection::vec, prelude::*};
use tokio::sync::mpsc;

use super::*;
use crate::tap::{ConnectionEvent, Summarizer, What, live::EventSender};

/// A hello may wait for its end in one place, a record in another; each side
/// has both.
const MOST_HELD: usize = 2 * ((1 << 16) + (1 << 14) + 2048 + 16);

/// Bytes that lead somewhere, often enough.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..64),
        Just(SSL_REQUEST.to_vec()),
        Just(GSSENC_REQUEST.to_vec()),
        "[SNGE]{1,2}".prop_map(String::into_bytes),
        Just(startup("user|app|database|db||")),
        Just(error("SFATAL|VFATAL|C28000|Mno||")),
        (0..14_u32).prop_map(authentication),
        (any::<u8>(), vec(any::<u8>(), 0..32)).prop_map(|(tag, body)| message(tag, &body)),
        (19..26_u8, vec(any::<u8>(), 0..300)).prop_map(|(kind, body)| record(kind, &body)),
        (vec(any::<u8>(), 0..80), 1..100_usize).prop_map(|(body, cut)| hello(1, &body, cut)),
        (vec(any::<u8>(), 0..80), 1..100_usize).prop_map(|(body, cut)| hello(2, &body, cut)),
    ]
}

/// A hello with random extensions, cut into records of a length.
fn hello(kind: u8, extensions: &[u8], cut: usize) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend(match kind {
        1 => &[0, 0, 4, 0x13, 0x01, 0x0A, 0x0A, 1, 0][..],
        _ => &[0, 0x13, 0x01, 0][..],
    });
    body.extend(
        u16::try_from(extensions.len())
            .expect("short")
            .to_be_bytes(),
    );
    body.extend(extensions);
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    let message = [&[kind], &length[1..], &body].concat();
    message
        .chunks(cut)
        .flat_map(|piece| record(22, piece))
        .collect()
}

fn script() -> impl Strategy<Value = Script> {
    let side = prop_oneof![Just(Side::Client), Just(Side::Server)];
    vec((side, bytes()), 0..24)
}

/// A script whose opening gets as far as TLS.
fn tls_script() -> impl Strategy<Value = Script> {
    script().prop_map(|mut script| {
        script.splice(
            0..0,
            [client(SSL_REQUEST), server(*b"S"), client(hello(1, &[], 9))],
        );
        script
    })
}

fn events(script: &[(Side, Vec<u8>)], cut: usize) -> Vec<Event> {
    negotiation(script, cut).take_events()
}

fn negotiation(script: &[(Side, Vec<u8>)], cut: usize) -> Negotiation {
    let mut negotiation = Negotiation::default();
    for (from, bytes) in script {
        for piece in bytes.chunks(cut) {
            negotiation.read(*from, piece);
            assert!(negotiation.held() <= MOST_HELD);
        }
    }
    negotiation
}

/// Both sides talk at once to a listener that is slower than they are: the
/// pieces in the order in which they were noted, and what was heard.
async fn live(script: &[(Side, Vec<u8>)], cut: usize) -> (Script, Vec<ConnectionEvent>) {
    let (listener, mut heard) = mpsc::channel(1);
    let noted = RefCell::new(Script::new());
    let talk = async {
        let client = "127.0.0.1:5432".parse().expect("an address");
        let sender = EventSender::open(1, client, listener).await;
        let side = async |side| {
            let bytes = (script.iter())
                .filter(|(from, _)| *from == side)
                .flat_map(|(_, bytes)| bytes.clone());
            for piece in bytes.collect::<Vec<u8>>().chunks(cut) {
                let note = sender.note(|negotiation| {
                    noted.borrow_mut().push((side, piece.to_vec()));
                    negotiation.read(side, piece);
                });
                note.await;
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(side(Side::Client), side(Side::Server));
        sender.end().await;
    };
    let listen = async {
        let mut connection_events = Vec::new();
        while let Some(connection_event) = heard.recv().await {
            connection_events.push(connection_event);
        }
        connection_events
    };
    let ((), connection_events) = tokio::join!(talk, listen);
    (noted.into_inner(), connection_events)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_make_no_difference(
        script in prop_oneof![script(), tls_script()],
        cut in 2..40_usize,
    ) {
        let whole = events(&script, usize::MAX);
        prop_assert_eq!(&events(&script, 1), &whole);
        prop_assert_eq!(&events(&script, cut), &whole);
    }

    #[test]
    fn pieces_make_no_difference_to_use(script in tls_script(), cut in 1..40_usize) {
        let whole = negotiation(&script, usize::MAX).is_in_use();
        prop_assert_eq!(negotiation(&script, cut).is_in_use(), whole);
    }

    #[test]
    fn what_is_told_live_is_the_transcript(
        script in prop_oneof![script(), tls_script()],
        // A long piece has many events, which must be told in a row.
        cut in 1..400_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (noted, connection_events) = runtime.block_on(live(&script, cut));
        let opened = matches!(connection_events[0].what, What::Opened { .. });
        prop_assert!(opened && connection_events[connection_events.len() - 1].what == What::Ended);
        let in_use = connection_events.iter().filter(|seen| seen.what == What::InUse).count();
        prop_assert_eq!(in_use == 1, negotiation(&noted, usize::MAX).is_in_use());
        let mut told = Transcript::default();
        for connection_event in connection_events {
            told.add(connection_event);
        }
        prop_assert_eq!(told.connections, vec![events(&noted, usize::MAX)]);
    }

    #[test]
    fn every_connection_has_one_summary_on_one_line(
        script in prop_oneof![script(), tls_script()],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (_, connection_events) = runtime.block_on(live(&script, usize::MAX));
        let mut summarizer = Summarizer::default();
        let summaries: Vec<_> = connection_events.iter().filter_map(|seen| summarizer.add(seen)).collect();
        prop_assert_eq!(summaries.len(), 1);
        prop_assert!(!summaries[0].says.contains(char::is_control));
        prop_assert_eq!(summarizer.finish(), vec![]);
    }

    #[test]
    fn every_transcript_is_a_wire_that_can_be_written(script in prop_oneof![script(), tls_script()]) {
        let wire = transcript(&script).wire();
        prop_assert_eq!(wire.to_string().parse(), Ok(wire));
    }
}

#[test]
fn a_long_message_is_passed_over_and_not_held() {
    const CERTIFICATE: u8 = 11;
    let mut negotiation = Negotiation::default();
    negotiation.read(Side::Client, &hello(1, &[], 999));
    negotiation.read(Side::Server, &record(22, &[CERTIFICATE, 0xFF, 0xFF, 0xFF]));
    for _ in 0..1023 {
        negotiation.read(Side::Server, &record(22, &[0; 1 << 14]));
        assert_eq!(negotiation.held(), 0);
    }
    // In sync again: 2^24 - 1 bytes of it, and an alert.
    negotiation.read(Side::Server, &record(22, &[0; (1 << 14) - 1]));
    negotiation.read(Side::Server, &record(21, &[2, 70]));
    assert_eq!(
        negotiation.events().last(),
        Some(&Event::Alert {
            from: Side::Server,
            fatal: true,
            description: "protocol_version".to_owned(),
        })
    );
}

#[test]
fn a_hello_that_claims_too_much_is_garbled() {
    let mut negotiation = Negotiation::default();
    negotiation.read(Side::Client, &record(22, &[1, 1, 0, 1]));
    assert_eq!(
        negotiation.events(),
        [Event::Garbled {
            from: Side::Client,
            expected: "ClientHello".to_owned(),
        }]
    );
    assert_eq!(negotiation.held(), 0);
}

#[test]
fn events_without_end_are_cut() {
    let mut negotiation = Negotiation::default();
    negotiation.read(Side::Client, &SSL_REQUEST.repeat(1_000));
    negotiation.read(Side::Server, &b"N".repeat(1_000));
    assert_eq!(negotiation.events().len(), 65);
    assert_eq!(
        negotiation.events().last(),
        Some(&Event::Garbled {
            from: Side::Client,
            expected: "an end of the negotiation".to_owned(),
        })
    );
}
