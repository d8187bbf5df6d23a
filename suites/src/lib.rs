//! What is checked, as data, and the set-up that the programs of this crate
//! share: the command `rds-tls`, the tests and the benchmark.

mod backend;
pub mod data;
mod emulator;
mod instance;
mod run_context;
mod say;
mod setup;
mod stop;

pub use backend::{Backend, Chosen, Engine};
pub use emulator::{Builder, Emulator};
pub use instance::{Asker, InstanceName, NotAnInstanceName};
pub use run_context::{Chain, RunContext};
pub use say::say;
pub use setup::{Failure, Setup, Workers};
pub use stop::{EndingSignals, Stop};
