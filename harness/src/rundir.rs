//! The folder of a run: everything that a run writes is in it, and goes with
//! it. What a killed run left is found by the folder's name and its free lock.

use std::{
    env,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::unistd::Uid;

use crate::endpoint::postmaster;

const PREFIX: &str = "rds-tls-run-";
/// A folder has this name until its lock is held.
const UNLOCKED_PREFIX: &str = "rds-tls-new-";
const LOCK: &str = "lock";

/// A private folder in the system's folder for temporary files, removed when
/// dropped. Other users may pass through it (the server's has to), not list it.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held for as long as the process lives, however it ends.
    _lock: File,
}

impl RunDir {
    /// Removes what killed runs left, then makes a folder for this one.
    ///
    /// # Errors
    /// When the folder can't be made. What can't be removed of others is left
    /// for the next start.
    pub fn create() -> Result<Self, RunDirError> {
        let temp = env::temp_dir();
        sweep(&temp);
        Self::create_in(&temp)
    }

    /// Makes a folder for this run in a given folder.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn create_in(temp: &Path) -> Result<Self, RunDirError> {
        let temp = temp.canonicalize().map_err(RunDirError::at(temp))?;
        let folder = tempfile::Builder::new()
            .prefix(UNLOCKED_PREFIX)
            .tempdir_in(&temp)
            .map_err(RunDirError::at(&temp))?;
        // By name, since a umask would narrow what a new folder is given.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))
            .map_err(RunDirError::at(folder.path()))?;
        let lock = folder.path().join(LOCK);
        let lock = File::create_new(&lock)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(RunDirError::at(&lock))?;
        let name = folder.path().file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        let id = name.strip_prefix(UNLOCKED_PREFIX).unwrap_or(&name);
        let path = temp.join(format!("{PREFIX}{id}"));
        fs::rename(folder.path(), &path).map_err(RunDirError::at(&path))?;
        // Nothing bears the old name any more.
        let _ = folder.keep();
        Ok(Self { path, _lock: lock })
    }

    /// Where it is, links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder with all that is in it.
    ///
    /// # Errors
    /// When something could not be removed.
    pub fn remove(self) -> Result<(), RunDirError> {
        remove_tree(&self.path).map_err(RunDirError::at(&self.path))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Gone already after `remove`; what fails here is swept at the next
        // start.
        let _ = remove_tree(&self.path);
    }
}

/// Removes the folders of runs that were killed, and ends the servers that run
/// in them. Returns how many folders went.
#[expect(clippy::must_use_candidate, reason = "called for what it does")]
pub fn sweep(temp: &Path) -> usize {
    let Ok(entries) = fs::read_dir(temp) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_abandoned(path))
        .filter(|path| {
            end_servers(path);
            remove_tree(path).is_ok()
        })
        .count()
}

/// Removes a folder with all that is in it; one that is gone is fine. Children
/// of a server that was killed may still write a file while they end, so it is
/// tried for a while.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let patience = Instant::now() + Duration::from_secs(2);
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {
                return Ok(());
            }
            Err(_) if Instant::now() < patience => thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
}

fn is_abandoned(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mine = |meta: &fs::Metadata| meta.is_dir() && meta.uid() == Uid::effective().as_raw();
    let Some(meta) = fs::symlink_metadata(path).ok().filter(mine) else {
        return false;
    };
    if name.starts_with(UNLOCKED_PREFIX) {
        // Locked and renamed within microseconds, unless its maker is dead.
        let age = meta.modified().ok().and_then(|at| at.elapsed().ok());
        return age.is_some_and(|age| age > Duration::from_mins(1));
    }
    name.starts_with(PREFIX) && lock_is_free(&path.join(LOCK))
}

/// Whether the run of a folder may be alive: it is unless the folder is gone or
/// its lock is free. What can't be looked at may.
#[cfg(feature = "container")]
pub(crate) fn may_be_alive(run: &Path) -> bool {
    match run.try_exists() {
        Ok(there) => there && !lock_is_free(&run.join(LOCK)),
        Err(_) => true,
    }
}

fn lock_is_free(lock: &Path) -> bool {
    match File::open(lock).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) => false,
        // Half removed by a run that was killed while it removed.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Clusters are two levels down, as `server-x/data`.
fn end_servers(run: &Path) {
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        postmaster::end(&entry.path().join("data"));
    }
}

/// A run's folder that could not be made or removed.
#[derive(Debug, thiserror::Error)]
#[error("the run's folder, {path}: {source}; TMPDIR moves it elsewhere")]
pub struct RunDirError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl RunDirError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_run_is_left_alone_and_an_abandoned_one_goes() {
        let temp = tempfile::tempdir().unwrap();
        let living = RunDir::create_in(temp.path()).unwrap();
        let abandoned = temp.path().join("rds-tls-run-dead");
        fs::create_dir(&abandoned).unwrap();
        File::create(abandoned.join(LOCK)).unwrap();
        let just_begun = temp.path().join("rds-tls-new-begun");
        fs::create_dir(&just_begun).unwrap();
        let foreign = temp.path().join("something-else");
        fs::create_dir(&foreign).unwrap();

        assert_eq!(sweep(temp.path()), 1);
        assert!(!abandoned.exists());
        assert!(living.path().join(LOCK).exists());
        assert!(just_begun.exists() && foreign.exists());

        let path = living.path().to_owned();
        living.remove().unwrap();
        assert!(!path.exists());
    }
}
