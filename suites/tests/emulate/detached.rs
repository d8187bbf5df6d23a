//! Instances in the background: started, found, ended, and nothing left.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use libtest_mimic::Trial;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    bounded,
    death::kill_and_wait,
    emulated::{Emulated, emulate, line},
    guard::Guard,
    leftovers::{assert_nothing_left, processes, temp},
    proc::{Process, arguments_and_environments},
    test,
    until::until,
};

/// What a start and a stop may take together, on a busy machine.
const TIMEOUT: Duration = Duration::from_mins(1);

pub fn trials() -> Vec<Trial> {
    vec![
        test("detach_returns_when_it_is_up_and_stop_leaves_nothing", once),
        test("a_detached_instance_holds_on_to_nothing", lets_go),
        test("two_names_are_two_instances", two_names),
        test("a_name_is_had_once", name_twice),
        test("stopping_nothing_is_told", stop_of_nothing),
        test("a_killed_instance_is_not_taken_for_a_living_one", killed),
        test("a_signal_ends_a_detached_instance", signalled),
        test("a_failed_start_fails_as_in_the_foreground", failed_start),
        test("an_instance_that_nobody_waits_for_ends", forsaken),
        test(
            "a_named_instance_in_the_foreground_can_be_stopped",
            foreground,
        ),
        test("json_tells_what_the_lines_tell", json),
        test("passwords_stay_in_private_files", secrets),
    ]
}

