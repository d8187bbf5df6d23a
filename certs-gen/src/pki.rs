//! The infrastructure of one endpoint: what is made of what, and when.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use once_cell::sync::OnceCell;
use openssl::{error::ErrorStack, x509::X509};
use rcgen::{BasicConstraints, CertificateParams, Issuer};

use crate::{
    bundle::{bundle, stranger},
    endpoint::EndpointName,
    error::Error,
    file::{Readers, write_new},
    given::Given,
    issue::{as_v1, self_signed, signed_by},
    keys::{Holder, Key, KeyKind, Keys},
    leaf::Leaf,
    profile::{self, Validity},
    shape::{Form, Link, Shape, TRUSTED_CA},
    subject::{fits_common_name, home_made_subject, root_name, subject, subordinate_name},
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
    given: Option<Given>,
    keys: Keys,
    root: OnceCell<Authority>,
    subordinate: OnceCell<Authority>,
    expired_subordinate: OnceCell<Authority>,
    trusted_ca: OnceCell<X509>,
    servers: [OnceCell<ServerFiles>; Leaf::COUNT],
    server_keys: [OnceCell<PathBuf>; KeyKind::ALL.len()],
    trusts: [OnceCell<PathBuf>; Trust::COUNT],
}

/// What a server needs to present a [`Leaf`], PEM each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerFiles {
    /// The certificates that it sends, the leaf first (`ssl_cert_file`).
    pub chain: PathBuf,
    /// The leaf's private key, PKCS #8, mode 0600 and the caller's own
    /// (`ssl_key_file`). The same file for all leaves that are made here with
    /// that kind of key.
    pub key: PathBuf,
    /// SHA-256 of the leaf's DER.
    pub leaf_sha256: [u8; 32],
}

