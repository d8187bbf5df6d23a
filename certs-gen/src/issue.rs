//! Signing certificates.

use openssl::{error::ErrorStack, x509::X509};
use rcgen::{CertificateParams, DnType, DnValue, Issuer};

use crate::{error::Error, keys::Key};

/// Signs a certificate for a key with that key itself.
pub(crate) fn self_signed(params: &CertificateParams, key: &Key) -> Result<X509, Error> {
    signed_by(params, key, &Issuer::from_params(params, key))
}

/// Signs a certificate for a key.
pub(crate) fn signed_by(
    params: &CertificateParams,
    key: &Key,
    issuer: &Issuer<'_, &Key>,
) -> Result<X509, Error> {
    let failed = |why: String| Error::Certificate {
        subject: common_name(params),
        why,
    };
    let signed = params
        .signed_by(key, issuer)
        .map_err(|error| failed(error.to_string()))?;
    X509::from_der(signed.der()).map_err(|error| failed(error.to_string()))
}

/// The same certificate as X.509 v1 has it, signed anew: without extensions,
/// and so without a subject alternative name (RFC 5280, 4.1.2.1). rcgen makes
/// v3 alone.
///
/// # Errors
/// OpenSSL's.
pub(crate) fn as_v1(certificate: &X509, issuer_key: &Key) -> Result<X509, ErrorStack> {
    let mut v1 = X509::builder()?;
    v1.set_version(0)?;
    v1.set_serial_number(certificate.serial_number())?;
    v1.set_subject_name(certificate.subject_name())?;
    v1.set_issuer_name(certificate.issuer_name())?;
    v1.set_not_before(certificate.not_before())?;
    v1.set_not_after(certificate.not_after())?;
    v1.set_pubkey(&*certificate.public_key()?)?;
    v1.sign(issuer_key.pair(), issuer_key.digest())?;
    Ok(v1.build())
}

fn common_name(params: &CertificateParams) -> String {
    match params.distinguished_name.get(&DnType::CommonName) {
        Some(DnValue::Utf8String(name)) => name.clone(),
        _ => "a subject without a common name".to_owned(),
    }
}
