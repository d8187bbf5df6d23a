//! What holds on this machine alone: processes and files.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use harness::{
    endpoint::{Endpoint, EndpointError},
    policy::Policy,
    rundir::sweep,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::{
    place::{Place, start, stop, waiting_run},
    proc,
    shared::assert_dead,
};

pub async fn a_key_that_others_may_read_is_refused(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    let key = find(run_dir.path(), "tls").join("server-rsa2048.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let error = server.apply(&Policy::default()).await.unwrap_err();
    assert!(
        matches!(&error, EndpointError::ReloadRefused { log } if log.contains("server-rsa2048.key")),
        "{error}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    server.apply(&Policy::default()).await.unwrap();
    stop(server, run_dir).await;
}

pub async fn a_dead_server_is_an_error(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    kill(postmaster(run_dir.path()), Signal::SIGKILL).unwrap();
    assert_dead(server.as_mut()).await;
    stop(server, run_dir).await;
}

/// Its sessions go on, and it takes no new ones.
pub async fn a_stopped_postmaster_is_an_error_and_is_ended(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    kill(postmaster(run_dir.path()), Signal::SIGSTOP).unwrap();
    assert_silent_and_ended(server.as_mut()).await;
    let data = cluster(run_dir.path());
    stop(server, run_dir).await;
    assert_eq!(servers_of(&data), 0);
}

/// Not even the session that is open gives an answer.
pub async fn a_server_that_is_stopped_as_a_whole_is_an_error_and_is_ended(place: Place) {
    let (mut server, run_dir) = start(&place).await;
    let postmaster = postmaster(run_dir.path());
    let children = children(postmaster);
    for pid in children.iter().copied().chain([postmaster]) {
        kill(pid, Signal::SIGSTOP).unwrap();
    }
    assert_silent_and_ended(server.as_mut()).await;
    stop(server, run_dir).await;
    for child in children {
        assert!(!proc::Process::of(child).lives(), "{child} is left");
    }
}

/// That a server which does not answer is an error within a bound. The bound of
/// the test is no assertion on time: without it, a hang would be no failure.
async fn assert_silent_and_ended(server: &mut dyn Endpoint) {
    const BOUND: Duration = Duration::from_mins(2);
    let policy = Policy::default();
    let applied = timeout(BOUND, server.apply(&policy)).await;
    let error = applied.expect("an end").unwrap_err();
    assert!(error.is_silence(), "{error}");
    let said = error.to_string();
    assert!(said.starts_with("the server did not "), "{said}");
    // A switch that failed leaves no policy to log in under.
    timeout(BOUND, server.sanity())
        .await
        .expect("an end")
        .unwrap_err();
}

pub async fn no_secret_is_logged_and_nothing_stays(place: Place) {
    let (server, run_dir) = start(&place).await;
    let secret = server.facts().master.password.clone();
    let log = fs::read_to_string(find(run_dir.path(), "server.log")).unwrap();
    assert!(!log.is_empty() && !log.contains(secret.expose_secret()));
    assert!(!log.contains("SCRAM-SHA-256$"));

    let data = cluster(run_dir.path());
    assert_eq!(servers_of(&data), 1);
    let path = run_dir.path().to_owned();
    // Without shutdown: dropping does it too.
    drop(server);
    assert_eq!(servers_of(&data), 0);
    assert!(!data.parent().unwrap().exists());
    drop(run_dir);
    assert!(!path.exists());
}

pub async fn what_a_killed_run_left_is_swept(place: Place) {
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let (mut run, folder) = waiting_run(&place, temp.path());
    let data = cluster(Path::new(&folder));
    assert_eq!(sweep(temp.path()), 0, "the run lives");
    assert_eq!(servers_of(&data), 1);
    run.kill().unwrap();
    run.wait().unwrap();
    assert_eq!(servers_of(&data), 1, "the server outlives its run");

    assert_eq!(sweep(temp.path()), 1);
    assert_eq!(servers_of(&data), 0);
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
}

fn postmaster(run: &Path) -> Pid {
    let pid_file = fs::read_to_string(find(run, "postmaster.pid")).unwrap();
    Pid::from_raw(pid_file.lines().next().unwrap().parse().unwrap())
}

fn children(parent: Pid) -> Vec<Pid> {
    let of_parent = proc::all().filter(|process| process.parent() == Some(parent));
    of_parent.map(|process| process.pid).collect()
}

/// The cluster in a run's folder.
fn cluster(run: &Path) -> PathBuf {
    find(run, "postgresql.auto.conf")
        .parent()
        .unwrap()
        .to_owned()
}

/// The file of that name beneath a folder.
fn find(folder: &Path, name: &str) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_name() == name {
                return entry.path();
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    panic!("no {name} beneath {}", folder.display());
}

/// How many live processes were started with the folder for an argument.
fn servers_of(data: &Path) -> usize {
    let wanted = format!("-D\0{}\0", data.display());
    let named: Vec<_> = proc::all()
        .filter(|process| process.arguments().contains(&wanted) && process.lives())
        .collect();
    // A child shows its server's arguments until it has written its own over them.
    let pids: Vec<Pid> = named.iter().map(|process| process.pid).collect();
    let is_child = |parent: Option<Pid>| parent.is_some_and(|parent| pids.contains(&parent));
    let servers = named.iter().filter(|process| !is_child(process.parent()));
    servers.count()
}
