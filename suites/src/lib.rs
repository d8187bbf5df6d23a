//! What is checked, as data, and the set-up that the programs of this crate
//! share: the command `rds-tls`, the tests and the benchmark.

pub mod data;
mod emulator;
mod ground;
mod setup;
mod stop;

pub use emulator::{Builder, Emulator};
pub use ground::Ground;
pub use setup::{Failure, Setup, Workers, engine_at_hand, locate};
pub use stop::Stop;
