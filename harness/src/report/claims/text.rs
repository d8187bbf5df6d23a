//! Findings for people.

use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};

use super::json::JsonSummary;
use crate::{
    findings::{ClaimVerdict, Evidence, Finding, JudgedCell, Played},
    report::console::TABLE_WIDTH,
    run::Summary,
    suite::{Claim, Target},
};

/// How many things that were seen are told of a claim; JSON has all.
const MEASURED: usize = 6;

/// Columns of the names that details have.
const NAME: usize = 10;

/// All findings, for people.
#[must_use]
pub fn claims_text(findings: &[Finding], summary: &Summary) -> String {
    let table = table(findings);
    let mut lines = match table.row_count() {
        0 => Vec::new(),
        _ => vec![format!("{table}\n{LEGEND}\n")],
    };
    let partly = findings.iter().filter(|found| !simply_holds(found));
    for (details, engines) in alike(partly, details) {
        let Some((heading, details)) = details.split_first() else {
            continue;
        };
        let engines = engines.join(", ");
        lines.push(format!("{heading} on PostgreSQL {engines}"));
        lines.push(details.concat());
    }
    let unmeasured = |found: &&Finding| found.verdict == ClaimVerdict::NotMeasured;
    for (why, engines) in alike(findings.iter().filter(unmeasured), not_measured) {
        let engines = engines.join(", ");
        lines.push(format!("{} (PostgreSQL {engines})", why.concat()));
    }
    let left = |found: &&Finding| simply_holds(found) && found.claim.not_covered.is_some();
    for (what, engines) in alike(findings.iter().filter(left), left_unmeasured) {
        let engines = engines.join(", ");
        lines.push(format!("{} (PostgreSQL {engines})", what.concat()));
    }
    let differs = |found: &&Finding| !found.differs.is_empty();
    for (what, engines) in alike(findings.iter().filter(differs), drivers_that_differ) {
        let engines = engines.join(", ");
        let Some((heading, rest)) = what.split_first() else {
            continue;
        };
        lines.push(format!(
            "{heading} (PostgreSQL {engines})\n{}",
            rest.concat()
        ));
    }
    lines.push(closing(findings, summary));
    lines.join("\n")
}

const LEGEND: &str = "where: holds only there, as told below · no: does not hold · ?: not measured · \
                      -: not claimed for that engine · !: no record says so";

fn simply_holds(found: &Finding) -> bool {
    match found.verdict {
        ClaimVerdict::Holds | ClaimVerdict::NotMeasured => found.unrecorded.is_none(),
        ClaimVerdict::HoldsWhere | ClaimVerdict::DoesNotHold | ClaimVerdict::Broken => false,
    }
}

/// Claims down, servers across; those that nothing measures are told elsewhere.
fn table(findings: &[Finding]) -> Table {
    let servers = servers(findings);
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(TABLE_WIDTH);
    let heads = servers.iter().map(|server| head(server, &servers));
    let names = ["claim", "the RDS document says"].map(str::to_owned);
    table.set_header(names.into_iter().chain(heads));
    let measurable = |found: &&Finding| !found.claim.is_unmeasured();
    let mut rows: Vec<(&Claim, Vec<&Finding>)> = Vec::new();
    for found in findings.iter().filter(measurable) {
        match (rows.iter_mut()).find(|(claim, _)| claim.id == found.claim.id) {
            Some((_, row)) => row.push(found),
            None => rows.push((found.claim, vec![found])),
        }
    }
    for (claim, row) in rows {
        let on = |server: &Played| match row.iter().find(|found| found.played == *server) {
            Some(found) if found.unrecorded.is_some() => format!("{}!", short(found.verdict)),
            Some(found) => short(found.verdict).to_owned(),
            None => "-".to_owned(),
        };
        let names = [claim.id.clone(), claim.says.clone()];
        table.add_row(names.into_iter().chain(servers.iter().map(on)));
    }
    table
}

/// Emulated ones first, by version.
fn servers(findings: &[Finding]) -> Vec<Played> {
    let mut servers: Vec<Played> = findings.iter().map(|found| found.played).collect();
    servers.sort_by_key(|server| (matches!(server.target, Target::Instance(_)), server.engine));
    servers.dedup();
    servers
}

/// A major version where that is enough to tell a server from the others.
fn head(server: &Played, all: &[Played]) -> String {
    let name = server.target.to_string();
    let namesakes = all.iter().filter(|other| other.target.to_string() == name);
    if namesakes.count() > 1 {
        server.engine.to_string()
    } else {
        name
    }
}

