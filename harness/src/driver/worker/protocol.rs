//! The worker contract: lines of JSON on a worker's standard input and output.
//! `suites/workers/CONTRACT.md` is its text for people.

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::driver::{Attempt, Outcome};

/// The version of the contract that this program speaks.
pub const CONTRACT: u32 = 1;

/// The longest line that either side may send, in bytes, its newline included.
pub const MAX_LINE: usize = 64 * 1024;

/// Harness to worker: one attempt to play.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The attempt.
    pub attempt: Attempt,
    /// The worker answers within this many milliseconds, if only with
    /// `could_not_run`.
    pub deadline_ms: u64,
}

/// Worker to harness.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The first line, once.
    Hello(Hello),
    /// What an attempt came to.
    Outcome {
        /// The attempt's.
        id: u64,
        /// Its outcome.
        #[serde(flatten)]
        outcome: Outcome,
    },
    /// An attempt that gave no outcome.
    CouldNotRun {
        /// The attempt's.
        id: u64,
        /// What went wrong, for a person.
        why: String,
    },
}

/// Who a worker is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The version of the contract that the worker speaks.
    pub contract: u32,
    /// The id of the driver's profile.
    pub driver: String,
    /// The driver's version, as found at run time where it can be.
    pub version: String,
    /// The TLS library and its version; absent where the driver has none.
    pub tls: Option<String>,
    /// The configurations that attempts may name.
    pub configurations: Vec<String>,
    /// What the driver can do.
    pub capabilities: Vec<Capability>,
}

/// What not every driver can do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// Takes parameters as `key=value` pairs, or by a builder that says the
    /// same.
    KeyValue,
    /// Takes a `postgresql://` URI.
    Uri,
    /// Reads `~/.postgresql/root.crt`.
    HomeRootCrt,
    /// Can verify against the system's trust anchors, which it finds by
    /// `SSL_CERT_FILE`.
    SystemRoots,
    /// Says itself whether TLS is in use.
    TlsInUse,
}

