//! What a connection of the harness failed by, in words.

use crate::causes::chain;

/// An error of tokio-postgres as one line, with its SQLSTATE where the server
/// gave one.
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(server) => {
            let (severity, code) = (server.severity(), server.code().code());
            format!("{severity} {code}: {}", server.message())
        }
        None => chain(error),
    }
}
