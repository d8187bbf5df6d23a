//! What an attempt gave, before it has words.

use crate::{driver::Outcome, tap::Transcript};

/// What one attempt gave.
#[derive(Clone, Debug)]
pub struct Observation {
    /// At the client.
    pub outcome: Outcome,
    /// On the wire.
    pub transcript: Transcript,
}
