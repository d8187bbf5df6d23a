//! From tables to cells: the cube of each table, every cell of it matched by
//! exactly one row.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::Arc,
};

use super::{
    Claims, Configuration, DataError, ExpectedAnswer, Known, OwnChain, Profile, Said, Settings,
    SourceFile, Suite, Target, UnknownWord, coverage,
    file::Table,
    row::{Expects, Row},
};
use crate::{
    engine::Version,
    policy::{Policy, TlsVersion},
    tap::Wire,
};

/// The suite that is played on what a person gives, and the only one that may
/// say `given`.
pub const CHAIN_FILE: &str = "chain.toml";

/// Major versions that the tables must answer for.
pub const ENGINES: RangeInclusive<u16> = 10..=18;

/// Everything that `suites/` says, checked as a whole.
#[derive(Clone, Debug)]
pub struct Data {
    /// The promises of the RDS document.
    pub claims: Claims,
    /// Driver profiles by id.
    pub profiles: BTreeMap<String, Arc<Profile>>,
    /// Suites in the order of their files' names.
    pub suites: Vec<Arc<Suite>>,
    /// Recorded divergences.
    pub known: Vec<Arc<Known>>,
    /// All cases of all suites.
    pub cases: Vec<Arc<Case>>,
}

/// A cell without its engine: one point of a table's cube.
#[derive(Debug)]
pub struct Case {
    /// `sslmode/libpq/force-ssl/prefer/wrong-root/right`.
    pub id: String,
    /// The suite that it is of.
    pub suite: Arc<Suite>,
    /// The driver to play it.
    pub driver: Arc<Profile>,
    /// Its value on each axis of its table, in the table's order.
    pub point: Vec<(String, String)>,
    /// What its axis values set, taken together.
    pub settings: Settings,
    /// The divergence recorded for it.
    known: Vec<Arc<Known>>,
    claim: String,
    rows: Vec<Row>,
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
    /// Whether its row speaks of some versions alone.
    pub engine_bound: bool,
    /// The claim that it speaks for.
    pub claim: String,
    /// Claims of the RDS document that its passing contradicts.
    pub against: Vec<String>,
    /// What must be seen.
    pub expects: Expectation,
    /// The row's line in the suite's file.
    pub line: usize,
    /// The divergence recorded for it.
    pub known: Option<Arc<Known>>,
    /// The chain to play it on, where a person gave one.
    pub own_chain: Option<Arc<OwnChain>>,
}

/// What a truth table says of a cell.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// It isn't played, for a reason.
    Skip(String),
    /// This must be seen.
    See {
        /// At the client.
        said: Said,
        /// By the tap.
        wire: Wire,
        /// A refusal word for word, with its placeholders.
        says: Option<String>,
        /// The answer to the case's question.
        answers: Option<Arc<ExpectedAnswer>>,
        /// The TLS version.
        negotiates: Option<TlsVersion>,
        /// The cipher suite, by OpenSSL's name.
        cipher: Option<String>,
        /// The endpoint's name as the common name of the certificate.
        common_name: bool,
    },
}

/// Which cells a person asked for; empty lists ask for all.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Driver ids.
    pub drivers: Vec<String>,
    /// Suite ids.
    pub suites: Vec<String>,
    /// Parts of cell ids, of which one must occur.
    pub filters: Vec<String>,
}

/// The cells of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// In the order in which their tables have them.
    pub cells: Vec<Cell>,
}

