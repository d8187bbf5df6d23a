//! The user that server programs run as: PostgreSQL refuses to run as root.

use std::{
    env, fs, io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use nix::unistd::{Gid, Uid, User, chown};

use super::EngineError;

/// The user that server programs run as.
#[derive(Clone, Debug)]
pub struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
    /// Whether the harness is root and has to become the user.
    switch: bool,
}

impl Account {
    /// The harness's own user; as root an unprivileged one: `RDS_TLS_PG_USER`,
    /// else `postgres`, else `nobody`.
    ///
    /// # Errors
    /// When the harness is root and there is no such user, or it is root too.
    pub fn for_servers() -> Result<Self, EngineError> {
        if !Uid::effective().is_root() {
            let uid = Uid::effective();
            return Ok(Self {
                name: uid.to_string(),
                uid,
                gid: Gid::effective(),
                switch: false,
            });
        }
        let user = match env::var("RDS_TLS_PG_USER") {
            Ok(name) => find(&name)?
                .ok_or_else(|| EngineError::Account(format!("there is no user {name}")))?,
            Err(_) => match find("postgres")? {
                Some(user) => user,
                None => find("nobody")?.ok_or_else(|| {
                    EngineError::Account("there is neither a user postgres nor nobody".to_owned())
                })?,
            },
        };
        if user.uid.is_root() {
            return Err(EngineError::Account(format!(
                "the user {} is root",
                user.name
            )));
        }
        Ok(Self {
            name: user.name,
            uid: user.uid,
            gid: user.gid,
            switch: true,
        })
    }

    /// The user's name, or number.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs as the user, with nothing of the harness's
    /// environment but the search paths.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("LC_ALL", "C").current_dir("/");
        for name in ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        if self.switch {
            // As root, std drops the supplementary groups along with it.
            command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
        }
        command
    }

    /// Makes the user the owner of a file or folder.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }

    /// Makes an empty folder that the user owns and no other can enter.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make_private(&self, folder: &Path) -> Result<(), EngineError> {
        fs::create_dir(folder)
            .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
            .and_then(|()| self.own(folder))
            .map_err(EngineError::io(folder))
    }

    /// Checks that the user can enter a folder and all above it.
    ///
    /// # Errors
    /// [`EngineError::Closed`], naming the variable that moves the folder.
    pub fn can_enter(&self, folder: &Path, variable: &'static str) -> Result<(), EngineError> {
        if !self.switch {
            return Ok(());
        }
        let path = folder.canonicalize().map_err(EngineError::io(folder))?;
        for step in path.ancestors() {
            let meta = fs::metadata(step).map_err(EngineError::io(step))?;
            let bit = if meta.uid() == self.uid.as_raw() {
                0o100
            } else if meta.gid() == self.gid.as_raw() {
                0o010
            } else {
                0o001
            };
            if meta.mode() & bit == 0 {
                return Err(EngineError::Closed {
                    folder: step.to_owned(),
                    user: self.name.clone(),
                    variable,
                });
            }
        }
        Ok(())
    }
}

fn find(name: &str) -> Result<Option<User>, EngineError> {
    User::from_name(name)
        .map_err(|error| EngineError::Account(format!("looking up the user {name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_folder_is_named() {
        let closed = tempfile::tempdir().unwrap();
        let inside = closed.path().join("inside");
        fs::create_dir(&inside).unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let account = Account {
            name: "someone".to_owned(),
            uid: Uid::from_raw(4_000_000),
            gid: Gid::from_raw(4_000_000),
            switch: true,
        };
        let error = account.can_enter(&inside, "TMPDIR").unwrap_err();
        assert!(matches!(&error, EngineError::Closed { folder, .. }
            if *folder == closed.path().canonicalize().unwrap()));
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o711)).unwrap();
        account.can_enter(&inside, "TMPDIR").unwrap();
    }
}
