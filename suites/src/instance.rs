//! Instances with a name: how another process finds one, and ends it.
//!
//! All that others know of an instance is a folder that bears its name: the
//! folder's lock says that it is alive, a socket in it takes the word to end. No
//! process number is written down, so none can come to mean another process.

use std::{env, fmt, str::FromStr, time::Duration};

use anyhow::{Context, anyhow};
#[cfg(feature = "container")]
use harness::endpoint::Daemon;
use harness::rundir::{Living, RunDir, RunDirError, sweep};
use nix::unistd::Uid;
use tokio::{
    io::AsyncReadExt,
    net::{UnixListener, UnixStream},
    time::{Instant, sleep, timeout_at},
};

use crate::Failure;

/// Beneath the folder that bears the name.
const SOCKET: &str = "stop";
/// How long an instance may take to end: a start that is under way goes on for
/// half a minute at worst, and a server's shutdown for a quarter of one.
const TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// The name of an instance, which one living instance of a user bears at a
/// time: lowercase letters, digits, `-` and `_`, at most 32 of them. `default`
/// by default.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InstanceName(String);

/// A text that is no [`InstanceName`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no name for an instance; take 1 to 32 lowercase letters, digits, - and _")]
pub struct NotAnInstanceName(String);

impl InstanceName {
    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for InstanceName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl FromStr for InstanceName {
    type Err = NotAnInstanceName;

    fn from_str(text: &str) -> Result<Self, NotAnInstanceName> {
        let plain = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || [b'-', b'_'].contains(&byte)
        };
        if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnInstanceName(text.to_owned()))
        }
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that is taken, and a socket for the word to end.
pub(crate) struct Claim {
    socket: UnixListener,
    folder: RunDir,
}

/// Whoever asked for the end of an instance, and waits for as long as this is
/// not dropped.
#[derive(Debug)]
pub struct Asker {
    _stream: UnixStream,
}

impl Claim {
    /// Takes a name, with a Tokio runtime around it.
    pub(crate) fn take(name: &InstanceName) -> anyhow::Result<Self> {
        let folder = RunDir::create_named(name.as_str()).map_err(|error| match error {
            RunDirError::NameTaken(_) => anyhow!(
                "the instance {name} is up already; end it by `rds-tls emulate --stop --name \
                 {name}`, or give this one another name by --name"
            ),
            error @ RunDirError::Io { .. } => error.into(),
        })?;
        let path = folder.path().join(SOCKET);
        let socket = UnixListener::bind(&path)
            .with_context(|| format!("{} can't be listened on", path.display()))?;
        Ok(Self { socket, folder })
    }

    /// Gives the name back.
    pub(crate) fn give_back(self) -> anyhow::Result<()> {
        Ok(self.folder.remove()?)
    }

    /// Waits until this user, or root, asks for the end.
    pub(crate) async fn asked(&self) -> Asker {
        loop {
            let Ok((stream, _)) = self.socket.accept().await else {
                // Out of descriptors, maybe: no reason to end, nor to spin.
                sleep(POLL).await;
                continue;
            };
            let uid = stream.peer_cred().map(|peer| Uid::from_raw(peer.uid()));
            if uid.is_ok_and(|uid| uid.is_root() || uid == Uid::effective()) {
                return Asker { _stream: stream };
            }
        }
    }
}

/// Ends the instance of a name, and waits until nothing of it is left. False
/// when there is none; what a killed one left is removed then.
pub(crate) async fn stop(name: &InstanceName) -> Result<bool, Failure> {
    let Some(living) = Living::find(name.as_str()) else {
        sweep_all().await;
        return Ok(false);
    };
    let ended = end(&living)
        .await
        .with_context(|| format!("the instance {name} does not end"));
    // What it left, should it have been killed meanwhile.
    sweep_all().await;
    ended.map_err(Failure::CouldNot)
}

/// What killed runs left, with their containers.
async fn sweep_all() {
    let swept = sweep(&env::temp_dir());
    #[cfg(feature = "container")]
    if swept > 0 {
        // Sweeps as it connects. Without a daemon there is nothing to sweep.
        let _ = Daemon::connect().await;
    }
    #[cfg(not(feature = "container"))]
    let _ = swept;
}

async fn end(living: &Living) -> anyhow::Result<bool> {
    let deadline = Instant::now() + TIMEOUT;
    let mut stream = loop {
        match UnixStream::connect(living.path().join(SOCKET)).await {
            Ok(stream) => break stream,
            Err(_) if living.has_ended() => return Ok(false),
            // It has just begun.
            Err(_) if Instant::now() < deadline => sleep(POLL).await,
            Err(error) => return Err(anyhow!(error).context("it can't be asked to")),
        }
    };
    // Nothing is ever written: this returns when the other end is closed.
    let closed = timeout_at(deadline, stream.read(&mut [0])).await;
    closed
        .map(|_| ())
        .context("it was asked to a minute ago, and is still at it")?;
    while !living.has_ended() {
        anyhow::ensure!(Instant::now() < deadline, "it hung up, and is still up");
        sleep(POLL).await;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_part_of_a_file_name() {
        for good in ["default", "a", "my-db_2"] {
            assert_eq!(good.parse::<InstanceName>().unwrap().as_str(), good);
        }
        let long = "a".repeat(33);
        for bad in ["", "A", "a/b", "..", "a b", "é", long.as_str()] {
            assert!(bad.parse::<InstanceName>().is_err(), "{bad}");
        }
    }
}