impl Data {
    /// Reads all files and crosses all tables.
    ///
    /// # Errors
    /// The first thing that is wrong, with file and line: besides what one file
    /// can get wrong, an unknown driver, claim or sslmode word, a cell that no
    /// row or several rows match, a row that matches no cell, a cell id that
    /// stands twice, a divergence that names no cell, and a claim without a case.
    pub fn parse(files: &[SourceFile]) -> Result<Self, DataError> {
        let mut data = Self {
            claims: Claims::default(),
            profiles: BTreeMap::new(),
            suites: Vec::new(),
            known: Vec::new(),
            cases: Vec::new(),
        };
        let mut known_file = None;
        let mut claims_file = None;
        let mut on_own_chain = false;
        for file in files {
            if file.name == "claims.toml" {
                data.claims = Claims::parse(file)?;
                claims_file = Some(file);
            } else if file.name == "known.toml" {
                data.known = Known::parse(file)?.into_iter().map(Arc::new).collect();
                known_file = Some(file);
            } else if file.name.starts_with("cases/") || file.name == CHAIN_FILE {
                on_own_chain |= file.name == CHAIN_FILE;
                data.suites.push(Arc::new(Suite::parse(file.clone())?));
            } else if file.name.starts_with("drivers/") {
                let profile = Profile::parse(file)?;
                data.profiles.insert(profile.id.clone(), Arc::new(profile));
            }
        }
        for suite in &data.suites {
            for table in &suite.tables {
                let cases = cross(&data, suite, table)?;
                data.cases.extend(cases);
            }
        }
        data.find_twins()?;
        if let Some(file) = known_file {
            data.find_idle_known(file)?;
        }
        // Somebody's chain is asked for what it is, not for all that RDS promises.
        if let Some(file) = claims_file.filter(|_| !on_own_chain) {
            coverage::check(&data.claims, &data.cases, file)?;
        }
        Ok(data)
    }

    fn find_twins(&self) -> Result<(), DataError> {
        let mut seen: HashMap<&str, &Case> = HashMap::new();
        for case in &self.cases {
            if let Some(twin) = seen.insert(&case.id, case) {
                return Err(case.suite.file.error(
                    case.rows.first().map_or(1, |row| row.line),
                    format!(
                        "cell {} stands in two tables, there and at {}:{}",
                        case.id,
                        twin.suite.file.name,
                        twin.rows.first().map_or(1, |row| row.line)
                    ),
                ));
            }
        }
        Ok(())
    }

