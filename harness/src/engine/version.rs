//! A PostgreSQL version, as users name it and as server programs tell it.

use std::{fmt, str::FromStr};

/// The oldest major version that the suite is written for.
pub const OLDEST: u16 = 10;
/// The newest major version that the suite is written for.
pub const NEWEST: u16 = 18;

/// A PostgreSQL version, as `17.6`, or a major version alone, as `17`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// 10 to 18, so far.
    pub major: u16,
    /// Absent where any will do.
    pub minor: Option<u16>,
}

impl Version {
    /// Reads the line that `postgres --version` prints, as
    /// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` or
    /// `postgres (PostgreSQL) 17.6`. Versions in development (`19devel`,
    /// `19beta1`) have no minor number.
    ///
    /// # Errors
    /// When no version stands where PostgreSQL writes it.
    pub fn from_program(line: &str) -> Result<Self, ParseVersionError> {
        let error = || ParseVersionError(line.trim().to_owned());
        let (_, rest) = line.split_once("(PostgreSQL)").ok_or_else(error)?;
        let word = rest.split_whitespace().next().ok_or_else(error)?;
        let numeric = word
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .map_or(word, |end| &word[..end]);
        numeric.parse().map_err(|_| error())
    }

    /// Whether a program of this version answers a request: the same major
    /// version, and the same minor one where the request names it.
    #[must_use]
    pub fn answers(self, request: Version) -> bool {
        self.major == request.major && (request.minor.is_none() || request.minor == self.minor)
    }

    /// Whether the suite is written for the major version.
    #[must_use]
    pub fn is_supported(self) -> bool {
        (OLDEST..=NEWEST).contains(&self.major)
    }

    /// Whether `ssl_min_protocol_version` and `ssl_max_protocol_version` exist
    /// (PostgreSQL 12 release notes).
    #[must_use]
    pub fn has_protocol_settings(self) -> bool {
        self.major >= 12
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.minor {
            Some(minor) => write!(f, "{}.{minor}", self.major),
            None => write!(f, "{}", self.major),
        }
    }
}

impl FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |word: &str| {
            // u16::from_str would take a sign.
            if word.bytes().all(|b| b.is_ascii_digit()) {
                word.parse::<u16>().ok()
            } else {
                None
            }
        };
        let version = match text.split_once('.') {
            None => number(text).map(|major| Self { major, minor: None }),
            Some((major, minor)) => number(major).zip(number(minor)).map(|(major, minor)| Self {
                major,
                minor: Some(minor),
            }),
        };
        version
            .filter(|version| version.major >= OLDEST)
            .ok_or_else(|| ParseVersionError(text.to_owned()))
    }
}

/// A text that names no version of PostgreSQL from 10 on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no version of PostgreSQL from 10 on: write 17 or 17.6")]
pub struct ParseVersionError(String);

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("17", Some("17"))]
    #[case("17.6", Some("17.6"))]
    #[case("10.7", Some("10.7"))]
    #[case("9.6", None)]
    #[case("", None)]
    #[case("17.", None)]
    #[case(".6", None)]
    #[case("+17", None)]
    #[case("17.6.1", None)]
    #[case("99999999", None)]
    fn reads_what_users_write(#[case] text: &str, #[case] expected: Option<&str>) {
        let read = text.parse::<Version>().ok().map(|v| v.to_string());
        assert_eq!(read.as_deref(), expected);
    }

    #[rstest]
    #[case(
        "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
        Some("15.18")
    )]
    #[case("postgres (PostgreSQL) 10.23", Some("10.23"))]
    #[case("postgres (PostgreSQL) 17.6 (Homebrew)", Some("17.6"))]
    #[case("postgres (PostgreSQL) 18beta2", Some("18"))]
    #[case("postgres (PostgreSQL) 9.6.24", None)]
    #[case("postgres (EnterpriseDB) 15.1", None)]
    #[case("postgres (PostgreSQL)", None)]
    fn reads_what_programs_print(#[case] line: &str, #[case] expected: Option<&str>) {
        let read = Version::from_program(line).ok().map(|v| v.to_string());
        assert_eq!(read.as_deref(), expected);
    }

    #[rstest]
    #[case("17.6", "17", true)]
    #[case("17.6", "17.6", true)]
    #[case("17.6", "17.5", false)]
    #[case("17.6", "16", false)]
    #[case("17", "17.6", false)]
    fn answers_requests(#[case] program: &str, #[case] request: &str, #[case] expected: bool) {
        let [program, request] = [program, request].map(|v| v.parse::<Version>().unwrap());
        assert_eq!(program.answers(request), expected);
    }
}
