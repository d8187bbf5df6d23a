//! What a person sees: progress while it runs, failures in full, and one screen at
//! the end.

mod closing;

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Described, repro,
    words::{expected, policy, verdict},
};
use crate::{
    driver::Outcome,
    endpoint::{Applied, Facts},
    judge::Verdict,
    policy::Policy,
    run::{CellResult, Event, Sink, Summary},
    suite::Claims,
};
use closing::Closing;

/// How many failed and broken cells are shown in full; the rest by their ids.
const IN_FULL: usize = 20;

/// Columns of a terminal that the tables fill at most.
pub(super) const TABLE_WIDTH: u16 = 120;

/// Writes to a stream for people.
pub struct Console<W> {
    out: W,
    claims: Claims,
    verbose: bool,
    progress: Option<ProgressBar>,
    shown: usize,
    closing: Closing,
}

impl<W: io::Write> Console<W> {
    /// With `verbose`, every cell and every policy has its line, and every suite and
    /// claim its counts.
    pub fn new(out: W, claims: Claims, verbose: bool) -> Self {
        Self {
            out,
            claims,
            verbose,
            progress: None,
            shown: 0,
            closing: Closing::default(),
        }
    }

    fn line(&mut self, line: &str) {
        let mut write = || writeln!(self.out, "{line}");
        // A reader that went away must not stop the run, nor the clean-up.
        let _ = match &self.progress {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
    }

    fn begin(&mut self, facts: &Facts, cells: usize, policies: usize) {
        self.line(&format!(
            "PostgreSQL {} ({}) as {}: {cells} cells, {policies} policies",
            facts.engine, facts.kind, facts.host
        ));
        for line in &facts.found {
            self.line(&format!("found: {line}"));
        }
        if io::stderr().is_terminal() {
            let bar = ProgressBar::new(cells as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            self.progress = Some(bar);
        }
    }

    fn applied(&mut self, to: &Policy, applied: &Applied) {
        let serves = match &applied.negotiated {
            Some((version, cipher)) => format!("serves {version}, {cipher}"),
            None => "serves no TLS".to_owned(),
        };
        self.line(&format!(
            "policy: {}; {serves}; switched in {} ms",
            policy(to),
            applied.took.as_millis()
        ));
    }

    fn judged(&mut self, result: &CellResult) {
        self.closing.count(result);
        if matches!(result.verdict, Verdict::Fail(_) | Verdict::Broken(_)) {
            self.shown += 1;
            if self.shown <= IN_FULL {
                for line in in_full(result, &self.claims) {
                    self.line(&line);
                }
                return;
            }
            return self.line(&short(result));
        }
        if self.verbose {
            self.line(&short(result));
        }
    }

    fn finish(&mut self, summary: &Summary) {
        if let Some(bar) = self.progress.take() {
            bar.finish_and_clear();
        }
        let closing = std::mem::take(&mut self.closing);
        for line in closing.lines(&self.claims, summary, self.verbose) {
            self.line(&line);
        }
    }
}

impl<W: io::Write> Sink for Console<W> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::EndpointReady {
                facts,
                cells,
                policies,
            } => self.begin(facts, *cells, *policies),
            Event::PolicyApplied { policy, applied } if self.verbose => {
                self.applied(policy, applied);
            }
            Event::PolicyApplied { .. } => {}
            Event::AttemptDone => {
                if let Some(bar) = &self.progress {
                    bar.inc(1);
                }
            }
            Event::CellJudged(result) => self.judged(result),
            Event::Warning(what) => self.line(&format!("warning: {what}")),
            Event::Drivers(drivers) => self.closing.drivers(drivers),
            Event::Finished(summary) => self.finish(summary),
        }
    }
}

fn short(result: &CellResult) -> String {
    let seen = match &result.seen {
        Some((_, seen)) => Described::from(seen).to_string(),
        None => String::new(),
    };
    let why = match &result.verdict {
        Verdict::Skipped(why) | Verdict::Broken(why) => why.clone(),
        Verdict::Known { reason, .. } => format!("{seen} — {reason}"),
        Verdict::Pass | Verdict::Fail(_) => seen,
    };
    format!("{:<7} {}  {why}", verdict(&result.verdict), result.cell.id)
}

/// Everything about one cell, a line an entry: for one that failed.
#[must_use]
pub fn in_full(result: &CellResult, claims: &Claims) -> Vec<String> {
    let cell = &result.cell;
    let mut lines = vec![format!(
        "\n{} {}",
        verdict(&result.verdict).to_uppercase(),
        cell.id
    )];
    let mut entry = |name: &str, text: &str| {
        for (nth, text) in text.lines().enumerate() {
            let name = if nth == 0 { name } else { "" };
            lines.push(format!("  {name:<9} {text}"));
        }
    };
    entry("policy", &policy(&cell.case.policy()));
    entry("expected", &expected(cell).to_string());
    if let Some((_, seen)) = &result.seen {
        entry("observed", &Described::from(seen).to_string());
    }
    match &result.verdict {
        Verdict::Fail(differences) => entry("because", &differences.join("\n")),
        Verdict::Broken(why) => entry("because", why),
        Verdict::Pass | Verdict::Known { .. } | Verdict::Skipped(_) => {}
    }
    if let Some((observation, _)) = &result.seen {
        if let Outcome::Refused { message, .. } = &observation.outcome {
            entry("error", message);
        }
        entry("wire", &observation.transcript.to_string());
    }
    let about = cell.claims.iter().map(|(id, _)| {
        let says = claims.get(id).map_or("", |claim| claim.says.as_str());
        format!("{id}: {says}")
    });
    entry("claim", &about.collect::<Vec<_>>().join("\n"));
    let places: Vec<String> = cell.places.iter().map(ToString::to_string).collect();
    entry("rows", &places.join(", "));
    entry("again", &repro(cell, None).join("\n"));
    lines
}
