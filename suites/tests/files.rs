//! What somebody names as a file is read only where it is a regular file of a
//! sensible size. All else is refused at once, with exit code 2.

#[path = "emulate/bounded.rs"]
mod bounded;
mod copy;
mod leftovers;
mod proc;
mod program;
mod until;

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use copy::copy_of_suites;
use leftovers::{assert_nothing_left, temp};
use nix::{sys::stat::Mode, unistd::mkfifo};
use rstest::rstest;

/// So that a hang is a failure.
const BOUND: Duration = Duration::from_mins(1);

/// Makes what is no regular file of a sensible size, and gives what is said of
/// it.
type Make = fn(&Path) -> &'static str;

fn fifo(path: &Path) -> &'static str {
    mkfifo(path, Mode::S_IRWXU).unwrap();
    "is a FIFO, and only a regular file is read"
}

fn device(path: &Path) -> &'static str {
    symlink("/dev/zero", path).unwrap();
    "is a character device, and only a regular file is read"
}

fn huge(path: &Path) -> &'static str {
    File::create(path).unwrap().set_len(1 << 40).unwrap();
    "is larger than 16 MiB"
}

fn folder(path: &Path) -> &'static str {
    fs::create_dir(path).unwrap();
    "is a folder"
}

#[rstest]
fn a_suite_file_is_a_regular_file(
    #[values("claims.toml", "cases/sslmode.toml", "drivers/libpq.toml")] name: &str,
    #[values(fifo, device, huge)] make: Make,
) {
    let folder = copy_of_suites();
    let path = folder.path().join(name);
    fs::remove_file(&path).unwrap();
    let says = make(&path);
    let output = run(["list", "--suites-from"], folder.path());
    refused(&output, &path, says);
}

#[rstest]
fn a_password_file_is_a_regular_file(#[values(fifo, device, huge)] make: Make) {
    let temp = temp();
    let path = temp.path().join("password");
    let says = make(&path);
    let output = run(["emulate", "--password-file"], &path);
    refused(&output, &path, says);
}

#[rstest]
fn a_file_of_somebodys_own_chain_is_a_regular_file(
    #[values("--server-chain", "--server-key", "--trust")] option: &str,
    #[values(fifo, device, huge)] make: Make,
) {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (own_chain(folder.path()), folder.path().join("bad"));
    let says = make(&bad);
    let mut command = program::rds_tls();
    command.args(["check", "--host", certs_gen::DEFAULT_ENDPOINT]);
    for (name, path) in &good {
        let path = if *name == option { &bad } else { path };
        command.arg(name).arg(path);
    }
    refused(&bounded::output(&mut command, BOUND).unwrap(), &bad, says);
}

#[rstest]
fn a_file_of_an_instance_is_a_regular_file(
    #[values("RDS_CA_BUNDLE", "RDS_PASSWORD_FILE")] variable: &str,
    #[values(fifo, device, huge)] make: Make,
) {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad");
    let says = make(&bad);
    let good = folder.path().join("password");
    fs::write(&good, "secret\n").unwrap();
    let mut command = program::rds_tls();
    command
        .args(["check", "--backend", "rds"])
        .env("RDS_ENDPOINT", certs_gen::DEFAULT_ENDPOINT)
        .env("RDS_HOSTADDR", "127.0.0.1")
        .env("RDS_USER", "app")
        .env("RDS_PASSWORD_FILE", &good)
        .env("RDS_CA_BUNDLE", own_chain(folder.path())[2].1.as_path())
        .env(variable, &bad);
    let output = bounded::output(&mut command, BOUND).unwrap();
    refused(&output, &bad, says);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.starts_with(&format!("rds-tls: {variable}: ")),
        "{error}"
    );
    assert_eq!(error.matches(says).count(), 1, "{error}");
}

