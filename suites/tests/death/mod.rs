//! The sudden death of a process that is no child of the test.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// SIGKILL, and a while for the system to take back what the process held.
pub fn kill_and_wait(pid: Pid) {
    kill(pid, Signal::SIGKILL).unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    // Gone, or a zombie that its parent has not asked after.
    while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < patience, "{pid} does not die");
        thread::sleep(Duration::from_millis(5));
    }
}
