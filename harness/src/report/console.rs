//! What a person sees: progress while it runs, failures in full, tables at the
//! end.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Described, repro,
    words::{expected, policy, verdict},
};
use crate::{
    driver::Outcome,
    endpoint::Facts,
    judge::Verdict,
    run::{CellResult, Event, Sink, Summary},
    suite::{Bearing, Claims},
};

/// How many failed and broken cells are told in full; the rest by their ids.
const IN_FULL: usize = 20;

/// Columns of a terminal that the tables fill at most.
pub(super) const TABLE_WIDTH: u16 = 120;

/// Writes to a stream for people.
pub struct Console<W> {
    out: W,
    claims: Claims,
    verbose: bool,
    progress: Option<ProgressBar>,
    told: usize,
    by_driver: BTreeMap<(String, String), Summary>,
    by_claim: BTreeMap<String, Summary>,
    /// Of each claim, the cells that pass and contradict it.
    against: BTreeMap<String, usize>,
    skips: BTreeMap<String, usize>,
}

impl<W: io::Write> Console<W> {
    /// With `verbose`, every cell has its line.
    pub fn new(out: W, claims: Claims, verbose: bool) -> Self {
        Self {
            out,
            claims,
            verbose,
            progress: None,
            told: 0,
            by_driver: BTreeMap::new(),
            by_claim: BTreeMap::new(),
            against: BTreeMap::new(),
            skips: BTreeMap::new(),
        }
    }

    fn line(&mut self, line: &str) {
        let mut write = || writeln!(self.out, "{line}");
        // A reader that went away must not stop the run, nor the clean-up.
        let _ = match &self.progress {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
    }

    fn begin(&mut self, facts: &Facts, cells: usize, policies: usize) {
        self.line(&format!(
            "PostgreSQL {} ({}) as {}: {cells} cells, {policies} policies",
            facts.engine, facts.kind, facts.host
        ));
        for line in &facts.found {
            self.line(&format!("found: {line}"));
        }
        if io::stderr().is_terminal() {
            let bar = ProgressBar::new(cells as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            self.progress = Some(bar);
        }
    }

    fn judged(&mut self, result: &CellResult) {
        let cell = &result.cell;
        let key = (cell.case.suite.id.clone(), cell.case.driver.id.clone());
        self.by_driver.entry(key).or_default().count(result);
        for (claim, bearing) in &cell.claims {
            self.by_claim
                .entry(claim.clone())
                .or_default()
                .count(result);
            if result.verdict == Verdict::Pass && *bearing == Bearing::Breaks {
                *self.against.entry(claim.clone()).or_default() += 1;
            }
        }
        match &result.verdict {
            Verdict::Skipped(why) => *self.skips.entry(why.clone()).or_default() += 1,
            Verdict::Fail(_) | Verdict::Broken(_) => {
                self.told += 1;
                if self.told <= IN_FULL {
                    for line in in_full(result, &self.claims) {
                        self.line(&line);
                    }
                    return;
                }
                return self.line(&short(result));
            }
            Verdict::Pass | Verdict::Known { .. } => {}
        }
        if self.verbose {
            self.line(&short(result));
        }
    }

    fn finish(&mut self, summary: &Summary) {
        if let Some(bar) = self.progress.take() {
            bar.finish_and_clear();
        }
        let tables = format!("\n{}\n\n{}\n", self.driver_table(), self.claim_table());
        self.line(&tables);
        for (claim, count) in std::mem::take(&mut self.against) {
            self.line(&format!(
                "{count} pass and contradict {claim}, as `rds-tls claims` tells"
            ));
        }
        for (why, count) in std::mem::take(&mut self.skips) {
            self.line(&format!("{count} skipped: {why}"));
        }
        self.line(&format!(
            "{} cells, {} opened a socket: {} pass, {} fail, {} known, {} skipped, {} broken in {:.1} s",
            summary.cells,
            summary.opened_socket,
            summary.pass,
            summary.fail,
            summary.known,
            summary.skipped,
            summary.broken,
            summary.seconds
        ));
    }

    fn driver_table(&self) -> Table {
        let mut table = table(&["suite", "driver"]);
        for ((suite, driver), summary) in &self.by_driver {
            table.add_row(row(&[suite, driver], summary));
        }
        align(table, 2)
    }

    fn claim_table(&self) -> Table {
        let mut table = table(&["claim", "the RDS document says"]);
        for (id, summary) in &self.by_claim {
            let says = self.claims.get(id).map_or("", |claim| claim.says.as_str());
            table.add_row(row(&[id, says], summary));
        }
        align(table, 2)
    }
}

impl<W: io::Write> Sink for Console<W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::EndpointReady {
                facts,
                cells,
                policies,
            } => self.begin(facts, *cells, *policies),
            Event::PolicyApplied {
                policy: to,
                applied,
            } => {
                let serves = match &applied.negotiated {
                    Some((version, cipher)) => format!("serves {version}, {cipher}"),
                    None => "serves no TLS".to_owned(),
                };
                self.line(&format!(
                    "policy: {}; {serves}; switched in {} ms",
                    policy(to),
                    applied.took.as_millis()
                ));
            }
            Event::AttemptDone => {
                if let Some(bar) = &self.progress {
                    bar.inc(1);
                }
            }
            Event::CellJudged(result) => self.judged(result),
            Event::Warning(what) => self.line(&format!("warning: {what}")),
            Event::Finished(summary) => self.finish(summary),
        }
    }
}

