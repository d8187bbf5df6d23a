//! The harness's own session: `rdsadmin`, by plain TCP, through the first line
//! of `pg_hba.conf`.

use std::{future::Future, net::SocketAddr, time::Duration};

use futures_util::future::try_join_all;
use secrecy::{ExposeSecret, SecretString};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, NoTls, config::SslMode};

use super::{EndpointError, describe::describe};
use crate::engine::ADMIN;

/// How long a login may take. A server that is stopped has its connections
/// accepted by the system, and then says nothing.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the statements of one step may take; milliseconds are usual.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// A session that is opened again when it was lost.
pub(super) struct Admin {
    address: SocketAddr,
    password: SecretString,
    session: Option<Session>,
}

impl Admin {
    pub(super) fn new(address: SocketAddr, password: SecretString) -> Self {
        Self {
            address,
            password,
            session: None,
        }
    }

    /// Closes the session, so that the server need not.
    pub(super) fn close(&mut self) {
        self.session = None;
    }

    pub(super) async fn session(&mut self) -> Result<&Session, EndpointError> {
        let live = self.session.take().filter(|s| !s.client.is_closed());
        let session = match live {
            Some(session) => session,
            None => self.connect().await?,
        };
        Ok(self.session.insert(session))
    }

    /// Where and as whom it logs in.
    pub(super) fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host(self.address.ip().to_string())
            .port(self.address.port())
            .password(self.password.expose_secret());
        config
    }

    async fn connect(&self) -> Result<Session, EndpointError> {
        let opened = Session::open(self.config()).await;
        opened.map_err(|error| match error {
            NotOpened::Refused(why) => EndpointError::Unreachable {
                address: self.address,
                why,
            },
            NotOpened::Silent => EndpointError::Silent {
                what: "let the harness in".to_owned(),
                waited: LOGIN_TIMEOUT,
            },
        })
    }
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOpened {
    /// By the server, or by the system.
    #[error("{0}")]
    Refused(String),
    /// Nobody said anything.
    #[error("no answer to a login within {LOGIN_TIMEOUT:?}")]
    Silent,
}

/// One session of the superuser.
pub(super) struct Session {
    client: Client,
    task: JoinHandle<()>,
}

impl Session {
    /// Opens one; the caller says where and how.
    pub(super) async fn open(mut config: Config) -> Result<Self, NotOpened> {
        config
            .user(ADMIN)
            .dbname("postgres")
            .application_name("rds-tls")
            .ssl_mode(SslMode::Disable);
        // The driver's own `connect_timeout` ends with the TCP connection.
        let (client, connection) = match timeout(LOGIN_TIMEOUT, config.connect(NoTls)).await {
            Ok(connected) => connected.map_err(|e| NotOpened::Refused(describe(&e)))?,
            Err(_) => return Err(NotOpened::Silent),
        };
        let task = tokio::spawn(async {
            // Its errors come to light in the client's next statement.
            let _ = connection.await;
        });
        Ok(Self { client, task })
    }

    /// Runs statements in order, without waiting for one before sending the
    /// next; each is a transaction of its own, as ALTER SYSTEM asks for.
    /// `what` names them in an error, which never shows their text.
    pub(super) async fn run(&self, what: &str, statements: &[String]) -> Result<(), EndpointError> {
        let sent = statements.iter().map(|one| self.client.batch_execute(one));
        answered(what, try_join_all(sent)).await?;
        Ok(())
    }

    /// The rows of a query, each value as text.
    pub(super) async fn rows(
        &self,
        what: &str,
        query: &str,
    ) -> Result<Vec<Vec<Option<String>>>, EndpointError> {
        let answer = answered(what, self.client.simple_query(query)).await?;
        let rows = answer.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                let values = (0..row.len()).map(|i| row.get(i).map(str::to_owned));
                Some(values.collect())
            }
            _ => None,
        });
        Ok(rows.collect())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits for the answer to statements.
async fn answered<T>(
    what: &str,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, EndpointError> {
    let what = what.to_owned();
    match timeout(STATEMENT_TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(EndpointError::Statement {
            what,
            why: describe(&error),
        }),
        Err(_) => Err(EndpointError::Silent {
            what,
            waited: STATEMENT_TIMEOUT,
        }),
    }
}

/// An SQL string constant (`standard_conforming_strings` is on).
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
