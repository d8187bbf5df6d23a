//! Driver pages: what a driver is documented to do, in four facts.
//!
//! ```toml
//! [driver]
//! id = "d"                        # and `name`, `default`, `sources`
//! verifier = "openssl"            # verifiers/openssl.toml; absent without TLS
//! refusals = ["server", "d"]      # refusals/server.toml, refusals/d.toml
//!
//! [[configuration]]               # a way in which users set the driver up
//! id = "default"
//! does = "what the user's program does"
//! source = "where users have it from"
//!
//! [connects]
//! refuses = '''                   # what stops the driver before it dials
//! sslmode    trust    -> refused
//! *          missing  -> parse trust-file
//! '''
//! tries = '''                     # for all others, exactly one row
//! sslmode       -> tries          goes on after
//! unset,prefer  -> tls,plaintext  N
//! '''
//! verifies = '''                  # for all that try TLS, exactly one row
//! trust      -> verifies    anchors
//! file       -> chain+name  file
//! '''
//! ```
//! The columns are `configuration`, `sslmode` and `trust` (none, file, missing,
//! home, system, system-empty); one that no row needs is left out. In the place of what it
//! verifies, `refused CLASS` says that the driver stops once the server has said
//! `S`. A page that is `like` another has only the rows that differ.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use toml::Spanned;

use super::{
    Anchors, DataError, GoesOn, Place, Refusal, SourceFile, Table, Try, UnknownWord, Verifies,
    query::Query, table::NoRow,
};
use crate::{
    policy::TlsVersion,
    suite::refusals::{Classifier, Rule, agree},
};

/// A driver as its documents describe it.
#[derive(Debug)]
pub struct Page {
    /// The driver's id, as `libpq`.
    pub id: String,
    /// What a person calls it, with the crate or package.
    pub name: String,
    /// What it does when the user says nothing of TLS, and where that stands.
    pub default: String,
    /// The page whose rows hold where this one has none.
    pub base: Option<Arc<Page>>,
    /// Its TLS stack; absent where it has none.
    pub verifier: Option<String>,
    /// How users set it up; the first is what the driver's own example shows.
    pub configurations: Vec<Configuration>,
    /// Documents and source files that the page follows.
    pub sources: Vec<String>,
    /// The program that plays it, and its arguments, where it isn't built in. A
    /// path with a `/` is relative to the folder of suites.
    pub worker: Option<Vec<String>>,
    /// It is what this machine has installed, so that cells of a configuration
    /// which isn't here are left out, counted.
    pub is_optional: bool,
    /// The suites that it plays; all where empty.
    pub suites: Vec<String>,
    /// Axis values that it plays, by axis; all of an axis that isn't named.
    pub only: BTreeMap<String, Vec<String>>,
    /// Whether its errors carry the server's SQLSTATE. Where they don't, the
    /// wire's counts.
    pub tells_sqlstate: bool,
    /// The class under which it reports every certificate that it rejects in the
    /// handshake, where its errors don't say why.
    pub hides_reason: Option<Refusal>,
    /// It connects without a password first, hangs up when it is asked for one, and
    /// connects again.
    pub asks_password: bool,
    /// What documents say of it beside what the four facts give.
    pub exceptions: Vec<Exception>,
    /// How its errors read.
    pub refusals: Classifier,
    /// The file, for errors.
    pub file: SourceFile,
    refuses: Option<Table>,
    tries: Option<Table>,
    verifies: Option<Table>,
}

/// One way in which users of a driver set up TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// `default`, `any-hostname`, …
    pub id: String,
    /// What the user's program does.
    pub does: String,
    /// Where users have it from.
    pub source: String,
    /// The TLS versions that it offers, lowest and highest, where they aren't its
    /// stack's.
    pub offers: Option<[TlsVersion; 2]>,
    /// The cipher suites of TLS 1.2 that it offers, as the suite of ciphers names
    /// the set, where it isn't its stack's.
    pub ciphers: Option<String>,
    /// Connection parameters that it sets.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// The worker's name for it, where that is another.
    pub plays: Option<String>,
}

/// What a document says of one driver beside its facts.
#[derive(Clone, Debug)]
pub struct Exception {
    /// The cells.
    pub cells: Query,
    /// `OUTCOME  WIRE`.
    pub seen: String,
    /// Where it stands.
    pub place: Place,
}

/// What a driver does with its parameters.
#[derive(Clone, Debug)]
pub struct Connects {
    /// What it does.
    pub does: Does,
    /// The rows that say so.
    pub places: Vec<Place>,
}