    fn find_idle_known(&self, file: &SourceFile) -> Result<(), DataError> {
        for known in &self.known {
            if !self
                .cases
                .iter()
                .any(|case| case.known.iter().any(|k| Arc::ptr_eq(k, known)))
            {
                return Err(file.error(
                    known.line,
                    format!(
                        "`{}` matches no cell; see `rds-tls list` for their ids",
                        known.cells
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl Plan {
    /// The selected cells on emulated instances of the given versions.
    ///
    /// # Errors
    /// When the selection names a driver or a suite that isn't there.
    pub fn new(
        data: &Data,
        engines: &[Version],
        selection: &Selection,
    ) -> Result<Self, UnknownWord> {
        let targets: Vec<_> = engines.iter().copied().map(Target::Emulated).collect();
        Self::against(data, &targets, selection)
    }

    /// The selected cells on the given targets.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn against(
        data: &Data,
        targets: &[Target],
        selection: &Selection,
    ) -> Result<Self, UnknownWord> {
        for driver in &selection.drivers {
            if !data.profiles.contains_key(driver) {
                return Err(UnknownWord::new("driver", driver, data.profiles.keys()));
            }
        }
        for suite in &selection.suites {
            if !data.suites.iter().any(|known| known.id == *suite) {
                let valid = data.suites.iter().map(|suite| &suite.id);
                return Err(UnknownWord::new("suite", suite, valid));
            }
        }
        let cells = targets
            .iter()
            .flat_map(|&target| (data.cases.iter()).filter_map(move |case| case.against(target)))
            .filter(|cell| selection.takes(cell))
            .collect();
        Ok(Self { cells })
    }
}

impl Selection {
    fn takes(&self, cell: &Cell) -> bool {
        let any = |list: &[String], wanted: &dyn Fn(&String) -> bool| {
            list.is_empty() || list.iter().any(wanted)
        };
        any(&self.drivers, &|driver| *driver == cell.case.driver.id)
            && any(&self.suites, &|suite| *suite == cell.case.suite.id)
            && any(&self.filters, &|part| cell.id.contains(part.as_str()))
    }
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
        let row = self.row_on(target.version())?;
        // A driver diverges on a version, whoever runs the server.
        let on_version = format!("{}@{}", self.id, target.version().major);
        Some(Cell {
            known: (self.known.iter())
                .find(|known| known.names(&on_version))
                .cloned(),
            id: format!("{}@{target}", self.id),
            case: Arc::clone(self),
            target,
            engine_bound: row.is_engine_bound(),
            claim: self.claim_of(row).to_owned(),
            against: row.against.clone(),
            expects: match &row.expects {
                Expects::Skip(why) => Expectation::Skip(why.clone()),
                Expects::See { said, wire, notes } => Expectation::See {
                    said: said.clone(),
                    wire: wire.clone(),
                    says: named(notes.says.as_ref(), &self.suite.texts),
                    answers: named(notes.answers.as_ref(), &self.suite.answers),
                    negotiates: notes.negotiates,
                    cipher: notes.cipher.clone(),
                    common_name: notes.common_name,
                },
            },
            line: row.line,
            own_chain: None,
        })
    }

    /// The major versions on some version of which it is played, with the claims
    /// that it speaks for or against there.
    pub fn claims(&self) -> impl Iterator<Item = (u16, &str)> {
        engines(&self.rows).flat_map(move |engine| {
            let played = |row: &&Row| !matches!(row.expects, Expects::Skip(_));
            (self.row_on(engine).filter(played).into_iter()).flat_map(move |row| {
                (row.against.iter().map(String::as_str))
                    .chain([self.claim_of(row)])
                    .map(move |claim| (engine.major, claim))
            })
        })
    }

    fn row_on(&self, engine: Version) -> Option<&Row> {
        let known_major = ENGINES.contains(&engine.major);
        (self.rows.iter()).find(|row| known_major && row.speaks_of(engine))
    }

    fn claim_of<'a>(&'a self, row: &'a Row) -> &'a str {
        row.claim.as_ref().unwrap_or(&self.claim)
    }

    /// The policy under which it is played.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.settings.policy()
    }

    /// The driver's configuration, where the case names one.
    #[must_use]
    pub fn configuration(&self) -> Option<&Configuration> {
        let id = self.settings.configuration.as_ref()?.as_ref();
        (self.driver.configurations.iter()).find(|known| known.id == *id)
    }

    /// The statement to ask over the session, where there is one.
    #[must_use]
    pub fn question(&self) -> Option<&str> {
        let name = self.settings.ask.as_ref()?;
        self.suite.questions.get(name.as_ref()).map(String::as_str)
    }

    /// The sslmode word, `unset` where the user says nothing.
    #[must_use]
    pub fn sslmode(&self) -> &str {
        self.settings
            .sslmode
            .as_ref()
            .map_or("unset", |word| word.as_ref().as_str())
    }
}

impl Cell {
    /// Why the cell isn't played, where its row leaves it out.
    #[must_use]
    pub fn skip(&self) -> Option<&str> {
        match &self.expects {
            Expectation::Skip(why) => Some(why),
            Expectation::See { .. } => None,
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

fn named<T: Clone>(name: Option<&String>, all: &BTreeMap<String, T>) -> Option<T> {
    name.and_then(|name| all.get(name)).cloned()
}

fn cross(data: &Data, suite: &Arc<Suite>, table: &Table) -> Result<Vec<Arc<Case>>, DataError> {
    let fail = |line, what: String| suite.file.error(line, what);
    let claims = (table.rows.rows.iter())
        .flat_map(|row| (row.claim.iter().chain(&row.against)).map(|claim| (row.line, claim)))
        .chain([(table.line, &table.claim)]);
    for (line, claim) in claims {
        if data.claims.get(claim).is_none() {
            let valid = data.claims.iter().map(|claim| &claim.id);
            return Err(fail(
                line,
                UnknownWord::new("claim", claim, valid).to_string(),
            ));
        }
    }
    let mut cases = Vec::new();
    let mut used = BTreeSet::new();
    for (line, driver) in &table.drivers {
        let profile = data.profiles.get(driver).ok_or_else(|| {
            let unknown = UnknownWord::new("driver", driver, data.profiles.keys());
            fail(*line, unknown.to_string())
        })?;
        for point in cube(suite, table) {
            let case = case(data, suite, table, profile, &point)?;
            let engines: Vec<_> = engines(&case.rows).collect();
            let speaks = |row: &&Row| engines.iter().any(|engine| row.speaks_of(*engine));
            used.extend(case.rows.iter().filter(speaks).map(|row| row.line));
            cases.push(Arc::new(case));
        }
    }
    match table.rows.rows.iter().find(|row| !used.contains(&row.line)) {
        Some(idle) => Err(fail(idle.line, "the row matches no cell".to_owned())),
        None => Ok(cases),
    }
}

/// Versions that stand for all: of a major version the oldest, and the first of
/// which a row says another thing; the major number alone where none does.
fn engines(rows: &[Row]) -> impl Iterator<Item = Version> {
    ENGINES.flat_map(|major| {
        let mut minors: BTreeSet<_> = rows.iter().flat_map(|row| row.turns(major)).collect();
        if minors.is_empty() {
            return vec![Version { major, minor: None }];
        }
        minors.insert(0);
        let minors = minors.into_iter().map(Some);
        minors.map(|minor| Version { major, minor }).collect()
    })
}

/// All points of a table's cube, the last column fastest.
fn cube<'a>(suite: &'a Suite, table: &'a Table) -> Vec<Vec<&'a str>> {
    table
        .rows
        .columns
        .iter()
        .fold(vec![Vec::new()], |points, axis| {
            let values = suite.values(table, axis);
            points
                .iter()
                .flat_map(|point| {
                    values.iter().map(|value| {
                        let mut longer = point.clone();
                        longer.push(*value);
                        longer
                    })
                })
                .collect()
        })
}

fn case(
    data: &Data,
    suite: &Arc<Suite>,
    table: &Table,
    profile: &Arc<Profile>,
    point: &[&str],
) -> Result<Case, DataError> {
    let id = format!("{}/{}/{}", suite.id, profile.id, point.join("/"));
    let fail = |what: String| suite.file.error(table.line, what);
    let mut settings = table.sets.clone();
    for (axis, value) in table.rows.columns.iter().zip(point) {
        let value = &suite.axes[axis][*value];
        settings.merge(value).map_err(|key| {
            fail(format!(
                "cell {id}: `{key}` is set twice, by two axes or by an axis and the table"
            ))
        })?;
    }
    check_words(suite, profile, &settings)?;
    if settings.need_given() && suite.file.name != CHAIN_FILE {
        return Err(fail(format!(
            "cell {id}: `given` is what a person gives to `rds-tls check --server-chain`, \
             and stands in {CHAIN_FILE} alone"
        )));
    }
    let rows: Vec<Row> = (table.rows.rows.iter())
        .filter(|row| row.covers(point))
        .cloned()
        .collect();
    for engine in engines(&rows) {
        let lines: Vec<String> = rows
            .iter()
            .filter(|row| row.speaks_of(engine))
            .map(|row| row.line.to_string())
            .collect();
        match lines.as_slice() {
            [_] => {}
            [] => return Err(fail(format!("cell {id}@{engine} is matched by no row"))),
            several => {
                return Err(fail(format!(
                    "cell {id}@{engine} is matched by the rows on lines {}",
                    several.join(", ")
                )));
            }
        }
    }
    let known: Vec<Arc<Known>> = data
        .known
        .iter()
        .filter(|known| {
            ENGINES
                .clone()
                .any(|major| known.names(&format!("{id}@{major}")))
        })
        .cloned()
        .collect();
    Ok(Case {
        id,
        suite: Arc::clone(suite),
        driver: Arc::clone(profile),
        point: (table.rows.columns.iter().cloned())
            .zip(point.iter().map(|&value| value.to_owned()))
            .collect(),
        settings,
        known,
        claim: table.claim.clone(),
        rows,
    })
}

fn check_words(suite: &Suite, profile: &Profile, settings: &Settings) -> Result<(), DataError> {
    if let Some(name) = &settings.ask
        && !suite.questions.contains_key(name.as_ref())
    {
        let unknown = UnknownWord::new("question", name.as_ref(), suite.questions.keys());
        let line = suite.file.line(&name.span());
        return Err(suite.file.error(line, unknown.to_string()));
    }
    if let Some(word) = &settings.sslmode
        && !profile.knows(word.as_ref())
    {
        let valid = profile.modes.keys().chain(profile.rejects.keys());
        return Err(suite.file.error(
            suite.file.line(&word.span()),
            UnknownWord::new("sslmode", word.as_ref(), valid).to_string(),
        ));
    }
    if let Some(word) = &settings.configuration
        && !profile
            .configurations
            .iter()
            .any(|c| c.id == *word.as_ref())
    {
        let valid = profile.configurations.iter().map(|c| c.id.clone());
        return Err(suite.file.error(
            suite.file.line(&word.span()),
            UnknownWord::new("configuration", word.as_ref(), valid).to_string(),
        ));
    }
    Ok(())
}
