//! Tables as people write them in data files.
//!
//! ```text
//! sslmode       trust      -> tries          goes on after
//! disable       *          -> plaintext      -
//! unset,prefer  !missing   -> tls,plaintext  N
//! ```
//! Blanks separate the coordinates left of the arrow; two or more blanks separate
//! the fields right of it. `*` is any value, `a,b` either, `!a,b` any but these.
//! The column `engine` holds ranges of PostgreSQL versions, as `10-13,15+`. Lines
//! that begin with `#` are comments.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{DataError, SourceFile, UnknownWord};
use crate::engine::{EngineRange, Version};

/// The column whose patterns are ranges of versions.
pub const ENGINE: &str = "engine";

/// A parsed table.
#[derive(Debug)]
pub struct Table {
    /// The columns left of the arrow.
    pub columns: Vec<String>,
    /// The names of the fields right of the arrow.
    pub fields: Vec<String>,
    /// The rows, in the file's order.
    pub rows: Vec<Row>,
    /// The line on which the header stands, from 1.
    pub line: usize,
    file: String,
}

/// One row.
#[derive(Debug)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The fields right of the arrow.
    pub fields: Vec<String>,
    patterns: Vec<Pattern>,
    used: AtomicBool,
}

/// The values that a coordinate stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pattern {
    /// `*`
    Any,
    /// `a,b`
    OneOf(Vec<String>),
    /// `!a,b`: any but these
    NoneOf(Vec<String>),
    /// `10-13,15+`
    Engines(Vec<EngineRange>),
}

/// Where a fact stands, as `drivers/libpq.toml:41`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// Coordinates without a row of their own.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoRow {
    /// None matches.
    #[error("{file}: no row of the table on line {line} matches {point}")]
    None {
        /// The file.
        file: String,
        /// The table's line.
        line: usize,
        /// The coordinates.
        point: String,
    },
    /// Several do.
    #[error("{file}: the rows on lines {lines} both match {point}")]
    Several {
        /// The file.
        file: String,
        /// The rows' lines.
        lines: String,
        /// The coordinates.
        point: String,
    },
}

impl Table {
    /// Parses a table whose first line is line `first` of the file. `fields` are
    /// the headings due right of the arrow; with none, rows have notes of any
    /// number there.
    ///
    /// # Errors
    /// Names the line, and what is due there.
    pub fn parse(
        file: &SourceFile,
        first: usize,
        text: &str,
        fields: &[&str],
    ) -> Result<Self, DataError> {
        let mut lines = (text.lines().enumerate())
            .map(|(nth, line)| (first + nth, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (line, header) = lines
            .next()
            .ok_or_else(|| file.error(first, "the table has no header"))?;
        let (columns, headings) = header.split_once("->").ok_or_else(|| {
            let what = "a header reads COLUMNS -> FIELDS, as `sslmode trust -> tries`";
            file.error(line, what)
        })?;
        let headings = split_fields(headings);
        if !fields.is_empty() && headings != fields {
            let what = format!(
                "the header ends in `-> {}`, two blanks between the fields",
                fields.join("  ")
            );
            return Err(file.error(line, what));
        }
        let columns: Vec<String> = columns.split_whitespace().map(str::to_owned).collect();
        let twice = (columns.iter().enumerate()).find(|(nth, one)| columns[..*nth].contains(one));
        if let Some((_, column)) = twice {
            return Err(file.error(line, format!("the column `{column}` stands twice")));
        }
        let rows = lines
            .map(|(line, text)| {
                Row::parse(line, text, &columns, fields.len())
                    .map_err(|what| file.error(line, what))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            columns,
            fields: headings.into_iter().map(str::to_owned).collect(),
            rows,
            line,
            file: file.name.clone(),
        })
    }

    /// The one row for some coordinates, and marks it as used.
    ///
    /// # Errors
    /// When no row matches, or several do.
    pub fn row<'a, 'v>(
        &'a self,
        value: &dyn Fn(&str) -> &'v str,
        engine: Option<Version>,
    ) -> Result<&'a Row, NoRow> {
        let rows = self.rows(value, engine);
        let mut rows = rows.into_iter();
        let file = || self.file.clone();
        match (rows.next(), rows.next()) {
            (Some(row), None) => Ok(row),
            (None, _) => Err(NoRow::None {
                file: file(),
                line: self.line,
                point: self.point(value, engine),
            }),
            (Some(one), Some(other)) => Err(NoRow::Several {
                file: file(),
                lines: format!("{} and {}", one.line, other.line),
                point: self.point(value, engine),
            }),
        }
    }

    /// All rows for some coordinates, and marks them as used.
    pub fn rows<'a, 'v>(
        &'a self,
        value: &dyn Fn(&str) -> &'v str,
        engine: Option<Version>,
    ) -> Vec<&'a Row> {
        let values: Vec<&str> = (self.columns.iter())
            .map(|column| match column.as_str() {
                ENGINE => "",
                column => value(column),
            })
            .collect();
        (self.rows.iter())
            .filter(|row| row.matches(&values, engine))
            .collect()
    }

