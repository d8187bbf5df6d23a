//! Why an endpoint could not be had, switched or stopped.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use crate::engine::{EngineError, Version};

/// Why an endpoint could not be had, switched or stopped.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// No server program, or no cluster.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No container.
    #[cfg(feature = "container")]
    #[error(transparent)]
    Container(#[from] super::container::ContainerError),
    /// Keys or certificates could not be made.
    #[error("the server's certificate: {0}")]
    Certificates(#[from] certs_gen::Error),
    /// The defaults table has no row for the server's version.
    #[error("the table of RDS defaults has no row for PostgreSQL {0}")]
    NoDefaults(Version),
    /// The server program ended, or never accepted a connection.
    #[error("PostgreSQL {version} did not start: {why}; its log ends with: {log}")]
    NotStarted {
        /// The program's version.
        version: Version,
        /// What was seen from outside.
        why: String,
        /// The last lines of its log.
        log: String,
    },
    /// The port that somebody asked for is not free.
    #[error("port {0} of 127.0.0.1 is taken; name another, or none for any that is free")]
    PortTaken(u16),
    /// A name that the master user can't have.
    #[error(
        "the master user can't be called {0:?}: take lowercase letters, digits and _, \
         and no name that PostgreSQL or the harness keeps for itself"
    )]
    MasterName(String),
    /// The server does not answer any more.
    #[error("the server at {address} cannot be reached: {why}")]
    Unreachable {
        /// Where it listens.
        address: SocketAddr,
        /// What happened instead of an answer.
        why: String,
    },
    /// The server is there, and silent.
    #[error(
        "the server did not {what} within {waited:?}; see whether its process is stopped, or the \
         machine overloaded"
    )]
    Silent {
        /// What was asked of it.
        what: String,
        /// How long it had.
        waited: Duration,
    },
    /// The server refused a statement of the harness.
    #[error("the server refused to {what}: {why}")]
    Statement {
        /// What the statement was for; never its text, which may hold a
        /// verifier.
        what: String,
        /// What the server said.
        why: String,
    },
    /// The server kept its old state, whatever SHOW says.
    #[error("the server did not reload the policy; its log says: {log}")]
    ReloadRefused {
        /// The lines of the log that say so and why.
        log: String,
    },
    /// `pg_hba.conf` is not what was written.
    #[error("the server reads pg_hba.conf otherwise: {0}")]
    Hba(String),
    /// The wire does not show the policy.
    #[error("after {waited:?} the wire does not show the policy: expected {expected}, saw {seen}")]
    NotShown {
        /// What the policy says.
        expected: String,
        /// What the last probe saw.
        seen: String,
        /// Since the reload.
        waited: Duration,
    },
    /// The login that must work under every policy did not.
    #[error("the sanity login as {user} failed: {why}")]
    Sanity {
        /// The master user.
        user: String,
        /// The driver's error.
        why: String,
    },
    /// Someone's instance can't be had.
    #[error(transparent)]
    Rds(#[from] super::rds::RdsError),
    /// What is asked for is not the harness's to do.
    #[error("the instance is someone's own: {0}")]
    NotOurs(String),
    /// Something is left behind.
    #[error("the server's folder {folder} could not be removed: {why}")]
    LeftBehind {
        /// The folder.
        folder: PathBuf,
        /// Why it is still there.
        why: String,
    },
    /// A file operation failed.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl EndpointError {
    /// Whether the server gave no answer at all: it may give none to whatever
    /// comes next, either.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Silent { .. })
    }

    /// Names the file in an I/O error.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
