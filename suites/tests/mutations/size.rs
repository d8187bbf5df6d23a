//! The tables stay small enough to be read whole, and their lines to be read at once.

use std::{fs, path::Path};

use harness::suite::SourceFile;
use suites::data;

use crate::rows::rows;

/// Rows of all tables that people keep, without those that check them (`written/`).
const ROWS: usize = 260;

/// Columns of a line, `written/` apart: its rows say a whole cell each.
const COLUMNS: usize = 140;

fn files() -> Vec<SourceFile> {
    let mut files = data::built_in();
    let chain = fs::read_to_string(Path::new(data::FOLDER).join("chain.toml")).unwrap();
    files.push(SourceFile {
        name: "chain.toml".to_owned(),
        text: chain,
    });
    files.retain(|file| !file.name.starts_with("written/"));
    files
}

#[test]
fn rows_are_few() {
    let count: usize = files().iter().map(|file| rows(file).len()).sum();
    assert!(count > 100, "{count} rows: the tables aren't read");
    assert!(count < ROWS, "{count} rows, and fewer than {ROWS} are due");
}

#[test]
fn lines_are_short() {
    for SourceFile { name, text } in files() {
        for (nth, line) in text.lines().enumerate() {
            let columns = line.chars().count();
            let place = format!("{name}:{}", nth + 1);
            assert!(
                columns <= COLUMNS,
                "{place}: {columns} columns, at most {COLUMNS} are due"
            );
        }
    }
}
