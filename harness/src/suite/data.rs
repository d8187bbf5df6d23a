//! Everything that the data files say, read together and checked as a whole.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde::Deserialize;

use super::{
    Claims, DataError, Known, OutcomeClass, Page, SourceFile, Suite, Transport, Verifier,
    case::{Case, Expectation},
    coverage::Coverage,
    cross::cross,
    file::OrderedAxes,
    refusals::{Refusals, Rule},
    rules::{LEAF, Rules},
    written::{self, Written},
};
use crate::policy::DefaultsTable;

/// The suite that is played on what a person gives, and the only one that may
/// say `given`.
pub const CHAIN_FILE: &str = "chain.toml";

/// All data files, checked as a whole.
#[derive(Clone, Debug)]
pub struct Data {
    /// The statements of the RDS document.
    pub claims: Arc<Claims>,
    /// Driver pages by id.
    pub drivers: BTreeMap<String, Arc<Page>>,
    /// What is said once for all suites.
    pub rules: Arc<Rules>,
    /// Suites in the order of their files' names.
    pub suites: Vec<Arc<Suite>>,
    /// Recorded divergences.
    pub known: Vec<Arc<Known>>,
    /// All cases of all suites.
    pub cases: Vec<Arc<Case>>,
}

impl Data {
    /// Reads all files, composes every cell on every engine, and checks it.
    ///
    /// # Errors
    /// The first thing that is wrong, with file and line: besides what
    /// [`Self::read`] finds, a cell that no row or several rows of a table speak of,
    /// a row that no cell needs, a cell of which composition and written table say
    /// two things, a divergence that is none, and a claim that no cell shows.
    pub fn parse(files: &[SourceFile]) -> Result<Self, DataError> {
        let data = Self::read(files)?;
        data.check(&Files(files))?;
        Ok(data)
    }

    /// Reads all files that have been checked before, as those that are built in.
    ///
    /// # Errors
    /// With file and line, what one file can get wrong, a name that another file
    /// doesn't have, and a cell id that stands twice.
    pub fn read(files: &[SourceFile]) -> Result<Self, DataError> {
        let files = Files(files);
        let rules = Arc::new(files.rules()?);
        let claims = Arc::new(Claims::parse(files.one("claims.toml")?)?);
        let drivers = files.drivers()?;
        let known = match files.find("known.toml") {
            Some(file) => Known::parse(file)?.into_iter().map(Arc::new).collect(),
            None => Vec::new(),
        };
        let mut data = Self {
            claims,
            drivers,
            rules,
            suites: Vec::new(),
            known,
            cases: Vec::new(),
        };
        for file in files.suites() {
            data.suites
                .push(Arc::new(Suite::parse(file.clone(), &data.rules.axes)?));
        }
        for suite in &data.suites {
            for play in 0..suite.plays.len() {
                let cases = cross(&data, suite, play)?;
                data.cases.extend(cases);
            }
        }
        data.find_twins()?;
        Ok(data)
    }

    fn check(&self, files: &Files) -> Result<(), DataError> {
        let written = (files.folder("written/"))
            .map(Written::parse)
            .collect::<Result<Vec<_>, _>>()?;
        let written: Vec<Written> = written.into_iter().flatten().collect();
        // Somebody's chain is asked for what it is, not for all that RDS promises.
        let on_own_chain = files.find(CHAIN_FILE).is_some();
        self.check_cells(files.one("claims.toml")?, &written, on_own_chain)?;
        if !on_own_chain {
            self.find_idle(&written)?;
        }
        if let Some(file) = files.find("known.toml") {
            self.find_idle_known(file)?;
        }
        Ok(())
    }

    fn check_cells(
        &self,
        claims_file: &SourceFile,
        written: &[Written],
        on_own_chain: bool,
    ) -> Result<(), DataError> {
        let mut coverage = Coverage::new(&self.claims, claims_file);
        for case in &self.cases {
            for engine in case.versions() {
                let seen = case.composed(engine)?;
                let expectation = seen.expectation(case)?;
                let places = &seen.composed.places;
                written::check(written, case, engine, &expectation, places)?;
                if let (Some(known), Expectation::See(expected)) =
                    (case.known_on(engine), &expectation)
                    && known.class == expected.class
                    && known.wire == expected.wire
                {
                    return Err(DataError {
                        file: "known.toml".to_owned(),
                        line: known.line,
                        what: format!(
                            "of {}@{engine} the entry records what the tables say: take it out",
                            case.id
                        ),
                    });
                }
                if let Expectation::See(expected) = &expectation
                    && case.question().is_some()
                    && !matches!(expected.class, OutcomeClass::Refused(_))
                    && expected.answers.is_none()
                {
                    let what = format!("the cell {}@{engine} asks, and no row answers", case.id);
                    return Err(case.suite.file.error(case.play().line, what));
                }
                let played = matches!(expectation, Expectation::See(_));
                coverage.count(&case.id, &seen, played)?;
            }
        }
        if on_own_chain {
            return Ok(());
        }
        let axes: BTreeSet<&str> = (self.suites.iter())
            .flat_map(|suite| suite.plays.iter().flat_map(|play| &play.axes))
            .map(|axis| axis.name.as_str())
            .collect();
        coverage.check(&axes)
    }

