//! Drivers as worker processes.
//!
//! A driver reads its surroundings from its process (the home folder, `PG*`
//! and `SSL_CERT_*` variables), and they can't be changed safely in a threaded
//! program; so each driver is played in a process of its own for each
//! [`Surroundings`](super::Surroundings), which speaks the contract of
//! `suites/workers/CONTRACT.md`.

mod home;
mod ledger;
mod player;
mod pool;
mod process;
pub mod protocol;
mod secrets;
mod serve;

pub use player::Player;
pub use pool::{Limits, Pool, WorkerCommand};
pub use serve::{BUILT_IN, serve_if_asked};
