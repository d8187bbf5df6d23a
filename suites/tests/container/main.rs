//! A run in containers that is ended from outside tells what it has seen, and
//! leaves nothing behind. Without a Docker daemon all of it is left out, counted
//! and with the reason; where one answers, all else that is missing is a failure.

#[path = "../death/mod.rs"]
mod death;
#[path = "../guard/mod.rs"]
mod guard;
#[path = "../leftovers/mod.rs"]
mod leftovers;
#[path = "../proc/mod.rs"]
mod proc;
#[path = "../program/mod.rs"]
mod program;
mod relay;
#[path = "../running/mod.rs"]
mod running;
#[path = "../until/mod.rs"]
mod until;

use std::{
    collections::HashMap,
    net::TcpListener,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use death::kill_and_wait;
use harness::endpoint::Daemon;
use leftovers::temp;
use libtest_mimic::{Arguments, Completion, Trial};
use nix::{sys::signal::Signal, unistd::Pid};
use relay::Relay;
use running::{Running, next_run_conforms};
use tempfile::TempDir;
use testcontainers::{
    bollard::{
        Docker,
        query_parameters::{KillContainerOptionsBuilder, ListContainersOptionsBuilder},
    },
    core::client::docker_client_instance,
};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let runtime = Runtime::new().unwrap();
    let daemon = runtime.block_on(Daemon::connect());
    drop(runtime);
    let missing = match daemon {
        Ok(_) => None,
        Err(error) if error.is_no_daemon() => Some(error.to_string()),
        Err(error) => {
            eprintln!("container: {error}");
            return ExitCode::from(3);
        }
    };
    let tests: [(&str, fn()); 8] = [
        ("a_run_that_conforms_leaves_nothing", || conforms()),
        ("sigint_ends_the_run_with_what_was_seen", || {
            ended_by(Signal::SIGINT, 130);
        }),
        ("sigterm_ends_the_run_with_what_was_seen", || {
            ended_by(Signal::SIGTERM, 143);
        }),
        ("what_a_killed_run_left_goes_at_the_next_start", || killed()),
        (
            "a_container_that_dies_in_the_middle_breaks_the_rest",
            || {
                container_dies();
            },
        ),
        ("a_daemon_that_stops_in_the_middle_breaks_the_rest", || {
            daemon_stops();
        }),
        ("a_port_in_use_is_told", || port_in_use()),
        ("a_detached_instance_takes_its_container_along", || {
            detached();
        }),
    ];
    let trials = tests.map(|(name, test)| {
        let missing = missing.clone();
        Trial::ignorable_test(name, move || {
            if let Some(why) = missing {
                return Ok(Completion::ignored_with(why));
            }
            test();
            Ok(Completion::Completed)
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn conforms() {
    let temp = temp();
    let text = next_run_conforms(&mut command(&temp));
    assert!(text.contains("(container) as"), "{text}");
    assert_nothing_left(&temp);
}

fn ended_by(signal: Signal, code: i32) {
    let temp = temp();
    Running::start(&mut command(&temp)).interrupt(signal, code);
    assert_nothing_left(&temp);
}

fn killed() {
    let temp = temp();
    Running::start(&mut command(&temp)).kill();
    assert_eq!(containers(temp.path()).len(), 1, "it outlives its harness");

    next_run_conforms(&mut command(&temp));
    assert_nothing_left(&temp);
}

fn container_dies() {
    let temp = temp();
    let run = Running::start(&mut command(&temp));
    kill_containers(temp.path());
    run.breaks();
    assert_nothing_left(&temp);
}

/// As a run sees it: no answer any more, and the containers dead. The real
/// daemon is not the test's to stop.
fn daemon_stops() {
    let temp = temp();
    let relay = Relay::open(temp.path());
    let run = Running::start(command(&temp).env("DOCKER_HOST", relay.host()));
    relay.cut();
    kill_containers(temp.path());
    let text = run.breaks();
    assert!(text.contains("could not be removed"), "{text}");
    assert_eq!(containers(temp.path()).len(), 1);

    // The daemon is back.
    next_run_conforms(&mut command(&temp));
    assert_nothing_left(&temp);
}

fn port_in_use() {
    let temp = temp();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = program::rds_tls()
        .args(["emulate", "--backend", "container", "--port", &port])
        .env("TMPDIR", temp.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("is taken; name another"), "{error}");
    assert_nothing_left(&temp);
}

/// Stopped, and killed.
fn detached() {
    let temp = temp();
    let emulate = |option: &str| {
        program::rds_tls()
            .args(["emulate", option])
            .env("RDS_TLS_BACKEND", "container")
            .env("TMPDIR", temp.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .code()
    };
    assert_eq!(emulate("--detach"), Some(0));
    assert_eq!(containers(temp.path()).len(), 1);
    assert_eq!(emulate("--stop"), Some(0));
    assert_nothing_left(&temp);

    assert_eq!(emulate("--detach"), Some(0));
    kill_containers(temp.path());
    assert_eq!(emulate("--stop"), Some(0));
    assert_nothing_left(&temp);

    assert_eq!(emulate("--detach"), Some(0));
    kill_and_wait(instance(temp.path()));
    assert_eq!(emulate("--stop"), Some(1));
    assert_nothing_left(&temp);
}

/// The detached process of a folder for temporary files.
fn instance(temp: &Path) -> Pid {
    let folder = format!("TMPDIR={}\0", temp.display());
    let is_it = |process: &proc::Process| {
        process.arguments().contains("--detached") && process.environment().contains(&folder)
    };
    proc::others().find(is_it).unwrap().pid
}

fn command(temp: &TempDir) -> Command {
    let mut command = program::rds_tls();
    command
        .args(["check", "--backend", "container"])
        .env("TMPDIR", temp.path());
    command
}

/// The containers of runs in a folder.
fn containers(temp: &Path) -> Vec<String> {
    Runtime::new().unwrap().block_on(async {
        let filters = HashMap::from([("label", vec!["rds-tls.run"])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let listed = docker().await.list_containers(Some(options)).await.unwrap();
        let of_folder = listed.into_iter().filter(|container| {
            let run = container.labels.as_ref().unwrap()["rds-tls.run"].as_str();
            Path::new(run).starts_with(temp)
        });
        of_folder.filter_map(|container| container.id).collect()
    })
}

fn kill_containers(temp: &Path) {
    let all = containers(temp);
    assert_eq!(all.len(), 1);
    Runtime::new().unwrap().block_on(async {
        let options = KillContainerOptionsBuilder::new().build();
        let docker = docker().await;
        docker.kill_container(&all[0], Some(options)).await.unwrap();
    });
}

async fn docker() -> Docker {
    docker_client_instance().await.unwrap()
}

fn assert_nothing_left(temp: &TempDir) {
    assert_eq!(containers(temp.path()), Vec::<String>::new());
    leftovers::assert_nothing_left(temp);
}
