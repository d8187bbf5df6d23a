//! Downloads server programs: the zonky builds of Maven Central, which exist
//! for every version from 10 on and carry an OpenSSL of their own.

mod archive;
mod http;
mod maven;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, thread};

use tokio::sync::oneshot;

use self::{
    archive::unpack,
    http::{GetError, Http},
    maven::{Builds, MavenError},
};
use super::{Cache, EngineError, Program, Version, cache::Adding};

/// The newest program in the cache that answers the request, else the newest
/// that Maven Central has.
pub(super) async fn cached_or_fetched(
    request: Version,
    cache: &Cache,
) -> Result<Program, FetchError> {
    let shelf = cache.engines()?;
    if let Some(program) = cached(request, &shelf)? {
        return Ok(program);
    }
    let adding = Adding::to(&shelf).await?;
    // Another process may have added it while this one waited.
    if let Some(program) = cached(request, &shelf)? {
        return Ok(program);
    }
    fetch(request, &adding).await
}

fn cached(request: Version, shelf: &Path) -> Result<Option<Program>, EngineError> {
    let mut newest: Option<Program> = None;
    for entry in fs::read_dir(shelf).map_err(EngineError::io(shelf))? {
        let entry = entry.map_err(EngineError::io(shelf))?;
        let name = entry.file_name();
        let answers = name
            .to_str()
            .and_then(|name| name.parse::<Version>().ok())
            .filter(|version| version.answers(request));
        if let Some(version) = answers
            && newest
                .as_ref()
                .is_none_or(|newest| newest.version < version)
        {
            newest = Some(Program::inspect(&entry.path().join("bin"))?);
        }
    }
    Ok(newest)
}

async fn fetch(request: Version, adding: &Adding) -> Result<Program, FetchError> {
    let archive = download(request).await?;
    let place = adding.workplace()?;
    let unpacked = place.path().join("engine");
    unpack(&archive, &unpacked).map_err(|why| FetchError::Archive {
        request,
        why: why.to_string(),
    })?;
    open_folders(&unpacked)?;
    let version = Program::inspect(&unpacked.join("bin"))?.version;
    let entry = adding.finish(&unpacked, &version.to_string())?;
    Ok(Program::inspect(&entry.join("bin"))?)
}

/// Downloads on a thread of its own, which holds nothing: a run that is
/// interrupted doesn't wait for it, as it would for a blocking task of tokio.
async fn download(request: Version) -> Result<Vec<u8>, FetchError> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new()
        .name("download".to_owned())
        .spawn(move || {
            let found = Http::over_https()
                .map_err(FetchError::from)
                .and_then(|http| Ok(Builds::of_this_machine(http).archive(request)?));
            // Nobody waits any more when the run was interrupted.
            let _ = sender.send(found);
        })
        .map_err(FetchError::Thread)?;
    receiver.await.map_err(|_| FetchError::Ended)?
}

/// Lets the server's user into all folders: the archive tells the modes of its
/// files, while the folders got what the umask left.
fn open_folders(folder: &Path) -> Result<(), EngineError> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
        .map_err(EngineError::io(folder))?;
    for entry in fs::read_dir(folder).map_err(EngineError::io(folder))? {
        let entry = entry.map_err(EngineError::io(folder))?;
        let path = entry.path();
        if entry.file_type().map_err(EngineError::io(&path))?.is_dir() {
            open_folders(&path)?;
        }
    }
    Ok(())
}

/// Why nothing was downloaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Maven(#[from] MavenError),
    #[error("the archive of PostgreSQL {request} can't be unpacked: {why}")]
    Archive { request: Version, why: String },
    #[error("no thread to download on: {0}")]
    Thread(std::io::Error),
    #[error("the thread that downloads ended without an answer")]
    Ended,
    #[error(transparent)]
    Engine(#[from] EngineError),
}
