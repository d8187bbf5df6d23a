//! Claims and cells, held against each other: every claim that can be measured is
//! shown by a cell that is played on every engine that it is made for, every query
//! finds a cell, and no cell says two things of one claim.

use std::collections::BTreeSet;

use super::{
    Claims, DataError, SourceFile,
    claims::{Bearing, Claim},
    query::{Answers, FACTS, Query},
    rules::ENGINES,
    table::ENGINE,
};

/// What cells say of claims, gathered cell by cell.
pub struct Coverage<'a> {
    claims: &'a Claims,
    file: &'a SourceFile,
    /// Claims, and the major versions on which a cell shows them.
    shown: BTreeSet<(String, u16)>,
    /// Claims, and the queries that found a cell.
    found: BTreeSet<(String, String)>,
}

impl<'a> Coverage<'a> {
    /// Of the claims in `file`.
    pub fn new(claims: &'a Claims, file: &'a SourceFile) -> Self {
        Self {
            claims,
            file,
            shown: BTreeSet::new(),
            found: BTreeSet::new(),
        }
    }

    /// Counts a cell.
    ///
    /// # Errors
    /// When it says two things of one claim.
    pub fn count(&mut self, id: &str, cell: &impl Answers, played: bool) -> Result<(), DataError> {
        let engine = cell.engine();
        for claim in self.claims.iter() {
            if claim.extra.is_none() && !claim.speaks_of(engine) {
                continue;
            }
            let mut said: Option<(Bearing, &Query)> = None;
            for (query, bearing) in claim.queries().filter(|(query, _)| query.takes(cell)) {
                if let Some((other, first)) = said
                    && other != bearing
                {
                    let what = format!(
                        "the cell {id}@{engine} is found by two lists of claim {}: `{first}` and \
                         `{query}`",
                        claim.id
                    );
                    return Err(self.file.error(claim.line, what));
                }
                said = Some((bearing, query));
                self.found.insert((claim.id.clone(), query.to_string()));
            }
            if said.is_some_and(|(bearing, _)| !matches!(bearing, Bearing::Differs(_))) && played {
                self.shown.insert((claim.id.clone(), engine.major));
            }
        }
        Ok(())
    }

    /// Finds a claim that nothing shows, or that something shows although the file
    /// says that nothing does, and a query that finds nothing.
    ///
    /// # Errors
    /// Names the claim, its line, and the first engine without a cell.
    pub fn check(&self, axes: &BTreeSet<&str>) -> Result<(), DataError> {
        for claim in self.claims.iter() {
            if let Some(what) = wrong_keys(claim, axes).or_else(|| self.wrong(claim)) {
                return Err(self.file.error(claim.line, what));
            }
        }
        Ok(())
    }

    fn wrong(&self, claim: &Claim) -> Option<String> {
        let id = &claim.id;
        let shows = |major: u16| self.shown.contains(&(id.clone(), major));
        if claim.is_unmeasured() {
            return (claim.queries().next().is_some()).then(|| {
                format!("claim {id} names cells: take out what says that it isn't measured")
            });
        }
        let idle =
            |(query, _): &(&Query, Bearing)| !self.found.contains(&(id.clone(), query.to_string()));
        if let Some((query, _)) = claim.queries().find(idle) {
            return Some(format!("`{query}` of claim {id} finds no cell"));
        }
        let bare = |major: &u16| claim.speaks_of_major(*major) && !shows(*major);
        ENGINES.into_iter().find(bare).map(|major| {
            format!(
                "claim {id} has no cell that is played on PostgreSQL {major}: name one, or say \
                 why not (`not_measured`, `untestable`)"
            )
        })
    }
}

/// A query that names no axis and no fact.
fn wrong_keys(claim: &Claim, axes: &BTreeSet<&str>) -> Option<String> {
    let unknown = claim.queries().find_map(|(query, _)| {
        let known = |key: &str| axes.contains(key) || FACTS.contains(&key) || key == ENGINE;
        query.keys().find(|key| !known(key)).map(str::to_owned)
    })?;
    let valid = axes.iter().chain(&FACTS).copied().chain([ENGINE]);
    Some(super::UnknownWord::new("axis or fact", &unknown, valid).to_string())
}
