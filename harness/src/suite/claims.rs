//! The statements of the RDS document, by id.

use serde::Deserialize;
use toml::Spanned;

use super::{DataError, SourceFile};
use crate::engine::{EngineRange, ParseRangeError, Version};

/// One statement of the RDS document.
#[derive(Clone, Debug)]
pub struct Claim {
    /// `RDS-TLS-04`.
    pub id: String,
    /// The heading under which the document makes it.
    pub paragraph: String,
    /// Engines that it is made for.
    pub engines: EngineRange,
    /// The statement, in our words.
    pub says: String,
    /// What other copies of the document say instead.
    pub readings: Vec<Reading>,
    /// Why no case measures it, where none does.
    pub unmeasured: Option<Unmeasured>,
    /// What of it its cells leave unmeasured.
    pub leaves: Option<String>,
    /// Where it is recorded not to hold.
    pub stale: Vec<Stale>,
    /// Why cells look at it although the RDS document doesn't say it, where it
    /// doesn't.
    pub beside: Option<String>,
    /// Its line in `claims.toml`.
    pub line: usize,
}

/// What another copy of the document says.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Which copy, as `newer copies`.
    pub dated: String,
    /// What it says.
    pub says: String,
    /// Engines that it speaks of, where they aren't the claim's.
    pub engines: Option<EngineRange>,
}

/// Why no case measures a claim.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Unmeasured {
    /// It can't be seen from outside an instance.
    Untestable(String),
    /// It could be, and isn't yet.
    NotYet(String),
}

/// A claim that is recorded not to hold as it stands.
#[derive(Clone, Debug)]
pub struct Stale {
    /// On these engines.
    pub engines: EngineRange,
    /// What is so instead.
    pub reads: String,
    /// Why.
    pub reason: String,
    /// Where that can be read.
    pub link: String,
    /// Its line in `claims.toml`.
    pub line: usize,
}

impl Claim {
    /// Whether the document, in any copy, makes the claim for an engine.
    #[must_use]
    pub fn speaks_of(&self, engine: Version) -> bool {
        self.beside.is_none() && self.ranges().any(|range| range.holds(engine))
    }

    /// Whether it does for some version of a major one.
    #[must_use]
    pub fn speaks_of_major(&self, major: u16) -> bool {
        self.beside.is_none() && self.ranges().any(|range| range.minors_of(major).is_some())
    }

    /// Old versions that it is made for, where it isn't made for the newest of their
    /// major version: of each range the last and the first.
    pub fn bygone(&self) -> impl Iterator<Item = [Version; 2]> {
        super::ENGINES.flat_map(move |major| {
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
        let speaks = |reading: &&Reading| reading.engines.is_some_and(|range| range.holds(engine));
        match self.readings.iter().find(speaks) {
            Some(reading) => format!("{}: {}", reading.dated, reading.says),
            None => self.says.clone(),
        }
    }

    /// The record that it doesn't hold on an engine.
    #[must_use]
    pub fn stale_on(&self, engine: Version) -> Option<&Stale> {
        self.stale.iter().find(|stale| stale.engines.holds(engine))
    }

    fn ranges(&self) -> impl Iterator<Item = EngineRange> {
        let others = self.readings.iter().filter_map(|reading| reading.engines);
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
    /// When the file is no such file, an id stands twice, a range of engines is
    /// none, or a record speaks of engines that its claim doesn't.
    pub fn parse(file: &SourceFile) -> Result<Self, DataError> {
        let File { claim, beside } = file.parse()?;
        let entries = (claim.into_iter().map(|entry| entry.parse(file)))
            .chain(beside.into_iter().map(|entry| Ok(entry.parse(file))));
        let mut claims: Vec<Claim> = Vec::new();
        for claim in entries {
            let claim = claim?;
            if claims.iter().any(|other| other.id == claim.id) {
                return Err(file.error(claim.line, format!("claim {} stands twice", claim.id)));
            }
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    claim: Vec<Entry>,
    #[serde(default)]
    beside: Vec<BesideEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Spanned<String>,
    paragraph: String,
    engines: Option<Spanned<String>>,
    says: String,
    #[serde(default)]
    readings: Vec<ReadingEntry>,
    leaves: Option<String>,
    untestable: Option<String>,
    not_measured: Option<String>,
    #[serde(default)]
    stale: Vec<StaleEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadingEntry {
    dated: String,
    says: String,
    engines: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StaleEntry {
    engines: Spanned<String>,
    reads: String,
    reason: String,
    link: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BesideEntry {
    id: Spanned<String>,
    says: String,
    why: String,
}

impl Entry {
    fn parse(self, file: &SourceFile) -> Result<Claim, DataError> {
        let line = file.line(&self.id.span());
        let id = self.id.into_inner();
        let unmeasured = match (self.untestable, self.not_measured) {
            (None, None) => None,
            (Some(why), None) => Some(Unmeasured::Untestable(why)),
            (None, Some(why)) => Some(Unmeasured::NotYet(why)),
            (Some(_), Some(_)) => {
                let what = format!("claim {id} is `untestable` or `not_measured`, not both");
                return Err(file.error(line, what));
            }
        };
        let engines = match self.engines {
            Some(text) => range(file, &text)?,
            None => EngineRange::ALL,
        };
        let readings = (self.readings.into_iter())
            .map(|reading| reading.parse(file))
            .collect::<Result<_, _>>()?;
        let mut claim = Claim {
            id,
            paragraph: self.paragraph,
            engines,
            says: self.says,
            readings,
            unmeasured,
            leaves: self.leaves,
            stale: Vec::new(),
            beside: None,
            line,
        };
        for entry in self.stale {
            let stale = entry.parse(file, &claim)?;
            claim.stale.push(stale);
        }
        Ok(claim)
    }
}

impl BesideEntry {
    fn parse(self, file: &SourceFile) -> Claim {
        Claim {
            line: file.line(&self.id.span()),
            id: self.id.into_inner(),
            paragraph: String::new(),
            engines: EngineRange::ALL,
            says: self.says,
            readings: Vec::new(),
            unmeasured: None,
            leaves: None,
            stale: Vec::new(),
            beside: Some(self.why),
        }
    }
}

impl ReadingEntry {
    fn parse(self, file: &SourceFile) -> Result<Reading, DataError> {
        let engines = self.engines.map(|text| range(file, &text)).transpose()?;
        Ok(Reading {
            dated: self.dated,
            says: self.says,
            engines,
        })
    }
}

impl StaleEntry {
    fn parse(self, file: &SourceFile, claim: &Claim) -> Result<Stale, DataError> {
        let engines = range(file, &self.engines)?;
        let line = file.line(&self.engines.span());
        if !claim.ranges().any(|made_for| engines.is_within(made_for)) {
            let what = format!(
                "the record speaks of engines for which {} isn't made",
                claim.id
            );
            return Err(file.error(line, what));
        }
        let twice = (claim.stale.iter()).find_map(|other| other.engines.first_in_both(engines));
        if let Some(both) = twice {
            let what = format!("a second record of {} for PostgreSQL {both}", claim.id);
            return Err(file.error(line, what));
        }
        Ok(Stale {
            engines,
            reads: self.reads,
            reason: self.reason,
            link: self.link,
            line,
        })
    }
}

fn range(file: &SourceFile, text: &Spanned<String>) -> Result<EngineRange, DataError> {
    (text.as_ref().parse())
        .map_err(|error: ParseRangeError| file.error(file.line(&text.span()), error.to_string()))
}
