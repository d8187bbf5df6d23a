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
    group::{self, Group},
};
use crate::{
    driver::Driver,
    endpoint::Endpoint,
    judge::Verdict,
    suite::{Cell, Trust},
};

const INTERRUPTED: &str = "the run was interrupted";

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
        let groups = group::by_policy(cells);
        sink.event(&Event::EndpointReady {
            facts: endpoint.facts(),
            cells: cells.len(),
            policies: groups.len(),
        });
        for group in &groups {
            for result in self.run_group(endpoint, group, sink).await {
                summary.count(&result);
                sink.event(&Event::CellJudged(&result));
            }
        }
    }

    async fn run_group(
        &self,
        endpoint: &mut dyn Endpoint,
        group: &Group,
        sink: &mut dyn Sink,
    ) -> Vec<CellResult> {
        if self.stop.borrow().is_some() {
            return interrupted(&group.cells);
        }
        if group.cells.iter().all(Cell::is_skipped) {
            return self.play_all(endpoint, &group.cells, sink).await;
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
        let mut results = self.play_all(endpoint, &group.cells, sink).await;
        if self.stop.borrow().is_some() {
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
        results
    }

    async fn play_all(
        &self,
        endpoint: &dyn Endpoint,
        cells: &[Cell],
        sink: &mut dyn Sink,
    ) -> Vec<CellResult> {
        let facts = endpoint.facts();
        let mut stop = self.stop.clone();
        let mut attempts = stream::iter(cells.iter().enumerate())
            .map(|(nth, cell)| async move { (nth, self.play(facts, cell).await) })
            .buffer_unordered(self.options.concurrency);
        let mut results: Vec<Option<CellResult>> = cells.iter().map(|_| None).collect();
        loop {
            let next = tokio::select! {
                next = attempts.next() => next,
                _ = stop.wait_for(Option::is_some) => None,
            };
            let Some((nth, result)) = next else { break };
            results[nth] = Some(result);
            sink.event(&Event::AttemptDone);
        }
        results
            .into_iter()
            .zip(cells)
            .map(|(result, cell)| result.unwrap_or_else(|| unplayed(cell, INTERRUPTED)))
            .collect()
    }
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
