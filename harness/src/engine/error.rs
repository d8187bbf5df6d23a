//! Why a server program could not be had.

use std::{io, path::PathBuf};

use super::Version;

/// Why a server program or a cluster could not be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing on this machine answers, and a download gave nothing either.
    #[error(
        "PostgreSQL {request} cannot be had: installed with OpenSSL are {installed}; the download \
         failed: {download}. Install it, set RDS_TLS_PG_BIN to the folder of its server program, \
         or give this machine a way to Maven Central"
    )]
    NotFound {
        /// The version asked for, as `17`, or `10 to 18`.
        request: String,
        /// What is there, as `15.18 (/usr/lib/postgresql/15/bin)`, or `none`.
        installed: String,
        /// What the download said.
        download: String,
    },
    /// A version that the suite is not written for.
    #[error("PostgreSQL {0} is not among the versions that the suite knows: 10 to 18")]
    Unsupported(Version),
    /// The folder of `RDS_TLS_PG_BIN` holds no usable server program.
    #[error("RDS_TLS_PG_BIN={folder}: {why}; set it to the folder that holds postgres and initdb")]
    NamedFolder {
        /// The variable's value.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A program that could not be asked what it is.
    #[error("{program} is no usable server program: {why}")]
    NoProgram {
        /// The program's path.
        program: PathBuf,
        /// What it did instead.
        why: String,
    },
    /// No unprivileged user to run a server as.
    #[error("{0}: PostgreSQL refuses to run as root; set RDS_TLS_PG_USER to an unprivileged user")]
    Account(String),
    /// A folder that the server's user cannot enter.
    #[error(
        "{folder} is closed to the user {user} that the server runs as; set {variable} to a \
         folder that it can enter"
    )]
    Closed {
        /// The first folder on the way that is closed.
        folder: PathBuf,
        /// The server's user.
        user: String,
        /// The variable that moves the folder.
        variable: &'static str,
    },
    /// No place for the cache.
    #[error("no folder for the cache: set RDS_TLS_CACHE, XDG_CACHE_HOME or HOME")]
    NoCache,
    /// initdb, or the server in single-user mode, failed.
    #[error("{step} of PostgreSQL {version} failed: {output}")]
    Template {
        /// Which program.
        step: &'static str,
        /// Of which version.
        version: Version,
        /// What it printed last.
        output: String,
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

impl EngineError {
    /// Names the file in an I/O error.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
