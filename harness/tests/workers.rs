//! Workers as the harness meets them: well behaved, and not. This program is
//! its own worker, so it has a `main` of its own.

#[path = "../../suites/tests/proc/mod.rs"]
mod proc;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::Duration,
};

use harness::driver::{
    Attempt, Driver as _, Form, Outcome, Surroundings, psql,
    worker::{BUILT_IN, Limits, Pool, WorkerCommand, protocol, serve_if_asked},
};
use libtest_mimic::{Arguments, Trial};
use nix::unistd::Pid;

fn main() -> ExitCode {
    serve_if_asked(std::env::args_os());
    let tests: [(&str, fn()); 16] = [
        ("hello_of_each_driver", hello_of_each_driver),
        ("refused_port", refused_port),
        ("unknown_sslmode_is_the_drivers_refusal", unknown_sslmode),
        ("missing_root_file", missing_root_file),
        ("unknown_configuration", unknown_configuration),
        ("server_that_never_answers", silent_server),
        ("worker_ends_with_its_input_in_mid_attempt", ends_with_input),
        ("surroundings_are_all_that_a_worker_sees", surroundings),
        ("shutdown_leaves_no_process", shutdown),
        ("mute_at_hello", mute_at_hello),
        ("mute_at_an_attempt", mute_at_an_attempt),
        ("babbling", babbling),
        ("dying_costs_all_in_flight", dying),
        ("other_contract", other_contract),
        ("huge_line", huge_line),
        ("answer_to_no_attempt", answer_to_no_attempt),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// The drivers that need nothing of the machine.
fn always_here() -> impl Iterator<Item = &'static str> {
    BUILT_IN.into_iter().filter(|driver| *driver != psql::ID)
}

fn hello_of_each_driver() {
    for driver in always_here() {
        let homes = tempfile::tempdir().unwrap();
        let pool = built_in(driver, homes.path(), PATIENT);
        let hello = block_on(async {
            let hello = pool.hello(&Surroundings::default()).await.unwrap();
            pool.shutdown().await;
            hello
        });
        assert_eq!(hello.driver, driver);
        assert!(hello.version.contains('.'), "{hello:?}");
        assert!(hello.configurations.contains(&"default".to_owned()));
    }
}

fn refused_port() {
    // Bound once, so that nobody else has it, and never listened on again.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for driver in always_here() {
        for form in [Form::KeyValue, Form::Uri] {
            let attempt = Attempt {
                form,
                ..attempt(1, port)
            };
            let message = refusal(driver, &attempt);
            assert!(
                message.contains("Connection refused"),
                "{driver}: {message}"
            );
        }
    }
}

fn unknown_sslmode() {
    let attempt = Attempt {
        sslmode: Some("no-such".into()),
        ..attempt(1, 1)
    };
    for driver in always_here() {
        let expected = match driver {
            "libpq" => "invalid sslmode value: \"no-such\"",
            _ => "invalid connection string: invalid value for option `sslmode`",
        };
        assert_eq!(refusal(driver, &attempt), expected, "{driver}");
    }
}

fn missing_root_file() {
    let attempt = Attempt {
        sslrootcert: Some("/no/such.pem".into()),
        ..attempt(1, 1)
    };
    for driver in ["tokio-postgres-native-tls", "tokio-postgres-rustls"] {
        let message = refusal(driver, &attempt);
        let expected = "could not read the trust anchors /no/such.pem: No such file";
        assert!(message.starts_with(expected), "{driver}: {message}");
    }
}

fn unknown_configuration() {
    let attempt = Attempt {
        configuration: "no-such".into(),
        ..attempt(1, 1)
    };
    for driver in BUILT_IN {
        let homes = tempfile::tempdir().unwrap();
        let why = could_not_run(&built_in(driver, homes.path(), PATIENT), &attempt);
        let expected = "has no configuration no-such here, but ";
        assert!(why.contains(expected), "{why}");
    }
}

fn silent_server() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let attempt = attempt(1, listener.local_addr().unwrap().port());
    for driver in always_here() {
        let homes = tempfile::tempdir().unwrap();
        let limits = Limits {
            attempt: Duration::from_millis(200),
            ..PATIENT
        };
        let why = could_not_run(&built_in(driver, homes.path(), limits), &attempt);
        assert!(why.ends_with("when the deadline passed"), "{why}");
    }
}

