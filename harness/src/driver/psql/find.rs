//! The psql programs of this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::engine::Version;

/// Where Debian puts a version each.
const VERSIONS: &str = "/usr/lib/postgresql";

/// One program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Psql {
    pub path: PathBuf,
    pub version: Version,
}

impl Psql {
    /// The configuration that it plays: its major version.
    pub fn configuration(&self) -> String {
        self.version.major.to_string()
    }

    /// The program at a path, if it says that it is one.
    fn at(path: PathBuf) -> Option<Self> {
        let output = Command::new(&path).arg("--version").output().ok()?;
        let version = Version::from_program(&String::from_utf8_lossy(&output.stdout)).ok()?;
        Some(Self { path, version })
    }
}

/// The newest program of each major version, newest first. Those of a version's
/// own folder come before those of `PATH`, which may be a script that chooses.
pub fn all() -> Vec<Psql> {
    let folders = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let own = folders.map(|folder| folder.path().join("bin/psql"));
    let on_path = which::which_all("psql").into_iter().flatten();
    let mut programs: Vec<_> = own
        .filter(|path| Path::is_file(path))
        .chain(on_path)
        .filter_map(Psql::at)
        .collect();
    // Stable: of equal versions the one found first.
    programs.sort_by_key(|psql| std::cmp::Reverse(psql.version));
    programs.dedup_by_key(|psql| psql.version.major);
    programs
}
