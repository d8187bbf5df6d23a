//! One connection through a tap: bytes go on as they come, and are shown to a
//! negotiation on the way.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{live::EventSender, transcript::Side};

/// How long the server may take to accept. Without a bound a client would wait
/// for as long as the system tries, which is minutes.
const ACCEPT: Duration = Duration::from_secs(10);

const CHUNK: usize = 16 * 1024;

/// Relays a client to the server, `HOST:PORT`, which is looked up now, until
/// both sides have ended.
pub(super) async fn relay(mut client: TcpStream, upstream: String, sender: EventSender) {
    match connect(&upstream).await {
        Ok(mut server) => exchange(&mut client, &mut server, &sender).await,
        Err(why) => {
            let note = sender.note(|negotiation| negotiation.unreachable(&why));
            note.await;
        }
    }
    drop(client);
    sender.end().await;
}

async fn connect(upstream: &str) -> io::Result<TcpStream> {
    (timeout(ACCEPT, TcpStream::connect(upstream)).await).unwrap_or_else(|_| {
        let why = format!("no answer within {} s", ACCEPT.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    })
}

async fn exchange(client: &mut TcpStream, server: &mut TcpStream, sender: &EventSender) {
    // Without it a small message may wait for the answer to the one before. A
    // connection that is dead already tells so when it is read.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);

    let (client_reads, mut client_writes) = client.split();
    let (server_reads, mut server_writes) = server.split();
    let to_server = async {
        // A client that resets its connection reads no more. To the server it
        // has closed: what that still says is written down.
        let _ = forward(Side::Client, client_reads, &mut server_writes, sender).await;
        let _ = server_writes.shutdown().await;
        Ok(())
    };
    let to_client = async {
        forward(Side::Server, server_reads, &mut client_writes, sender).await?;
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
    sender: &EventSender,
) -> Result<(), Reset> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = source.read(&mut chunk).await;
        let bytes = &chunk[..*read.as_ref().unwrap_or(&0)];
        if bytes.is_empty() {
            sender.note(|negotiation| negotiation.closed(from)).await;
            return read.map(|_| ()).map_err(|_| Reset);
        }
        sender
            .note(|negotiation| negotiation.read(from, bytes))
            .await;
        if destination.write_all(bytes).await.is_err() {
            return Ok(());
        }
    }
}
