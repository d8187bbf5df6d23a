//! Plays a plan against an endpoint, group by group, and tells what happens as
//! one stream of events.

mod attempt;
mod end;
mod event;
mod group;
mod lost;
mod runner;

pub use event::{CellResult, Event, Sink, Summary};
pub use runner::{Options, Runner, TrustFiles, broken, interrupted, seconds};
