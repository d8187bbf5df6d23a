//! What an axis value sets, and how the values of one cell come together.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Finds, Held, TrustKind};
use crate::{
    driver::Form,
    policy::{Admits, Leaf, Policy, TlsVersion},
};

/// Trust anchors that a case may name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// The root that the server's chain ends in.
    Root,
    /// The root of another CA.
    WrongRoot,
    /// The subordinate CA alone.
    Subordinate,
    /// The root and the subordinate CA.
    Both,
    /// A look-alike of AWS's `global-bundle.pem`.
    Bundle,
    /// A path where no file is.
    Missing,
    /// The word `system`.
    System,
    /// Those that a person gave, beside a leaf of their own.
    Given,
}

impl Trust {
    /// What it holds of the server's chain (`certs_gen::Trust`).
    #[must_use]
    pub const fn holds(self) -> Held {
        match self {
            Self::Root | Self::Bundle | Self::Given => Held::Root,
            Self::WrongRoot | Self::Missing | Self::System => Held::Other,
            Self::Subordinate => Held::Subordinate,
            Self::Both => Held::Both,
        }
    }
}

/// Who logs in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// The master user.
    #[default]
    Master,
    /// A role that a policy may leave without a line in `pg_hba.conf`.
    Stranger,
}

/// What a user writes for the host, and so has verified.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Dial {
    /// The endpoint's name.
    #[default]
    Name,
    /// The address behind it, as [`certs_gen::ADDRESS`] in certificates.
    Address,
}

/// What a cell takes for granted of the server. An emulated server always
/// grants it; on someone's instance, a cell is left out where it isn't so.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Given {
    /// That it is as the policy says, and as RDS makes it where the policy is
    /// silent: what cells about drivers need.
    #[default]
    Policy,
    /// A certificate whose chain verifies, in a cell about the instance.
    Chain,
    /// TLS, in a cell about the instance.
    Tls,
    /// Nothing, in a cell about the instance.
    Nothing,
}

/// Which service a PostgreSQL server is of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Amazon RDS for PostgreSQL.
    Rds,
    /// Amazon Aurora PostgreSQL.
    Aurora,
    /// Amazon RDS Proxy, before either.
    RdsProxy,
    /// None of these.
    Other,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rds => "RDS for PostgreSQL",
            Self::Aurora => "Aurora PostgreSQL",
            Self::RdsProxy => "RDS Proxy",
            Self::Other => "PostgreSQL that is not Amazon's",
        })
    }
}

/// A role that the master user must be in to be told something; on someone's
/// instance, `RDS_USER` may be in none.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// `pg_monitor`, which sees the settings that are for superusers.
    PgMonitor,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::PgMonitor => "pg_monitor",
        })
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        /// What an axis value sets: of the server policy, of the attempt, or of
        /// what the driver finds around it.
        #[derive(Clone, Debug, Default, Deserialize, PartialEq)]
        #[serde(deny_unknown_fields, default)]
        pub struct Settings {
            $($(#[$doc])* pub $field: Option<$kind>,)*
            /// Further connection parameters by the driver's names.
            pub options: BTreeMap<String, String>,
        }

        impl Settings {
            /// Takes over what `other` sets.
            ///
            /// # Errors
            /// The name of a key that both set.
            pub fn merge(&mut self, other: &Self) -> Result<(), String> {
                $(if let Some(value) = &other.$field
                    && self.$field.replace(value.clone()).is_some()
                {
                    return Err(stringify!($field).to_owned());
                })*
                for (name, value) in &other.options {
                    if self.options.insert(name.clone(), value.clone()).is_some() {
                        return Err(format!("options.{name}"));
                    }
                }
                Ok(())
            }
        }
    };
}

