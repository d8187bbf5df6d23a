//! A running `postgres` process over one cluster.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{EndpointError, folder::Layout, log::FileLog};
use crate::engine::{Account, Program, postmaster};

/// How long a fast shutdown may take: its checkpoint writes a small cluster.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an immediate one may take: after five seconds, the postmaster kills
/// children that do not end (postmaster.c, `SIGKILL_CHILDREN_AFTER_SECS`), and
/// a child that is stopped ends by nothing else.
const IMMEDIATE_TIMEOUT: Duration = Duration::from_secs(8);
/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(2);

/// A running server; ended when dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    data: PathBuf,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts the server program itself, on a port of 127.0.0.1.
    pub(super) fn start(
        program: &Program,
        account: &Account,
        layout: &Layout,
        log: &FileLog,
        port: u16,
    ) -> Result<Self, EndpointError> {
        let path = program.postgres();
        let stderr = log.writer()?;
        let mut command = account.command(&path);
        let child = command
            .env("OPENSSL_CONF", &layout.openssl_conf)
            .arg("-D")
            .arg(&layout.data)
            .args(["-p", &port.to_string()])
            // Ctrl-C at a terminal goes to the whole group: the harness ends
            // its server itself, when it is done with it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(EndpointError::io(path))?;
        Ok(Self {
            child,
            data: layout.data.clone(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        })
    }

    /// How the process ended, if it did.
    pub(super) fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("the server ended ({status})")),
            Err(error) => Some(format!("the server is out of reach ({error})")),
        }
    }

    /// A fast shutdown; after five seconds an immediate one, then SIGKILL. A
    /// postmaster that is stopped is continued first, since it takes no other
    /// signal.
    pub(super) async fn stop(&mut self) {
        self.signal(Signal::SIGCONT);
        self.signal(Signal::SIGINT);
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return;
            }
            tokio::time::sleep(POLL).await;
        }
        self.end_at_once();
    }

    fn signal(&self, signal: Signal) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // Not reaped yet, so the number is still its.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    fn end_at_once(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.signal(Signal::SIGCONT);
        self.signal(Signal::SIGQUIT);
        let deadline = Instant::now() + IMMEDIATE_TIMEOUT;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return;
            }
            std::thread::sleep(POLL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        postmaster::end(&self.data);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end_at_once();
    }
}

/// A port that is free now; another process may take it before the server does.
pub(super) fn free_port() -> Result<u16, EndpointError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(EndpointError::io("127.0.0.1"))
}
