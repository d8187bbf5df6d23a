//! All files of a folder that is looked into from outside.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The files beneath a folder; one that is gone has none.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path()),
            _ => vec![entry.path()],
        })
        .collect()
}
