//! Tests of the parts together.

mod any_bytes;
mod handshakes;
mod plaintext;
mod relaying;
mod rendering;
mod standing;
mod summing;

use super::{Event, Negotiation, Side, Transcript};

/// What each side sends in turn.
type Script = Vec<(Side, Vec<u8>)>;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F];
const GSSENC_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x30];

/// A transcript of one connection on which the script was played.
fn transcript(script: &[(Side, Vec<u8>)]) -> Transcript {
    let mut negotiation = Negotiation::default();
    for (from, bytes) in script {
        negotiation.read(*from, bytes);
    }
    Transcript {
        connections: vec![negotiation.events().to_vec()],
    }
}

fn client(bytes: impl Into<Vec<u8>>) -> (Side, Vec<u8>) {
    (Side::Client, bytes.into())
}

fn server(bytes: impl Into<Vec<u8>>) -> (Side, Vec<u8>) {
    (Side::Server, bytes.into())
}

/// A packet without a tag: its length, a code, and what follows.
fn packet(code: u32, rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + rest.len()).expect("short");
    [&length.to_be_bytes(), &code.to_be_bytes(), rest].concat()
}

fn startup(parameters: &str) -> Vec<u8> {
    packet(0x0003_0000, parameters.replace('|', "\0").as_bytes())
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(4 + body.len()).expect("short");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

fn authentication(kind: u32) -> Vec<u8> {
    message(b'R', &kind.to_be_bytes())
}

fn error(fields: &str) -> Vec<u8> {
    message(b'E', fields.replace('|', "\0").as_bytes())
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a record");
    [&[kind, 3, 3], &length.to_be_bytes()[..], content].concat()
}
