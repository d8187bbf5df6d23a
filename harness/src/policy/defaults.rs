//! What RDS sets when its user sets nothing, by engine version: a table that
//! people write, read here.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::TlsVersion;
use crate::engine::{NEWEST, OLDEST, Version};

/// RDS's defaults for every engine version: exactly one row for each.
///
/// ```toml
/// [[defaults]]
/// engine    = "11.4+"      # 11.4 and later; "15" any 15.x; "11.0-11.3" these
/// force_ssl = false
/// tls_min   = "TLSv1.1"
/// tls_max   = "TLSv1.2"
/// ciphers   = "HIGH:MEDIUM:+3DES:!aNULL:!RC4"
/// source    = "where each of it is written"
/// ```
#[derive(Clone, Debug)]
pub struct DefaultsTable {
    rows: Vec<(Span, Defaults)>,
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
        let mut rows: Vec<(Span, Defaults)> = Vec::new();
        for row in document.defaults {
            let at = Some(row.engine.span());
            let span = Span::parse(row.engine.get_ref()).ok_or_else(|| {
                fail(
                    at.clone(),
                    format!(
                        "engine = {:?}: write \"15\", \"11.4+\" or \"11.0-11.3\", from 10 to 18",
                        row.engine.get_ref()
                    ),
                )
            })?;
            if let Some((other, _)) = rows.iter().find(|(other, _)| other.overlaps(span)) {
                let both = Version {
                    major: span.major,
                    minor: Some(span.first.max(other.first)),
                };
                return Err(fail(at, format!("a second row for PostgreSQL {both}")));
            }
            if row.tls_min > row.tls_max {
                return Err(fail(at, "tls_min is above tls_max".to_owned()));
            }
            rows.push((
                span,
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
        let minor = engine.minor.unwrap_or(u16::MAX);
        self.rows
            .iter()
            .find(|(span, _)| span.major == engine.major && span.holds(minor))
            .map(|(_, defaults)| defaults)
    }

    fn first_gap(&self, major: u16) -> Option<Version> {
        let mut spans: Vec<_> = self.rows.iter().map(|(span, _)| *span).collect();
        spans.retain(|span| span.major == major);
        spans.sort_by_key(|span| span.first);
        let mut next = Some(0);
        for span in spans {
            if next != Some(span.first) {
                break;
            }
            next = span.last.checked_add(1);
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

/// Minor versions of a major one, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Span {
    major: u16,
    first: u16,
    last: u16,
}

impl Span {
    fn parse(text: &str) -> Option<Self> {
        let of = |first: Version, last: u16| Span {
            major: first.major,
            first: first.minor.unwrap_or(0),
            last,
        };
        let span = if let Some(first) = text.strip_suffix('+') {
            let first: Version = first.parse().ok()?;
            first.minor?;
            of(first, u16::MAX)
        } else if let Some((first, last)) = text.split_once('-') {
            let [first, last] = [first, last].map(|end| end.parse::<Version>().ok());
            let (first, last) = (first?, last?);
            first.minor?;
            if first.major != last.major || first > last {
                return None;
            }
            of(first, last.minor?)
        } else {
            let version: Version = text.parse().ok()?;
            of(version, version.minor.unwrap_or(u16::MAX))
        };
        (OLDEST..=NEWEST).contains(&span.major).then_some(span)
    }

    fn holds(self, minor: u16) -> bool {
        (self.first..=self.last).contains(&minor)
    }

    fn overlaps(self, other: Self) -> bool {
        self.major == other.major && self.first <= other.last && other.first <= self.last
    }
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
        "t.toml:9: engine = \"11.4-\": write \"15\", \"11.4+\" or \"11.0-11.3\", from 10 to 18"
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
