//! The emulated instance, used by programs that know nothing of it.

mod guard;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    process::{ChildStdout, Command, ExitCode, Stdio},
};

use guard::Guard;
use libtest_mimic::{Arguments, Completion, Trial};
use nix::sys::signal::{Signal, kill};
use tempfile::TempDir;

/// `rds-tls emulate`, until it is stopped.
struct Emulated {
    run: Guard,
    out: BufReader<ChildStdout>,
    lines: String,
    temp: TempDir,
}

impl Emulated {
    fn start(arguments: &[&str]) -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_rds-tls"))
            .arg("emulate")
            .args(arguments)
            .env("TMPDIR", temp.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut run = Guard(run.unwrap());
        let mut out = BufReader::new(run.stdout.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("\nuntil") {
            assert_ne!(out.read_line(&mut lines).unwrap(), 0, "it ended: {lines}");
        }
        Self {
            run,
            out,
            lines,
            temp,
        }
    }

    fn line(&self, name: &str) -> &str {
        let line = self.lines.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no line {name} in {}", self.lines))
            .trim()
    }

    /// Pastes the line for psql into a shell, with the password where libpq
    /// looks for it.
    fn psql(&self, edit: impl Fn(&str) -> String, query: &str) -> (bool, String) {
        let export = self.line("password").split("   #").next().unwrap();
        let script = format!(
            "{export}\n{} -X -A -t -c \"{query}\"",
            edit(self.line("psql"))
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), text.trim().to_owned())
    }

    fn stop(mut self) {
        kill(self.run.pid(), Signal::SIGTERM).unwrap();
        self.out.read_to_string(&mut self.lines).unwrap();
        assert_eq!(self.run.wait().unwrap().code(), Some(0));
        assert_eq!(fs::read_dir(self.temp.path()).unwrap().count(), 0);
    }
}

const SESSION: &str =
    "SELECT ssl, version, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

fn main() -> ExitCode {
    let psql: [(&str, fn()); 4] = [
        ("psql_connects_by_the_printed_line", connects),
        (
            "a_certificate_for_another_endpoint_is_refused_by_the_printed_line",
            another_endpoint,
        ),
        (
            "a_password_of_ones_own_is_taken_and_never_printed",
            own_password,
        ),
        ("localhost_can_be_dialled_and_verified_by_name", localhost),
    ];
    let mut trials: Vec<Trial> = (psql.into_iter())
        .map(|(name, test)| Trial::ignorable_test(name, move || Ok(with_psql(test))))
        .collect();
    trials.push(Trial::test(
        "what_can_not_be_is_told_with_the_way_out",
        || {
            what_can_not_be();
            Ok(())
        },
    ));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A machine without psql leaves a test out, counted and with the reason.
fn with_psql(test: fn()) -> Completion {
    if Command::new("psql").arg("--version").output().is_err() {
        return Completion::ignored_with("this machine has no psql");
    }
    test();
    Completion::Completed
}

fn connects() {
    let emulated = Emulated::start(&["--user", "app", "--tls-max", "TLSv1.2", "--force-ssl", "on"]);
    let (connected, text) = emulated.psql(str::to_owned, SESSION);
    assert!(connected, "{text}");
    assert_eq!(text, "t|TLSv1.2|app");

    let plaintext = |line: &str| line.replace("sslmode=verify-full", "sslmode=disable");
    let (connected, text) = emulated.psql(plaintext, SESSION);
    assert!(
        !connected && text.contains("no pg_hba.conf entry"),
        "{text}"
    );
    emulated.stop();
}

fn another_endpoint() {
    let emulated = Emulated::start(&["--cert", "other", "--force-ssl", "off"]);
    let (connected, text) = emulated.psql(str::to_owned, SESSION);
    assert!(
        !connected && text.contains("does not match host name"),
        "{text}"
    );
    let plaintext = |line: &str| line.replace("sslmode=verify-full", "sslmode=disable");
    let (connected, text) = emulated.psql(plaintext, SESSION);
    assert!(connected && text.starts_with("f||"), "{text}");
    emulated.stop();
}

fn own_password() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "it's a: secret\\\n").unwrap();
    let emulated = Emulated::start(&["--password-file", file.to_str().unwrap()]);
    assert!(!emulated.lines.contains("secret"), "{}", emulated.lines);
    let (connected, text) = emulated.psql(str::to_owned, SESSION);
    assert!(connected, "{text}");
    emulated.stop();
}

fn localhost() {
    let emulated = Emulated::start(&["--host", "localhost"]);
    let by_name = |line: &str| line.replace("hostaddr=127.0.0.1 ", "");
    let (connected, text) = emulated.psql(by_name, SESSION);
    assert!(connected, "{text}");
    emulated.stop();
}

fn what_can_not_be() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (arguments, code, says) in [
        (["--port", port.as_str()], 3, "is taken; name another"),
        (["--user", "rdsadmin"], 3, "the master user can't be called"),
        (["--ciphers", "NO-SUCH"], 3, "did not reload the policy"),
        (["--password-file", "/no/such"], 2, "/no/such can't be read"),
        (["--host", "no name"], 2, "no name"),
        (["--tls-min", "TLSv9"], 2, "valid: TLSv1, TLSv1.1"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_rds-tls"))
            .arg("emulate")
            .args(arguments)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(says), "{error}");
    }
}
