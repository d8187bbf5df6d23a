//! Every check can fail: faults are planted one at a time in a real server or a
//! real driver, and the run names the cells that they touch, and no others.
//!
//! Which cells those are is read off the truth tables themselves: a server that
//! behaves as another policy would must fail where the two policies' rows
//! differ.

mod backends;
mod planted;
#[path = "../proc/mod.rs"]
mod proc;
#[path = "../tree/mod.rs"]
mod tree;
#[path = "../until/mod.rs"]
mod until;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use harness::{
    driver::Driver,
    findings::{Finding, Played},
    judge::Verdict,
    policy::{Leaf, Policy, TlsVersion},
    report::Gather,
    run::{CellResult, Event, Options, Sink, Summary},
    suite::{Cell, Data, OutcomeClass, Plan, Selection},
};
use planted::{Altered, Careless, Mistaken, does_not_ask, forgets_sslmode};
use rstest::rstest;
use suites::{Backend, Setup, Workers, data};

/// A policy as another: what the server does instead of what it is told.
type Alter = fn(&Policy) -> Policy;

/// A driver as another; the run's folder is where its server is found.
type Wrap = fn(Arc<dyn Driver>, &Path) -> Arc<dyn Driver>;

fn lets_plaintext_in(policy: &Policy) -> Policy {
    Policy {
        force_ssl: Some(false),
        ..policy.clone()
    }
}

fn shows_another_name(policy: &Policy) -> Policy {
    Policy {
        leaf: Leaf::Other,
        ..policy.clone()
    }
}

fn shows_a_healthy_certificate(policy: &Policy) -> Policy {
    Policy {
        leaf: Leaf::Right,
        ..policy.clone()
    }
}

fn turns_tls_off(policy: &Policy) -> Policy {
    Policy {
        ssl: Some(false),
        ..policy.clone()
    }
}

fn has_a_bad_cipher_list(policy: &Policy) -> Policy {
    Policy {
        ciphers: Some("NO-SUCH-CIPHER".to_owned()),
        ..policy.clone()
    }
}

fn stays_at_tls12(policy: &Policy) -> Policy {
    Policy {
        tls_min: Some(TlsVersion::Tls12),
        tls_max: Some(TlsVersion::Tls12),
        ..policy.clone()
    }
}

fn goes_down_to_tls11(policy: &Policy) -> Policy {
    Policy {
        tls_min: Some(TlsVersion::Tls11),
        ..policy.clone()
    }
}

fn has_3des(policy: &Policy) -> Policy {
    Policy {
        ciphers: Some("HIGH:!aNULL".to_owned()),
        ..policy.clone()
    }
}

#[rstest]
#[case::pg_hba_lets_plaintext_in("sslmode/", lets_plaintext_in, "/force-ssl/", "/both/")]
#[case::the_leaf_is_for_another_name("sslmode/", shows_another_name, "/right", "/other")]
#[case::tls_is_off("sslmode/", turns_tls_off, "/both/", "/off/")]
#[case::the_leaf_was_renewed("identity/", shows_a_healthy_certificate, "/expired/", "/right/")]
#[case::the_name_came_with_it(
    "identity/",
    shows_a_healthy_certificate,
    "/wildcard-deep/",
    "/right/"
)]
#[case::tls13_is_off("versions/", stays_at_tls12, "/tls13/", "/tls12/")]
#[case::sessions_have_another_version("session/", stays_at_tls12, "/tls13/", "/tls12/")]
#[case::the_key_is_of_another_kind("ciphers/", shows_a_healthy_certificate, "/ecdsa", "/rsa")]
fn a_server_that_behaves_as_another_fails_where_their_rows_differ(
    #[case] suite: &str,
    #[case] alter: Alter,
    #[case] told: &str,
    #[case] does: &str,
) {
    let data = data::load(None).unwrap();
    let (cells, results, summary) = play(
        &data,
        &[suite],
        |cell| {
            // Under `off` there is no certificate to be another's.
            cell.id.contains(told) && !(told == "/right" && cell.id.contains("/off/"))
        },
        Plant::server(alter),
    );
    let touched: BTreeSet<&str> = (cells.iter())
        .filter(|cell| rows_differ(&data, cell, told, does))
        .map(|cell| cell.id.as_str())
        .collect();
    let failed: BTreeSet<&str> = (results.iter())
        .filter(|result| matches!(result.verdict, Verdict::Fail(_)))
        .map(|result| result.cell.id.as_str())
        .collect();
    assert!(!touched.is_empty() && touched.len() < cells.len());
    assert_eq!(failed, touched);
    assert_eq!((summary.broken, summary.exit_code()), (0, 1));
}

