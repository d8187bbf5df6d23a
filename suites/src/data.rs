//! The suites' files: built in, or from a folder.

use std::{fs, io, path::Path};

use anyhow::Context;
use harness::{
    policy::DefaultsTable,
    suite::{Data, SourceFile},
};
use include_dir::{Dir, include_dir};

static CASES: Dir = include_dir!("$CARGO_MANIFEST_DIR/cases");
static DRIVERS: Dir = include_dir!("$CARGO_MANIFEST_DIR/drivers");

/// Where the built-in files were taken from; what they name by a relative path
/// is looked for there.
pub const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Reads and crosses all tables, from `folder` or as they were built in.
///
/// # Errors
/// With file and line, when something is wrong with them.
pub fn load(folder: Option<&Path>) -> anyhow::Result<Data> {
    let files = match folder {
        Some(folder) => read(folder)?,
        None => built_in(),
    };
    Ok(Data::parse(&files)?)
}

/// RDS's defaults by engine version.
///
/// # Errors
/// With file and line, when something is wrong with the table.
pub fn defaults() -> anyhow::Result<DefaultsTable> {
    Ok(DefaultsTable::parse(
        "engines.toml",
        include_str!("../engines.toml"),
    )?)
}

/// The files as they were built in, sorted by name.
#[must_use]
pub fn built_in() -> Vec<SourceFile> {
    let top = [
        ("claims.toml", include_str!("../claims.toml")),
        ("known.toml", include_str!("../known.toml")),
    ];
    let mut files: Vec<SourceFile> = top.map(|(name, text)| file(name.to_owned(), text)).into();
    for (folder, dir) in [("cases", &CASES), ("drivers", &DRIVERS)] {
        let in_folder = dir.files().filter(|entry| is_toml(entry.path()));
        files.extend(in_folder.filter_map(|entry| {
            let name = entry.path().to_str()?;
            Some(file(format!("{folder}/{name}"), entry.contents_utf8()?))
        }));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn read(folder: &Path) -> anyhow::Result<Vec<SourceFile>> {
    let mut names = vec!["claims.toml".to_owned(), "known.toml".to_owned()];
    for sub in ["cases", "drivers"] {
        let path = folder.join(sub);
        let entries = fs::read_dir(&path)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .with_context(|| format!("the folder of suites lacks {}", path.display()))?;
        let in_folder = entries.iter().filter(|entry| is_toml(&entry.path()));
        names.extend(in_folder.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(format!("{sub}/{name}"))
        }));
    }
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let path = folder.join(&name);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("the suite file {} can't be read", path.display()))?;
            Ok(file(name, &text))
        })
        .collect()
}

fn is_toml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "toml")
}

fn file(name: String, text: &str) -> SourceFile {
    SourceFile {
        name,
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_files_are_those_of_the_folder() {
        let folder = Path::new(FOLDER);
        let names = |files: Vec<SourceFile>| files.into_iter().map(|f| f.name).collect::<Vec<_>>();
        assert_eq!(names(built_in()), names(read(folder).unwrap()));
    }

    #[test]
    fn every_cell_of_every_engine_is_matched_by_exactly_one_row() {
        let data = load(None).unwrap();
        assert!(data.cases.len() > 1000, "{} cases", data.cases.len());
        defaults().unwrap();
    }
}
