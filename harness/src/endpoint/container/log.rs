//! The log of a server in a container: a file there, read by the server itself
//! for as long as it lives.

use std::path::Path;

use tokio::sync::Mutex;

use super::files::Files;
use crate::endpoint::{
    EndpointError,
    admin::{Admin, quoted},
    log::{Log, LogMark},
};

/// How many bytes one look may take in.
const MOST: u32 = 64 << 20;

/// A log in a container. To read it through Docker takes longer than a switch
/// of policy, so a session of its own reads it; what Docker tells of a
/// container's output comes late.
pub(super) struct ContainerLog {
    path: &'static str,
    admin: Mutex<Admin>,
    files: Files,
}

impl ContainerLog {
    pub(super) fn new(path: &'static str, admin: Admin, files: Files) -> Self {
        Self {
            path,
            admin: Mutex::new(admin),
            files,
        }
    }

    /// The one value of a query.
    async fn value(&self, query: &str) -> Result<String, EndpointError> {
        let mut admin = self.admin.lock().await;
        let rows = (admin.session().await?).rows("show its log", query).await?;
        let value = rows.into_iter().flatten().next().flatten();
        value.ok_or_else(|| EndpointError::Statement {
            what: "show its log".to_owned(),
            why: "it shows nothing".to_owned(),
        })
    }

    async fn ask(&self, mark: LogMark) -> Result<Vec<u8>, EndpointError> {
        let (path, from) = (quoted(self.path), mark.0);
        let query = format!("SELECT encode(pg_read_binary_file({path}, {from}, {MOST}), 'hex')");
        Ok(bytes(&self.value(&query).await?))
    }

    /// All of it through Docker: the server may be gone.
    async fn fetch(&self, mark: LogMark) -> Result<Vec<u8>, EndpointError> {
        let whole = self.files.read(Path::new(self.path)).await?;
        let from = usize::try_from(mark.0).unwrap_or(usize::MAX);
        Ok(whole.get(from..).unwrap_or_default().to_vec())
    }
}

impl Log for ContainerLog {
    async fn mark(&self) -> Result<LogMark, EndpointError> {
        let query = format!("SELECT size FROM pg_stat_file({})", quoted(self.path));
        let size = self.value(&query).await?;
        let number = size.parse().map_err(|_| EndpointError::Statement {
            what: "show the length of its log".to_owned(),
            why: format!("{size:?} is no number"),
        });
        number.map(LogMark)
    }

    async fn since(&self, mark: LogMark) -> Result<String, EndpointError> {
        let bytes = match self.ask(mark).await {
            Ok(bytes) => bytes,
            // Nobody knows the server better than itself, so its error stays
            // the one that is told.
            Err(error) => self.fetch(mark).await.map_err(|_| error)?,
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// What `encode(…, 'hex')` wrote.
fn bytes(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
    let byte = |pair: &[u8]| pair.iter().fold(0, |byte, hex| byte << 4 | digit(*hex));
    (hex.as_bytes().chunks(2))
        .filter_map(|pair| u8::try_from(byte(pair)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_back() {
        assert_eq!(bytes("00ff4c0A"), [0, 255, 0x4c, 0x0a]);
        assert!(bytes("").is_empty());
    }
}
