//! Surroundings as files and variables: what a worker process finds.

use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{self, Path, PathBuf},
};

use crate::driver::Surroundings;

/// A private home folder, and the environment that goes with it.
#[derive(Debug)]
pub struct Home {
    /// The folder: the worker's `HOME` and working directory.
    pub folder: PathBuf,
    /// The worker's whole environment.
    pub variables: Vec<(&'static str, OsString)>,
}

impl Home {
    /// Writes the surroundings to a new folder, of mode 0700.
    ///
    /// `PATH` alone is handed on, because interpreters are found by it.
    /// `SSL_CERT_FILE` and `SSL_CERT_DIR` are always set, to an empty file and
    /// an empty folder where the surroundings say nothing, so that OpenSSL's
    /// built-in paths are not used.
    ///
    /// # Errors
    /// When the folder exists, or can't be written; when a file that the
    /// surroundings name can't be read.
    pub fn create(folder: &Path, surroundings: &Surroundings) -> Result<Self, HomeError> {
        let folder = path::absolute(folder).map_err(|source| HomeError::Create {
            path: folder.to_owned(),
            source,
        })?;
        let root_crt = match &surroundings.home_root_crt {
            None => None,
            Some(file) => Some(fs::read(file).map_err(|error| HomeError::read(file, error))?),
        };
        let no_roots = folder.join("no-roots.pem");
        let no_root_dir = folder.join("no-roots");
        let ssl_cert_file = match &surroundings.ssl_cert_file {
            None => no_roots.clone(),
            // The worker's working directory is not the harness's.
            Some(file) => file
                .canonicalize()
                .map_err(|error| HomeError::read(file, error))?,
        };

        private_dir(&folder)?;
        private_dir(&no_root_dir)?;
        private_file(&no_roots, b"")?;
        if let Some(pem) = root_crt {
            private_dir(&folder.join(".postgresql"))?;
            private_file(&folder.join(".postgresql/root.crt"), &pem)?;
        }

        let mut variables = vec![
            ("HOME", folder.clone().into()),
            ("SSL_CERT_FILE", ssl_cert_file.into()),
            ("SSL_CERT_DIR", no_root_dir.into()),
        ];
        variables.extend(path().map(|path| ("PATH", path)));
        Ok(Self { folder, variables })
    }
}

/// Where programs are: behind `PATH`, the folders that a person names for psql.
fn path() -> Option<OsString> {
    let path = env::var_os("PATH")?;
    let Some(named) = env::var_os("RDS_TLS_PSQL") else {
        return Some(path);
    };
    let folders = env::split_paths(&path).chain(env::split_paths(&named));
    env::join_paths(folders.filter(|folder| !folder.as_os_str().is_empty())).ok()
}

/// Why surroundings could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A file that they name.
    #[error("could not read {path}, which the surroundings name: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The home folder, or a file in it.
    #[error("could not create {path} for a worker: {source}")]
    Create {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl HomeError {
    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

fn private_dir(path: &Path) -> Result<(), HomeError> {
    fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|source| HomeError::Create {
            path: path.to_owned(),
            source,
        })
}

fn private_file(path: &Path, content: &[u8]) -> Result<(), HomeError> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, content))
        .map_err(|source| HomeError::Create {
            path: path.to_owned(),
            source,
        })
}
