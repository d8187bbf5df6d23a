//! A TCP relay that writes the negotiation down.
//!
//! It forwards bytes unchanged and shows them to a [`Negotiation`], whose
//! events it reports as [`ConnectionEvent`]s. Those of a [`Tap`], which is one attempt's,
//! make a [`Transcript`]: truth tables speak of it in the words of a [`Wire`],
//! people read its `Display`. Those of a [`StandingTap`] a [`Summarizer`] sums up
//! while they come.

mod certificate;
mod connection;
mod describe;
mod hello;
mod live;
mod names;
mod negotiation;
mod pgwire;
mod relay;
mod standing;
mod summarizer;
mod summary;
mod tls;
mod transcript;
mod unit;
mod wire;

#[cfg(test)]
mod tests;

pub use live::{ConnectionEvent, What};
pub use negotiation::Negotiation;
pub use relay::Tap;
pub use standing::StandingTap;
pub use summarizer::Summarizer;
pub use summary::{Outcome, Summary};
pub use transcript::{Event, Side, Transcript};
pub use wire::{Wire, WireError, Word};
