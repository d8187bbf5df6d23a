//! Why someone's instance can't be played, with the way out.

use std::{net::SocketAddr, time::Duration};

use super::AccessError;

/// Why someone's instance can't be played.
#[derive(Debug, thiserror::Error)]
pub enum RdsError {
    /// A variable is wrong.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No address behind the name.
    #[error(
        "{host} (RDS_ENDPOINT) does not resolve: {why}; check the name, or give its address \
         in RDS_HOSTADDR"
    )]
    NotResolved {
        /// The name.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// Nobody answers there.
    #[error(
        "{address} can't be reached: {why}; check RDS_PORT, RDS_HOSTADDR, the security group \
         and whether the instance is reachable from here"
    )]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        why: String,
    },
    /// Somebody answers there, and says nothing.
    #[error(
        "{address} took the connection and said nothing for {} s: check that a PostgreSQL \
         listens there, or raise RDS_CONNECT_TIMEOUT",
        .waited.as_secs()
    )]
    Silent {
        /// The address.
        address: SocketAddr,
        /// How long was waited.
        waited: Duration,
    },
    /// Somebody answers there, who isn't PostgreSQL.
    #[error("{address} is no PostgreSQL: {why}; check RDS_PORT and RDS_HOSTADDR")]
    NotPostgres {
        /// The address.
        address: SocketAddr,
        /// What was answered.
        why: String,
    },
    /// TLS is offered, and no handshake comes about.
    #[error("the TLS handshake with {address} failed: {why}")]
    Handshake {
        /// The address.
        address: SocketAddr,
        /// What OpenSSL said.
        why: String,
    },
    /// The chain ends in a CA that the bundle doesn't hold.
    #[error(
        "RDS_CA_BUNDLE is not this instance's: its certificate is issued under `{issuer}`, and \
         {bundle} knows nobody of that name; download the bundle of its region, or the global one"
    )]
    WrongBundle {
        /// Whom the chain ends in.
        issuer: String,
        /// The bundle.
        bundle: String,
    },
    /// The root has expired.
    #[error(
        "RDS_CA_BUNDLE: `{root}`, which this instance's certificate is issued under, expired on \
         {on}; rotate the instance's CA, or download the current bundle"
    )]
    ExpiredRoot {
        /// The root.
        root: String,
        /// Its end.
        on: String,
    },
    /// The password is wrong.
    #[error(
        "the instance refused the password of {user} ({why}): check RDS_USER and RDS_PASSWORD \
         or RDS_PASSWORD_FILE; an IAM token lives for 15 minutes"
    )]
    Password {
        /// The role.
        user: String,
        /// What the server said.
        why: String,
    },
    /// No connection is left.
    #[error(
        "the instance takes no more connections ({why}): the harness needs one at a time to look \
         around and up to four to play; try again when it is less busy, or raise the limit"
    )]
    Limit {
        /// What the server said.
        why: String,
    },
    /// Any other refusal.
    #[error("the instance let {user} not into database {database} ({why}): {way_out}")]
    Refused {
        /// The role.
        user: String,
        /// The database.
        database: String,
        /// What the server said.
        why: String,
        /// What to check.
        way_out: &'static str,
    },
    /// Something broke on the way.
    #[error("the instance could not be asked to {what}: {why}")]
    Asked {
        /// What the question was for.
        what: &'static str,
        /// What came instead of an answer.
        why: String,
    },
    /// It took too long.
    #[error(
        "the instance gave no answer within {} s when asked to {what}: raise RDS_CONNECT_TIMEOUT, \
         or try again when it is less busy",
        .waited.as_secs()
    )]
    Late {
        /// What the question was for.
        what: &'static str,
        /// How long was waited.
        waited: Duration,
    },
    /// A version that no table speaks of.
    #[error("the instance is PostgreSQL {0}, and the suites speak of 10 to 18")]
    Version(String),
}

impl RdsError {
    /// Whether it is the person's turn to correct what was given: a variable,
    /// the password, the bundle.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Access(_)
                | Self::WrongBundle { .. }
                | Self::ExpiredRoot { .. }
                | Self::Password { .. }
                | Self::Refused { .. }
                | Self::Version(_)
        )
    }

    /// What a refused login means.
    pub(super) fn login(error: &tokio_postgres::Error, user: &str, database: &str) -> Self {
        let why = super::super::describe::describe(error);
        let state = error.as_db_error().map(|error| error.code().code());
        let way_out = match state {
            Some("28P01") => {
                return Self::Password {
                    user: user.to_owned(),
                    why,
                };
            }
            Some("28000") if why.contains("PAM authentication failed") => {
                return Self::Password {
                    user: user.to_owned(),
                    why,
                };
            }
            Some("53300") => return Self::Limit { why },
            Some("28000") => "check RDS_USER, and that pg_hba.conf lets it in from here",
            Some("3D000") => "check RDS_DATABASE",
            Some("42501") => "grant it CONNECT on RDS_DATABASE",
            _ => {
                return Self::Asked {
                    what: "log in",
                    why,
                };
            }
        };
        Self::Refused {
            user: user.to_owned(),
            database: database.to_owned(),
            why,
            way_out,
        }
    }
}
