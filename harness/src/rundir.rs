//! The folder of a run: everything that a run writes is in it, and goes with
//! it. What a killed run left is found by the folder's name and its free lock.
//!
//! A folder may bear a name instead of a random one, so that others find it.
//! Its place is taken and given up by one `rename` each: two runs never share
//! it, and nobody removes at a place that has a new owner.

use std::{
    env,
    fs::{self, File},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use nix::unistd::Uid;

use crate::engine::postmaster;

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

    /// The same, for the only folder of this user that bears a name. The name
    /// is a part of a file's name: it has to be free of `/`.
    ///
    /// # Errors
    /// [`RunDirError::NameTaken`] while a living run's folder bears the name;
    /// else as [`Self::create`].
    pub fn create_named(name: &str) -> Result<Self, RunDirError> {
        let temp = env::temp_dir();
        sweep(&temp);
        Self::create_named_in(&temp, name)
    }

    /// Makes a folder for this run in a given folder.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn create_in(temp: &Path) -> Result<Self, RunDirError> {
        Self::make(temp, None)
    }

    /// Makes a folder with a name in a given folder.
    ///
    /// # Errors
    /// As [`Self::create_named`].
    pub fn create_named_in(temp: &Path, name: &str) -> Result<Self, RunDirError> {
        Self::make(temp, Some(name))
    }

    fn make(temp: &Path, name: Option<&str>) -> Result<Self, RunDirError> {
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
        let path = match name {
            Some(name) => named(&temp, name),
            None => temp.join(format!("{PREFIX}{}", id(folder.path(), UNLOCKED_PREFIX))),
        };
        fs::rename(folder.path(), &path).map_err(|error| match (name, error.kind()) {
            // POSIX has it either way.
            (Some(name), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => {
                RunDirError::NameTaken(name.to_owned())
            }
            _ => RunDirError::at(&path)(error),
        })?;
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
        remove(&self.path).map_err(RunDirError::at(&self.path))
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Gone already after `remove`; what fails here is swept at the next
        // start.
        let _ = remove(&self.path);
    }
}

/// The folder of a run of this user that is alive, in another process or here.
#[derive(Debug)]
pub struct Living {
    path: PathBuf,
    lock: File,
}

impl Living {
    /// Finds the folder that bears a name, while its run lives.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::find_in(&env::temp_dir(), name)
    }

    fn find_in(temp: &Path, name: &str) -> Option<Self> {
        let path = named(&temp.canonicalize().ok()?, name);
        if !is_own_folder(&path) {
            return None;
        }
        let lock = File::open(path.join(LOCK)).ok()?;
        let living = Self { path, lock };
        (!living.has_ended()).then_some(living)
    }

    /// Where it is, links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the run has ended since, its folder removed or left behind.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        // Shared, so that two who ask take neither for the run; given back at
        // once, so that a sweep finds it free.
        let ended = self.lock.try_lock_shared().is_ok();
        ended && self.lock.unlock().is_ok()
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
        .filter(|entry| {
            let path = entry.path();
            let Some(_claim) = claim_abandoned(&path) else {
                return false;
            };
            end_servers(&path);
            remove(&path).is_ok()
        })
        .count()
}

/// Where the folder of a run with a name is.
fn named(temp: &Path, name: &str) -> PathBuf {
    temp.join(format!("{PREFIX}{name}-{}", Uid::effective()))
}

/// The part of a folder's name after a prefix.
fn id(path: &Path, prefix: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(prefix).unwrap_or(&name).to_owned()
}

/// Whether another folder can come to stand at the same place: a random name
/// has no `-`.
fn is_named(path: &Path) -> bool {
    id(path, PREFIX).contains('-')
}

/// Removes a run's folder. A named one is put aside first: its place is free
/// for the next run before any file goes, and is never emptied step by step.
fn remove(path: &Path) -> io::Result<()> {
    if !is_named(path) {
        return remove_tree(path);
    }
    let aside = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempdir_in(path.parent().unwrap_or(path))?
        .keep();
    match fs::rename(path, &aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => remove_tree(&aside),
        Err(error) => remove_tree(&aside).and(Err(error)),
        Ok(()) => remove_tree(&aside),
    }
}

