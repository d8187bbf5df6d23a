//! What the cells of a claim were played against.

use std::fmt;

use crate::{engine::Version, suite::Target};

/// A server, as its cells name it and as it turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Played {
    /// As the cells name it.
    pub target: Target,
    /// Its version.
    pub engine: Version,
}

impl Played {
    /// A server of which no more is known than its cells tell.
    #[must_use]
    pub const fn planned(target: Target) -> Self {
        Self {
            target,
            engine: target.version(),
        }
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target {
            Target::Emulated(_) => self.engine.fmt(f),
            Target::Instance(_) => write!(f, "{} of the instance", self.engine),
        }
    }
}
