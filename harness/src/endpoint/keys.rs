//! Delivers keys and certificates to where the server reads them: owned by its
//! user, closed to others.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    path::PathBuf,
    sync::Arc,
};

use certs_gen::Pki;

use super::{EndpointError, place::Place};
use crate::{
    policy::{Leaf, ServerPaths},
    rundir::RunDir,
};

/// What the server has of each leaf so far.
pub(super) struct Keys {
    source: Source,
    delivered: BTreeMap<Leaf, Delivered>,
    /// By the file that was delivered: leaves share keys.
    files: BTreeMap<PathBuf, PathBuf>,
}

/// Where keys and certificates are made.
#[derive(Clone)]
pub(super) struct Source {
    pki: Arc<Pki>,
    /// Kept for as long as something may be written in it.
    _run_dir: Arc<RunDir>,
}

/// A leaf that the server can present.
#[derive(Clone, Debug)]
pub(super) struct Delivered {
    pub(super) paths: ServerPaths,
    pub(super) leaf_sha256: [u8; 32],
}

impl Keys {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            delivered: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// Delivers a leaf, unless it is there.
    pub(super) async fn deliver(
        &mut self,
        leaf: Leaf,
        place: &impl Place,
    ) -> Result<Delivered, EndpointError> {
        if let Some(delivered) = self.delivered.get(&leaf) {
            return Ok(delivered.clone());
        }
        let made = self.source.make(leaf).await?;
        let delivered = Delivered {
            paths: ServerPaths {
                chain: self.put(made.chain, place).await?,
                key: self.put(made.key, place).await?,
                ca: self.put(made.ca, place).await?,
            },
            leaf_sha256: made.leaf_sha256,
        };
        self.delivered.insert(leaf, delivered.clone());
        Ok(delivered)
    }

    /// Puts a file where the server reads it, under its own name, unless it is
    /// there.
    async fn put(&mut self, from: PathBuf, place: &impl Place) -> Result<PathBuf, EndpointError> {
        let entry = match self.files.entry(from) {
            Entry::Occupied(there) => return Ok(there.get().clone()),
            Entry::Vacant(entry) => entry,
        };
        let from = entry.key();
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let contents = fs::read(from).map_err(EndpointError::io(from))?;
        let to = place.put(&name, &contents).await?;
        Ok(entry.insert(to).clone())
    }
}

struct Made {
    chain: PathBuf,
    key: PathBuf,
    ca: PathBuf,
    leaf_sha256: [u8; 32],
}

impl Source {
    pub(super) fn new(pki: Arc<Pki>, run_dir: Arc<RunDir>) -> Self {
        Self {
            pki,
            _run_dir: run_dir,
        }
    }

    /// The name that its certificates are for.
    pub(super) fn host(&self) -> &str {
        self.pki.endpoint().as_str()
    }

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
