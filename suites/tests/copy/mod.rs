//! A copy of the suites, to be changed.

use std::{fs, path::Path};

use tempfile::TempDir;

/// All data files, in a folder of their own.
pub fn copy_of_suites() -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let to = tempfile::tempdir().unwrap();
    copy_toml(from, to.path());
    for folder in ["cases", "drivers", "refusals", "verifiers", "written"] {
        let to = to.path().join(folder);
        fs::create_dir(&to).unwrap();
        copy_toml(&from.join(folder), &to);
    }
    to
}

fn copy_toml(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}
