//! Expected answers to SQL, as tables that read like psql's output.
//!
//! ```text
//!   name          | setting
//!   ssl           | on
//! + ssl_%_file    | %.pem
//! ? rds.force_ssl | %
//! ```
//! The first line names the columns. A row without a mark occurs exactly once,
//! one with `+` once or more, with `?` once or not at all, with `*` any number of
//! times. In a value, `%` is any text, `{user}`, `{database}`, `{version}` and
//! `{cipher}` are the session's own, `{ssl}` is `t` where it has TLS and `f` where
//! it hasn't, `{client}` is an IP address. NULL reads as nothing. Rows may come in
//! any order; each counts for the first that it fits.
//!
//! `error 42501` alone expects that the server refuses the statement.

use std::{fmt, net::IpAddr};

use regex::Regex;

use super::Names;
use crate::driver::Reply;

/// What an answer must be.
#[derive(Clone, Debug)]
pub struct ExpectedAnswer {
    text: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Error { sqlstate: String },
    Rows(ExpectedRows),
}

#[derive(Clone, Debug)]
struct ExpectedRows {
    columns: Vec<String>,
    rows: Vec<ExpectedRow>,
}

#[derive(Clone, Debug)]
struct ExpectedRow {
    least: usize,
    most: usize,
    values: Vec<String>,
}

/// Why a text is no table of an answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the answer `{name}`: {why}")]
pub struct AnswerError {
    /// Its name.
    pub name: String,
    /// A sentence.
    pub why: String,
}

/// What stands for the session's own in answers.
const PLACEHOLDERS: [&str; 6] = ["user", "database", "ssl", "version", "cipher", "client"];

/// Finds a placeholder that stands for nothing; the error is a sentence.
pub fn placeholders(text: &str, valid: &[&str]) -> Result<(), String> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        if !valid.contains(&name) {
            let valid: Vec<String> = valid.iter().map(|name| format!("{{{name}}}")).collect();
            return Err(format!(
                "unknown placeholder `{{{name}}}`; valid: {}",
                valid.join(", ")
            ));
        }
        rest = after;
    }
    Ok(())
}

impl ExpectedAnswer {
    /// Reads a table.
    ///
    /// # Errors
    /// When it has no header, or a row has more or fewer values than that.
    pub fn parse(name: &str, text: &str) -> Result<Self, AnswerError> {
        let fail = |why: String| AnswerError {
            name: name.to_owned(),
            why,
        };
        placeholders(text, &PLACEHOLDERS).map_err(fail)?;
        let what = match text.trim().strip_prefix("error ") {
            Some(sqlstate) => What::Error {
                sqlstate: sqlstate.to_owned(),
            },
            None => What::Rows(ExpectedRows::parse(text).map_err(fail)?),
        };
        Ok(Self {
            text: text.trim_end().to_owned(),
            what,
        })
    }

    /// Holds a reply against it; a sentence a difference.
    #[must_use]
    pub fn differences(&self, reply: &Reply, names: &Names) -> Vec<String> {
        match (&self.what, reply) {
            (What::Rows(expected), Reply::Rows { columns, rows }) => {
                expected.differences(columns, rows, names)
            }
            (What::Rows(_), Reply::Error { message, .. }) => {
                vec![format!("expected rows, observed the error `{message}`")]
            }
            (What::Error { sqlstate }, Reply::Rows { rows, .. }) => vec![format!(
                "expected the error {sqlstate}, observed {} rows",
                rows.len()
            )],
            (What::Error { sqlstate }, Reply::Error { sqlstate: seen, .. }) => {
                let seen = seen.as_deref().unwrap_or("without an SQLSTATE");
                let differs = seen != sqlstate;
                let difference = format!("expected the error {sqlstate}, observed one {seen}");
                differs.then_some(difference).into_iter().collect()
            }
        }
    }
}

