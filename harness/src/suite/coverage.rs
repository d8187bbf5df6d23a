//! Claims and cases, held against each other: every claim that can be measured
//! has a case on every engine that it is made for.

use std::{collections::HashSet, sync::Arc};

use super::{
    Claims, DataError, SourceFile,
    plan::{Case, ENGINES},
};

/// Finds a claim that nothing measures.
///
/// # Errors
/// Names the claim, its line, and the first engine without a case.
pub fn check(claims: &Claims, cases: &[Arc<Case>], file: &SourceFile) -> Result<(), DataError> {
    let spoken_of: HashSet<(&str, u16)> = (cases.iter())
        .flat_map(|case| ENGINES.map(move |major| (case, major)))
        .flat_map(|(case, major)| case.claims_on(major).map(move |claim| (claim, major)))
        .collect();
    for claim in claims.iter().filter(|claim| claim.unmeasured.is_none()) {
        let bare = |major: &u16| {
            claim.speaks_of_major(*major) && !spoken_of.contains(&(claim.id.as_str(), *major))
        };
        if let Some(major) = ENGINES.into_iter().find(bare) {
            return Err(file.error(
                claim.line,
                format!(
                    "claim {} has no case on PostgreSQL {major}: write one, or say why not \
                     (`not_measured`, `untestable`)",
                    claim.id
                ),
            ));
        }
    }
    Ok(())
}
