//! Waiting for what another process does.

use std::{
    thread,
    time::{Duration, Instant},
};

/// More than anything takes that happens at all, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// Waits until it holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let patience = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < patience, "not within {PATIENCE:?}: {what}");
        thread::sleep(POLL);
    }
}