    /// Where a row stands.
    #[must_use]
    pub fn place(&self, row: &Row) -> Place {
        Place {
            file: self.file.clone(),
            line: row.line,
        }
    }

    /// A row that was never found: it may be wrong unseen.
    #[must_use]
    pub fn idle(&self) -> Option<Place> {
        let idle = |row: &&Row| !row.used.load(Ordering::Relaxed);
        self.rows.iter().find(idle).map(|row| self.place(row))
    }

    /// Checks the words of all coordinates; `values` gives those of a column.
    ///
    /// # Errors
    /// Names the line of an unknown column or word, and the valid ones.
    pub fn check_words(
        &self,
        file: &SourceFile,
        values: &dyn Fn(&str) -> Option<Vec<String>>,
        columns: &[&str],
    ) -> Result<(), DataError> {
        for (nth, column) in self.columns.iter().enumerate() {
            if column == ENGINE {
                continue;
            }
            let Some(values) = values(column) else {
                let unknown =
                    UnknownWord::new("column", column, columns.iter().copied().chain([ENGINE]));
                return Err(file.error(self.line, unknown.to_string()));
            };
            for row in &self.rows {
                let stray = |word: &&String| !values.contains(word);
                if let Some(word) = row.patterns[nth].words().iter().find(stray) {
                    let unknown = UnknownWord::new("axis value", word, values);
                    return Err(file.error(row.line, unknown.to_string()));
                }
            }
        }
        Ok(())
    }

    /// The minor versions of a major one from which on a row says another thing.
    pub fn turns(&self, major: u16) -> impl Iterator<Item = u16> + '_ {
        let ranges = self.rows.iter().flat_map(|row| &row.patterns);
        let ranges = ranges.filter_map(|pattern| match pattern {
            Pattern::Engines(ranges) => Some(ranges),
            _ => None,
        });
        ranges.flatten().flat_map(move |range| range.turns(major))
    }

    fn point<'v>(&self, value: &dyn Fn(&str) -> &'v str, engine: Option<Version>) -> String {
        let parts = self
            .columns
            .iter()
            .map(|column| match (column.as_str(), engine) {
                (ENGINE, Some(engine)) => format!("engine {engine}"),
                (ENGINE, None) => "any engine".to_owned(),
                (column, _) => format!("{column} {}", value(column)),
            });
        parts.collect::<Vec<_>>().join(", ")
    }
}

impl Row {
    fn parse(line: usize, text: &str, columns: &[String], fields: usize) -> Result<Self, String> {
        let (left, right) = text
            .split_once("->")
            .ok_or("a row reads COORDINATES -> FIELDS")?;
        let words: Vec<&str> = left.split_whitespace().collect();
        if words.len() != columns.len() {
            let (have, due) = (words.len(), columns.len());
            return Err(format!(
                "{have} coordinates for {due} columns ({})",
                columns.join(", ")
            ));
        }
        let patterns = (words.iter().zip(columns))
            .map(|(word, column)| Pattern::parse(word, column == ENGINE))
            .collect::<Result<_, _>>()?;
        let right = split_fields(right);
        if right.is_empty() || (fields > 0 && right.len() != fields) {
            let (have, due) = (right.len(), fields.max(1));
            return Err(format!(
                "{have} fields right of the arrow, and {due} are due: two blanks or more stand \
                 between them, and `-` where one says nothing"
            ));
        }
        Ok(Self {
            line,
            fields: right.into_iter().map(str::to_owned).collect(),
            patterns,
            used: AtomicBool::new(false),
        })
    }

    /// The coordinate of a column, as it was read.
    #[must_use]
    pub fn pattern(&self, nth: usize) -> &Pattern {
        &self.patterns[nth]
    }

    fn matches(&self, values: &[&str], engine: Option<Version>) -> bool {
        let matches =
            self.patterns
                .iter()
                .zip(values)
                .all(|(pattern, value)| match (pattern, engine) {
                    (Pattern::Engines(ranges), Some(engine)) => {
                        ranges.iter().any(|r| r.holds(engine))
                    }
                    (Pattern::Engines(_), None) => true,
                    (pattern, _) => pattern.covers(value),
                });
        if matches {
            self.used.store(true, Ordering::Relaxed);
        }
        matches
    }
}

impl Pattern {
    /// Reads a coordinate; of the column `engine`, ranges of versions.
    ///
    /// # Errors
    /// When a value is empty, stands twice, or is no range.
    pub fn parse(word: &str, of_engines: bool) -> Result<Self, String> {
        if word == "*" {
            return Ok(Self::Any);
        }
        let list = |words: &str| -> Result<Vec<String>, String> {
            let words: Vec<String> = words.split(',').map(str::to_owned).collect();
            let bad = |(nth, one): (usize, &String)| one.is_empty() || words[..nth].contains(one);
            match words.iter().enumerate().any(bad) {
                true => Err(format!("`{word}` holds a value twice, or an empty one")),
                false => Ok(words),
            }
        };
        if of_engines {
            let ranges = list(word)?;
            let ranges = ranges.iter().map(|range| range.parse::<EngineRange>());
            let ranges = ranges.collect::<Result<_, _>>();
            return ranges.map(Self::Engines).map_err(|error| error.to_string());
        }
        match word.strip_prefix('!') {
            Some(words) => list(words).map(Self::NoneOf),
            None => list(word).map(Self::OneOf),
        }
    }

