//! The screen at the end of a run: each driver and what it does by default, what
//! failed, what could not be played and the way to have it, and the counts.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::TABLE_WIDTH;
use crate::{
    driver::About,
    judge::Verdict,
    report::words,
    run::{CellResult, Summary},
    suite::{Bearing, Claims, Page, TrustKind},
};

/// How many drivers are named beside a reason for a skip.
const NAMED: usize = 12;

/// What a run comes to, counted while it goes on.
#[derive(Default)]
pub struct Closing {
    by_driver: BTreeMap<String, (String, Summary)>,
    by_suite: BTreeMap<(String, String), Summary>,
    by_claim: BTreeMap<String, Summary>,
    /// Of each claim, the cells that pass and contradict it.
    contradicted: BTreeMap<String, usize>,
    /// Reasons, with how many cells they leave out, and of which drivers.
    skips: BTreeMap<String, (usize, BTreeSet<String>)>,
    versions: BTreeMap<String, String>,
}

impl Closing {
    /// Counts a cell.
    pub fn count(&mut self, result: &CellResult) {
        let case = &result.cell.case;
        let (_, driver) = (self.by_driver.entry(case.driver.id.clone()))
            .or_insert_with(|| (by_default(&case.driver), Summary::default()));
        driver.count(result);
        let suite = (case.suite.id.clone(), case.driver.id.clone());
        self.by_suite.entry(suite).or_default().count(result);
        for (claim, bearing) in &result.cell.claims {
            self.by_claim
                .entry(claim.clone())
                .or_default()
                .count(result);
            if result.verdict == Verdict::Pass && *bearing == Bearing::Breaks {
                *self.contradicted.entry(claim.clone()).or_default() += 1;
            }
        }
        if let Verdict::Skipped(why) = &result.verdict {
            let (count, drivers) = self.skips.entry(why.clone()).or_default();
            *count += 1;
            drivers.insert(format!("{} {}", case.driver.id, case.way.id));
        }
    }

    /// Takes over which versions were played.
    pub fn drivers(&mut self, drivers: &[About]) {
        for driver in drivers {
            let tls = driver.tls.as_ref().map(|tls| format!(", {tls}"));
            let version = format!("{}{}", driver.version, tls.unwrap_or_default());
            self.versions.insert(driver.id.clone(), version);
        }
    }

    /// The screen, a line an entry.
    pub fn lines(self, claims: &Claims, summary: &Summary, verbose: bool) -> Vec<String> {
        let mut lines = vec![format!("\n{}", self.driver_table())];
        if verbose {
            let versions = self.versions.iter();
            lines.push(String::new());
            lines.extend(versions.map(|(id, version)| format!("{id}: {version}")));
            lines.push(format!("\n{}", self.suite_table()));
            lines.push(format!("\n{}", self.claim_table(claims)));
        }
        lines.push(String::new());
        if !self.contradicted.is_empty() {
            let count: usize = self.contradicted.values().sum();
            let claims: Vec<&str> = self.contradicted.keys().map(String::as_str).collect();
            lines.push(format!(
                "{count} pass and contradict the RDS document ({}): see `rds-tls claims`",
                claims.join(", ")
            ));
        }
        for (why, (count, drivers)) in &self.skips {
            let names: Vec<&str> = drivers.iter().map(String::as_str).take(NAMED).collect();
            let more = if drivers.len() > NAMED { ", …" } else { "" };
            lines.push(format!(
                "{count} not played ({}{more}): {why}",
                names.join(", ")
            ));
        }
        lines.push(format!(
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
        lines
    }

    fn driver_table(&self) -> Table {
        let mut table = table(&["driver", "by default, without trust anchors"]);
        for (driver, (by_default, summary)) in &self.by_driver {
            table.add_row(row(&[driver, by_default], summary));
        }
        align(table, 2)
    }

    fn suite_table(&self) -> Table {
        let mut table = table(&["suite", "driver"]);
        for ((suite, driver), summary) in &self.by_suite {
            table.add_row(row(&[suite, driver], summary));
        }
        align(table, 2)
    }

    fn claim_table(&self, claims: &Claims) -> Table {
        let mut table = table(&["claim", "the RDS document says"]);
        for (id, summary) in &self.by_claim {
            let says = claims.get(id).map_or("", |claim| claim.says.as_str());
            table.add_row(row(&[id, says], summary));
        }
        align(table, 2)
    }
}

/// What a driver's page says of it where the user says nothing.
fn by_default(page: &Page) -> String {
    let way = &page.configurations[0].id;
    match page.connects(way, "unset", TrustKind::None) {
        Ok(connects) => words::does(&connects.does),
        Err(_) => page.default.clone(),
    }
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
