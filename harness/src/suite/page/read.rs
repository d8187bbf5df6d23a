//! A page as its file has it.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use toml::Spanned;

use super::{Configuration, Exception, Page, parsed};
use crate::suite::{
    DataError, Place, SourceFile, Table, UnknownWord,
    refusals::{Classifier, Rule, agree},
};

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
            install: driver.install,
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
}

/// The rules of all files of refusals that a page names, and of the page that it is
/// like.
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
    install: Option<String>,
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
