//! The standing tap between clients and a server of the test's own.

use std::{net::SocketAddr, time::SystemTime};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::{SSL_REQUEST, Side, Transcript};
use crate::tap::{ConnectionEvent, Event, StandingTap, What};

const ANY: &str = "127.0.0.1:0";

/// A server that says no to whoever asks, for as long as they stay.
async fn refusing_server() -> SocketAddr {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 8];
                while stream.read_exact(&mut request).await.is_ok() {
                    stream.write_all(b"N").await.expect("a client");
                }
            });
        }
    });
    address
}

async fn open(upstream: SocketAddr) -> (StandingTap, mpsc::Receiver<ConnectionEvent>) {
    let listen = ANY.parse().expect("an address");
    StandingTap::open(listen, upstream.to_string())
        .await
        .expect("a tap")
}

async fn ask(tap: &StandingTap) -> TcpStream {
    let mut client = TcpStream::connect(tap.address()).await.expect("a tap");
    client.write_all(&SSL_REQUEST).await.expect("sent");
    assert_eq!(client.read_u8().await.expect("an answer"), b'N');
    client
}

/// What is heard up to the end of so many connections.
async fn hear(
    seen: &mut mpsc::Receiver<ConnectionEvent>,
    connections: usize,
) -> Vec<ConnectionEvent> {
    let (mut connection_events, mut ended) = (Vec::new(), 0);
    while ended < connections {
        let connection_event = seen.recv().await.expect("a connection_event");
        ended += usize::from(connection_event.what == What::Ended);
        connection_events.push(connection_event);
    }
    connection_events
}

fn transcript(connection_events: Vec<ConnectionEvent>) -> Transcript {
    let mut transcript = Transcript::default();
    for connection_event in connection_events {
        transcript.add(connection_event);
    }
    transcript
}

#[tokio::test]
async fn connections_in_sequence_have_their_numbers() {
    let (tap, mut seen) = open(refusing_server().await).await;
    // More than an attempt may make.
    for _ in 0..20 {
        drop(ask(&tap).await);
    }
    let connection_events = hear(&mut seen, 20).await;
    assert!(
        connection_events
            .iter()
            .all(|seen| seen.time <= SystemTime::now())
    );
    let transcript = transcript(connection_events);
    assert_eq!(transcript.connections.len(), 20);
    for connection in &transcript.connections {
        assert_eq!(
            connection[..],
            [
                Event::SslRequest,
                Event::Answer { byte: 'N' },
                Event::Closed { by: Side::Client },
            ]
        );
    }
}

#[tokio::test]
async fn connections_at_once_are_told_apart() {
    let (tap, mut seen) = open(refusing_server().await).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(ask(&tap).await);
    }
    clients.clear();
    let transcript = transcript(hear(&mut seen, 50).await);
    let wires = transcript.wire();
    assert_eq!(wires.connections().len(), 50);
    assert_eq!(wires.to_string(), ["sslrequest N"; 50].join(" | "));
}

#[tokio::test]
async fn a_server_that_is_down_is_told_and_the_client_let_go() {
    let listener = TcpListener::bind(ANY).await.expect("a port");
    let upstream = listener.local_addr().expect("an address");
    drop(listener);
    let (tap, mut seen) = open(upstream).await;
    let mut client = TcpStream::connect(tap.address()).await.expect("a tap");
    assert_eq!(client.read(&mut [0]).await.expect("an end"), 0);
    let transcript = transcript(hear(&mut seen, 1).await);
    assert_eq!(transcript.wire().to_string(), "unreachable");
    // It is up again for the next client.
    let listener = TcpListener::bind(upstream).await.expect("a free port");
    let client = TcpStream::connect(tap.address()).await.expect("a tap");
    listener.accept().await.expect("relayed");
    drop(client);
}

#[tokio::test]
async fn a_listener_that_does_not_listen_holds_nobody_back_for_ever() {
    let (tap, seen) = open(refusing_server().await).await;
    drop(seen);
    for _ in 0..5 {
        drop(ask(&tap).await);
    }
}

#[tokio::test]
async fn close_closes_everything_and_frees_the_port() {
    let (tap, mut seen) = open(refusing_server().await).await;
    let mut client = ask(&tap).await;
    let address = tap.address();
    tap.close().await;
    assert_eq!(client.read(&mut [0]).await.expect("an end"), 0);
    TcpListener::bind(address).await.expect("a free port");
    while seen.recv().await.is_some() {}
}
