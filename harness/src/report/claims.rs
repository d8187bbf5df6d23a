//! What people and programs read of the claims: a table by engine, and every
//! claim that doesn't simply hold with what is documented and what was measured.

use std::{collections::BTreeMap, fmt::Write, io};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{Described, console::TABLE_WIDTH, json::JsonEndpoint, words::verdict};
use crate::{
    driver::{Outcome, Reply},
    engine::Version,
    findings::{ClaimVerdict, Evidence, Finding, Tells},
    judge::{Observation, Observed},
    run::{CellResult, Event, Sink, Summary},
    suite::Claim,
    tap,
};

/// The version of the format; a change that breaks a reader raises it.
const VERSION: u32 = 1;

/// How many things that were seen are told of a claim; JSON has all.
const MEASURED: usize = 6;

/// Columns of the names that details have.
const NAME: usize = 10;

/// Collects a run for the claims, and tells people what is under way.
pub struct Gather<W> {
    progress: W,
    /// Every cell.
    pub evidence: Vec<Evidence>,
    /// The servers that were played against.
    pub endpoints: Vec<JsonEndpoint>,
    /// Their versions, by major version.
    pub engines: BTreeMap<u16, Version>,
}

impl<W: io::Write> Gather<W> {
    /// Tells `progress` a line an engine.
    pub fn new(progress: W) -> Self {
        Self {
            progress,
            evidence: Vec::new(),
            endpoints: Vec::new(),
            engines: BTreeMap::new(),
        }
    }
}

impl<W: io::Write> Sink for Gather<W> {
    fn event(&mut self, event: &Event) {
        // A reader that went away must not stop the run, nor the clean-up.
        let _ = match event {
            Event::EndpointReady { facts, cells, .. } => {
                self.engines.insert(facts.engine.major, facts.engine);
                self.endpoints.push(JsonEndpoint::from(*facts));
                writeln!(
                    self.progress,
                    "PostgreSQL {} ({}): {cells} cells",
                    facts.engine, facts.kind
                )
            }
            Event::CellJudged(result) => {
                self.evidence.push(evidence(result));
                Ok(())
            }
            Event::Warning(what) => writeln!(self.progress, "warning: {what}"),
            Event::PolicyApplied { .. } | Event::AttemptDone | Event::Finished(_) => Ok(()),
        };
    }
}

fn evidence(result: &CellResult) -> Evidence {
    Evidence {
        cell: result.cell.clone(),
        verdict: result.verdict.clone(),
        seen: result.seen.as_ref().map(|(seen, words)| told(seen, words)),
    }
}

/// What was seen, with the server's own words where they could be read.
fn told(seen: &Observation, words: &Observed) -> String {
    let described = Described::from(words).to_string();
    let last = seen.transcript.connections.last();
    let error = last.into_iter().flatten().find_map(|event| match event {
        tap::Event::Error { message, .. } => Some(message.clone()),
        _ => None,
    });
    let reply = match &seen.outcome {
        Outcome::Connected { reply, .. } => reply.as_ref().map(answer),
        Outcome::Refused { .. } => None,
    };
    [Some(described), error, reply]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::Error { message, .. } => message.clone(),
        Reply::Rows { columns, rows } => {
            let value = |value: &Option<String>| value.clone().unwrap_or_default();
            let rows = (rows.iter()).map(|row| row.iter().map(value).collect::<Vec<_>>());
            (std::iter::once(columns.clone()).chain(rows))
                .map(|row| row.join(" | "))
                .collect::<Vec<_>>()
                .join("\n")
        }
    }
}

/// All findings, for people.
#[must_use]
pub fn claims_text(findings: &[Finding], summary: &Summary) -> String {
    let mut text = format!("{}\n{LEGEND}\n", table(findings));
    for (details, engines) in alike(findings.iter().filter(|f| !simply_holds(f)), details) {
        let Some((heading, details)) = details.split_first() else {
            continue;
        };
        text += &format!("\n{heading} on PostgreSQL {}\n", engines.join(", "));
        text += &details.concat();
    }
    text += "\n";
    let unmeasured = |found: &&Finding| found.verdict == ClaimVerdict::NotMeasured;
    for (why, engines) in alike(findings.iter().filter(unmeasured), not_measured) {
        text += &format!("{} (PostgreSQL {})\n", why.concat(), engines.join(", "));
    }
    text + &closing(findings, summary)
}

const LEGEND: &str = "where: holds only there, as told below · no: does not hold · ?: not measured · \
                      -: not claimed for that engine · !: no record says so";

