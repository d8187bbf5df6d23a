//! A run as JSON, for programs. docs/json.md describes the fields.

use std::io;

use serde::Serialize;

use super::{
    repro,
    words::{policy, verdict},
};
use crate::{
    driver::{About, Outcome},
    endpoint::Facts,
    judge::{Observed, Verdict},
    run::{CellResult, Event, Sink, Summary},
    suite::Expected,
    tap::Transcript,
};

/// The version of the format; a change that breaks a reader raises it.
pub const VERSION: u32 = 2;

/// A whole run.
#[derive(Debug, Default, Serialize)]
pub struct JsonReport {
    /// [`VERSION`].
    pub version: u32,
    /// The servers that were played against.
    pub endpoints: Vec<JsonEndpoint>,
    /// The drivers that played, as they said of themselves.
    pub drivers: Vec<About>,
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
            kind: facts.kind.word(),
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
    /// The claims that it is about.
    pub claims: Vec<String>,
    /// The driver's id.
    pub driver: String,
    /// How the driver is set up.
    pub way: String,
    /// The sslmode word, or `unset`.
    pub sslmode: String,
    /// The server policy, in words.
    pub policy: String,
    /// Where the rows stand that its expectation is composed of, as
    /// `drivers/libpq.toml:41`.
    pub rows: Vec<String>,
    /// What must be seen; absent where the cell is left out.
    pub expected: Option<JsonExpected>,
    /// What was seen.
    pub observed: Option<JsonObserved>,
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

/// What must be seen, in the closed vocabularies.
#[derive(Debug, Serialize)]
pub struct JsonExpected {
    /// At the client.
    pub outcome: String,
    /// By the tap.
    pub wire: String,
    /// The server's refusal word for word, with its placeholders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// The TLS version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The cipher suite, by OpenSSL's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// The answer to the cell's question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// What was seen, in the closed vocabularies.
#[derive(Debug, Serialize)]
pub struct JsonObserved {
    /// At the client; absent where there is no word for it.
    pub outcome: Option<String>,
    /// Why there is no word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_word: Option<String>,
    /// By the tap.
    pub wire: String,
}

impl From<&Expected> for JsonExpected {
    fn from(expected: &Expected) -> Self {
        Self {
            outcome: expected.class.to_string(),
            wire: expected.wire.to_string(),
            says: expected.says.clone(),
            version: expected.negotiates.map(|version| version.to_string()),
            cipher: expected.cipher.clone(),
            answer: expected.answers.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&Observed> for JsonObserved {
    fn from(seen: &Observed) -> Self {
        Self {
            outcome: seen.class.as_ref().ok().map(ToString::to_string),
            no_word: seen.class.as_ref().err().map(ToString::to_string),
            wire: seen.wire.to_string(),
        }
    }
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
            Event::Drivers(drivers) => self.report.drivers = drivers.to_vec(),
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
        claims: cell.claims.iter().map(|(id, _)| id.clone()).collect(),
        driver: cell.case.driver.id.clone(),
        way: cell.case.way.id.clone(),
        sslmode: cell.case.sslmode().to_owned(),
        policy: policy(&cell.case.policy()),
        rows: cell.places.iter().map(ToString::to_string).collect(),
        expected: cell.expected().map(JsonExpected::from),
        observed: (result.seen.as_ref()).map(|(_, seen)| JsonObserved::from(seen)),
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
