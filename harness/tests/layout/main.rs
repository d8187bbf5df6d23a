//! The layout of the source: which file uses which, and how long files are.
//!
//! The folders of `harness/src` use each other in one direction, the files of
//! a folder form no circle of more than two, and no file is too long to read.
//! Test code is exempt from the first two.

mod graph;
mod modules;
mod paths;
mod tokens;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::{graph::Graph, modules::Modules};

/// No file has more lines than this.
const LINES: usize = 500;

/// Files that are longer, until they are split.
const LONGER: &[&str] = &[];

/// No circle inside one folder has more files than this.
const CIRCLE: usize = 2;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn no_circle_between_the_folders() {
    let modules = Modules::read(&source());
    let mut graph = Graph::default();
    for used in modules.uses() {
        graph.add(used.folder(), used.target_folder(), used.to_string());
    }
    assert!(graph.len() > 5, "no folders seen: {graph:?}");
    let circles: Vec<_> = graph.circles(1).iter().map(|c| graph.describe(c)).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn no_circle_of_more_than_two_files_inside_a_folder() {
    let modules = Modules::read(&source());
    let mut graph = Graph::default();
    for used in modules.uses() {
        if used.folder() == used.target_folder() {
            graph.add(&used.file, &used.target, used.to_string());
        }
    }
    assert!(graph.len() > 50, "no files seen: {graph:?}");
    let circles = graph.circles(CIRCLE);
    let circles: Vec<_> = circles.iter().map(|c| graph.describe(c)).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = BTreeSet::new();
    rust_files(workspace, &mut files);
    assert!(files.len() > 100, "no files found: {files:?}");
    let lines = |file: &Path| fs::read_to_string(file).unwrap().lines().count();
    let long: BTreeSet<_> = files
        .iter()
        .filter(|file| lines(file) > LINES)
        .map(|file| file.strip_prefix(workspace).unwrap().display().to_string())
        .collect();
    let allowed: BTreeSet<_> = LONGER.iter().map(|file| (*file).to_owned()).collect();
    assert_eq!(
        long, allowed,
        "files of more than {LINES} lines (left), and those that LONGER lists (right): split a \
         file that is new on the left, take a file that is on the right alone out of LONGER"
    );
}

/// Every Rust file of the workspace, outside `target` and hidden folders.
fn rust_files(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_symlink() || name == "target" || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.insert(path);
        }
    }
}