    fn find_twins(&self) -> Result<(), DataError> {
        let mut seen: HashMap<&str, &Case> = HashMap::new();
        for case in &self.cases {
            if let Some(twin) = seen.insert(&case.id, case) {
                let what = format!(
                    "the cell {} stands twice, there and at {}:{}",
                    case.id,
                    twin.suite.file.name,
                    twin.play().line
                );
                return Err(case.suite.file.error(case.play().line, what));
            }
        }
        Ok(())
    }

    /// A row that no cell needs can be wrong unseen.
    fn find_idle(&self, written: &[Written]) -> Result<(), DataError> {
        let mut plays = self.suites.iter().flat_map(|suite| &suite.plays);
        let idle = (self.drivers.values().find_map(|page| page.idle()))
            .or_else(|| self.rules.idle())
            .or_else(|| plays.find_map(|play| play.sees.as_ref()?.idle()))
            .or_else(|| written.iter().find_map(Written::idle));
        match idle {
            Some(place) => Err(DataError {
                file: place.file,
                line: place.line,
                what: "the row speaks of no cell".to_owned(),
            }),
            None => Ok(()),
        }
    }

    fn find_idle_known(&self, file: &SourceFile) -> Result<(), DataError> {
        for known in &self.known {
            let names = |case: &Arc<Case>| case.known.iter().any(|one| Arc::ptr_eq(one, known));
            if !self.cases.iter().any(names) {
                let what = format!(
                    "`{}` names no cell; see `rds-tls list` for their ids",
                    known.cells
                );
                return Err(file.error(known.line, what));
            }
        }
        Ok(())
    }
}

/// The files that are read together.
struct Files<'a>(&'a [SourceFile]);

impl<'a> Files<'a> {
    fn find(&self, name: &str) -> Option<&'a SourceFile> {
        self.0.iter().find(|file| file.name == name)
    }

    fn one(&self, name: &str) -> Result<&'a SourceFile, DataError> {
        self.find(name).ok_or_else(|| DataError {
            file: name.to_owned(),
            line: 1,
            what: "the file is missing from the folder of suites".to_owned(),
        })
    }

    fn folder(&self, prefix: &'static str) -> impl Iterator<Item = &'a SourceFile> {
        self.0
            .iter()
            .filter(move |file| file.name.starts_with(prefix))
    }

    fn suites(&self) -> impl Iterator<Item = &'a SourceFile> {
        self.folder("cases/").chain(self.find(CHAIN_FILE))
    }

    fn rules(&self) -> Result<Rules, DataError> {
        let axes_file = self.one("axes.toml")?;
        let OrderedAxes(axes) = axes_file.parse()?;
        let leaves: Vec<String> = axes
            .get(LEAF)
            .map(|values| values.iter().map(|(name, _)| name.clone()).collect())
            .ok_or_else(|| axes_file.error(1, "the axis `leaf` is missing"))?;
        let mut verifiers = BTreeMap::new();
        for file in bases_first(self.folder("verifiers/"), |head: &VerifierHead| {
            &head.verifier
        })? {
            let verifier = Verifier::parse(file, &leaves, &verifiers)?;
            verifiers.insert(verifier.id.clone(), Arc::new(verifier));
        }
        let engines_file = self.one("engines.toml")?;
        let defaults = DefaultsTable::parse(&engines_file.name, &engines_file.text);
        Ok(Rules {
            defaults: defaults.map_err(|error| engines_file.error(error.line, error.why))?,
            engines_file: engines_file.clone(),
            transport: Transport::parse(self.one("transport.toml")?)?,
            axes,
            verifiers,
        })
    }

    fn drivers(&self) -> Result<BTreeMap<String, Arc<Page>>, DataError> {
        let mut rules: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
        for file in self.folder("refusals/") {
            let name = file
                .name
                .trim_start_matches("refusals/")
                .trim_end_matches(".toml");
            rules.insert(name.to_owned(), Refusals::parse(file)?);
        }
        let mut pages = BTreeMap::new();
        for file in bases_first(self.folder("drivers/"), |head: &DriverHead| &head.driver)? {
            let page = Page::parse(file, &pages, &rules)?;
            pages.insert(page.id.clone(), Arc::new(page));
        }
        Ok(pages)
    }
}

/// Files, those that others are like before them.
fn bases_first<'a, H: serde::de::DeserializeOwned>(
    files: impl Iterator<Item = &'a SourceFile>,
    like: impl Fn(&H) -> &Like,
) -> Result<Vec<&'a SourceFile>, DataError> {
    let files = files.map(|file| {
        let head: H = file.parse()?;
        let like = like(&head).like.is_some();
        Ok((like, file))
    });
    let mut files = files.collect::<Result<Vec<_>, DataError>>()?;
    files.sort_by_key(|(like, _)| *like);
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

#[derive(Deserialize)]
struct DriverHead {
    driver: Like,
}

#[derive(Deserialize)]
struct VerifierHead {
    verifier: Like,
}

#[derive(Deserialize)]
struct Like {
    like: Option<String>,
}
