//! A policy as the lines of `pg_hba.conf`.

use std::fmt;

use super::{Admits, Effective};
use crate::engine::{ADMIN, RESERVED_DATABASE};

/// A line of `pg_hba.conf`. Its fields are words without spaces or quotes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HbaLine {
    /// `host`, `hostssl` or `hostnossl`.
    pub connection: &'static str,
    /// A database, or `all`.
    pub database: &'static str,
    /// A role, or `all`.
    pub user: String,
    /// An address range, or `all`.
    pub address: &'static str,
    /// `scram-sha-256` or `reject`.
    pub method: &'static str,
}

impl fmt::Display for HbaLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            connection,
            database,
            user,
            address,
            method,
        } = self;
        write!(f, "{connection} {database} {user} {address} {method}")
    }
}

/// The lines for a policy, in order: PostgreSQL takes the first that matches.
///
/// The harness's own way in comes first (from `admin_from`, an address range),
/// so that no policy shuts it out. The database that RDS keeps for itself is
/// rejected by a line of its own, as on RDS (`pg_hba.conf rejects connection
/// …`). Nothing else is rejected in words: who may not come in finds no line
/// (`no pg_hba.conf entry …`). `master` is the master user's name.
#[must_use]
pub fn hba(policy: &Effective, admin_from: &'static str, master: &str) -> Vec<HbaLine> {
    let line = |connection, database, user: &str, address, method| HbaLine {
        connection,
        database,
        user: user.to_owned(),
        address,
        method,
    };
    let connection = match (policy.admits, policy.force_ssl) {
        (Admits::PlaintextOnly, _) => "hostnossl",
        (_, true) => "hostssl",
        (_, false) => "host",
    };
    let user = match policy.admits {
        Admits::Everyone | Admits::PlaintextOnly => "all",
        Admits::Master => master,
    };
    vec![
        line("host", "all", ADMIN, admin_from, "scram-sha-256"),
        line("host", RESERVED_DATABASE, "all", "all", "reject"),
        line(connection, "all", user, "all", "scram-sha-256"),
    ]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::policy::{Leaf, TlsVersion};

    #[rstest]
    #[case(true, Admits::Everyone, "hostssl all all all scram-sha-256")]
    #[case(false, Admits::Everyone, "host all all all scram-sha-256")]
    #[case(true, Admits::Master, "hostssl all postgres all scram-sha-256")]
    #[case(false, Admits::Master, "host all postgres all scram-sha-256")]
    #[case(false, Admits::PlaintextOnly, "hostnossl all all all scram-sha-256")]
    fn the_last_line_is_the_policy(
        #[case] force_ssl: bool,
        #[case] admits: Admits,
        #[case] last: &str,
    ) {
        let policy = Effective {
            force_ssl,
            ssl: true,
            leaf: Leaf::Right,
            tls_min: TlsVersion::Tls12,
            tls_max: TlsVersion::Tls13,
            ciphers: "HIGH".to_owned(),
            admits,
        };
        let lines: Vec<_> = hba(&policy, "127.0.0.1/32", "postgres")
            .iter()
            .map(HbaLine::to_string)
            .collect();
        assert_eq!(
            lines,
            [
                "host all rdsadmin 127.0.0.1/32 scram-sha-256",
                "host rdsadmin all all reject",
                last
            ]
        );
    }
}
