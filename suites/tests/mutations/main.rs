//! No row can be wrong unseen: every row of the tables is turned wrong, one way at a
//! time. Either the plan stops, or a cell that the row decides fails when it is
//! played.
//!
//! `cargo test` turns a few; all of them with
//! `cargo test -p suites --test mutations -- --ignored --nocapture`.

mod mutants;
mod play;
mod rows;
mod size;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use harness::{
    engine::Version,
    judge::Verdict,
    report::{Described, expected},
    suite::{Case, Cell, Data, SourceFile},
};
use suites::data;

use crate::{
    mutants::{Mutant, mutants},
    rows::rows,
};

/// The engines to look at, in this order: the oldest and the newest first, and both
/// sides of every minor version at which a row changes.
const ENGINES: [&str; 11] = [
    "18", "10.7", "16", "14", "11.1", "13", "12", "17", "15", "10.23", "11.22",
];

/// Cells to play of a mutant, at most.
const CELLS: usize = 20;

/// Skips that an emulated server can't confirm, and why.
const NOT_HERE: [(&str, &str); 2] = [
    (
        "skip: RDS takes a list of one's own from 16 on",
        "an emulated server takes it",
    ),
    (
        "skip: an OpenSSL of that age has no ChaCha20",
        "the OpenSSL of an emulated server is newer",
    ),
];

#[test]
fn some_rows_turned_wrong_are_seen() {
    let found = turn(|nth| nth % 40 == 7);
    assert!(found.by_plan > 0 && found.by_cell > 0);
}

#[test]
#[ignore = "it takes minutes: all rows, each wrong in every way"]
fn every_row_turned_wrong_is_seen() {
    let found = turn(|_| true);
    assert!(found.by_plan > 0 && found.by_cell > 0);
    for (skip, _) in NOT_HERE {
        let named = |why: &String| why.contains(skip);
        assert!(found.not_here.iter().any(named), "no row says `{skip}`");
    }
}

/// What became of the mutants.
#[derive(Default)]
struct Found {
    by_plan: usize,
    by_cell: usize,
    unseen: Vec<String>,
    not_here: Vec<String>,
}

/// What a mutant comes to before anything is played.
enum Plan {
    Stops,
    /// Cells of one engine, of which one must tell the mutant from the original.
    Stands(Version, Vec<Changed>),
}

/// A cell whose expectation is another.
struct Changed {
    /// What to play: as the mutant has it, or as it is where the mutant skips it.
    cell: Cell,
    is_skipped: bool,
}

fn turn(takes: impl Fn(usize) -> bool) -> Found {
    let files = data::built_in();
    let original = Original::new(&files);
    let tables = ["drivers/", "verifiers/", "transport.toml", "cases/"];
    let in_tables = |file: &&SourceFile| tables.iter().any(|part| file.name.starts_with(part));
    let mut all = Vec::new();
    let mut turned = 0;
    for file in files.iter().filter(in_tables) {
        let rows = rows(file);
        turned += rows.len();
        all.extend(rows.iter().flat_map(|row| mutants(row, file, &rows)));
    }
    let all: Vec<Mutant> = (all.into_iter().enumerate())
        .filter_map(|(nth, mutant)| takes(nth).then_some(mutant))
        .collect();
    let plans = each(&all, |mutant| original.plan(&mutant.of(&files)));
    let verdicts = original.play(&plans);
    let mut found = Found::default();
    for (mutant, plan) in all.iter().zip(&plans) {
        match plan {
            Plan::Stops => found.by_plan += 1,
            Plan::Stands(_, changed) => found.count(mutant, changed, &verdicts),
        }
    }
    println!(
        "{turned} rows, {} mutants: {} stop the plan, {} fail a cell, {} unseen, {} not to be \
         told here",
        all.len(),
        found.by_plan,
        found.by_cell,
        found.unseen.len(),
        found.not_here.len()
    );
    found
        .not_here
        .iter()
        .for_each(|line| println!("not here: {line}"));
    found
        .unseen
        .iter()
        .for_each(|line| println!("unseen: {line}"));
    assert!(found.unseen.is_empty(), "{}", found.unseen.join("\n"));
    found
}

