//! Finds a server program: installed, cached, or to be downloaded.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::{Cache, EngineError, NEWEST, Program, Version, download};

/// Finds a server program with OpenSSL.
///
/// Without a request: the one that `RDS_TLS_PG_BIN` names, else the newest
/// installed, else the newest in the cache or to be downloaded. With one: an
/// installed program that answers it, else one from the cache, else the newest
/// that answers it is downloaded.
///
/// # Errors
/// [`EngineError::NotFound`] when nothing answers, and errors of its own for a
/// version that the suite doesn't know and an `RDS_TLS_PG_BIN` that is wrong.
pub async fn locate(request: Option<Version>, cache: &Cache) -> Result<Program, EngineError> {
    if let Some(version) = request.filter(|version| !version.is_supported()) {
        return Err(EngineError::Unsupported(version));
    }
    let answers =
        |program: &Program| request.is_none_or(|request| program.version.answers(request));
    if let Some(program) = named()?.filter(answers) {
        return Ok(program);
    }
    let installed = installed();
    if let Some(program) = installed.iter().find(|program| answers(program)) {
        return Ok(program.clone());
    }
    let wanted = request.unwrap_or(Version {
        major: NEWEST,
        minor: None,
    });
    download::cached_or_fetched(wanted, cache)
        .await
        .map_err(|error| EngineError::NotFound {
            request: wanted.to_string(),
            installed: names(&installed),
            download: error.to_string(),
        })
}

/// The version that [`locate`] takes without a request, if one is installed.
/// Starts no server and fetches nothing.
#[must_use]
pub fn newest_installed() -> Option<Version> {
    let program = match named() {
        Ok(Some(program)) => Some(program),
        _ => installed().into_iter().next(),
    };
    program.map(|program| program.version)
}

fn named() -> Result<Option<Program>, EngineError> {
    let Some(folder) = env::var_os("RDS_TLS_PG_BIN").filter(|v| !v.is_empty()) else {
        return Ok(None);
    };
    let folder = PathBuf::from(folder);
    let wrong = |why: String| EngineError::NamedFolder {
        folder: folder.clone(),
        why,
    };
    let program = Program::inspect(&folder).map_err(|error| wrong(error.to_string()))?;
    if !program.openssl {
        return Err(wrong("this server was built without OpenSSL".to_owned()));
    }
    if !program.version.is_supported() {
        return Err(wrong(EngineError::Unsupported(program.version).to_string()));
    }
    Ok(Some(program))
}

/// Programs with OpenSSL on this machine, newest first.
fn installed() -> Vec<Program> {
    let on_path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&on_path).chain(usual_folders());
    let mut programs: Vec<Program> = Vec::new();
    for folder in folders.filter(|folder| folder.join("postgres").is_file()) {
        // One that doesn't answer is as good as absent.
        if let Ok(program) = Program::inspect(&folder)
            && program.openssl
            && program.version.is_supported()
            && !programs.contains(&program)
        {
            programs.push(program);
        }
    }
    // Stable: of equal versions the one found first, PATH before the rest.
    programs.sort_by_key(|program| std::cmp::Reverse(program.version));
    programs
}

/// Where distributions put a version each.
fn usual_folders() -> impl Iterator<Item = PathBuf> {
    const PATTERNS: [(&str, &str, &str); 6] = [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql@", "bin"),
        ("/usr/local/opt", "postgresql@", "bin"),
        ("/Library/PostgreSQL", "", "bin"),
        ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
    ];
    PATTERNS
        .iter()
        .flat_map(|(parent, prefix, bin)| {
            children(Path::new(parent), prefix).map(move |child| child.join(bin))
        })
        .chain(["/usr/local/pgsql/bin", "/usr/lib/postgresql/bin"].map(PathBuf::from))
}

fn children(parent: &Path, prefix: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(move |path| starts_with(path.file_name(), prefix))
}

fn starts_with(name: Option<&OsStr>, prefix: &str) -> bool {
    name.is_some_and(|name| name.to_string_lossy().starts_with(prefix))
}

fn names(programs: &[Program]) -> String {
    if programs.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<_> = programs
        .iter()
        .map(|program| format!("{} ({})", program.version, program.bin.display()))
        .collect();
    names.join(", ")
}
