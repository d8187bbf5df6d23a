//! Where downloaded engines and template clusters are kept between runs.

use std::{
    env,
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use nix::unistd::Uid;

use super::{Account, EngineError};

/// A folder that runs share. Each entry comes into it by a rename, under a
/// lock, so that it is there whole or not at all.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `RDS_TLS_CACHE`; else, as root, `/var/cache/rds-tls`, since a folder
    /// under root's home is closed to the server's user; else `rds-tls` under
    /// `XDG_CACHE_HOME` or `~/.cache`.
    ///
    /// # Errors
    /// When there is no such folder, or the server's user cannot enter it.
    pub fn open(account: &Account) -> Result<Self, EngineError> {
        let named = |variable| {
            env::var_os(variable)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let root = if let Some(folder) = named("RDS_TLS_CACHE") {
            folder
        } else if Uid::effective().is_root() {
            PathBuf::from("/var/cache/rds-tls")
        } else if let Some(folder) = named("XDG_CACHE_HOME") {
            folder.join("rds-tls")
        } else {
            let home = named("HOME").ok_or(EngineError::NoCache)?;
            home.join(".cache/rds-tls")
        };
        Self::at(&root, account)
    }

    /// A cache in a folder, which is made where it is missing.
    ///
    /// # Errors
    /// As for [`Cache::open`].
    pub fn at(root: &Path, account: &Account) -> Result<Self, EngineError> {
        if !root.is_dir() {
            make_open(root)?;
        }
        let root = root.canonicalize().map_err(EngineError::io(root))?;
        account.can_enter(&root, "RDS_TLS_CACHE")?;
        Ok(Self { root })
    }

    /// Downloaded engines, a folder each.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn engines(&self) -> Result<PathBuf, EngineError> {
        self.shelf("engines")
    }

    /// Template clusters, a folder each.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn templates(&self) -> Result<PathBuf, EngineError> {
        self.shelf("templates")
    }

    fn shelf(&self, name: &str) -> Result<PathBuf, EngineError> {
        let folder = self.root.join(name);
        make_open(&folder)?;
        Ok(folder)
    }
}

/// A folder that all may read, whatever the umask.
fn make_open(folder: &Path) -> Result<(), EngineError> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o755)))
        .map_err(EngineError::io(folder))
}

/// The right to add to a shelf; ends when dropped, or with the process.
#[derive(Debug)]
pub(super) struct Adding {
    shelf: PathBuf,
    _lock: File,
}

impl Adding {
    /// Waits until no other process adds to the shelf, and removes what one
    /// that was killed left half done.
    pub(super) async fn to(shelf: &Path) -> Result<Self, EngineError> {
        let path = shelf.join(".lock");
        let waited = path.clone();
        let lock = tokio::task::spawn_blocking(move || {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&waited)?;
            file.lock()?;
            Ok(file)
        })
        .await
        .map_err(std::io::Error::other)
        .and_then(|locked| locked)
        .map_err(EngineError::io(&path))?;
        let adding = Self {
            shelf: shelf.to_owned(),
            _lock: lock,
        };
        adding.clear_unfinished()?;
        Ok(adding)
    }

    /// An empty folder to prepare an entry in; open to the server's user.
    pub(super) fn workplace(&self) -> Result<tempfile::TempDir, EngineError> {
        let place = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.shelf)
            .map_err(EngineError::io(&self.shelf))?;
        make_open(place.path())?;
        Ok(place)
    }

    /// Puts a finished folder on the shelf.
    pub(super) fn finish(&self, folder: &Path, name: &str) -> Result<PathBuf, EngineError> {
        let entry = self.shelf.join(name);
        fs::rename(folder, &entry).map_err(EngineError::io(&entry))?;
        Ok(entry)
    }

    fn clear_unfinished(&self) -> Result<(), EngineError> {
        for entry in fs::read_dir(&self.shelf).map_err(EngineError::io(&self.shelf))? {
            let entry = entry.map_err(EngineError::io(&self.shelf))?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                let path = entry.path();
                fs::remove_dir_all(&path).map_err(EngineError::io(&path))?;
            }
        }
        Ok(())
    }
}

const UNFINISHED: &str = ".unfinished-";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_killed_run_left_half_done_is_removed() {
        let shelf = tempfile::tempdir().unwrap();
        let stale = shelf.path().join(".unfinished-abc");
        fs::create_dir(&stale).unwrap();
        let done = shelf.path().join("17.6");
        fs::create_dir(&done).unwrap();
        let adding = Adding::to(shelf.path()).await.unwrap();
        assert!(!stale.exists() && done.exists());

        let place = adding.workplace().unwrap();
        let entry = place.path().join("entry");
        fs::create_dir(&entry).unwrap();
        let entry = adding.finish(&entry, "18.1").unwrap();
        assert_eq!(entry, shelf.path().join("18.1"));
        assert!(entry.is_dir());
    }
}
