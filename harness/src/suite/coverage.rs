//! Claims and cases, held against each other: every claim that can be measured
//! has a case that is played on every engine that it is made for, and no other has
//! any.

use std::{collections::HashSet, sync::Arc};

use super::{
    Claims, DataError, SourceFile,
    plan::{Case, ENGINES},
};

/// Finds a claim that nothing measures, or that something measures although the
/// file says that nothing does.
///
/// # Errors
/// Names the claim, its line, and the first engine without a case.
pub fn check(claims: &Claims, cases: &[Arc<Case>], file: &SourceFile) -> Result<(), DataError> {
    let spoken_of: HashSet<(u16, &str)> = cases.iter().flat_map(|case| case.claims()).collect();
    for claim in claims.iter() {
        let id = &claim.id;
        let is_spoken_of = |major: u16| spoken_of.contains(&(major, id.as_str()));
        let anywhere = ENGINES.into_iter().any(is_spoken_of);
        let bare = |major: &u16| claim.speaks_of_major(*major) && !is_spoken_of(*major);
        let what = if claim.beside.is_some() {
            (!anywhere).then(|| format!("no case looks at {id}: take it out"))
        } else if claim.unmeasured.is_some() {
            anywhere
                .then(|| format!("claim {id} has cases: take out what says that it isn't measured"))
        } else {
            ENGINES.into_iter().find(bare).map(|major| {
                format!(
                    "claim {id} has no case on PostgreSQL {major}: write one, or say why not \
                     (`not_measured`, `untestable`)"
                )
            })
        };
        if let Some(what) = what {
            return Err(file.error(claim.line, what));
        }
    }
    Ok(())
}
