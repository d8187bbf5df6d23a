//! What is checked, as data, and the set-up that the programs of this crate
//! share: the command `rds-tls`, the tests and the benchmark.

pub mod data;
mod setup;

pub use setup::{Failure, Setup, Workers, engine_at_hand, locate};
