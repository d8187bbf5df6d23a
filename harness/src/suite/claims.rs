//! The statements of the RDS document, by id, and the cells that speak of each.

use serde::Deserialize;
use toml::Spanned;

use super::{
    DataError, SourceFile,
    query::{Answers, Query},
    rules::ENGINES,
};
use crate::engine::{EngineRange, Version};

/// One statement of the RDS document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// `RDS-TLS-04`.
    pub id: String,
    /// The heading under which the document makes it.
    #[serde(default)]
    pub paragraph: String,
    /// Engines that it is made for.
    #[serde(default)]
    pub engines: EngineRange,
    /// The statement, in our words.
    pub says: String,
    /// What other copies of the document say instead.
    #[serde(default)]
    pub revisions: Vec<Revision>,
    /// Cells that show it, where they pass.
    #[serde(default)]
    pub kept_by: Vec<Query>,
    /// Cells that contradict it, where they pass.
    #[serde(default)]
    pub broken_by: Vec<Query>,
    /// Drivers that do otherwise, which says nothing of RDS.
    #[serde(default)]
    pub differs: Vec<Difference>,
    /// Why it can't be seen from outside an instance.
    pub untestable: Option<String>,
    /// Why no case measures it yet.
    pub not_measured: Option<String>,
    /// What of it its cells leave unmeasured.
    pub not_covered: Option<String>,
    /// Where it is recorded not to hold.
    #[serde(default)]
    pub stale: Vec<Stale>,
    /// Why cells look at it although the RDS document doesn't say it, where it
    /// doesn't.
    #[serde(skip)]
    pub extra: Option<String>,
    /// Its line in `claims.toml`.
    #[serde(skip)]
    pub line: usize,
}

/// What another copy of the document says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Which copy, as `newer copies`.
    pub dated: String,
    /// What it says.
    pub says: String,
    /// Engines that it speaks of, where they aren't the claim's.
    pub engines: Option<EngineRange>,
}

/// Drivers that do otherwise than the document says of clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The cells that show it.
    pub cells: Vec<Query>,
    /// What they do.
    pub actual: String,
    /// Why.
    pub reason: String,
    /// Where that can be read.
    pub link: String,
}

/// A claim that is recorded not to hold as it stands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    /// On these engines.
    pub engines: EngineRange,
    /// What is so instead.
    pub actual: String,
    /// Why.
    pub reason: String,
    /// Where that can be read.
    pub link: String,
    /// Its line in `claims.toml`.
    #[serde(skip)]
    pub line: usize,
}

/// What the passing of a cell says of a claim.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Bearing {
    /// The claim holds there.
    Keeps,
    /// It doesn't.
    Breaks,
    /// A driver does otherwise: the claim's difference of this number.
    Differs(usize),
}

impl Claim {
    /// Whether the document, in any copy, makes the claim for an engine.
    #[must_use]
    pub fn speaks_of(&self, engine: Version) -> bool {
        self.extra.is_none() && self.ranges().any(|range| range.holds(engine))
    }

    /// Whether it does for some version of a major one.
    #[must_use]
    pub fn speaks_of_major(&self, major: u16) -> bool {
        self.extra.is_none() && self.ranges().any(|range| range.minors_of(major).is_some())
    }

    /// Whether no case measures it, by the file.
    #[must_use]
    pub fn is_unmeasured(&self) -> bool {
        self.untestable.is_some() || self.not_measured.is_some()
    }

    /// Superseded minor versions that it is made for, where it isn't made for the
    /// newest of their major version: of each range the last and the first.
    pub fn superseded_minors(&self) -> impl Iterator<Item = [Version; 2]> {
        ENGINES.flat_map(move |major| {
            let parts = self
                .ranges()
                .filter_map(move |range| range.minors_of(major));
            let version = move |minor| Version {
                major,
                minor: Some(minor),
            };
            parts
                .filter(|(_, last)| *last != u16::MAX)
                .map(move |(first, last)| [version(last), version(first)])
        })
    }

    /// What the document says of an engine: its own words, or those of another
    /// copy where that alone speaks of it.
    #[must_use]
    pub fn documented(&self, engine: Version) -> String {
        if self.engines.holds(engine) {
            return self.says.clone();
        }
        let speaks =
            |revision: &&Revision| revision.engines.is_some_and(|range| range.holds(engine));
        match self.revisions.iter().find(speaks) {
            Some(revision) => format!("{}: {}", revision.dated, revision.says),
            None => self.says.clone(),
        }
    }

    /// The record that it doesn't hold on an engine.
    #[must_use]
    pub fn stale_on(&self, engine: Version) -> Option<&Stale> {
        self.stale.iter().find(|stale| stale.engines.holds(engine))
    }

