//! What RDS sets when its user sets nothing, by engine version: a table that
//! people write, read here.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::TlsVersion;
use crate::engine::{EngineRange, NEWEST, OLDEST, ParseRangeError, Version};

/// RDS's defaults for every engine version: exactly one row for each.
///
/// ```toml
/// [[defaults]]
/// engine    = "11.4+"      # as [`EngineRange`] reads it
/// force_ssl = false
/// tls_min   = "TLSv1.1"
/// tls_max   = "TLSv1.2"
/// ciphers   = "HIGH:MEDIUM:+3DES:!aNULL:!RC4"
/// source    = "where each of it is written"
/// ```
#[derive(Clone, Debug)]
pub struct DefaultsTable {
    rows: Vec<(EngineRange, Defaults)>,
}

/// RDS's defaults for some engine versions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Defaults {
    /// `rds.force_ssl`.
    pub force_ssl: bool,
    /// `ssl_min_protocol_version`, or the same by other means.
    pub tls_min: TlsVersion,
    /// `ssl_max_protocol_version`, or the same by other means.
    pub tls_max: TlsVersion,
    /// `ssl_ciphers`.
    pub ciphers: String,
    /// Where the row is taken from.
    pub source: String,
}

impl DefaultsTable {
    /// Reads the table; `file` names the text in errors.
    ///
    /// # Errors
    /// When the text is no such table, or its rows leave out or repeat a
    /// version from 10 to 18.
    pub fn parse(file: &str, text: &str) -> Result<Self, DefaultsError> {
        let fail = |span: Option<Range<usize>>, why: String| DefaultsError {
            file: file.to_owned(),
            line: span.map_or(1, |span| line_at(text, span.start)),
            why,
        };
        let document: Document =
            toml::from_str(text).map_err(|error| fail(error.span(), error.message().to_owned()))?;
        let mut rows: Vec<(EngineRange, Defaults)> = Vec::new();
        for row in document.defaults {
            let at = Some(row.engine.span());
            let range: EngineRange = (row.engine.get_ref().parse())
                .map_err(|error: ParseRangeError| fail(at.clone(), error.to_string()))?;
            let twice = rows
                .iter()
                .find_map(|(other, _)| other.first_in_both(range));
            if let Some(both) = twice {
                return Err(fail(at, format!("a second row for PostgreSQL {both}")));
            }
            if row.tls_min > row.tls_max {
                return Err(fail(at, "tls_min is above tls_max".to_owned()));
            }
            rows.push((
                range,
                Defaults {
                    force_ssl: row.force_ssl,
                    tls_min: row.tls_min,
                    tls_max: row.tls_max,
                    ciphers: row.ciphers,
                    source: row.source,
                },
            ));
        }
        let table = Self { rows };
        for major in OLDEST..=NEWEST {
            if let Some(missing) = table.first_gap(major) {
                return Err(fail(None, format!("no row for PostgreSQL {missing}")));
            }
        }
        Ok(table)
    }

    /// The defaults of an engine. A version without a minor number counts as
    /// the newest of its major version.
    #[must_use]
    pub fn of(&self, engine: Version) -> Option<&Defaults> {
        self.rows
            .iter()
            .find(|(range, _)| range.holds(engine))
            .map(|(_, defaults)| defaults)
    }

    /// Minor versions of a major one from which on its defaults are others.
    pub fn turns(&self, major: u16) -> impl Iterator<Item = u16> {
        self.rows
            .iter()
            .flat_map(move |(range, _)| range.turns(major))
    }

    fn first_gap(&self, major: u16) -> Option<Version> {
        let mut parts: Vec<_> = (self.rows.iter())
            .filter_map(|(range, _)| range.minors_of(major))
            .collect();
        parts.sort_unstable();
        let mut next = Some(0);
        for (first, last) in parts {
            if next != Some(first) {
                break;
            }
            next = last.checked_add(1);
        }
        next.map(|minor| Version {
            major,
            minor: Some(minor),
        })
    }
}

/// A defaults table that can't be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{file}:{line}: {why}")]
pub struct DefaultsError {
    /// The name that the caller gave the text.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    defaults: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    engine: Spanned<String>,
    force_ssl: bool,
    tls_min: TlsVersion,
    tls_max: TlsVersion,
    ciphers: String,
    source: String,
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use rstest::rstest;

    use super::*;

    fn table(engines: &[&str]) -> String {
        let mut text = String::new();
        for engine in engines {
            writeln!(
                text,
                "[[defaults]]\nengine = \"{engine}\"\nforce_ssl = false\ntls_min = \"TLSv1.2\"\n\
                 tls_max = \"TLSv1.3\"\nciphers = \"{engine}\"\nsource = \"here\""
            )
            .unwrap();
        }
        text
    }

    const FROM_12: [&str; 7] = ["12", "13", "14", "15", "16", "17", "18"];

    fn whole(of_10_and_11: &[&str]) -> String {
        table(&[of_10_and_11, &FROM_12].concat())
    }

    #[rstest]
    #[case("11.3", "11.0-11.3")]
    #[case("11.4", "11.4+")]
    #[case("11", "11.4+")]
    #[case("10.23", "10")]
    #[case("18.2", "18")]
    fn one_row_matches(#[case] engine: &str, #[case] row: &str) {
        let text = whole(&["10", "11.0-11.3", "11.4+"]);
        let table = DefaultsTable::parse("t.toml", &text).unwrap();
        assert_eq!(table.of(engine.parse().unwrap()).unwrap().ciphers, row);
    }

    #[rstest]
    #[case(&["10"], "t.toml:1: no row for PostgreSQL 11.0")]
    #[case(&["10", "11.4+"], "t.toml:1: no row for PostgreSQL 11.0")]
    #[case(&["10", "11.0-11.2", "11.4+"], "t.toml:1: no row for PostgreSQL 11.3")]
    #[case(&["10", "11.0-11.4"], "t.toml:1: no row for PostgreSQL 11.5")]
    #[case(&["10", "11.0-11.4", "11.4+"], "t.toml:16: a second row for PostgreSQL 11.4")]
    #[case(&["10", "11", "11.7"], "t.toml:16: a second row for PostgreSQL 11.7")]
    #[case(
        &["10", "11.4-"],
        "t.toml:9: \"11.4-\" is no range of engines: write \"15\", \"15+\", \"10-14\", \"11.4+\" or \"11.0-11.3\", from 10 to 18"
    )]
    fn gaps_and_repeats_are_named(#[case] rows: &[&str], #[case] expected: &str) {
        let error = DefaultsTable::parse("t.toml", &whole(rows)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = whole(&["10", "11"]) + "force_tls = true\n";
        let error = DefaultsTable::parse("t.toml", &text).unwrap_err();
        assert_eq!(error.line, 64);
        assert!(error.why.contains("force_tls"), "{error}");
    }
}
