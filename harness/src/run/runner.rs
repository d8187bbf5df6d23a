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
    causes::chain,
    driver::Driver,
    endpoint::{Endpoint, EndpointError, LogMark},
    judge::Verdict,
    suite::{Cell, Trust},
};

/// After so many groups in a row that ended because the server gave no answer,
/// the rest of the run is not tried: each would wait as long.
const SILENT_GROUPS: usize = 2;

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
        let mut silences = Silences::default();
        for group in &groups {
            let results = if let Some(why) = silences.are_too_many() {
                broken(&group.cells, &why)
            } else {
                let run = self.run_group(endpoint, group, &mut end, &mut silences, sink);
                run.await
            };
            for result in results {
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
        silences: &mut Silences,
        sink: &mut dyn Sink,
    ) -> Vec<CellResult> {
        if let Some(why) = end.has_come() {
            return broken(&group.cells, &why);
        }
        if !group.is_played() {
            return self.play_all(endpoint, &group.cells, end, sink).await.0;
        }
        match endpoint.apply(&group.policy).await {
            Ok(applied) => sink.event(&Event::PolicyApplied {
                policy: &group.policy,
                applied: &applied,
            }),
            Err(error) => {
                silences.note(&error);
                return broken(
                    &group.cells,
                    &because("the policy can't be applied", &error),
                );
            }
        }
        if let Err(error) = endpoint.sanity().await {
            silences.note(&error);
            return broken(
                &group.cells,
                &because("the sanity attempt before the group failed", &error),
            );
        }
        let mark = endpoint.log_mark().await;
        let (mut results, silence) = self.play_all(endpoint, &group.cells, end, sink).await;
        if end.has_come().is_some() {
            excuse_lost(endpoint, mark.ok(), &mut results).await;
            return results;
        }
        let sanity = match silence {
            Some(error) => Err(error),
            None => endpoint.sanity().await,
        };
        if let Err(error) = sanity {
            silences.note(&error);
            let why = because("the sanity attempt after the group failed", &error);
            for result in &mut results {
                if !matches!(result.verdict, Verdict::Skipped(_)) {
                    result.verdict = Verdict::Broken(why.clone());
                }
            }
        } else {
            silences.end();
        }
        // After the sanity attempt: by then the log tells of what came before.
        excuse_lost(endpoint, mark.ok(), &mut results).await;
        results
    }

    /// Plays cells until they are over, the end comes, or the server turns out
    /// to give no answer any more.
    async fn play_all(
        &self,
        endpoint: &dyn Endpoint,
        cells: &[Cell],
        end: &mut End,
        sink: &mut dyn Sink,
    ) -> (Vec<CellResult>, Option<EndpointError>) {
        let facts = endpoint.facts();
        let most = facts.limits.connections.unwrap_or(usize::MAX);
        let mut attempts = stream::iter(cells.iter().enumerate())
            .map(|(nth, cell)| async move { (nth, self.play(facts, cell).await) })
            .buffer_unordered(self.options.concurrency.min(most));
        let mut results: Vec<Option<CellResult>> = cells.iter().map(|_| None).collect();
        let mut ended = String::new();
        let mut silence = None;
        let mut unanswered = 0_usize;
        loop {
            let next = tokio::select! {
                next = attempts.next() => next,
                why = end.comes() => {
                    ended = why;
                    None
                }
            };
            let Some((nth, result)) = next else { break };
            let is_broken = matches!(result.verdict, Verdict::Broken(_));
            results[nth] = Some(result);
            sink.event(&Event::AttemptDone);
            unanswered += usize::from(is_broken);
            // A driver that gave no answer may have got none. Asked ever more
            // seldom, so that a driver which never works costs little.
            if is_broken && unanswered.is_power_of_two() {
                let asked = tokio::select! {
                    asked = endpoint.sanity() => asked,
                    why = end.comes() => {
                        ended = why;
                        break;
                    }
                };
                silence = asked.err().filter(EndpointError::is_silence);
                if let Some(error) = &silence {
                    ended = error.to_string();
                    break;
                }
            }
        }
        drop(attempts);
        let results = results
            .into_iter()
            .zip(cells)
            .map(|(result, cell)| result.unwrap_or_else(|| unplayed(cell, &ended)))
            .collect();
        (results, silence)
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

/// How many groups in a row ended because the server gave no answer.
#[derive(Default)]
struct Silences {
    count: usize,
    last: String,
}

impl Silences {
    fn note(&mut self, error: &EndpointError) {
        if error.is_silence() {
            self.count += 1;
            self.last = error.to_string();
        } else {
            self.end();
        }
    }

    fn end(&mut self) {
        self.count = 0;
    }

    fn are_too_many(&self) -> Option<String> {
        (self.count >= SILENT_GROUPS).then(|| {
            let last = &self.last;
            format!("not tried, since {SILENT_GROUPS} groups in a row had no answer: {last}")
        })
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

fn because(what: &str, error: &EndpointError) -> String {
    format!("{what}: {}", chain(error))
}