fn simply_holds(found: &Finding) -> bool {
    match found.verdict {
        ClaimVerdict::Holds | ClaimVerdict::NotMeasured => found.unrecorded.is_none(),
        ClaimVerdict::HoldsWhere | ClaimVerdict::DoesNotHold | ClaimVerdict::Broken => false,
    }
}

/// Claims down, engines across; those that nothing measures are told elsewhere.
fn table(findings: &[Finding]) -> Table {
    let mut engines: Vec<Version> = findings.iter().map(|found| found.engine).collect();
    engines.sort_by_key(|engine| engine.major);
    engines.dedup();
    let mut rows: Vec<(&Claim, BTreeMap<u16, String>)> = Vec::new();
    for found in findings
        .iter()
        .filter(|found| found.claim.unmeasured.is_none())
    {
        let word = format!(
            "{}{}",
            short(found.verdict),
            if found.unrecorded.is_some() { "!" } else { "" }
        );
        match rows
            .iter_mut()
            .find(|(claim, _)| claim.id == found.claim.id)
        {
            Some((_, words)) => {
                words.insert(found.engine.major, word);
            }
            None => rows.push((found.claim, BTreeMap::from([(found.engine.major, word)]))),
        }
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(TABLE_WIDTH);
    let heads = engines.iter().map(|engine| engine.major.to_string());
    let names = ["claim", "the RDS document says"].map(str::to_owned);
    table.set_header(names.into_iter().chain(heads));
    for (claim, words) in rows {
        let on = |engine: &Version| words.get(&engine.major).cloned().unwrap_or("-".to_owned());
        let names = [claim.id.clone(), claim.says.clone()];
        table.add_row(names.into_iter().chain(engines.iter().map(on)));
    }
    table
}

fn short(verdict: ClaimVerdict) -> &'static str {
    match verdict {
        ClaimVerdict::Holds => "holds",
        ClaimVerdict::HoldsWhere => "where",
        ClaimVerdict::DoesNotHold => "no",
        ClaimVerdict::NotMeasured => "?",
        ClaimVerdict::Broken => "broken",
    }
}

/// Findings of which the same is told, with the engines of each.
fn alike<'a>(
    findings: impl Iterator<Item = &'a Finding<'a>>,
    tell: fn(&Finding) -> Vec<String>,
) -> Vec<(Vec<String>, Vec<String>)> {
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for found in findings {
        let (told, engine) = (tell(found), found.engine.to_string());
        match groups.iter_mut().find(|(other, _)| *other == told) {
            Some((_, engines)) => engines.push(engine),
            None => groups.push((told, vec![engine])),
        }
    }
    groups
}

fn not_measured(found: &Finding) -> Vec<String> {
    let why = found.because.join("; ");
    vec![format!(
        "not measured: {} {} — {why}",
        found.claim.id, found.claim.says
    )]
}

/// A heading, and what is told below it, an entry at a time; nothing in it names
/// the engine, so that engines of which the same is to be told stand together.
fn details(found: &Finding) -> Vec<String> {
    let says = match found.verdict {
        ClaimVerdict::Holds => "holds",
        ClaimVerdict::HoldsWhere => "holds only in part",
        ClaimVerdict::DoesNotHold => "does not hold",
        ClaimVerdict::NotMeasured => "was not measured",
        ClaimVerdict::Broken => "could not be found out",
    };
    let mut lines = vec![format!("{} {says}", found.claim.id)];
    lines.push(entry("document", &found.claim.documented(found.engine)));
    for reading in &found.claim.readings {
        lines.push(entry("", &format!("{}: {}", reading.dated, reading.says)));
    }
    if let Some(extent) = &found.extent {
        lines.push(entry("holds", extent));
    }
    let measured = found.measured();
    let told = measured.iter().filter(|one| one.tells != Tells::Kept);
    for one in told.clone().take(MEASURED) {
        let cells = format!("in {} cells, as {}", one.cells, one.example.case.id);
        lines.push(entry("measured", &format!("{}\n{cells}", one.seen)));
    }
    let more = told.count().saturating_sub(MEASURED);
    if more > 0 {
        lines.push(entry(
            "",
            &format!("and {more} more; --json tells them all"),
        ));
    }
    let count = |wanted: Tells| {
        found
            .cells
            .iter()
            .filter(|(_, tells)| *tells == wanted)
            .count()
    };
    lines.push(entry(
        "cells",
        &format!(
            "{} as documented, {} not",
            count(Tells::Kept),
            count(Tells::NotKept)
        ),
    ));
    for why in &found.because {
        lines.push(entry("because", why));
    }
    if let Some(why) = &found.unrecorded {
        lines.push(entry("unrecorded", why));
    }
    lines
}

