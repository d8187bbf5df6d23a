//! Where PostgreSQL runs.

mod admin;
mod bootstrap;
#[cfg(feature = "container")]
mod container;
mod describe;
mod embedded;
mod emulated;
mod error;
mod facts;
mod folder;
mod keys;
mod log;
mod place;
mod probe;
pub mod rds;
mod sanity;
mod server;
mod switch;

use std::time::Duration;

pub use bootstrap::Master;
#[cfg(feature = "container")]
pub use container::{ContainerError, Daemon, Image, ImageName, container};
pub use embedded::embedded;
pub use emulated::Options;
pub use error::EndpointError;
pub use facts::{EndpointKind, Facts, Limits, Login};
pub use log::LogMark;

use futures_util::future::BoxFuture;

use crate::{policy::Policy, suite::Cell};

/// A PostgreSQL server that attempts are made against.
pub trait Endpoint: Send {
    /// What is fixed for the endpoint's life.
    fn facts(&self) -> &Facts;

    /// Why a cell can't be played here; `None` where it can.
    fn leaves_out(&self, _cell: &Cell) -> Option<String> {
        None
    }

    /// Switches the server to a policy, and probes the wire until it shows.
    ///
    /// # Errors
    /// When the server refused the policy or does not show it; what it serves
    /// then is unknown.
    fn apply<'a>(&'a mut self, policy: &'a Policy)
    -> BoxFuture<'a, Result<Applied, EndpointError>>;

    /// One login that must work under every policy: the master user, over TLS
    /// without verification where the server offers TLS, else in plaintext.
    ///
    /// # Errors
    /// When it does not.
    fn sanity(&self) -> BoxFuture<'_, Result<(), EndpointError>>;

    /// The end of the server's log as it stands.
    ///
    /// # Errors
    /// When the log can't be read.
    fn log_mark(&self) -> BoxFuture<'_, Result<LogMark, EndpointError>>;

    /// What the server has logged since: evidence for a policy group.
    ///
    /// # Errors
    /// When the log can't be read.
    fn log_since(&self, mark: LogMark) -> BoxFuture<'_, Result<String, EndpointError>>;

    /// Stops what was started and removes what was written.
    ///
    /// # Errors
    /// When something is left behind.
    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), EndpointError>>;
}

/// What the wire showed once a policy was in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Applied {
    /// SHA-256 of the leaf's DER; absent where the server offers no TLS.
    pub leaf_sha256: Option<[u8; 32]>,
    /// The version and the suite (OpenSSL's name) that a client of this
    /// machine's OpenSSL negotiated.
    pub negotiated: Option<(String, String)>,
    /// From the first statement to the first probe that showed the policy.
    pub took: Duration,
}
