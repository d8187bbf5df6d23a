//! Findings for programs.

use std::io;

use serde::Serialize;

use crate::{
    findings::{ClaimVerdict, Evidence, Finding},
    report::{json::JsonEndpoint, words::verdict},
    run::Summary,
};

/// The version of the format; a change that breaks a reader raises it.
const VERSION: u32 = 2;

/// All findings, for programs. docs/json.md describes the fields.
#[derive(Debug, Serialize)]
pub struct JsonClaims<'a> {
    version: u32,
    endpoints: &'a [JsonEndpoint],
    summary: JsonSummary,
    claims: Vec<JsonClaim<'a>>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct JsonSummary {
    pub(super) findings: usize,
    pub(super) holds: usize,
    pub(super) holds_where: usize,
    pub(super) does_not_hold: usize,
    pub(super) not_measured: usize,
    pub(super) broken: usize,
    pub(super) unrecorded: usize,
    pub(super) cells: usize,
    pub(super) seconds: f64,
}

#[derive(Debug, Serialize)]
struct JsonClaim<'a> {
    id: &'a str,
    engine: String,
    target: String,
    verdict: ClaimVerdict,
    #[serde(rename = "where")]
    extent: Option<&'a str>,
    documented: String,
    revisions: Vec<String>,
    measured: Vec<JsonMeasured<'a>>,
    differs: Vec<JsonDifference<'a>>,
    because: &'a [String],
    unrecorded: Option<&'a str>,
    cells: Vec<JsonCell<'a>>,
}

#[derive(Debug, Serialize)]
struct JsonMeasured<'a> {
    seen: &'a str,
    evidence: Evidence,
    cells: usize,
}

#[derive(Debug, Serialize)]
struct JsonDifference<'a> {
    actual: &'a str,
    reason: &'a str,
    link: &'a str,
    cells: usize,
}

#[derive(Debug, Serialize)]
struct JsonCell<'a> {
    id: &'a str,
    verdict: &'static str,
    evidence: Evidence,
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
    pub(super) fn of(findings: &[Finding], summary: &Summary) -> Self {
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
            engine: found.played.engine.to_string(),
            target: found.played.target.to_string(),
            verdict: found.verdict,
            extent: found.extent.as_deref(),
            documented: found.claim.documented(found.played.engine),
            revisions: (found.claim.revisions.iter())
                .map(|revision| format!("{}: {}", revision.dated, revision.says))
                .collect(),
            measured: (found.measured().into_iter())
                .map(|one| JsonMeasured {
                    seen: one.seen,
                    evidence: one.evidence,
                    cells: one.cells,
                })
                .collect(),
            differs: (found.differs.iter())
                .map(|(one, cells)| JsonDifference {
                    actual: &one.actual,
                    reason: &one.reason,
                    link: &one.link,
                    cells: *cells,
                })
                .collect(),
            because: &found.because,
            unrecorded: found.unrecorded.as_deref(),
            cells: (found.cells.iter())
                .map(|(judged, evidence)| JsonCell {
                    id: &judged.cell.id,
                    verdict: verdict(&judged.verdict),
                    evidence: *evidence,
                })
                .collect(),
        }
    }
}
