//! What is wrong with options and suite files is told with the way out, and
//! exit code 2.

mod program;

use std::{fs, path::Path, process::Output};

use rstest::rstest;
use tempfile::TempDir;

fn rds_tls(arguments: &[&str]) -> Output {
    program::rds_tls().args(arguments).output().unwrap()
}

#[rstest]
#[case(&["check", "--drivers", "no-such"], "unknown driver `no-such`; valid: libpq, ")]
#[case(&["check", "--suite", "no-such"], "unknown suite `no-such`; valid: ciphers, connection-string, ")]
#[case(&["check", "no-such-cell"], "no cell is selected")]
#[case(&["list", "no-such-cell"], "no cell is selected; see `rds-tls list` for their ids")]
#[case(&["check", "--engine", "9"], "\"9\" is no version of PostgreSQL from 10 on")]
#[case(&["check", "--engine", "17.99"], "17.99")]
#[case(&["check", "--engine", "x"], "invalid value 'x' for '--engine")]
#[case(&["check", "--jobs", "0"], "a number of 1 or more")]
#[case(&["check", "--json", "/no-such/run.json"], "/no-such/run.json can't be written")]
#[case(&["check", "--suites-from", "/no-such"], "/no-such/")]
#[case(&["check", "--engine", "all,12"], "PostgreSQL 12 is asked for twice")]
#[case(&["claims", "no-such-claim"], "no claim is selected; valid: RDS-TLS-01, ")]
#[case(&["claims", "--engine", "x"], "invalid value 'x' for '--engine")]
#[case(&["claims", "--json", "/no-such/run.json"], "/no-such/run.json can't be written")]
#[case(&["claims", "--suites-from", "/no-such"], "/no-such/")]
#[case(&["explain", "no-such-cell"], "no cell is called no-such-cell")]
#[case(&["explain", "sslmode/libpq/both/disable/none/right@9"], "engines 10 to 18")]
fn a_wrong_option_is_named(#[case] arguments: &[&str], #[case] says: &str) {
    let output = rds_tls(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(says), "{error}");
}

#[cfg(feature = "container")]
#[rstest]
#[case::no_daemon(
    &[("DOCKER_HOST", "unix:///no/such.sock")],
    "no Docker daemon answers",
)]
#[case::another_machine(
    &[("DOCKER_HOST", "tcp://192.0.2.1:2375")],
    "DOCKER_HOST names another machine (tcp://192.0.2.1:2375)",
)]
fn without_a_daemon_a_container_cannot_be_had_and_auto_says_so(
    #[case] environment: &[(&str, &str)],
    #[case] says: &str,
) {
    let run = |backend| {
        let output = program::rds_tls()
            .args(["check", "--backend", backend])
            .arg("connection-string/libpq/uri/disable")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), error)
    };
    let (code, error) = run("container");
    assert_eq!(code, Some(3), "{error}");
    assert!(error.starts_with(&format!("rds-tls: {says}")), "{error}");
    assert!(error.contains("`--backend embedded`"), "{error}");
    let (code, error) = run("auto");
    assert_eq!(code, Some(0), "{error}");
    let note = format!("rds-tls: backend: embedded, since {says}");
    assert!(error.starts_with(&note), "{error}");
}

#[test]
fn a_backend_is_named_in_the_environment_too() {
    let output = program::rds_tls()
        .arg("check")
        .env("RDS_TLS_BACKEND", "dokcer")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("dokcer"), "{error}");
    assert!(error.contains("auto, container, embedded"), "{error}");
}