/// What a line of JSON from a worker held instead of a [`Hello`] of this
/// contract.
#[derive(Debug, thiserror::Error)]
pub enum HelloError {
    /// A `hello` of another version.
    #[error("it speaks version {0} of the worker contract, and this program version {CONTRACT}")]
    Contract(u32),
    /// Anything else.
    #[error("its first line is no hello of the worker contract: {0}")]
    Other(#[from] serde_json::Error),
}

impl Hello {
    /// Reads a worker's first line.
    ///
    /// # Errors
    /// When it is no `hello`, or one of another version; of another version,
    /// nothing but its number is looked at.
    pub fn from_line(line: &[u8]) -> Result<Self, HelloError> {
        #[derive(Deserialize)]
        struct Numbered {
            hello: Number,
        }
        #[derive(Deserialize)]
        struct Number {
            contract: u32,
        }
        #[derive(Deserialize)]
        struct First {
            hello: Hello,
        }
        let Numbered { hello } = serde_json::from_slice(line)?;
        if hello.contract != CONTRACT {
            return Err(HelloError::Contract(hello.contract));
        }
        Ok(serde_json::from_slice::<First>(line)?.hello)
    }
}

/// A message as the line that carries it.
///
/// # Errors
/// When the line would be longer than [`MAX_LINE`].
pub fn to_line(message: &impl Serialize) -> Result<Vec<u8>, LineError> {
    let mut line =
        serde_json::to_vec(message).map_err(|error| LineError::Io(std::io::Error::other(error)))?;
    line.push(b'\n');
    if line.len() > MAX_LINE {
        return Err(LineError::TooLong);
    }
    Ok(line)
}

/// Reads one line, without its newline; `None` at the end of the stream. A last
/// line may lack its newline.
///
/// # Errors
/// When the stream fails, or the line is longer than [`MAX_LINE`].
pub async fn read_line(
    stream: &mut (impl AsyncBufRead + Unpin),
) -> Result<Option<Vec<u8>>, LineError> {
    let mut line = Vec::new();
    stream
        .take(MAX_LINE as u64)
        .read_until(b'\n', &mut line)
        .await?;
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Some(line));
    }
    match line.len() {
        0 => Ok(None),
        MAX_LINE => Err(LineError::TooLong),
        _ => Ok(Some(line)),
    }
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It does not end.
    #[error("a line longer than {MAX_LINE} bytes")]
    TooLong,
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::driver::SessionRow;

    /// The examples of CONTRACT.md are read as they stand.
    #[test]
    fn contract_text_examples_are_messages() {
        let text = include_str!("../../../../suites/workers/CONTRACT.md");
        let (mut requests, mut hellos, mut answers) = (0, 0, 0);
        for line in text.lines().filter(|line| line.starts_with('{')) {
            if line.starts_with(r#"{"attempt""#) {
                serde_json::from_str::<Request>(line).unwrap_or_else(|e| panic!("{line}: {e}"));
                requests += 1;
            } else if line.starts_with(r#"{"hello""#) {
                Hello::from_line(line.as_bytes()).unwrap_or_else(|e| panic!("{line}: {e}"));
                hellos += 1;
            } else {
                serde_json::from_str::<Answer>(line).unwrap_or_else(|e| panic!("{line}: {e}"));
                answers += 1;
            }
        }
        assert!(
            requests >= 2 && hellos >= 1 && answers >= 3,
            "{requests} {hellos} {answers}"
        );
    }

    #[test]
    fn outcome_is_flat_beside_its_id() {
        let answer = Answer::Outcome {
            id: 7,
            outcome: Outcome::Connected {
                tls: Some(true),
                session: SessionRow {
                    ssl: true,
                    version: Some("TLSv1.3".into()),
                    cipher: None,
                },
                reply: None,
            },
        };
        let line = r#"{"outcome":{"id":7,"result":"connected","tls":true,"session":{"ssl":true,"version":"TLSv1.3","cipher":null}}}"#;
        assert_eq!(serde_json::to_string(&answer).unwrap(), line);
        assert_eq!(serde_json::from_str::<Answer>(line).unwrap(), answer);
    }

    #[rstest]
    #[case::other_version(r#"{"hello":{"contract":2,"who":"x"}}"#, "speaks version 2")]
    #[case::unknown_capability(
        r#"{"hello":{"contract":1,"driver":"x","version":"1","tls":null,"configurations":[],"capabilities":["flies"]}}"#,
        "unknown variant `flies`"
    )]
    #[case::unknown_field(
        r#"{"hello":{"contract":1,"driver":"x","version":"1","tls":null,"configurations":[],"capabilities":[],"mood":1}}"#,
        "unknown field `mood`"
    )]
    #[case::no_json("Traceback (most recent call last):", "no hello")]
    #[case::other_message(r#"{"outcome":{"id":1}}"#, "missing field `hello`")]
    fn bad_hello(#[case] line: &str, #[case] expected: &str) {
        let error = Hello::from_line(line.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[tokio::test]
    async fn lines_are_bounded() {
        let mut bytes = vec![b'x'; MAX_LINE - 1];
        bytes.push(b'\n');
        bytes.extend_from_slice(b"\nlast");
        let mut stream = &bytes[..];
        assert_eq!(
            read_line(&mut stream).await.unwrap().unwrap().len(),
            MAX_LINE - 1
        );
        assert_eq!(
            read_line(&mut stream).await.unwrap().as_deref(),
            Some(&b""[..])
        );
        assert_eq!(
            read_line(&mut stream).await.unwrap().as_deref(),
            Some(&b"last"[..])
        );
        assert_eq!(read_line(&mut stream).await.unwrap(), None);

        let long = vec![b'x'; MAX_LINE];
        assert!(matches!(
            read_line(&mut &long[..]).await,
            Err(LineError::TooLong)
        ));
    }
}
