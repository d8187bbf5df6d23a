//! Which attempts a worker owes an answer.

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
};

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::{protocol::Answer, secrets::Secrets};
use crate::driver::Outcome;

/// How much of a line that is no message is quoted, in characters.
const QUOTED: usize = 200;

/// What an attempt came to; an error is a sentence for a person.
type Played = Result<Outcome, String>;

/// Attempts that wait for an answer. Whatever it hands out holds none of their
/// passwords.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, oneshot::Sender<Played>>,
    /// Attempts that nobody waits for any more; their answers may still come.
    abandoned: HashSet<u64>,
    secrets: Secrets,
    failure: Option<String>,
}

impl Ledger {
    /// Enters an attempt, and gives what will be its answer.
    ///
    /// # Errors
    /// When it is entered already, or the ledger is closed.
    pub fn open<'a>(
        &'a self,
        id: u64,
        secret: &SecretString,
    ) -> Result<impl Future<Output = Played> + use<'a>, String> {
        let mut state = self.state();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        if state.open.contains_key(&id) || state.abandoned.contains(&id) {
            return Err(format!("attempt {id} is already being played"));
        }
        state.secrets.learn(secret);
        let (sender, receiver) = oneshot::channel();
        state.open.insert(id, sender);
        let abandon = AbandonOnDrop(self, id);
        Ok(async move {
            let _abandon = abandon;
            let answer = receiver.await;
            answer.unwrap_or_else(|_| Err("its worker was stopped".into()))
        })
    }

    /// Hands a worker's line to who waits for it.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn settle(&self, line: &[u8]) -> Result<(), String> {
        let mut state = self.state();
        let Ok(answer) = serde_json::from_slice(line) else {
            let text = state.secrets.redact(&String::from_utf8_lossy(line));
            return Err(format!(
                "its worker said something that is no message of the worker contract: `{}`",
                excerpt(&text)
            ));
        };
        let (id, answer) = match answer {
            Answer::Hello(_) => return Err("its worker said hello twice".into()),
            Answer::CouldNotRun { id, why } => (id, Err(state.secrets.redact(&why))),
            Answer::Outcome { id, mut outcome } => {
                if let Outcome::Refused { message, .. } = &mut outcome {
                    *message = state.secrets.redact(message);
                }
                (id, Ok(outcome))
            }
        };
        if let Some(waiting) = state.open.remove(&id) {
            // Who waits no more has no use for it.
            let _ = waiting.send(answer);
        } else if !state.abandoned.remove(&id) {
            return Err(format!(
                "its worker answered attempt {id}, which it does not have"
            ));
        }
        Ok(())
    }

    /// Takes no more attempts.
    pub fn close(&self, why: &str) {
        let mut state = self.state();
        state.failure = Some(state.secrets.redact(why));
    }

    /// Takes no more attempts, and answers all that wait.
    pub fn fail(&self, why: &str) {
        self.close(why);
        let mut state = self.state();
        let why = state.secrets.redact(why);
        for (_, waiting) in state.open.drain() {
            let _ = waiting.send(Err(why.clone()));
        }
    }

    /// Why no more attempts are taken, if so.
    pub fn failure(&self) -> Option<String> {
        self.state().failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in a critical section can leave the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that nobody waits for an attempt's answer any more.
struct AbandonOnDrop<'a>(&'a Ledger, u64);

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.open.remove(&self.1).is_some() {
            state.abandoned.insert(self.1);
        }
    }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = r#"{"outcome":{"id":1,"result":"refused","message":"not with sesame street","sqlstate":null}}"#;

    fn secret() -> SecretString {
        "sesame street".to_owned().into()
    }

    #[tokio::test]
    async fn an_answer_reaches_its_attempt_without_its_password() {
        let ledger = Ledger::default();
        let first = ledger.open(1, &secret()).unwrap();
        let second = ledger.open(2, &secret()).unwrap();
        ledger.settle(REFUSED.as_bytes()).unwrap();
        let Ok(Outcome::Refused { message, .. }) = first.await else {
            panic!("not refused");
        };
        assert_eq!(message, "not with [password]");
        ledger.fail("died of sesame street");
        assert_eq!(second.await, Err("died of [password]".into()));
        assert_eq!(ledger.failure().unwrap(), "died of [password]");
        assert!(ledger.open(3, &secret()).is_err());
    }

    #[test]
    fn a_late_answer_is_no_fault_and_a_second_is() {
        let ledger = Ledger::default();
        drop(ledger.open(1, &secret()).unwrap());
        ledger.settle(REFUSED.as_bytes()).unwrap();
        let fault = ledger.settle(REFUSED.as_bytes()).unwrap_err();
        assert!(fault.contains("answered attempt 1"), "{fault}");
    }

    #[test]
    fn an_attempt_in_flight_is_not_entered_twice() {
        let ledger = Ledger::default();
        let first = ledger.open(1, &secret()).unwrap();
        assert!(ledger.open(1, &secret()).is_err());
        drop(first);
        assert!(
            ledger.open(1, &secret()).is_err(),
            "its answer may yet come"
        );
    }

    #[test]
    fn a_password_at_the_cut_of_an_excerpt_is_not_cut_in_two() {
        let ledger = Ledger::default();
        let _open = ledger.open(1, &secret()).unwrap();
        let line = format!("{}sesame street", "x".repeat(QUOTED - 6));
        let fault = ledger.settle(line.as_bytes()).unwrap_err();
        assert!(!fault.contains("sesame"), "{fault}");
    }
}