/// A folder for temporary files, and the instances that are started with it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(temp())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        output(emulate(self.path()).args(arguments))
    }

    /// Starts an instance and returns what it prints.
    fn detach(&self, arguments: &[&str]) -> String {
        let output = self.run(&[&["--detach"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap()
    }

    fn detach_json(&self, arguments: &[&str]) -> Value {
        let text = self.detach(&[&["--json"], arguments].concat());
        serde_json::from_str(&text).unwrap()
    }

    fn stop(&self, arguments: &[&str]) {
        let output = self.run(&[&["--stop"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stdout.is_empty() && output.stderr.is_empty());
    }

    /// At once: whoever stops an instance has waited.
    fn assert_nothing_left(&self) {
        assert_eq!(processes(self.path()), Vec::<String>::new());
        assert_nothing_left(&self.0);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What a test that failed has left up.
        for name in ["default", "one", "two"] {
            let _ = emulate(self.path())
                .args(["--stop", "--name", name])
                .stderr(Stdio::null())
                .status();
        }
    }
}

fn output(command: &mut Command) -> Output {
    bounded::output(command, TIMEOUT).unwrap()
}

/// Whether a server there offers TLS (`SSLRequest` and its answer).
fn offers_tls(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let mut answer = [0];
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    stream.read_exact(&mut answer).unwrap();
    answer == *b"S"
}

fn address(json: &Value) -> String {
    format!("{}:{}", json["address"].as_str().unwrap(), json["port"])
}

fn pid(json: &Value) -> Pid {
    Pid::from_raw(json["pid"].as_i64().unwrap().try_into().unwrap())
}

fn once() {
    let place = Place::new();
    let lines = place.detach(&["--cert", "wildcard"]);
    assert!(
        line(&lines, "up").ends_with("for every name of the endpoint's domain"),
        "{lines}"
    );
    assert_eq!(line(&lines, "until"), "rds-tls emulate --stop");
    assert!(offers_tls(line(&lines, "address")));
    place.stop(&[]);
    place.assert_nothing_left();
    assert!(!offers_tls(line(&lines, "address")));
}

fn lets_go() {
    let place = Place::new();
    let instance = place.detach_json(&[]);
    let process = Process::of(pid(&instance));
    for fd in ["fd/0", "fd/1", "fd/2"] {
        assert_eq!(process.link(fd).unwrap(), Path::new("/dev/null"));
    }
    assert_eq!(process.link("cwd").unwrap(), Path::new("/"));
    let fields = process.stat();
    assert_eq!(
        fields[3],
        pid(&instance).to_string(),
        "a session of its own"
    );
    assert_eq!(fields[4], "0", "no terminal");
    place.stop(&[]);
    place.assert_nothing_left();
}

fn two_names() {
    let place = Place::new();
    let one = place.detach_json(&["--name", "one"]);
    let two = place.detach(&["--name", "two"]);
    assert_eq!(line(&two, "until"), "rds-tls emulate --stop --name two");
    place.stop(&["--name", "two"]);
    assert!(!offers_tls(line(&two, "address")));
    assert!(offers_tls(&address(&one)));
    place.stop(&["--name", "one"]);
    place.assert_nothing_left();
}

fn name_twice() {
    let place = Place::new();
    let first = place.detach_json(&["--name", "one"]);
    let second = place.run(&["--detach", "--name", "one"]);
    let error = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(3), "{error}");
    assert_eq!(
        error,
        "rds-tls: the instance one is up already; end it by `rds-tls emulate --stop --name one`, \
         or give this one another name by --name\n"
    );
    assert!(second.stdout.is_empty());
    assert!(offers_tls(&address(&first)));
    place.stop(&["--name", "one"]);
    place.assert_nothing_left();
}

fn stop_of_nothing() {
    let place = Place::new();
    let output = place.run(&["--stop", "--name", "one"]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.starts_with("rds-tls: no instance called one is up beneath "),
        "{error}"
    );
}

fn killed() {
    let place = Place::new();
    let kill_one = || {
        let instance = place.detach_json(&[]);
        kill_and_wait(pid(&instance));
        assert!(offers_tls(&address(&instance)), "its server outlives it");
    };
    kill_one();
    assert_eq!(place.run(&["--stop"]).status.code(), Some(1));
    place.assert_nothing_left();

    kill_one();
    let next = place.detach_json(&[]);
    let servers = (processes(place.path()).into_iter())
        .filter(|line| line.contains("postgres\0-D"))
        .count();
    assert_eq!(servers, 1, "the killed one's is gone");
    assert!(offers_tls(&address(&next)));
    place.stop(&[]);
    place.assert_nothing_left();
}

fn signalled() {
    let place = Place::new();
    let instance = place.detach_json(&[]);
    kill(pid(&instance), Signal::SIGTERM).unwrap();
    until("it ends", || processes(place.path()).is_empty());
    place.assert_nothing_left();
    assert_eq!(place.run(&["--stop"]).status.code(), Some(1));
}

fn failed_start() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for arguments in [
        ["--port", port.as_str()],
        ["--user", "rdsadmin"],
        ["--password-file", "/no/such"],
        ["--host", "no name"],
    ] {
        let detached = place.run(&[&["--detach"], arguments.as_slice()].concat());
        let foreground = place.run(&arguments);
        assert!(!foreground.status.success());
        assert_eq!(detached, foreground, "{arguments:?}");
        place.assert_nothing_left();
    }
}

/// As when Ctrl-C ends the command that waits for the start.
fn forsaken() {
    let place = Place::new();
    let launcher = emulate(place.path())
        .arg("--detach")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut launcher = Guard(launcher.unwrap());
    until("the start is under way", || {
        fs::read_dir(place.path()).unwrap().count() > 0
    });
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    until("it ends", || processes(place.path()).is_empty());
    place.assert_nothing_left();
}

fn foreground() {
    let emulated = Emulated::start(&["--name", "one"]);
    assert_eq!(emulated.line("until"), "Ctrl-C");
    let output = output(emulate(emulated.temp()).args(["--stop", "--name", "one"]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    emulated.stopped();
}

fn json() {
    let emulated = Emulated::start(&["--json", "--user", "app", "--cert", "p384"]);
    let told: Value = serde_json::from_str(&emulated.lines).unwrap();
    assert_eq!(emulated.lines.lines().count(), 1);
    let fixed = BTreeMap::from([
        ("version", Value::from(1)),
        ("name", Value::Null),
        ("backend", "embedded".into()),
        ("certificate", "p384".into()),
        ("host", certs_gen::DEFAULT_ENDPOINT.into()),
        ("address", "127.0.0.1".into()),
        ("user", "app".into()),
        ("database", "postgres".into()),
    ]);
    for (field, value) in fixed {
        assert_eq!(told[field], value, "{field} in {told}");
    }
    let text = |field: &str| told[field].as_str().unwrap();
    assert!(offers_tls(&address(&told)));
    assert!(text("engine").starts_with(|c: char| c.is_ascii_digit()));
    assert!(
        fs::read_to_string(text("ca"))
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    let password = fs::read_to_string(text("password_file")).unwrap();
    let pass_file = fs::read_to_string(text("pass_file")).unwrap();
    assert!(pass_file.contains(&format!(":app:{password}\n")));
    let hosts = fs::read_to_string(text("hosts_file")).unwrap();
    assert_eq!(hosts, format!("127.0.0.1 {}\n", text("host")));
    assert!(text("url").starts_with("postgresql://app@"));
    assert!(
        told["connect"]["psql"]
            .as_str()
            .unwrap()
            .starts_with("psql ")
    );
    emulated.stop();
}

fn secrets() {
    let place = Place::new();
    let given = place.path().join("given");
    fs::write(&given, "correct horse battery\n").unwrap();
    for arguments in [
        vec![],
        vec!["--password-file", given.to_str().unwrap()],
        vec!["--json"],
    ] {
        let printed = place.detach(&arguments);
        let known = place.run(&["--detach"]);
        let folder = fs::read_dir(place.path())
            .unwrap()
            .flatten()
            .find_map(|entry| {
                let file = entry.path().join("password");
                file.exists().then_some(entry.path())
            });
        let folder = folder.expect("a run's folder");
        let password = fs::read_to_string(folder.join("password")).unwrap();
        assert!(password.len() >= 16);
        assert!(!printed.contains(&password));
        assert!(!String::from_utf8_lossy(&known.stderr).contains(&password));
        let running = processes(place.path());
        assert!(running.iter().any(|line| line.contains("--detached")));
        assert!(!arguments_and_environments().contains(&password));
        for file in ["password", "pgpass"] {
            let mode = fs::metadata(folder.join(file))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        place.stop(&[]);
    }
    fs::remove_file(given).unwrap();
    place.assert_nothing_left();
}