/// A name, and lines beside it.
fn entry(name: &str, text: &str) -> String {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    (names.zip(text.lines())).fold(String::new(), |mut all, (name, line)| {
        // Writing to a String does not fail.
        let _ = writeln!(all, "  {name:<NAME$} {line}");
        all
    })
}

fn closing(findings: &[Finding], summary: &Summary) -> String {
    let count = JsonSummary::of(findings, summary);
    format!(
        "{} findings: {} hold, {} hold in part, {} do not hold, {} not measured, {} broken; \
         {} unrecorded; {} cells in {:.1} s\n",
        count.findings,
        count.holds,
        count.holds_where,
        count.does_not_hold,
        count.not_measured,
        count.broken,
        count.unrecorded,
        count.cells,
        count.seconds
    )
}

/// All findings, for programs. README.md describes the fields.
#[derive(Debug, Serialize)]
pub struct JsonClaims<'a> {
    version: u32,
    endpoints: &'a [JsonEndpoint],
    summary: JsonSummary,
    claims: Vec<JsonClaim<'a>>,
}

#[derive(Debug, Default, Serialize)]
struct JsonSummary {
    findings: usize,
    holds: usize,
    holds_where: usize,
    does_not_hold: usize,
    not_measured: usize,
    broken: usize,
    unrecorded: usize,
    cells: usize,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct JsonClaim<'a> {
    id: &'a str,
    engine: String,
    verdict: ClaimVerdict,
    #[serde(rename = "where")]
    extent: Option<&'a str>,
    recorded: bool,
    documented: String,
    readings: Vec<String>,
    measured: Vec<JsonMeasured<'a>>,
    because: &'a [String],
    unrecorded: Option<&'a str>,
    cells: Vec<JsonCell<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonMeasured<'a> {
    seen: &'a str,
    tells: Tells,
    cells: usize,
}

#[derive(Debug, Serialize)]
struct JsonCell<'a> {
    id: &'a str,
    verdict: &'static str,
    tells: Tells,
}

impl<'a> JsonClaims<'a> {
    /// Of all findings of a run.
    #[must_use]
    pub fn new(
        findings: &'a [Finding<'a>],
        endpoints: &'a [JsonEndpoint],
        summary: &Summary,
    ) -> Self {
        Self {
            version: VERSION,
            endpoints,
            summary: JsonSummary::of(findings, summary),
            claims: findings.iter().map(JsonClaim::of).collect(),
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// When the stream takes no more.
    pub fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)?;
        out.flush()
    }
}

impl JsonSummary {
    fn of(findings: &[Finding], summary: &Summary) -> Self {
        let count = |wanted: ClaimVerdict| findings.iter().filter(|f| f.verdict == wanted).count();
        Self {
            findings: findings.len(),
            holds: count(ClaimVerdict::Holds),
            holds_where: count(ClaimVerdict::HoldsWhere),
            does_not_hold: count(ClaimVerdict::DoesNotHold),
            not_measured: count(ClaimVerdict::NotMeasured),
            broken: count(ClaimVerdict::Broken),
            unrecorded: findings.iter().filter(|f| f.unrecorded.is_some()).count(),
            cells: summary.cells,
            seconds: summary.seconds,
        }
    }
}

impl<'a> JsonClaim<'a> {
    fn of(found: &'a Finding<'a>) -> Self {
        Self {
            id: &found.claim.id,
            engine: found.engine.to_string(),
            verdict: found.verdict,
            extent: found.extent.as_deref(),
            recorded: found.unrecorded.is_none(),
            documented: found.claim.documented(found.engine),
            readings: (found.claim.readings.iter())
                .map(|reading| format!("{}: {}", reading.dated, reading.says))
                .collect(),
            measured: (found.measured().into_iter())
                .map(|one| JsonMeasured {
                    seen: one.seen,
                    tells: one.tells,
                    cells: one.cells,
                })
                .collect(),
            because: &found.because,
            unrecorded: found.unrecorded.as_deref(),
            cells: (found.cells.iter())
                .map(|(evidence, tells)| JsonCell {
                    id: &evidence.cell.id,
                    verdict: verdict(&evidence.verdict),
                    tells: *tells,
                })
                .collect(),
        }
    }
}
