//! From the verdicts of cells to what they say of each claim of the RDS
//! document, engine by engine.

mod evidence;
mod extent;
mod played;
mod verdict;

pub use evidence::{Evidence, Measured};
pub use played::Played;
pub use verdict::{ClaimVerdict, Tells, decide, tells};

use crate::{
    engine::Version,
    judge::Verdict,
    suite::{Claim, Unmeasured},
};

/// What was found of one claim on one engine.
#[derive(Debug)]
pub struct Finding<'a> {
    /// The claim.
    pub claim: &'a Claim,
    /// Where.
    pub played: Played,
    /// Whether it holds there.
    pub verdict: ClaimVerdict,
    /// Where it holds, in the words of the axes; for [`ClaimVerdict::HoldsWhere`].
    pub extent: Option<String>,
    /// What no record covers: a sentence.
    pub unrecorded: Option<String>,
    /// Reasons: of a record, of a skip, of what is broken.
    pub because: Vec<String>,
    /// Its cells, each with what it tells.
    pub cells: Vec<(&'a Evidence, Tells)>,
}

impl<'a> Finding<'a> {
    /// Weighs all evidence of a server for a claim; nothing where the document
    /// doesn't make the claim for its version.
    #[must_use]
    pub fn of(claim: &'a Claim, played: Played, evidence: &'a [Evidence]) -> Option<Self> {
        let engine = played.engine;
        if !claim.speaks_of(engine) {
            return None;
        }
        let cells: Vec<(&Evidence, Tells)> = (evidence.iter())
            .filter(|evidence| evidence.cell.target == played.target)
            .filter_map(|evidence| Some((evidence, evidence.tells(&claim.id)?)))
            .collect();
        let verdict = decide(cells.iter().map(|(_, tells)| *tells));
        let with = |wanted: Tells| {
            (cells.iter())
                .filter(move |(_, tells)| *tells == wanted)
                .map(|(evidence, _)| &evidence.cell)
                .collect::<Vec<_>>()
        };
        Some(Self {
            extent: (verdict == ClaimVerdict::HoldsWhere)
                .then(|| extent::describe(&with(Tells::Kept), &with(Tells::NotKept))),
            unrecorded: unrecorded(claim, engine, verdict, &cells),
            because: because(claim, engine, verdict, &cells),
            claim,
            played,
            verdict,
            cells,
        })
    }

    /// A claim that could not be measured on a server that can't be had.
    #[must_use]
    pub fn not_played(claim: &'a Claim, played: Played, why: String) -> Self {
        Self {
            claim,
            played,
            verdict: ClaimVerdict::NotMeasured,
            extent: None,
            unrecorded: None,
            because: vec![why],
            cells: Vec::new(),
        }
    }

    /// What was seen, each with how many cells saw it.
    #[must_use]
    pub fn measured(&self) -> Vec<Measured<'a>> {
        evidence::measured(&self.cells)
    }
}

/// The exit code of all findings: 0 all hold or are recorded, 1 something isn't,
/// 3 something could not be found out.
#[must_use]
pub fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().any(|found| found.unrecorded.is_some()) {
        return 1;
    }
    let broken = |found: &Finding| found.verdict == ClaimVerdict::Broken;
    if findings.iter().any(broken) { 3 } else { 0 }
}

fn unrecorded(
    claim: &Claim,
    engine: Version,
    verdict: ClaimVerdict,
    cells: &[(&Evidence, Tells)],
) -> Option<String> {
    let failed = cells
        .iter()
        .filter(|(evidence, _)| evidence.fails())
        .count();
    if failed > 0 {
        return Some(format!(
            "{failed} of its cells show what neither a truth table nor a record says"
        ));
    }
    let stale = claim.stale_on(engine);
    let skipped_against = (cells.iter())
        .any(|(evidence, tells)| *tells == Tells::Nothing && evidence.is_against(&claim.id));
    match (verdict, stale) {
        // What was skipped may be what the record is about.
        (ClaimVerdict::Holds, Some(stale)) if !skipped_against => Some(format!(
            "claims.toml:{} records that it doesn't hold on PostgreSQL {engine}, and it does: \
             take the record out",
            stale.line
        )),
        (ClaimVerdict::HoldsWhere | ClaimVerdict::DoesNotHold, None) => (cells.iter())
            .any(|(evidence, tells)| *tells == Tells::NotKept && evidence.verdict == Verdict::Pass)
            .then(|| {
                format!(
                    "claims.toml has no `stale` record of {} for PostgreSQL {engine}",
                    claim.id
                )
            }),
        _ => None,
    }
}

fn because(
    claim: &Claim,
    engine: Version,
    verdict: ClaimVerdict,
    cells: &[(&Evidence, Tells)],
) -> Vec<String> {
    let of_cells = |wanted: Tells| {
        (cells.iter())
            .filter(move |(_, tells)| *tells == wanted)
            .filter_map(|(evidence, _)| evidence.reason())
    };
    let leaves = (claim.leaves.iter()).map(|what| format!("not measured of it: {what}"));
    match verdict {
        ClaimVerdict::NotMeasured => match &claim.unmeasured {
            Some(Unmeasured::Untestable(why)) => {
                vec![format!("it can't be seen from outside: {why}")]
            }
            Some(Unmeasured::NotYet(why)) => vec![why.clone()],
            None if cells.is_empty() => vec!["none of its cells was played".to_owned()],
            None => distinct(of_cells(Tells::Nothing)),
        },
        ClaimVerdict::HoldsWhere | ClaimVerdict::DoesNotHold => {
            let record = (claim.stale_on(engine))
                .map(|stale| format!("{} {} ({})", stale.reads, stale.reason, stale.link));
            distinct(
                (record.into_iter())
                    .chain(of_cells(Tells::NotKept))
                    .chain(leaves),
            )
        }
        ClaimVerdict::Holds => distinct(leaves.chain(of_cells(Tells::Nothing))),
        ClaimVerdict::Broken => distinct(of_cells(Tells::Unknown)),
    }
}

/// Each text once, in the order of their first coming.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen
}

#[cfg(test)]
mod tests;
