//! Suites as data: driver pages, verifiers, what a server does, and the suites that
//! cross them, composed into cells.
//!
//! A cell's expectation is composed from facts that are each written once: what a
//! driver tries and verifies ([`Page`]), what its TLS stack makes of a certificate
//! ([`Verifier`]), what comes of a try on a server ([`Transport`]), and what a
//! suite asks of the session ([`Suite`]). Written truth tables check the composition.

mod answer;
#[cfg(test)]
mod any_text;
mod case;
mod claims;
mod compose;
mod coverage;
mod cross;
mod data;
mod facts;
mod file;
mod known;
mod names;
pub(crate) mod own_chain;
mod page;
mod plan;
mod query;
mod refusals;
mod rules;
mod sees;
mod settings;
mod source;
mod table;
mod target;
mod transport;
mod verifier;
mod vocabulary;
mod written;

pub use answer::{AnswerError, ExpectedAnswer};
pub use case::{Case, Cell, Expectation, Expected};
pub use claims::{Bearing, Claim, Claims, Difference, Revision, Stale};
pub use data::{CHAIN_FILE, Data};
pub use facts::{Anchors, GoesOn, Setback, Try, Verifies};
pub use file::{Axis, Play, Suite, Ways};
pub use known::Known;
pub use names::Names;
pub use own_chain::OwnChain;
pub use page::{Configuration, Connects, Does, Page, TrustKind, UnderTls};
pub use plan::{Plan, Selection};
pub use query::Query;
pub use refusals::{Ambiguous, Classifier, Refusals, Rule, agree, classify};
pub use rules::{ENGINES, Rules};
pub use settings::{Dial, Given, Kind, Role, Settings, Trust, Who};
pub use source::{DataError, SourceFile};
pub use table::{Pattern, Place, Table};
pub use target::Target;
pub use transport::{Finds, Handshake, Transport};
pub use verifier::{Certificate, Held, How, Verifier};
pub use vocabulary::{OutcomeClass, Phase, Refusal, UnknownWord};
