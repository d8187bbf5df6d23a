//! The stream of events that every report is made from.

use std::time::Duration;

use crate::{
    driver::About,
    endpoint::{Applied, Facts},
    judge::{Observation, Observed, Verdict},
    policy::Policy,
    suite::Cell,
};

/// What happens in a run, in order.
#[derive(Debug)]
pub enum Event<'a> {
    /// An endpoint stands and its cells are about to be played.
    EndpointReady {
        /// The endpoint.
        facts: &'a Facts,
        /// How many cells it has.
        cells: usize,
        /// How many policies they need.
        policies: usize,
    },
    /// A policy is in force.
    PolicyApplied {
        /// The policy.
        policy: &'a Policy,
        /// What the wire showed.
        applied: &'a Applied,
    },
    /// One attempt is over; its verdict waits for the group's last sanity
    /// attempt.
    AttemptDone,
    /// A cell has its verdict.
    CellJudged(&'a CellResult),
    /// Something that no verdict tells of went wrong.
    Warning(&'a str),
    /// The drivers that played, as they said of themselves.
    Drivers(&'a [About]),
    /// The run is over; nothing follows.
    Finished(&'a Summary),
}

/// A cell with everything that was seen of it.
#[derive(Clone, Debug)]
pub struct CellResult {
    /// The cell.
    pub cell: Cell,
    /// What was seen; absent where nothing was.
    pub seen: Option<(Observation, Observed)>,
    /// The verdict.
    pub verdict: Verdict,
    /// The time from the tap's opening to its transcript.
    pub took: Duration,
}

/// A run in numbers: `cells` is the sum of the five verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Cells selected.
    pub cells: usize,
    /// Cells whose attempt opened a TCP connection.
    pub opened_socket: usize,
    /// As the truth tables say.
    pub pass: usize,
    /// Otherwise.
    pub fail: usize,
    /// Otherwise, exactly as recorded.
    pub known: usize,
    /// Not played, for a reason.
    pub skipped: usize,
    /// The harness could not find out.
    pub broken: usize,
    /// From start to end, endpoints included.
    pub seconds: f64,
}

/// Something that reads the stream.
pub trait Sink {
    /// Takes one event.
    fn event(&mut self, event: &Event);
}

impl Summary {
    /// Counts a result.
    pub fn count(&mut self, result: &CellResult) {
        self.cells += 1;
        if let Some((observation, _)) = &result.seen
            && !observation.transcript.connections.is_empty()
        {
            self.opened_socket += 1;
        }
        *match result.verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail(_) => &mut self.fail,
            Verdict::Known { .. } => &mut self.known,
            Verdict::Skipped(_) => &mut self.skipped,
            Verdict::Broken(_) => &mut self.broken,
        } += 1;
    }

    /// Takes over the counts of another part of the run; its time it doesn't.
    pub fn add(&mut self, part: &Self) {
        self.cells += part.cells;
        self.opened_socket += part.opened_socket;
        self.pass += part.pass;
        self.fail += part.fail;
        self.known += part.known;
        self.skipped += part.skipped;
        self.broken += part.broken;
    }

    /// The exit code: 0 conforms, 1 does not, 3 could not find out.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.fail, self.broken) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }
}
