//! Recorded divergences: where what is seen differs from what documents say.

use globset::{Glob, GlobBuilder, GlobMatcher};
use serde::Deserialize;
use toml::Spanned;

use super::{DataError, OutcomeClass, SourceFile, UnknownWord};
use crate::tap::Wire;

/// One divergence, with the cells that show it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The cells, as written.
    pub cells: String,
    /// Why they diverge.
    pub reason: String,
    /// Where that can be read.
    pub link: String,
    /// What is seen at the client instead.
    pub class: OutcomeClass,
    /// What is seen on the wire instead.
    pub wire: Wire,
    /// The entry's line in `known.toml`.
    pub line: usize,
    matcher: GlobMatcher,
}

impl Known {
    /// Reads `known.toml`.
    ///
    /// # Errors
    /// When the file is no list of divergences.
    pub fn parse(file: &SourceFile) -> Result<Vec<Self>, DataError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            known: Vec<Entry>,
        }
        let File { known } = file.parse()?;
        known.into_iter().map(|entry| entry.parse(file)).collect()
    }

    /// Whether the entry names a cell: `*` stays within a part of the id, and an
    /// entry without `@` speaks of every engine.
    #[must_use]
    pub fn names(&self, id: &str) -> bool {
        let id = if self.cells.contains('@') {
            id
        } else {
            id.split_once('@').map_or(id, |(cell, _)| cell)
        };
        self.matcher.is_match(id)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    cells: Spanned<String>,
    reason: String,
    link: String,
    seen: Spanned<String>,
}

impl Entry {
    fn parse(self, file: &SourceFile) -> Result<Known, DataError> {
        let line = file.line(&self.cells.span());
        let seen_at = file.line(&self.seen.span());
        let (class, wire) = self.seen.as_ref().split_once("  ").ok_or_else(|| {
            let what = "`seen` reads OUTCOME  WIRE, two blanks between them";
            file.error(seen_at, what)
        })?;
        Ok(Known {
            matcher: glob(self.cells.as_ref())
                .map_err(|error| file.error(line, error.to_string()))?
                .compile_matcher(),
            cells: self.cells.into_inner(),
            reason: self.reason,
            link: self.link,
            class: class
                .parse()
                .map_err(|error: UnknownWord| file.error(seen_at, error.to_string()))?,
            wire: wire
                .trim()
                .parse()
                .map_err(|error| file.error(seen_at, format!("{error}")))?,
            line,
        })
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}
