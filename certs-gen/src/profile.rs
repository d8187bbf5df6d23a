//! What our certificates carry beside names and keys (RFC 5280, 4.2): enough
//! for verifiers that insist, such as OpenSSL's `X509_V_FLAG_X509_STRICT`.

use aws_lc_rs::rand;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::{error::Error, keys::KeyKind, shape::KeyUsages};

/// When a certificate is valid, relative to now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    /// Days until it starts; negative for the past.
    pub(crate) from: i64,
    /// Days until it ends; negative for one that has expired.
    pub(crate) until: i64,
}

impl Validity {
    /// A root of the first generation: 40 years, as `rds-ca-rsa2048-g1`.
    pub(crate) const ROOT: Self = Self {
        from: -365,
        until: 39 * 365,
    };
    /// The subordinate CA.
    pub(crate) const SUBORDINATE: Self = Self {
        from: -30,
        until: 5 * 365,
    };
    /// A leaf: a year. It starts a day ago, so that clocks may differ.
    pub(crate) const LEAF: Self = Self {
        from: -1,
        until: 364,
    };
    /// A leaf that has expired.
    pub(crate) const EXPIRED_LEAF: Self = Self {
        from: -395,
        until: -30,
    };
    /// A leaf that is not yet valid.
    pub(crate) const FUTURE_LEAF: Self = Self {
        from: 30,
        until: 395,
    };
    /// A CA that has expired, as the roots of 2019 have.
    pub(crate) const EXPIRED: Self = Self {
        from: -5 * 365,
        until: -30,
    };
}

/// A CA certificate.
///
/// # Errors
/// [`Error::Random`].
pub(crate) fn authority(
    subject: DistinguishedName,
    validity: Validity,
    path_length: BasicConstraints,
) -> Result<CertificateParams, Error> {
    let mut params = common(subject, validity)?;
    make_authority(&mut params, path_length);
    Ok(params)
}

/// Makes any certificate a CA's.
pub(crate) fn make_authority(params: &mut CertificateParams, path_length: BasicConstraints) {
    params.is_ca = IsCa::Ca(path_length);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
}

/// An end-entity certificate.
///
/// # Errors
/// [`Error::Random`].
pub(crate) fn end_entity(
    subject: DistinguishedName,
    alt_names: Vec<SanType>,
    validity: Validity,
    key_usages: Vec<KeyUsagePurpose>,
    extended_key_usages: &[ExtendedKeyUsagePurpose],
) -> Result<CertificateParams, Error> {
    let mut params = common(subject, validity)?;
    // Unlike `NoCa`, this one writes the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.subject_alt_names = alt_names;
    params.key_usages = key_usages;
    params.extended_key_usages = extended_key_usages.to_vec();
    Ok(params)
}

/// What the key of an end entity may do.
pub(crate) fn key_usages(usages: KeyUsages, key: KeyKind) -> Vec<KeyUsagePurpose> {
    match (usages, key) {
        (KeyUsages::KeyAgreement, _) => vec![KeyUsagePurpose::KeyAgreement],
        // RFC 8813, 3: an ECDSA key enciphers none.
        (KeyUsages::OfTheKey, KeyKind::EcdsaP384 | KeyKind::EcdsaP256) => {
            vec![KeyUsagePurpose::DigitalSignature]
        }
        (KeyUsages::OfTheKey, KeyKind::Rsa1024 | KeyKind::Rsa2048 | KeyKind::Rsa4096) => vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ],
    }
}

fn common(subject: DistinguishedName, validity: Validity) -> Result<CertificateParams, Error> {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = now + Duration::days(validity.from);
    params.not_after = now + Duration::days(validity.until);
    params.serial_number = Some(serial_number()?);
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// 126 random bits in 16 octets: positive, not zero, below the 20 octets of
/// RFC 5280, 4.1.2.2. rcgen's own is a hash of the subject's key, and two
/// leaves that share a key would share it under one issuer.
fn serial_number() -> Result<SerialNumber, Error> {
    let mut octets = [0; 16];
    rand::fill(&mut octets).map_err(|_| Error::Random)?;
    octets[0] = octets[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&octets))
}
