//! Signing certificates.

use rcgen::{Certificate, CertificateParams, DnType, DnValue, Issuer, KeyPair};

use crate::error::Error;

/// Signs a certificate for a key with that key itself.
pub(crate) fn self_signed(params: &CertificateParams, key: &KeyPair) -> Result<Certificate, Error> {
    signed_by(params, key, &Issuer::from_params(params, key))
}

/// Signs a certificate for a key.
pub(crate) fn signed_by(
    params: &CertificateParams,
    key: &KeyPair,
    issuer: &Issuer<'_, &KeyPair>,
) -> Result<Certificate, Error> {
    params
        .signed_by(key, issuer)
        .map_err(|source| Error::Certificate {
            subject: common_name(params),
            source,
        })
}

fn common_name(params: &CertificateParams) -> String {
    match params.distinguished_name.get(&DnType::CommonName) {
        Some(DnValue::Utf8String(name)) => name.clone(),
        _ => "a subject without a common name".to_owned(),
    }
}
