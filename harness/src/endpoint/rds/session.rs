//! What someone's instance says of itself, and of whom it lets in.

use std::{net::SocketAddr, time::Duration};

use native_tls::{Certificate, TlsConnector};
use openssl::x509::X509;
use postgres_native_tls::MakeTlsConnector;
use secrecy::ExposeSecret as _;
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, Socket, config::SslMode};
use tokio_postgres::{error::SqlState, tls::MakeTlsConnect};

use super::{super::describe::describe, Access, RdsError};
use crate::driver::APPLICATION_NAME;

/// What the instance is set to: what a role may not see has no row.
/// `rds.force_ssl` is asked for by name, since a setting that no extension has
/// defined stands in no view.
pub const SETTINGS: &str = "SELECT name, setting FROM pg_catalog.pg_settings \
     WHERE name IN ('server_version', 'ssl_ciphers') \
     UNION ALL SELECT 'rds.force_ssl', pg_catalog.current_setting('rds.force_ssl', true)";

/// Who the user is, which roles it is in, which functions and extensions there
/// are: one name a row.
pub const RIGHTS: &str = "SELECT 'superuser' FROM pg_catalog.pg_roles \
     WHERE rolname = current_user AND rolsuper \
     UNION ALL SELECT 'role ' || rolname FROM pg_catalog.pg_roles \
     WHERE rolname IN ('rds_superuser', 'rdsadmin') \
     UNION ALL SELECT 'member ' || rolname FROM pg_catalog.pg_roles \
     WHERE rolname IN ('rds_superuser', 'pg_monitor') \
     AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER') \
     UNION ALL SELECT 'function ' || proname FROM pg_catalog.pg_proc \
     WHERE proname = 'aurora_version' \
     UNION ALL SELECT 'extension ' || extname FROM pg_catalog.pg_extension \
     WHERE extname = 'sslinfo'";

/// The one statement that writes, sent where `RDS_ALLOW_DDL` is 1 alone.
pub const CREATE_EXTENSION: &str = "CREATE EXTENSION IF NOT EXISTS sslinfo";

/// What a login in plaintext came to, before any password was sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Plaintext {
    /// It may go on to the password.
    Admitted,
    /// It finds no line in `pg_hba.conf`.
    NoEntry,
    /// An RDS Proxy wants TLS.
    Proxy,
}

/// Knocks without TLS and without a password: whether the server would go on
/// says all that there is to know, and no password goes over the wire in clear.
pub(super) async fn plaintext(access: &Access, address: SocketAddr) -> Result<Plaintext, RdsError> {
    let what = "log in without TLS";
    let mut config = config(access, address);
    config.ssl_mode(SslMode::Disable);
    let knocked = timeout(access.timeout, config.connect(NoTls)).await;
    match knocked.map_err(|_| late(what, access.timeout))? {
        // Let in without a password.
        Ok(_) => Ok(Plaintext::Admitted),
        Err(error) => match error.as_db_error() {
            Some(refusal) if *refusal.code() == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                let message = refusal.message();
                if message.contains("RDS Proxy requires TLS") {
                    Ok(Plaintext::Proxy)
                } else if message.starts_with("no pg_hba.conf entry for host")
                    || message.starts_with("pg_hba.conf rejects connection for host")
                {
                    Ok(Plaintext::NoEntry)
                } else {
                    Err(refused(access, &error))
                }
            }
            Some(_) => Err(refused(access, &error)),
            // tokio-postgres finds that it has none to send.
            None if describe(&error).contains("password missing") => Ok(Plaintext::Admitted),
            None => Err(RdsError::Asked {
                what,
                why: describe(&error),
            }),
        },
    }
}

/// A session of the user.
pub(super) struct Session {
    client: Client,
    task: JoinHandle<()>,
    timeout: Duration,
}

