//! What people and programs read, as it stands.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use certs_gen::GivenFiles;

use super::*;
use crate::{
    driver::{About, worker::protocol::Capability},
    endpoint::{Applied, EndpointKind, Facts, Limits, Login},
    findings::{Finding, Played},
    fixture::{AES, HBA, cell, cell_on_own_chain, data, refused, session, startup, tls},
    judge::{self, Observation},
    policy::Policy,
    run::{CellResult, Event, Sink, Summary, broken},
    suite::{Cell, Claims, Names, OwnChain, SourceFile, Target},
};

const SECRET: &str = "correct-horse-battery";

fn facts() -> Facts {
    let login = |user: &str| Login {
        user: user.to_owned(),
        password: SECRET.to_owned().into(),
        database: "postgres".to_owned(),
    };
    Facts {
        kind: EndpointKind::Embedded,
        engine: "17.6".parse().unwrap(),
        host: "db.example".to_owned(),
        address: SocketAddr::from(([127, 0, 0, 1], 5432)),
        master: login("app"),
        stranger: login("stranger"),
        trust: BTreeMap::new(),
        limits: Limits::default(),
        found: Vec::new(),
    }
}

/// Results of every verdict.
fn results() -> Vec<CellResult> {
    let known = "[[known]]\ncells = \"t/d/plaintext\"\nreason = \"it is a test\"\n\
                 link = \"here\"\nseen = \"encrypted  sslrequest S hello tls\"\n";
    let encrypted = || session(Some(true), Some(("TLSv1.3", AES)));
    let mut results = vec![
        result(cell("encrypted", ""), encrypted(), tls("TLSv1.3", AES)),
        result(
            cell("contrary", ""),
            session(Some(false), None),
            startup(None),
        ),
        result(
            cell("refused", ""),
            session(Some(false), None),
            startup(None),
        ),
        result(
            cell("refused", ""),
            refused("no pg_hba.conf entry, sorry"),
            startup(Some(HBA)),
        ),
        result(cell("plaintext", known), encrypted(), tls("TLSv1.3", AES)),
    ];
    let rest = [cell("skipped", ""), cell("tls13", "")];
    results.extend(broken(&rest, "the server is gone"));
    results
}

fn result(
    cell: Cell,
    outcome: crate::driver::Outcome,
    transcript: crate::tap::Transcript,
) -> CellResult {
    let observation = Observation {
        outcome,
        transcript,
    };
    let seen = judge::read(&cell.case.driver, &observation);
    let form = crate::driver::Form::KeyValue;
    let names = Names::of("h", "u", "d", form, &observation.outcome);
    let verdict = judge::judge(&cell, &names, &observation, &seen);
    CellResult {
        cell,
        seen: Some((observation, seen)),
        verdict,
        took: Duration::from_micros(7250),
    }
}

fn play(sink: &mut dyn Sink) {
    let mut summary = Summary::default();
    sink.event(&Event::EndpointReady {
        facts: &facts(),
        cells: 6,
        policies: 1,
    });
    sink.event(&Event::PolicyApplied {
        policy: &Policy::default(),
        applied: &Applied {
            leaf_sha256: None,
            negotiated: Some(("TLSv1.3".to_owned(), AES.to_owned())),
            took: Duration::from_millis(8),
        },
    });
    for result in results() {
        summary.count(&result);
        sink.event(&Event::AttemptDone);
        sink.event(&Event::CellJudged(&result));
    }
    summary.seconds = 1.5;
    sink.event(&Event::Drivers(&[About {
        id: "d".to_owned(),
        version: "1.2".to_owned(),
        tls: Some("OpenSSL 3".to_owned()),
        capabilities: vec![Capability::Uri],
    }]));
    sink.event(&Event::Finished(&summary));
}

fn console(verbose: bool) -> String {
    let mut out = Vec::new();
    play(&mut Console::new(
        &mut out,
        data("").claims.as_ref().clone(),
        verbose,
    ));
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

#[test]
fn the_console_tells_failures_in_full_and_the_rest_in_tables() {
    insta::assert_snapshot!(console(false));
}

#[test]
fn the_verbose_console_has_a_line_for_every_cell() {
    let text = console(true);
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        lines("pass    t/d/encrypted@17  encrypted; wire: sslrequest S hello tls"),
        1
    );
    assert_eq!(lines("known   t/d/plaintext@17"), 1);
    assert_eq!(lines("skipped t/d/skipped@17  for a reason"), 1);
}

#[test]
fn a_verbose_console_shows_policies_versions_suites_and_claims() {
    insta::assert_snapshot!(console(true));
}

#[test]
fn json_is_what_the_readme_says() {
    insta::assert_snapshot!(json());
}

