//! Whether a claim holds, from what its cells tell.

use serde::Serialize;

use crate::judge::Verdict;

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

/// What a cell tells of a claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tells {
    /// What the document says is so there.
    Kept,
    /// It isn't.
    NotKept,
    /// Nothing: the cell wasn't played.
    Nothing,
    /// Nothing: the harness could not find out.
    Unknown,
}

/// What a cell with a verdict tells of a claim that its row speaks for, or
/// `against`.
///
/// A recorded divergence is one from the documents, so that the promise isn't
/// kept there. Of a row that speaks against the claim and fails nobody can say
/// that the document is right: what was seen is neither's.
#[must_use]
pub fn tells(against: bool, verdict: &Verdict) -> Tells {
    match verdict {
        Verdict::Pass if against => Tells::NotKept,
        Verdict::Pass => Tells::Kept,
        Verdict::Fail(_) | Verdict::Known { .. } => Tells::NotKept,
        Verdict::Skipped(_) => Tells::Nothing,
        Verdict::Broken(_) => Tells::Unknown,
    }
}

/// What all cells of a claim come to.
#[must_use]
pub fn decide(cells: impl IntoIterator<Item = Tells>) -> ClaimVerdict {
    let (mut kept, mut not_kept) = (false, false);
    for cell in cells {
        match cell {
            Tells::Kept => kept = true,
            Tells::NotKept => not_kept = true,
            Tells::Nothing => {}
            Tells::Unknown => return ClaimVerdict::Broken,
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

    fn verdict(letter: char) -> (bool, Verdict) {
        let why = || "why".to_owned();
        match letter {
            'p' => (false, Verdict::Pass),
            'a' => (true, Verdict::Pass),
            'f' => (false, Verdict::Fail(vec![why()])),
            'F' => (true, Verdict::Fail(vec![why()])),
            's' => (false, Verdict::Skipped(why())),
            'b' => (false, Verdict::Broken(why())),
            'k' | 'K' => {
                let (reason, link) = (why(), why());
                (letter == 'K', Verdict::Known { reason, link })
            }
            _ => unreachable!("{letter}"),
        }
    }

    // p passes, f fails, k is known, s is skipped, b is broken; a passes, F fails
    // and K is known of a row that speaks against the claim.
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
    #[case::broken_alone("b", ClaimVerdict::Broken)]
    #[case::broken_beside_a_pass("pb", ClaimVerdict::Broken)]
    #[case::broken_beside_a_fail("bf", ClaimVerdict::Broken)]
    #[case::broken_beside_the_rest("pfkasb", ClaimVerdict::Broken)]
    fn cells_decide(#[case] cells: &str, #[case] expected: ClaimVerdict) {
        let cells = cells.chars().map(|letter| {
            let (against, verdict) = verdict(letter);
            tells(against, &verdict)
        });
        assert_eq!(decide(cells), expected);
    }
}
