//! A run on this machine that is ended from outside tells what it has seen, and
//! leaves nothing behind.

mod guard;
mod leftovers;
mod tree;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use guard::Guard;
use leftovers::{assert_nothing_left, processes, temp};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rstest::rstest;
use tempfile::TempDir;
use tree::files;

#[rstest]
#[case(Signal::SIGINT, 130)]
#[case(Signal::SIGTERM, 143)]
fn a_signal_ends_the_run_with_what_was_seen(#[case] signal: Signal, #[case] code: i32) {
    let temp = temp();
    let (mut run, mut out) = start(&temp);
    let mut text = read_until(&mut out, "policy:");
    thread::sleep(Duration::from_millis(300));
    kill(run.pid(), signal).unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(code), "{text}");
    let summary = text.lines().last().unwrap();
    assert!(summary.contains("opened a socket"), "{text}");
    assert!(
        summary.contains(" 0 fail") && !summary.contains(" 0 broken"),
        "{summary}"
    );
    assert!(text.contains("the run was interrupted"), "{text}");
    assert_nothing_left(&temp);
}

#[test]
fn what_a_killed_run_left_goes_at_the_next_start() {
    let temp = temp();
    let (mut run, mut out) = start(&temp);
    read_until(&mut out, "policy:");
    kill(run.pid(), Signal::SIGKILL).unwrap();
    assert_eq!(run.wait().unwrap().signal(), Some(9));
    assert!(fs::read_dir(temp.path()).unwrap().count() > 0);
    assert!(
        !processes(temp.path()).is_empty(),
        "the server outlives its harness"
    );

    let next = command(&temp)
        .arg("connection-string/libpq/uri/disable")
        .output()
        .unwrap();
    assert_eq!(next.status.code(), Some(0), "{next:?}");
    assert_nothing_left(&temp);
}

#[test]
fn a_server_that_dies_in_the_middle_breaks_the_rest() {
    let temp = temp();
    let (mut run, mut out) = start(&temp);
    let mut text = read_until(&mut out, "policy:");
    kill(postmaster(temp.path()), Signal::SIGKILL).unwrap();
    out.read_to_string(&mut text).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(3), "{text}");
    assert!(text.lines().last().unwrap().contains(" 0 fail"), "{text}");
    assert_nothing_left(&temp);
}

fn command(temp: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rds-tls"));
    command
        .args(["check", "--backend", "embedded"])
        .env("TMPDIR", temp.path());
    command
}

fn start(temp: &TempDir) -> (Guard, BufReader<ChildStdout>) {
    let run = command(temp)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut run = Guard(run.unwrap());
    let out = BufReader::new(run.stdout.take().unwrap());
    (run, out)
}

fn read_until(out: &mut impl BufRead, word: &str) -> String {
    let mut text = String::new();
    while !text.contains(word) {
        assert_ne!(
            out.read_line(&mut text).unwrap(),
            0,
            "it ended with: {text}"
        );
    }
    text
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
