//! The relay between a client and a server of the test's own.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::tap::Tap;

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn dial(tap: &Tap) -> TcpStream {
    TcpStream::connect(("127.0.0.1", tap.port()))
        .await
        .expect("the tap listens")
}

/// A mebibyte in which no two places look alike.
fn noise(seed: u32) -> Vec<u8> {
    (0..1_u32 << 18)
        .flat_map(|index| (index ^ seed).wrapping_mul(0x9E37_79B9).to_le_bytes())
        .collect()
}

#[tokio::test]
async fn bytes_pass_unchanged_and_halves_close_alone() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut received = Vec::new();
        // Answers only once the client has closed its half.
        stream.read_to_end(&mut received).await.expect("an end");
        stream.write_all(&noise(2)).await.expect("an open half");
        received
    });
    let mut client = dial(&tap).await;
    client.write_all(&noise(1)).await.expect("written");
    client.shutdown().await.expect("a half closed");
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.expect("an end");
    assert!(received == noise(2), "changed on the way to the client");
    let received = server.await.expect("a server");
    assert!(received == noise(1), "changed on the way to the server");
    drop(client);
    assert_eq!(tap.finish().await.wire().to_string(), "garbled garbled");
}

#[tokio::test]
async fn a_reconnect_belongs_to_its_attempt() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = [0; 8];
            stream.read_exact(&mut request).await.expect("a request");
            stream.write_all(b"N").await.expect("an answer");
        }
    });
    for _ in 0..2 {
        let mut client = dial(&tap).await;
        client.write_all(&super::SSL_REQUEST).await.expect("sent");
        assert_eq!(client.read_u8().await.expect("an answer"), b'N');
    }
    assert_eq!(
        tap.finish().await.wire().to_string(),
        "sslrequest N | sslrequest N"
    );
}

#[tokio::test]
async fn no_connection_is_no_connection() {
    let (_listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    assert_eq!(tap.finish().await.wire().to_string(), "-");
}

#[tokio::test]
async fn connections_are_bounded() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    let mut clients = Vec::new();
    for _ in 0..16 {
        clients.push(dial(&tap).await);
        clients.push(listener.accept().await.expect("relayed").0);
    }
    TcpStream::connect(("127.0.0.1", tap.port()))
        .await
        .expect_err("nobody listens any more");
    clients.clear();
    assert_eq!(tap.finish().await.wire().connections().len(), 16);
}

#[tokio::test]
async fn a_connection_that_the_system_has_accepted_counts() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    // The relay's task does not run before this one waits for it.
    let mut client = std::net::TcpStream::connect(("127.0.0.1", tap.port())).expect("accepted");
    io::Write::write_all(&mut client, &super::SSL_REQUEST).expect("sent");
    drop(client);
    assert_eq!(tap.finish().await.wire().to_string(), "sslrequest");
    drop(listener);
}

#[tokio::test]
async fn finish_does_not_wait_for_a_peer_that_never_closes() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    let mut client = dial(&tap).await;
    let (mut server, _) = listener.accept().await.expect("relayed");
    client.write_all(&super::SSL_REQUEST).await.expect("sent");
    let mut request = [0; 8];
    server.read_exact(&mut request).await.expect("a request");
    assert_eq!(tap.finish().await.wire().to_string(), "sslrequest");
    assert_eq!(client.read(&mut request).await.expect("an end"), 0);
    assert_eq!(server.read(&mut request).await.expect("an end"), 0);
}

#[tokio::test]
async fn cut_closes_at_once_and_keeps_what_was_seen() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    let mut client = dial(&tap).await;
    let (mut server, _) = listener.accept().await.expect("relayed");
    server.write_all(b"?").await.expect("sent");
    assert_eq!(client.read_u8().await.expect("forwarded"), b'?');
    assert_eq!(tap.cut().await.wire().to_string(), "garbled");
    assert_eq!(client.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(server.read(&mut [0]).await.expect("an end"), 0);
}

#[tokio::test]
async fn drop_closes() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    let mut client = dial(&tap).await;
    let (_server, _) = listener.accept().await.expect("relayed");
    drop(tap);
    assert_eq!(client.read(&mut [0]).await.expect("an end"), 0);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told() {
    let (listener, address) = listen().await;
    drop(listener);
    let tap = Tap::open(address).await.expect("a tap");
    let mut client = dial(&tap).await;
    assert_eq!(client.read(&mut [0]).await.expect("an end"), 0);
    assert_eq!(tap.finish().await.wire().to_string(), "unreachable");
}

#[tokio::test]
async fn a_reset_by_the_server_reaches_the_client_as_one() {
    let (listener, address) = listen().await;
    let tap = Tap::open(address).await.expect("a tap");
    let mut client = dial(&tap).await;
    let (mut server, _) = listener.accept().await.expect("relayed");
    client.write_all(b"\x16more").await.expect("sent");
    // As PostgreSQL before 17 does to direct TLS: closed with bytes unread.
    server.read_u8().await.expect("a byte");
    drop(server);
    let error = client.read(&mut [0]).await.expect_err("a reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    tap.finish().await;
}
