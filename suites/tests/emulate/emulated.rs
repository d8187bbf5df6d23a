//! `rds-tls emulate` in the foreground, until it is stopped.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{ChildStdout, Command, Stdio},
};

use nix::sys::signal::{Signal, kill};
use tempfile::TempDir;

use crate::{
    guard::Guard,
    leftovers::{assert_nothing_left, temp},
};

pub struct Emulated {
    run: Guard,
    out: BufReader<ChildStdout>,
    pub lines: String,
    temp: TempDir,
}

impl Emulated {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(temp(), arguments)
    }

    /// In a folder for temporary files of the caller's.
    pub fn start_in(temp: TempDir, arguments: &[&str]) -> Self {
        let run = emulate(temp.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut run = Guard(run.unwrap());
        let mut out = BufReader::new(run.stdout.take().unwrap());
        let mut lines = String::new();
        let last = |lines: &str| lines.contains("\nuntil") || lines.starts_with('{');
        while !last(&lines) {
            assert_ne!(out.read_line(&mut lines).unwrap(), 0, "it ended: {lines}");
        }
        Self {
            run,
            out,
            lines,
            temp,
        }
    }

    /// The text of a printed line.
    pub fn line(&self, name: &str) -> &str {
        line(&self.lines, name)
    }

    /// The remark beneath a printed line, or nothing.
    pub fn note(&self, name: &str) -> &str {
        let beneath = (self.lines.lines())
            .skip_while(|line| text_of(line, name).is_none())
            .nth(1);
        let note = beneath.and_then(|line| line.trim_start().strip_prefix("# "));
        note.unwrap_or_default()
    }

    pub fn temp(&self) -> &Path {
        self.temp.path()
    }

    pub fn stop(self) {
        kill(self.run.pid(), Signal::SIGTERM).unwrap();
        self.stopped();
    }

    /// Somebody else has stopped it.
    pub fn stopped(mut self) {
        self.out.read_to_string(&mut self.lines).unwrap();
        assert_eq!(self.run.wait().unwrap().code(), Some(0));
        assert_nothing_left(&self.temp);
    }
}

/// The text of a line that was printed.
pub fn line<'a>(lines: &'a str, name: &str) -> &'a str {
    let found = lines.lines().find_map(|line| text_of(line, name));
    found.unwrap_or_else(|| panic!("no line {name} in {lines}"))
}

/// Names take 15 columns.
fn text_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (column, text) = line.split_at_checked(16)?;
    (column.trim_end() == name).then_some(text)
}

/// The command, with a folder for temporary files.
pub fn emulate(temp: &Path) -> Command {
    let mut command = crate::program::rds_tls();
    command
        .arg("emulate")
        .env("TMPDIR", temp)
        .env("RDS_TLS_BACKEND", "embedded");
    command
}