#[rstest]
#[case::none(Plant::default(), &[], 0)]
#[case::pg_hba_lets_plaintext_in(Plant::server(lets_plaintext_in), &[
        "RDS-TLS-04", "RDS-TLS-06", "RDS-TLS-07", "RDS-TLS-08", "RDS-TLS-09", "RDS-TLS-13", "RDS-TLS-14",
    ], 1)]
fn a_fault_is_told_of_the_claims_that_it_touches_and_no_others(
    #[case] plant: Plant,
    #[case] touched: &[&str],
    #[case] exit_code: u8,
) {
    let data = data::load(None).unwrap();
    let (_, results, _) = play(&data, &[], |_| true, plant);
    let played = Played::planned(results[0].cell.target);
    let mut gather = Gather::new(std::io::sink());
    for result in &results {
        gather.event(&Event::CellJudged(result));
    }
    let findings: Vec<Finding> = (data.claims.iter())
        .filter_map(|claim| Finding::of(claim, played, &gather.judged))
        .collect();
    let unrecorded: Vec<&str> = (findings.iter())
        .filter(|found| found.unrecorded.is_some())
        .map(|found| found.claim.id.as_str())
        .collect();
    assert_eq!(unrecorded, touched);
    assert_eq!(harness::findings::exit_code(&findings), exit_code);
}

#[rstest]
#[case::ssl_ciphers(has_3des, "settings/libpq/ciphers")]
#[case::ssl_min_protocol_version(goes_down_to_tls11, "settings/libpq/min-version")]
fn a_setting_that_rds_has_otherwise_fails_where_it_is_shown(
    #[case] alter: Alter,
    #[case] shown: &str,
) {
    let data = data::load(None).unwrap();
    let (_, results, _) = play(&data, &["settings/"], |_| true, Plant::server(alter));
    let failed: Vec<&str> = (results.iter())
        .filter(|result| result.verdict != Verdict::Pass)
        .map(|result| result.cell.case.id.as_str())
        .collect();
    assert_eq!(failed, [shown, "settings/libpq/master"]);
}

#[test]
fn a_driver_that_does_not_ask_fails_where_an_answer_is_due() {
    let data = data::load(None).unwrap();
    let plant = Plant::driver(|driver, _| {
        Arc::new(Mistaken {
            inner: driver,
            mistake: does_not_ask,
        })
    });
    let (_, results, summary) = play(&data, &["session/"], |_| true, plant);
    let asks = |result: &&CellResult| {
        (result.cell.expected()).is_some_and(|expected| expected.answers.is_some())
    };
    for result in results.iter().filter(asks) {
        let due = Verdict::Fail(vec!["the question was not answered".to_owned()]);
        assert_eq!(result.verdict, due, "{}", result.cell.id);
    }
    assert!(summary.fail > 0);
}

#[test]
fn a_reload_that_the_server_refuses_breaks_the_group_and_fails_nothing() {
    let data = data::load(None).unwrap();
    let plant = Plant::server(has_a_bad_cipher_list);
    let (cells, results, summary) =
        play(&data, &["sslmode/libpq/both/verify-full"], |_| true, plant);
    assert_eq!((summary.broken, summary.exit_code()), (cells.len(), 3));
    for result in &results {
        let Verdict::Broken(why) = &result.verdict else {
            panic!("{}: {:?}", result.cell.id, result.verdict);
        };
        assert!(why.contains("policy can't be applied"), "{why}");
    }
}