/// The ways a driver may take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Does {
    /// It stops before it dials.
    Refuse(Refusal),
    /// It dials.
    Dial {
        /// What it tries, in this order.
        tries: Vec<Try>,
        /// What makes it go on to the next.
        goes_on: GoesOn,
        /// What it does under TLS; absent where it tries none.
        tls: Option<UnderTls>,
    },
}

/// What a driver does once the server has said `S`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnderTls {
    /// It stops.
    Stop(Refusal),
    /// It shakes hands.
    Verify(Verifies, Anchors),
}

/// Whether a file of trust anchors is named, and how.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum TrustKind {
    /// The user says nothing, and no file is at home.
    None,
    /// A file.
    File,
    /// A path where no file is.
    Missing,
    /// `~/.postgresql/root.crt`.
    Home,
    /// The word `system`.
    System,
    /// The same, where the system trusts nothing.
    SystemEmpty,
}

impl TrustKind {
    /// All of them.
    pub const WORDS: [&str; 6] = ["none", "file", "missing", "home", "system", "system-empty"];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::File => "file",
            Self::Missing => "missing",
            Self::Home => "home",
            Self::System => "system",
            Self::SystemEmpty => "system-empty",
        }
    }
}

/// The columns of a page's tables.
pub const COLUMNS: [&str; 3] = ["configuration", "sslmode", "trust"];

impl Page {
    /// Reads `drivers/*.toml`; `pages` has the pages that others may be like, and
    /// `refusals` the files of refusals by name.
    ///
    /// # Errors
    /// When the file is no page, or names what isn't there.
    pub fn parse(
        file: &SourceFile,
        pages: &BTreeMap<String, Arc<Page>>,
        refusals: &BTreeMap<String, Vec<Rule>>,
    ) -> Result<Self, DataError> {
        let File {
            driver,
            configuration,
            connects,
            exception,
        } = file.parse()?;
        let base = match &driver.like {
            None => None,
            Some(like) => Some(pages.get(like.as_ref()).cloned().ok_or_else(|| {
                let unknown = UnknownWord::new("driver", like.as_ref(), pages.keys());
                file.error(file.line(&like.span()), unknown.to_string())
            })?),
        };
        let configurations = match (&base, configuration.is_empty()) {
            (Some(base), true) => base.configurations.clone(),
            (None, true) => {
                return Err(file.error(1, "a driver needs at least one [[configuration]]"));
            }
            (_, false) => configuration,
        };
        let table = |text: &Option<Spanned<String>>, fields: &[&str]| {
            (text.as_ref())
                .map(|text| Table::parse(file, file.first_row(&text.span()), text.as_ref(), fields))
                .transpose()
        };
        let page = Self {
            refuses: table(&connects.refuses, &["refused"])?,
            tries: table(&connects.tries, &["tries", "goes on after"])?,
            verifies: table(&connects.verifies, &["verifies", "anchors"])?,
            refusals: Classifier::new(rules(file, &driver, base.as_deref(), refusals)?),
            hides_reason: match &driver.hides_reason {
                Some(class) => Some(parsed(file, file.line(&class.span()), class.as_ref())?),
                None => base.as_ref().and_then(|base| base.hides_reason.clone()),
            },
            exceptions: exception
                .into_iter()
                .map(|entry| entry.parse(file))
                .collect::<Result<_, _>>()?,
            verifier: driver
                .verifier
                .or_else(|| base.as_ref().and_then(|base| base.verifier.clone())),
            id: driver.id,
            name: driver.name,
            default: driver.default,
            configurations,
            sources: driver.sources,
            worker: driver.worker,
            is_optional: driver.optional,
            suites: driver.suites,
            only: driver.only,
            tells_sqlstate: driver.sqlstate,
            asks_password: driver.asks_password,
            base,
            file: file.clone(),
        };
        page.check()?;
        Ok(page)
    }

    /// What the driver does when it is set up in a way, with an sslmode and a kind
    /// of trust anchors.
    ///
    /// # Errors
    /// When the page has no row for it, or several.
    pub fn connects(
        &self,
        configuration: &str,
        sslmode: &str,
        trust: TrustKind,
    ) -> Result<Connects, DataError> {
        let at = Point {
            configuration,
            sslmode,
            trust: trust.word(),
        };
        if let Some((refused, place)) = self.refused(&at)? {
            return Ok(Connects {
                does: Does::Refuse(refused),
                places: vec![place],
            });
        }
        let (tries, goes_on, place) = self.tried(&at)?;
        let mut places = vec![place];
        let encrypts = tries.iter().any(|one| *one != Try::Plaintext);
        let tls = if encrypts {
            let (tls, place) = self.verified(&at)?;
            places.push(place);
            Some(tls)
        } else {
            None
        };
        Ok(Connects {
            does: Does::Dial {
                tries,
                goes_on,
                tls,
            },
            places,
        })
    }