impl ExpectedRows {
    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let columns = values(lines.next().ok_or("it has no header")?);
        let rows = lines
            .map(|line| {
                let row = ExpectedRow::parse(line);
                if row.values.len() == columns.len() {
                    return Ok(row);
                }
                let (line, has, wants) = (line.trim(), row.values.len(), columns.len());
                Err(format!("`{line}` has {has} values for {wants} columns"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { columns, rows })
    }

    fn differences(
        &self,
        columns: &[String],
        rows: &[Vec<Option<String>>],
        names: &Names,
    ) -> Vec<String> {
        if columns != self.columns {
            let (expected, seen) = (self.columns.join(", "), columns.join(", "));
            return vec![format!("expected the columns {expected}, observed {seen}")];
        }
        let mut counts = vec![0; self.rows.len()];
        let mut differences = Vec::new();
        for row in rows {
            let fits = |expected: &ExpectedRow| expected.fits(row, names);
            match self.rows.iter().position(fits) {
                Some(nth) => counts[nth] += 1,
                None => differences.push(format!("no row is expected like `{}`", shown(row))),
            }
        }
        for (expected, count) in self.rows.iter().zip(counts) {
            if count < expected.least || count > expected.most {
                differences.push(format!("expected {expected}, observed {count} such rows"));
            }
        }
        differences
    }
}

impl ExpectedRow {
    fn parse(line: &str) -> Self {
        let line = line.trim_start();
        let (least, most, line) = match line.split_at_checked(1) {
            Some(("+", rest)) => (1, usize::MAX, rest),
            Some(("?", rest)) => (0, 1, rest),
            Some(("*", rest)) => (0, usize::MAX, rest),
            _ => (1, 1, line),
        };
        Self {
            least,
            most,
            values: values(line),
        }
    }

    fn fits(&self, row: &[Option<String>], names: &Names) -> bool {
        self.values.len() == row.len()
            && (self.values.iter().zip(row))
                .all(|(pattern, value)| fits(pattern, value.as_deref().unwrap_or_default(), names))
    }
}

fn values(line: &str) -> Vec<String> {
    line.split('|')
        .map(|value| value.trim().to_owned())
        .collect()
}

fn fits(pattern: &str, value: &str, names: &Names) -> bool {
    let pattern = regex::escape(pattern)
        .replace('%', ".*")
        .replace(r"\{user\}", &regex::escape(&names.user))
        .replace(r"\{database\}", &regex::escape(&names.database))
        .replace(r"\{ssl\}", if names.version.is_empty() { "f" } else { "t" })
        .replace(r"\{version\}", &regex::escape(names.version))
        .replace(r"\{cipher\}", &regex::escape(names.cipher))
        .replace(r"\{client\}", "(?<client>[0-9A-Fa-f.:]+)");
    // What was escaped is a pattern; one that is too large fits nothing.
    let found = Regex::new(&format!("^(?s:{pattern})$")).ok();
    let found = found.as_ref().and_then(|pattern| pattern.captures(value));
    found.is_some_and(|found| match found.name("client") {
        Some(client) => client.as_str().parse::<IpAddr>().is_ok(),
        None => true,
    })
}

fn shown(row: &[Option<String>]) -> String {
    let values = row.iter().map(|value| value.as_deref().unwrap_or_default());
    values.collect::<Vec<_>>().join(" | ")
}

impl fmt::Display for ExpectedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for ExpectedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let often = match (self.least, self.most) {
            (1, 1) => "exactly one",
            (1, _) => "one or more",
            (_, 1) => "at most one",
            _ => "any number of",
        };
        write!(f, "{often} `{}`", self.values.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use rstest::rstest;

    use super::*;

    const NAMES: Names = Names {
        host: "db.example",
        user: Cow::Borrowed("app"),
        database: Cow::Borrowed("db"),
        version: "TLSv1.3",
        cipher: "TLS_AES_256_GCM_SHA384",
    };

    fn reply(rows: &[[&str; 2]]) -> Reply {
        Reply::Rows {
            columns: vec!["name".into(), "value".into()],
            rows: (rows.iter())
                .map(|row| row.map(|v| (!v.is_empty()).then(|| v.to_owned())).into())
                .collect(),
        }
    }

    #[rstest]
    #[case::same("a | 1\nb | 2", &[["a", "1"], ["b", "2"]], &[])]
    #[case::any_order("b | 2\na | 1", &[["a", "1"], ["b", "2"]], &[])]
    #[case::null("a |", &[["a", ""]], &[])]
    #[case::wildcard("a | x%z", &[["a", "x y z"]], &[])]
    #[case::dots_are_dots("a | 1.2", &[["a", "1x2"]], &["no row is expected like `a | 1x2`", "expected exactly one `a | 1.2`, observed 0 such rows"])]
    #[case::session("a | {user}/{database}/{version}/{cipher}", &[["a", "app/db/TLSv1.3/TLS_AES_256_GCM_SHA384"]], &[])]
    #[case::encrypted("a | {ssl}", &[["a", "t"]], &[])]
    #[case::client("a | {client}", &[["a", "::1"]], &[])]
    #[case::no_client("a | {client}", &[["a", "1.2"]], &["no row is expected like `a | 1.2`", "expected exactly one `a | {client}`, observed 0 such rows"])]
    #[case::often("+ a | %", &[["a", "1"], ["a", "2"]], &[])]
    #[case::never("? a | %", &[], &[])]
    #[case::any_number("* a | %", &[], &[])]
    #[case::any_number_of_others("a | 1\n* % | %", &[["a", "1"], ["b", "2"], ["b", "3"]], &[])]
    #[case::own_row_missing("a | 1\n* % | %", &[["b", "2"]], &["expected exactly one `a | 1`, observed 0 such rows"])]
    #[case::twice("? a | %", &[["a", "1"], ["a", "2"]], &["expected at most one `a | %`, observed 2 such rows"])]
    #[case::missing("a | 1\nb | 2", &[["a", "1"]], &["expected exactly one `b | 2`, observed 0 such rows"])]
    #[case::stranger("a | 1", &[["a", "1"], ["c", "3"]], &["no row is expected like `c | 3`"])]
    fn rows_are_held_against_the_table(
        #[case] table: &str,
        #[case] rows: &[[&str; 2]],
        #[case] differences: &[&str],
    ) {
        let table = format!("name | value\n{table}");
        let expected = ExpectedAnswer::parse("t", &table).unwrap();
        assert_eq!(expected.differences(&reply(rows), &NAMES), differences);
    }

    #[test]
    fn other_columns_and_errors_are_differences() {
        let expected = ExpectedAnswer::parse("t", "name | setting\na | 1").unwrap();
        let seen = expected.differences(&reply(&[["a", "1"]]), &NAMES);
        assert_eq!(
            seen,
            ["expected the columns name, setting, observed name, value"]
        );
        let error = Reply::Error {
            message: "permission denied".into(),
            sqlstate: Some("42501".into()),
        };
        let seen = expected.differences(&error, &NAMES);
        assert_eq!(
            seen,
            ["expected rows, observed the error `permission denied`"]
        );
    }

    #[test]
    fn an_error_may_be_what_is_expected() {
        let expected = ExpectedAnswer::parse("t", "error 42501").unwrap();
        let error = |sqlstate: Option<&str>| Reply::Error {
            message: "no".into(),
            sqlstate: sqlstate.map(str::to_owned),
        };
        assert!(
            expected
                .differences(&error(Some("42501")), &NAMES)
                .is_empty()
        );
        for other in [error(Some("42P01")), error(None), reply(&[["a", "1"]])] {
            assert_eq!(expected.differences(&other, &NAMES).len(), 1, "{other:?}");
        }
    }

    #[rstest]
    #[case("", "it has no header")]
    #[case("a | b\nc", "`c` has 1 values for 2 columns")]
    #[case(
        "a\n{usr}",
        "unknown placeholder `{usr}`; valid: {user}, {database}, {ssl}, {version}, {cipher}, {client}"
    )]
    fn a_table_that_is_none_is_named(#[case] text: &str, #[case] why: &str) {
        let error = ExpectedAnswer::parse("t", text).unwrap_err();
        assert_eq!((error.name.as_str(), error.why.as_str()), ("t", why));
    }
}
