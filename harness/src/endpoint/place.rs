//! Where an emulated server runs: its process and its files.

use std::path::{Path, PathBuf};

use super::{EndpointError, EndpointKind, log::Log};

/// A running server, and the ways to its files. Dropped without [`Self::stop`],
/// it ends the server and removes its files all the same.
pub(super) trait Place: Send + Sync {
    /// As [`super::Facts::kind`].
    const KIND: EndpointKind;
    /// From where the harness comes, as the server sees it: an address range,
    /// or `all`.
    const ADMIN_FROM: &'static str;

    /// How the server's log is read.
    type Log: Log;

    /// The server's log.
    fn log(&self) -> &Self::Log;

    /// `pg_hba.conf`, as the server sees it.
    fn hba_file(&self) -> &Path;

    /// Puts a file where the server reads keys and certificates, owned by its
    /// user and closed to others; gives the path that the server sees.
    fn put(
        &self,
        name: &str,
        contents: &[u8],
    ) -> impl Future<Output = Result<PathBuf, EndpointError>> + Send;

    /// Stops the server and starts it at the same address, with other words for
    /// OpenSSL. It may not accept connections yet.
    fn restart(
        &mut self,
        openssl_conf: &str,
    ) -> impl Future<Output = Result<(), EndpointError>> + Send;

    /// How the server ended, if it did.
    fn ended(&mut self) -> impl Future<Output = Option<String>> + Send;

    /// Ends the server and removes its files.
    fn stop(self) -> impl Future<Output = Result<(), EndpointError>> + Send;
}