fn ends_with_input() {
    for driver in always_here() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let WorkerCommand { program, args } = WorkerCommand::built_in(driver, None).unwrap();
        let mut worker = Command::new(program)
            .args(args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let request = protocol::to_line(&protocol::Request {
            attempt: attempt(1, listener.local_addr().unwrap().port()),
            deadline_ms: 600_000,
        });
        let mut stdin = worker.stdin.take().unwrap();
        stdin.write_all(&request.unwrap()).unwrap();
        // The attempt is under way: the driver has dialled.
        let (_silent, _) = listener.accept().unwrap();
        drop(stdin);
        assert_eq!(worker.wait().unwrap().code(), Some(0), "{driver}");
        let mut said = String::new();
        worker.stdout.unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said.lines().count(), 1, "{driver} said hello alone: {said}");
    }
}

fn surroundings() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("mine.pem");
    fs::write(&root, "ROOT").unwrap();
    let body = format!(
        r#"{HELLO}
        read -r line
        names=$(env | sed 's/=.*//' | grep -Ev '^(PWD|OLDPWD|SHLVL|_)$' | sort | tr '\n' ' ')
        modes=$(stat -c %a "$HOME" "$HOME/.postgresql/root.crt" | tr '\n' ' ')
        roots=$(cat "$HOME/.postgresql/root.crt" "$SSL_CERT_FILE")
        echo '{{"could_not_run": {{"id": 1, "why": "'"$names$modes$roots"'"}}}}'
        read -r line"#
    );
    let pool = script(folder.path(), &body, PATIENT);
    let surroundings = Surroundings {
        home_root_crt: Some(root.clone()),
        ssl_cert_file: Some(root),
    };
    let why = block_on(async {
        let played = pool.play(&surroundings, &attempt(1, 1)).await;
        pool.shutdown().await;
        played.unwrap_err().why
    });
    assert_eq!(why, "HOME PATH SSL_CERT_DIR SSL_CERT_FILE 700 600 ROOTROOT");
}

fn shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    // Deaf to the end of its input, and not alone.
    let body = format!(
        "sleep 600 &\necho $! $$ > {}\n{HELLO}\nsleep 600",
        pids.display()
    );
    let pool = script(folder.path(), &body, PATIENT);
    let why = block_on(async {
        let surroundings = Surroundings::default();
        pool.hello(&surroundings).await.unwrap();
        let first = attempt(1, 1);
        let (played, ()) = tokio::join!(pool.play(&surroundings, &first), pool.shutdown());
        assert_eq!(played.unwrap_err().why, "its worker was stopped");
        let late = pool.play(&surroundings, &attempt(2, 1)).await;
        late.unwrap_err().why
    });
    assert_eq!(why, "its workers were stopped");
    for pid in fs::read_to_string(pids).unwrap().split_whitespace() {
        // An orphan may be a zombie until init looks at it.
        let process = proc::Process::of(Pid::from_raw(pid.parse().unwrap()));
        assert!(!process.lives(), "{pid}: {}", process.arguments());
    }
}

fn mute_at_hello() {
    let whys = misbehave("sleep 600", 1, QUICK);
    let expected = "it said no hello within 300ms";
    assert!(whys[0].starts_with(expected), "{whys:?}");
}

fn mute_at_an_attempt() {
    let limits = Limits {
        hello: PATIENT.hello,
        ..QUICK
    };
    let whys = misbehave(&format!("{HELLO}\nsleep 600"), 1, limits);
    let expected = "its worker gave attempt 1 no answer within 300ms";
    assert!(whys[0].starts_with(expected), "{whys:?}");
}

fn babbling() {
    let body = format!("{HELLO}\nread -r line\necho \"Traceback: $line\"\nsleep 600");
    let whys = misbehave(&body, 1, PATIENT);
    let expected =
        "its worker said something that is no message of the worker contract: `Traceback: {";
    assert!(whys[0].starts_with(expected), "{whys:?}");
}

fn dying() {
    let body = format!("{HELLO}\nread -r a\nread -r b\nread -r c\necho \"bad: $a\" >&2\nexit 3");
    for why in misbehave(&body, 3, PATIENT) {
        let expected = "its worker ended (exit status: 3); its standard error ends: bad: {";
        assert!(why.starts_with(expected), "{why}");
    }
}

fn other_contract() {
    let body = r#"echo '{"hello": {"contract": 2, "name": "later"}}'; sleep 600"#;
    let whys = misbehave(body, 1, PATIENT);
    let expected = "it speaks version 2 of the worker contract, and this program version 1";
    assert!(whys[0].starts_with(expected), "{whys:?}");
}

