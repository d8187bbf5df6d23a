//! From events to sentences: when a connection's negotiation is over, what
//! it came to.

use std::collections::BTreeMap;

use super::{
    live::{ConnectionEvent, What},
    summary::{Outcome, Summary},
    transcript::Event,
};

/// Follows the connections of a tap.
#[derive(Debug, Default)]
pub struct Summarizer {
    open: BTreeMap<u64, Story>,
    counts: BTreeMap<Outcome, u64>,
}

/// A connection that is going on.
#[derive(Debug, Default)]
struct Story {
    events: Vec<Event>,
    summed_up: bool,
}

impl Summarizer {
    /// Takes an event; gives the connection's summary, once, as soon as the
    /// event shows what its negotiation came to.
    pub fn add(&mut self, connection_event: &ConnectionEvent) -> Option<Summary> {
        let number = connection_event.connection;
        let story = self.open.entry(number).or_default();
        let (due, in_use) = match &connection_event.what {
            What::Opened { .. } => (false, false),
            What::Event(event) => {
                story.add(event);
                (Summary::is_due(event), false)
            }
            What::InUse => (true, true),
            What::Ended => (true, false),
        };
        let summary = (due && !story.summed_up).then(|| Summary::of(&story.events, in_use));
        if let Some(summary) = &summary {
            story.summed_up = true;
            story.events = Vec::new();
            *self.counts.entry(summary.outcome).or_default() += 1;
        }
        if connection_event.what == What::Ended {
            self.open.remove(&number);
        }
        summary
    }

    /// Sums up what is under way, when the tap has ended: number and summary.
    pub fn finish(&mut self) -> Vec<(u64, Summary)> {
        let under_way = std::mem::take(&mut self.open).into_iter();
        let summaries: Vec<_> = under_way
            .filter(|(_, story)| !story.summed_up)
            .map(|(number, story)| (number, Summary::of(&story.events, false)))
            .collect();
        for (_, summary) in &summaries {
            *self.counts.entry(summary.outcome).or_default() += 1;
        }
        summaries
    }

    /// How many negotiations came to what.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Outcome, u64> {
        &self.counts
    }
}

impl Story {
    /// Keeps what a summary is made from: nothing once there is one, and of
    /// hellos, which are long, one.
    fn add(&mut self, event: &Event) {
        let hello = |event: &Event| matches!(event, Event::ClientHello { .. });
        let another_hello = hello(event) && self.events.iter().any(hello);
        if !self.summed_up && !another_hello {
            self.events.push(event.clone());
        }
    }
}
