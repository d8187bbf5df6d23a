//! What a cell is played against.

use std::fmt;

/// What a cell is played against; behind the `@` of its id. The major version
/// of someone's instance is no part of an id: it is not known before the
/// instance is asked, and may be another tomorrow.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Target {
    /// An emulated instance of a major version, as `17`.
    Emulated(u16),
    /// Someone's instance, `rds`, and the major version that it has.
    Instance(u16),
}

impl Target {
    /// The major version.
    #[must_use]
    pub const fn major(self) -> u16 {
        match self {
            Self::Emulated(major) | Self::Instance(major) => major,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emulated(major) => major.fmt(f),
            Self::Instance(_) => f.write_str("rds"),
        }
    }
}
