//! A run as JSON, for programs. README.md describes the fields.

use std::io;

use serde::Serialize;

use super::{
    Described, repro,
    words::{expected, policy, verdict},
};
use crate::{
    driver::Outcome,
    endpoint::Facts,
    judge::Verdict,
    run::{CellResult, Event, Sink, Summary},
    tap::Transcript,
};

/// The version of the format; a change that breaks a reader raises it.
pub const VERSION: u32 = 1;

/// A whole run.
#[derive(Debug, Default, Serialize)]
pub struct JsonReport {
    /// [`VERSION`].
    pub version: u32,
    /// The servers that were played against.
    pub endpoints: Vec<JsonEndpoint>,
    /// The run in numbers.
    pub summary: Summary,
    /// Every cell.
    pub cells: Vec<JsonCell>,
}

/// A server.
#[derive(Debug, Serialize)]
pub struct JsonEndpoint {
    /// `embedded`, …
    pub kind: &'static str,
    /// `17.6`.
    pub engine: String,
    /// The name that clients verify.
    pub host: String,
}

impl From<&Facts> for JsonEndpoint {
    fn from(facts: &Facts) -> Self {
        Self {
            kind: facts.kind,
            engine: facts.engine.to_string(),
            host: facts.host.clone(),
        }
    }
}

/// A cell.
#[derive(Debug, Serialize)]
pub struct JsonCell {
    /// Its id.
    pub id: String,
    /// The claim that it speaks for.
    pub claim: String,
    /// Claims that its passing contradicts.
    pub against: Vec<String>,
    /// The driver's id.
    pub driver: String,
    /// The sslmode word, or `unset`.
    pub sslmode: String,
    /// The server policy, in words.
    pub policy: String,
    /// Where its row stands, as `cases/sslmode.toml:61`.
    pub row: String,
    /// What must be seen.
    pub expected: Described,
    /// What was seen.
    pub observed: Option<Described>,
    /// The driver's own account.
    pub outcome: Option<Outcome>,
    /// The negotiation, connection by connection.
    pub transcript: Option<Transcript>,
    /// `pass`, `fail`, `known`, `skipped` or `broken`.
    pub verdict: &'static str,
    /// Differences, or the reason of any other verdict but pass.
    pub because: Vec<String>,
    /// From the tap's opening to its transcript.
    pub milliseconds: f64,
    /// Command lines that show it again.
    pub repro: Vec<String>,
}

/// Collects a run, and writes it when it is over.
pub struct Json {
    out: Box<dyn io::Write + Send>,
    report: JsonReport,
    /// The error of writing, for the caller to tell.
    pub failed: Option<io::Error>,
}

impl Json {
    /// Writes to `out`, at the end.
    #[must_use]
    pub fn new(out: Box<dyn io::Write + Send>) -> Self {
        Self {
            out,
            report: JsonReport {
                version: VERSION,
                ..JsonReport::default()
            },
            failed: None,
        }
    }

    fn write(&mut self) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, &self.report)?;
        writeln!(self.out)?;
        self.out.flush()
    }
}

impl Sink for Json {
    fn event(&mut self, event: &Event) {
        match event {
            Event::EndpointReady { facts, .. } => {
                self.report.endpoints.push(JsonEndpoint::from(*facts));
            }
            Event::CellJudged(result) => {
                self.report.cells.push(cell(result));
            }
            Event::Finished(summary) => {
                self.report.summary = **summary;
                self.failed = self.write().err();
            }
            Event::PolicyApplied { .. } | Event::AttemptDone | Event::Warning(_) => {}
        }
    }
}

fn cell(result: &CellResult) -> JsonCell {
    let cell = &result.cell;
    JsonCell {
        id: cell.id.clone(),
        claim: cell.claim.clone(),
        against: cell.against.clone(),
        driver: cell.case.driver.id.clone(),
        sslmode: cell.case.sslmode().to_owned(),
        policy: policy(&cell.case.policy()),
        row: format!("{}:{}", cell.case.suite.file.name, cell.line),
        expected: expected(cell),
        observed: (result.seen.as_ref()).map(|(_, seen)| Described::from(seen)),
        outcome: (result.seen.as_ref()).map(|(seen, _)| seen.outcome.clone()),
        transcript: (result.seen.as_ref()).map(|(seen, _)| seen.transcript.clone()),
        verdict: verdict(&result.verdict),
        because: because(&result.verdict),
        milliseconds: (result.took.as_secs_f64() * 1e4).round() / 10.0,
        repro: repro(cell, None),
    }
}

fn because(verdict: &Verdict) -> Vec<String> {
    match verdict {
        Verdict::Pass => Vec::new(),
        Verdict::Fail(differences) => differences.clone(),
        Verdict::Known { reason, link } => vec![reason.clone(), link.clone()],
        Verdict::Skipped(why) | Verdict::Broken(why) => vec![why.clone()],
    }
}
