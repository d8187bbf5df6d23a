//! The roots that an operator trusts, and what they say of a server's chain.

use std::{cmp::Ordering, path::PathBuf};

use certs_gen::{RegularFileError, read_regular_file};
use openssl::{
    asn1::Asn1Time,
    error::ErrorStack,
    stack::Stack,
    x509::{
        X509, X509NameRef, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult,
        store::X509StoreBuilder, verify::X509VerifyParam,
    },
};

/// The certificates of `RDS_CA_BUNDLE`.
#[derive(Clone)]
pub struct Bundle {
    /// The file.
    pub path: PathBuf,
    certificates: Vec<X509>,
    expired: usize,
}

/// Why a bundle can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file can't be read.
    #[error("{0}")]
    File(RegularFileError),
    /// No certificate in it.
    #[error("{0} holds no certificate: download the CA bundle of the instance's region, as PEM")]
    Empty(PathBuf),
    /// A certificate that is none.
    #[error("{path} holds a certificate that can't be read ({why}): download it again, as PEM")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What OpenSSL said.
        why: String,
    },
    /// None that is still valid.
    #[error(
        "{path}: {count} certificates, and all have expired, the last on {last}: \
         download the current bundle"
    )]
    Expired {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The last one's end.
        last: String,
    },
}

/// What a bundle says of a chain.
#[derive(Clone, Debug)]
pub(super) enum Verified {
    /// It ends in a root of the bundle: leaf first, root last.
    Chain(Vec<X509>),
    /// It doesn't, in OpenSSL's words.
    No(String),
    /// It would end in a root of the bundle, but that has expired.
    ExpiredRoot(X509),
}

impl Bundle {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// When it holds no certificate that is valid now.
    pub fn read(path: PathBuf) -> Result<Self, BundleError> {
        let pem = read_regular_file(&path).map_err(BundleError::File)?;
        let malformed = |error: ErrorStack| BundleError::Malformed {
            path: path.clone(),
            why: error.to_string(),
        };
        let certificates = X509::stack_from_pem(&pem).map_err(malformed)?;
        let now = Asn1Time::days_from_now(0).map_err(malformed)?;
        let expired = certificates.iter().filter(|c| c.not_after() < now).count();
        let last = (certificates.iter().map(|c| c.not_after()))
            .max_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
        match last {
            None => Err(BundleError::Empty(path)),
            Some(last) if expired == certificates.len() => Err(BundleError::Expired {
                count: certificates.len(),
                last: last.to_string(),
                path,
            }),
            Some(_) => Ok(Self {
                path,
                certificates,
                expired,
            }),
        }
    }

    /// The certificates, in the file's order.
    pub(super) fn certificates(&self) -> &[X509] {
        &self.certificates
    }

    /// Whether a certificate bears a name.
    pub(super) fn knows(&self, name: &X509NameRef) -> bool {
        (self.certificates.iter()).any(|known| is_same(known.subject_name(), name))
    }

    /// Holds what a server sent, the leaf first, against the roots.
    ///
    /// # Errors
    /// OpenSSL's, when it can't be found out.
    pub(super) fn verify(&self, sent: &[X509]) -> Result<Verified, ErrorStack> {
        let Some((leaf, others)) = sent.split_first() else {
            return Ok(Verified::No("the server sent no certificate".to_owned()));
        };
        let mut untrusted = Stack::new()?;
        for certificate in others {
            untrusted.push(certificate.clone())?;
        }
        let store = self.store()?.build();
        X509StoreContext::new()?.init(&store, leaf, &untrusted, |context| {
            if context.verify_cert()? {
                let chain = context.chain().into_iter().flatten();
                return Ok(Verified::Chain(chain.map(X509Ref::to_owned).collect()));
            }
            // X509_V_ERR_CERT_HAS_EXPIRED, x509_vfy.h.
            let expired = context.error().as_raw() == 10;
            Ok(match context.current_cert() {
                Some(root) if expired && self.holds(root) => Verified::ExpiredRoot(root.to_owned()),
                culprit => Verified::No(told(context.error(), culprit)),
            })
        })
    }

    /// Whether a chain that verifies is also for a name, as verify-full asks.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub(super) fn is_for(&self, chain: &[X509], host: &str) -> Result<bool, ErrorStack> {
        let Some((leaf, others)) = chain.split_first() else {
            return Ok(false);
        };
        let mut untrusted = Stack::new()?;
        for certificate in others {
            untrusted.push(certificate.clone())?;
        }
        let mut wanted = X509VerifyParam::new()?;
        wanted.set_host(host)?;
        let mut store = self.store()?;
        store.set_param(&wanted)?;
        X509StoreContext::new()?.init(&store.build(), leaf, &untrusted, |context| {
            context.verify_cert()
        })
    }

    fn holds(&self, certificate: &X509Ref) -> bool {
        (self.certificates.iter()).any(|known| known.as_ref() == certificate)
    }

    fn store(&self) -> Result<X509StoreBuilder, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        for certificate in &self.certificates {
            store.add_cert(certificate.clone())?;
        }
        store.set_purpose(X509PurposeId::SSL_SERVER)?;
        Ok(store)
    }
}

impl std::fmt::Display for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.certificates.len();
        write!(f, "{} ({count} certificates", self.path.display())?;
        if self.expired > 0 {
            write!(f, ", {} expired", self.expired)?;
        }
        f.write_str(")")
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The common name of a name, or words where there is none.
pub(super) fn common_name(name: &X509NameRef) -> String {
    (name.entries_by_nid(openssl::nid::Nid::COMMONNAME).next())
        .and_then(|entry| entry.data().to_string().ok())
        .unwrap_or_else(|| "a name without a CN".to_owned())
}

/// Whether two names are the same.
pub(super) fn is_same(one: &X509NameRef, other: &X509NameRef) -> bool {
    one.try_cmp(other).is_ok_and(Ordering::is_eq)
}

fn told(error: X509VerifyResult, culprit: Option<&X509Ref>) -> String {
    match culprit {
        Some(certificate) => format!(
            "{} ({})",
            error.error_string(),
            common_name(certificate.subject_name())
        ),
        None => error.error_string().to_owned(),
    }
}
