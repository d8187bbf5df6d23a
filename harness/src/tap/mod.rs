//! A TCP relay per attempt that writes the negotiation down.
//!
//! A [`Tap`] forwards bytes unchanged and shows them to a [`Negotiation`],
//! whose events make the [`Transcript`]. Truth tables speak of it in the words
//! of a [`Wire`]; people read its `Display`.

mod describe;
mod hello;
mod names;
mod negotiation;
mod pgwire;
mod relay;
mod tls;
mod transcript;
mod unit;
mod wire;

#[cfg(test)]
mod tests;

pub use negotiation::Negotiation;
pub use relay::Tap;
pub use transcript::{Event, Side, Transcript};
pub use wire::{Wire, WireError, Word};
