//! The relay itself: it forwards bytes as they come and shows them to a
//! [`Negotiation`] on the way.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    future::BoxFuture,
    stream::{FuturesUnordered, StreamExt},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    negotiation::Negotiation,
    transcript::{Side, Transcript},
};

/// The most TCP connections of one attempt. No driver makes as many; the next
/// one is refused.
const MOST_CONNECTIONS: usize = 16;

/// How long [`Tap::finish`] waits for open connections to end.
const DRAIN: Duration = Duration::from_secs(1);

/// How long to wait when the system could not give a connection, which is
/// mostly for want of descriptors.
const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

const CHUNK: usize = 16 * 1024;

/// A listener on 127.0.0.1 that relays one attempt's TCP connections to a
/// server and writes down their negotiation. Dropped, it closes all of them
/// at once.
#[derive(Debug)]
pub struct Tap {
    port: u16,
    log: Log,
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
        let log = Log::default();
        let (finish, finished) = oneshot::channel();
        let mut relay = JoinSet::new();
        relay.spawn(serve(listener, upstream, log.clone(), finished));
        Ok(Self {
            port,
            log,
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
        self.log.transcript()
    }

    /// Closes everything at once, as when a deadline has run out.
    pub async fn cut(mut self) -> Transcript {
        self.relay.shutdown().await;
        self.log.transcript()
    }
}

/// The connections of an attempt, in the order in which they came.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<Negotiation>>>);

impl Log {
    fn open(&self) -> ConnectionLog {
        let mut negotiations = self.lock();
        negotiations.push(Negotiation::default());
        ConnectionLog {
            log: self.clone(),
            index: negotiations.len() - 1,
        }
    }

    fn transcript(&self) -> Transcript {
        Transcript {
            connections: self
                .lock()
                .iter()
                .map(|negotiation| negotiation.events().to_vec())
                .collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Negotiation>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct ConnectionLog {
    log: Log,
    index: usize,
}

impl ConnectionLog {
    fn note(&self, note: impl FnOnce(&mut Negotiation)) {
        if let Some(negotiation) = self.log.lock().get_mut(self.index) {
            note(negotiation);
        }
    }
}

/// Accepts and relays until told to finish, then relays what is still open.
async fn serve(
    listener: TcpListener,
    upstream: SocketAddr,
    log: Log,
    mut finished: oneshot::Receiver<()>,
) {
    let mut relays: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    let mut left = MOST_CONNECTIONS;
    let start =
        |client| -> BoxFuture<'static, ()> { Box::pin(relay(client, upstream, log.open())) };
    while left > 0 {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    left -= 1;
                    relays.push(start(client));
                }
                Err(_) => sleep(ACCEPT_AGAIN).await,
            },
            _ = &mut finished => break,
            Some(()) = relays.next() => {}
        }
    }
    for client in backlog(listener).take(left) {
        relays.push(start(client));
    }
    while let Some(()) = relays.next().await {}
}

/// The connections that the system has accepted and nobody has taken yet. It
/// asks the system itself: the runtime may not have heard of them. The
/// listener is closed with the end of the iteration.
fn backlog(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    listener
        .into_std()
        .into_iter()
        .flat_map(|listener| std::iter::from_fn(move || listener.accept().ok()))
        .filter_map(|(client, _)| {
            client.set_nonblocking(true).ok()?;
            TcpStream::from_std(client).ok()
        })
}

async fn relay(mut client: TcpStream, upstream: SocketAddr, log: ConnectionLog) {
    let mut server = match TcpStream::connect(upstream).await {
        Ok(server) => server,
        Err(why) => return log.note(|negotiation| negotiation.unreachable(&why)),
    };
    // Without it a small message may wait for the answer to the one before. A
    // connection that is dead already tells so when it is read.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);

    let (client_reads, mut client_writes) = client.split();
    let (server_reads, mut server_writes) = server.split();
    let to_server = async {
        // A client that resets its connection reads no more. To the server it
        // has closed: what that still says is written down.
        let _ = forward(Side::Client, client_reads, &mut server_writes, &log).await;
        let _ = server_writes.shutdown().await;
        Ok(())
    };
    let to_client = async {
        forward(Side::Server, server_reads, &mut client_writes, &log).await?;
        let _ = client_writes.shutdown().await;
        Ok(())
    };
    if let Err(Reset) = tokio::try_join!(to_server, to_client).map(|((), ())| ()) {
        // To a client, a reset and an end are not the same: pass it on.
        let _ = client.set_zero_linger();
    }
}

/// The side reset its connection.
struct Reset;

/// Forwards one direction until its source ends, or its destination takes no
/// more; then the other direction tells how the connection ended. Bytes are
/// noted before they are forwarded: what they cause must come after them.
async fn forward(
    from: Side,
    mut source: impl AsyncRead + Unpin,
    destination: &mut (impl AsyncWrite + Unpin),
    log: &ConnectionLog,
) -> Result<(), Reset> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = source.read(&mut chunk).await;
        let bytes = &chunk[..*read.as_ref().unwrap_or(&0)];
        if bytes.is_empty() {
            log.note(|negotiation| negotiation.closed(from));
            return read.map(|_| ()).map_err(|_| Reset);
        }
        log.note(|negotiation| negotiation.read(from, bytes));
        if destination.write_all(bytes).await.is_err() {
            return Ok(());
        }
    }
}