#[rstest]
#[case::key(
    "cases/sslmode.toml",
    "force-ssl = { force_ssl = true }",
    "force-ssl = { force_tls = true }",
    "cases/sslmode.toml:8: unknown field `force_tls`, expected one of `force_ssl`"
)]
#[case::driver(
    "cases/sslmode.toml",
    "drivers = [\"libpq\"]",
    "drivers = [\"libqp\"]",
    "cases/sslmode.toml:48: unknown driver `libqp`; valid: libpq, "
)]
#[case::sslmode(
    "cases/sslmode.toml",
    "sslmode = \"verify-ca\"",
    "sslmode = \"verify_ca\"",
    "cases/sslmode.toml:18: unknown sslmode `verify_ca`; valid: allow, disable, "
)]
#[case::outcome(
    "cases/connection-string.toml",
    "disable,allow                                 -> plaintext",
    "disable,allow  -> plain",
    "cases/connection-string.toml:25: unknown outcome `plain`; valid: plaintext, encrypted, "
)]
#[case::wire(
    "cases/connection-string.toml",
    "plaintext  startup",
    "plaintext  begin",
    "cases/connection-string.toml:25: unknown wire word `begin`"
)]
#[case::axis_value(
    "cases/connection-string.toml",
    "disable,allow  ",
    "disable,alow  ",
    "cases/connection-string.toml:25: unknown axis value `alow`; valid: allow, "
)]
#[case::claim(
    "cases/force_ssl.toml",
    "claim = \"RDS-TLS-07\"",
    "claim = \"RDS-TLS-99\"",
    "unknown claim `RDS-TLS-99`; valid: RDS-TLS-01, "
)]
#[case::no_row(
    "cases/connection-string.toml",
    "*     disable,allow  ",
    "*     disable  ",
    "cell connection-string/libpq/key-value/allow@10 is matched by no row"
)]
#[case::two_rows(
    "cases/connection-string.toml",
    "unset,prefer,require,verify-ca,verify-full",
    "unset,prefer,require,verify-ca,verify-full,allow",
    "cell connection-string/libpq/key-value/allow@10 is matched by the rows on lines 25, 26"
)]
#[case::idle_row(
    "cases/connection-string.toml",
    "*     disable                      -> plaintext              startup",
    "*     disable                      -> plaintext              startup\n*     disable  -> encrypted  sslrequest S hello tls  since 19",
    "the row matches no cell"
)]
#[case::twin(
    "cases/connection-string.toml",
    "drivers = [\"tokio-postgres-notls\"]",
    "drivers = [\"libpq\"]",
    "stands in two tables"
)]
#[case::idle_known(
    "known.toml",
    "# Recorded",
    "[[known]]\ncells = \"sslmode/libpq/no-such/*\"\nreason = \"\"\nlink = \"\"\nseen = \"plaintext  startup\"\n# Recorded",
    "known.toml:2: `sslmode/libpq/no-such/*` matches no cell"
)]
#[case::configuration(
    "cases/sslmode.toml",
    "configuration = \"stack\"",
    "configuration = \"stacks\"",
    "unknown configuration `stacks`; valid: default, stack, "
)]
#[case::against_no_claim(
    "cases/connection-string.toml",
    "against RDS-TLS-02",
    "against RDS-TLS-99",
    "cases/connection-string.toml:37: unknown claim `RDS-TLS-99`; valid: RDS-TLS-01, "
)]
#[case::claim_without_a_case(
    "claims.toml",
    "[[claim]]\nid = \"RDS-TLS-01\"",
    "[[claim]]\nid = \"RDS-TLS-00\"\nparagraph = \"p\"\nsays = \"s\"\nengines = \"12+\"\n[[claim]]\nid = \"RDS-TLS-01\"",
    "claim RDS-TLS-00 has no case on PostgreSQL 12: write one, or say why not"
)]
#[case::measured_after_all(
    "claims.toml",
    "id = \"RDS-TLS-06\"",
    "id = \"RDS-TLS-06\"\nnot_measured = \"not yet\"",
    "claim RDS-TLS-06 has cases: take out what says that it isn't measured"
)]
#[case::nothing_looks_beside(
    "claims.toml",
    "[[beside]]\nid = \"PG-VERSIONS\"",
    "[[beside]]\nid = \"PG-IDLE\"\nsays = \"s\"\nwhy = \"w\"\n[[beside]]\nid = \"PG-VERSIONS\"",
    "no case looks at PG-IDLE: take it out"
)]
#[case::skipped_is_not_measured(
    "cases/settings.toml",
    "encrypted  sslrequest S hello tls  answers listing-10  until 10  against RDS-TLS-17",
    "skip: not now  until 10",
    "claim RDS-TLS-17 has no case on PostgreSQL 10"
)]
#[case::engines_of_a_claim(
    "claims.toml",
    "engines = \"16+\"",
    "engines = \"16-\"",
    "\"16-\" is no range of engines: write \"15\", \"15+\""
)]
#[case::engines_of_a_record(
    "claims.toml",
    "id = \"RDS-TLS-07\"",
    "id = \"RDS-TLS-07\"\nengines = \"10-13\"",
    "the record speaks of engines for which RDS-TLS-07 isn't made"
)]
#[case::no_toml("claims.toml", "[[claim]]", "[[claim", "claims.toml:")]
fn a_wrong_suite_file_is_named_with_its_line(
    #[case] file: &str,
    #[case] from: &str,
    #[case] to: &str,
    #[case] says: &str,
) {
    let folder = copy_of_suites();
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    let output = rds_tls(&["list", "--suites-from", folder.path().to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(says), "{error}");
}

#[test]
fn an_unchanged_copy_of_the_suites_lists_the_same_cells() {
    let folder = copy_of_suites();
    let copy = rds_tls(&["list", "--suites-from", folder.path().to_str().unwrap()]);
    assert_eq!(copy.stdout, rds_tls(&["list"]).stdout);
}

fn copy_of_suites() -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let to = tempfile::tempdir().unwrap();
    for name in ["claims.toml", "known.toml"] {
        fs::copy(from.join(name), to.path().join(name)).unwrap();
    }
    for sub in ["cases", "drivers"] {
        fs::create_dir(to.path().join(sub)).unwrap();
        for entry in fs::read_dir(from.join(sub)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.path().join(sub).join(entry.file_name())).unwrap();
        }
    }
    to
}

