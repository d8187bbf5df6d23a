//! The suites' files: built in, or from a folder.

use std::{fs, io, path::Path};

use anyhow::{Context, anyhow};
use certs_gen::read_regular_text;
use harness::{
    policy::DefaultsTable,
    suite::{CHAIN_FILE, Data, SourceFile},
};
use include_dir::{Dir, include_dir};

static CASES: Dir = include_dir!("$CARGO_MANIFEST_DIR/cases");
static DRIVERS: Dir = include_dir!("$CARGO_MANIFEST_DIR/drivers");
static REFUSALS: Dir = include_dir!("$CARGO_MANIFEST_DIR/refusals");
static VERIFIERS: Dir = include_dir!("$CARGO_MANIFEST_DIR/verifiers");
static WRITTEN: Dir = include_dir!("$CARGO_MANIFEST_DIR/written");
static FOLDERS: [(&str, &Dir); 5] = [
    ("cases", &CASES),
    ("drivers", &DRIVERS),
    ("refusals", &REFUSALS),
    ("verifiers", &VERIFIERS),
    ("written", &WRITTEN),
];
static TOP: [(&str, &str); 6] = [
    ("axes.toml", include_str!("../axes.toml")),
    (CHAIN_FILE, include_str!("../chain.toml")),
    ("claims.toml", include_str!("../claims.toml")),
    ("engines.toml", include_str!("../engines.toml")),
    ("known.toml", include_str!("../known.toml")),
    ("transport.toml", include_str!("../transport.toml")),
];

/// Where the built-in files were taken from; what they name by a relative path
/// is looked for there.
pub const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Files that are read together.
struct Contents {
    top: &'static [&'static str],
    folders: &'static [&'static str],
}

/// The suites that are played when nobody gives a chain.
const SUITES: Contents = Contents {
    top: &[
        "axes.toml",
        "claims.toml",
        "engines.toml",
        "known.toml",
        "transport.toml",
    ],
    folders: &["cases", "drivers", "refusals", "verifiers", "written"],
};

/// The suite that is played on somebody's own chain. What is known of RDS's
/// chain says nothing of theirs.
const CHAIN: Contents = Contents {
    top: &[
        "axes.toml",
        CHAIN_FILE,
        "claims.toml",
        "engines.toml",
        "transport.toml",
    ],
    folders: &["drivers", "refusals", "verifiers"],
};

/// Reads and crosses all tables, from `folder` or as they were built in.
///
/// # Errors
/// With file and line, when something is wrong with them.
pub fn load(folder: Option<&Path>) -> anyhow::Result<Data> {
    parse(&SUITES, folder)
}

/// The same for the suite that is played on somebody's own chain.
///
/// # Errors
/// As [`load`].
pub fn load_chain(folder: Option<&Path>) -> anyhow::Result<Data> {
    parse(&CHAIN, folder)
}

fn parse(contents: &Contents, folder: Option<&Path>) -> anyhow::Result<Data> {
    Ok(match folder {
        Some(folder) => Data::parse(&contents.read(folder)?)?,
        // A test checks these.
        None => Data::read(&contents.built_in())?,
    })
}

/// RDS's defaults by engine version, as they were built in.
///
/// # Errors
/// With file and line, when something is wrong with the table.
pub fn defaults() -> anyhow::Result<DefaultsTable> {
    Ok(DefaultsTable::parse(
        "engines.toml",
        include_str!("../engines.toml"),
    )?)
}

/// The files of the suites as they were built in, sorted by name.
#[must_use]
pub fn built_in() -> Vec<SourceFile> {
    SUITES.built_in()
}

impl Contents {
    fn built_in(&self) -> Vec<SourceFile> {
        let top = TOP.iter().filter(|(name, _)| self.top.contains(name));
        let mut files: Vec<SourceFile> = top
            .map(|(name, text)| file((*name).to_owned(), text))
            .collect();
        for (folder, dir) in FOLDERS {
            let dir = self.folders.contains(&folder).then_some(dir);
            let entries = dir.into_iter().flat_map(Dir::files);
            let in_folder = entries.filter(|entry| is_toml(entry.path()));
            files.extend(in_folder.filter_map(|entry| {
                let name = entry.path().to_str()?;
                Some(file(format!("{folder}/{name}"), entry.contents_utf8()?))
            }));
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files
    }

    fn read(&self, folder: &Path) -> anyhow::Result<Vec<SourceFile>> {
        let mut names: Vec<String> = self.top.iter().map(|name| (*name).to_owned()).collect();
        for sub in self.folders {
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
                let text = read_regular_text(&path)
                    .map_err(|error| anyhow!("a suite file can't be had: {error}"))?;
                Ok(file(name, &text))
            })
            .collect()
    }
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
    use std::sync::Arc;

    use harness::suite::Page;

    use super::*;

    #[test]
    fn the_built_in_files_are_those_of_the_folder() {
        let folder = Path::new(FOLDER);
        let names = |files: Vec<SourceFile>| files.into_iter().map(|f| f.name).collect::<Vec<_>>();
        for contents in [SUITES, CHAIN] {
            let read = contents.read(folder).unwrap();
            assert_eq!(names(contents.built_in()), names(read));
        }
    }

    #[test]
    fn every_driver_is_played_on_somebodys_own_chain() {
        let data = load_chain(None).unwrap();
        // An optional one, as psql, brings a library with it that is played.
        let verifies = |driver: &&Arc<Page>| !driver.is_optional && driver.verifier.is_some();
        for driver in data.drivers.values().filter(verifies) {
            let mut cases = data.cases.iter();
            let id = &driver.id;
            assert!(cases.any(|case| case.driver.id == *id), "{id}");
        }
    }

    #[test]
    fn every_cell_of_every_engine_is_composed_and_as_written() {
        let data = Data::parse(&built_in()).unwrap();
        assert!(data.cases.len() > 1000, "{} cases", data.cases.len());
        Data::parse(&CHAIN.built_in()).unwrap();
    }
}
