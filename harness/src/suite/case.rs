//! Cells: one point of a suite's axes, for one driver set up in one way.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    DataError, ExpectedAnswer, Known, OutcomeClass, OwnChain, Place, Settings, SourceFile, Suite,
    Target,
    claims::{Bearing, Claims},
    compose::{self, Composed, Inputs},
    file::Play,
    page::{Configuration, Connects, Does, Page, UnderTls},
    query::Answers,
    rules::{ENGINES, Rules},
    sees::Sees,
};
use crate::{
    engine::Version,
    policy::{Policy, TlsVersion},
    tap::Wire,
};

/// A cell without its engine.
#[derive(Debug)]
pub struct Case {
    /// `sslmode/libpq/force-ssl/prefer/wrong-root/right`.
    pub id: String,
    /// The suite that it is of.
    pub suite: Arc<Suite>,
    /// The driver to play it.
    pub driver: Arc<Page>,
    /// How the driver is set up.
    pub way: Configuration,
    /// Its value on each axis, in the suite's order.
    pub point: Vec<(String, String)>,
    /// What its axis values set, taken together.
    pub settings: Settings,
    /// What the driver does with its parameters.
    pub connects: Connects,
    /// The divergences recorded for it.
    pub(super) known: Vec<Arc<Known>>,
    pub(super) play: usize,
    pub(super) rules: Arc<Rules>,
    pub(super) claims: Arc<Claims>,
}

/// A case on an engine: what is played once, and judged.
#[derive(Clone, Debug)]
pub struct Cell {
    /// `sslmode/libpq/force-ssl/prefer/wrong-root/right@17`.
    pub id: String,
    /// The case.
    pub case: Arc<Case>,
    /// What it is played against.
    pub target: Target,
    /// Whether what it expects follows from the TLS versions of both sides.
    pub by_version: bool,
    /// Claims that it is about, and what its passing says of each.
    pub claims: Vec<(String, Bearing)>,
    /// What must be seen.
    pub expects: Expectation,
    /// The rows that say so.
    pub places: Vec<Place>,
    /// The divergence recorded for it.
    pub known: Option<Arc<Known>>,
    /// The chain to play it on, where a person gave one.
    pub own_chain: Option<Arc<OwnChain>>,
    /// The folder that the suites were read from, where they aren't the built-in
    /// ones.
    pub suites_from: Option<Arc<Path>>,
}

/// What the tables say of a cell.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// It isn't played, for a reason.
    Skip(String),
    /// This must be seen.
    See(Expected),
}

/// What must be seen.
#[derive(Clone, Debug)]
pub struct Expected {
    /// At the client.
    pub class: OutcomeClass,
    /// By the tap.
    pub wire: Wire,
    /// The server's refusal word for word, with its placeholders.
    pub says: Option<String>,
    /// The answer to the case's question.
    pub answers: Option<Arc<ExpectedAnswer>>,
    /// The TLS version.
    pub negotiates: Option<TlsVersion>,
    /// The cipher suite, by OpenSSL's name.
    pub cipher: Option<String>,
    /// The endpoint's name as the common name of the certificate.
    pub common_name: bool,
}

impl Case {
    /// The case on an emulated instance of a version; none where its major number
    /// is outside [`ENGINES`].
    #[must_use]
    pub fn at(self: &Arc<Self>, engine: Version) -> Option<Cell> {
        self.against(Target::Emulated(engine))
    }

    /// The case on a target; none where its version is outside [`ENGINES`].
    #[must_use]
    pub fn against(self: &Arc<Self>, target: Target) -> Option<Cell> {
        let engine = target.version();
        if !ENGINES.contains(&engine.major) {
            return None;
        }
        // Every engine was composed when the data was read; versions that stand
        // for others have the same rows.
        let seen = self.composed(engine).ok()?;
        Some(Cell {
            known: self.known_on(engine).cloned(),
            id: format!("{}@{target}", self.id),
            case: Arc::clone(self),
            target,
            by_version: seen.composed.by_version || self.play().checks_version,
            claims: seen.claims(self, engine),
            places: seen.composed.places.clone(),
            expects: seen.expectation(self).ok()?,
            own_chain: None,
            suites_from: None,
        })
    }

    /// What is played.
    #[must_use]
    pub fn play(&self) -> &Play {
        &self.suite.plays[self.play]
    }

