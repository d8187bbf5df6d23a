//! Suites as data: claims, truth tables, driver profiles and known
//! divergences, parsed and crossed into a plan of cells.

mod answer;
#[cfg(test)]
mod any_text;
mod axes;
mod claims;
mod coverage;
mod file;
mod known;
pub(crate) mod own_chain;
mod plan;
mod profile;
mod refusals;
mod row;
mod source;
mod target;
mod vocabulary;

pub use answer::{AnswerError, ExpectedAnswer};
pub use axes::{Dial, Given, Kind, Role, Settings, Trust, Who};
pub use claims::{Claim, Claims, Reading, Stale, Unmeasured};
pub use file::Suite;
pub use known::Known;
pub use own_chain::OwnChain;
pub use plan::{CHAIN_FILE, Case, Cell, Data, ENGINES, Expectation, Plan, Selection};
pub use profile::{Configuration, Profile};
pub use refusals::{Ambiguous, Refusals, Rule, agree, classify};
pub use source::{DataError, SourceFile};
pub use target::Target;
pub use vocabulary::{Phase, Refusal, Said, UnknownWord};
