//! One attempt by tokio-postgres, whatever its connector.

use std::{error::Error, future::Future, time::Duration};

use secrecy::ExposeSecret as _;
use tokio_postgres::{Config, SimpleQueryMessage, Socket, tls::MakeTlsConnect};

use crate::driver::{
    Attempt, Outcome, SESSION_QUERY, SessionRow,
    connection_string::{TrustAnchors, connection_string},
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
        Ok(answer) => Ok(Outcome::Connected {
            tls: Some(tls_in_use()),
            session: session_row(&answer).ok_or("pg_stat_ssl has no row for the session")?,
        }),
        Err(error) => Ok(Outcome::Refused {
            message: chain(&error),
            sqlstate: error.code().map(|state| state.code().to_owned()),
        }),
    }
}

async fn connect<T>(
    attempt: &Attempt,
    connector: T,
) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
{
    let string = connection_string(attempt, TrustAnchors::InProgram);
    let config: Config = string.expose_secret().parse()?;
    let (client, connection) = config.connect(connector).await?;
    let query = async {
        // The client lives in here: the connection ends once it is dropped.
        let client = client;
        client.simple_query(SESSION_QUERY).await
    };
    match tokio::join!(query, connection) {
        (Ok(answer), _) => Ok(answer),
        // The query knows no more than that the connection is gone.
        (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
    }
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

/// An error and its causes, joined by `: `.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
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
