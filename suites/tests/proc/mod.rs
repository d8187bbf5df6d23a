//! The processes of this machine, as proc(5) tells of them.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::unistd::Pid;

/// A process, which may have ended: what it is asked then is empty or absent.
#[derive(Clone, Debug)]
pub struct Process {
    pub pid: Pid,
}

pub fn all() -> impl Iterator<Item = Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.map(|pid| Process::of(Pid::from_raw(pid)))
}

/// All but this one.
pub fn others() -> impl Iterator<Item = Process> {
    all().filter(|process| process.pid != Pid::this())
}

/// Arguments and environments of all processes.
pub fn arguments_and_environments() -> String {
    all()
        .map(|process| process.arguments() + &process.environment())
        .collect()
}

impl Process {
    pub fn of(pid: Pid) -> Self {
        Self { pid }
    }

    /// The arguments, a NUL behind each; a server's backends write their state
    /// over them.
    pub fn arguments(&self) -> String {
        self.text("cmdline")
    }

    /// `NAME=VALUE`, a NUL behind each.
    pub fn environment(&self) -> String {
        self.text("environ")
    }

    /// What a file descriptor stands for, as `fd/0`, or `cwd`.
    pub fn link(&self, name: &str) -> Option<PathBuf> {
        fs::read_link(self.folder().join(name)).ok()
    }

    /// Whether it neither has ended nor is a zombie that its parent has not
    /// asked after.
    pub fn lives(&self) -> bool {
        self.stat().first().is_some_and(|state| state != "Z")
    }

    pub fn parent(&self) -> Option<Pid> {
        self.stat().get(1)?.parse().ok().map(Pid::from_raw)
    }

    /// The fields of `stat` behind the name: state, ppid, pgrp, session, `tty_nr`.
    pub fn stat(&self) -> Vec<String> {
        let stat = self.text("stat");
        let (_, fields) = stat.rsplit_once(") ").unwrap_or_default();
        fields.split_whitespace().map(str::to_owned).collect()
    }

    fn text(&self, name: &str) -> String {
        let bytes = fs::read(self.folder().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn folder(&self) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string())
    }
}
