//! The files of one server, and what is written into them before its start.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::EndpointError;
use crate::{
    engine::{self, Account},
    rundir::remove_tree,
};

/// All that a server writes; removed when dropped.
pub(super) struct ServerFolder {
    path: PathBuf,
    pub(super) layout: Layout,
}

impl ServerFolder {
    pub(super) fn create(run_dir: &Path) -> Result<Self, EndpointError> {
        let path = tempfile::Builder::new()
            .prefix("server-")
            .tempdir_in(run_dir)
            .map_err(EndpointError::io(run_dir))?
            .keep();
        let folder = Self {
            layout: Layout::beneath(&path),
            path,
        };
        // The server's user passes through.
        fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o711))
            .map_err(EndpointError::io(&folder.path))?;
        Ok(folder)
    }

    pub(super) fn remove(&self) -> Result<(), EndpointError> {
        remove_tree(&self.path).map_err(|error| EndpointError::LeftBehind {
            folder: self.path.clone(),
            why: error.to_string(),
        })
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        // What fails here goes with the run's folder, or at the next start.
        let _ = self.remove();
    }
}

/// Where a server's files are, beneath one folder of the run's.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The cluster.
    pub(super) data: PathBuf,
    /// The Unix socket, for the first steps alone.
    pub(super) socket: PathBuf,
    /// Keys and certificates.
    pub(super) tls: PathBuf,
    /// OpenSSL's configuration, where PostgreSQL has no settings for it.
    pub(super) openssl_conf: PathBuf,
    /// The server's log.
    pub(super) log: PathBuf,
}

impl Layout {
    fn beneath(folder: &Path) -> Self {
        Self {
            data: folder.join("data"),
            socket: folder.join("socket"),
            tls: folder.join("tls"),
            openssl_conf: folder.join("openssl.cnf"),
            log: folder.join("server.log"),
        }
    }
}

/// Copies the template, and makes the folders that only the server's user enters.
pub(super) async fn prepare(
    template: &Path,
    layout: &Layout,
    account: &Account,
) -> Result<(), EndpointError> {
    let (template, layout, account) = (template.to_owned(), layout.clone(), account.clone());
    tokio::task::spawn_blocking(move || {
        engine::copy_template(&template, &layout.data, &account)?;
        account.make_private(&layout.socket)?;
        account.make_private(&layout.tls)?;
        Ok(())
    })
    .await
    .map_err(|error| EndpointError::io("the copying of a cluster")(error.into()))?
}

/// Adds the settings that no policy changes.
pub(super) fn write_fixed_settings(layout: &Layout) -> Result<(), EndpointError> {
    let path = layout.data.join("postgresql.conf");
    let settings = format!(
        "listen_addresses = '127.0.0.1'\n\
         unix_socket_directories = '{}'\n\
         {FIXED_SETTINGS}",
        layout.socket.display().to_string().replace('\'', "''")
    );
    fs::File::options()
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(settings.as_bytes()))
        .map_err(EndpointError::io(path))
}

/// Tells OpenSSL what PostgreSQL has no settings for.
pub(super) fn write_openssl_conf(path: &Path, text: &str) -> Result<(), EndpointError> {
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o644)))
        .map_err(EndpointError::io(path))
}

/// Settings that no policy changes, wherever the server runs. The cluster is
/// thrown away, so nothing is made to last; dynamic shared memory lies in
/// files, so that it goes with the cluster however the server ends. The
/// placeholders are named here since ALTER SYSTEM takes no name that the server
/// has never heard.
pub(super) const FIXED_SETTINGS: &str = "\
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
shared_buffers = 16MB
dynamic_shared_memory_type = mmap
password_encryption = 'scram-sha-256'
logging_collector = off
log_destination = 'stderr'
log_connections = on
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
rds.force_ssl = off
rds_tls.generation = 0
";
