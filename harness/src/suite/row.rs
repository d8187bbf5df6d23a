//! The rows of a truth table.
//!
//! ```text
//! server     sslmode  trust  -> outcome              wire
//! both       disable  *      -> plaintext            startup
//! force-ssl  .        *      -> refused authorise hba 28000  startup error:28000  since 14
//! ```
//! Coordinates are separated by blanks; what stands right of the arrow, by two
//! or more. `*` is any value, `a,b` either, `!a,b` any but these, `.` the same as
//! in the row above. Notes may follow:
//!
//! | note | says |
//! |---|---|
//! | `since N`, `until N` | of which major versions the row speaks |
//! | `claim ID` | that it speaks for another claim than its table |
//! | `says TEXT` | how the refusal is worded |
//! | `answers ANSWER` | what the attempt's question is answered |
//! | `negotiates VERSION` | which TLS version comes about |
//! | `common-name endpoint` | that the certificate bears the endpoint's name as its CN, seen in a handshake of TLS 1.2 |
//!
//! `skip: why` in the place of an outcome leaves the cells out, counted.

use super::{DataError, Said, SourceFile, UnknownWord};
use crate::{policy::TlsVersion, tap::Wire};

/// A parsed table: its columns, and rows in the file's order.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The axes, by name.
    pub columns: Vec<String>,
    /// The rows below the header.
    pub rows: Vec<Row>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: usize,
    /// A pattern a column.
    pub coordinates: Vec<Pattern>,
    /// The first major version that it speaks of.
    pub since: Option<u16>,
    /// The last one.
    pub until: Option<u16>,
    /// The claim that it speaks for, where it isn't the table's.
    pub claim: Option<String>,
    /// What must be seen.
    pub expects: Expects,
}

/// Values of an axis.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pattern {
    /// `*`
    Any,
    /// `a,b`
    OneOf(Vec<String>),
    /// `!a,b`: any but these
    NoneOf(Vec<String>),
}

/// What a row says of its cells.
#[derive(Clone, Debug)]
pub enum Expects {
    /// They aren't played, for a reason.
    Skip(String),
    /// This must be seen.
    See {
        /// At the client.
        said: Said,
        /// By the tap.
        wire: Wire,
        /// What must be seen besides.
        notes: Notes,
    },
}

/// What a row asks of an attempt besides outcome and wire.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Notes {
    /// The name of a text that the refusal must be worded as.
    pub says: Option<String>,
    /// The name of the answer that the attempt's question must have.
    pub answers: Option<String>,
    /// The TLS version that must be negotiated.
    pub negotiates: Option<TlsVersion>,
    /// Whether the certificate must bear the endpoint's name as its CN.
    pub common_name: bool,
}

impl Row {
    /// Whether the row speaks of a point of the cube.
    pub fn covers(&self, point: &[&str]) -> bool {
        (self.coordinates.iter())
            .zip(point)
            .all(|(pattern, value)| pattern.covers(value))
    }

    /// Whether the row speaks of some major versions alone.
    pub fn is_engine_bound(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether the row speaks of a major version.
    pub fn speaks_of(&self, major: u16) -> bool {
        self.since.is_none_or(|since| since <= major)
            && self.until.is_none_or(|until| major <= until)
    }
}

impl Pattern {
    fn covers(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(values) => values.iter().any(|v| v == value),
            Self::NoneOf(values) => values.iter().all(|v| v != value),
        }
    }

    /// The values that it names.
    pub fn words(&self) -> &[String] {
        match self {
            Self::Any => &[],
            Self::OneOf(words) | Self::NoneOf(words) => words,
        }
    }
}

/// Parses the text of a table whose first line is line `first` of the file.
pub fn parse(file: &SourceFile, first: usize, text: &str) -> Result<Rows, DataError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(nth, line)| (first + nth, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let (at, header) = lines
        .next()
        .ok_or_else(|| file.error(first, "the table has no header"))?;
    let (columns, _) = header.split_once("->").ok_or_else(|| {
        file.error(
            at,
            "the header names the axes and ends in `-> outcome  wire`",
        )
    })?;
    let columns: Vec<String> = columns.split_whitespace().map(str::to_owned).collect();
    let mut rows: Vec<Row> = Vec::new();
    for (line, text) in lines {
        let row = parse_row(line, text, columns.len(), rows.last())
            .map_err(|what| file.error(line, what))?;
        rows.push(row);
    }
    Ok(Rows { columns, rows })
}

