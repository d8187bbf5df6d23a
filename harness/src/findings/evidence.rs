//! What one cell brings to the claims that it is about.

use super::{Evidence, verdict};
use crate::{
    judge::Verdict,
    suite::{Bearing, Cell},
};

/// A cell that has its verdict.
#[derive(Clone, Debug)]
pub struct JudgedCell {
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
    pub evidence: Evidence,
    /// How many cells saw it.
    pub cells: usize,
    /// One of them.
    pub example: &'a Cell,
}

impl JudgedCell {
    /// What its passing says of a claim; nothing where it isn't about it.
    pub(super) fn bearing(&self, claim: &str) -> Option<Bearing> {
        let claims = self.cell.claims.iter();
        let found = claims.filter(|(id, _)| id == claim).map(|(_, how)| *how);
        found.into_iter().next()
    }

    /// What it says of a claim, with its verdict.
    pub(super) fn evidence(&self, claim: &str) -> Option<Evidence> {
        let bearing = self.bearing(claim)?;
        Some(verdict::evidence(bearing, &self.verdict))
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
pub(super) fn measured<'a>(cells: &[(&'a JudgedCell, Evidence)]) -> Vec<Measured<'a>> {
    let mut all: Vec<Measured> = Vec::new();
    for &(judged, evidence) in cells {
        let Some(seen) = judged.seen.as_deref() else {
            continue;
        };
        match (all.iter_mut()).find(|one| one.seen == seen && one.evidence == evidence) {
            Some(one) => one.cells += 1,
            None => all.push(Measured {
                seen,
                evidence,
                cells: 1,
                example: &judged.cell,
            }),
        }
    }
    all.sort_by_key(|one| {
        let as_documented = one.evidence != Evidence::NotKept;
        (as_documented, std::cmp::Reverse(one.cells))
    });
    all
}
