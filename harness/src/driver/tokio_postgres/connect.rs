//! One attempt by tokio-postgres, whatever its connector.

use std::{future::Future, time::Duration};

use secrecy::ExposeSecret as _;
use tokio_postgres::{Config, SimpleQueryMessage, Socket, tls::MakeTlsConnect};

use crate::{
    causes::chain,
    driver::{
        Attempt, Outcome, Reply, SESSION_QUERY, SessionRow,
        connection_string::{TrustAnchors, connection_string},
    },
};

/// Parses the connection string, connects, asks for the session's row, and says
/// goodbye. `tls_in_use` is asked once the session stands.
///
/// # Errors
/// With a sentence, when the session has no row; what tokio-postgres reports is
/// an [`Outcome`].
pub async fn play<T>(
    attempt: &Attempt,
    connector: T,
    tls_in_use: impl Fn() -> bool,
) -> Result<Outcome, String>
where
    T: MakeTlsConnect<Socket>,
{
    match connect(attempt, connector).await {
        Ok((session, reply)) => Ok(Outcome::Connected {
            tls: Some(tls_in_use()),
            session: session_row(&session).ok_or("pg_stat_ssl has no row for the session")?,
            reply,
        }),
        Err(error) => Ok(Outcome::Refused {
            sqlstate: sqlstate(&error),
            message: chain(&error),
        }),
    }
}

async fn connect<T>(
    attempt: &Attempt,
    connector: T,
) -> Result<(Vec<SimpleQueryMessage>, Option<Reply>), tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
{
    let string = connection_string(attempt, TrustAnchors::InProgram);
    let config: Config = string.expose_secret().parse()?;
    let (client, connection) = config.connect(connector).await?;
    let queries = async {
        // The client lives in here: the connection ends once it is dropped.
        let client = client;
        let session = client.simple_query(SESSION_QUERY).await?;
        let reply = match &attempt.query {
            Some(query) => Some(reply(client.simple_query(query).await)?),
            None => None,
        };
        Ok((session, reply))
    };
    match tokio::join!(queries, connection) {
        (Ok(answers), _) => Ok(answers),
        // The query knows no more than that the connection is gone.
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
}

/// The server's own errors are answers; what ends the session isn't.
fn reply(
    result: Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>,
) -> Result<Reply, tokio_postgres::Error> {
    let messages = match result {
        Ok(messages) => messages,
        Err(error) if error.as_db_error().is_some() => {
            return Ok(Reply::Error {
                sqlstate: sqlstate(&error),
                message: chain(&error),
            });
        }
        Err(error) => return Err(error),
    };
    let mut columns = Vec::new();
    let mut rows = Vec::new();
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(description) => {
                columns = (description.iter())
                    .map(|column| column.name().to_owned())
                    .collect();
            }
            SimpleQueryMessage::Row(row) => rows.push(
                (0..row.len())
                    .map(|column| row.get(column).map(str::to_owned))
                    .collect(),
            ),
            _ => {}
        }
    }
    Ok(Reply::Rows { columns, rows })
}

fn sqlstate(error: &tokio_postgres::Error) -> Option<String> {
    error.code().map(|state| state.code().to_owned())
}

fn session_row(answer: &[SimpleQueryMessage]) -> Option<SessionRow> {
    answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(SessionRow {
            ssl: row.get("ssl") == Some("t"),
            version: row.get("version").map(str::to_owned),
            cipher: row.get("cipher").map(str::to_owned),
        }),
        _ => None,
    })
}

/// Bounds an attempt.
///
/// # Errors
/// The attempt's, or a sentence that the deadline passed.
pub async fn within(
    deadline: Duration,
    attempt: impl Future<Output = Result<Outcome, String>>,
) -> Result<Outcome, String> {
    tokio::time::timeout(deadline, attempt)
        .await
        .unwrap_or_else(|_| Err("tokio-postgres was still at work when the deadline passed".into()))
}

/// The configuration that an attempt names.
///
/// # Errors
/// With a sentence, when the driver has none of this name.
pub fn named<C: Copy>(driver: &str, attempt: &Attempt, all: &[(&str, C)]) -> Result<C, String> {
    let name = &attempt.configuration;
    let found = all.iter().find(|(known, _)| known == name);
    found
        .map(|(_, configuration)| *configuration)
        .ok_or_else(|| {
            let known: Vec<_> = all.iter().map(|(known, _)| *known).collect();
            format!(
                "{driver} has no configuration {name}; it has {}",
                known.join(", ")
            )
        })
}