    /// The configuration with an id.
    #[must_use]
    pub fn configuration(&self, id: &str) -> Option<&Configuration> {
        self.configurations.iter().find(|one| one.id == id)
    }

    /// A row that speaks of no cell.
    #[must_use]
    pub fn idle(&self) -> Option<Place> {
        self.tables().find_map(Table::idle)
    }

    /// The first exception, of this page or of the one that it is like, for a cell.
    pub fn exceptions(&self) -> impl Iterator<Item = &Exception> {
        let base = self.base.iter().flat_map(|base| base.exceptions.iter());
        self.exceptions.iter().chain(base)
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        [&self.refuses, &self.tries, &self.verifies]
            .into_iter()
            .flatten()
    }

    /// Checks what can be checked without an axis: configurations, trust and the
    /// fields of all rows.
    fn check(&self) -> Result<(), DataError> {
        let ids = || {
            self.configurations
                .iter()
                .map(|one| one.id.clone())
                .collect()
        };
        for table in self.tables() {
            let values = |column: &str| match column {
                "configuration" => Some(ids()),
                "trust" => Some(TrustKind::WORDS.map(str::to_owned).into()),
                // Words of sslmode are a driver's own: each row must find a cell.
                "sslmode" => Some(all_words(table)),
                _ => None,
            };
            table.check_words(&self.file, &values, &COLUMNS)?;
        }
        let each = |table: &Option<Table>, read: &dyn Fn(&Table, &super::table::Row) -> _| {
            (table.iter())
                .flat_map(|table| table.rows.iter().map(move |row| read(table, row)))
                .collect::<Result<Vec<()>, DataError>>()
        };
        each(&self.refuses, &|_, row| self.read_refused(row).map(|_| ()))?;
        each(&self.tries, &|_, row| self.read_tries(row).map(|_| ()))?;
        each(&self.verifies, &|_, row| {
            self.read_verifies(row).map(|_| ())
        })?;
        Ok(())
    }

    fn refused(&self, at: &Point) -> Result<Option<(Refusal, Place)>, DataError> {
        if let Some((table, row)) = self.own(self.refuses.as_ref(), at)? {
            let refused = self.read_refused(row)?;
            return Ok(refused.map(|refused| (refused, table.place(row))));
        }
        match &self.base {
            Some(base) => base.refused(at),
            None => Ok(None),
        }
    }

    fn tried(&self, at: &Point) -> Result<(Vec<Try>, GoesOn, Place), DataError> {
        match (self.own(self.tries.as_ref(), at)?, &self.base) {
            (Some((table, row)), _) => {
                let (tries, goes_on) = self.read_tries(row)?;
                Ok((tries, goes_on, table.place(row)))
            }
            (None, Some(base)) => base.tried(at),
            (None, None) => Err(self.missing("tries", at)),
        }
    }

    fn verified(&self, at: &Point) -> Result<(UnderTls, Place), DataError> {
        match (self.own(self.verifies.as_ref(), at)?, &self.base) {
            (Some((table, row)), _) => Ok((self.read_verifies(row)?, table.place(row))),
            (None, Some(base)) => base.verified(at),
            (None, None) => Err(self.missing("verifies", at)),
        }
    }

