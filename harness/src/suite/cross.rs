//! From a suite to cases: its axes, crossed for each driver and each way in which
//! that is set up.

use std::sync::Arc;

use super::{
    CHAIN_FILE, DataError, Settings, Suite,
    case::Case,
    data::Data,
    file::{Axis, Play, RefusedWords, Ways},
    page::{Configuration, Does, Page},
    rules::ENGINES,
    vocabulary::UnknownWord,
};

/// The axis of sslmode words.
const SSLMODE: &str = "sslmode";

/// The way whose name stands in no id.
const DEFAULT: &str = "default";

/// A point of a suite's axes: of each axis the value, and what it sets.
type Point<'a> = Vec<(&'a Axis, &'a (String, Settings))>;

/// The cases of one part of a suite.
///
/// # Errors
/// When a driver is unknown, two values set one key, or a page has no row for a
/// cell.
pub fn cross(data: &Data, suite: &Arc<Suite>, nth: usize) -> Result<Vec<Arc<Case>>, DataError> {
    let play = &suite.plays[nth];
    if let Some(driver) = play
        .drivers
        .iter()
        .find(|id| !data.drivers.contains_key(*id))
    {
        let unknown = UnknownWord::new("driver", driver, data.drivers.keys());
        return Err(suite.file.error(play.line, unknown.to_string()));
    }
    let mut cases = Vec::new();
    for page in data
        .drivers
        .values()
        .filter(|page| plays(page, suite, play))
    {
        for point in cube(page, play) {
            for way in ways(page, suite, play) {
                let crossing = Crossing {
                    data,
                    suite,
                    nth,
                    page,
                };
                cases.extend(crossing.case(&point, way)?.map(Arc::new));
            }
        }
    }
    Ok(cases)
}

fn plays(page: &Page, suite: &Suite, play: &Play) -> bool {
    let takes = |list: &[String], id: &String| list.is_empty() || list.contains(id);
    takes(&play.drivers, &page.id) && takes(&page.suites, &suite.id)
}

/// The ways of a driver that play a part of a suite.
fn ways<'a>(page: &'a Page, suite: &Suite, play: &Play) -> Vec<&'a Configuration> {
    let takes = |(nth, way): &(usize, &Configuration)| {
        if !way.suites.is_empty() {
            return play.ways == Ways::Named && way.suites.contains(&suite.id);
        }
        let plain = way.offers.is_none() && way.ciphers.is_none();
        match play.ways {
            Ways::Default => *nth == 0,
            Ways::Plain => plain,
            Ways::Versions => *nth == 0 || (way.offers.is_some() && way.ciphers.is_none()),
            Ways::Ciphers => *nth == 0 || way.ciphers.is_some(),
            Ways::Named => false,
            Ways::All => true,
        }
    };
    let ways = page.configurations.iter().enumerate().filter(takes);
    ways.map(|(_, way)| way).collect()
}

/// All points of a cube that a driver plays, the last axis fastest.
fn cube<'a>(page: &Page, play: &'a Play) -> Vec<Point<'a>> {
    play.axes.iter().fold(vec![Vec::new()], |points, axis| {
        let values: Vec<_> = values(page, axis).collect();
        (points.iter())
            .flat_map(|point| {
                values.iter().map(|value| {
                    let mut longer = point.clone();
                    longer.push((axis, *value));
                    longer
                })
            })
            .collect()
    })
}

/// The values of an axis that a driver plays.
fn values<'a>(page: &Page, axis: &'a Axis) -> impl Iterator<Item = &'a (String, Settings)> {
    let only = page.only.get(&axis.name).cloned();
    let plays = move |value: &String| only.as_ref().is_none_or(|only| only.contains(value));
    axis.values.iter().filter(move |(value, _)| plays(value))
}

/// A part of a suite, crossed for one driver.
struct Crossing<'a> {
    data: &'a Data,
    suite: &'a Arc<Suite>,
    nth: usize,
    page: &'a Arc<Page>,
}