impl Session {
    /// Logs in: over TLS to a server whose certificate verifies, over TLS to
    /// any other without verification, in plaintext where there is no TLS.
    pub(super) async fn open(
        access: &Access,
        address: SocketAddr,
        transport: &Transport<'_>,
    ) -> Result<Self, RdsError> {
        let mut config = config(access, address);
        config.password(access.login.password.expose_secret());
        let connector = match transport {
            Transport::Plaintext => {
                config.ssl_mode(SslMode::Disable);
                return Self::connect(access, &config, NoTls).await;
            }
            Transport::Verified(roots) => connector(roots),
            Transport::Unverified => TlsConnector::builder()
                .danger_accept_invalid_certs(true)
                .danger_accept_invalid_hostnames(true)
                .disable_built_in_roots(true)
                .build(),
        };
        let connector = connector.map_err(|error| RdsError::Asked {
            what: "log in",
            why: format!("the TLS library: {error}"),
        })?;
        config.ssl_mode(SslMode::Require);
        Self::connect(access, &config, MakeTlsConnector::new(connector)).await
    }

    async fn connect<T>(access: &Access, config: &Config, tls: T) -> Result<Self, RdsError>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let connected = timeout(access.timeout, config.connect(tls)).await;
        let (client, connection) = connected
            .map_err(|_| late("log in", access.timeout))?
            .map_err(|error| refused(access, &error))?;
        let task = tokio::spawn(async {
            // Its errors come to light in the client's next statement.
            let _ = connection.await;
        });
        Ok(Self {
            client,
            task,
            timeout: access.timeout,
        })
    }

    /// The rows of a query, each value as text; rows with a NULL are left out.
    pub(super) async fn rows(
        &self,
        what: &'static str,
        query: &str,
    ) -> Result<Vec<Vec<String>>, RdsError> {
        let messages = self
            .ask(what, query)
            .await?
            .map_err(|error| RdsError::Asked {
                what,
                why: describe(&error),
            })?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|column| row.get(column).map(str::to_owned));
                values.collect()
            }
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Runs a statement; the server's refusal of it is an answer.
    pub(super) async fn run(
        &self,
        what: &'static str,
        statement: &str,
    ) -> Result<Result<(), String>, RdsError> {
        match self.ask(what, statement).await? {
            Ok(_) => Ok(Ok(())),
            Err(error) if error.as_db_error().is_some() => Ok(Err(describe(&error))),
            Err(error) => Err(RdsError::Asked {
                what,
                why: describe(&error),
            }),
        }
    }

    async fn ask(
        &self,
        what: &'static str,
        text: &str,
    ) -> Result<Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>, RdsError> {
        let asked = timeout(self.timeout, self.client.simple_query(text)).await;
        asked.map_err(|_| late(what, self.timeout))
    }

    /// Says goodbye, so that the server's log has no lost connection.
    pub(super) async fn close(self) {
        let Self {
            client,
            mut task,
            timeout: within,
        } = self;
        drop(client);
        if timeout(within, &mut task).await.is_err() {
            task.abort();
        }
    }
}

/// How a session is opened.
pub(super) enum Transport<'a> {
    /// Without TLS.
    Plaintext,
    /// Over TLS, whoever is at its other end.
    Unverified,
    /// Over TLS, verified as verify-full does.
    Verified(&'a [X509]),
}

fn config(access: &Access, address: SocketAddr) -> Config {
    let mut config = Config::new();
    config
        .host(&access.host)
        .hostaddr(address.ip())
        .port(address.port())
        .user(&access.login.user)
        .dbname(&access.login.database)
        .application_name(APPLICATION_NAME)
        .connect_timeout(access.timeout);
    config
}

fn connector(roots: &[X509]) -> native_tls::Result<TlsConnector> {
    let mut builder = TlsConnector::builder();
    builder.disable_built_in_roots(true);
    for root in roots {
        // What OpenSSL wrote, it reads.
        if let Ok(der) = root.to_der() {
            builder.add_root_certificate(Certificate::from_der(&der)?);
        }
    }
    builder.build()
}

fn refused(access: &Access, error: &tokio_postgres::Error) -> RdsError {
    RdsError::login(error, &access.login.user, &access.login.database)
}

fn late(what: &'static str, waited: Duration) -> RdsError {
    RdsError::Late { what, waited }
}
