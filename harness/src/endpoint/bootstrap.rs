//! The first steps on a fresh copy of the template: passwords, over a Unix
//! socket in a private folder, which `pg_hba.conf` then forgets.

use std::{
    fmt::Write,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use openssl::rand::rand_bytes;
use postgres_protocol::password::scram_sha_256;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::Config;

use super::{
    EndpointError,
    admin::{Session, quoted},
    error::describe,
    log::ServerLog,
    server::Server,
};
use crate::{
    engine::{ADMIN, MASTER, STRANGER, Version},
    policy::HbaLine,
};

/// How long a server may take to accept its first connection.
const START_PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);

/// The passwords of a run.
pub(super) struct Passwords {
    pub(super) admin: SecretString,
    pub(super) master: SecretString,
    pub(super) stranger: SecretString,
}

impl Passwords {
    /// 128 random bits each.
    pub(super) fn random() -> Result<Self, EndpointError> {
        Ok(Self {
            admin: random()?,
            master: random()?,
            stranger: random()?,
        })
    }

    /// The server is given verifiers (RFC 5803): it never sees a password, so
    /// neither its log nor its catalog can tell one.
    fn statements(&self) -> Vec<String> {
        [
            (ADMIN, &self.admin),
            (MASTER, &self.master),
            (STRANGER, &self.stranger),
        ]
        .map(|(role, password)| {
            let verifier = scram_sha_256(password.expose_secret().as_bytes());
            format!("ALTER ROLE {role} PASSWORD {}", quoted(&verifier))
        })
        .to_vec()
    }
}

fn random() -> Result<SecretString, EndpointError> {
    let mut bytes = [0; 16];
    rand_bytes(&mut bytes).map_err(|error| {
        EndpointError::io("the random number generator of OpenSSL")(error.into())
    })?;
    let mut text = String::new();
    for byte in bytes {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text.into())
}

/// Opens the socket to the superuser, before the server's first start.
pub(super) fn write_first_hba(data: &Path, lines: &[HbaLine]) -> Result<(), EndpointError> {
    let path = data.join("pg_hba.conf");
    let mut text = format!("local all {ADMIN} trust\n");
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    // Written over, not anew: it stays the server user's.
    fs::write(&path, text).map_err(EndpointError::io(path))
}

/// Waits for the server, and gives the roles their passwords.
///
/// # Errors
/// [`EndpointError::NotStarted`] when the process ends or time runs out.
pub(super) async fn bootstrap(
    server: &mut Server,
    version: Version,
    socket: &Path,
    log: &ServerLog,
    passwords: &Passwords,
) -> Result<(), EndpointError> {
    let mut config = Config::new();
    config.host_path(socket).port(server.address.port());
    let session = first_session(server, version, config, log).await?;
    session.run("set passwords", &passwords.statements()).await
}

/// Waits until the server lets the superuser in.
pub(super) async fn first_session(
    server: &mut Server,
    version: Version,
    config: Config,
    log: &ServerLog,
) -> Result<Session, EndpointError> {
    let patience = Instant::now() + START_PATIENCE;
    loop {
        let why = match Session::open(config.clone()).await {
            Ok(session) => return Ok(session),
            Err(error) => describe(&error),
        };
        let ended = server.ended();
        if ended.is_some() || Instant::now() > patience {
            return Err(EndpointError::NotStarted {
                version,
                why: ended.unwrap_or(why),
                log: log.tail(),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}
