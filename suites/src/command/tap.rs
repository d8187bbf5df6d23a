//! `rds-tls tap`

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow};
use harness::{
    report::{Live, Telling},
    tap::{ConnectionEvent, StandingTap},
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use suites::{EndingSignals, Failure};
use tokio::{
    net::lookup_host,
    sync::{mpsc, oneshot},
    time::timeout,
};

/// How long the last lines may take to be written, when the tap has ended and
/// its reader may not be reading.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Between whom to stand.
#[derive(clap::Args)]
pub struct Args {
    /// The address that clients connect to, IP:PORT; port 0 takes a free port and
    /// prints it
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The server, by name or address; a name is looked up for each connection
    #[arg(long, value_name = "HOST:PORT", value_parser = host_and_port)]
    upstream: String,
    /// Print a JSON object for each event, one a line
    #[arg(long)]
    json: bool,
}

/// Relays until a signal comes, or nobody reads any more.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::CouldNot(e.into()))?;
    runtime.block_on(tap(args))
}

async fn tap(args: &Args) -> Result<u8, Failure> {
    resolve(&args.upstream).await.map_err(Failure::Usage)?;
    raise_descriptor_limit();
    // Listened for before the tap says that it is up.
    let mut signals = EndingSignals::listen().map_err(|error| Failure::CouldNot(error.into()))?;
    let (tap, seen) = StandingTap::open(args.listen, args.upstream.clone())
        .await
        .map_err(|error| Failure::CouldNot(cannot_listen(args.listen, error)))?;
    let telling = if args.json {
        Telling::JsonLines
    } else {
        Telling::Words
    };
    let mut told = tell(telling, tap.address(), args.upstream.clone(), seen);
    let early = tokio::select! {
        _ = signals.next() => None,
        end = &mut told => Some(end),
    };
    tap.close().await;
    let end = match early {
        Some(end) => end,
        None => match timeout(LAST_LINES, told).await {
            Ok(end) => end,
            // The reader has stopped reading without going away.
            Err(_) => return Ok(0),
        },
    };
    match end {
        Ok(Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::CouldNot(
            anyhow!(error).context("standard output can't be written"),
        )),
        _ => Ok(0),
    }
}

async fn resolve(upstream: &str) -> anyhow::Result<()> {
    let found = lookup_host(upstream).await;
    let none = || io::Error::new(ErrorKind::NotFound, "the name has no address");
    found
        .and_then(|mut found| found.next().map(|_| ()).ok_or_else(none))
        .with_context(|| {
            format!(
                "--upstream: {upstream} can't be looked up; see to the name, or give an address"
            )
        })
}

fn cannot_listen(address: SocketAddr, error: io::Error) -> anyhow::Error {
    anyhow!(error).context(format!(
        "--listen: {address} can't be listened on; name another address, or \
         `--listen 127.0.0.1:0` for a free port"
    ))
}

/// Writes on a thread of its own: a reader that stops reading holds the
/// connections up, as their listener, and not the program.
fn tell(
    telling: Telling,
    address: SocketAddr,
    upstream: String,
    mut seen: mpsc::Receiver<ConnectionEvent>,
) -> oneshot::Receiver<io::Result<()>> {
    let (end, ended) = oneshot::channel();
    thread::spawn(move || {
        let mut live = Live::new(io::stdout(), telling);
        let mut tell = || {
            live.listening(address, &upstream)?;
            while let Some(connection_event) = seen.blocking_recv() {
                live.connection_event(&connection_event)?;
            }
            live.finish()
        };
        // Nobody waits any more when the program is about to end.
        let _ = end.send(tell());
    });
    ended
}

/// A connection takes two descriptors, and many systems give a program 1,024.
/// With fewer, further connections wait, or are told that the server can't be
/// reached.
fn raise_descriptor_limit() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

fn host_and_port(text: &str) -> Result<String, String> {
    let is_host = |host: &str| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        !host.is_empty() && (bracketed || !host.contains(':'))
    };
    match text.rsplit_once(':') {
        Some((host, port)) if is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(text.to_owned())
        }
        _ => Err("write HOST:PORT, as db.example:5432 or [::1]:5432".to_owned()),
    }
}
