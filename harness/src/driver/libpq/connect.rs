//! One attempt by libpq, in blocking calls under a deadline.

use std::{ffi::CString, io, time::Instant};

use secrecy::{ExposeSecret as _, SecretString};

use super::{
    ffi::{Connection, Library, Progress, QueryResult},
    message::Message,
};
use crate::driver::{
    Attempt, Outcome, Reply, SESSION_QUERY, SessionRow,
    connection_string::{TrustAnchors, connection_string},
};

/// Connects, asks for the session's row, and says goodbye.
///
/// # Errors
/// With a sentence, when the deadline passes, or libpq can't be used as it
/// should; what libpq reports is an [`Outcome`].
pub fn play(
    library: &'static Library,
    attempt: &Attempt,
    until: Instant,
) -> Result<Outcome, String> {
    let string = c_string(&connection_string(attempt, TrustAnchors::InString))?;
    let (mut connection, mut progress) =
        Connection::start(library, &string).ok_or("out of memory")?;
    loop {
        let write = match progress {
            Progress::Connected => break,
            Progress::Failed => return Ok(refused(&connection)),
            Progress::Writing => true,
            Progress::Reading => false,
        };
        if !connection.wait(write, until).map_err(could_not_wait)? {
            return Err("libpq was still connecting when the deadline passed".into());
        }
        progress = connection.step();
    }

    let session = match query(&mut connection, SESSION_QUERY, until)? {
        Reply::Rows { rows, .. } => session_row(rows)?,
        Reply::Error { .. } => return Ok(refused(&connection)),
    };
    let reply = (attempt.query.as_deref())
        .map(|text| query(&mut connection, text, until))
        .transpose()?;
    Ok(Outcome::Connected {
        tls: Some(connection.tls_in_use()),
        session,
        reply,
    })
}

fn query(connection: &mut Connection, text: &str, until: Instant) -> Result<Reply, String> {
    let text = CString::new(text).map_err(|error| error.to_string())?;
    match connection.query(&text, until).map_err(could_not_wait)? {
        QueryResult::Rows { columns, rows } => Ok(Reply::Rows { columns, rows }),
        QueryResult::Failed => {
            let Message { text, sqlstate } = Message::from_verbose(&connection.error_message());
            Ok(Reply::Error {
                message: text,
                sqlstate,
            })
        }
        QueryResult::TimedOut => {
            Err("libpq was waiting for a query's result when the deadline passed".into())
        }
    }
}

/// The string as C takes it.
///
/// # Errors
/// When it holds a NUL, which no connection parameter can.
pub fn c_string(string: &SecretString) -> Result<CString, String> {
    CString::new(string.expose_secret())
        .map_err(|_| "a connection parameter holds a NUL byte".into())
}

fn refused(connection: &Connection) -> Outcome {
    let Message { text, sqlstate } = Message::from_verbose(&connection.error_message());
    Outcome::Refused {
        message: text,
        sqlstate,
    }
}

fn session_row(rows: Vec<Vec<Option<String>>>) -> Result<SessionRow, String> {
    let row = rows.into_iter().next().unwrap_or_default();
    let Ok([ssl, version, cipher]) = <[Option<String>; 3]>::try_from(row) else {
        return Err("pg_stat_ssl has no row for the session".into());
    };
    Ok(SessionRow {
        ssl: ssl.as_deref() == Some("t"),
        version,
        cipher,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn could_not_wait(error: io::Error) -> String {
    format!("could not wait for libpq's socket: {error}")
}
