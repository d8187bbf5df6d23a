//! A look-alike of `global-bundle.pem`.

use rcgen::BasicConstraints;

use crate::{
    error::Error,
    issue::self_signed,
    keys::{Holder, KeyKind, Keys},
    pki::pem,
    profile::{self, Validity},
    subject::{root_2019_name, root_name, subject},
};

/// Regions to fill it with, in the order of the alphabet: af-south-1 comes first, and
/// its expired root is the first of the real bundle.
const REGIONS: [&str; 34] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// The bundle as PEM, with the right root in the middle of the strangers'.
///
/// # Errors
/// When a key or a certificate can't be made.
pub(crate) fn bundle(keys: &Keys, region: &str, root_pem: Vec<u8>) -> Result<Vec<u8>, Error> {
    let mut certificates = strangers(keys, region)?;
    certificates.insert(certificates.len() / 2, root_pem);
    Ok(certificates.concat())
}

/// Three roots a region, PEM each: of 2019, RSA2048 G1 and ECC384 G1. The
/// endpoint's own region goes without RSA2048 G1, whose name the right root
/// bears.
fn strangers(keys: &Keys, own_region: &str) -> Result<Vec<Vec<u8>>, Error> {
    let mut roots = Vec::new();
    for region in REGIONS {
        roots.push((root_2019_name(region), Validity::EXPIRED, KeyKind::Rsa2048));
        for kind in [KeyKind::Rsa2048, KeyKind::EcdsaP384] {
            if region != own_region || kind != KeyKind::Rsa2048 {
                roots.push((root_name(region, kind.name()), Validity::ROOT, kind));
            }
        }
    }
    roots
        .into_iter()
        .map(|(name, validity, kind)| stranger(keys, &name, validity, kind))
        .collect()
}

/// The root of a CA that has issued nothing here, as PEM.
///
/// # Errors
/// When its key or the certificate can't be made.
pub(crate) fn stranger(
    keys: &Keys,
    name: &str,
    validity: Validity,
    kind: KeyKind,
) -> Result<Vec<u8>, Error> {
    let params = profile::authority(
        subject(Some(name)),
        validity,
        BasicConstraints::Unconstrained,
    )?;
    let key = keys.get(Holder::Stranger, kind)?;
    pem(&self_signed(&params, key)?)
}