fn short(verdict: ClaimVerdict) -> &'static str {
    match verdict {
        ClaimVerdict::Holds => "holds",
        ClaimVerdict::HoldsWhere => "where",
        ClaimVerdict::DoesNotHold => "no",
        ClaimVerdict::NotMeasured => "?",
        ClaimVerdict::Broken => "broken",
    }
}

/// Findings of which the same is told, with the engines of each.
fn alike<'a>(
    findings: impl Iterator<Item = &'a Finding<'a>>,
    tell: fn(&Finding) -> Vec<String>,
) -> Vec<(Vec<String>, Vec<String>)> {
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for found in findings {
        let (told, engine) = (tell(found), found.played.to_string());
        match groups.iter_mut().find(|(other, _)| *other == told) {
            Some((_, engines)) => engines.push(engine),
            None => groups.push((told, vec![engine])),
        }
    }
    groups
}

fn left_unmeasured(found: &Finding) -> Vec<String> {
    let (id, what) = (&found.claim.id, found.claim.not_covered.iter());
    what.map(|what| format!("not measured of {id}: {what}"))
        .collect()
}

/// A heading, and a line for each difference.
fn drivers_that_differ(found: &Finding) -> Vec<String> {
    let heading = format!("{}: drivers that do otherwise", found.claim.id);
    let lines = found.differs.iter().map(|(one, cells)| {
        let because = format!("{} ({})", one.reason, one.link);
        [
            entry("actual", &format!("{} ({cells} cells)", one.actual)),
            entry("because", &because),
        ]
        .concat()
    });
    std::iter::once(heading).chain(lines).collect()
}

fn not_measured(found: &Finding) -> Vec<String> {
    let why = found.because.join("; ");
    vec![format!(
        "not measured: {} {} — {why}",
        found.claim.id, found.claim.says
    )]
}

/// A heading, and what is told below it, an entry at a time; nothing in it names
/// the engine, so that engines of which the same is to be told stand together.
fn details(found: &Finding) -> Vec<String> {
    let says = match found.verdict {
        ClaimVerdict::Holds => "holds",
        ClaimVerdict::HoldsWhere => "holds only in part",
        ClaimVerdict::DoesNotHold => "does not hold",
        ClaimVerdict::NotMeasured => "was not measured",
        ClaimVerdict::Broken => "could not be found out",
    };
    let mut lines = vec![format!("{} {says}", found.claim.id)];
    lines.push(entry(
        "document",
        &found.claim.documented(found.played.engine),
    ));
    for revision in &found.claim.revisions {
        lines.push(entry("", &format!("{}: {}", revision.dated, revision.says)));
    }
    if let Some(extent) = &found.extent {
        lines.push(entry("holds", &extent.replace("; or ", "\nor ")));
    }
    let measured = found.measured();
    let told = measured
        .iter()
        .filter(|one| one.evidence == Evidence::NotKept);
    for one in told.clone().take(MEASURED) {
        let cells = format!("cells: {}, as {}", one.cells, one.example.case.id);
        lines.push(entry("measured", &format!("{}\n{cells}", one.seen)));
    }
    let more = told.count().saturating_sub(MEASURED);
    if more > 0 {
        lines.push(entry(
            "",
            &format!("and {more} more; --json tells them all"),
        ));
    }
    let count = |wanted: Evidence| {
        let is = |(_, evidence): &&(&JudgedCell, Evidence)| *evidence == wanted;
        found.cells.iter().filter(is).count()
    };
    lines.push(entry(
        "cells",
        &format!(
            "{} as documented, {} not",
            count(Evidence::Kept),
            count(Evidence::NotKept)
        ),
    ));
    for why in &found.because {
        lines.push(entry("because", why));
    }
    if let Some(why) = &found.unrecorded {
        lines.push(entry("unrecorded", why));
    }
    lines
}

/// A name, and lines beside it.
fn entry(name: &str, text: &str) -> String {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    (names.zip(text.lines())).fold(String::new(), |mut all, (name, line)| {
        // Writing to a String does not fail.
        let _ = writeln!(all, "  {name:<NAME$} {line}");
        all
    })
}

fn closing(findings: &[Finding], summary: &Summary) -> String {
    let count = JsonSummary::of(findings, summary);
    format!(
        "{} findings: {} hold, {} hold in part, {} do not hold, {} not measured, {} broken; \
         {} unrecorded; {} cells in {:.1} s\n",
        count.findings,
        count.holds,
        count.holds_where,
        count.does_not_hold,
        count.not_measured,
        count.broken,
        count.unrecorded,
        count.cells,
        count.seconds
    )
}
