//! TLS as far as it can be read from outside: the record layer and the
//! messages in clear (RFC 8446, 5; RFC 5246, 6.2).

use tls_parser::{TlsMessage, TlsRecordType, TlsVersion, parse_tls_message_alert};

use super::{
    certificate, hello, names,
    transcript::{Event, Side},
    unit::{Garbled, Parsed, Unit},
};

/// The most that a record may carry: RFC 5246, 6.2.3; TLS 1.3 allows less.
const LONGEST_RECORD: usize = (1 << 14) + 2048;

/// No hello comes near, nor a chain of RDS's; other messages are passed over at
/// any length.
const LONGEST_KEPT: usize = 1 << 16;

const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// What one record brought.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct Record {
    /// Events in clear, in order.
    pub events: Vec<Event>,
    /// The version that a `ServerHello` in it settled.
    pub settled: Option<TlsVersion>,
    /// Whether this side is encrypted: no more can be read of it.
    pub encrypted: bool,
}

/// The records of one side of a connection.
#[derive(Debug)]
pub struct Records {
    side: Side,
    changed_cipher: bool,
    message: Vec<u8>,
    passing_over: usize,
}

impl Records {
    /// Nothing read yet.
    #[must_use]
    pub const fn new(side: Side) -> Self {
        Self {
            side,
            changed_cipher: false,
            message: Vec::new(),
            passing_over: 0,
        }
    }

    /// Reads one record off the front of what is unread. `settled` is the
    /// version that the server chose, once it has.
    ///
    /// # Errors
    /// When the bytes are no record of TLS, or no message in one.
    pub fn read(&mut self, unread: &[u8], settled: Option<TlsVersion>) -> Parsed<Record> {
        const GARBLED: Garbled = Garbled("a TLS record");

        // Tell nonsense from the first byte on: the rest may never come.
        let kind = match unread.first() {
            None => return Ok(None),
            Some(kind @ 20..=23) => TlsRecordType(*kind),
            Some(_) => return Err(GARBLED),
        };
        let Some((&[_, major, _, high, low], rest)) = unread.split_first_chunk() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if major != 3 || length > LONGEST_RECORD {
            return Err(GARBLED);
        }
        if kind == TlsRecordType::ApplicationData || self.is_encrypted(settled) {
            let record = Record {
                events: vec![Event::Encrypted { from: self.side }],
                encrypted: true,
                ..Record::default()
            };
            return Ok(Some(Unit::whole(record, RECORD_HEADER)));
        }
        let Some(content) = rest.get(..length) else {
            return Ok(None);
        };
        let mut record = Record::default();
        match kind {
            TlsRecordType::ChangeCipherSpec => self.changed_cipher = true,
            TlsRecordType::Alert => self.alerts(content, &mut record)?,
            _ => self.messages(content, &mut record)?,
        }
        Ok(Some(Unit::whole(record, RECORD_HEADER + length)))
    }

    /// Lets go of what was kept, when nothing more is to be read.
    pub fn forget(&mut self) {
        self.message = Vec::new();
    }

    /// Bytes of a message that is not whole.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.message.len()
    }

    /// Up to 1.2, whatever follows a `ChangeCipherSpec` is encrypted. Under
    /// 1.3 it means nothing (RFC 8446, D.4), and a client may send it before
    /// it knows the version.
    fn is_encrypted(&self, settled: Option<TlsVersion>) -> bool {
        self.changed_cipher && settled.is_some_and(|version| version.0 < TlsVersion::Tls13.0)
    }

    fn alerts(&self, mut content: &[u8], record: &mut Record) -> Result<(), Garbled> {
        const FATAL: u8 = 2;
        while !content.is_empty() {
            let Ok((rest, TlsMessage::Alert(alert))) = parse_tls_message_alert(content) else {
                return Err(Garbled("a TLS alert"));
            };
            content = rest;
            record.events.push(Event::Alert {
                from: self.side,
                fatal: alert.severity.0 == FATAL,
                description: names::alert(alert.code.0),
            });
        }
        Ok(())
    }

    /// Puts messages together again, which records may split and join as they
    /// like. Only those that are read are kept until they are whole.
    fn messages(&mut self, mut content: &[u8], record: &mut Record) -> Result<(), Garbled> {
        while !content.is_empty() {
            let passed_over = self.passing_over.min(content.len());
            self.passing_over -= passed_over;
            content = &content[passed_over..];

            self.fill(MESSAGE_HEADER, &mut content);
            let Some(&[kind, l0, l1, l2]) = self.message.first_chunk() else {
                return Ok(());
            };
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            let hello = matches!(kind, CLIENT_HELLO | SERVER_HELLO);
            let certificate = self.side == Side::Server && kind == CERTIFICATE;
            match (hello, certificate, length <= LONGEST_KEPT) {
                (true, _, false) => return Err(self.garbled_hello()),
                (true, _, true) | (_, true, true) => {}
                _ => {
                    self.message.clear();
                    self.passing_over = length;
                    continue;
                }
            }
            self.fill(MESSAGE_HEADER + length, &mut content);
            if self.message.len() < MESSAGE_HEADER + length {
                return Ok(());
            }
            if hello {
                self.hello(kind, record)?;
            } else {
                let leaf = certificate::leaf(&self.message[MESSAGE_HEADER..]);
                record.events.extend(leaf);
            }
            self.message.clear();
        }
        Ok(())
    }

    /// Moves content into the message until that has so many bytes.
    fn fill(&mut self, length: usize, content: &mut &[u8]) {
        let missing = length.saturating_sub(self.message.len());
        let (taken, rest) = content.split_at(missing.min(content.len()));
        self.message.extend_from_slice(taken);
        *content = rest;
    }

    fn hello(&self, kind: u8, record: &mut Record) -> Result<(), Garbled> {
        let body = &self.message[MESSAGE_HEADER..];
        let event = match (self.side, kind) {
            (Side::Client, CLIENT_HELLO) => hello::client_hello(body),
            (Side::Server, SERVER_HELLO) => hello::server_hello(body).map(|(event, version)| {
                record.settled = Some(version);
                event
            }),
            _ => None,
        };
        record.events.push(event.ok_or(self.garbled_hello())?);
        Ok(())
    }

    const fn garbled_hello(&self) -> Garbled {
        match self.side {
            Side::Client => Garbled("ClientHello"),
            Side::Server => Garbled("ServerHello"),
        }
    }
}
