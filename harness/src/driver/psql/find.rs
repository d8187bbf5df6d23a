//! The psql programs of this machine.

use std::{
    env, fs,
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

/// The newest program of each major version, newest first: of the folders that
/// `RDS_TLS_PSQL` names, as `PATH` does; of a version's own folder; of `PATH`, where
/// it may be a script that chooses.
pub fn all() -> Vec<Psql> {
    let named = env::var_os("RDS_TLS_PSQL").unwrap_or_default();
    let named = env::split_paths(&named)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| folder.join("psql"));
    let folders = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let own = folders.map(|folder| folder.path().join("bin/psql"));
    let on_path = which::which_all("psql").into_iter().flatten();
    let mut programs: Vec<_> = (named.chain(own))
        .filter(|path| Path::is_file(path))
        .chain(on_path)
        .filter_map(Psql::at)
        .collect();
    // Stable: of equal versions the one found first.
    programs.sort_by_key(|psql| std::cmp::Reverse(psql.version));
    programs.dedup_by_key(|psql| psql.version.major);
    programs
}
