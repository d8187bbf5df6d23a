//! Whether a claim holds, from what its cells tell.

use serde::Serialize;

use crate::{judge::Verdict, suite::Bearing};

/// What was found of a claim on an engine.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimVerdict {
    /// All that was measured is as the document says.
    Holds,
    /// Some is, some isn't.
    HoldsWhere,
    /// Nothing is.
    DoesNotHold,
    /// No cell was played.
    NotMeasured,
    /// The harness could not find out.
    Broken,
}

/// What a cell says of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// What the document says is so there.
    Kept,
    /// It isn't.
    NotKept,
    /// A driver does otherwise than the document says of clients, which says
    /// nothing of RDS.
    Differs,
    /// Nothing: the cell wasn't played.
    Nothing,
    /// Nothing: the harness could not find out.
    Unknown,
}

/// What a cell with a verdict says of a claim.
///
/// A recorded divergence is one from the documents, so that the claim isn't kept
/// there. Of a cell that contradicts the claim and fails nobody can say that the
/// document is right: what was seen is neither's.
#[must_use]
pub fn evidence(bearing: Bearing, verdict: &Verdict) -> Evidence {
    match (verdict, bearing) {
        (Verdict::Pass, Bearing::Keeps) => Evidence::Kept,
        (Verdict::Pass, Bearing::Differs(_)) => Evidence::Differs,
        (Verdict::Pass, Bearing::Breaks) | (Verdict::Fail(_) | Verdict::Known { .. }, _) => {
            Evidence::NotKept
        }
        (Verdict::Skipped(_), _) => Evidence::Nothing,
        (Verdict::Broken(_), _) => Evidence::Unknown,
    }
}

/// What all cells of a claim come to.
#[must_use]
pub fn decide(cells: impl IntoIterator<Item = Evidence>) -> ClaimVerdict {
    let (mut kept, mut not_kept) = (false, false);
    for cell in cells {
        match cell {
            Evidence::Kept => kept = true,
            Evidence::NotKept => not_kept = true,
            Evidence::Differs | Evidence::Nothing => {}
            Evidence::Unknown => return ClaimVerdict::Broken,
        }
    }
    match (kept, not_kept) {
        (true, false) => ClaimVerdict::Holds,
        (true, true) => ClaimVerdict::HoldsWhere,
        (false, true) => ClaimVerdict::DoesNotHold,
        (false, false) => ClaimVerdict::NotMeasured,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn verdict(letter: char) -> (Bearing, Verdict) {
        let bearing = match letter {
            'a' | 'F' | 'K' => Bearing::Breaks,
            'd' | 'D' => Bearing::Differs(0),
            _ => Bearing::Keeps,
        };
        (bearing, of(letter))
    }

    fn of(letter: char) -> Verdict {
        let why = || "why".to_owned();
        match letter {
            'p' | 'a' | 'd' => Verdict::Pass,
            'f' | 'F' | 'D' => Verdict::Fail(vec![why()]),
            's' => Verdict::Skipped(why()),
            'b' => Verdict::Broken(why()),
            'k' | 'K' => Verdict::Known {
                reason: why(),
                link: why(),
            },
            _ => unreachable!("{letter}"),
        }
    }

    // p passes, f fails, k is known, s is skipped, b is broken; a passes, F fails
    // and K is known of a cell that contradicts the claim; d passes and D fails of a
    // driver that does otherwise.
    #[rstest]
    #[case::nothing("", ClaimVerdict::NotMeasured)]
    #[case::all_skipped("ss", ClaimVerdict::NotMeasured)]
    #[case::all_pass("pp", ClaimVerdict::Holds)]
    #[case::a_skip_decides_nothing("ps", ClaimVerdict::Holds)]
    #[case::all_fail("ff", ClaimVerdict::DoesNotHold)]
    #[case::all_speak_against("aa", ClaimVerdict::DoesNotHold)]
    #[case::all_known("kk", ClaimVerdict::DoesNotHold)]
    #[case::against_beside_a_skip("as", ClaimVerdict::DoesNotHold)]
    #[case::one_fails("pf", ClaimVerdict::HoldsWhere)]
    #[case::one_speaks_against("pa", ClaimVerdict::HoldsWhere)]
    #[case::one_is_known("pk", ClaimVerdict::HoldsWhere)]
    #[case::a_failed_row_against_is_no_support("F", ClaimVerdict::DoesNotHold)]
    #[case::nor_is_a_known_one("pK", ClaimVerdict::HoldsWhere)]
    #[case::a_driver_that_differs_is_no_evidence("d", ClaimVerdict::NotMeasured)]
    #[case::it_leaves_the_others_be("pd", ClaimVerdict::Holds)]
    #[case::one_that_fails_is_evidence("pD", ClaimVerdict::HoldsWhere)]
    #[case::broken_alone("b", ClaimVerdict::Broken)]
    #[case::broken_beside_a_pass("pb", ClaimVerdict::Broken)]
    #[case::broken_beside_a_fail("bf", ClaimVerdict::Broken)]
    #[case::broken_beside_the_rest("pfkasb", ClaimVerdict::Broken)]
    fn cells_decide(#[case] cells: &str, #[case] expected: ClaimVerdict) {
        let cells = cells.chars().map(|letter| {
            let (bearing, verdict) = verdict(letter);
            evidence(bearing, &verdict)
        });
        assert_eq!(decide(cells), expected);
    }
}
