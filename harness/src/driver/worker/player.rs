//! What a driver is to the worker that plays it.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::protocol::Hello;
use crate::driver::{Attempt, Outcome};

/// A driver in its worker process.
pub trait Player: Send + Sync + 'static {
    /// Who it is.
    fn hello(&self) -> Hello;

    /// Plays an attempt within the deadline.
    ///
    /// # Errors
    /// With a sentence for a person, when there is no outcome.
    fn play(
        self: Arc<Self>,
        attempt: Attempt,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<Outcome, String>>;
}
