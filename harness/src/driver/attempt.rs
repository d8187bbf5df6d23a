//! What a driver is asked to do, and what it answers.

use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// One connection to make: the parameters that a user of the driver would
/// write, and the address behind the name.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attempt {
    /// Names the attempt between harness and worker; unique in a run.
    pub id: u64,
    /// A named configuration of the driver's profile: how its user set up TLS.
    pub configuration: String,
    /// How the parameters reach the driver.
    pub form: Form,
    /// The name to verify: the endpoint's.
    pub host: String,
    /// The address to dial, without asking DNS: the tap's.
    pub hostaddr: IpAddr,
    /// The port to dial: the tap's.
    pub port: u16,
    /// The role to log in as.
    pub user: String,
    /// Its password; leaves the harness on a worker's stdin alone.
    #[serde(serialize_with = "expose")]
    pub password: SecretString,
    /// The database to open.
    pub database: String,
    /// `sslmode`, absent when the user says nothing.
    pub sslmode: Option<String>,
    /// Trust anchors: a PEM file, or the word `system`; absent when the user
    /// says nothing.
    pub sslrootcert: Option<String>,
    /// Further connection parameters of the driver, by their names.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// One statement to run over the session once it stands; absent when the
    /// connection itself is all that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// How connection parameters are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `host=… port=…` (or the driver's own builder, where it has no string).
    #[default]
    KeyValue,
    /// `postgresql://…`.
    Uri,
    /// `-h HOST port=… dbname=… user=…`, as the RDS document has it: psql alone.
    Arguments,
}

/// What a driver finds around it: the worker process that plays an attempt is
/// started with this and nothing else.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Surroundings {
    /// A PEM file to stand at `~/.postgresql/root.crt`.
    pub home_root_crt: Option<PathBuf>,
    /// `SSL_CERT_FILE`: what the system trusts. Without it the system store is
    /// empty.
    pub ssl_cert_file: Option<PathBuf>,
}

/// What an attempt came to, as the driver tells it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcome {
    /// A session stood, and answered a query.
    Connected {
        /// Whether the driver itself says that TLS is in use; absent where
        /// there is no way to ask it.
        tls: Option<bool>,
        /// The server's account of the same session.
        session: SessionRow,
        /// What the attempt's statement came to, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<Reply>,
    },
    /// The driver gave an error instead of a session.
    Refused {
        /// The error as a user reads it, causes joined by `: `.
        message: String,
        /// The SQLSTATE, where the error carries one.
        sqlstate: Option<String>,
    },
}

/// The driver's own row of `pg_stat_ssl`, asked over the session itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct SessionRow {
    /// `ssl`.
    pub ssl: bool,
    /// `version`, as `TLSv1.3`.
    pub version: Option<String>,
    /// `cipher`, OpenSSL's name.
    pub cipher: Option<String>,
}

/// What a statement came to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Its rows, values as text.
    Rows {
        /// The columns' names.
        columns: Vec<String>,
        /// NULL is absent.
        rows: Vec<Vec<Option<String>>>,
    },
    /// The server's error.
    Error {
        /// The error as a user of the driver reads it.
        message: String,
        /// The SQLSTATE.
        sqlstate: Option<String>,
    },
}
