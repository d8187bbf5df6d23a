//! Delivers keys and certificates to where the server reads them: owned by its
//! user, closed to others.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use certs_gen::Pki;

use super::EndpointError;
use crate::{
    engine::{Account, write_private},
    policy::{Leaf, ServerPaths},
    rundir::RunDir,
};

/// What the server has of each leaf so far.
pub(super) struct Keys {
    source: Source,
    folder: PathBuf,
    account: Account,
    delivered: BTreeMap<Leaf, Delivered>,
}

/// Where keys and certificates are made.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) pki: Arc<Pki>,
    /// Kept for as long as something may be written in it.
    pub(super) run_dir: Arc<RunDir>,
}

/// A leaf that the server can present.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    pub(super) paths: ServerPaths,
    pub(super) leaf_sha256: [u8; 32],
}

impl Keys {
    /// Will deliver to a folder that the server's user owns.
    pub(super) fn new(source: Source, folder: PathBuf, account: Account) -> Self {
        Self {
            source,
            folder,
            account,
            delivered: BTreeMap::new(),
        }
    }

    /// Delivers a leaf, unless it is there.
    pub(super) async fn deliver(&mut self, leaf: Leaf) -> Result<Delivered, EndpointError> {
        if let Some(delivered) = self.delivered.get(&leaf) {
            return Ok(delivered.clone());
        }
        let made = self.source.make(leaf).await?;
        let delivered = Delivered {
            paths: ServerPaths {
                chain: self.put(&made.chain)?,
                key: self.put(&made.key)?,
                ca: self.put(&made.ca)?,
            },
            leaf_sha256: made.leaf_sha256,
        };
        self.delivered.insert(leaf, delivered.clone());
        Ok(delivered)
    }

    /// Puts a file where the server reads it, under its own name, unless it is
    /// there: leaves share keys.
    fn put(&self, from: &Path) -> Result<PathBuf, EndpointError> {
        let to = self.folder.join(from.file_name().unwrap_or_default());
        if !to.exists() {
            let contents = fs::read(from).map_err(EndpointError::io(from))?;
            write_private(&to, &contents, &self.account)?;
        }
        Ok(to)
    }
}

struct Made {
    chain: PathBuf,
    key: PathBuf,
    ca: PathBuf,
    leaf_sha256: [u8; 32],
}

impl Source {
    /// Makes a leaf ahead of its delivery, which then tells what went wrong.
    pub(super) async fn make_ahead(&self, leaf: Leaf) {
        let _ = self.make(leaf).await;
    }

    /// RSA keys take their time. A thread that makes them goes on when nobody
    /// waits for it any more, so it holds the run's folder, too.
    async fn make(&self, leaf: Leaf) -> Result<Made, EndpointError> {
        let source = self.clone();
        tokio::task::spawn_blocking(move || {
            let server = source.pki.server(leaf)?;
            Ok(Made {
                chain: server.chain.clone(),
                key: server.key.clone(),
                ca: source.pki.ca_file()?.to_owned(),
                leaf_sha256: server.leaf_sha256,
            })
        })
        .await
        .map_err(|error| EndpointError::io("the making of keys")(error.into()))?
    }
}