impl Found {
    fn count(&mut self, mutant: &Mutant, changed: &[Changed], verdicts: &play::Verdicts) {
        if changed.is_empty() {
            self.unseen.push(format!("{mutant}: it changes nothing"));
            return;
        }
        let verdict = |one: &Changed| &verdicts[&Arc::as_ptr(&one.cell.case)];
        let tells = |one: &Changed| match verdict(one) {
            // The skip is not due: without it, the cell passes.
            Verdict::Pass => one.is_skipped,
            Verdict::Fail(_) | Verdict::Broken(_) => !one.is_skipped,
            Verdict::Known { .. } | Verdict::Skipped(_) => false,
        };
        let skipped = |one: &Changed| match verdict(one) {
            Verdict::Skipped(why) => Some(why.clone()),
            _ => None,
        };
        let skips: Option<BTreeSet<String>> = changed.iter().map(skipped).collect();
        let note = &mutant.row.fields[0];
        let named = NOT_HERE.iter().find(|(skip, _)| skip == note);
        if changed.iter().any(tells) {
            self.by_cell += 1;
        } else if let Some(whys) = skips {
            let whys: Vec<String> = whys.into_iter().collect();
            self.not_here.push(format!("{mutant}: {}", whys.join("; ")));
        } else if let Some((_, why)) = named {
            self.not_here.push(format!("{mutant}: {why}"));
        } else {
            let ids: Vec<&str> = changed.iter().map(|one| one.cell.id.as_str()).collect();
            self.unseen
                .push(format!("{mutant}: these pass: {}", ids.join(", ")));
        }
    }
}

/// The suites as they are.
struct Original {
    data: Data,
    engines: Vec<Version>,
    /// What each case expects, by engine and id.
    expects: BTreeMap<(usize, String), Described>,
}

impl Original {
    fn new(files: &[SourceFile]) -> Self {
        let data = Data::parse(files).unwrap();
        let engines: Vec<Version> = ENGINES.iter().map(|one| one.parse().unwrap()).collect();
        let mut expects = BTreeMap::new();
        for (nth, engine) in engines.iter().enumerate() {
            for case in &data.cases {
                let cell = case.at(*engine).unwrap();
                expects.insert((nth, case.id.clone()), expected(&cell));
            }
        }
        Self {
            data,
            engines,
            expects,
        }
    }

    fn plan(&self, files: &[SourceFile]) -> Plan {
        let Ok(data) = Data::parse(files) else {
            return Plan::Stops;
        };
        for (nth, engine) in self.engines.iter().enumerate() {
            let changed: Vec<Changed> = (data.cases.iter())
                .filter_map(|case| self.changed(nth, *engine, case))
                .collect();
            if !changed.is_empty() {
                return Plan::Stands(*engine, some_of(changed));
            }
        }
        Plan::Stands(self.engines[0], Vec::new())
    }

    fn changed(&self, nth: usize, engine: Version, case: &Arc<Case>) -> Option<Changed> {
        let cell = case.at(engine).unwrap();
        if self.expects.get(&(nth, case.id.clone())) == Some(&expected(&cell)) {
            return None;
        }
        let is_skipped = cell.is_skipped();
        let original = || {
            let mut cases = self.data.cases.iter();
            cases
                .find(|one| one.id == case.id)
                .and_then(|one| one.at(engine))
        };
        let cell = if is_skipped { original()? } else { cell };
        Some(Changed { cell, is_skipped })
    }

    /// Plays the changed cells of all mutants, engine by engine.
    fn play(&self, plans: &[Plan]) -> play::Verdicts {
        let mut verdicts = play::Verdicts::new();
        for engine in &self.engines {
            let cells: HashMap<*const Case, Cell> = (plans.iter())
                .filter_map(|plan| match plan {
                    Plan::Stands(on, changed) if on == engine => Some(changed),
                    _ => None,
                })
                .flatten()
                .map(|one| (Arc::as_ptr(&one.cell.case), one.cell.clone()))
                .collect();
            let mut cells: Vec<Cell> = cells.into_values().collect();
            cells.sort_by(|one, other| one.id.cmp(&other.id));
            if !cells.is_empty() {
                println!("PostgreSQL {engine}: {} cells", cells.len());
                verdicts.extend(play::play(&self.data, *engine, &cells));
            }
        }
        verdicts
    }
}

/// At most [`CELLS`], from the first to the last.
fn some_of(cells: Vec<Changed>) -> Vec<Changed> {
    let step = cells.len().div_ceil(CELLS).max(1);
    cells.into_iter().step_by(step).collect()
}

/// The results for all items, in their order, by as many threads as there are cores.
fn each<T: Sync, R: Send>(items: &[T], of: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(nth) else { break };
                    let result = of(item);
                    results.lock().unwrap().push((nth, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(nth, _)| *nth);
    results.into_iter().map(|(_, result)| result).collect()
}