#[test]
fn a_driver_joins_by_its_profile_and_its_worker() {
    let folder = copy_of_suites();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let profile = fs::read_to_string(folder.path().join("drivers/libpq.toml")).unwrap();
    let profile = profile.replace(
        "id = \"libpq\"",
        "id = \"mine\"\nworker = [\"sh\", \"worker.sh\"]",
    );
    let profile = profile.replace(
        "worker.sh",
        folder.path().join("worker.sh").to_str().unwrap(),
    );
    write("drivers/mine.toml", &profile);
    write(
        "worker.sh",
        r#"echo '{"hello":{"contract":1,"driver":"mine","version":"1","tls":null,"configurations":["default"],"capabilities":[]}}'
        while read -r line; do
            id=$(expr "$line" : '.*"id":\([0-9]*\)')
            echo "{\"could_not_run\":{\"id\":$id,\"why\":\"it was only a test\"}}"
        done
        "#,
    );
    let table = fs::read_to_string(folder.path().join("cases/connection-string.toml")).unwrap();
    let table = table.replace("drivers = [\"libpq\"]", "drivers = [\"libpq\", \"mine\"]");
    write("cases/connection-string.toml", &table);

    let suites = folder.path().to_str().unwrap();
    let output = rds_tls(&["check", "--suites-from", suites, "--drivers", "mine"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("it was only a test"), "{text}");
    assert!(text.contains("14 broken"), "{text}");
}

#[test]
fn a_driver_without_a_worker_is_named() {
    let folder = copy_of_suites();
    let profile = fs::read_to_string(folder.path().join("drivers/libpq.toml")).unwrap();
    let mine = profile.replace("id = \"libpq\"", "id = \"mine\"");
    fs::write(folder.path().join("drivers/mine.toml"), mine).unwrap();
    let output = rds_tls(&["check", "--suites-from", folder.path().to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("the profile of mine names no `worker`"),
        "{error}"
    );
}
