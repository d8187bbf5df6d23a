//! One connection as it negotiates: the bytes of both sides, in any pieces,
//! become events. No input or output happens here.

use tls_parser::TlsVersion;

use super::{
    pgwire,
    tls::Records,
    transcript::{Event, Side},
    unit::{Garbled, Parsed, Unit},
};

/// The most events of one connection, but for those that end it. A login has
/// about ten.
pub(super) const MOST_EVENTS: usize = 64;

/// More bytes than a client sends after the header of its first encrypted
/// record to finish a handshake, decline to show a certificate, and say
/// farewell (TLS 1.3 with SHA-384: 127); fewer than to log in as well.
const HANDSHAKE_AND_FAREWELL: usize = 160;

/// The first byte of a handshake record, with which a client that does not ask
/// first opens TLS (`sslnegotiation=direct`). Nothing of PostgreSQL's protocol
/// begins with a byte of TLS's range.
const HANDSHAKE: u8 = 22;

/// What one connection has said so far.
#[derive(Debug)]
pub struct Negotiation {
    /// Those that nobody has taken yet.
    events: Vec<Event>,
    /// How many there were.
    count: usize,
    client: Reader,
    server: Reader,
    /// Requests for encryption that the server has not answered yet.
    answers_due: usize,
    /// The version of TLS that the server chose.
    settled: Option<TlsVersion>,
    /// Who ended it first.
    closed: Option<Side>,
}

/// Where one side's stream stands.
#[derive(Debug)]
struct Reader {
    phase: Phase,
    records: Records,
    /// The start of a unit whose end has not come yet.
    unread: Vec<u8>,
    /// Bytes to come that nobody reads.
    skipping: usize,
    /// Whether the rest is encrypted.
    encrypted: bool,
    /// Bytes that came since, and were not read.
    encrypted_bytes: usize,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Requests and their answers; the next byte decides what follows.
    Opening,
    /// Messages of PostgreSQL's protocol in plaintext.
    Plaintext,
    /// Records of TLS.
    Tls,
    /// Nothing more can, or need, be read.
    Done,
}

impl Default for Negotiation {
    fn default() -> Self {
        let reader = |side| Reader {
            phase: Phase::Opening,
            records: Records::new(side),
            unread: Vec::new(),
            skipping: 0,
            encrypted_bytes: 0,
            encrypted: false,
        };
        Self {
            events: Vec::new(),
            count: 0,
            client: reader(Side::Client),
            server: reader(Side::Server),
            answers_due: 0,
            settled: None,
            closed: None,
        }
    }
}

