//! What is wrong with options and suite files is told with the way out, and
//! exit code 2.

mod copy;
mod program;

use std::{fs, process::Output};

use copy::copy_of_suites;
use rstest::rstest;

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
    "axes.toml",
    "force-ssl = { force_ssl = true }",
    "force-ssl = { force_tls = true }",
    "axes.toml:5: unknown field `force_tls`, expected one of `force_ssl`"
)]
#[case::driver(
    "cases/settings.toml",
    "drivers = [\"libpq\"]",
    "drivers = [\"libqp\"]",
    "unknown driver `libqp`; valid: libpq, "
)]
#[case::axis(
    "cases/identity.toml",
    "\"leaf\"",
    "\"leaves\"",
    "cases/identity.toml:7: unknown axis `leaves`; valid: leaf, "
)]
#[case::axis_value(
    "cases/sslmode.toml",
    "leaf=right,other",
    "leaf=right,others",
    "unknown axis value `others`; valid: right, "
)]
#[case::column(
    "cases/session.toml",
    "ask          transport    engine  -> sees",
    "aks          transport    engine  -> sees",
    "unknown column `aks`; valid: transport, ask, "
)]
#[case::outcome(
    "transport.toml",
    "-> plaintext  ",
    "-> plain      ",
    "unknown outcome `plain`; valid: plaintext, encrypted, "
)]
#[case::wire(
    "transport.toml",
    "startup error:28000",
    "begin error:28000  ",
    "unknown wire word `begin`"
)]
#[case::one_blank_where_two_are_due(
    "transport.toml",
    "startup                 -",
    "startup -",
    "2 fields right of the arrow, and 3 are due"
)]
#[case::four_facts(
    "drivers/libpq.toml",
    "-> nothing                 none",
    "-> nohting                 none",
    "unknown word for what is verified `nohting`; valid: nothing, chain, chain+name"
)]
#[case::no_row(
    "drivers/libpq.toml",
    "*              allow                          *                     -> plaintext,tls  any\n",
    "",
    "the table `tries` of the driver libpq has no row for configuration default, sslmode allow, trust file"
)]
#[case::two_rows(
    "drivers/libpq.toml",
    "*              prefer  ",
    "*              prefer,allow  ",
    "both match configuration default, sslmode allow"
)]
#[case::a_row_that_differs_from_the_written_table(
    "drivers/libpq.toml",
    "verify-full                           file,home            -> chain+name ",
    "verify-full                           file,home            -> chain      ",
    "the written table says `"
)]
#[case::no_certificate_row(
    "verifiers/openssl.toml",
    "leaf-only                                       both               !nothing    -> taken                 -\n",
    "",
    "matches leaf leaf-only, anchors both, verifies chain"
)]
#[case::a_row_that_says_what_its_base_says(
    "verifiers/libpq.toml",
    "ip-cn-by-ip,ip-as-dns-by-ip                root,both  chain+name  -> taken             -",
    "ip-cn-by-ip,ip-as-dns-by-ip                root,both  chain+name  -> taken             -\nright                                      root,both  chain+name  -> taken             -",
    "the row says what the verifier that this one is like says already"
)]
#[case::idle_row(
    "cases/psql.toml",
    "17,18           tls        10-16   -> answers tls-17-without",
    "17,18           tls        10-16   -> answers tls-17-without\n19              tls        *       -> answers tls-17",
    "the row speaks of no cell"
)]
#[case::twin(
    "cases/connection-string.toml",
    "[[play]]",
    "[[play]]\naxes = [\"form\", \"sslmode\"]\nsets = { force_ssl = true }\n[[play]]",
    "stands twice, there and at cases/connection-string.toml:"
)]
#[case::idle_known(
    "known.toml",
    "# Recorded",
    "[[known]]\ncells = \"sslmode/libpq/no-such/*\"\nreason = \"\"\nlink = \"\"\nseen = \"plaintext  startup\"\n# Recorded",
    "known.toml:2: `sslmode/libpq/no-such/*` names no cell"
)]
#[case::options_that_shadow_a_key(
    "cases/force_ssl.toml",
    "tls = { sslmode = \"require\" }",
    "tls = { sslmode = \"require\", options = { sslmode = \"disable\" } }",
    "`options` sets sslmode, which has a key of its own"
)]
#[case::placeholder(
    "transport.toml",
    "user \"{user}\"",
    "user \"{usr}\"",
    "unknown placeholder `{usr}`; valid: {client}, {user}, {database}, {encryption}"
)]
#[case::a_note_given_twice(
    "cases/settings.toml",
    "-> answers ssl-on",
    "-> answers ssl-on  answers ssl-on",
    "the note `answers` is given twice"
)]
#[case::a_question_without_an_answer(
    "cases/session.toml",
    "ssl_version  *            *       -> answers version",
    "ssl_version  *            10-17   -> answers version\nssl_version  *            18      -> -",
    "asks, and no row answers"
)]
#[case::nobody_is_refused_without_a_text(
    "transport.toml",
    "-> no              no-entry",
    "-> no              -",
    "who is not admitted is refused in a text, and nobody else"
)]
#[case::an_answer_that_nothing_uses(
    "cases/settings.toml",
    "-> answers ssl-on",
    "-> -",
    "nothing uses the answer `ssl-on`"
)]
#[case::a_query_of_no_axis(
    "claims.toml",
    "settings force_ssl=on,off",
    "settings forced=on,off",
    "unknown axis or fact `forced`; valid: "
)]
#[case::a_query_that_finds_nothing(
    "claims.toml",
    "settings force_ssl=on,off",
    "settings force_ssl=1,0",
    "`settings force_ssl=1,0` of claim RDS-TLS-13 finds no cell"
)]
#[case::two_lists(
    "claims.toml",
    "kept_by = [\"psql transport=plaintext\"]",
    "kept_by = [\"psql transport=plaintext,tls\"]",
    "is found by two lists of claim RDS-TLS-15"
)]
#[case::measured_after_all(
    "claims.toml",
    "id = \"RDS-TLS-06\"",
    "id = \"RDS-TLS-06\"\nnot_measured = \"not yet\"",
    "claim RDS-TLS-06 names cells: take out what says that it isn't measured"
)]
#[case::skipped_is_not_measured(
    "cases/settings.toml",
    "master    10      -> answers listing-10",
    "master    10      -> skip: not now",
    "nothing uses the answer `listing-10`"
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
    "is of engines for which RDS-TLS-07 isn't made"
)]
#[case::defaults(
    "engines.toml",
    "engine    = \"12\"",
    "engine    = \"13\"",
    "engines.toml:"
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