#[test]
fn a_driver_that_ignores_its_trust_anchors_fails_where_they_matter() {
    let data = data::load(None).unwrap();
    let plant = Plant::driver(|driver, _| Arc::new(Careless(driver)));
    let filters = ["libpq/both/verify-ca", "libpq/both/verify-full"];
    let (cells, results, summary) = play(&data, &filters, |cell| !is_refused_unparsed(cell), plant);
    for (cell, result) in cells.iter().zip(&results) {
        let Some(expected) = cell.expected() else {
            continue;
        };
        let said = &expected.class;
        let encrypted = *said == OutcomeClass::Encrypted;
        match &result.verdict {
            Verdict::Pass => assert!(encrypted, "{} passes", cell.id),
            Verdict::Fail(differences) => {
                let named = format!("expected {said}, observed encrypted");
                assert!(differences.contains(&named), "{}: {differences:?}", cell.id);
            }
            other => panic!("{}: {other:?}", cell.id),
        }
    }
    assert!(summary.pass > 0 && summary.fail > summary.pass);
}

#[test]
fn a_driver_that_forgets_sslmode_in_a_uri_fails_in_the_uri_cells() {
    let data = data::load(None).unwrap();
    let plant = Plant::driver(|driver, _| {
        Arc::new(Mistaken {
            inner: driver,
            mistake: forgets_sslmode,
        })
    });
    let (_, results, _) = play(&data, &["connection-string/libpq"], |_| true, plant);
    let failed: Vec<&str> = (results.iter())
        .filter(|result| result.verdict != Verdict::Pass)
        .map(|result| result.cell.case.id.as_str())
        .collect();
    // The default is prefer: against this server, plaintext modes alone differ.
    assert_eq!(
        failed,
        [
            "connection-string/libpq/uri/disable",
            "connection-string/libpq/uri/allow"
        ]
    );
}

#[test]
fn a_refusal_in_other_words_fails() {
    let mut files = data::built_in();
    for file in &mut files {
        file.text = file
            .text
            .replace("-> no encryption", "-> no encrypted")
            .replace("-> SSL off", "-> SSL of");
    }
    let data = Data::parse(&files).unwrap();
    let (cells, results, _) = play(
        &data,
        &["force_ssl/"],
        |cell| cell.id.contains("/plaintext/"),
        Plant::default(),
    );
    assert!(!cells.is_empty());
    for result in &results {
        let Verdict::Fail(differences) = &result.verdict else {
            panic!("{}: {:?}", result.cell.id, result.verdict);
        };
        assert!(
            differences[0].starts_with("expected the wording"),
            "{differences:?}"
        );
    }
}

#[rstest]
#[case::exactly_as_recorded("refused authorise hba 28000  startup error:28000", "known", 0)]
#[case::otherwise_than_recorded("encrypted  sslrequest S hello tls", "fail", 1)]
fn a_known_divergence_is_known_only_as_recorded(
    #[case] seen: &str,
    #[case] verdict: &str,
    #[case] exit_code: u8,
) {
    // The row is made wrong, so that what the server does diverges from it.
    let data = with_known(NOTLS, seen, |text| {
        with_row(
            text,
            "plaintext * * no *",
            "refused authorise hba 28000  startup  28000",
        )
    });
    let id = NOTLS;
    let (_, results, summary) = play(&data, &[id], |_| true, Plant::default());
    assert_eq!(harness::report::verdict(&results[0].verdict), verdict);
    assert_eq!(summary.exit_code(), exit_code);
}

#[test]
fn a_known_divergence_that_is_gone_fails() {
    let data = with_known(NOTLS, "plaintext  startup", str::to_owned);
    let (_, results, _) = play(&data, &[NOTLS], |_| true, Plant::default());
    let Verdict::Fail(differences) = &results[0].verdict else {
        panic!("{:?}", results[0].verdict);
    };
    assert!(
        differences[0].contains("take the entry out"),
        "{differences:?}"
    );
}

const NOTLS: &str = "sslmode/tokio-postgres-notls/force-ssl/disable/none/right";

