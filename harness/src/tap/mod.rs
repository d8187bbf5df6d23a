//! A TCP relay per attempt that writes the negotiation down.

mod transcript;

pub use transcript::{Event, Side, Transcript};
