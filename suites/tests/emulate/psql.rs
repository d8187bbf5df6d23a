//! What an instance is like, as psql sees it.

use std::{
    fs,
    net::TcpListener,
    process::{Command, Stdio},
};

use libtest_mimic::{Completion, Trial};

use crate::{
    emulated::{Emulated, emulate},
    test,
};

const SESSION: &str =
    "SELECT ssl, version, current_user FROM pg_stat_ssl WHERE pid = pg_backend_pid()";

pub fn trials() -> Vec<Trial> {
    let with_psql: [(&str, fn()); 3] = [
        ("the_policy_is_as_the_options_say", policy),
        (
            "a_certificate_for_another_endpoint_is_refused_by_the_printed_line",
            another_endpoint,
        ),
        (
            "a_password_of_ones_own_is_taken_and_never_printed",
            own_password,
        ),
    ];
    (with_psql.into_iter())
        .map(|(name, test)| Trial::ignorable_test(name, move || Ok(if_there_is_psql(test))))
        .chain([test(
            "what_can_not_be_is_told_with_the_way_out",
            what_can_not_be,
        )])
        .collect()
}

/// A machine without psql leaves a test out, counted and with the reason.
fn if_there_is_psql(test: fn()) -> Completion {
    let version = Command::new("psql")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if version.is_err() {
        return Completion::ignored_with("this machine has no psql");
    }
    test();
    Completion::Completed
}

impl Emulated {
    /// Pastes the line for psql into a shell, with the password where libpq
    /// looks for it.
    fn psql(&self, edit: impl Fn(&str) -> String, query: &str) -> (bool, String) {
        let script = format!(
            "{}\n{} -X -A -t -c \"{query}\"",
            self.line("password"),
            edit(self.line("psql"))
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), text.trim().to_owned())
    }
}

fn policy() {
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

fn what_can_not_be() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let temp = crate::leftovers::temp();
    for (arguments, code, says) in [
        (["--port", port.as_str()], 3, "is taken; name another"),
        (["--user", "rdsadmin"], 3, "the master user can't be called"),
        (["--ciphers", "NO-SUCH"], 3, "did not reload the policy"),
        (["--password-file", "/no/such"], 2, "/no/such can't be read"),
        (["--host", "no name"], 2, "no name"),
        (["--tls-min", "TLSv9"], 2, "valid: TLSv1, TLSv1.1"),
        (["--cert", "forged"], 2, "values: right, other, leaf-only"),
        (["--name", "No Name"], 2, "take 1 to 32 lowercase letters"),
        (["--stop", "--detach"], 2, "cannot be used with"),
        (["--stop", "--cert=other"], 2, "cannot be used with"),
    ] {
        let output = emulate(temp.path()).args(arguments).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(says), "{error}");
    }
    crate::leftovers::assert_nothing_left(&temp);
}
