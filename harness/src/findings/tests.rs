//! Findings of hand-made evidence, and where a claim holds.

use rstest::rstest;

use super::*;
use crate::{
    fixture,
    suite::{Cell, Claims, Data, SourceFile, Target},
};

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

fn claim(more: &str) -> Claim {
    let text = format!("[[claim]]\nid = \"C\"\nparagraph = \"p\"\nsays = \"s\"\n{more}");
    let claims = Claims::parse(&file("claims.toml", &text)).unwrap();
    claims.get("C").unwrap().clone()
}

fn stale(engines: &str) -> String {
    format!(
        "[[claim.stale]]\nengines = \"{engines}\"\nactual = \"r\"\nreason = \"w\"\nlink = \"l\"\n"
    )
}

/// A cell on PostgreSQL 17, with a verdict.
fn judged(cell: &str, verdict: Verdict) -> JudgedCell {
    JudgedCell {
        cell: fixture::cell(cell, ""),
        verdict,
        seen: None,
    }
}

fn passes() -> JudgedCell {
    judged("encrypted", Verdict::Pass)
}

fn contradicts() -> JudgedCell {
    judged("contrary", Verdict::Pass)
}

fn fails() -> JudgedCell {
    judged("plaintext", Verdict::Fail(vec!["otherwise".to_owned()]))
}

fn is_known() -> JudgedCell {
    let (reason, link) = ("so it is".to_owned(), "here".to_owned());
    judged("refused", Verdict::Known { reason, link })
}

fn skips(cell: &str) -> JudgedCell {
    judged(cell, Verdict::Skipped("it can't be had".to_owned()))
}

fn breaks() -> JudgedCell {
    judged("refused", Verdict::Broken("gone".to_owned()))
}

/// Where the fixture's cells are played.
fn server(engine: &str) -> Played {
    Played {
        target: Target::Emulated("17".parse().unwrap()),
        engine: engine.parse().unwrap(),
    }
}

#[rstest]
#[case::holds(vec![passes()], "", None, 0)]
#[case::recorded(vec![passes(), contradicts()], "17", None, 0)]
#[case::recorded_for_another_engine(
    vec![passes(), contradicts()], "16",
    Some("claims.toml has no `stale` record of C for PostgreSQL 17.6"), 1
)]
#[case::unrecorded(
    vec![contradicts()], "",
    Some("claims.toml has no `stale` record of C for PostgreSQL 17.6"), 1
)]
#[case::a_known_cell_is_its_own_record(vec![passes(), is_known()], "", None, 0)]
#[case::no_record_covers_a_failure(
    vec![contradicts(), fails()], "17",
    Some("1 of its cells show what neither a table nor a record says"), 1
)]
#[case::a_record_that_is_idle(
    vec![passes()], "10+",
    Some("claims.toml:1 records that it doesn't hold on PostgreSQL 17.6, and it does: take the record out"), 1
)]
#[case::nobody_knows_whether_a_record_is_idle(vec![passes(), breaks()], "17", None, 3)]
#[case::nor_where_what_contradicts_was_skipped(vec![passes(), skips("contrary")], "17", None, 0)]
#[case::a_skip_of_another_cell_hides_nothing(
    vec![passes(), skips("plaintext")], "10+",
    Some("claims.toml:1 records that it doesn't hold on PostgreSQL 17.6, and it does: take the record out"), 1
)]
#[case::nor_without_cells(vec![], "17", None, 0)]
fn what_no_record_covers_is_told(
    #[case] evidence: Vec<JudgedCell>,
    #[case] record: &str,
    #[case] unrecorded: Option<&str>,
    #[case] code: u8,
) {
    let record = match record {
        "" => String::new(),
        engines => stale(engines),
    };
    let claim = claim(&record);
    let found = Finding::of(&claim, server("17.6"), &evidence).unwrap();
    assert_eq!(found.unrecorded.as_deref(), unrecorded);
    assert_eq!(exit_code(&[found]), code);
}

#[rstest]
#[case::its_own_range("engines = \"12-16\"", "17.6", None)]
#[case::a_minor_version("engines = \"17.0-17.5\"", "17.6", None)]
#[case::in_its_range("engines = \"17.6+\"", "17.6", Some("s"))]
#[case::another_copy(
    "engines = \"12-16\"\n[[claim.revisions]]\ndated = \"newer\"\nsays = \"too\"\nengines = \"17+\"",
    "17.6",
    Some("newer: too")
)]
fn a_claim_is_about_the_engines_that_the_document_makes_it_for(
    #[case] range: &str,
    #[case] engine: &str,
    #[case] documented: Option<&str>,
) {
    let (claim, evidence) = (claim(range), [passes()]);
    let played = server(engine);
    let found = Finding::of(&claim, played, &evidence);
    let says = found.map(|found| found.claim.documented(played.engine));
    assert_eq!(says.as_deref(), documented);
}

const SUITE: &str = r#"
[suite]
id = "t"
title = "a test"
source = "here"
[axes.sslmode]
prefer = { sslmode = "prefer" }
require = { sslmode = "require" }
[axes.trust]
none = {}
root = { sslrootcert = "root" }
[[play]]
axes = ["sslmode", "trust"]
"#;

fn cells() -> Vec<Cell> {
    let [one, two] =
        ["one", "two"].map(|id| fixture::DRIVER.replace("id = \"d\"", &format!("id = \"{id}\"")));
    let data = Data::read(&fixture::files(&[
        ("cases/t.toml", SUITE),
        ("claims.toml", fixture::CLAIMS),
        ("drivers/one.toml", &one),
        ("drivers/two.toml", &two),
    ]));
    let cases = data.unwrap().cases;
    cases
        .iter()
        .filter_map(|case| case.at("17".parse().unwrap()))
        .collect()
}

#[rstest]
#[case::by_driver(&["/one/"], "only where driver two")]
#[case::by_one_axis(&["/prefer/"], "not where sslmode prefer")]
#[case::by_two(&["/one/prefer/"], "not where driver one with sslmode prefer")]
#[case::by_three(
    &["/one/prefer/root"],
    "not where driver one with sslmode prefer with trust root"
)]
#[case::values_that_are_alike_stand_together(
    &["/one/prefer/root", "/two/prefer/root"],
    "not where sslmode prefer with trust root"
)]
#[case::several_regions(
    &["/one/prefer/", "/two/require/"],
    "only where driver one with sslmode require; or driver two with sslmode prefer"
)]
fn the_shortest_words_say_where(#[case] not_kept: &[&str], #[case] words: &str) {
    let cells = cells();
    let (not_kept, kept): (Vec<&Cell>, Vec<&Cell>) =
        (cells.iter()).partition(|cell| not_kept.iter().any(|part| cell.id.contains(part)));
    assert_eq!(extent::describe(&kept, &not_kept), words);
}

#[test]
fn what_no_axis_tells_apart_is_counted() {
    let cells = cells();
    let all: Vec<&Cell> = cells.iter().collect();
    assert_eq!(extent::describe(&all, &all[..2]), "only in 8 of 10 cells");
}
