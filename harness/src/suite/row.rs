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
//! | `since N`, `until N` | of which versions the row speaks: `since 14`, `until 11.3` |
//! | `claim ID` | that it speaks for another claim than its table |
//! | `against ID,ID` | that its passing contradicts these claims of the RDS document |
//! | `says TEXT` | how the refusal is worded |
//! | `answers ANSWER` | what the attempt's question is answered |
//! | `negotiates VERSION` | which TLS version comes about |
//! | `cipher NAME` | which cipher suite, by the name that `pg_stat_ssl` has |
//! | `common-name endpoint` | that the certificate bears the endpoint's name as its CN, seen in a handshake of TLS 1.2 |
//!
//! `skip: why` in the place of an outcome leaves the cells out, counted.

use super::{DataError, Said, SourceFile, UnknownWord};
use crate::{engine::Version, policy::TlsVersion, tap::Wire};

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
    /// The first version that it speaks of.
    pub since: Option<Version>,
    /// The last one; without a minor number, the newest of its major version.
    pub until: Option<Version>,
    /// The claim that it speaks for, where it isn't the table's.
    pub claim: Option<String>,
    /// Claims that its passing contradicts.
    pub against: Vec<String>,
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
    /// The cipher suite that must be negotiated, by OpenSSL's name.
    pub cipher: Option<String>,
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

    /// Whether the row speaks of some versions alone.
    pub fn is_engine_bound(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether the row speaks of a version. One without a minor number counts as
    /// the newest of its major version.
    pub fn speaks_of(&self, engine: Version) -> bool {
        let engine = order(engine, u16::MAX);
        self.since.is_none_or(|since| order(since, 0) <= engine)
            && self
                .until
                .is_none_or(|until| engine <= order(until, u16::MAX))
    }

    /// The minor numbers of a major version from which on the row says another
    /// thing than before.
    pub fn turns(&self, major: u16) -> impl Iterator<Item = u16> {
        let of = move |version: Option<Version>| {
            version
                .filter(|version| version.major == major)
                .and_then(|version| version.minor)
        };
        let after = of(self.until).map(|last| last.saturating_add(1));
        of(self.since).into_iter().chain(after)
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

fn order(version: Version, open: u16) -> (u16, u16) {
    (version.major, version.minor.unwrap_or(open))
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
        against: Vec::new(),
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
        if notes != Notes::default() || !row.against.is_empty() || why.trim().is_empty() {
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
            let version = |text: &str| {
                text.parse::<Version>()
                    .map_err(|_| format!("`{note}` needs a version, as `since 14` or `until 11.3`"))
            };
            match note.split_once(' ').unwrap_or((note, "")) {
                ("since", text) => self.since = Some(version(text)?),
                ("until", text) => self.until = Some(version(text)?),
                ("claim", text) => self.claim = Some(text.to_owned()),
                ("against", text) => {
                    self.against = text.split(',').map(|id| id.trim().to_owned()).collect();
                }
                ("says", text) => notes.says = Some(text.to_owned()),
                ("answers", text) => notes.answers = Some(text.to_owned()),
                ("negotiates", text) => {
                    let version: TlsVersion = text.parse().map_err(|e| format!("{e}"))?;
                    notes.negotiates = Some(version);
                }
                ("cipher", text) => notes.cipher = Some(text.to_owned()),
                ("common-name", "endpoint") => notes.common_name = true,
                _ => return Err(UnknownWord::new("note", note, NOTES).to_string()),
            }
        }
        Ok(notes)
    }
}

const NOTES: [&str; 9] = [
    "since N",
    "until N",
    "claim ID",
    "against ID",
    "says TEXT",
    "answers ANSWER",
    "negotiates VERSION",
    "cipher NAME",
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
        assert!(speaks(&row, "12") && speaks(&row, "13.4"));
        assert!(!speaks(&row, "11") && !speaks(&row, "14"));
    }

    fn speaks(row: &Row, engine: &str) -> bool {
        row.speaks_of(engine.parse().unwrap())
    }

    #[rstest]
    #[case("since 11.4", &["11.4", "11.10", "11", "12"], &["11.3", "10"])]
    #[case("until 11.3", &["10", "11.0", "11.3"], &["11.4", "11", "12"])]
    #[case("until 11", &["11.22", "11"], &["12.0"])]
    fn minor_versions_are_told_apart(
        #[case] note: &str,
        #[case] of: &[&str],
        #[case] not_of: &[&str],
    ) {
        let row = one(&format!("a b -> plaintext  startup  {note}")).unwrap();
        assert!(of.iter().all(|engine| speaks(&row, engine)));
        assert!(!not_of.iter().any(|engine| speaks(&row, engine)));
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
    #[case("a b -> plaintext  startup  since x", "needs a version")]
    #[case("a b -> skip:", "a skip says why")]
    #[case("a b -> skip: why  against C", "and expects nothing")]
    fn what_is_wrong_is_named_with_its_line(#[case] row: &str, #[case] what: &str) {
        let error = one(row).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("cases/t.toml", 11));
        assert!(error.what.contains(what), "{error}");
    }
}
