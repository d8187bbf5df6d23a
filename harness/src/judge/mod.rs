//! From what must be seen and what was seen to a verdict.

mod beyond;
mod observation;
mod read;
#[cfg(test)]
mod tests;

pub use observation::Observation;
pub use read::{NoWord, Observed, read};

use crate::{
    suite::{Cell, Expectation, Expected, Known, Names, OutcomeClass, Page, Refusal},
    tap::Word,
};

/// What a cell came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// As the tables say.
    Pass,
    /// Otherwise, a sentence a difference.
    Fail(Vec<String>),
    /// Otherwise, and exactly as recorded.
    Known {
        /// Why.
        reason: String,
        /// Where that can be read.
        link: String,
    },
    /// Not played, for a reason.
    Skipped(String),
    /// The harness could not find out.
    Broken(String),
}

/// Holds what was seen against what must be seen.
#[must_use]
pub fn judge(cell: &Cell, names: &Names, observation: &Observation, seen: &Observed) -> Verdict {
    let expected = match &cell.expects {
        Expectation::Skip(why) => return Verdict::Skipped(why.clone()),
        Expectation::See(expected) => expected,
    };
    if (seen.wire.connections().iter().flatten()).any(|word| *word == Word::Unreachable) {
        return Verdict::Broken("the tap could not reach the server".to_owned());
    }
    if let Some(why) = unreadable(cell, expected, observation, seen) {
        return Verdict::Broken(why);
    }
    let mut differences = Vec::new();
    match &seen.class {
        Ok(class) if is_as_expected(&expected.class, class, &cell.case.driver) => {}
        Ok(other) => differences.push(format!("expected {}, observed {other}", expected.class)),
        Err(no_word) => {
            differences.push(format!("expected {}, observed {no_word}", expected.class));
        }
    }
    if !expected.wire.allows(&seen.wire) {
        differences.push(format!(
            "expected on the wire `{}`, observed `{}`",
            expected.wire, seen.wire
        ));
    }
    if let Some(known) = &cell.known {
        let due = due_beside(known, expected);
        let beyond = beyond::differences(&due, names, observation);
        return judge_known(known, &cell.case.driver, seen, differences, beyond);
    }
    differences.extend(beyond::differences(expected, names, observation));
    if differences.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Fail(differences)
    }
}

/// Why a refusal can't be put into words, where nothing else tells what it was.
fn unreadable(
    cell: &Cell,
    expected: &Expected,
    observation: &Observation,
    seen: &Observed,
) -> Option<String> {
    match &seen.class {
        Err(NoWord::Ambiguous(ambiguous)) => Some(ambiguous.to_string()),
        Err(NoWord::Unclassified { driver })
            if matches!(expected.class, OutcomeClass::Refused(_))
                && expected.wire.allows(&seen.wire)
                && cell.known.is_none() =>
        {
            Some(format!(
                "{driver} refused with an error that no file of refusals describes: {}",
                beyond::message(&observation.outcome)
            ))
        }
        _ => None,
    }
}

/// Whether an outcome is the expected one. A driver whose errors carry no SQLSTATE
/// can't be asked for the one of a refusal inside TLS.
fn is_as_expected(expected: &OutcomeClass, seen: &OutcomeClass, driver: &Page) -> bool {
    match (expected, seen) {
        (OutcomeClass::Refused(expected), OutcomeClass::Refused(seen))
            if !driver.tells_sqlstate && seen.sqlstate.is_none() =>
        {
            let without = Refusal {
                sqlstate: None,
                ..expected.clone()
            };
            without == *seen
        }
        (expected, seen) => expected == seen,
    }
}

/// What a cell asks for besides outcome and wire, where it comes to what a record
/// says: what that leaves no room for is not due.
fn due_beside(known: &Known, expected: &Expected) -> Expected {
    let refused = matches!(known.class, OutcomeClass::Refused(_));
    let encrypted = known.class == OutcomeClass::Encrypted;
    Expected {
        says: (expected.says.clone()).filter(|_| known.class == expected.class),
        answers: expected.answers.clone().filter(|_| !refused),
        negotiates: expected.negotiates.filter(|_| encrypted),
        cipher: expected.cipher.clone().filter(|_| encrypted),
        ..expected.clone()
    }
}

fn judge_known(
    known: &Known,
    driver: &Page,
    seen: &Observed,
    mut differences: Vec<String>,
    beyond: Vec<String>,
) -> Verdict {
    if differences.is_empty() {
        differences.push(format!(
            "known.toml:{} records a divergence that is gone: take the entry out",
            known.line
        ));
        differences.extend(beyond);
        return Verdict::Fail(differences);
    }
    // Exactly so: what a table may leave open, a record of a divergence may not.
    let class = seen.class.as_ref();
    let as_recorded = class.is_ok_and(|class| is_as_expected(&known.class, class, driver));
    if !as_recorded || seen.wire != known.wire {
        differences.push(format!(
            "known.toml:{} records another divergence: `{}  {}`",
            known.line, known.class, known.wire
        ));
        differences.extend(beyond);
        return Verdict::Fail(differences);
    }
    if !beyond.is_empty() {
        return Verdict::Fail(beyond);
    }
    Verdict::Known {
        reason: known.reason.clone(),
        link: known.link.clone(),
    }
}
