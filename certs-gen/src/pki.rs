//! The infrastructure of one endpoint: what is made of what, and when.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use once_cell::sync::OnceCell;
use rcgen::{BasicConstraints, Certificate, CertificateParams, Issuer, KeyPair};

use crate::{
    bundle::{bundle, stranger},
    endpoint::EndpointName,
    error::Error,
    file::{Readers, write_new},
    issue::{self_signed, signed_by},
    keys::{Holder, KeyKind, Keys},
    leaf::{Leaf, Link, Shape},
    profile::{self, Validity},
    subject::{root_name, subject, subordinate_name},
    trust::Trust,
};

/// The kind of the keys of the endpoint's CAs: `rds-ca-rsa2048-g1` is RDS's
/// default.
const CA_KIND: KeyKind = KeyKind::Rsa2048;

/// Keys, certificates and files for one endpoint.
///
/// Nothing is made before it is asked for, and everything is made once: share
/// one `Pki` (behind an `Arc`) in a run. Threads that ask for the same thing
/// wait for the first of them. A call may therefore block for as long as it
/// takes to generate RSA keys, some 100 ms: in async code, call from a
/// blocking task.
pub struct Pki {
    endpoint: EndpointName,
    folder: PathBuf,
    keys: Keys,
    root: OnceCell<Authority>,
    subordinate: OnceCell<Authority>,
    servers: [OnceCell<ServerFiles>; Leaf::ALL.len()],
    server_keys: [OnceCell<PathBuf>; KeyKind::ALL.len()],
    trusts: [OnceCell<PathBuf>; Trust::ALL.len()],
}

/// What a server needs to present a [`Leaf`], PEM each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerFiles {
    /// The certificates that it sends: leaf, subordinate CA, root
    /// (`ssl_cert_file`).
    pub chain: PathBuf,
    /// The leaf's private key, PKCS #8, mode 0600 and the caller's own
    /// (`ssl_key_file`). The same file for all leaves with that kind of key.
    pub key: PathBuf,
    /// SHA-256 of the leaf's DER.
    pub leaf_sha256: [u8; 32],
}

/// A CA that can issue: its certificate, and what it was made of.
struct Authority {
    params: CertificateParams,
    certificate: Certificate,
}

impl Pki {
    /// Prepares to make keys and certificates for an endpoint, with files
    /// beneath `folder`. Writes and generates nothing; the folder need not be
    /// there, but a file in it is never overwritten.
    #[must_use]
    pub fn new(endpoint: EndpointName, folder: impl Into<PathBuf>) -> Self {
        Self {
            endpoint,
            folder: folder.into(),
            keys: Keys::default(),
            root: OnceCell::new(),
            subordinate: OnceCell::new(),
            servers: Default::default(),
            server_keys: Default::default(),
            trusts: Default::default(),
        }
    }

    /// The endpoint's name.
    #[must_use]
    pub fn endpoint(&self) -> &EndpointName {
        &self.endpoint
    }

    /// The files with which a server presents a leaf.
    ///
    /// # Errors
    /// When a key or a certificate can't be made or a file can't be written.
    pub fn server(&self, leaf: Leaf) -> Result<&ServerFiles, Error> {
        self.servers[leaf as usize].get_or_try_init(|| self.make_server(leaf))
    }

    /// The server's `ssl_ca_file`, PEM: the root, as on RDS.
    ///
    /// # Errors
    /// As [`Pki::trust`].
    pub fn ca_file(&self) -> Result<&Path, Error> {
        self.trust(Trust::Root)
    }

    /// A file of trust anchors, PEM.
    ///
    /// # Errors
    /// When a key or a certificate can't be made or the file can't be written.
    pub fn trust(&self, trust: Trust) -> Result<&Path, Error> {
        self.trusts[trust as usize]
            .get_or_try_init(|| self.make_trust(trust))
            .map(PathBuf::as_path)
    }

    fn make_server(&self, leaf: Leaf) -> Result<ServerFiles, Error> {
        let shape = leaf.shape();
        self.keys.prepare(&[
            (Holder::Root, CA_KIND),
            (Holder::Subordinate, CA_KIND),
            (Holder::Server, shape.key),
        ])?;
        let certificate = self.make_leaf(shape)?;
        let mut pem = String::new();
        for link in shape.sends {
            pem += &match link {
                Link::Leaf => certificate.pem(),
                Link::Subordinate => self.subordinate()?.certificate.pem(),
                Link::Root => self.root()?.certificate.pem(),
            };
        }
        let chain = self.folder.join(leaf.chain_file());
        write_new(&chain, &pem, Readers::Everyone)?;
        Ok(ServerFiles {
            chain,
            key: self.server_key(leaf)?.to_owned(),
            leaf_sha256: sha256(certificate.der()),
        })
    }

