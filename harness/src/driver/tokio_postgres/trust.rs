//! What a user's program does about trust anchors before it connects.

use std::{collections::HashMap, fs, sync::Mutex, sync::PoisonError};

use crate::driver::{Attempt, Outcome};

/// The word for the system's trust anchors.
const SYSTEM: &str = "system";

/// Where a program takes its trust anchors from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Anchors {
    /// The user says nothing.
    Unset,
    /// The system's.
    System,
    /// A PEM file.
    File(String),
}

impl Anchors {
    /// Those of an attempt.
    pub fn of(attempt: &Attempt) -> Self {
        match attempt.sslrootcert.as_deref() {
            None => Self::Unset,
            Some(SYSTEM) => Self::System,
            Some(file) => Self::File(file.to_owned()),
        }
    }
}

/// A user's program gave up before it opened a socket; the message is its own.
#[derive(Clone, Debug)]
pub struct GaveUp(pub String);

impl GaveUp {
    /// A trust file that is no good.
    pub fn over(file: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("could not read the trust anchors {file}: {why}"))
    }
}

impl From<GaveUp> for Outcome {
    fn from(GaveUp(message): GaveUp) -> Self {
        Self::Refused {
            message,
            sqlstate: None,
        }
    }
}

/// Reads a trust file.
///
/// # Errors
/// When it can't be read.
pub fn read(file: &str) -> Result<Vec<u8>, GaveUp> {
    fs::read(file).map_err(|error| GaveUp::over(file, error))
}

/// Connectors, made once for each configuration and trust anchors: to make one
/// takes longer than an attempt. A trust file is not read again.
#[derive(Debug)]
pub struct Connectors<C, T>(Mutex<HashMap<(C, Anchors), Result<T, GaveUp>>>);

impl<C, T> Default for Connectors<C, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<C: Copy + Eq + std::hash::Hash, T: Clone> Connectors<C, T> {
    /// The connector, made by `make` the first time.
    ///
    /// # Errors
    /// What `make` gave up over.
    pub fn get(
        &self,
        configuration: C,
        anchors: Anchors,
        make: impl FnOnce(C, &Anchors) -> Result<T, GaveUp>,
    ) -> Result<T, GaveUp> {
        // Held while making: who comes meanwhile wants the same, most likely.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (configuration, anchors);
        if let Some(connector) = known.get(&key) {
            return connector.clone();
        }
        let connector = make(key.0, &key.1);
        known.insert(key, connector.clone());
        connector
    }
}