    /// The policy under which it is played.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.settings.policy()
    }

    /// The statement to ask over the session, where there is one.
    #[must_use]
    pub fn question(&self) -> Option<&str> {
        let name = self.settings.ask.as_ref()?;
        self.suite.questions.get(name).map(String::as_str)
    }

    /// The sslmode word, `unset` where the user says nothing.
    #[must_use]
    pub fn sslmode(&self) -> &str {
        self.settings.sslmode.as_deref().unwrap_or("unset")
    }

    /// Connection parameters beside those that every attempt has.
    #[must_use]
    pub fn options(&self) -> BTreeMap<String, String> {
        let own = self.way.options.clone().into_iter();
        own.chain(self.settings.options.clone()).collect()
    }

    /// The versions that stand for all.
    pub(super) fn versions(&self) -> impl Iterator<Item = Version> {
        let sees = self.play().sees.as_ref();
        ENGINES.flat_map(move |major| {
            let turns = sees.into_iter().flat_map(move |table| table.turns(major));
            let turns = turns.chain(self.claims.turns(major));
            self.rules.versions(major, turns)
        })
    }

    /// The divergence recorded for it on a version.
    pub(super) fn known_on(&self, engine: Version) -> Option<&Arc<Known>> {
        // A driver diverges on a version, whoever runs the server.
        let id = format!("{}@{}", self.id, engine.major);
        self.known.iter().find(|known| known.names(&id))
    }

    /// Composes what must be seen on an engine.
    pub(super) fn composed(&self, engine: Version) -> Result<Seen, DataError> {
        let (sees, place) = self.sees(engine)?;
        let inputs = Inputs {
            rules: &self.rules,
            page: &self.driver,
            way: &self.way,
            connects: &self.connects,
            settings: &self.settings,
            sees: &sees,
        };
        let mut composed = compose::compose(inputs, engine)?;
        let mut seen = Seen::of(self, engine, &composed, &sees);
        if let Some(exception) = (self.driver.exceptions()).find(|one| one.cells.takes(&seen)) {
            let place = &exception.place;
            let (class, wire) = read_exception(&exception.seen, &self.driver.file, place)?;
            if class == composed.class && wire == composed.wire {
                let what = format!("the exception says of {} what its facts say", self.id);
                return Err(self.driver.file.error(place.line, what));
            }
            (composed.class, composed.wire) = (class, wire);
            composed.places = vec![place.clone()];
            seen = Seen::of(self, engine, &composed, &sees);
        }
        composed.places.extend(place);
        Ok(Seen {
            composed,
            sees,
            ..seen
        })
    }

    fn sees(&self, engine: Version) -> Result<(Sees, Option<Place>), DataError> {
        let Some(table) = &self.play().sees else {
            return Ok((Sees::default(), None));
        };
        let verifier = self.driver.verifier.as_ref();
        let verifier = verifier.and_then(|id| self.rules.verifiers.get(id));
        let ciphers = verifier.map_or("-", |verifier| verifier.ciphers.as_str());
        let value = |column: &str| match column {
            "driver" => self.driver.id.as_str(),
            "way" => self.way.id.as_str(),
            "ciphers" => self.way.ciphers.as_deref().unwrap_or(ciphers),
            axis => self.on(axis).unwrap_or("-"),
        };
        let row = (table.row(&value, Some(engine)))
            .map_err(|no_row| self.suite.file.error(table.line, no_row.to_string()))?;
        Ok((self.suite.sees(row)?, Some(table.place(row))))
    }

    /// Its value on an axis.
    fn on(&self, axis: &str) -> Option<&str> {
        let found = self.point.iter().find(|(name, _)| name == axis);
        found.map(|(_, value)| value.as_str())
    }
}

/// What must be seen of a case on an engine, and the facts behind it.
#[derive(Debug)]
pub(super) struct Seen {
    pub composed: Composed,
    pub sees: Sees,
    suite: String,
    values: BTreeMap<&'static str, String>,
    point: Vec<(String, String)>,
    shows: String,
    engine: Version,
}