    fn make_leaf(&self, shape: &Shape) -> Result<Certificate, Error> {
        let common_name = shape.common_name.map(|name| name.of(&self.endpoint));
        let alt_names = shape
            .alt_names
            .iter()
            .map(|name| name.alt_name(&self.endpoint))
            .collect::<Result<_, _>>()
            .map_err(|source| Error::Certificate {
                subject: shape.chain_file.to_owned(),
                source,
            })?;
        let params = profile::end_entity(
            subject(common_name.as_deref()),
            alt_names,
            shape.validity,
            shape.extended_key_usages,
        )?;
        let key = self.keys.get(Holder::Server, shape.key)?;
        let issuer_key = self.keys.get(Holder::Subordinate, CA_KIND)?;
        signed_by(&params, key, &self.subordinate()?.issuer(issuer_key))
    }

    fn server_key(&self, leaf: Leaf) -> Result<&Path, Error> {
        let kind = leaf.shape().key;
        self.server_keys[kind as usize]
            .get_or_try_init(|| {
                let path = self.folder.join(leaf.key_file());
                let pem = self.keys.get(Holder::Server, kind)?.serialize_pem();
                write_new(&path, &pem, Readers::Owner)?;
                Ok(path)
            })
            .map(PathBuf::as_path)
    }

    fn make_trust(&self, trust: Trust) -> Result<PathBuf, Error> {
        let path = self.folder.join(trust.file());
        let pem = match trust {
            Trust::Root => self.root()?.certificate.pem(),
            Trust::WrongRoot => self.wrong_root()?,
            Trust::Subordinate => self.subordinate()?.certificate.pem(),
            Trust::Bundle => {
                self.keys.prepare(&[
                    (Holder::Root, CA_KIND),
                    (Holder::Stranger, KeyKind::Rsa2048),
                    (Holder::Stranger, KeyKind::EcdsaP384),
                ])?;
                let root = self.root()?.certificate.pem();
                bundle(&self.keys, &self.endpoint.region(), &root)?
            }
            Trust::Missing => return Ok(path),
        };
        write_new(&path, &pem, Readers::Everyone)?;
        Ok(path)
    }

    fn root(&self) -> Result<&Authority, Error> {
        self.root.get_or_try_init(|| {
            let name = root_name(&self.endpoint.region(), CA_KIND.name());
            let params = profile::authority(
                subject(Some(&name)),
                Validity::ROOT,
                BasicConstraints::Unconstrained,
            )?;
            let certificate = self_signed(&params, self.keys.get(Holder::Root, CA_KIND)?)?;
            Ok(Authority {
                params,
                certificate,
            })
        })
    }

    fn subordinate(&self) -> Result<&Authority, Error> {
        self.subordinate.get_or_try_init(|| {
            self.keys
                .prepare(&[(Holder::Root, CA_KIND), (Holder::Subordinate, CA_KIND)])?;
            let name = subordinate_name(&self.endpoint.region());
            let params = profile::authority(
                subject(Some(&name)),
                Validity::SUBORDINATE,
                BasicConstraints::Constrained(0),
            )?;
            let key = self.keys.get(Holder::Subordinate, CA_KIND)?;
            let issuer_key = self.keys.get(Holder::Root, CA_KIND)?;
            let certificate = signed_by(&params, key, &self.root()?.issuer(issuer_key))?;
            Ok(Authority {
                params,
                certificate,
            })
        })
    }

    /// The root of a region that is not the endpoint's, as PEM.
    fn wrong_root(&self) -> Result<String, Error> {
        let region = match self.endpoint.region().as_str() {
            "eu-west-1" => "us-east-1",
            _ => "eu-west-1",
        };
        let name = root_name(region, CA_KIND.name());
        stranger(&self.keys, &name, Validity::ROOT, CA_KIND)
    }
}

impl Authority {
    fn issuer<'a>(&'a self, key: &'a KeyPair) -> Issuer<'a, &'a KeyPair> {
        Issuer::from_params(&self.params, key)
    }
}

fn sha256(der: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, der).as_ref());
    sum
}
