//! Ending in good order when a person, or a supervisor, says so.

use std::{fs, io};

use crate::say;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Holds the number of the signal that ended a run, once one did.
pub struct Stop(watch::Sender<Option<u8>>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Stop {
    /// From now on SIGHUP, SIGINT, SIGQUIT and SIGTERM end the run in good
    /// order, and no more than that.
    ///
    /// # Errors
    /// When the process can't listen for signals.
    pub fn heed_signals(&self) -> io::Result<()> {
        let mut signals = EndingSignals::listen()?;
        let stop = self.0.clone();
        tokio::spawn(async move {
            let number = signals.next().await;
            say("interrupted; cleaning up");
            stop.send_replace(Some(number));
        });
        Ok(())
    }

    /// For whom is to end.
    #[must_use]
    pub fn receiver(&self) -> watch::Receiver<Option<u8>> {
        self.0.subscribe()
    }

    /// Waits for such a signal.
    pub async fn stopped(&self) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(Option::is_some).await;
    }

    /// What a shell expects of a program that a signal ended, 128 and the
    /// signal's number; nothing where none came.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        self.0.borrow().map(|number| 128 + number)
    }
}

/// The signals by which a person, a terminal or a supervisor ends a program.
/// Their default action would leave a server behind.
pub struct EndingSignals {
    /// Absent where the process was started with it ignored, as by nohup.
    hangup: Option<Signal>,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

impl EndingSignals {
    /// Listens from now on, with a Tokio runtime around it.
    ///
    /// # Errors
    /// When the process can't listen for signals.
    pub fn listen() -> io::Result<Self> {
        let hangup = (!ignores_hangup()).then(|| signal(SignalKind::hangup()));
        Ok(Self {
            hangup: hangup.transpose()?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one, and gives its number.
    pub async fn next(&mut self) -> u8 {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => 1,
            _ = self.interrupt.recv() => 2,
            _ = self.quit.recv() => 3,
            _ = self.terminate.recv() => 15,
        }
    }
}

/// Whether SIGHUP is ignored. Linux alone tells (proc(5), `SigIgn`); elsewhere
/// it counts as not ignored.
fn ignores_hangup() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, 1))
}

/// Whether a process ignores a signal, by its `/proc/PID/status`: bit n - 1 of
/// the mask stands for signal n.
fn ignores(status: &str, signal: u32) -> bool {
    (status.lines())
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "SigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\n";
        assert!(ignores(status, 1));
        assert!(ignores(status, 13));
        assert!(!ignores(status, 2));
        assert!(!ignores("SigIgn:\tx\n", 1));
        assert!(!ignores("", 1));
    }
}
