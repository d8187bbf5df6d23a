//! A run on this machine that is ended from outside tells what it has seen, and
//! leaves nothing behind.

mod guard;
mod leftovers;
mod proc;
mod program;
mod running;
mod tree;
mod until;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
};

use guard::Guard;
use leftovers::{assert_nothing_left, processes, temp};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rstest::rstest;
use running::{Running, next_run_conforms};
use tempfile::TempDir;
use tree::files;

#[rstest]
#[case(Signal::SIGHUP, 129)]
#[case(Signal::SIGINT, 130)]
#[case(Signal::SIGQUIT, 131)]
#[case(Signal::SIGTERM, 143)]
fn a_signal_ends_the_run_with_what_was_seen(#[case] signal: Signal, #[case] code: i32) {
    let temp = temp();
    Running::start(&mut command(&temp)).interrupt(signal, code);
    assert_nothing_left(&temp);
}

#[rstest]
#[case(Signal::SIGHUP, 129)]
#[case(Signal::SIGINT, 130)]
#[case(Signal::SIGQUIT, 131)]
#[case(Signal::SIGTERM, 143)]
fn a_signal_ends_claims_with_what_could_not_be_found_out(
    #[case] signal: Signal,
    #[case] code: i32,
) {
    let temp = temp();
    let claims = program::rds_tls()
        .args(["claims", "--backend", "embedded", "03"])
        .env("TMPDIR", temp.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut claims = Guard(claims.unwrap());
    let (mut out, err) = (claims.stdout.take().unwrap(), claims.stderr.take().unwrap());
    let begun = BufReader::new(err).lines().map(Result::unwrap);
    assert!(begun.into_iter().any(|line| line.contains("cells")));
    kill(claims.pid(), signal).unwrap();
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(claims.wait().unwrap().code(), Some(code), "{text}");
    assert!(text.contains("RDS-TLS-03 could not be found out"), "{text}");
    assert!(text.contains("the run was interrupted"), "{text}");
    assert_nothing_left(&temp);
}

/// As under nohup.
#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let temp = temp();
    let mut under_nohup = Command::new("sh");
    under_nohup
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_rds-tls"))
        .args(["check", "--backend", "embedded", "connection-string/"])
        .env("TMPDIR", temp.path());
    let mut under_nohup = program::without_an_instance(under_nohup);
    let run = Running::start(&mut under_nohup);
    run.signal(Signal::SIGHUP);
    let (status, text) = run.end();
    assert_eq!(status.code(), Some(0), "{status}: {text}");
    assert_nothing_left(&temp);
}

#[test]
fn what_a_killed_run_left_goes_at_the_next_start() {
    let temp = temp();
    Running::start(&mut command(&temp)).kill();
    assert!(fs::read_dir(temp.path()).unwrap().count() > 0);
    assert!(
        !processes(temp.path()).is_empty(),
        "the server outlives its harness"
    );

    next_run_conforms(&mut command(&temp));
    assert_nothing_left(&temp);
}

#[test]
fn a_server_that_dies_in_the_middle_breaks_the_rest() {
    let temp = temp();
    let run = Running::start(&mut command(&temp));
    kill(postmaster(temp.path()), Signal::SIGKILL).unwrap();
    run.breaks();
    assert_nothing_left(&temp);
}

#[test]
fn a_server_that_is_stopped_in_the_middle_breaks_the_rest() {
    let temp = temp();
    let run = Running::start(&mut command(&temp));
    kill(postmaster(temp.path()), Signal::SIGSTOP).unwrap();
    let text = run.breaks();
    assert!(text.contains("the server did not "), "{text}");
    assert_nothing_left(&temp);
}

fn command(temp: &TempDir) -> Command {
    let mut command = program::rds_tls();
    command
        .args(["check", "--backend", "embedded"])
        .env("TMPDIR", temp.path());
    command
}

fn postmaster(temp: &Path) -> Pid {
    let is_pid_file = |path: &Path| path.ends_with("postmaster.pid");
    let file = files(temp)
        .into_iter()
        .find(|path| is_pid_file(path))
        .unwrap();
    let text = fs::read_to_string(file).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap())
}
