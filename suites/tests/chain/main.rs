//! `rds-tls check --server-chain`: exit 0 means that every driver takes the
//! chain, exit 1 names those that don't, and no others.

#[path = "../guard/mod.rs"]
mod guard;
#[path = "../proc/mod.rs"]
mod proc;
#[path = "../program/mod.rs"]
mod program;
mod staging;
#[path = "../tree/mod.rs"]
mod tree;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use certs_gen::{EndpointName, Leaf, Pki, Trust};
use guard::Guard;
use nix::sys::signal::{Signal, kill};
use openssl::{
    ssl::{Ssl, SslContext, SslMethod},
    x509::X509,
};
use proc::arguments_and_environments;
use rstest::rstest;
use serde_json::Value;
use staging::{Files, HOST};
use tempfile::TempDir;
use tree::files;

/// The drivers whose rows are written down here.
const DRIVERS: &str = "libpq,tokio-postgres-native-tls,tokio-postgres-rustls,tokio-postgres-notls";

/// The cells of a run, without their engine: `libpq/verify-full`.
const CELLS: [&str; 8] = [
    "libpq/require",
    "libpq/verify-ca",
    "libpq/verify-full",
    "tokio-postgres-native-tls/require",
    "tokio-postgres-native-tls:any-hostname/require",
    "tokio-postgres-native-tls:stack/require",
    "tokio-postgres-rustls/require",
    "tokio-postgres-rustls:any-hostname/require",
];

/// A driver's cells that refuse: part of their ids, outcome, alert in clear.
/// rustls encrypts its alerts under TLS 1.3, and so has none here.
type Refusals = &'static [(&'static str, &'static str, Option<&'static str>)];

const NONE: Refusals = &[];

/// RFC 5280, 6.1: no path to a trust anchor.
const NO_PATH: Refusals = &[
    ("libpq/", "refused tls verify", Some("unknown_ca")),
    ("native-tls", "refused tls chain", Some("unknown_ca")),
    ("rustls", "refused tls chain", None),
];

/// OpenSSL wants a self-signed anchor (`X509_V_FLAG_PARTIAL_CHAIN` is not set);
/// rustls-webpki takes any certificate for one.
const PARTIAL_PATH: Refusals = &[
    ("libpq/", "refused tls verify", Some("unknown_ca")),
    ("native-tls", "refused tls chain", Some("unknown_ca")),
];

/// docs.rs native-tls, `Certificate::from_pem`: one certificate of a file.
const FIRST_ANCHOR_ALONE: Refusals = &[(
    "native-tls/require",
    "refused tls chain",
    Some("unknown_ca"),
)];

/// PostgreSQL 18, 32.19.1: verify-full alone compares the name, and a CN where
/// there is no SAN; so does OpenSSL. RFC 9525, 6.1, and rustls-webpki: no CN.
const NO_SAN: Refusals = &[("rustls/require", "refused tls name", None)];

/// The same of a SAN for another name. libpq looks after the handshake, and
/// sends no alert.
const OTHER_NAME: Refusals = &[
    ("libpq/verify-full", "refused tls name", None),
    (
        "native-tls/require",
        "refused tls name",
        Some("bad_certificate"),
    ),
    (
        "native-tls:stack/",
        "refused tls name",
        Some("bad_certificate"),
    ),
    ("rustls/require", "refused tls name", None),
];

/// RFC 5280, 6.1.3 (a)(2).
const OVER: Refusals = &[
    ("libpq/", "refused tls verify", Some("certificate_expired")),
    (
        "native-tls",
        "refused tls validity",
        Some("certificate_expired"),
    ),
    ("rustls", "refused tls validity", None),
];

/// RFC 5929, 4.1: the channel binding tls-server-end-point is undefined where
/// the certificate's signature names no hash, as Ed25519's doesn't. A server
/// offers it since PostgreSQL 11, and libpq gives up over it
/// (fe-secure-openssl.c, `pgtls_get_peer_certificate_hash`).
const NO_CHANNEL_BINDING: Refusals = &[("libpq/", "refused authenticate channel-binding", None)];