settings! {
    /// Policy: `rds.force_ssl`.
    force_ssl: bool,
    /// Policy: PostgreSQL's `ssl`.
    ssl: bool,
    /// Policy: the server certificate.
    leaf: Leaf,
    /// Policy: `ssl_min_protocol_version`.
    tls_min: TlsVersion,
    /// Policy: `ssl_max_protocol_version`.
    tls_max: TlsVersion,
    /// Policy: `ssl_ciphers`.
    ciphers: String,
    /// Policy: who finds a line in `pg_hba.conf`.
    admits: Admits,
    /// Attempt: a configuration of the driver's profile.
    configuration: String,
    /// Attempt: connection string or URI.
    form: Form,
    /// Attempt: the host.
    host: Dial,
    /// Attempt: `sslmode`.
    sslmode: String,
    /// Attempt: `sslrootcert`.
    sslrootcert: Trust,
    /// Attempt: who logs in.
    user: Who,
    /// Attempt: the database.
    database: String,
    /// Attempt: a question of the suite, to ask over the session.
    ask: String,
    /// Server: what the attempt is answered by `pg_hba.conf`.
    finds: Finds,
    /// Surroundings: `~/.postgresql/root.crt`.
    home_root_crt: Trust,
    /// Surroundings: `SSL_CERT_FILE`.
    ssl_cert_file: Trust,
    /// Endpoint: what the cell takes for granted.
    given: Given,
    /// Endpoint: the only kind that makes the promise.
    kind: Kind,
    /// Endpoint: a role that the user must be in.
    member_of: Role,
}

/// Connection parameters that attempts have anyway.
const OWN_PARAMETERS: [&str; 9] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "application_name",
    "sslmode",
    "sslrootcert",
];

impl Settings {
    /// An option that a key of its own sets.
    #[must_use]
    pub fn shadowing_option(&self) -> Option<&str> {
        let own = |name: &&String| OWN_PARAMETERS.contains(&name.as_str());
        self.options.keys().find(own).map(String::as_str)
    }

    /// How trust anchors are named.
    #[must_use]
    pub fn trust_kind(&self) -> TrustKind {
        match (self.sslrootcert, self.home_root_crt) {
            (None, None) => TrustKind::None,
            (None, Some(_)) => TrustKind::Home,
            (Some(Trust::Missing), _) => TrustKind::Missing,
            (Some(Trust::System), _) if self.ssl_cert_file.is_none() => TrustKind::SystemEmpty,
            (Some(Trust::System), _) => TrustKind::System,
            (Some(_), _) => TrustKind::File,
        }
    }

    /// What a file of trust anchors holds of the server's chain: the one that is
    /// named, or the one at home.
    #[must_use]
    pub fn held_by_file(&self) -> Held {
        let trust = self.sslrootcert.or(self.home_root_crt);
        trust.map_or(Held::Other, |trust| self.held_by(trust))
    }

    /// The same of the file's first certificate.
    #[must_use]
    pub fn held_by_first(&self) -> Held {
        match self.sslrootcert.or(self.home_root_crt) {
            // The first of a bundle is a stranger; a trusted leaf stands second.
            Some(Trust::Bundle) | None => Held::Other,
            Some(_) if self.leaf == Some(Leaf::TrustedCa) => Held::Other,
            Some(Trust::Both) => Held::Root,
            Some(trust) => trust.holds(),
        }
    }

    /// The same of what the system trusts.
    #[must_use]
    pub fn held_by_system(&self) -> Held {
        (self.ssl_cert_file).map_or(Held::Other, |trust| self.held_by(trust))
    }

    /// What a file holds of the chain of the cell's leaf.
    fn held_by(&self, trust: Trust) -> Held {
        match (self.leaf, trust) {
            // It is its own root, and in these files.
            (Some(Leaf::TrustedCa), Trust::Root | Trust::Both) => Held::Root,
            (Some(Leaf::TrustedCa), _) => Held::Other,
            _ => trust.holds(),
        }
    }

    /// Whether they need something that a person must give first.
    #[must_use]
    pub fn need_given(&self) -> bool {
        let trusts = [self.sslrootcert, self.home_root_crt, self.ssl_cert_file];
        self.leaf == Some(Leaf::Given) || trusts.contains(&Some(Trust::Given))
    }

    /// The part that the server decides.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            force_ssl: self.force_ssl,
            ssl: self.ssl,
            leaf: self.leaf.unwrap_or_default(),
            tls_min: self.tls_min,
            tls_max: self.tls_max,
            ciphers: self.ciphers.clone(),
            admits: self.admits.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_that_set_the_same_key_are_a_conflict() {
        let mut one = Settings {
            force_ssl: Some(true),
            ..Settings::default()
        };
        let two = Settings {
            ssl: Some(false),
            ..Settings::default()
        };
        assert_eq!(one.merge(&two), Ok(()));
        assert_eq!(one.merge(&two), Err("ssl".to_owned()));
    }
}