    /// The page's own row.
    fn own<'a>(
        &self,
        table: Option<&'a Table>,
        at: &Point,
    ) -> Result<Option<(&'a Table, &'a super::table::Row)>, DataError> {
        let Some(table) = table else { return Ok(None) };
        let value = |column: &str| at.value(column);
        match table.row(&value, None) {
            Ok(row) => Ok(Some((table, row))),
            Err(NoRow::None { .. }) => Ok(None),
            Err(several) => Err(self.file.error(table.line, several.to_string())),
        }
    }

    fn missing(&self, table: &str, at: &Point) -> DataError {
        let what = format!(
            "the table `{table}` of the driver {} has no row for configuration {}, sslmode {}, \
             trust {}",
            self.id, at.configuration, at.sslmode, at.trust
        );
        self.file.error(1, what)
    }

    fn read_refused(&self, row: &super::table::Row) -> Result<Option<Refusal>, DataError> {
        match row.fields[0].as_str() {
            "-" if self.base.is_some() => Ok(None),
            refusal => parsed(&self.file, row.line, refusal).map(Some),
        }
    }

    fn read_tries(&self, row: &super::table::Row) -> Result<(Vec<Try>, GoesOn), DataError> {
        let tries = row.fields[0]
            .split(',')
            .map(|word| parsed(&self.file, row.line, word));
        let tries = tries.collect::<Result<Vec<Try>, _>>()?;
        let goes_on = parsed(&self.file, row.line, &row.fields[1])?;
        if (tries.len() > 1) == (goes_on == GoesOn::default()) {
            let what = "`goes on after` says what leads from one try to the next, and is `-` \
                        where there is one try";
            return Err(self.file.error(row.line, what));
        }
        Ok((tries, goes_on))
    }

    fn read_verifies(&self, row: &super::table::Row) -> Result<UnderTls, DataError> {
        let at = |text: &str| parsed::<Verifies>(&self.file, row.line, text);
        if let Some(refusal) = row.fields[0].strip_prefix("refused ") {
            return parsed(&self.file, row.line, refusal).map(UnderTls::Stop);
        }
        let (verifies, anchors) = (
            at(&row.fields[0])?,
            parsed(&self.file, row.line, &row.fields[1])?,
        );
        if verifies == Verifies::Nothing && anchors != Anchors::None {
            let what = "a driver that verifies `nothing` has `none` for its anchors";
            return Err(self.file.error(row.line, what));
        }
        Ok(UnderTls::Verify(verifies, anchors))
    }
}

/// The coordinates of a page's tables.
struct Point<'a> {
    configuration: &'a str,
    sslmode: &'a str,
    trust: &'a str,
}

impl<'a> Point<'a> {
    fn value(&self, column: &str) -> &'a str {
        match column {
            "configuration" => self.configuration,
            "sslmode" => self.sslmode,
            _ => self.trust,
        }
    }
}

fn all_words(table: &Table) -> Vec<String> {
    let columns = 0..table.columns.len();
    let words = (table.rows.iter())
        .flat_map(|row| columns.clone().flat_map(|nth| row.pattern(nth).words()));
    words.cloned().collect()
}

fn parsed<T: std::str::FromStr<Err = UnknownWord>>(
    file: &SourceFile,
    line: usize,
    text: &str,
) -> Result<T, DataError> {
    text.parse()
        .map_err(|error: UnknownWord| file.error(line, error.to_string()))
}

fn rules(
    file: &SourceFile,
    driver: &Head,
    base: Option<&Page>,
    refusals: &BTreeMap<String, Vec<Rule>>,
) -> Result<Vec<Rule>, DataError> {
    let mut rules = base
        .map(|base| base.refusals.rules().to_vec())
        .unwrap_or_default();
    for name in &driver.refusals {
        let more = refusals.get(name.as_ref()).ok_or_else(|| {
            let unknown = UnknownWord::new("file of refusals", name.as_ref(), refusals.keys());
            file.error(file.line(&name.span()), unknown.to_string())
        })?;
        rules.extend(more.iter().cloned());
    }
    let line = driver
        .refusals
        .first()
        .map_or(1, |name| file.line(&name.span()));
    agree(&rules).map_err(|ambiguous| file.error(line, ambiguous.to_string()))?;
    Ok(rules)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    driver: Head,
    #[serde(default)]
    configuration: Vec<Configuration>,
    #[serde(default)]
    connects: Tables,
    #[serde(default)]
    exception: Vec<ExceptionEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    name: String,
    default: String,
    sources: Vec<String>,
    like: Option<Spanned<String>>,
    verifier: Option<String>,
    #[serde(default)]
    refusals: Vec<Spanned<String>>,
    worker: Option<Vec<String>>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    suites: Vec<String>,
    #[serde(default)]
    only: BTreeMap<String, Vec<String>>,
    #[serde(default = "yes")]
    sqlstate: bool,
    hides_reason: Option<Spanned<String>>,
    #[serde(default)]
    asks_password: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    refuses: Option<Spanned<String>>,
    tries: Option<Spanned<String>>,
    verifies: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExceptionEntry {
    cells: Spanned<String>,
    seen: String,
    /// Where the document says it; for the reader of the file.
    #[serde(rename = "source")]
    _source: String,
}

impl ExceptionEntry {
    fn parse(self, file: &SourceFile) -> Result<Exception, DataError> {
        let line = file.line(&self.cells.span());
        Ok(Exception {
            cells: parsed(file, line, self.cells.as_ref())?,
            seen: self.seen,
            place: Place {
                file: file.name.clone(),
                line,
            },
        })
    }
}

fn yes() -> bool {
    true
}
