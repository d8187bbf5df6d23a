//! Everything that the server side decides about TLS.

mod ciphers;
mod defaults;
mod effective;
mod hba;
mod settings;

use std::{fmt, str::FromStr};

pub use certs_gen::Leaf;
pub use defaults::{Defaults, DefaultsError, DefaultsTable};
pub use effective::Effective;
pub use hba::{HbaLine, hba};
use serde::{Deserialize, Serialize};
pub use settings::{ServerPaths, openssl_conf, settings};

/// A server policy. A field left unset takes the RDS default of the engine.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// `rds.force_ssl`: plaintext connections find no line in `pg_hba.conf`.
    pub force_ssl: Option<bool>,
    /// PostgreSQL's `ssl`; RDS never turns it off, other servers do.
    pub ssl: Option<bool>,
    /// The server certificate.
    pub leaf: Leaf,
    /// `ssl_min_protocol_version`.
    pub tls_min: Option<TlsVersion>,
    /// `ssl_max_protocol_version`.
    pub tls_max: Option<TlsVersion>,
    /// `ssl_ciphers`, an OpenSSL cipher list, or IANA's names as on RDS; TLS 1.2
    /// and below only.
    pub ciphers: Option<String>,
    /// Who finds a line in `pg_hba.conf` at all.
    pub admits: Admits,
}

/// Who finds a line in `pg_hba.conf`, TLS or not.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Admits {
    /// Every user, as on RDS.
    #[default]
    Everyone,
    /// The master user alone: what a refusal over TLS reads like.
    Master,
    /// Every user, and nobody over TLS.
    PlaintextOnly,
}

/// A TLS protocol version, in PostgreSQL's spelling (`TLSv1.2`).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum TlsVersion {
    /// RFC 2246.
    #[serde(rename = "TLSv1")]
    Tls10,
    /// RFC 4346.
    #[serde(rename = "TLSv1.1")]
    Tls11,
    /// RFC 5246.
    #[serde(rename = "TLSv1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

impl TlsVersion {
    const ALL: [Self; 4] = [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];
}

/// A word that is no [`TlsVersion`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown TLS version `{0}`; valid: TLSv1, TLSv1.1, TLSv1.2, TLSv1.3")]
pub struct UnknownTlsVersion(String);

impl FromStr for TlsVersion {
    type Err = UnknownTlsVersion;

    fn from_str(text: &str) -> Result<Self, UnknownTlsVersion> {
        (Self::ALL.into_iter())
            .find(|version| version.to_string() == text)
            .ok_or_else(|| UnknownTlsVersion(text.to_owned()))
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls10 => "TLSv1",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}
