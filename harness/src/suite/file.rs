//! A suite's file: axes, texts and truth tables.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use toml::Spanned;

use super::{
    DataError, ExpectedAnswer, Settings, SourceFile, UnknownWord,
    row::{self, Expects, Notes, Rows},
};

/// A suite: tables over axes, all speaking for one claim.
#[derive(Clone, Debug)]
pub struct Suite {
    /// `sslmode`.
    pub id: String,
    /// What it finds out, in a line.
    pub title: String,
    /// The documents that its tables follow.
    pub source: String,
    /// By axis, by value: what the value sets.
    pub axes: BTreeMap<String, BTreeMap<String, Settings>>,
    /// Refusals word for word; `{user}`, `{database}` and `{client}` (an IP
    /// address) are filled in.
    pub texts: BTreeMap<String, String>,
    /// Statements to ask over a session, by the names that `ask` knows.
    pub questions: BTreeMap<String, String>,
    /// What they are answered, by the names that `answers` knows.
    pub answers: BTreeMap<String, Arc<ExpectedAnswer>>,
    /// The tables.
    pub tables: Vec<Table>,
    /// The file, for errors.
    pub file: SourceFile,
}

/// One truth table, for one or several drivers.
#[derive(Clone, Debug)]
pub struct Table {
    /// The line on which its rows begin.
    pub line: usize,
    /// The claim that its cells speak for.
    pub claim: String,
    /// Drivers that it holds for, each with the line that names it.
    pub drivers: Vec<(usize, String)>,
    /// What all its cells set.
    pub sets: Settings,
    /// Axis values that it is restricted to.
    pub only: BTreeMap<String, Vec<String>>,
    /// Columns and rows.
    pub rows: Rows,
}

impl Suite {
    /// Reads `cases/*.toml`.
    ///
    /// # Errors
    /// Names the line of an unknown key, axis, axis value or text, and what is
    /// valid there.
    pub fn parse(file: SourceFile) -> Result<Self, DataError> {
        let File {
            suite,
            axes,
            texts,
            questions,
            answers,
            table,
        } = file.parse()?;
        let answers = (answers.into_iter())
            .map(|(name, text)| {
                let line = file.line(&text.span());
                let answer = ExpectedAnswer::parse(&name, text.as_ref())
                    .map_err(|error| file.error(line, error.to_string()))?;
                Ok((name, Arc::new(answer)))
            })
            .collect::<Result<_, DataError>>()?;
        let tables = table
            .into_iter()
            .map(|raw| raw.parse(&file, &suite.claim))
            .collect::<Result<Vec<_>, _>>()?;
        let suite = Self {
            id: suite.id,
            title: suite.title,
            source: suite.source,
            axes,
            texts,
            questions,
            answers,
            tables,
            file,
        };
        suite
            .tables
            .iter()
            .try_for_each(|table| suite.check(table))?;
        Ok(suite)
    }

    /// The values of an axis in a table.
    #[must_use]
    pub fn values<'a>(&'a self, table: &'a Table, axis: &str) -> Vec<&'a str> {
        match (table.only.get(axis), self.axes.get(axis)) {
            (Some(only), _) => only.iter().map(String::as_str).collect(),
            (None, Some(values)) => values.keys().map(String::as_str).collect(),
            (None, None) => Vec::new(),
        }
    }

    fn check(&self, table: &Table) -> Result<(), DataError> {
        let fail = |line, unknown: UnknownWord| Err(self.file.error(line, unknown.to_string()));
        for axis in table.rows.columns.iter().chain(table.only.keys()) {
            if !self.axes.contains_key(axis) {
                return fail(table.line, UnknownWord::new("axis", axis, self.axes.keys()));
            }
        }
        for (axis, only) in &table.only {
            if !table.rows.columns.contains(axis) {
                let columns = table.rows.columns.iter();
                return fail(
                    table.line,
                    UnknownWord::new("column in `only`", axis, columns),
                );
            }
            let known = &self.axes[axis];
            if let Some(value) = only.iter().find(|value| !known.contains_key(*value)) {
                return fail(
                    table.line,
                    UnknownWord::new("axis value", value, known.keys()),
                );
            }
        }
        for row in &table.rows.rows {
            for (axis, pattern) in table.rows.columns.iter().zip(&row.coordinates) {
                let values = self.values(table, axis);
                let stray = |word: &&String| !values.contains(&word.as_str());
                if let Some(word) = pattern.words().iter().find(stray) {
                    return fail(row.line, UnknownWord::new("axis value", word, values));
                }
            }
            if let Expects::See { notes, .. } = &row.expects {
                self.check_notes(notes)
                    .map_err(|unknown| self.file.error(row.line, unknown.to_string()))?;
            }
        }
        Ok(())
    }

    fn check_notes(&self, notes: &Notes) -> Result<(), UnknownWord> {
        if let Some(name) = &notes.says
            && !self.texts.contains_key(name)
        {
            return Err(UnknownWord::new("text", name, self.texts.keys()));
        }
        if let Some(name) = &notes.answers
            && !self.answers.contains_key(name)
        {
            return Err(UnknownWord::new("answer", name, self.answers.keys()));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    suite: Head,
    axes: BTreeMap<String, BTreeMap<String, Settings>>,
    #[serde(default)]
    texts: BTreeMap<String, String>,
    #[serde(default)]
    questions: BTreeMap<String, String>,
    #[serde(default)]
    answers: BTreeMap<String, Spanned<String>>,
    table: Vec<RawTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    title: String,
    claim: Spanned<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    claim: Option<Spanned<String>>,
    drivers: Vec<Spanned<String>>,
    #[serde(default)]
    sets: Settings,
    #[serde(default)]
    only: BTreeMap<String, Vec<String>>,
    rows: Spanned<String>,
}

impl RawTable {
    fn parse(self, file: &SourceFile, claim: &Spanned<String>) -> Result<Table, DataError> {
        let line = file.first_row(&self.rows.span());
        Ok(Table {
            line,
            claim: self.claim.as_ref().unwrap_or(claim).as_ref().clone(),
            drivers: self
                .drivers
                .into_iter()
                .map(|driver| (file.line(&driver.span()), driver.into_inner()))
                .collect(),
            sets: self.sets,
            only: self.only,
            rows: row::parse(file, line, self.rows.as_ref())?,
        })
    }
}