/// Removes a folder with all that is in it; one that is gone is fine. Children
/// of a server that was killed may still write a file while they end, so it is
/// tried for a while.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.exists() => {
                return Ok(());
            }
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            result => return result,
        }
    }
}

/// What keeps others from removing an abandoned folder at the same time.
enum Claim {
    /// Its lock.
    Locked { _lock: File },
    /// It has none, and a place that no other folder comes to.
    Lockless,
}

/// Nothing for a folder that is alive, or none of ours.
fn claim_abandoned(path: &Path) -> Option<Claim> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !is_own_folder(path) {
        return None;
    }
    if name.starts_with(UNLOCKED_PREFIX) {
        // Locked and renamed within microseconds, unless its maker is dead.
        let meta = fs::symlink_metadata(path).ok()?;
        let age = meta.modified().ok().and_then(|at| at.elapsed().ok())?;
        return (age > Duration::from_mins(1)).then_some(Claim::Lockless);
    }
    if !name.starts_with(PREFIX) {
        return None;
    }
    let lock = path.join(LOCK);
    match File::open(&lock) {
        Ok(file) => {
            file.try_lock().ok()?;
            // Another folder may have come to the place in between.
            let (held, there) = (file.metadata().ok()?, fs::metadata(&lock).ok()?);
            let same = (held.dev(), held.ino()) == (there.dev(), there.ino());
            same.then_some(Claim::Locked { _lock: file })
        }
        // Half removed by a run that was killed while it removed.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named(path) => {
            Some(Claim::Lockless)
        }
        Err(_) => None,
    }
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

#[cfg(feature = "container")]
fn lock_is_free(lock: &Path) -> bool {
    match File::open(lock).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(_)) => false,
        // Half removed by a run that was killed while it removed.
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn is_own_folder(path: &Path) -> bool {
    fs::symlink_metadata(path)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == Uid::effective().as_raw())
}

/// Clusters are two levels down, as `server-x/data`.
fn end_servers(run: &Path) {
    for entry in fs::read_dir(run).into_iter().flatten().flatten() {
        postmaster::end(&entry.path().join("data"));
    }
}

/// A run's folder that could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The folder of a living run bears the name.
    #[error("another run is called {0}")]
    NameTaken(String),
    /// The system refused.
    #[error("the run's folder, {path}: {source}; TMPDIR moves it elsewhere")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl RunDirError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
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

    #[test]
    fn a_name_is_had_by_one_living_run_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        assert!(Living::find_in(temp.path(), "one").is_none());
        let one = RunDir::create_named_in(temp.path(), "one").unwrap();
        let two = RunDir::create_named_in(temp.path(), "two").unwrap();
        let again = RunDir::create_named_in(temp.path(), "one").unwrap_err();
        assert!(matches!(again, RunDirError::NameTaken(name) if name == "one"));

        let seen = Living::find_in(temp.path(), "one").unwrap();
        assert_eq!(seen.path(), one.path());
        assert!(!seen.has_ended());
        assert_eq!(sweep(temp.path()), 0);
        one.remove().unwrap();
        assert!(seen.has_ended());
        assert!(Living::find_in(temp.path(), "one").is_none());
        drop(RunDir::create_named_in(temp.path(), "one").unwrap());
        drop(two);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_run_left_does_not_hold_its_name() {
        let temp = tempfile::tempdir().unwrap();
        let left = named(temp.path(), "one");
        fs::create_dir(&left).unwrap();
        File::create(left.join(LOCK)).unwrap();
        assert!(Living::find_in(temp.path(), "one").is_none());
        assert_eq!(sweep(temp.path()), 1);
        RunDir::create_named_in(temp.path(), "one").unwrap();
    }

    #[test]
    #[expect(clippy::used_underscore_binding, reason = "a kill gives it back")]
    fn many_at_once_never_remove_a_living_folder() {
        let temp = tempfile::tempdir().unwrap();
        let run = || {
            for _ in 0..200 {
                sweep(temp.path());
                if let Ok(run) = RunDir::create_named_in(temp.path(), "one") {
                    sweep(temp.path());
                    assert!(run.path().join(LOCK).exists());
                    // As a killed run: the lock is given back, the folder stays.
                    run._lock.unlock().unwrap();
                    std::mem::forget(run);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(run);
            }
        });
    }
}