impl Crossing<'_> {
    fn play(&self) -> &Play {
        &self.suite.plays[self.nth]
    }

    fn case(&self, point: &Point, way: &Configuration) -> Result<Option<Case>, DataError> {
        let mut settings = self.play().sets.clone();
        for (axis, (value, sets)) in point {
            settings.merge(sets).map_err(|key| {
                self.fail(format!(
                    "`{key}` is set by the value {value} of the axis {}, and by another axis or by \
                     `sets`",
                    axis.name
                ))
            })?;
        }
        let way = match &settings.configuration {
            None => way,
            Some(named) => self.page.configuration(named).ok_or_else(|| {
                let valid = self.page.configurations.iter().map(|way| &way.id);
                self.fail(UnknownWord::new("configuration", named, valid).to_string())
            })?,
        };
        let id = self.id(point, way, settings.configuration.is_some());
        self.check(&id, &settings, way)?;
        let sslmode = settings.sslmode.as_deref().unwrap_or("unset");
        let connects = self
            .page
            .connects(&way.id, sslmode, settings.trust_kind())?;
        if !self.keeps(point, way, &connects.does) {
            return Ok(None);
        }
        let known = (self.data.known.iter()).filter(|known| {
            ENGINES
                .into_iter()
                .any(|major| known.names(&format!("{id}@{major}")))
        });
        Ok(Some(Case {
            known: known.cloned().collect(),
            suite: Arc::clone(self.suite),
            driver: Arc::clone(self.page),
            way: way.clone(),
            point: (point.iter())
                .map(|(axis, (value, _))| (axis.name.clone(), value.clone()))
                .collect(),
            settings,
            connects,
            play: self.nth,
            rules: Arc::clone(&self.data.rules),
            claims: Arc::clone(&self.data.claims),
            id,
        }))
    }

    /// `sslmode/libpq/both/prefer/root/right`: an axis at its only value is left
    /// out, and the way where it is the default one.
    fn id(&self, point: &Point, way: &Configuration, way_is_on_axis: bool) -> String {
        let driver = match way.id == DEFAULT || way_is_on_axis {
            true => self.page.id.clone(),
            false => format!("{}:{}", self.page.id, way.id),
        };
        let values = (point.iter())
            .filter(|(axis, _)| axis.values.len() > 1)
            .map(|(_, (value, _))| value.as_str());
        let parts = [self.suite.id.as_str(), driver.as_str()].into_iter();
        parts.chain(values).collect::<Vec<_>>().join("/")
    }

    fn check(&self, id: &str, settings: &Settings, way: &Configuration) -> Result<(), DataError> {
        if let Some(option) = settings.shadowing_option() {
            return Err(self.fail(format!(
                "cell {id}: `options` sets {option}, which has a key of its own"
            )));
        }
        if let Some(option) = settings
            .options
            .keys()
            .find(|name| way.options.contains_key(*name))
        {
            return Err(self.fail(format!(
                "cell {id}: `options` sets {option}, and so does the configuration {}",
                way.id
            )));
        }
        if settings.need_given() && self.suite.file.name != CHAIN_FILE {
            return Err(self.fail(format!(
                "cell {id}: `given` is what a person gives to `rds-tls check --server-chain`, and \
                 stands in {CHAIN_FILE} alone"
            )));
        }
        Ok(())
    }

    /// Whether a cell is made of words that the driver refuses.
    fn keeps(&self, point: &Point, way: &Configuration, does: &Does) -> bool {
        let refused = matches!(does, Does::Refuse(refusal) if refusal.class == SSLMODE);
        if !refused {
            return true;
        }
        match self.play().refused_words {
            RefusedWords::Never => false,
            RefusedWords::All => true,
            RefusedWords::Once => {
                let is_first = |(axis, value): &(&Axis, &(String, Settings))| {
                    let first = values(self.page, axis).next();
                    axis.name == SSLMODE || first.is_some_and(|first| first.0 == value.0)
                };
                way.id == self.page.configurations[0].id && point.iter().all(is_first)
            }
        }
    }

    fn fail(&self, what: String) -> DataError {
        self.suite.file.error(self.play().line, what)
    }
}
