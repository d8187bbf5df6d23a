//! The machinery of the conformance suite: it knows how to start an emulated
//! RDS instance, play connection attempts by real drivers through a tap, and
//! judge what was seen. It knows no case; those are data in `suites/`.
//!
//! Data goes one way: [`suite`] plans cells, [`endpoint`] applies a [`policy`],
//! [`driver`] makes attempts through a [`tap`], [`judge`] gives verdicts,
//! [`findings`] weighs them for the claims that they are about, and
//! [`run`] sends one stream of events to the sinks of [`report`].

mod causes;
pub mod driver;
pub mod endpoint;
pub mod engine;
pub mod findings;
pub mod judge;
pub mod password;
pub mod policy;
pub mod report;
pub mod run;
pub mod rundir;
pub mod suite;
pub mod tap;

#[cfg(test)]
mod fixture;
