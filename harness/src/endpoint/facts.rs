//! What is fixed for an endpoint's life.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;

use crate::{engine::Version, suite::Trust};

/// What is fixed for an endpoint's life.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `embedded`, `container` or `rds`.
    pub kind: &'static str,
    /// The version of PostgreSQL.
    pub engine: Version,
    /// The name that clients know the endpoint by and verify.
    pub host: String,
    /// The address behind the name.
    pub address: SocketAddr,
    /// The master user, no superuser.
    pub master: Login,
    /// A role with a valid password that a policy may leave without a line in
    /// `pg_hba.conf`.
    pub stranger: Login,
    /// Trust anchors that are the endpoint's own; for what is missing here, the
    /// run's are taken.
    pub trust: BTreeMap<Trust, PathBuf>,
    /// How hard it may be used.
    pub limits: Limits,
    /// What was found out about it, a line each, for people; nothing about a
    /// server that was made to order.
    pub found: Vec<String>,
}

/// How hard an endpoint may be used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Limits {
    /// Connections that may stand at once, and so attempts; absent where it doesn't
    /// matter.
    pub connections: Option<usize>,
    /// How long a run may last; absent where it doesn't matter.
    pub run: Option<Duration>,
}

/// How to log in.
#[derive(Clone, Debug)]
pub struct Login {
    /// The role.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// The database to open.
    pub database: String,
}
