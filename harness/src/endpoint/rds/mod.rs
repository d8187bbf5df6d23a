//! Someone's real instance, named by environment variables: it is looked at and
//! played against, and never changed.

mod access;
mod applies;
mod bundle;
mod error;
mod found;
mod question;
mod session;
mod wire;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

pub use access::{Access, AccessError};
pub use bundle::{Bundle, BundleError};
pub use error::RdsError;
pub use found::Found;
use futures_util::future::BoxFuture;
use openssl::{hash::MessageDigest, x509::X509};

use self::{found::Certificate, wire::Tls};
use super::{
    Applied, Endpoint, EndpointError, EndpointKind, Facts, Limits, LogMark, sanity::Sanity,
};
use crate::{
    policy::{Defaults, DefaultsTable, Policy},
    suite::{Cell, Trust},
};

/// An instance that was found, to be played against. Files for its trust anchors
/// are written to `folder`.
///
/// # Errors
/// When the files can't be written, or the table has no row for its version.
pub fn rds(
    found: Found,
    defaults: &DefaultsTable,
    folder: &Path,
) -> Result<Box<dyn Endpoint>, EndpointError> {
    let row = defaults.of(found.version);
    let defaults = row.ok_or(EndpointError::NoDefaults(found.version))?.clone();
    let login = found.access.login.clone();
    Ok(Box::new(Instance {
        facts: Facts {
            kind: EndpointKind::Rds,
            engine: found.version,
            host: found.access.host.clone(),
            address: found.address,
            // No cell of a stranger's is played here.
            stranger: login.clone(),
            master: login,
            trust: anchors(&found, folder)?,
            limits: Limits {
                connections: Some(found.access.connections),
                run: Some(found.access.run),
            },
            found: found.lines(),
        },
        sanity: Sanity::new()?,
        defaults,
        found,
    }))
}

/// Someone's instance.
struct Instance {
    facts: Facts,
    found: Found,
    /// RDS's, for its version.
    defaults: Defaults,
    sanity: Sanity,
}

impl Instance {
    fn applied(&self, policy: &Policy) -> Result<Applied, EndpointError> {
        let began = Instant::now();
        // Cells that leave everything open are about what the instance is.
        if *policy != Policy::default()
            && let Some(why) = self.found.is_otherwise(&self.defaults, policy)
        {
            return Err(EndpointError::NotOurs(why));
        }
        Ok(Applied {
            leaf_sha256: self.found.tls.as_ref().and_then(leaf_sha256),
            negotiated: self.found.tls.as_ref().map(|tls| tls.negotiated.clone()),
            took: began.elapsed(),
        })
    }
}

impl Endpoint for Instance {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn leaves_out(&self, cell: &Cell) -> Option<String> {
        self.found.leaves_out(&self.defaults, cell)
    }

    fn apply<'a>(
        &'a mut self,
        policy: &'a Policy,
    ) -> BoxFuture<'a, Result<Applied, EndpointError>> {
        Box::pin(async { self.applied(policy) })
    }

    fn sanity(&self) -> BoxFuture<'_, Result<(), EndpointError>> {
        Box::pin(self.sanity.login(&self.facts, self.found.tls.is_some()))
    }

    fn log_mark(&self) -> BoxFuture<'_, Result<LogMark, EndpointError>> {
        Box::pin(async {
            Err(EndpointError::NotOurs(
                "its log is not ours to read".to_owned(),
            ))
        })
    }

    fn log_since(&self, _: LogMark) -> BoxFuture<'_, Result<String, EndpointError>> {
        Box::pin(async {
            Err(EndpointError::NotOurs(
                "its log is not ours to read".to_owned(),
            ))
        })
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), EndpointError>> {
        Box::pin(async { Ok(()) })
    }
}

fn leaf_sha256(tls: &Tls) -> Option<[u8; 32]> {
    let digest = tls.sent.first()?.digest(MessageDigest::sha256()).ok()?;
    digest.as_ref().try_into().ok()
}

/// The instance's own trust anchors: the root that its chain ends in, and its
/// subordinate CA, as far as the chain verifies.
fn anchors(found: &Found, folder: &Path) -> Result<BTreeMap<Trust, PathBuf>, EndpointError> {
    let bundle = found.access.bundle.path.clone();
    let mut anchors = BTreeMap::from([(Trust::Root, bundle.clone()), (Trust::Bundle, bundle)]);
    let (Certificate::Right(chain) | Certificate::OtherName(chain)) = &found.certificate else {
        return Ok(anchors);
    };
    let mut write = |trust, name: &str, certificates: &[&X509]| {
        let path = folder.join(name);
        let mut pem = Vec::new();
        for certificate in certificates {
            pem.extend(
                certificate
                    .to_pem()
                    .map_err(std::io::Error::from)
                    .map_err(EndpointError::io(&path))?,
            );
        }
        fs::write(&path, pem).map_err(EndpointError::io(&path))?;
        anchors.insert(trust, path);
        Ok::<_, EndpointError>(())
    };
    if let Some(root) = chain.last() {
        write(Trust::Root, "rds-root.pem", &[root])?;
    }
    if let [_, subordinate, .., root] = chain.as_slice() {
        write(Trust::Subordinate, "rds-subordinate.pem", &[subordinate])?;
        write(Trust::Both, "rds-both.pem", &[root, subordinate])?;
    }
    Ok(anchors)
}
