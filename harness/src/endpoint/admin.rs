//! The harness's own session: `rdsadmin`, by plain TCP, through the first line
//! of `pg_hba.conf`.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::try_join_all;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};

use super::{EndpointError, error::describe};
use crate::engine::ADMIN;

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

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
        Session::open(self.config())
            .await
            .map_err(|error| EndpointError::Unreachable {
                address: self.address,
                why: describe(&error),
            })
    }
}

/// One session of the superuser.
pub(super) struct Session {
    client: Client,
    task: JoinHandle<()>,
}

impl Session {
    /// Opens one; the caller says where and how.
    pub(super) async fn open(mut config: Config) -> Result<Self, tokio_postgres::Error> {
        config
            .user(ADMIN)
            .dbname("postgres")
            .application_name("rds-tls")
            .ssl_mode(SslMode::Disable)
            .connect_timeout(CONNECT_PATIENCE);
        let (client, connection) = config.connect(NoTls).await?;
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
        try_join_all(sent).await.map_err(refused(what))?;
        Ok(())
    }

    /// The rows of a query, each value as text.
    pub(super) async fn rows(
        &self,
        what: &str,
        query: &str,
    ) -> Result<Vec<Vec<Option<String>>>, EndpointError> {
        let answer = self
            .client
            .simple_query(query)
            .await
            .map_err(refused(what))?;
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

fn refused(what: &str) -> impl FnOnce(tokio_postgres::Error) -> EndpointError {
    move |error| EndpointError::Statement {
        what: what.to_owned(),
        why: describe(&error),
    }
}

/// An SQL string constant (`standard_conforming_strings` is on).
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
