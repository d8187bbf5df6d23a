//! What a program under test leaves behind: files in its folder for temporary
//! ones, and processes that work there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

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
    let named = |entry: &Path| {
        let read = |name| fs::read(entry.join(name)).unwrap_or_default();
        let line = String::from_utf8_lossy(&read("cmdline")).into_owned();
        let environment = String::from_utf8_lossy(&read("environ")).into_owned();
        let works_in = fs::read_link(entry.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
        let name = folder.to_str().unwrap();
        (works_in || line.contains(name) || environment.contains(name)).then_some(line)
    };
    let own = Path::new("/proc").join(std::process::id().to_string());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    (entries.map(|entry| entry.path()))
        .filter(|path| *path != own)
        .filter_map(|path| named(&path))
        .collect()
}

/// Processes get a while to end, files don't.
pub fn assert_nothing_left(temp: &TempDir) {
    let patience = Instant::now() + Duration::from_secs(5);
    while !processes(temp.path()).is_empty() && Instant::now() < patience {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(processes(temp.path()), Vec::<String>::new());
    let left: Vec<_> = fs::read_dir(temp.path()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
