//! A server certificate that somebody has, read and tried before a server is
//! started with it.

use std::path::{Path, PathBuf};

use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private},
    x509::X509,
};

use crate::{
    regular_file::{RegularFileError, read_regular_file},
    trial::{load, reasons, shake_hands},
};

/// Where somebody's server certificate is, PEM each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GivenFiles {
    /// What the server is to send, the leaf first.
    pub chain: PathBuf,
    /// The leaf's private key, unencrypted: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// The trust anchors that clients get.
    pub trust: PathBuf,
}

/// A server certificate that somebody has, which a server can present: a
/// handshake with it has come about.
///
/// Whether it is any good is for clients to say: nothing is verified here.
pub struct Given {
    leaf: Vec<u8>,
    chain: Vec<u8>,
    key: Vec<u8>,
    trust: Vec<u8>,
}

impl Given {
    /// Reads the files, loads the leaf as a server does, and tries chain and
    /// key in a handshake, blocking for as long as that takes: some
    /// milliseconds.
    ///
    /// # Errors
    /// When a file can't be read or is not what it should be, the key belongs
    /// to another certificate, or no handshake comes about.
    pub fn read(files: &GivenFiles) -> Result<Self, GivenError> {
        let chain = certificates(&files.chain, &read_regular_file(&files.chain)?)?;
        let key = private_key(&files.key, &read_regular_file(&files.key)?)?;
        let trust = read_regular_file(&files.trust)?;
        certificates(&files.trust, &trust)?;
        check_pair(files, &chain, &key)?;
        if let Some(leaf) = chain.first() {
            load(leaf).map_err(damaged_certificate(&files.chain))?;
        }
        shake_hands(&chain, &key).map_err(|why| GivenError::Unservable {
            chain: files.chain.clone(),
            key: files.key.clone(),
            why,
        })?;
        let broken_chain = || damaged_certificate(&files.chain);
        let leaf = chain.first().map(|leaf| leaf.to_der()).transpose();
        let pem: Result<Vec<_>, _> = chain.iter().map(|link| link.to_pem()).collect();
        let key = key.private_key_to_pem_pkcs8();
        Ok(Self {
            leaf: leaf.map_err(broken_chain())?.unwrap_or_default(),
            chain: pem.map_err(broken_chain())?.concat(),
            key: key.map_err(damaged_key(&files.key))?,
            trust,
        })
    }

    /// The leaf, DER.
    pub(crate) fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// The certificates and nothing else of the file, PEM.
    pub(crate) fn chain(&self) -> &[u8] {
        &self.chain
    }

    /// PKCS #8, PEM.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The file as it is: clients differ in what they read of one.
    pub(crate) fn trust(&self) -> &[u8] {
        &self.trust
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<X509>, GivenError> {
    let certificates = X509::stack_from_pem(pem).map_err(damaged_certificate(path))?;
    if certificates.is_empty() {
        return Err(GivenError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PKey<Private>, GivenError> {
    let text = String::from_utf8_lossy(pem);
    if !text.contains("PRIVATE KEY-----") {
        return Err(GivenError::NoKey(path.to_owned()));
    }
    // PKCS #8 says so in its label, the others in a header (RFC 1421, 4.6.1.1).
    let says_encrypted = |line: &str| {
        line.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----") || line.starts_with("Proc-Type:")
    };
    if text.lines().any(says_encrypted) {
        return Err(GivenError::Encrypted(path.to_owned()));
    }
    // Without a callback, OpenSSL would ask the terminal for a passphrase.
    PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(damaged_key(path))
}

/// The key must be the first certificate's.
fn check_pair(files: &GivenFiles, chain: &[X509], key: &PKey<Private>) -> Result<(), GivenError> {
    let belongs =
        |certificate: &X509| (certificate.public_key()).is_ok_and(|public| public.public_eq(key));
    match chain.iter().position(belongs) {
        Some(0) => Ok(()),
        Some(index) => Err(GivenError::LeafNotFirst {
            chain: files.chain.clone(),
            key: files.key.clone(),
            nth: index + 1,
        }),
        None => Err(GivenError::OtherKey {
            chain: files.chain.clone(),
            key: files.key.clone(),
        }),
    }
}

fn damaged_certificate(path: &Path) -> impl FnOnce(ErrorStack) -> GivenError {
    let path = path.to_owned();
    move |error| GivenError::Certificate {
        path,
        why: reasons(&error),
    }
}

fn damaged_key(path: &Path) -> impl FnOnce(ErrorStack) -> GivenError {
    let path = path.to_owned();
    move |error| GivenError::Key {
        path,
        why: reasons(&error),
    }
}

/// Why somebody's server certificate can't be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GivenError {
    /// A file can't be read.
    #[error(transparent)]
    File(#[from] RegularFileError),
    /// A file without a certificate.
    #[error(
        "{} holds no certificate in PEM (-----BEGIN CERTIFICATE-----); `openssl x509 -inform DER` \
         makes one of DER, `openssl pkcs12 -nokeys` of PKCS #12", .0.display()
    )]
    NoCertificate(PathBuf),
    /// A certificate that OpenSSL does not read.
    #[error("{} holds a certificate that is damaged ({why}); write the file anew, or have the certificate issued again", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// OpenSSL's reasons.
        why: String,
    },
    /// A file without a private key.
    #[error(
        "{} holds no private key in PEM (-----BEGIN PRIVATE KEY-----); `openssl pkey -inform DER` \
         makes one of DER, `openssl pkcs12 -nocerts -nodes` of PKCS #12", .0.display()
    )]
    NoKey(PathBuf),
    /// A private key that wants a passphrase.
    #[error(
        "the private key in {} is encrypted, and a server has nobody to ask for the passphrase; \
         `openssl pkey -in {} -out FILE` writes it unencrypted", .0.display(), .0.display()
    )]
    Encrypted(PathBuf),
    /// A private key that OpenSSL does not read.
    #[error(
        "{} holds a private key that is damaged or of a kind that OpenSSL doesn't read ({why}); \
         write the file anew, as PKCS #8 (of version 1), PKCS #1 or SEC 1", path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// OpenSSL's reasons.
        why: String,
    },
    /// The key belongs to no certificate of the chain.
    #[error(
        "the private key in {} doesn't belong to the first certificate of {}, the leaf, \
         nor to any other; name the key that the leaf was made for", key.display(), chain.display()
    )]
    OtherKey {
        /// The chain's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The key belongs to a certificate of the chain, but not to the first.
    #[error(
        "the private key in {} belongs to certificate {nth} of {}, and a server sends \
         its own first (RFC 8446, 4.4.2); move that certificate to the head of the file",
        key.display(), chain.display()
    )]
    LeafNotFirst {
        /// The chain's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Which certificate it belongs to, counted from 1.
        nth: usize,
    },
    /// No TLS server can be made of chain and key.
    #[error(
        "no TLS server can be made of {} and {}: {why}; TLS 1.3 takes RSA keys of 1024 bits \
         and more, ECDSA keys on P-256, P-384 or P-521, and Ed25519 and Ed448 keys",
        chain.display(), key.display()
    )]
    Unservable {
        /// The chain's file.
        chain: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the trial came to.
        why: String,
    },
}
