//! What is fixed for an endpoint's life.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;

use crate::{engine::Version, suite::Trust};

/// What is fixed for an endpoint's life.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where the server runs.
    pub kind: EndpointKind,
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

/// Where the server of an endpoint runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndpointKind {
    /// A server program on this machine.
    Embedded,
    /// A container.
    Container,
    /// Someone's real instance.
    Rds,
}

impl EndpointKind {
    /// Its word in output.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Container => "container",
            Self::Rds => "rds",
        }
    }

    /// Whether the harness starts the server for the run, and stops it.
    #[must_use]
    pub const fn is_started_for_the_run(self) -> bool {
        match self {
            Self::Embedded | Self::Container => true,
            Self::Rds => false,
        }
    }
}

impl fmt::Display for EndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
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
