//! PostgreSQL server programs: which version, where from, and a cluster to run.

/// A PostgreSQL version, as `17.6`, or a major version alone, as `17`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// 10 to 18, so far.
    pub major: u16,
    /// Absent where any will do.
    pub minor: Option<u16>,
}