/// As cases/identity.toml has it of a leaf with such a key.
const WEAK_KEY: Refusals = &[
    ("libpq/", "refused tls verify", Some("bad_certificate")),
    (
        "native-tls",
        "refused tls weak-key",
        Some("bad_certificate"),
    ),
    ("rustls", "refused tls signature", None),
];

#[rstest]
#[case::two_intermediates(staging::two_intermediates, NONE)]
#[case::wildcard(staging::wildcard, NONE)]
// RFC 8446, 4.4.2: clients should take any order behind the leaf.
#[case::wrong_order(staging::wrong_order, NONE)]
// The trusted root is taken before the one that was sent: X509_V_FLAG_TRUSTED_FIRST,
// OpenSSL's default since 1.1.0; rustls-webpki, build_chain_inner.
#[case::cross_signed(staging::cross_signed, NONE)]
// RFC 8446, 4.2.3, has ed25519, and both libraries do.
#[case::ed25519(staging::ed25519, NONE)]
#[case::missing_intermediate(staging::missing_intermediate, NO_PATH)]
#[case::intermediate_trusted(staging::intermediate_trusted, PARTIAL_PATH)]
#[case::second_anchor(staging::second_anchor, FIRST_ANCHOR_ALONE)]
#[case::cn_only(staging::cn_only, NO_SAN)]
#[case::other_name(staging::other_name, OTHER_NAME)]
#[case::expired(staging::expired, OVER)]
#[case::ed25519_throughout(staging::ed25519_throughout, NO_CHANNEL_BINDING)]
#[case::rsa4096(|| ours(Leaf::Rsa4096), NONE)]
#[case::p384(|| ours(Leaf::P384), NONE)]
#[case::rsa1024(|| ours(Leaf::Rsa1024), WEAK_KEY)]
fn exactly_those_drivers_refuse_a_chain_that_documents_say(
    #[case] given: fn() -> Files,
    #[case] refusals: Refusals,
) {
    let folder = folder_with(&given());
    let output = check(&folder, &["--drivers", DRIVERS, "--json", "run.json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let run: Value = read_json(&folder.path().join("run.json"));

    let seen: BTreeMap<String, Seen> = (run["cells"].as_array().unwrap().iter())
        .filter(|cell| cell["verdict"] != "skipped")
        .map(Seen::of)
        .collect();
    assert_eq!(seen.keys().collect::<Vec<_>>(), CELLS, "{text}");
    for (cell, seen) in &seen {
        let mut refusals = refusals.iter().filter(|(part, _, _)| cell.contains(part));
        let Some((_, outcome, alert)) = refusals.next() else {
            assert_eq!(seen.verdict, "pass", "{cell}: {text}");
            continue;
        };
        assert_eq!(seen.verdict, "fail", "{cell}: {text}");
        assert!(
            seen.outcome.starts_with(outcome),
            "{cell}: {}",
            seen.outcome
        );
        if let Some(alert) = alert {
            let wire = format!("sslrequest S hello alert:{alert}");
            assert_eq!(seen.wire, wire, "{cell}");
        }
        assert!(text.contains(&format!("\nFAIL chain/{cell}@")), "{text}");
        assert!(text.contains(&seen.message), "{text}");
    }
    let fails = !refusals.is_empty();
    assert_eq!(output.status.code(), Some(i32::from(fails)), "{text}");
    if fails {
        let again = format!(
            "rds-tls explain --serve --server-chain chain.pem --server-key leaf.key \
             --trust trust.pem --host {HOST} chain/"
        );
        assert!(text.contains(&again), "{text}");
    }
    assert_eq!(run["endpoints"][0]["host"], HOST);
    assert_keeps(&folder, &(text + &run.to_string()));
    assert_nothing_left(&folder);
}

/// What a run says of a cell.
struct Seen {
    verdict: String,
    outcome: String,
    wire: String,
    message: String,
}

impl Seen {
    fn of(cell: &Value) -> (String, Self) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let id = text(&cell["id"]);
        let id = id.strip_prefix("chain/").unwrap();
        let seen = Self {
            verdict: text(&cell["verdict"]),
            outcome: text(&cell["observed"]["outcome"]),
            wire: text(&cell["observed"]["wire"]),
            message: text(&cell["outcome"]["message"]),
        };
        (id.split('@').next().unwrap().to_owned(), seen)
    }
}

#[test]
fn words_and_drivers_select_cells() {
    let folder = folder_with(&staging::two_intermediates());
    let output = check(&folder, &["-v", "--drivers", "libpq", "verify-"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let passed = text.lines().filter(|line| line.starts_with("pass "));
    assert_eq!(passed.count(), 2, "{text}");
    assert!(
        text.contains("\n2 cells, 2 opened a socket: 2 pass"),
        "{text}"
    );
}

/// The listed cells are those of the options, and the ordinary ones have none
/// of them.
#[test]
fn the_cells_are_listed_with_the_options_alone() {
    let folder = folder_with(&staging::two_intermediates());
    let with = rds_tls(&folder, "list").args(options()).output().unwrap();
    let with = String::from_utf8(with.stdout).unwrap();
    assert!(
        with.lines().all(|line| line.starts_with("chain/")),
        "{with}"
    );
    for cell in CELLS {
        assert!(with.contains(&format!("chain/{cell}@")), "{with}");
    }
    let without = rds_tls(&folder, "list").output().unwrap();
    let without = String::from_utf8(without.stdout).unwrap();
    assert!(!without.contains("chain/libpq") && without.contains("sslmode/libpq"));
}

#[rstest]
#[case("--server-chain")]
#[case("--server-key")]
#[case("--trust")]
#[case("--host")]
fn an_option_that_is_missing_is_named(#[case] missing: &str) {
    let folder = folder_with(&staging::two_intermediates());
    let all = options();
    let rest = all.chunks(2).filter(|option| option[0] != missing);
    for command in ["check", "list"] {
        let output = rds_tls(&folder, command)
            .args(rest.clone().flatten())
            .output();
        let output = output.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains(&format!("not provided:\n  {missing} <")),
            "{error}"
        );
    }
}

/// Nothing else can be wrong yet: there is no engine to be had.
#[rstest]
#[case::chain(("chain.pem", ""), HOST, "chain.pem holds no certificate in PEM")]
#[case::key(("leaf.key", ""), HOST, "leaf.key holds no private key in PEM")]
#[case::trust(("trust.pem", "root"), HOST, "trust.pem holds no certificate in PEM")]
#[case::address(("other", ""), "10.0.0.5", "--host: 10.0.0.5 is an address")]
#[case::no_name(("other", ""), "*.example.com", "--host: `*.example.com` is not a DNS name")]
fn what_is_wrong_is_told_before_anything_is_started(
    #[case] (file, contents): (&str, &str),
    #[case] host: &str,
    #[case] says: &str,
) {
    let folder = folder_with(&staging::two_intermediates());
    fs::write(folder.path().join(file), contents).unwrap();
    let mut options = options();
    *options.last_mut().unwrap() = host;
    let output = rds_tls(&folder, "check")
        .args(options)
        .args(["--engine", "17.99", "--json", "run.json"])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with(&format!("rds-tls: {says}")), "{error}");
    assert!(!folder.path().join("run.json").exists());
    assert_nothing_left(&folder);
}

#[test]
fn the_key_of_another_leaf_is_told_before_anything_is_started() {
    let folder = folder_with(&staging::two_intermediates());
    let other = staging::two_intermediates().key;
    fs::write(folder.path().join("leaf.key"), other).unwrap();
    let output = check(&folder, &["--engine", "17.99"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    let says = "the private key in leaf.key doesn't belong to the first certificate of chain.pem";
    assert!(error.contains(says), "{error}");
}

#[test]
fn ordinary_cases_can_not_ask_for_what_nobody_gave() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str, to: &str| {
        let to = folder.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(name), to).unwrap();
    };
    for name in ["axes", "claims", "engines", "known", "transport"] {
        copy(&format!("{name}.toml"), &format!("{name}.toml"));
    }
    for sub in ["drivers", "refusals", "verifiers"] {
        for entry in fs::read_dir(from.join(sub)).unwrap() {
            let name = format!("{sub}/{}", entry.unwrap().file_name().display());
            copy(&name, &name);
        }
    }
    copy("chain.toml", "cases/mine.toml");
    fs::create_dir(folder.path().join("written")).unwrap();
    let output = rds_tls(&folder, "list")
        .args(["--suites-from", "."])
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("cases/mine.toml:"), "{error}");
    assert!(error.contains("stands in chain.toml alone"), "{error}");
}

