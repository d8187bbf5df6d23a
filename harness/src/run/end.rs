//! The end of a run before all its cells are played.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Why a run ended that a person stopped.
pub(super) const INTERRUPTED: &str = "the run was interrupted";

/// Comes when a person says so, or when the endpoint's time is over.
pub(super) struct End {
    stop: watch::Receiver<Option<u8>>,
    deadline: Option<(Instant, Duration)>,
}

impl End {
    /// From now on.
    pub(super) fn new(stop: watch::Receiver<Option<u8>>, after: Option<Duration>) -> Self {
        Self {
            stop,
            deadline: after.and_then(|after| Some((Instant::now().checked_add(after)?, after))),
        }
    }

    /// Why, once it has come.
    pub(super) fn has_come(&self) -> Option<String> {
        if self.stop.borrow().is_some() {
            return Some(INTERRUPTED.to_owned());
        }
        let (at, after) = self.deadline?;
        (Instant::now() >= at).then(|| out_of_time(after))
    }

    /// Waits until it comes, and says why.
    pub(super) async fn comes(&mut self) -> String {
        let deadline = async |deadline| match deadline {
            Some((at, after)) => {
                sleep_until(at).await;
                out_of_time(after)
            }
            None => std::future::pending().await,
        };
        tokio::select! {
            // An error means that nobody is left who could say so.
            _ = self.stop.wait_for(Option::is_some) => INTERRUPTED.to_owned(),
            why = deadline(self.deadline) => why,
        }
    }
}

fn out_of_time(after: Duration) -> String {
    format!(
        "the run was not over after the {} s that it may last here",
        after.as_secs()
    )
}
