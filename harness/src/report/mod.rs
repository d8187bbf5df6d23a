//! What people and programs read of a run.

mod claims;
mod console;
mod json;
mod live;
mod repro;
mod words;

pub use claims::{Gather, JsonClaims, claims_text};
pub use console::{Console, in_full};
pub use json::{Json, JsonEndpoint, JsonReport};
pub use live::{Live, Telling};
pub use repro::{Stage, repro, steps};
pub use words::{Described, does, expected, policy, verdict};

#[cfg(test)]
mod tests;
