//! The server's log: a file that the server's stderr is tied to.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use super::EndpointError;

/// A place in a server's log, in bytes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LogMark(pub(super) u64);

/// A server's log. The server writes each line before it goes on, so what it
/// has done stands in it.
pub(super) trait Log: Sync {
    /// The log's end as it stands.
    fn mark(&self) -> impl Future<Output = Result<LogMark, EndpointError>> + Send;

    /// What was written since.
    fn since(&self, mark: LogMark) -> impl Future<Output = Result<String, EndpointError>> + Send;

    /// The last lines, joined for an error message.
    fn tail(&self) -> impl Future<Output = String> + Send {
        async {
            let whole = self.since(LogMark(0)).await.unwrap_or_default();
            let mut lines: Vec<_> = whole.lines().rev().take(5).collect();
            lines.reverse();
            lines.join(" | ")
        }
    }
}

/// A log in a file of this machine.
#[derive(Clone, Debug)]
pub(super) struct FileLog {
    path: PathBuf,
}

impl FileLog {
    /// Makes an empty log.
    pub(super) fn create(path: PathBuf) -> Result<Self, EndpointError> {
        File::create_new(&path).map_err(EndpointError::io(&path))?;
        Ok(Self { path })
    }

    /// The file, for a server to append to.
    pub(super) fn writer(&self) -> Result<File, EndpointError> {
        (File::options().append(true).open(&self.path)).map_err(EndpointError::io(&self.path))
    }

    fn read(&self, mark: LogMark) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(mark.0))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Log for FileLog {
    async fn mark(&self) -> Result<LogMark, EndpointError> {
        let length = self.path.metadata().map(|file| file.len());
        length.map(LogMark).map_err(EndpointError::io(&self.path))
    }

    async fn since(&self, mark: LogMark) -> Result<String, EndpointError> {
        self.read(mark).map_err(EndpointError::io(&self.path))
    }
}

/// The lines that say that a reload, or a part of it, was refused, with what
/// led to it; `None` when there are none.
///
/// The wordings are those of `postmaster.c` (`… was not reloaded`), guc-file.l
/// (`configuration file "…" contains errors`) and guc.c (`parameter "…" cannot
/// be changed without restarting the server`), the same from 10 to 18.
pub(super) fn refusal(log: &str) -> Option<String> {
    const REFUSALS: [&str; 3] = [
        "was not reloaded",
        "contains errors;",
        "cannot be changed without restarting",
    ];
    let refused = |line: &str| REFUSALS.iter().any(|text| line.contains(text));
    if !log.lines().any(refused) {
        return None;
    }
    let told = |line: &&str| refused(line) || line.contains("could not ") || is_about_keys(line);
    let lines: Vec<_> = log.lines().filter(told).collect();
    Some(lines.join(" | "))
}

/// `be-secure-common.c`, `check_ssl_key_file_permissions`.
fn is_about_keys(line: &str) -> bool {
    line.contains("private key file")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("LOG:  received SIGHUP, reloading configuration files\n", None)]
    #[case("LOG:  parameter \"ssl_ciphers\" changed to \"HIGH\"\n", None)]
    #[case("FATAL:  could not accept SSL connection\n", None)]
    #[case(
        "LOG:  parameter \"ssl\" changed\nLOG:  could not set the cipher list (no valid ciphers available)\n\
         LOG:  SSL configuration was not reloaded\n",
        Some(
            "LOG:  could not set the cipher list (no valid ciphers available) | \
              LOG:  SSL configuration was not reloaded"
        )
    )]
    #[case(
        "LOG:  pg_hba.conf was not reloaded\n",
        Some("LOG:  pg_hba.conf was not reloaded")
    )]
    #[case(
        "LOG:  configuration file \"/d/postgresql.auto.conf\" contains errors; unaffected changes were applied\n",
        Some(
            "LOG:  configuration file \"/d/postgresql.auto.conf\" contains errors; unaffected changes were applied"
        )
    )]
    fn refusals(#[case] log: &str, #[case] expected: Option<&str>) {
        assert_eq!(refusal(log).as_deref(), expected);
    }

    #[tokio::test]
    async fn a_mark_parts_old_from_new() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let log = FileLog::create(folder.path().join("log")).unwrap();
        writeln!(log.writer().unwrap(), "old").unwrap();
        let mark = log.mark().await.unwrap();
        writeln!(log.writer().unwrap(), "new").unwrap();
        assert_eq!(log.since(mark).await.unwrap(), "new\n");
        assert_eq!(log.tail().await, "old | new");
    }
}
