//! Someone's instance, which the harness neither started nor can configure.

#[path = "../emulate/bounded.rs"]
mod bounded;
#[path = "../conformance.rs"]
mod conformance;
mod counter;
#[path = "../program/mod.rs"]
mod program;
mod stand_in;

use std::{
    collections::BTreeSet,
    env, fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

/// So that a run which hangs is a failure.
const BOUND: Duration = Duration::from_mins(5);
/// Set where this program is started to play the suites as `cargo test` does: the
/// test program of that name is another, which this one doesn't know.
const AS_CONFORMANCE: &str = "RDS_TLS_TEST_AS_CONFORMANCE";

use counter::Counter;
use libtest_mimic::{Arguments, Completion, Trial};
use stand_in::{PASSWORD, Run, StandIn};

type Test = fn() -> Result<(), String>;
/// A server's major version, what is planted in it, and the cells that must
/// fail, each with its claim.
type Fault = (u16, &'static str, Pairs<'static>);
type Pairs<'a> = &'a [(&'a str, &'a str)];

fn main() -> ExitCode {
    harness::driver::worker::serve_if_asked(env::args_os());
    if env::var_os(AS_CONFORMANCE).is_some() {
        return conformance::main();
    }
    let tests: [(&str, Test); 9] = [
        (
            "runs_pass_and_send_what_the_document_lists",
            statements_are_listed,
        ),
        ("cargo_test_plays_it_too", cargo_test),
        ("sslinfo_is_created_where_that_is_allowed", sslinfo),
        ("what_is_wrong_has_a_sentence_of_its_own", sentences),
        ("a_run_ends_at_its_deadline", deadline),
        ("aurora_is_not_held_to_what_rds_promises", aurora),
        ("who_is_no_master_user_is_told_less", application),
        ("force_ssl_is_seen_where_it_is_not_shown", hidden),
        ("four_connections_are_open_at_once", four_at_once),
    ];
    let faults = FAULTS.into_iter().map(|(major, fault, cells)| {
        let test = move || planted(major, fault, cells);
        Trial::ignorable_test(format!("planted/{fault}@{major}"), move || Ok(told(test())))
    });
    let trials = tests
        .into_iter()
        .map(|(name, test)| Trial::ignorable_test(name, move || Ok(told(test()))));
    let trials: Vec<_> = trials.chain(faults).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A machine without the server program leaves a test out, counted.
fn told(result: Result<(), String>) -> Completion {
    match result {
        Ok(()) => Completion::Completed,
        Err(why) => Completion::ignored_with(why),
    }
}

const FAULTS: [Fault; 9] = [
    (17, "force-ssl-off", &[("force-ssl", "RDS-TLS-08")]),
    (14, "force-ssl-on", &[("force-ssl", "RDS-TLS-08")]),
    (17, "tls-off", &[("tls", "RDS-TLS-10")]),
    (
        17,
        "other-name",
        &[("name", "RDS-TLS-03"), ("common-name", "RDS-TLS-03")],
    ),
    (17, "no-cn", &[("common-name", "RDS-TLS-03")]),
    (17, "no-subordinate", &[("chain", "RDS-TLS-02")]),
    (17, "expired", &[("chain", "RDS-TLS-02")]),
    (17, "other-ca", &[("chain", "RDS-TLS-02")]),
    (17, "no-sslinfo", &[("sslinfo", "RDS-TLS-16")]),
];

fn planted(major: u16, fault: &str, expected: Pairs) -> Result<(), String> {
    let stand_in = StandIn::start(major, &["--plant", fault])?;
    let claims: BTreeSet<_> = expected.iter().map(|(_, claim)| *claim).collect();
    let found = stand_in.claims();
    let unrecorded: BTreeSet<_> = found.unrecorded().into_iter().collect();
    assert_eq!(unrecorded, claims, "{}", found.text);
    assert_eq!((found.count("broken"), found.code), (0, Some(1)));
    let run = stand_in.check(&[]);
    let expected: Vec<_> = (expected.iter())
        .map(|(about, claim)| (format!("instance/libpq/{about}@rds"), (*claim).to_owned()))
        .collect();
    assert_eq!(run.cells("fail"), expected, "{}", run.text);
    assert_eq!(run.count("broken"), 0, "{}", run.text);
    assert_eq!(run.code, Some(1));
    Ok(())
}

fn statements_are_listed() -> Result<(), String> {
    let mut sent = full_run(17, &[])?;
    sent.extend(full_run(14, &["--extension", "sslinfo"])?);
    let mut listed = listed();
    assert!(listed.remove("CREATE EXTENSION IF NOT EXISTS sslinfo"));
    assert_eq!(sent, listed);
    Ok(())
}

/// The statements that it sent.
fn full_run(major: u16, arguments: &[&str]) -> Result<BTreeSet<String>, String> {
    let stand_in = StandIn::start(major, arguments)?;
    let run = stand_in.check(&[]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    assert_eq!((run.count("fail"), run.count("broken")), (0, 0));
    assert!(run.count("pass") > 300, "{}", run.text);
    assert!(run.text.contains("found: RDS for PostgreSQL at 127.0.0.1"));
    assert!(run.text.contains("): it is about a server"));
    Ok(statements_of(&stand_in.log()))
}

/// The statements that a server's log tells of.
fn statements_of(log: &str) -> BTreeSet<String> {
    let text = |line: &str| {
        let (head, text) = line.split_once("LOG:  ")?.1.split_once(": ")?;
        let is_one = head == "statement" || head.starts_with("execute ");
        is_one.then(|| one_line(text.trim_end_matches(';')))
    };
    log.lines().filter_map(text).collect()
}

/// The statements that the document lists.
fn listed() -> BTreeSet<String> {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/your-own-instance.md");
    let document = fs::read_to_string(document).unwrap();
    let list = document.split("```sql\n").nth(1).unwrap();
    let list = list.split("```").next().unwrap();
    (list.lines())
        .map(|line| one_line(line.split(';').next().unwrap()))
        .collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The suites as `cargo test` plays them.
fn cargo_test() -> Result<(), String> {
    let stand_in = StandIn::start(17, &[])?;
    let mut conformance = program::without_an_instance(Command::new(env::current_exe().unwrap()));
    conformance
        .args(["instance/", "--test-threads", "1"])
        .envs(&stand_in.variables)
        .env(AS_CONFORMANCE, "1")
        .env("RDS_TLS_BACKEND", "embedded");
    let output = bounded::output(&mut conformance, BOUND).unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("instance/libpq/name@rds"), "{text}");
    assert_eq!(text.matches("instance/libpq/name@").count(), 2, "{text}");
    assert!(!text.contains(PASSWORD), "the password is in an output");
    Ok(())
}

fn sslinfo() -> Result<(), String> {
    let mut stand_in = StandIn::start(17, &[])?;
    let run = stand_in.check(&["instance/"]);
    assert!(run.text.contains("RDS_ALLOW_DDL is not 1"), "{}", run.text);
    assert!(!stand_in.log().contains("CREATE EXTENSION"));
    // The master user is no superuser, and sslinfo is not trusted: a skip.
    stand_in.set("RDS_ALLOW_DDL", "1");
    let run = stand_in.check(&["instance/"]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    assert!(run.text.contains("sslinfo can't be created: ERROR 42501"));
    assert!(
        stand_in
            .log()
            .contains("CREATE EXTENSION IF NOT EXISTS sslinfo")
    );
    Ok(())
}

fn four_at_once() -> Result<(), String> {
    let mut stand_in = StandIn::start(17, &[])?;
    let port: u16 = stand_in.variables["RDS_PORT"].parse().unwrap();
    let counter = Counter::before(([127, 0, 0, 1], port).into());
    stand_in.set("RDS_PORT", &counter.port.to_string());
    let run = stand_in.check(&["--jobs", "16"]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    assert!(counter.all() > 300, "{}", counter.all());
    assert_eq!(counter.most(), 4);
    Ok(())
}

fn deadline() -> Result<(), String> {
    let mut stand_in = StandIn::start(17, &[])?;
    stand_in.set("RDS_DEADLINE", "1");
    let run = stand_in.check(&["--jobs", "1"]);
    assert_eq!(run.code, Some(3), "{}", run.text);
    assert!(run.text.contains("after the 1 s that it may last here"));
    Ok(())
}

fn sentences() -> Result<(), String> {
    let stand_in = StandIn::start(17, &["--connections", "5"])?;
    let pki = stand_in.folder().join("pki");
    let file = |name: &str| pki.join(name).display().to_string();
    fs::write(pki.join("empty.pem"), "").unwrap();
    fs::write(
        pki.join("expired.pem"),
        first_certificate(&file("global-bundle.pem")),
    )
    .unwrap();
    fs::write(pki.join("wrong-password"), "not it\n").unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let ports = [&silent, &closed].map(|l| l.local_addr().unwrap().port().to_string());
    drop(closed);
    let web = speaks_http();
    let cases: [(Pairs, i32, &str); 9] = [
        (
            &[("RDS_PASSWORD_FILE", &file("wrong-password"))],
            2,
            "refused the password of master",
        ),
        (
            &[("RDS_CA_BUNDLE", &file("wrong-root.pem"))],
            2,
            "RDS_CA_BUNDLE is not this instance's",
        ),
        (
            &[("RDS_CA_BUNDLE", &file("empty.pem"))],
            2,
            "holds no certificate: download",
        ),
        (
            &[("RDS_CA_BUNDLE", &file("expired.pem"))],
            2,
            "all have expired",
        ),
        (&[("RDS_DATABASE", "nowhere")], 2, "check RDS_DATABASE"),
        (&[("RDS_PORT", &ports[1])], 3, "can't be reached"),
        (
            &[("RDS_PORT", &ports[0])],
            3,
            "took the connection and said nothing for 2 s",
        ),
        (
            &[("RDS_ENDPOINT", "no-such.invalid"), ("RDS_HOSTADDR", "")],
            3,
            "does not resolve",
        ),
        (&[("RDS_PORT", &web)], 3, "is no PostgreSQL"),
    ];
    for (changes, code, says) in cases {
        tells(&stand_in, changes, code, says);
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sessions = runtime.block_on(all_sessions(&stand_in));
    assert_eq!(sessions.len(), 4);
    tells(&stand_in, &[], 3, "takes no more connections");
    Ok(())
}

fn application() -> Result<(), String> {
    let left_out = "it needs a member of pg_monitor, and RDS_USER is none";
    holds_without(&["--user", "app"], left_out).map(drop)
}

fn hidden() -> Result<(), String> {
    let left_out = "the instance has no setting rds.force_ssl to show";
    let found = holds_without(&["--force-ssl", "hidden"], left_out)?;
    let claims = found.json["claims"].as_array().unwrap();
    let seen = claims.iter().find(|claim| claim["id"] == "RDS-TLS-08");
    assert_eq!(seen.unwrap()["verdict"], "holds");
    Ok(())
}

/// Nothing fails on 17, and what is left out for a reason says so; what is found of
/// the claims.
fn holds_without(arguments: &[&str], left_out: &str) -> Result<Run, String> {
    let stand_in = StandIn::start(17, arguments)?;
    let run = stand_in.check(&[]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    assert!(run.text.contains(left_out), "{}", run.text);
    let found = stand_in.claims();
    let told = (found.unrecorded(), found.code);
    assert_eq!(told, (vec![], Some(0)), "{}", found.text);
    Ok(found)
}

fn aurora() -> Result<(), String> {
    let stand_in = StandIn::start(17, &[])?;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let session = all_sessions(&stand_in).await.pop().unwrap();
        let function =
            "CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS 'SELECT 1::text'";
        session.batch_execute(function).await.unwrap();
    });
    let run = stand_in.check(&["instance/", "identity/libpq/right"]);
    assert_eq!(run.code, Some(0), "{}", run.text);
    assert!(run.text.contains("found: Aurora"), "{}", run.text);
    let left_out = "it is a promise of RDS for PostgreSQL, and this is Aurora";
    assert!(run.text.contains(left_out), "{}", run.text);
    assert!(run.count("pass") > 3, "{}", run.text);
    Ok(())
}

/// As many sessions as the server gives.
async fn all_sessions(stand_in: &StandIn) -> Vec<tokio_postgres::Client> {
    let connector = native_tls::TlsConnector::builder()
        .danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .build()
        .unwrap();
    let connector = postgres_native_tls::MakeTlsConnector::new(connector);
    let mut config = tokio_postgres::Config::new();
    config
        .host("127.0.0.1")
        .port(stand_in.variables["RDS_PORT"].parse().unwrap())
        .user("master")
        .password(PASSWORD)
        .dbname("app");
    let mut sessions = Vec::new();
    while let Ok((client, connection)) = config.connect(connector.clone()).await {
        tokio::spawn(connection);
        sessions.push(client);
    }
    sessions
}

fn tells(stand_in: &StandIn, changes: Pairs, code: i32, says: &str) {
    let mut variables = stand_in.variables.clone();
    variables.insert("RDS_CONNECT_TIMEOUT".to_owned(), "2".to_owned());
    for (name, value) in changes {
        variables.insert((*name).to_owned(), (*value).to_owned());
    }
    let mut check = program::rds_tls();
    check.args(["check", "--backend", "rds"]).envs(&variables);
    let output = bounded::output(&mut check, BOUND).unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{says}: {text}");
    assert!(text.contains(says), "{says}: {text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
    assert!(!text.contains(PASSWORD), "the password is in an output");
}

fn first_certificate(bundle: &str) -> String {
    let pem = fs::read_to_string(bundle).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    pem.split_inclusive(end).next().unwrap().to_owned()
}

/// The port of a server that answers whatever it is sent in HTTP.
fn speaks_http() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for mut stream in listener.incoming().filter_map(Result::ok) {
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    port.to_string()
}