fn parse_row(line: usize, text: &str, columns: usize, above: Option<&Row>) -> Result<Row, String> {
    let (left, right) = text
        .split_once("->")
        .ok_or("a row reads COORDINATES -> OUTCOME  WIRE")?;
    let coordinates = left
        .split_whitespace()
        .enumerate()
        .map(|(column, word)| match word {
            "*" => Ok(Pattern::Any),
            "." => above
                .and_then(|row| row.coordinates.get(column).cloned())
                .ok_or_else(|| "`.` stands for the row above, and there is none".to_owned()),
            _ => {
                let list = |words: &str| words.split(',').map(str::to_owned).collect();
                Ok(match word.strip_prefix('!') {
                    Some(words) => Pattern::NoneOf(list(words)),
                    None => Pattern::OneOf(list(word)),
                })
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    if coordinates.len() != columns {
        return Err(format!(
            "{} coordinates for {columns} axes",
            coordinates.len()
        ));
    }
    let mut row = Row {
        line,
        coordinates,
        since: None,
        until: None,
        claim: None,
        expects: Expects::Skip(String::new()),
    };
    let fields: Vec<&str> = right
        .split("  ")
        .map(str::trim)
        .filter(|field| !field.is_empty())
        .collect();
    let (outcome, rest) = fields
        .split_first()
        .ok_or("the row expects nothing: an outcome is missing")?;
    if let Some(why) = outcome.strip_prefix("skip:") {
        let notes = row.note_all(rest)?;
        if notes != Notes::default() || why.trim().is_empty() {
            return Err("a skip says why, and expects nothing".to_owned());
        }
        row.expects = Expects::Skip(why.trim().to_owned());
        return Ok(row);
    }
    let (wire, notes) = rest.split_first().ok_or(
        "the wire is missing; it stands two blanks after the outcome, and `-` is no connection",
    )?;
    let notes = row.note_all(notes)?;
    row.expects = Expects::See {
        said: outcome.parse().map_err(|e: UnknownWord| e.to_string())?,
        wire: wire.parse().map_err(|e| format!("{e}"))?,
        notes,
    };
    Ok(row)
}

impl Row {
    /// Takes over what says of which cells the row speaks; gives the rest.
    fn note_all(&mut self, texts: &[&str]) -> Result<Notes, String> {
        let mut notes = Notes::default();
        for note in texts {
            let major = |text: &str| {
                text.parse::<u16>()
                    .map_err(|_| format!("`{note}` needs a major version, as `since 14`"))
            };
            match note.split_once(' ').unwrap_or((note, "")) {
                ("since", text) => self.since = Some(major(text)?),
                ("until", text) => self.until = Some(major(text)?),
                ("claim", text) => self.claim = Some(text.to_owned()),
                ("says", text) => notes.says = Some(text.to_owned()),
                ("answers", text) => notes.answers = Some(text.to_owned()),
                ("negotiates", text) => {
                    let version: TlsVersion = text.parse().map_err(|e| format!("{e}"))?;
                    notes.negotiates = Some(version);
                }
                ("common-name", "endpoint") => notes.common_name = true,
                _ => return Err(UnknownWord::new("note", note, NOTES).to_string()),
            }
        }
        Ok(notes)
    }
}

const NOTES: [&str; 7] = [
    "since N",
    "until N",
    "claim ID",
    "says TEXT",
    "answers ANSWER",
    "negotiates VERSION",
    "common-name endpoint",
];

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile {
            name: "cases/t.toml".to_owned(),
            text: text.to_owned(),
        }
    }

    fn one(row: &str) -> Result<Row, DataError> {
        let text = format!("server sslmode -> outcome  wire\n{row}");
        parse(&file(&text), 10, &text).map(|rows| rows.rows.last().cloned().unwrap())
    }

    #[test]
    fn a_row_reads_as_it_is_written() {
        let row = one("a *  -> plaintext  startup\n. x,y -> encrypted  sslrequest S hello tls  since 12  until 13").unwrap();
        assert_eq!(row.line, 12);
        assert_eq!(row.coordinates[0], Pattern::OneOf(vec!["a".into()]));
        assert!(row.covers(&["a", "y"]) && row.covers(&["a", "x"]));
        assert!(!row.covers(&["a", "z"]) && !row.covers(&["b", "x"]));
        assert!(row.speaks_of(12) && row.speaks_of(13));
        assert!(!row.speaks_of(11) && !row.speaks_of(14));
    }

    #[rstest]
    #[case("a -> plaintext  startup", "1 coordinates for 2 axes")]
    #[case(". b -> plaintext  startup", "there is none")]
    #[case("a b plaintext", "COORDINATES -> OUTCOME")]
    #[case("a b -> plaintext startup", "the wire is missing")]
    #[case("a b -> ", "an outcome is missing")]
    #[case("a b -> plain  startup", "unknown outcome `plain`")]
    #[case("a b -> plaintext  starting", "starting")]
    #[case(
        "a b -> plaintext  startup  sinse 12",
        "unknown note `sinse 12`; valid: since N"
    )]
    #[case("a b -> plaintext  startup  since x", "needs a major version")]
    #[case("a b -> skip:", "a skip says why")]
    fn what_is_wrong_is_named_with_its_line(#[case] row: &str, #[case] what: &str) {
        let error = one(row).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("cases/t.toml", 11));
        assert!(error.what.contains(what), "{error}");
    }
}
