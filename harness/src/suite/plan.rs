//! The cells of a run.

use super::{Cell, Target, UnknownWord, data::Data};
use crate::engine::Version;

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
///
/// ```
/// use harness::suite::{Plan, Selection};
/// # fn example(data: &harness::suite::Data) -> Result<(), Box<dyn std::error::Error>> {
/// let selection = Selection { drivers: vec!["libpq".into()], ..Selection::default() };
/// let plan = Plan::new(data, &["17".parse()?], &selection)?;
/// assert!(plan.cells.iter().all(|cell| cell.id.ends_with("@17")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    /// In the order in which their suites have them.
    pub cells: Vec<Cell>,
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
            if !data.drivers.contains_key(driver) {
                return Err(UnknownWord::new("driver", driver, data.drivers.keys()));
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
