//! Ending in good order when a person, or a supervisor, says so.

use crate::say;
use tokio::{
    signal::unix::{SignalKind, signal},
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
    /// From now on SIGINT and SIGTERM end the run in good order, and no more
    /// than that.
    ///
    /// # Errors
    /// When the process can't listen for signals.
    pub fn heed_signals(&self) -> std::io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stop = self.0.clone();
        tokio::spawn(async move {
            let number = tokio::select! {
                _ = interrupt.recv() => 2,
                _ = terminate.recv() => 15,
            };
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
