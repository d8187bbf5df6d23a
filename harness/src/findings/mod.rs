//! From the verdicts of cells to what they say of each claim of the RDS
//! document, engine by engine.

mod evidence;
mod extent;
mod played;
mod verdict;

pub use evidence::{JudgedCell, Measured};
pub use played::Played;
pub use verdict::{ClaimVerdict, Evidence, decide, evidence};

use crate::{
    engine::Version,
    judge::Verdict,
    suite::{Bearing, Claim, Difference},
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
    /// Drivers that do otherwise than the document says of clients, each with the
    /// number of cells that show it.
    pub differs: Vec<(&'a Difference, usize)>,
    /// Its cells, each with what it says.
    pub cells: Vec<(&'a JudgedCell, Evidence)>,
}

impl<'a> Finding<'a> {
    /// Weighs all evidence of a server for a claim; nothing where the document
    /// doesn't make the claim for its version.
    #[must_use]
    pub fn of(claim: &'a Claim, played: Played, judged: &'a [JudgedCell]) -> Option<Self> {
        let engine = played.engine;
        if !claim.speaks_of(engine) {
            return None;
        }
        let cells: Vec<(&JudgedCell, Evidence)> = (judged.iter())
            .filter(|judged| judged.cell.target == played.target)
            .filter_map(|judged| Some((judged, judged.evidence(&claim.id)?)))
            .collect();
        let verdict = decide(cells.iter().map(|(_, evidence)| *evidence));
        let with = |wanted: Evidence| {
            (cells.iter())
                .filter(move |(_, evidence)| *evidence == wanted)
                .map(|(judged, _)| &judged.cell)
                .collect::<Vec<_>>()
        };
        Some(Self {
            extent: (verdict == ClaimVerdict::HoldsWhere)
                .then(|| extent::describe(&with(Evidence::Kept), &with(Evidence::NotKept))),
            unrecorded: unrecorded(claim, engine, verdict, &cells),
            because: because(claim, engine, verdict, &cells),
            differs: differs(claim, &cells),
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
            differs: Vec::new(),
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
    cells: &[(&JudgedCell, Evidence)],
) -> Option<String> {
    let failed = cells.iter().filter(|(judged, _)| judged.fails()).count();
    if failed > 0 {
        return Some(format!(
            "{failed} of its cells show what neither a table nor a record says"
        ));
    }
    let stale = claim.stale_on(engine);
    let contradicts = |judged: &JudgedCell| judged.bearing(&claim.id) == Some(Bearing::Breaks);
    let skipped_against = (cells.iter())
        .any(|(judged, evidence)| *evidence == Evidence::Nothing && contradicts(judged));
    match (verdict, stale) {
        // What was skipped may be what the record is about.
        (ClaimVerdict::Holds, Some(stale)) if !skipped_against => Some(format!(
            "claims.toml:{} records that it doesn't hold on PostgreSQL {engine}, and it does: \
             take the record out",
            stale.line
        )),
        (ClaimVerdict::HoldsWhere | ClaimVerdict::DoesNotHold, None) => (cells.iter())
            .any(|(judged, evidence)| {
                *evidence == Evidence::NotKept && judged.verdict == Verdict::Pass
            })
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
    cells: &[(&JudgedCell, Evidence)],
) -> Vec<String> {
    let of_cells = |wanted: Evidence| {
        (cells.iter())
            .filter(move |(_, evidence)| *evidence == wanted)
            .filter_map(|(judged, _)| judged.reason())
    };
    let left = (claim.not_covered.iter()).map(|what| format!("not measured of it: {what}"));
    match verdict {
        ClaimVerdict::NotMeasured => match (&claim.untestable, &claim.not_measured) {
            (Some(why), _) => vec![format!("it can't be seen from outside: {why}")],
            (None, Some(why)) => vec![why.clone()],
            (None, None) if cells.is_empty() => vec!["none of its cells was played".to_owned()],
            (None, None) => distinct(of_cells(Evidence::Nothing)),
        },
        ClaimVerdict::HoldsWhere | ClaimVerdict::DoesNotHold => {
            let record = (claim.stale_on(engine))
                .map(|stale| format!("{} {} ({})", stale.actual, stale.reason, stale.link));
            distinct(
                (record.into_iter())
                    .chain(of_cells(Evidence::NotKept))
                    .chain(left),
            )
        }
        ClaimVerdict::Holds => distinct(left.chain(of_cells(Evidence::Nothing))),
        ClaimVerdict::Broken => distinct(of_cells(Evidence::Unknown)),
    }
}

/// The drivers that do otherwise, where their cells show it.
fn differs<'a>(
    claim: &'a Claim,
    cells: &[(&JudgedCell, Evidence)],
) -> Vec<(&'a Difference, usize)> {
    let shows = |nth: usize| {
        let of = |judged: &JudgedCell| judged.bearing(&claim.id) == Some(Bearing::Differs(nth));
        let shown = |(judged, evidence): &&(&JudgedCell, Evidence)| {
            *evidence == Evidence::Differs && of(judged)
        };
        cells.iter().filter(shown).count()
    };
    let counted = claim.differs.iter().enumerate();
    let counted = counted.map(|(nth, one)| (one, shows(nth)));
    counted.filter(|(_, cells)| *cells > 0).collect()
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
