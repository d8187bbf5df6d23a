//! Clients under test, exactly as their users get them.
//!
//! Every driver is played in a [`worker`] process, whatever its language; the
//! drivers that this program carries are this program, executed once more.

mod attempt;
pub(crate) mod connection_string;
pub mod libpq;
pub mod psql;
pub mod tokio_postgres;
mod versions;
pub mod worker;

pub use attempt::{Attempt, Form, Outcome, Reply, SessionRow, Surroundings};
use futures_util::future::BoxFuture;
use serde::Serialize;

/// What a driver asks over the session it has opened. The columns are the same
/// in PostgreSQL 10 to 18 (`system_views.sql`), and any role may read its own
/// row.
pub const SESSION_QUERY: &str = "SELECT ssl, version, cipher \
     FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";

/// What drivers call themselves to the server.
pub const APPLICATION_NAME: &str = "rds-tls";

/// A client under test.
pub trait Driver: Send + Sync {
    /// The id of the driver's profile, as `libpq`.
    fn id(&self) -> &str;

    /// What it said of itself; nothing before its first attempt.
    fn about(&self) -> Option<About> {
        None
    }

    /// Plays one attempt.
    ///
    /// # Errors
    /// When the attempt could not be played at all; a connection that was
    /// refused is an [`Outcome`].
    fn play<'a>(
        &'a self,
        surroundings: &'a Surroundings,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Outcome, CouldNotRun>>;
}

/// A driver, as it said of itself when it was started.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// The id of the driver's page.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its TLS library, and that one's version.
    pub tls: Option<String>,
    /// What it can do.
    pub capabilities: Vec<worker::protocol::Capability>,
}

/// Why an attempt gave no outcome.
#[derive(Clone, Debug, thiserror::Error)]
#[error("driver {driver} could not run the attempt: {why}")]
pub struct CouldNotRun {
    /// The driver's id.
    pub driver: String,
    /// What went wrong, for a person.
    pub why: String,
    /// The driver is not set up here in the way that the attempt names.
    pub is_missing: bool,
}
