//! Clients under test, exactly as their users get them.

mod attempt;

pub use attempt::{Attempt, Form, Outcome, SessionRow, Surroundings};
use futures_util::future::BoxFuture;

/// A client under test.
pub trait Driver: Send + Sync {
    /// The id of the driver's profile, as `libpq`.
    fn id(&self) -> &str;

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

/// Why an attempt gave no outcome.
#[derive(Clone, Debug, thiserror::Error)]
#[error("driver {driver} could not run the attempt: {why}")]
pub struct CouldNotRun {
    /// The driver's id.
    pub driver: String,
    /// What went wrong, for a person.
    pub why: String,
}