impl Seen {
    fn of(case: &Case, engine: Version, composed: &Composed, sees: &Sees) -> Self {
        let mut values = BTreeMap::from([
            ("driver", case.driver.id.clone()),
            ("way", case.way.id.clone()),
            ("certificate", composed.certificate.to_owned()),
        ]);
        match &case.connects.does {
            Does::Refuse(_) => {
                values.insert("tries", "nothing".to_owned());
            }
            Does::Dial {
                tries,
                goes_on,
                tls,
            } => {
                let tries: Vec<&str> = tries.iter().map(|one| one.word()).collect();
                values.insert("tries", tries.join("+"));
                values.insert("goes-on", goes_on.to_string().replace(',', "+"));
                if let Some(UnderTls::Verify(verifies, anchors)) = tls {
                    values.insert("verifies", verifies.to_string());
                    values.insert("anchors", anchors.to_string());
                }
            }
        }
        Self {
            composed: composed.clone(),
            sees: sees.clone(),
            suite: case.suite.id.clone(),
            values,
            point: case.point.clone(),
            shows: composed.class.to_string(),
            engine,
        }
    }

    fn claims(&self, case: &Case, engine: Version) -> Vec<(String, Bearing)> {
        match self.sees.skip {
            // A cell that isn't played still says which claim it would be about.
            Some(_) | None => case.claims.about(self, engine),
        }
    }

    /// What must be seen.
    ///
    /// # Errors
    /// When the composed wire is none.
    pub(super) fn expectation(&self, case: &Case) -> Result<Expectation, DataError> {
        if let Some(why) = &self.sees.skip {
            return Ok(Expectation::Skip(why.clone()));
        }
        let composed = &self.composed;
        let session = !matches!(composed.class, OutcomeClass::Refused(_));
        let encrypted = composed.class == OutcomeClass::Encrypted;
        Ok(Expectation::See(Expected {
            class: composed.class.clone(),
            wire: (composed.wire.parse())
                .map_err(|error| case.suite.file.error(case.play().line, format!("{error}")))?,
            says: composed.says.clone(),
            answers: self.sees.answers.clone().filter(|_| session),
            negotiates: (composed.version).filter(|_| encrypted && case.play().checks_version),
            cipher: self.sees.cipher.clone().filter(|_| encrypted),
            common_name: self.sees.common_name,
        }))
    }
}

impl Answers for Seen {
    fn suite(&self) -> &str {
        &self.suite
    }

    fn value(&self, key: &str) -> Option<&str> {
        let point = self.point.iter().find(|(axis, _)| axis == key);
        (point.map(|(_, value)| value.as_str()))
            .or_else(|| self.values.get(key).map(String::as_str))
    }

    fn shows(&self) -> &str {
        &self.shows
    }

    fn engine(&self) -> Version {
        self.engine
    }
}

fn read_exception(
    seen: &str,
    file: &SourceFile,
    place: &Place,
) -> Result<(OutcomeClass, String), DataError> {
    let fail = |what: String| file.error(place.line, what);
    let (class, wire) = (seen.split_once("  "))
        .ok_or_else(|| fail("`seen` reads OUTCOME  WIRE, two blanks between them".to_owned()))?;
    let class = class
        .parse()
        .map_err(|error: super::UnknownWord| fail(error.to_string()))?;
    Ok((class, wire.trim().to_owned()))
}

impl Cell {
    /// Why the cell isn't played, where its row leaves it out.
    #[must_use]
    pub fn skip(&self) -> Option<&str> {
        match &self.expects {
            Expectation::Skip(why) => Some(why),
            Expectation::See(_) => None,
        }
    }

    /// What must be seen, where it is played.
    #[must_use]
    pub fn expected(&self) -> Option<&Expected> {
        match &self.expects {
            Expectation::Skip(_) => None,
            Expectation::See(expected) => Some(expected),
        }
    }

    /// The same cell, to be played on a person's own chain.
    #[must_use]
    pub fn on(self, own_chain: Option<&Arc<OwnChain>>) -> Self {
        Self {
            own_chain: own_chain.cloned(),
            ..self
        }
    }

    /// The same cell, of suites from a folder.
    #[must_use]
    pub fn read_from(self, suites_from: Option<&Arc<Path>>) -> Self {
        Self {
            suites_from: suites_from.cloned(),
            ..self
        }
    }

    /// The same cell, left out for a reason.
    #[must_use]
    pub fn left_out(&self, why: String) -> Self {
        Self {
            expects: Expectation::Skip(why),
            ..self.clone()
        }
    }

    /// Whether its row leaves it out.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        self.skip().is_some()
    }
}