    /// All its queries, with what a cell of each says.
    pub fn queries(&self) -> impl Iterator<Item = (&Query, Bearing)> {
        let differs = self.differs.iter().enumerate().flat_map(|(nth, one)| {
            let cells = one.cells.iter();
            cells.map(move |query| (query, Bearing::Differs(nth)))
        });
        let kept = self.kept_by.iter().map(|query| (query, Bearing::Keeps));
        let broken = self.broken_by.iter().map(|query| (query, Bearing::Breaks));
        kept.chain(broken).chain(differs)
    }

    fn ranges(&self) -> impl Iterator<Item = EngineRange> {
        let others = self
            .revisions
            .iter()
            .filter_map(|revision| revision.engines);
        std::iter::once(self.engines).chain(others)
    }
}

/// All claims.
#[derive(Clone, Debug, Default)]
pub struct Claims(Vec<Claim>);

impl Claims {
    /// Reads `claims.toml`.
    ///
    /// # Errors
    /// When the file is no such file, an id stands twice, or a record speaks of
    /// engines that its claim doesn't.
    pub fn parse(file: &SourceFile) -> Result<Self, DataError> {
        let File { claim, extra } = file.parse()?;
        let claim = claim.into_iter().map(|entry| {
            let line = file.line(&entry.span());
            Claim {
                line,
                ..entry.into_inner()
            }
        });
        let extra = extra.into_iter().map(|entry| {
            let line = file.line(&entry.span());
            entry.into_inner().claim(line)
        });
        let mut claims: Vec<Claim> = Vec::new();
        for mut claim in claim.chain(extra) {
            if claims.iter().any(|other| other.id == claim.id) {
                return Err(file.error(claim.line, format!("claim {} stands twice", claim.id)));
            }
            check(&mut claim, file)?;
            claims.push(claim);
        }
        Ok(Self(claims))
    }

    /// The claim with an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Claim> {
        self.0.iter().find(|claim| claim.id == id)
    }

    /// All claims, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.0.iter()
    }

    /// Minor versions of a major one from which on another claim is made.
    pub(super) fn turns(&self, major: u16) -> impl Iterator<Item = u16> {
        let ranges = self.0.iter().flat_map(Claim::ranges);
        ranges.flat_map(move |range| range.turns(major))
    }

    /// The claims that a cell is about on an engine, and what its passing says of
    /// each.
    pub(super) fn about(&self, cell: &impl Answers, engine: Version) -> Vec<(String, Bearing)> {
        let speaks = |claim: &&Claim| claim.extra.is_some() || claim.speaks_of(engine);
        (self.0.iter().filter(speaks))
            .filter_map(|claim| {
                let (_, bearing) = claim.queries().find(|(query, _)| query.takes(cell))?;
                Some((claim.id.clone(), bearing))
            })
            .collect()
    }
}

fn check(claim: &mut Claim, file: &SourceFile) -> Result<(), DataError> {
    let fail = |what: String| Err(file.error(claim.line, what));
    let id = &claim.id;
    if claim.untestable.is_some() && claim.not_measured.is_some() {
        return fail(format!(
            "claim {id} is `untestable` or `not_measured`, not both"
        ));
    }
    let ranges: Vec<EngineRange> = claim.ranges().collect();
    for (nth, stale) in claim.stale.iter().enumerate() {
        let within = |made_for: &EngineRange| stale.engines.is_within(*made_for);
        if !ranges.iter().any(within) {
            return fail(format!(
                "the record on {} is of engines for which {id} isn't made",
                stale.engines
            ));
        }
        let twice = |other: &Stale| other.engines.first_in_both(stale.engines);
        if let Some(both) = claim.stale[..nth].iter().find_map(twice) {
            return fail(format!("a second record of {id} for PostgreSQL {both}"));
        }
    }
    let line = claim.line;
    for stale in &mut claim.stale {
        stale.line = line;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    claim: Vec<Spanned<Claim>>,
    #[serde(default)]
    extra: Vec<Spanned<Extra>>,
}

/// What cells look at although the document says nothing of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    id: String,
    says: String,
    why: String,
    cells: Vec<Query>,
}

impl Extra {
    fn claim(self, line: usize) -> Claim {
        Claim {
            id: self.id,
            paragraph: String::new(),
            engines: EngineRange::ALL,
            says: self.says,
            revisions: Vec::new(),
            kept_by: self.cells,
            broken_by: Vec::new(),
            differs: Vec::new(),
            untestable: None,
            not_measured: None,
            not_covered: None,
            stale: Vec::new(),
            extra: Some(self.why),
            line,
        }
    }
}
