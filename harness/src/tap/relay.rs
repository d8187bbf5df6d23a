//! The tap of one attempt: its connections and no others, and their transcript.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    connection::relay,
    live::{ConnectionEvent, EventSender},
    negotiation::MOST_EVENTS,
    transcript::Transcript,
};

/// The most TCP connections of one attempt. No driver makes as many; the next
/// one is refused.
const MOST_CONNECTIONS: usize = 16;

/// How long [`Tap::finish`] waits for open connections to end.
const DRAIN: Duration = Duration::from_secs(1);

/// How long to wait when the system could not give a connection, which is
/// mostly for want of descriptors.
pub(super) const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// Room for everything that an attempt's connections can tell, so that no relay
/// ever waits for a listener. A connection tells of its opening, its use and
/// its end, and up to four events that end a negotiation come on top.
const MOST_CONNECTION_EVENTS: usize = MOST_CONNECTIONS * (MOST_EVENTS + 8);

/// A listener on 127.0.0.1 that relays one attempt's TCP connections to a
/// server and writes down their negotiation. Dropped, it closes all of them
/// at once.
#[derive(Debug)]
pub struct Tap {
    port: u16,
    seen: mpsc::Receiver<ConnectionEvent>,
    finish: oneshot::Sender<()>,
    /// One task that owns every socket, so that its end closes them all.
    relay: JoinSet<()>,
}

impl Tap {
    /// Opens a tap before a server, which is not contacted until a client is.
    ///
    /// # Errors
    /// When the system gives no port to listen on.
    pub async fn open(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (listens, seen) = mpsc::channel(MOST_CONNECTION_EVENTS);
        let (finish, finished) = oneshot::channel();
        let mut relay = JoinSet::new();
        relay.spawn(serve(listener, upstream, listens, finished));
        Ok(Self {
            port,
            seen,
            finish,
            relay,
        })
    }

    /// The port on 127.0.0.1 that the driver is to dial.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Takes no more connections, but for those that the system has already
    /// accepted, waits up to one second for the open ones to end, then closes
    /// what is left.
    pub async fn finish(mut self) -> Transcript {
        // An error here means that the relay has ended by itself.
        let _ = self.finish.send(());
        let _ = timeout(DRAIN, self.relay.join_next()).await;
        self.relay.shutdown().await;
        transcript(self.seen)
    }

    /// Closes everything at once, as when a deadline has run out.
    pub async fn cut(mut self) -> Transcript {
        self.relay.shutdown().await;
        transcript(self.seen)
    }
}

/// Everything that was told, once all relays have ended.
fn transcript(mut seen: mpsc::Receiver<ConnectionEvent>) -> Transcript {
    let mut transcript = Transcript::default();
    while let Ok(connection_event) = seen.try_recv() {
        transcript.add(connection_event);
    }
    transcript
}

/// Accepts and relays until told to finish, then relays what is still open.
async fn serve(
    listener: TcpListener,
    upstream: SocketAddr,
    listens: mpsc::Sender<ConnectionEvent>,
    mut finished: oneshot::Receiver<()>,
) {
    let mut relays = FuturesUnordered::new();
    let mut number = 0;
    let mut open = async |address| {
        number += 1;
        EventSender::open(number, address, listens.clone()).await
    };
    let start = |client, sender| relay(client, upstream.to_string(), sender);
    let mut left = MOST_CONNECTIONS;
    while left > 0 {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, address)) => {
                    left -= 1;
                    relays.push(start(client, open(address).await));
                }
                Err(_) => sleep(ACCEPT_AGAIN).await,
            },
            _ = &mut finished => break,
            Some(()) = relays.next() => {}
        }
    }
    for (client, address) in backlog(listener).take(left) {
        relays.push(start(client, open(address).await));
    }
    while let Some(()) = relays.next().await {}
}

/// The connections that the system has accepted and nobody has taken yet. It
/// asks the system itself: the runtime may not have heard of them. The
/// listener is closed with the end of the iteration.
fn backlog(listener: TcpListener) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
    listener
        .into_std()
        .into_iter()
        .flat_map(|listener| std::iter::from_fn(move || listener.accept().ok()))
        .filter_map(|(client, address)| {
            client.set_nonblocking(true).ok()?;
            Some((TcpStream::from_std(client).ok()?, address))
        })
}
