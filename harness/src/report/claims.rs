//! What people and programs read of the claims: a table by engine, and every
//! claim that doesn't simply hold with what is documented and what was measured.

mod json;
mod text;

use std::io;

pub use json::JsonClaims;
pub use text::claims_text;

use super::{Described, json::JsonEndpoint};
use crate::{
    driver::{Outcome, Reply},
    engine::Version,
    findings::{JudgedCell, Played},
    judge::{Observation, Observed},
    run::{CellResult, Event, Sink},
    suite::Target,
    tap,
};

/// Collects a run for the claims, and tells people what is under way.
pub struct Gather<W> {
    progress: W,
    /// Every cell.
    pub judged: Vec<JudgedCell>,
    /// The servers that were played against.
    pub endpoints: Vec<JsonEndpoint>,
    /// Versions of those that were started for the run.
    started: Vec<Version>,
}

impl<W: io::Write> Gather<W> {
    /// Tells `progress` a line an engine.
    pub fn new(progress: W) -> Self {
        Self {
            progress,
            judged: Vec::new(),
            endpoints: Vec::new(),
            started: Vec::new(),
        }
    }

    /// A target with the version that it turned out to have: of an image, the major
    /// number alone is known before it is up.
    #[must_use]
    pub fn played(&self, target: Target) -> Played {
        let answers = |engine: &&Version| engine.answers(target.version());
        match self.started.iter().find(answers) {
            Some(engine) if matches!(target, Target::Emulated(_)) => Played {
                target,
                engine: *engine,
            },
            _ => Played::planned(target),
        }
    }
}

impl<W: io::Write> Sink for Gather<W> {
    fn event(&mut self, event: &Event) {
        // A reader that went away must not stop the run, nor the clean-up.
        let _ = match event {
            Event::EndpointReady { facts, cells, .. } => {
                if facts.kind.is_started_for_the_run() {
                    self.started.push(facts.engine);
                }
                self.endpoints.push(JsonEndpoint::from(*facts));
                writeln!(
                    self.progress,
                    "PostgreSQL {} ({}): {cells} cells",
                    facts.engine, facts.kind
                )
            }
            Event::CellJudged(result) => {
                self.judged.push(judged(result));
                Ok(())
            }
            Event::Warning(what) => writeln!(self.progress, "warning: {what}"),
            Event::PolicyApplied { .. }
            | Event::AttemptDone
            | Event::Drivers(_)
            | Event::Finished(_) => Ok(()),
        };
    }
}

fn judged(result: &CellResult) -> JudgedCell {
    JudgedCell {
        cell: result.cell.clone(),
        verdict: result.verdict.clone(),
        seen: result.seen.as_ref().map(|(seen, words)| told(seen, words)),
    }
}

/// What was seen, with the server's own words where they could be read.
fn told(seen: &Observation, words: &Observed) -> String {
    let described = Described::from(words).to_string();
    let last = seen.transcript.connections.last();
    let error = last.into_iter().flatten().find_map(|event| match event {
        tap::Event::Error { message, .. } => Some(message.clone()),
        _ => None,
    });
    let reply = match &seen.outcome {
        Outcome::Connected { reply, .. } => reply.as_ref().map(answer),
        Outcome::Refused { .. } => None,
    };
    [Some(described), error, reply]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}

fn answer(reply: &Reply) -> String {
    match reply {
        Reply::Error { message, .. } => message.clone(),
        Reply::Rows { columns, rows } => {
            let value = |value: &Option<String>| value.clone().unwrap_or_default();
            let rows = (rows.iter()).map(|row| row.iter().map(value).collect::<Vec<_>>());
            (std::iter::once(columns.clone()).chain(rows))
                .map(|row| row.join(" | "))
                .collect::<Vec<_>>()
                .join("\n")
        }
    }
}