fn huge_line() {
    let body = format!("{HELLO}\nread -r line\nhead -c 10000000 /dev/zero | tr '\\0' x");
    let whys = misbehave(&body, 1, PATIENT);
    let expected = "its worker said a line longer than 65536 bytes";
    assert!(whys[0].starts_with(expected), "{whys:?}");
}

fn answer_to_no_attempt() {
    let answer = r#"{"could_not_run": {"id": 77, "why": ""}}"#;
    let body = format!("{HELLO}\nread -r line\necho '{answer}'\nsleep 600");
    let whys = misbehave(&body, 1, PATIENT);
    let expected = "its worker answered attempt 77, which it does not have";
    assert!(whys[0].starts_with(expected), "{whys:?}");
}

/// A shell worker's hello.
const HELLO: &str = r#"echo '{"hello": {"contract": 1, "driver": "script", "version": "1", "tls": null, "configurations": ["default"], "capabilities": []}}'"#;

const PASSWORD: &str = "correct horse";

/// For workers that answer, on a busy machine.
const PATIENT: Limits = Limits {
    hello: Duration::from_secs(30),
    attempt: Duration::from_secs(30),
    grace: Duration::from_secs(2),
    restarts: 3,
};

/// For workers that don't.
const QUICK: Limits = Limits {
    hello: Duration::from_millis(300),
    attempt: Duration::from_millis(200),
    grace: Duration::from_millis(100),
    restarts: 3,
};

/// Plays rounds of attempts with a worker that misbehaves, until it is not
/// started any more, and gives what the first round came to. Whatever the
/// worker did, it was started four times, and no sentence holds the password.
fn misbehave(body: &str, at_once: u64, limits: Limits) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let starts = folder.path().join("starts");
    let body = format!("echo start >> {}\n{body}", starts.display());
    let pool = Arc::new(script(folder.path(), &body, limits));
    let mut rounds = block_on(async {
        let mut rounds = Vec::new();
        for round in 0..6 {
            let mut plays = tokio::task::JoinSet::new();
            for number in 1..=at_once {
                let pool = pool.clone();
                plays.spawn(async move {
                    let attempt = attempt(round * at_once + number, 1);
                    let played = pool.play(&Surroundings::default(), &attempt).await;
                    played.unwrap_err().why
                });
            }
            rounds.push(plays.join_all().await);
        }
        pool.shutdown().await;
        rounds
    });
    for why in rounds.iter().flatten() {
        assert!(!why.contains(PASSWORD), "{why}");
    }
    let last = &rounds[5][0];
    let expected = "its worker failed 4 times and is not started again; at last: ";
    assert!(last.starts_with(expected), "{last}");
    assert_eq!(fs::read_to_string(starts).unwrap(), "start\n".repeat(4));
    rounds.swap_remove(0)
}

/// A pool of the driver `script`, whose worker is a shell script.
fn script(folder: &Path, body: &str, limits: Limits) -> Pool {
    let program = folder.join("worker.sh");
    fs::write(&program, body).unwrap();
    let command = WorkerCommand {
        program: "sh".into(),
        args: vec![OsString::from(program)],
    };
    Pool::new("script", command, folder, limits)
}

fn built_in(driver: &str, homes: &Path, limits: Limits) -> Pool {
    let command = WorkerCommand::built_in(driver, None).unwrap();
    Pool::new(driver, command, homes, limits)
}

fn attempt(id: u64, port: u16) -> Attempt {
    Attempt {
        id,
        configuration: "default".into(),
        form: Form::KeyValue,
        host: "db-name.example".into(),
        hostaddr: Ipv4Addr::LOCALHOST.into(),
        port,
        user: "testuser".into(),
        password: PASSWORD.to_owned().into(),
        database: "testDB".into(),
        sslmode: None,
        sslrootcert: None,
        options: BTreeMap::new(),
        query: None,
    }
}

fn refusal(driver: &str, attempt: &Attempt) -> String {
    let homes = tempfile::tempdir().unwrap();
    let pool = built_in(driver, homes.path(), PATIENT);
    let outcome = block_on(async {
        let outcome = pool.play(&Surroundings::default(), attempt).await;
        pool.shutdown().await;
        outcome
    });
    match outcome.unwrap() {
        Outcome::Refused { message, sqlstate } => {
            assert_eq!(sqlstate, None, "{driver}: {message}");
            message
        }
        connected @ Outcome::Connected { .. } => panic!("{driver}: {connected:?}"),
    }
}

fn could_not_run(pool: &Pool, attempt: &Attempt) -> String {
    block_on(async {
        let outcome = pool.play(&Surroundings::default(), attempt).await;
        pool.shutdown().await;
        outcome.unwrap_err().why
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}
