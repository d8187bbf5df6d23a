//! What a cell is played against.

use std::fmt;

use crate::engine::Version;

/// What a cell is played against; behind the `@` of its id. The major version
/// of someone's instance is no part of an id: it is not known before the
/// instance is asked, and may be another tomorrow.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Target {
    /// An emulated instance of a version, `17`.
    Emulated(Version),
    /// Someone's instance, `rds`, and the version that it has.
    Instance(Version),
}

impl Target {
    /// The version that it has.
    #[must_use]
    pub const fn version(self) -> Version {
        match self {
            Self::Emulated(version) | Self::Instance(version) => version,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emulated(version) => version.major.fmt(f),
            Self::Instance(_) => f.write_str("rds"),
        }
    }
}
