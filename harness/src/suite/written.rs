//! Written truth tables: what people have written out, cell by cell, for some
//! drivers. They are the check of what is composed from facts.
//!
//! ```toml
//! [[table]]
//! suite = "sslmode"
//! drivers = ["libpq"]
//! rows = '''
//! server  sslmode  trust  leaf  -> outcome    wire
//! both    prefer   root   *     -> encrypted  sslrequest S hello tls
//! '''
//! ```
//! The columns are axes, `way` and `engine`. All tables of a suite and a driver
//! together have exactly one row for each of its cells.

use serde::Deserialize;
use toml::Spanned;

use super::{
    DataError, Place, SourceFile, Table,
    case::{Case, Expectation},
    table::Row,
};
use crate::engine::Version;

/// One table, for one or several drivers.
#[derive(Debug)]
pub struct Written {
    suite: String,
    drivers: Vec<String>,
    table: Table,
    file: SourceFile,
}

impl Written {
    /// Reads `written/*.toml`.
    ///
    /// # Errors
    /// Names the line of what is no table.
    pub fn parse(file: &SourceFile) -> Result<Vec<Self>, DataError> {
        let File { table } = file.parse()?;
        (table.into_iter())
            .map(|raw| {
                let first = file.first_row(&raw.rows.span());
                let fields = ["outcome", "wire"];
                Ok(Self {
                    table: Table::parse(file, first, raw.rows.as_ref(), &fields)?,
                    suite: raw.suite,
                    drivers: raw.drivers,
                    file: file.clone(),
                })
            })
            .collect()
    }

    /// A row that speaks of no cell.
    pub fn idle(&self) -> Option<Place> {
        self.table.idle()
    }

    fn speaks_of(&self, case: &Case) -> bool {
        self.suite == case.suite.id && self.drivers.contains(&case.driver.id)
    }
}

/// Holds a composed cell against the tables that speak of it.
///
/// # Errors
/// Where a table says another thing, with both; where none or several rows speak of
/// the cell.
pub fn check(
    all: &[Written],
    case: &Case,
    engine: Version,
    composed: &Expectation,
    places: &[Place],
) -> Result<(), DataError> {
    let mut rows: Vec<(&Written, &Row)> = Vec::new();
    let mut last = None;
    for written in all.iter().filter(|written| written.speaks_of(case)) {
        let value = |column: &str| match column {
            "way" => case.way.id.as_str(),
            axis => (case.point.iter())
                .find(|(name, _)| name == axis)
                .map_or("-", |(_, value)| value.as_str()),
        };
        rows.extend(
            (written.table.rows(&value, Some(engine)).into_iter()).map(|row| (written, row)),
        );
        last = Some(written);
    }
    let Some(last) = last else { return Ok(()) };
    let [(written, row)] = rows.as_slice() else {
        let what = format!(
            "{} rows of the written tables speak of the cell {}@{engine}, and one is due",
            rows.len(),
            case.id
        );
        let line = rows.first().map_or(last.table.line, |(_, row)| row.line);
        return Err(last.file.error(line, what));
    };
    let seen = match composed {
        Expectation::Skip(_) => return Ok(()),
        Expectation::See(expected) => format!("{}  {}", expected.class, expected.wire),
    };
    let due = row.fields.join("  ");
    if due == seen {
        return Ok(());
    }
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    Err(written.file.error(
        row.line,
        format!(
            "of the cell {}@{engine} the written table says `{due}`, and the composition of {} \
             gives `{seen}`",
            case.id,
            places.join(", ")
        ),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    table: Vec<RawTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    suite: String,
    drivers: Vec<String>,
    rows: Spanned<String>,
}
