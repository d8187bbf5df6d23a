//! What one cell brings to the claims that it is about.

use super::{Tells, verdict};
use crate::{judge::Verdict, suite::Cell};

/// A cell that has its verdict.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The cell.
    pub cell: Cell,
    /// Its verdict.
    pub verdict: Verdict,
    /// What was seen, in words; absent where nothing was.
    pub seen: Option<String>,
}

/// Something that cells of a claim saw.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// What.
    pub seen: &'a str,
    /// Whether it is as the document says.
    pub tells: Tells,
    /// How many cells saw it.
    pub cells: usize,
    /// One of them.
    pub example: &'a Cell,
}

impl Evidence {
    /// What it tells of a claim; nothing where it isn't about it.
    pub(super) fn tells(&self, claim: &str) -> Option<Tells> {
        let against = self.is_against(claim);
        (against || self.cell.claim == claim).then(|| verdict::tells(against, &self.verdict))
    }

    /// Whether its passing contradicts the claim.
    pub(super) fn is_against(&self, claim: &str) -> bool {
        self.cell.against.iter().any(|id| id == claim)
    }

    pub(super) fn fails(&self) -> bool {
        matches!(self.verdict, Verdict::Fail(_))
    }

    /// Why its verdict is what it is, where that has a reason.
    pub(super) fn reason(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Pass => None,
            Verdict::Fail(differences) => Some(differences.join("; ")),
            Verdict::Known { reason, link } => Some(format!("{reason} ({link})")),
            Verdict::Skipped(why) | Verdict::Broken(why) => Some(why.clone()),
        }
    }
}

/// What was seen, what contradicts the claim first, most cells first.
pub(super) fn measured<'a>(cells: &[(&'a Evidence, Tells)]) -> Vec<Measured<'a>> {
    let mut all: Vec<Measured> = Vec::new();
    for &(evidence, tells) in cells {
        let Some(seen) = evidence.seen.as_deref() else {
            continue;
        };
        match (all.iter_mut()).find(|one| one.seen == seen && one.tells == tells) {
            Some(one) => one.cells += 1,
            None => all.push(Measured {
                seen,
                tells,
                cells: 1,
                example: &evidence.cell,
            }),
        }
    }
    all.sort_by_key(|one| (one.tells == Tells::Kept, std::cmp::Reverse(one.cells)));
    all
}
