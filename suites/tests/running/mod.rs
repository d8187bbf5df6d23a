//! A run of `rds-tls check` that something happens to in its middle.

use std::{
    io::{BufRead, BufReader, Read},
    os::unix::process::ExitStatusExt,
    process::{ChildStdout, Command, ExitStatus, Stdio},
};

use nix::sys::signal::{Signal, kill};

use crate::guard::Guard;

/// A run whose first policy is in force.
pub struct Running {
    run: Guard,
    out: BufReader<ChildStdout>,
    text: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        // A line for each policy.
        command
            .arg("-v")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let run = command.spawn();
        let mut run = Guard(run.unwrap());
        let mut out = BufReader::new(run.stdout.take().unwrap());
        let mut text = String::new();
        read_policies(&mut out, &mut text, 1);
        Self { run, out, text }
    }

    /// It ends with the exit code that belongs to the signal, and tells what it
    /// has seen: some cells, none of them failed.
    pub fn interrupt(mut self, signal: Signal, code: i32) {
        // The second policy follows the verdicts of the first one's cells.
        read_policies(&mut self.out, &mut self.text, 2);
        self.signal(signal);
        let (status, text) = self.end();
        assert_eq!(status.code(), Some(code), "{text}");
        let summary = text.lines().last().unwrap();
        assert!(summary.contains("opened a socket"), "{text}");
        assert!(
            summary.contains(" 0 fail") && !summary.contains(" 0 broken"),
            "{summary}"
        );
        assert!(text.contains("the run was interrupted"), "{text}");
    }

    /// It has no chance to clean up.
    pub fn kill(self) {
        self.signal(Signal::SIGKILL);
        let (status, _) = self.end();
        assert_eq!(status.signal(), Some(9));
    }

    /// It could not find out the rest; gives what it printed.
    pub fn breaks(self) -> String {
        let (status, text) = self.end();
        assert_eq!(status.code(), Some(3), "{text}");
        assert!(text.lines().last().unwrap().contains(" 0 fail"), "{text}");
        text
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.run.pid(), signal).unwrap();
    }

    /// Waits for its end; gives what it printed, too.
    pub fn end(mut self) -> (ExitStatus, String) {
        self.out.read_to_string(&mut self.text).unwrap();
        (self.run.wait().unwrap(), self.text)
    }
}

/// Reads on until so many policies have been in force.
fn read_policies(out: &mut impl BufRead, text: &mut String, count: usize) {
    while text.matches("policy:").count() < count {
        let read = out.read_line(text).unwrap();
        assert_ne!(read, 0, "it ended with: {text}");
    }
}

/// One cell, which passes.
pub fn next_run_conforms(command: &mut Command) -> String {
    let output = command.arg("connection-string/libpq/uri/disable").output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
