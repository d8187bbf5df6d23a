//! Passwords that somebody gives, by a variable or in a file.

use std::path::{Path, PathBuf};

use certs_gen::{RegularFileError, read_regular_text};
use secrecy::{SecretString, zeroize::Zeroizing};

/// The longest that is taken, in bytes: an IAM token has about one KiB, and what
/// is so much longer is most likely another file's contents.
const LONGEST: usize = 16 << 10;

/// Why a password can't be taken; never shows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// The file can't be read.
    #[error("{0}")]
    File(RegularFileError),
    /// The file has none.
    #[error("the first line of {} is empty; write the password there", .0.display())]
    EmptyFile(PathBuf),
    /// The protocol ends a password with it (protocol.sgml, `PasswordMessage`).
    #[error("the password holds a NUL byte, which PostgreSQL's protocol can't carry; set another")]
    Nul,
    /// No password file for clients can hold it (libpq-pgpass: a line each).
    #[error(
        "the password holds a line's end, most likely by mistake; give it without, or set another"
    )]
    Newline,
    /// Too long.
    #[error("the password is longer than 16 KiB, the most that is taken; give the right one")]
    TooLong,
}

/// A password as it was given.
///
/// # Errors
/// When no client could send it.
pub fn password(text: &str) -> Result<SecretString, PasswordError> {
    if text.contains('\0') {
        Err(PasswordError::Nul)
    } else if text.contains(['\n', '\r']) {
        Err(PasswordError::Newline)
    } else if text.len() > LONGEST {
        Err(PasswordError::TooLong)
    } else {
        Ok(text.to_owned().into())
    }
}

/// The password in a file: its first line.
///
/// # Errors
/// When there is none, or no client could send it.
pub fn password_in(file: &Path) -> Result<SecretString, PasswordError> {
    let text = Zeroizing::new(read_regular_text(file).map_err(PasswordError::File)?);
    match text.lines().next() {
        Some(line) if !line.is_empty() => password(line),
        _ => Err(PasswordError::EmptyFile(file.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;

    #[rstest]
    #[case("")]
    #[case("correct horse battery staple")]
    #[case("tab\tand ünïcode")]
    #[case(&"x".repeat(LONGEST))]
    fn what_a_client_can_send_is_taken(#[case] text: &str) {
        assert_eq!(password(text).unwrap().expose_secret(), text);
    }

    #[rstest]
    #[case("marked\0", "holds a NUL byte")]
    #[case("marked\nsecond", "holds a line's end")]
    #[case("marked\n", "holds a line's end")]
    #[case("marked\r", "holds a line's end")]
    #[case(&"marked".repeat(LONGEST), "is longer than 16 KiB")]
    fn what_no_client_can_send_is_refused_and_not_shown(#[case] text: &str, #[case] says: &str) {
        let error = password(text).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(!format!("{error} {error:?}").contains("marked"));
    }

    #[rstest]
    #[case("first\nsecond\n", Ok("first"))]
    #[case("first\r\n", Ok("first"))]
    #[case("first", Ok("first"))]
    #[case("", Err("the first line of "))]
    #[case("\nsecond\n", Err("the first line of "))]
    #[case("fi\0rst\n", Err("holds a NUL byte"))]
    #[case("fi\rrst\n", Err("holds a line's end"))]
    fn the_first_line_of_a_file_is_the_password(
        #[case] text: &str,
        #[case] expected: Result<&str, &str>,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, text).unwrap();
        match (password_in(&file), expected) {
            (Ok(password), Ok(expected)) => assert_eq!(password.expose_secret(), expected),
            (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}"),
            (read, expected) => panic!("{read:?}, not {expected:?}"),
        }
    }
}