    /// Whether it stands for a value.
    #[must_use]
    pub fn covers(&self, value: &str) -> bool {
        match self {
            Self::Any | Self::Engines(_) => true,
            Self::OneOf(values) => values.iter().any(|one| one == value),
            Self::NoneOf(values) => values.iter().all(|one| one != value),
        }
    }

    /// The values that it names.
    #[must_use]
    pub fn words(&self) -> &[String] {
        match self {
            Self::Any | Self::Engines(_) => &[],
            Self::OneOf(words) | Self::NoneOf(words) => words,
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

fn split_fields(text: &str) -> Vec<&str> {
    let fields = text.split("  ").map(str::trim);
    fields.filter(|field| !field.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn table(rows: &str) -> Result<Table, DataError> {
        let text = format!("server sslmode engine -> outcome  wire\n{rows}");
        let file = SourceFile {
            name: "t.toml".to_owned(),
            text: text.clone(),
        };
        Table::parse(&file, 10, &text, &["outcome", "wire"])
    }

    fn find(table: &Table, server: &str, sslmode: &str, engine: &str) -> Result<usize, NoRow> {
        let value = |column: &str| match column {
            "server" => server,
            _ => sslmode,
        };
        (table.row(&value, Some(engine.parse().unwrap()))).map(|row| row.line)
    }

    #[test]
    fn one_row_matches_and_a_row_that_none_matches_is_idle() {
        let rows = "a  *   10-13,15+  -> x  y\na  !y  14  -> x  y\n# a comment\nb,c y * -> x  y z";
        let table = table(rows).unwrap();
        assert_eq!(find(&table, "a", "x", "13"), Ok(11));
        assert_eq!(find(&table, "a", "x", "14.2"), Ok(12));
        assert_eq!(
            table.idle().map(|place| place.to_string()).as_deref(),
            Some("t.toml:14")
        );
        assert_eq!(find(&table, "c", "y", "14"), Ok(14));
        assert_eq!(table.idle(), None);
        let missing = find(&table, "a", "y", "14").unwrap_err().to_string();
        assert_eq!(
            missing,
            "t.toml: no row of the table on line 10 matches server a, sslmode y, engine 14"
        );
    }

    #[test]
    fn two_rows_that_match_are_named() {
        let table = table("a * * -> x  y\n* b 12+ -> x  y").unwrap();
        let both = find(&table, "a", "b", "12").unwrap_err().to_string();
        assert_eq!(
            both,
            "t.toml: the rows on lines 11 and 12 both match server a, sslmode b, engine 12"
        );
    }

    #[test]
    fn minor_versions_at_which_rows_change_are_known() {
        let table = table("a * 11.4+ -> x  y\na * 11.0-11.3 -> x  y").unwrap();
        let mut turns: Vec<u16> = table.turns(11).collect();
        turns.sort_unstable();
        turns.dedup();
        assert_eq!(turns, [4]);
        assert_eq!(table.turns(12).count(), 0);
    }

    #[rstest]
    #[case("a b -> x  y", "2 coordinates for 3 columns (server, sslmode, engine)")]
    #[case("a b * x  y", "COORDINATES -> FIELDS")]
    #[case("a b * -> x y", "1 fields right of the arrow, and 2 are due")]
    #[case("a b * -> x  y  z", "3 fields right of the arrow, and 2 are due")]
    #[case("a b * -> ", "0 fields")]
    #[case("a,a b * -> x  y", "holds a value twice")]
    #[case("a, b * -> x  y", "or an empty one")]
    #[case("a b 9 -> x  y", "is no range of engines")]
    #[case("a b 14,15- -> x  y", "is no range of engines")]
    fn what_is_wrong_is_named_with_its_line(#[case] row: &str, #[case] what: &str) {
        let error = table(row).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("t.toml", 11));
        assert!(error.what.contains(what), "{error}");
    }

    #[rstest]
    #[case("server sslmode -> outcome wire", "two blanks between the fields")]
    #[case("server server -> outcome  wire", "`server` stands twice")]
    #[case("server sslmode", "COLUMNS -> FIELDS")]
    #[case("", "no header")]
    fn a_bad_header_is_named(#[case] header: &str, #[case] what: &str) {
        let file = SourceFile {
            name: "t.toml".to_owned(),
            text: header.to_owned(),
        };
        let error = Table::parse(&file, 3, header, &["outcome", "wire"]).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
}