impl Negotiation {
    /// The events that nobody has taken, in the order in which they were seen.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Takes the events since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Whether the client has sent more under TLS than a handshake and a
    /// farewell need. One that turns a certificate down has not, though where
    /// it does so by an encrypted alert, or by hanging up after its Finished,
    /// it is encrypted; one that shows a certificate of its own may have.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        self.settled.is_some() && self.client.encrypted_bytes >= HANDSHAKE_AND_FAREWELL
    }

    /// Takes what one side sent. How the bytes are cut makes no difference;
    /// the order between the sides does.
    pub fn read(&mut self, from: Side, bytes: &[u8]) {
        let reader = self.reader(from);
        if reader.phase == Phase::Done {
            reader.pass(bytes.len());
            return;
        }
        let mut unread = std::mem::take(&mut reader.unread);
        unread.extend_from_slice(bytes);
        let mut rest = unread.as_slice();
        loop {
            let reader = self.reader(from);
            let skipped = reader.skipping.min(rest.len());
            reader.skipping -= skipped;
            rest = &rest[skipped..];
            if rest.is_empty() || reader.phase == Phase::Done {
                reader.pass(rest.len());
                return;
            }
            let unit = match from {
                Side::Client => self.client_unit(rest),
                Side::Server => self.server_unit(rest),
            };
            match unit {
                Ok(Some(unit)) => {
                    self.reader(from).skipping = unit.skipped;
                    rest = &rest[unit.taken..];
                }
                Ok(None) => {
                    self.reader(from).unread = rest.to_vec();
                    return;
                }
                Err(Garbled(expected)) => {
                    self.garbled(from, expected);
                    return;
                }
            }
        }
    }

    /// Notes that a side ended its stream, if it is the first to do so.
    pub fn closed(&mut self, by: Side) {
        if self.closed.is_none() {
            self.closed = Some(by);
            self.note(Event::Closed { by });
        }
    }

    /// Notes that the server could not be reached.
    pub fn unreachable(&mut self, why: &std::io::Error) {
        self.note(Event::Unreachable {
            why: why.to_string(),
        });
    }

    /// Bytes held back until their unit is whole.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        [&self.client, &self.server]
            .map(|reader| reader.unread.len() + reader.records.held())
            .iter()
            .sum()
    }

    /// Reads one unit of the client's stream. As in the server's own reading
    /// (`ProcessSSLStartup`), the first byte tells TLS from a packet.
    fn client_unit(&mut self, unread: &[u8]) -> Parsed<()> {
        match self.client.phase {
            Phase::Opening if unread.first() == Some(&HANDSHAKE) => {
                self.client.phase = Phase::Tls;
                self.record(Side::Client, unread)
            }
            Phase::Opening => {
                let Some(unit) = pgwire::packet(unread)? else {
                    return Ok(None);
                };
                match unit.value {
                    Event::SslRequest | Event::GssEncRequest => self.answers_due += 1,
                    Event::CancelRequest => self.client.phase = Phase::Done,
                    _ => self.client.phase = Phase::Plaintext,
                }
                Ok(Some(self.noted(Side::Client, unit, Some)))
            }
            Phase::Plaintext => {
                let unit = pgwire::client_message(unread)?;
                Ok(unit.map(|unit| self.noted(Side::Client, unit, |event| event)))
            }
            Phase::Tls => self.record(Side::Client, unread),
            Phase::Done => Ok(None),
        }
    }

    fn server_unit(&mut self, unread: &[u8]) -> Parsed<()> {
        match self.server.phase {
            Phase::Opening => self.server_opening(unread),
            Phase::Plaintext => {
                let Some(unit) = pgwire::server_message(unread)? else {
                    return Ok(None);
                };
                let ready = unit.value == Some(Event::Ready);
                let unit = self.noted(Side::Server, unit, |event| event);
                if ready {
                    self.done();
                }
                Ok(Some(unit))
            }
            Phase::Tls if !self.client_has_gone_on() && !self.client_has_left() => {
                Err(Garbled("nothing before ClientHello"))
            }
            Phase::Tls => self.record(Side::Server, unread),
            Phase::Done => Ok(None),
        }
    }

    /// The answers to the client's requests, or whatever comes instead.
    fn server_opening(&mut self, unread: &[u8]) -> Parsed<()> {
        match unread.first() {
            None => Ok(None),
            // An ErrorResponse takes the place of an answer when the server
            // cannot serve the connection at all.
            Some(b'E') => {
                self.server.phase = Phase::Plaintext;
                self.server_unit(unread)
            }
            Some(byte @ (b'S' | b'N' | b'G')) if self.answers_due > 0 => {
                self.answers_due -= 1;
                let byte = char::from(*byte);
                self.push(Side::Server, Event::Answer { byte });
                match byte {
                    'S' => self.server.phase = Phase::Tls,
                    // What follows is GSSAPI's, which nobody reads here.
                    'G' => self.done(),
                    _ => {}
                }
                Ok(Some(Unit::whole((), 1)))
            }
            Some(_) if self.answers_due > 0 => Err(Garbled("S, N, G or ErrorResponse")),
            Some(20..=23) => {
                self.server.phase = Phase::Tls;
                self.server_unit(unread)
            }
            Some(_) => {
                self.server.phase = Phase::Plaintext;
                self.server_unit(unread)
            }
        }
    }

    /// Whether the client has sent anything since the server's `S`. Bytes that
    /// come before it does were put in by someone who does not hold the
    /// server's key, and a client that reads them after the handshake is
    /// deceived (CVE-2021-23222).
    fn client_has_gone_on(&self) -> bool {
        self.client.phase != Phase::Opening || !self.client.unread.is_empty()
    }

    /// Whether the client hung up: there is nobody left to deceive, and a server
    /// may say so by an alert (OpenSSL 3.6: `decode_error`).
    fn client_has_left(&self) -> bool {
        self.closed == Some(Side::Client)
    }

    fn record(&mut self, from: Side, unread: &[u8]) -> Parsed<()> {
        let settled = self.settled;
        let Some(unit) = self.reader(from).records.read(unread, settled)? else {
            return Ok(None);
        };
        self.settled = unit.value.settled.or(settled);
        for event in unit.value.events {
            self.push(from, event);
        }
        if unit.value.encrypted {
            self.reader(from).stop();
            self.reader(from).encrypted = true;
        }
        Ok(Some(Unit::whole((), unit.taken)))
    }

    /// Notes the event of a unit, and gives back the rest of it.
    fn noted<T>(
        &mut self,
        from: Side,
        unit: Unit<T>,
        event: impl FnOnce(T) -> Option<Event>,
    ) -> Unit<()> {
        if let Some(event) = event(unit.value) {
            self.push(from, event);
        }
        Unit {
            value: (),
            taken: unit.taken,
            skipped: unit.skipped,
        }
    }

    fn push(&mut self, from: Side, event: Event) {
        if self.client_has_left() && matches!(event, Event::Alert { .. }) {
            // Nobody hears it.
            return;
        }
        if self.count < MOST_EVENTS {
            self.note(event);
        } else if self.reader(from).phase != Phase::Done {
            self.garbled(from, "an end of the negotiation");
            self.done();
        }
    }

    fn garbled(&mut self, from: Side, expected: &str) {
        self.note(Event::Garbled {
            from,
            expected: expected.to_owned(),
        });
        self.reader(from).stop();
    }

    fn note(&mut self, event: Event) {
        self.count += 1;
        self.events.push(event);
    }

    /// Stops reading on both sides.
    fn done(&mut self) {
        self.client.stop();
        self.server.stop();
    }

    fn reader(&mut self, side: Side) -> &mut Reader {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

impl Reader {
    /// Lets bytes pass that nobody reads.
    fn pass(&mut self, bytes: usize) {
        if self.encrypted {
            self.encrypted_bytes = self.encrypted_bytes.saturating_add(bytes);
        }
    }

    fn stop(&mut self) {
        self.phase = Phase::Done;
        self.unread = Vec::new();
        self.records.forget();
    }
}
