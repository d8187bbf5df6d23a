//! The sudden death of a process that is no child of the test.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{proc::Process, until::until};

/// SIGKILL, and a while for the system to take back what the process held.
pub fn kill_and_wait(pid: Pid) {
    kill(pid, Signal::SIGKILL).unwrap();
    until("it dies", || !Process::of(pid).lives());
}