#[test]
fn no_report_holds_a_password() {
    let (text, json_of_claims) = claims(false);
    for text in [console(true), json(), text, json_of_claims] {
        assert!(!text.contains(SECRET));
    }
}

/// The claims of the results, one of them recorded.
fn claims(recorded: bool) -> (String, String) {
    let text = "[[claim]]\nid = \"C\"\nparagraph = \"p\"\nsays = \"s\"\n\
                [[claim.differs]]\ncells = [\"t cell=odd\"]\nactual = \"d encrypts.\"\n\
                reason = \"It may.\"\nlink = \"there\"\n\
                [[claim.revisions]]\ndated = \"newer copies\"\nsays = \"t\"\n";
    let record = "[[claim.stale]]\nengines = \"17\"\nactual = \"Otherwise.\"\n\
                  reason = \"It is a test.\"\nlink = \"here\"\n";
    let unmeasured = "[[claim]]\nid = \"U\"\nparagraph = \"p\"\nsays = \"u\"\nuntestable = \"w\"\n";
    let file = SourceFile {
        name: "claims.toml".to_owned(),
        text: [text, if recorded { record } else { "" }, unmeasured].concat(),
    };
    let claims = Claims::parse(&file).unwrap();
    let mut gather = Gather::new(std::io::sink());
    let mut summary = Summary::default();
    gather.event(&Event::EndpointReady {
        facts: &facts(),
        cells: 3,
        policies: 1,
    });
    let encrypted = || session(Some(true), Some(("TLSv1.3", AES)));
    let plaintext = session(Some(false), None);
    let mut results = vec![
        result(cell("encrypted", ""), encrypted(), tls("TLSv1.3", AES)),
        result(cell("contrary", ""), plaintext, startup(None)),
        result(cell("odd", ""), encrypted(), tls("TLSv1.3", AES)),
        result(cell("refused", ""), refused(HBA), startup(Some(HBA))),
    ];
    if !recorded {
        results.extend(broken(&[cell("named", "")], "the server is gone"));
    }
    for result in results {
        summary.count(&result);
        gather.event(&Event::CellJudged(&result));
    }
    summary.seconds = 1.5;
    let findings: Vec<Finding> = (claims.iter())
        .filter_map(|claim| {
            Finding::of(
                claim,
                gather.played(Target::Emulated("17".parse().unwrap())),
                &gather.judged,
            )
        })
        .collect();
    let text = claims_text(&findings, &summary);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut json = Vec::new();
    let claims = JsonClaims::new(&findings, &gather.endpoints, &summary);
    claims.write(&mut json).unwrap();
    (lines.join("\n"), String::from_utf8(json).unwrap())
}

#[test]
fn claims_are_told_in_a_table_and_what_does_not_hold_in_full() {
    let [recorded, unrecorded] = [true, false].map(|recorded| claims(recorded).0);
    insta::assert_snapshot!(format!("{recorded}\n\n{unrecorded}"));
}

#[test]
fn the_json_of_claims_is_what_the_readme_says() {
    insta::assert_snapshot!(claims(true).1);
}

fn json() -> String {
    let out = Shared::default();
    play(&mut Json::new(Box::new(out.clone())));
    let text = out.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

#[derive(Clone, Default)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_cell_is_shown_again_by_lines_to_paste() {
    let facts = facts();
    let files = |_| "/pki/root.pem".to_owned();
    let stage = Stage {
        facts: &facts,
        files: &files,
    };
    let lines = [
        steps(&cell("encrypted", "")),
        repro(&cell("encrypted", ""), Some(&stage)),
        repro(&cell("plaintext", ""), None),
    ];
    insta::assert_snapshot!(lines.map(|lines| lines.join("\n")).join("\n\n"));
}

#[test]
fn a_cell_on_somebodys_own_chain_is_shown_again_by_their_files() {
    let own = OwnChain {
        files: GivenFiles {
            chain: "chain.pem".into(),
            key: "leaf.key".into(),
            trust: "of $staging/it's.pem".into(),
        },
        host: "db.example.com".to_owned(),
    };
    let cell = cell_on_own_chain().on(Some(&own.into()));
    insta::assert_snapshot!(repro(&cell, None).join("\n"));
}

#[test]
fn an_instance_without_findings_passes_for_a_server_of_the_run() {
    let mut instance = facts();
    instance.kind = EndpointKind::Rds;
    let mut gather = Gather::new(std::io::sink());
    gather.event(&Event::EndpointReady {
        facts: &instance,
        cells: 1,
        policies: 1,
    });
    let target = Target::Emulated("17".parse().unwrap());
    assert_eq!(gather.played(target), Played::planned(target));
}