#[test]
fn a_driver_joins_by_its_page_and_its_worker() {
    let folder = copy_of_suites();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let worker = folder.path().join("worker.sh");
    let page = format!(
        "[driver]\nid = \"mine\"\nname = \"mine\"\ndefault = \"prefer\"\nlike = \"libpq\"\n\
         suites = [\"connection-string\"]\nsources = []\nworker = [\"sh\", {worker:?}]\n"
    );
    write("drivers/mine.toml", &page);
    write(
        "worker.sh",
        r#"echo '{"hello":{"contract":1,"driver":"mine","version":"1","tls":null,"configurations":["default"],"capabilities":[]}}'
        while read -r line; do
            id=$(expr "$line" : '.*"id":\([0-9]*\)')
            echo "{\"could_not_run\":{\"id\":$id,\"why\":\"it was only a test\"}}"
        done
        "#,
    );
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
    let page = "[driver]\nid = \"mine\"\nname = \"mine\"\ndefault = \"prefer\"\nlike = \"libpq\"\n\
                suites = [\"connection-string\"]\nsources = []\n";
    fs::write(folder.path().join("drivers/mine.toml"), page).unwrap();
    let output = rds_tls(&["check", "--suites-from", folder.path().to_str().unwrap()]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("the page of mine names no `worker`"),
        "{error}"
    );
}