/// A server that is up shows the person's leaf, and holds the key where its
/// user alone can read it; both go with it.
#[test]
fn the_served_leaf_is_the_given_one_and_its_key_stays_closed() {
    let folder = folder_with(&staging::two_intermediates());
    let run = rds_tls(&folder, "explain")
        .args(["--serve", "chain/libpq/verify-full"])
        .args(options())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut run = Guard(run.unwrap());
    let mut out = BufReader::new(run.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("\nuntil") {
        assert_ne!(out.read_line(&mut text).unwrap(), 0, "it ended: {text}");
    }

    let address = text.split(" at ").nth(1).unwrap().lines().next().unwrap();
    let chain = fs::read(folder.path().join("chain.pem")).unwrap();
    let leaf = X509::from_pem(&chain).unwrap().to_der().unwrap();
    assert_eq!(served_leaf(address).to_der().unwrap(), leaf);

    let key = key_body(&folder);
    let holding: Vec<PathBuf> = (files(&folder.path().join("tmp")).into_iter())
        .filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(&key)))
        .collect();
    assert!(!holding.is_empty());
    for path in &holding {
        let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    assert!(!text.contains(&key) && !arguments_and_environments().contains(&key));

    kill(run.pid(), Signal::SIGTERM).unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_nothing_left(&folder);
}

