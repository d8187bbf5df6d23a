//! Waiting for what another process does.

use std::{
    thread,
    time::{Duration, Instant},
};

/// More than anything takes that happens at all, on a busy machine too.
const TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// Waits until it holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {TIMEOUT:?}: {what}");
        thread::sleep(POLL);
    }
}