/// A text in which one row of a table, which must be there once, has other fields.
fn with_row(text: &str, coordinates: &str, fields: &str) -> String {
    let is_it = |line: &&str| {
        let left = line.split_once("->").map_or("", |(left, _)| left);
        left.split_whitespace().eq(coordinates.split(' '))
    };
    assert_eq!(text.lines().filter(is_it).count(), 1, "{coordinates}");
    let lines = text.lines().map(|line| match is_it(&line) {
        true => format!("{coordinates} -> {fields}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

fn with_known(id: &str, seen: &str, edit: impl Fn(&str) -> String) -> Data {
    let mut files = data::built_in();
    // A wrong row would stop the plan, as the written tables say otherwise.
    files.retain(|file| !file.name.starts_with("written/"));
    for file in &mut files {
        match file.name.as_str() {
            "known.toml" => {
                file.text = format!(
                    "[[known]]\ncells = \"{id}\"\nreason = \"a test\"\nlink = \"here\"\nseen = \"{seen}\"\n"
                );
            }
            "transport.toml" => file.text = edit(&file.text),
            _ => {}
        }
    }
    Data::read(&files).unwrap()
}

/// What is planted: nothing, in the server, or in the drivers.
#[derive(Clone, Copy, Default)]
struct Plant {
    server: Option<Alter>,
    driver: Option<Wrap>,
}

impl Plant {
    fn server(alter: Alter) -> Self {
        Self {
            server: Some(alter),
            driver: None,
        }
    }

    fn driver(wrap: Wrap) -> Self {
        Self {
            server: None,
            driver: Some(wrap),
        }
    }
}

/// Plays the selected cells with a fault planted; results in the cells' order.
#[tokio::main]
async fn play(
    data: &Data,
    filters: &[&str],
    takes: impl Fn(&Cell) -> bool,
    plant: Plant,
) -> (Vec<Cell>, Vec<CellResult>, Summary) {
    let engine = Backend::Embedded.engine(None).await.unwrap();
    let selection = Selection {
        filters: filters.iter().map(|&part| part.to_owned()).collect(),
        ..Selection::default()
    };
    let mut cells = Plan::new(data, &[engine.version()], &selection)
        .unwrap()
        .cells;
    cells.retain(takes);
    let workers = Workers {
        program: Some(env!("CARGO_BIN_EXE_rds-tls").as_ref()),
        ..Workers::of(data, None)
    };
    let mut setup = Setup::new(&workers, Options::default()).unwrap();
    if let Some(wrap) = plant.driver {
        for driver in setup.runner.drivers.values_mut() {
            *driver = wrap(Arc::clone(driver), setup.run_context.path());
        }
    }
    let mut endpoint = setup.endpoint(&engine).await.unwrap();
    if let Some(alter) = plant.server {
        endpoint = Box::new(Altered {
            inner: endpoint,
            alter,
        });
    }
    let mut collect = Collect::default();
    let mut summary = Summary::default();
    setup
        .runner
        .run(&mut *endpoint, &cells, &mut collect, &mut summary)
        .await;
    endpoint.shutdown().await.unwrap();
    setup.close().await.unwrap();
    let mut results = collect.0;
    results.sort_by_key(|result| cells.iter().position(|cell| cell.id == result.cell.id));
    (cells, results, summary)
}

#[derive(Default)]
struct Collect(Vec<CellResult>);

impl Sink for Collect {
    fn event(&mut self, event: &Event) {
        if let Event::CellJudged(result) = event {
            self.0.push((*result).clone());
        }
    }
}

/// Whether the tables expect something else of the same cell under another
/// value of an axis; of a driver that doesn't play that value, nothing else.
fn rows_differ(data: &Data, cell: &Cell, told: &str, does: &str) -> bool {
    let id = cell.case.id.replace(told, does);
    let other = (data.cases.iter())
        .find(|case| case.id == id)
        .and_then(|case| case.at(cell.target.version()));
    let expected = harness::report::expected;
    other.is_some_and(|other| expected(cell) != expected(&other))
}

fn is_refused_unparsed(cell: &Cell) -> bool {
    harness::report::expected(cell)
        .outcome
        .starts_with("refused parse")
}