/// One of our own shapes, taken for somebody's chain.
fn ours(leaf: Leaf) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(EndpointName::new(HOST).unwrap(), folder.path());
    let server = pki.server(leaf).unwrap();
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    Files {
        chain: read(&server.chain),
        key: read(&server.key),
        trust: read(pki.trust(Trust::Root).unwrap()),
    }
}

/// The files in a folder with a folder `tmp` that the server's user may pass
/// through.
fn folder_with(given: &Files) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    given.write(folder.path());
    fs::create_dir(folder.path().join("tmp")).unwrap();
    for path in [folder.path(), &folder.path().join("tmp")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o711)).unwrap();
    }
    folder
}

fn options() -> Vec<&'static str> {
    vec![
        "--server-chain",
        "chain.pem",
        "--server-key",
        "leaf.key",
        "--trust",
        "trust.pem",
        "--host",
        HOST,
    ]
}

fn rds_tls(folder: &TempDir, command: &str) -> Command {
    let mut rds_tls = program::rds_tls();
    rds_tls
        .arg(command)
        .current_dir(folder.path())
        .env("RDS_TLS_BACKEND", "embedded")
        .env("TMPDIR", folder.path().join("tmp"));
    rds_tls
}

fn check(folder: &TempDir, further: &[&str]) -> Output {
    let mut check = rds_tls(folder, "check");
    check.args(options()).args(further).output().unwrap()
}

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The leaf that a server shows who asks for TLS.
fn served_leaf(address: &str) -> X509 {
    let mut stream = TcpStream::connect(address).unwrap();
    // SSLRequest (protocol.sgml, Message Formats), and `S` for an answer.
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"S");
    let context = SslContext::builder(SslMethod::tls_client())
        .unwrap()
        .build();
    let stream = Ssl::new(&context).unwrap().connect(stream).unwrap();
    stream.ssl().peer_certificate().unwrap()
}

/// A line of the private key that no other file has.
fn key_body(folder: &TempDir) -> String {
    let key = fs::read_to_string(folder.path().join("leaf.key")).unwrap();
    let line = key.lines().nth(1).unwrap().to_owned();
    assert!(line.len() >= 40, "{}", line.len());
    line
}

fn assert_keeps(folder: &TempDir, output: &str) {
    let key = fs::read_to_string(folder.path().join("leaf.key")).unwrap();
    let mut lines = key.lines().filter(|line| !line.starts_with("-----"));
    assert!(
        lines.all(|line| !output.contains(line)),
        "a key is in an output"
    );
}

fn assert_nothing_left(folder: &TempDir) {
    let left: Vec<_> = fs::read_dir(folder.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
