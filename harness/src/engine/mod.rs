//! PostgreSQL server programs: which version, where from, and a cluster to run.

mod account;
mod cache;
mod cluster;
mod download;
mod error;
mod locate;
pub(crate) mod postmaster;
mod program;
mod range;
mod version;

pub use account::Account;
pub use cache::Cache;
#[cfg(feature = "container")]
pub(crate) use cluster::roles;
pub(crate) use cluster::write_private;
pub use cluster::{ADMIN, MASTER, RESERVED_DATABASE, STRANGER, copy_template, template};
pub use error::EngineError;
pub use locate::{locate, newest_installed};
pub use program::Program;
pub use range::{EngineRange, ParseRangeError};
pub use version::{NEWEST, OLDEST, ParseVersionError, Version};
