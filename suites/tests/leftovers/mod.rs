//! What a program under test leaves behind: files in its folder for temporary
//! ones, and processes that work there.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use tempfile::TempDir;

use crate::{proc, until::until};

/// A folder for temporary files that the server's user may pass through.
pub fn temp() -> TempDir {
    temp_called("")
}

/// The same with a beginning for its name.
pub fn temp_called(prefix: &str) -> TempDir {
    let temp = tempfile::Builder::new().prefix(prefix).tempdir().unwrap();
    fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o711)).unwrap();
    temp
}

/// Processes that work in the folder or name it: servers and workers.
pub fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.canonicalize().unwrap();
    let name = folder.to_str().unwrap();
    let named = |process: proc::Process| {
        let line = process.arguments();
        let works_in = (process.link("cwd")).is_some_and(|cwd| cwd.starts_with(&folder));
        let names = line.contains(name) || process.environment().contains(name);
        (works_in || names).then_some(line)
    };
    proc::others().filter_map(named).collect()
}

/// Processes get a while to end, files don't.
pub fn assert_nothing_left(temp: &TempDir) {
    until("no process is left", || processes(temp.path()).is_empty());
    let left: Vec<_> = fs::read_dir(temp.path()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