#[rstest]
#[case(
    "RDS_PASSWORD",
    "two\nlines",
    "RDS_PASSWORD: the password holds a line's end"
)]
#[case("RDS_PASSWORD", &"x".repeat(20_000), "RDS_PASSWORD: the password is longer than 16 KiB")]
fn a_password_that_cannot_be_one_is_refused(
    #[case] variable: &str,
    #[case] password: &str,
    #[case] says: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program::rds_tls();
    command
        .args(["check", "--backend", "rds"])
        .env("RDS_ENDPOINT", certs_gen::DEFAULT_ENDPOINT)
        .env("RDS_HOSTADDR", "127.0.0.1")
        .env("RDS_USER", "app")
        .env("RDS_CA_BUNDLE", own_chain(folder.path())[2].1.as_path())
        .env(variable, password);
    let output = bounded::output(&mut command, BOUND).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(says), "{error}");
    assert!(!error.contains(password), "{error}");
}

#[rstest]
#[case("marked\0password\n", "holds a NUL byte")]
#[case("marked\rpassword\n", "holds a line's end")]
#[case(&"marked".repeat(10_000), "is longer than 16 KiB")]
fn a_password_file_that_holds_none_is_refused(#[case] text: &str, #[case] says: &str) {
    let temp = temp();
    let path = temp.path().join("password");
    fs::write(&path, text).unwrap();
    let output = run(["emulate", "--password-file"], &path);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with("rds-tls: --password-file: "), "{error}");
    assert!(error.contains(says) && !error.contains("marked"), "{error}");
}

#[rstest]
#[case::fifo(fifo)]
#[case::folder(folder)]
fn json_goes_to_no_fifo(#[case] make: Make, #[values("check", "claims")] command: &str) {
    let temp = temp();
    let path = temp.path().join("run.json");
    make(&path);
    let output = bounded::output(
        program::rds_tls()
            .args([command, "--backend", "embedded", "--json"])
            .arg(&path)
            .env("TMPDIR", temp.path()),
        BOUND,
    );
    refused(&output.unwrap(), &path, "can't be written");
    fs::remove_file(&path)
        .or_else(|_| fs::remove_dir(&path))
        .unwrap();
    assert_nothing_left(&temp);
}

/// Also where somebody reads it.
#[test]
fn json_goes_to_no_fifo_that_is_read() {
    let temp = temp();
    let path = temp.path().join("run.json");
    fifo(&path);
    // Open at both ends, so that no opening waits.
    let reader = File::options().read(true).write(true).open(&path).unwrap();
    let output = run(["check", "--json"], &path);
    refused(
        &output,
        &path,
        "is a FIFO; name a regular file, or - for standard output",
    );
    drop(reader);
}

#[test]
fn json_goes_to_a_device() {
    let temp = temp();
    let mut command = program::rds_tls();
    command
        .args(["check", "--backend", "embedded", "--json", "/dev/null"])
        .arg("connection-string/libpq/uri/disable")
        .env("TMPDIR", temp.path());
    let output = bounded::output(&mut command, BOUND).unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn run(arguments: [&str; 2], path: &Path) -> Output {
    let mut command = program::rds_tls();
    command.args(arguments).arg(path);
    bounded::output(&mut command, BOUND).unwrap()
}

fn refused(output: &Output, path: &Path, says: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(error.contains(says), "{error}");
}

/// Each option that names a file, with one that is good.
fn own_chain(folder: &Path) -> [(&'static str, PathBuf); 3] {
    let endpoint = certs_gen::EndpointName::new(certs_gen::DEFAULT_ENDPOINT).unwrap();
    let pki = certs_gen::Pki::new(endpoint, folder.join("pki"));
    let server = pki.server(certs_gen::Leaf::P384).unwrap();
    let root = pki.trust(certs_gen::Trust::Root).unwrap();
    [
        ("--server-chain", server.chain.clone()),
        ("--server-key", server.key.clone()),
        ("--trust", root.to_owned()),
    ]
}
