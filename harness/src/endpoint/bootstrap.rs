//! The first steps on a server: waiting for it, and passwords.

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
    log::Log,
    place::Place,
};
use crate::{
    engine::{ADMIN, MASTER, STRANGER, Version},
    policy::HbaLine,
};

/// How long a server may take to accept its first connection.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);

/// Who the master user is, where somebody cares.
#[derive(Clone, Debug, Default)]
pub struct Master {
    /// Its name: lowercase letters, digits and `_`; `postgres` without.
    pub user: Option<String>,
    /// Its password; a random one without.
    pub password: Option<SecretString>,
}

/// Roles and passwords of a run.
pub(super) struct Passwords {
    pub(super) admin: SecretString,
    pub(super) master_user: String,
    pub(super) master: SecretString,
    pub(super) stranger: SecretString,
}

impl Passwords {
    /// 128 random bits each, where nothing else is asked for.
    pub(super) fn new(master: &Master) -> Result<Self, EndpointError> {
        let user = master.user.as_deref().unwrap_or(MASTER);
        if !is_plain(user) || [ADMIN, STRANGER].contains(&user) {
            return Err(EndpointError::MasterName(user.to_owned()));
        }
        Ok(Self {
            admin: random()?,
            master_user: user.to_owned(),
            master: master.password.clone().map_or_else(random, Ok)?,
            stranger: random()?,
        })
    }

    /// The server is given verifiers (RFC 5803): it never sees a password, so
    /// neither its log nor its catalog can tell one.
    fn statements(&self) -> Vec<String> {
        let master = self.master_user.as_str();
        let rename = (master != MASTER).then(|| format!("ALTER ROLE {MASTER} RENAME TO {master}"));
        let passwords = [
            (ADMIN, &self.admin),
            (master, &self.master),
            (STRANGER, &self.stranger),
        ]
        .map(|(role, password)| {
            let verifier = scram_sha_256(password.expose_secret().as_bytes());
            format!("ALTER ROLE {role} PASSWORD {}", quoted(&verifier))
        });
        rename.into_iter().chain(passwords).collect()
    }
}

/// Whether a name needs no quotes, in SQL or in `pg_hba.conf`.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let reserved = ["all", "none", "public", "user"];
    name.bytes().all(plain)
        && name
            .bytes()
            .next()
            .is_some_and(|first| !first.is_ascii_digit())
        && name.len() < 64
        && !name.starts_with("pg_")
        && !reserved.contains(&name)
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

/// Opens the Unix socket, in a private folder, to the superuser before the
/// server's first start. The first policy closes it.
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
/// [`EndpointError::NotStarted`] when it ends or time runs out.
pub(super) async fn bootstrap(
    place: &mut impl Place,
    version: Version,
    config: Config,
    passwords: &Passwords,
) -> Result<(), EndpointError> {
    let session = first_session(place, version, config).await?;
    session.run("set passwords", &passwords.statements()).await
}

/// Waits until the server lets the superuser in.
///
/// # Errors
/// [`EndpointError::NotStarted`] when it ends or time runs out.
pub(super) async fn first_session(
    place: &mut impl Place,
    version: Version,
    config: Config,
) -> Result<Session, EndpointError> {
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let why = match Session::open(config.clone()).await {
            Ok(session) => return Ok(session),
            Err(error) => error.to_string(),
        };
        let ended = place.ended().await;
        if ended.is_some() || Instant::now() > deadline {
            return Err(EndpointError::NotStarted {
                version,
                why: ended.unwrap_or(why),
                log: place.log().tail().await,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("postgres", true)]
    #[case("app_1", true)]
    #[case("", false)]
    #[case("1app", false)]
    #[case("App", false)]
    #[case("a b", false)]
    #[case("a\"; DROP ROLE x; --", false)]
    #[case("pg_mine", false)]
    #[case("all", false)]
    #[case("rdsadmin", false)]
    #[case("stranger", false)]
    fn a_master_has_a_plain_name(#[case] name: &str, #[case] fine: bool) {
        let master = Master {
            user: Some(name.to_owned()),
            password: None,
        };
        assert_eq!(Passwords::new(&master).is_ok(), fine);
    }
}