fn short(result: &CellResult) -> String {
    let seen = match &result.seen {
        Some((_, seen)) => Described::from(seen).to_string(),
        None => String::new(),
    };
    let why = match &result.verdict {
        Verdict::Skipped(why) | Verdict::Broken(why) => why.clone(),
        Verdict::Known { reason, .. } => format!("{seen} — {reason}"),
        Verdict::Pass | Verdict::Fail(_) => seen,
    };
    format!("{:<7} {}  {why}", verdict(&result.verdict), result.cell.id)
}

/// Everything about one cell, a line an entry: for one that failed.
#[must_use]
pub fn in_full(result: &CellResult, claims: &Claims) -> Vec<String> {
    let cell = &result.cell;
    let mut lines = vec![format!(
        "\n{} {}",
        verdict(&result.verdict).to_uppercase(),
        cell.id
    )];
    let mut entry = |name: &str, text: &str| {
        for (nth, text) in text.lines().enumerate() {
            let name = if nth == 0 { name } else { "" };
            lines.push(format!("  {name:<9} {text}"));
        }
    };
    entry("policy", &policy(&cell.case.policy()));
    entry("expected", &expected(cell).to_string());
    if let Some((_, seen)) = &result.seen {
        entry("observed", &Described::from(seen).to_string());
    }
    match &result.verdict {
        Verdict::Fail(differences) => entry("because", &differences.join("\n")),
        Verdict::Broken(why) => entry("because", why),
        Verdict::Pass | Verdict::Known { .. } | Verdict::Skipped(_) => {}
    }
    if let Some((observation, _)) = &result.seen {
        if let Outcome::Refused { message, .. } = &observation.outcome {
            entry("error", message);
        }
        entry("wire", &observation.transcript.to_string());
    }
    let about = cell.claims.iter().map(|(id, _)| {
        let says = claims.get(id).map_or("", |claim| claim.says.as_str());
        format!("{id}: {says}")
    });
    entry("claim", &about.collect::<Vec<_>>().join("\n"));
    let places: Vec<String> = cell.places.iter().map(ToString::to_string).collect();
    entry("rows", &places.join(", "));
    entry("again", &repro(cell, None).join("\n"));
    lines
}

fn table(names: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(TABLE_WIDTH);
    let counts = [
        "cells", "socket", "pass", "fail", "known", "skipped", "broken",
    ];
    table.set_header(names.iter().chain(&counts).copied());
    table
}

fn row(names: &[&str], summary: &Summary) -> Vec<String> {
    let counts = [
        summary.cells,
        summary.opened_socket,
        summary.pass,
        summary.fail,
        summary.known,
        summary.skipped,
        summary.broken,
    ];
    (names.iter().map(|name| (*name).to_owned()))
        .chain(counts.iter().map(usize::to_string))
        .collect()
}

fn align(mut table: Table, names: usize) -> Table {
    for column in table.column_iter_mut().skip(names) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
