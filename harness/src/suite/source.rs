//! Data files and the place in them that an error speaks of.

use std::ops::Range;

use serde::de::DeserializeOwned;

/// A data file: its name as people know it, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path relative to `suites/`, as `cases/sslmode.toml`.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

impl SourceFile {
    /// Parses the file.
    ///
    /// # Errors
    /// Names the line and what is wrong there; an unknown key comes with the
    /// valid ones.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, DataError> {
        toml::from_str(&self.text).map_err(|error| {
            let line = error.span().map_or(1, |span| self.line(&span));
            self.error(line, error.message())
        })
    }

    /// The line, from 1, on which a span of bytes begins.
    #[must_use]
    pub fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        before.matches('\n').count() + 1
    }

    /// The line, from 1, that begins with a key or holds a word first; 1 where none
    /// does.
    #[must_use]
    pub fn line_of(&self, word: &str) -> usize {
        let holds = |line: &str| {
            let parts = line.split(|c: char| !(c.is_alphanumeric() || "-_".contains(c)));
            parts.into_iter().any(|part| part == word)
        };
        self.text.lines().position(holds).map_or(1, |nth| nth + 1)
    }

    /// The line of the first row inside a multi-line string: TOML drops a line
    /// break that follows the opening quotes.
    #[must_use]
    pub fn first_row(&self, span: &Range<usize>) -> usize {
        let opening = self.text.get(span.start..).unwrap_or("");
        let skips = ["'''\n", "\"\"\"\n", "'''\r\n", "\"\"\"\r\n"]
            .iter()
            .any(|quotes| opening.starts_with(quotes));
        self.line(span) + usize::from(skips)
    }

    /// An error at a line of this file.
    pub fn error(&self, line: usize, what: impl Into<String>) -> DataError {
        DataError {
            file: self.name.clone(),
            line,
            what: what.into(),
        }
    }
}

/// What is wrong with a data file, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct DataError {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// A sentence with the way out.
    pub what: String,
}
