//! What people and programs read of a run.

mod console;
mod json;
mod live;
mod repro;
mod words;

pub use console::{Console, in_full};
pub use json::{Json, JsonReport};
pub use live::{Live, Telling};
pub use repro::{Stage, repro, steps};
pub use words::{Described, expected, policy, verdict};

#[cfg(test)]
mod tests;
