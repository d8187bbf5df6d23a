//! A tap that stands before a server for as long as someone watches.

use std::{io, net::SocketAddr};

use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::sleep};

use super::{
    connection::relay,
    live::{ConnectionEvent, EventSender},
    relay::ACCEPT_AGAIN,
};

/// The most connections at once. A further one waits in the system's queue.
const MOST_AT_ONCE: usize = 1_000;

/// The most events that wait to be read; then the connections wait.
const MOST_UNREAD: usize = 1_024;

/// A listener that relays any number of connections to a server, one after the
/// other and up to 1,000 at once, and tells what it sees of them. Dropped, it
/// closes all of them at once.
#[derive(Debug)]
pub struct StandingTap {
    address: SocketAddr,
    relay: JoinSet<()>,
}

impl StandingTap {
    /// Opens a tap before `upstream`, `HOST:PORT`, which is looked up anew for
    /// every connection. Events of one connection come in their order.
    ///
    /// # Errors
    /// When the address can't be listened on.
    pub async fn open(
        listen: SocketAddr,
        upstream: String,
    ) -> io::Result<(Self, mpsc::Receiver<ConnectionEvent>)> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (listens, seen) = mpsc::channel(MOST_UNREAD);
        let mut relay = JoinSet::new();
        relay.spawn(serve(listener, upstream, listens));
        Ok((Self { address, relay }, seen))
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and closes the open ones; the events end.
    pub async fn close(mut self) {
        self.relay.shutdown().await;
    }
}

async fn serve(listener: TcpListener, upstream: String, listens: mpsc::Sender<ConnectionEvent>) {
    let mut relays = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept(), if relays.len() < MOST_AT_ONCE => match accepted {
                Ok((client, address)) => {
                    number += 1;
                    let sender = EventSender::open(number, address, listens.clone()).await;
                    relays.spawn(relay(client, upstream.clone(), sender));
                }
                Err(_) => sleep(ACCEPT_AGAIN).await,
            },
            Some(_) = relays.join_next() => {}
        }
    }
}