/// A CA that can issue: its certificate, and what it was made of.
struct Authority {
    params: CertificateParams,
    certificate: X509,
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
            given: None,
            keys: Keys::default(),
            root: OnceCell::new(),
            subordinate: OnceCell::new(),
            expired_subordinate: OnceCell::new(),
            trusted_ca: OnceCell::new(),
            servers: Default::default(),
            server_keys: Default::default(),
            trusts: Default::default(),
        }
    }

    /// Takes in somebody's own server certificate, as [`Leaf::Given`] and
    /// [`Trust::Given`].
    #[must_use]
    pub fn with_given(self, given: Given) -> Self {
        Self {
            given: Some(given),
            ..self
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
    /// When a key or a certificate can't be made or a file can't be written,
    /// or nobody gave the one that is asked for.
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

    /// A file of trust anchors, PEM; [`Trust::Given`] is for its owner alone.
    ///
    /// # Errors
    /// As [`Pki::server`].
    pub fn trust(&self, trust: Trust) -> Result<&Path, Error> {
        self.trusts[trust as usize]
            .get_or_try_init(|| self.make_trust(trust))
            .map(PathBuf::as_path)
    }

    /// The server's private key of a kind, PKCS #8 PEM, mode 0600 and the
    /// caller's own (`ssl_key_file`).
    ///
    /// # Errors
    /// When the key can't be made or the file can't be written.
    pub fn server_key(&self, kind: KeyKind) -> Result<&Path, Error> {
        self.server_keys[kind as usize]
            .get_or_try_init(|| {
                let path = self.folder.join(kind.server_file());
                let key = self.keys.get(Holder::Server, kind)?;
                let pem = key.pem().map_err(|source| Error::Key {
                    key: format!("{} {}", Holder::Server, kind.name()),
                    source,
                })?;
                write_new(&path, &pem, Readers::Owner)?;
                Ok(path)
            })
            .map(PathBuf::as_path)
    }

    fn make_server(&self, leaf: Leaf) -> Result<ServerFiles, Error> {
        let Some(shape) = leaf.shape() else {
            return self.write_given();
        };
        self.keys.prepare(&[
            (Holder::Root, CA_KIND),
            (Holder::Subordinate, CA_KIND),
            (Holder::Server, shape.key),
        ])?;
        let certificate = self.make_leaf(leaf, shape)?;
        let mut chain_pem = Vec::new();
        for link in shape.sends {
            chain_pem.extend(pem(match link {
                Link::Leaf => &certificate,
                Link::Subordinate => &self.subordinate()?.certificate,
                Link::ExpiredSubordinate => &self.expired_subordinate()?.certificate,
                Link::Root => &self.root()?.certificate,
            })?);
        }
        let chain = self.folder.join(leaf.chain_file());
        write_new(&chain, &chain_pem, Readers::Everyone)?;
        let der = certificate.to_der().map_err(unusable(leaf.name()))?;
        Ok(ServerFiles {
            chain,
            key: self.server_key(shape.key)?.to_owned(),
            leaf_sha256: sha256(&der),
        })
    }

    /// Writes what somebody gave, the key for its owner alone.
    fn write_given(&self) -> Result<ServerFiles, Error> {
        let given = self.given()?;
        let chain = self.folder.join(Leaf::Given.chain_file());
        let key = self.folder.join("server-given.key");
        write_new(&chain, given.chain(), Readers::Everyone)?;
        write_new(&key, given.key(), Readers::Owner)?;
        Ok(ServerFiles {
            chain,
            key,
            leaf_sha256: sha256(given.leaf()),
        })
    }

    fn given(&self) -> Result<&Given, Error> {
        self.given.as_ref().ok_or(Error::NotGiven)
    }

    fn make_leaf(&self, leaf: Leaf, shape: &Shape) -> Result<X509, Error> {
        if let Form::TrustedRoot = shape.form {
            return self.trusted_ca().cloned();
        }
        let params = self.leaf_params(leaf, shape)?;
        let key = self.keys.get(Holder::Server, shape.key)?;
        let issuer_key = self.keys.get(Holder::Subordinate, CA_KIND)?;
        if let Form::SelfSigned = shape.form {
            return self_signed(&params, key);
        }
        let issued = signed_by(&params, key, &self.subordinate()?.issuer(issuer_key))?;
        match shape.form {
            Form::V1 => as_v1(&issued, issuer_key).map_err(unusable(leaf.name())),
            Form::EndEntity | Form::Authority | Form::SelfSigned | Form::TrustedRoot => Ok(issued),
        }
    }

    fn leaf_params(&self, leaf: Leaf, shape: &Shape) -> Result<CertificateParams, Error> {
        let common_name = shape.common_name.map(|name| name.of(&self.endpoint));
        if let Some(name) = &common_name
            && shape.alt_names.is_empty()
            && !fits_common_name(name)
        {
            return Err(Error::NameTooLong {
                name: name.clone(),
                leaf,
            });
        }
        let alt_names = shape
            .alt_names
            .iter()
            .map(|name| name.alt_name(&self.endpoint))
            .collect::<Result<_, _>>()
            .map_err(|error| Error::Certificate {
                subject: leaf.name().to_owned(),
                why: error.to_string(),
            })?;
        let subject = match shape.form {
            // A leaf of the same subject that is not trusted would be taken for
            // one that this root has issued: chains are built by names.
            Form::TrustedRoot => home_made_subject(common_name.as_deref()),
            _ => subject(common_name.as_deref()),
        };
        let mut params = profile::end_entity(
            subject,
            alt_names,
            shape.validity,
            profile::key_usages(shape.key_usages, shape.key),
            shape.extended_key_usages,
        )?;
        match shape.form {
            Form::Authority => {
                profile::make_authority(&mut params, BasicConstraints::Constrained(0));
            }
            Form::TrustedRoot => {
                profile::make_authority(&mut params, BasicConstraints::Unconstrained);
            }
            Form::EndEntity | Form::V1 | Form::SelfSigned => {}
        }
        Ok(params)
    }

    fn make_trust(&self, trust: Trust) -> Result<PathBuf, Error> {
        let path = self.folder.join(trust.file());
        let pem = match trust {
            Trust::Root => self.roots()?,
            Trust::WrongRoot => self.wrong_root()?,
            Trust::Subordinate => pem(&self.subordinate()?.certificate)?,
            Trust::Both => {
                let mut both = self.roots()?;
                both.extend(pem(&self.subordinate()?.certificate)?);
                both
            }
            Trust::Bundle => {
                self.keys.prepare(&[
                    (Holder::Root, CA_KIND),
                    (Holder::Stranger, KeyKind::Rsa2048),
                    (Holder::Stranger, KeyKind::EcdsaP384),
                ])?;
                let root = pem(&self.root()?.certificate)?;
                bundle(&self.keys, &self.endpoint.region(), root)?
            }
            Trust::Missing => return Ok(path),
            Trust::Given => self.given()?.trust().to_owned(),
        };
        // What else somebody's file holds is theirs.
        let readers = match trust {
            Trust::Given => Readers::Owner,
            _ => Readers::Everyone,
        };
        write_new(&path, &pem, readers)?;
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
        self.subordinate
            .get_or_try_init(|| self.make_subordinate(Validity::SUBORDINATE))
    }

    /// The subordinate CA's certificate before it was renewed.
    fn expired_subordinate(&self) -> Result<&Authority, Error> {
        self.expired_subordinate
            .get_or_try_init(|| self.make_subordinate(Validity::EXPIRED))
    }

    fn make_subordinate(&self, validity: Validity) -> Result<Authority, Error> {
        self.keys
            .prepare(&[(Holder::Root, CA_KIND), (Holder::Subordinate, CA_KIND)])?;
        let name = subordinate_name(&self.endpoint.region());
        let params = profile::authority(
            subject(Some(&name)),
            validity,
            BasicConstraints::Constrained(0),
        )?;
        let key = self.keys.get(Holder::Subordinate, CA_KIND)?;
        let issuer_key = self.keys.get(Holder::Root, CA_KIND)?;
        let certificate = signed_by(&params, key, &self.root()?.issuer(issuer_key))?;
        Ok(Authority {
            params,
            certificate,
        })
    }

    /// What [`Trust::Root`] holds, as PEM.
    fn roots(&self) -> Result<Vec<u8>, Error> {
        let mut roots = pem(&self.root()?.certificate)?;
        roots.extend(pem(self.trusted_ca()?)?);
        Ok(roots)
    }

    /// [`Leaf::TrustedCa`]: a server certificate and a trust anchor in one.
    fn trusted_ca(&self) -> Result<&X509, Error> {
        self.trusted_ca.get_or_try_init(|| {
            let params = self.leaf_params(Leaf::TrustedCa, &TRUSTED_CA)?;
            self_signed(&params, self.keys.get(Holder::Server, TRUSTED_CA.key)?)
        })
    }

    /// The root of a region that is not the endpoint's, as PEM.
    fn wrong_root(&self) -> Result<Vec<u8>, Error> {
        let region = match self.endpoint.region().as_str() {
            "eu-west-1" => "us-east-1",
            _ => "eu-west-1",
        };
        let name = root_name(region, CA_KIND.name());
        stranger(&self.keys, &name, Validity::ROOT, CA_KIND)
    }
}

impl Authority {
    fn issuer<'a>(&'a self, key: &'a Key) -> Issuer<'a, &'a Key> {
        Issuer::from_params(&self.params, key)
    }
}

/// A certificate as PEM.
///
/// # Errors
/// OpenSSL's.
pub(crate) fn pem(certificate: &X509) -> Result<Vec<u8>, Error> {
    certificate.to_pem().map_err(unusable("a certificate"))
}

fn unusable(subject: &str) -> impl FnOnce(ErrorStack) -> Error {
    let subject = subject.to_owned();
    move |error| Error::Certificate {
        subject,
        why: error.to_string(),
    }
}

fn sha256(der: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, der).as_ref());
    sum
}
