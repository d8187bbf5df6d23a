//! A way to a server that counts who goes it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    io::{AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task,
};

/// Connections to a server, by another port.
pub struct Counter {
    pub port: u16,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    open: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

impl Counter {
    /// Lets connections through until the test program ends.
    pub fn before(server: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        thread::spawn(move || run(listener, server, &counted));
        Self { port, counts }
    }

    /// How many were open at once, at most.
    pub fn most(&self) -> usize {
        self.counts.most.load(Ordering::SeqCst)
    }

    /// How many there were.
    pub fn all(&self) -> usize {
        self.counts.all.load(Ordering::SeqCst)
    }
}

/// One thread, so that a connection that was closed before another came is seen to
/// be closed before that one is counted.
#[tokio::main(flavor = "current_thread")]
async fn run(listener: std::net::TcpListener, server: SocketAddr, counts: &Arc<Counts>) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((mut client, _)) = listener.accept().await {
        for _ in 0..8 {
            task::yield_now().await;
        }
        let open = counts.open.fetch_add(1, Ordering::SeqCst) + 1;
        counts.most.fetch_max(open, Ordering::SeqCst);
        counts.all.fetch_add(1, Ordering::SeqCst);
        let counts = Arc::clone(counts);
        task::spawn(async move {
            let mut server = TcpStream::connect(server).await.unwrap();
            let (mut from_client, mut to_client) = client.split();
            let (mut from_server, mut to_server) = server.split();
            let there = async {
                let _ = copy(&mut from_client, &mut to_server).await;
                // What the client has closed is open no more.
                counts.open.fetch_sub(1, Ordering::SeqCst);
                let _ = to_server.shutdown().await;
            };
            let back = async {
                let _ = copy(&mut from_server, &mut to_client).await;
                let _ = to_client.shutdown().await;
            };
            tokio::join!(there, back);
        });
    }
}
