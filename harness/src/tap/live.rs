//! What a tap tells of its connections while they happen.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{Mutex, mpsc};

use super::{
    negotiation::Negotiation,
    transcript::{Event, Transcript},
};

/// Something that a tap saw of one connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConnectionEvent {
    /// The connection's number, from 1, in the order in which they came.
    pub connection: u64,
    /// When it was seen.
    pub time: SystemTime,
    /// The same, since the connection was opened.
    pub at: Duration,
    /// What was seen.
    pub what: What,
}

/// What can be seen of a connection. Its first event is `Opened`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum What {
    /// A client connected to the tap.
    Opened {
        /// Its address.
        client: SocketAddr,
    },
    /// Something readable passed.
    Event(Event),
    /// The client has sent more under encryption than a handshake and a
    /// farewell need: it goes on to a session.
    InUse,
    /// Both sides have ended, or the tap has ended them.
    Ended,
}

impl Transcript {
    /// Takes an event over.
    pub fn add(&mut self, connection_event: ConnectionEvent) {
        let number = usize::try_from(connection_event.connection).unwrap_or(usize::MAX);
        if self.connections.len() < number {
            self.connections.resize_with(number, Vec::new);
        }
        if let What::Event(event) = connection_event.what
            && let Some(events) = self.connections.get_mut(number.wrapping_sub(1))
        {
            events.push(event);
        }
    }
}

/// One connection's way to whoever listens.
pub(super) struct EventSender {
    connection: u64,
    opened: Instant,
    /// Held until what was noted is told, so that both halves of a connection
    /// are told in one order.
    noted: Mutex<Noted>,
    listener: mpsc::Sender<ConnectionEvent>,
}

#[derive(Default)]
struct Noted {
    negotiation: Negotiation,
    in_use: bool,
}

impl EventSender {
    /// Tells that a connection was opened.
    pub(super) async fn open(
        connection: u64,
        client: SocketAddr,
        listener: mpsc::Sender<ConnectionEvent>,
    ) -> Self {
        let sender = Self {
            connection,
            opened: Instant::now(),
            noted: Mutex::default(),
            listener,
        };
        sender.send(What::Opened { client }).await;
        sender
    }

    /// Notes something in the negotiation, and tells what it came to.
    pub(super) async fn note(&self, note: impl FnOnce(&mut Negotiation)) {
        let mut noted = self.noted.lock().await;
        note(&mut noted.negotiation);
        for event in noted.negotiation.take_events() {
            self.send(What::Event(event)).await;
        }
        if !noted.in_use && noted.negotiation.is_in_use() {
            noted.in_use = true;
            self.send(What::InUse).await;
        }
    }

    /// Tells that the connection is over.
    pub(super) async fn end(self) {
        self.send(What::Ended).await;
    }

    /// Waits only for a listener that is slower than the network. One that has
    /// gone away wants to hear no more.
    async fn send(&self, what: What) {
        let connection_event = ConnectionEvent {
            connection: self.connection,
            time: SystemTime::now(),
            at: self.opened.elapsed(),
            what,
        };
        // At once where there is room: a relay that is cut has then told all
        // that it noted.
        if let Err(mpsc::error::TrySendError::Full(connection_event)) =
            self.listener.try_send(connection_event)
        {
            let _ = self.listener.send(connection_event).await;
        }
    }
}
