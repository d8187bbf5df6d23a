//! The engine of a run: switch, sanity, attempts, sanity, verdicts.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tokio::sync::watch;

use super::{
    CellResult, Event, Sink, Summary,
    end::{End, INTERRUPTED},
    group::{self, Group},
    lost,
};
use crate::{
    driver::Driver,
    endpoint::{Endpoint, LogMark},
    judge::Verdict,
    suite::{Cell, Trust},
};

/// Where the trust anchors of a run are; the error is a sentence.
pub type TrustFiles = dyn Fn(Trust) -> Result<PathBuf, String> + Send + Sync;

/// How a run is played.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Attempts under way at once.
    pub concurrency: usize,
    /// The longest that one attempt may take.
    pub deadline: Duration,
}

/// Plays cells with drivers.
pub struct Runner {
    /// By the id of their profile.
    pub drivers: BTreeMap<String, Arc<dyn Driver>>,
    /// Where trust anchors are.
    pub trust_files: Arc<TrustFiles>,
    /// How to play.
    pub options: Options,
    /// Holds a signal's number once a person wants the run to end.
    pub stop: watch::Receiver<Option<u8>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 8,
            deadline: Duration::from_secs(20),
        }
    }
}

impl Runner {
    /// Plays all cells against one endpoint, and counts them into `summary`.
    pub async fn run(
        &self,
        endpoint: &mut dyn Endpoint,
        cells: &[Cell],
        sink: &mut dyn Sink,
        summary: &mut Summary,
    ) {
        let cells = without_what_is_left_out(endpoint, cells);
        let groups = group::by_policy(&cells);
        sink.event(&Event::EndpointReady {
            facts: endpoint.facts(),
            cells: cells.len(),
            policies: groups.iter().filter(|group| group.is_played()).count(),
        });
        let mut end = End::new(self.stop.clone(), endpoint.facts().limits.run);
        for group in &groups {
            for result in self.run_group(endpoint, group, &mut end, sink).await {
                summary.count(&result);
                sink.event(&Event::CellJudged(&result));
            }
        }
    }

    async fn run_group(
        &self,
        endpoint: &mut dyn Endpoint,
        group: &Group,
        end: &mut End,
        sink: &mut dyn Sink,
    ) -> Vec<CellResult> {
        if let Some(why) = end.has_come() {
            return broken(&group.cells, &why);
        }
        if !group.is_played() {
            return self.play_all(endpoint, &group.cells, end, sink).await;
        }
        match endpoint.apply(&group.policy).await {
            Ok(applied) => sink.event(&Event::PolicyApplied {
                policy: &group.policy,
                applied: &applied,
            }),
            Err(error) => {
                return broken(&group.cells, &chain("the policy can't be applied", &error));
            }
        }
        if let Err(error) = endpoint.sanity().await {
            return broken(
                &group.cells,
                &chain("the sanity attempt before the group failed", &error),
            );
        }
        let mark = endpoint.log_mark().await;
        let mut results = self.play_all(endpoint, &group.cells, end, sink).await;
        if end.has_come().is_some() {
            excuse_lost(endpoint, mark.ok(), &mut results).await;
            return results;
        }
        if let Err(error) = endpoint.sanity().await {
            let why = chain("the sanity attempt after the group failed", &error);
            for result in &mut results {
                if !matches!(result.verdict, Verdict::Skipped(_)) {
                    result.verdict = Verdict::Broken(why.clone());
                }
            }
        }
        // After the sanity attempt: by then the log tells of what came before.
        excuse_lost(endpoint, mark.ok(), &mut results).await;
        results
    }

    async fn play_all(
        &self,
        endpoint: &dyn Endpoint,
        cells: &[Cell],
        end: &mut End,
        sink: &mut dyn Sink,
    ) -> Vec<CellResult> {
        let facts = endpoint.facts();
        let most = facts.limits.connections.unwrap_or(usize::MAX);
        let mut attempts = stream::iter(cells.iter().enumerate())
            .map(|(nth, cell)| async move { (nth, self.play(facts, cell).await) })
            .buffer_unordered(self.options.concurrency.min(most));
        let mut results: Vec<Option<CellResult>> = cells.iter().map(|_| None).collect();
        let mut ended = String::new();
        loop {
            let next = tokio::select! {
                next = attempts.next() => next,
                why = end.comes() => {
                    ended = why;
                    None
                }
            };
            let Some((nth, result)) = next else { break };
            results[nth] = Some(result);
            sink.event(&Event::AttemptDone);
        }
        results
            .into_iter()
            .zip(cells)
            .map(|(result, cell)| result.unwrap_or_else(|| unplayed(cell, &ended)))
            .collect()
    }
}

/// Breaks the failures that the server's end of a connection explains. The log
/// is asked only where something failed, and may be nobody's to read.
async fn excuse_lost(endpoint: &dyn Endpoint, mark: Option<LogMark>, results: &mut [CellResult]) {
    if !lost::is_any_failed(results) {
        return;
    }
    let log = match mark {
        Some(mark) => endpoint.log_since(mark).await.unwrap_or_default(),
        None => String::new(),
    };
    lost::excuse(results, &log);
}

/// A run's clock: `seconds` of its summary.
#[must_use]
pub fn seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}

/// Verdicts for cells that could not be played for one reason.
#[must_use]
pub fn broken(cells: &[Cell], why: &str) -> Vec<CellResult> {
    cells.iter().map(|cell| unplayed(cell, why)).collect()
}

/// Verdicts for cells that were not played because a person ended the run.
#[must_use]
pub fn interrupted(cells: &[Cell]) -> Vec<CellResult> {
    broken(cells, INTERRUPTED)
}

/// The cells, with the endpoint's own reasons not to play some.
fn without_what_is_left_out(endpoint: &dyn Endpoint, cells: &[Cell]) -> Vec<Cell> {
    let reason = |cell: &Cell| match cell.skip() {
        Some(_) => None,
        None => endpoint.leaves_out(cell),
    };
    (cells.iter())
        .map(|cell| reason(cell).map_or_else(|| cell.clone(), |why| cell.left_out(why)))
        .collect()
}

fn unplayed(cell: &Cell, why: &str) -> CellResult {
    CellResult {
        cell: cell.clone(),
        seen: None,
        verdict: match cell.skip() {
            Some(reason) => Verdict::Skipped(reason.to_owned()),
            None => Verdict::Broken(why.to_owned()),
        },
        took: Duration::ZERO,
    }
}

fn chain(what: &str, error: &dyn std::error::Error) -> String {
    let mut text = format!("{what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
