//! The login that must work under every policy: a group whose sanity login
//! fails says nothing about TLS.

use std::{io, time::Duration};

use native_tls::TlsConnector;
use postgres_native_tls::MakeTlsConnector;
use secrecy::ExposeSecret;
use tokio_postgres::{Config, config::SslMode};

use super::{EndpointError, Facts, describe::describe};
use crate::driver::APPLICATION_NAME;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Logs in as the master user.
pub(super) struct Sanity {
    /// Takes any certificate. Built once, and without the system's roots: to
    /// load them takes longer than a login.
    tls: MakeTlsConnector,
}

impl Sanity {
    pub(super) fn new() -> Result<Self, EndpointError> {
        let tls = TlsConnector::builder()
            .danger_accept_invalid_certs(true)
            .danger_accept_invalid_hostnames(true)
            .disable_built_in_roots(true)
            .build()
            .map_err(|error| EndpointError::io("the TLS library")(io::Error::other(error)))?;
        Ok(Self {
            tls: MakeTlsConnector::new(tls),
        })
    }

    /// One login, over TLS or in plaintext, whose own row of `pg_stat_ssl`
    /// must agree.
    pub(super) async fn login(&self, facts: &Facts, ssl: bool) -> Result<(), EndpointError> {
        let master = &facts.master;
        let mut config = Config::new();
        config
            .host(facts.address.ip().to_string())
            .port(facts.address.port())
            .user(&master.user)
            .password(master.password.expose_secret())
            .dbname(&master.database)
            .application_name(APPLICATION_NAME)
            .ssl_mode(if ssl {
                SslMode::Require
            } else {
                SslMode::Disable
            });
        let why = match tokio::time::timeout(TIMEOUT, self.ask(&config)).await {
            Ok(Ok(seen)) if seen == ssl => return Ok(()),
            Ok(Ok(seen)) => format!("pg_stat_ssl.ssl is {seen}"),
            Ok(Err(error)) => describe(&error),
            Err(_) => {
                return Err(EndpointError::Silent {
                    what: format!("let {} log in", master.user),
                    waited: TIMEOUT,
                });
            }
        };
        Err(EndpointError::Sanity {
            user: master.user.clone(),
            why,
        })
    }

    async fn ask(&self, config: &Config) -> Result<bool, tokio_postgres::Error> {
        const QUERY: &str = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let (client, connection) = config.connect(self.tls.clone()).await?;
        let connection = tokio::spawn(connection);
        let answer = client.query_one(QUERY, &[]).await;
        drop(client);
        // Ends with the client; its errors are the query's.
        let _ = connection.await;
        answer?.try_get(0)
    }
}
