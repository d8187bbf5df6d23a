//! Distinguished names in RDS's shape.

use rcgen::{DistinguishedName, DnType, DnValue};

/// What stands where Amazon's certificates have `Amazon.com`.
pub(crate) const ORGANIZATION: &str = "Throwaway test PKI (not Amazon.com)";

/// The most characters that a common name holds (RFC 5280, appendix A.1,
/// ub-common-name).
const COMMON_NAME_MAX: usize = 64;

/// `CN=…, OU=RDS, O=…, L=Seattle, ST=Washington, C=US`.
///
/// A common name that is absent or too long to be one is left out, for
/// clients look at it only where there is no dNSName (RFC 6125, 6.4.4).
pub(crate) fn subject(common_name: Option<&str>) -> DistinguishedName {
    let mut subject = with_common_name(common_name);
    subject.push(DnType::OrganizationalUnitName, "RDS");
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject.push(DnType::LocalityName, "Seattle");
    subject.push(DnType::StateOrProvinceName, "Washington");
    // RFC 5280, appendix A.1: X520countryName is a PrintableString.
    let us = "US".try_into().expect("US is made of printable characters");
    subject.push(DnType::CountryName, DnValue::PrintableString(us));
    subject
}

/// `CN=…, O=…`: the subject of a certificate that no CA of RDS's issued.
pub(crate) fn home_made_subject(common_name: Option<&str>) -> DistinguishedName {
    let mut subject = with_common_name(common_name);
    subject.push(DnType::OrganizationName, ORGANIZATION);
    subject
}

fn with_common_name(common_name: Option<&str>) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    if let Some(name) = common_name.filter(|name| fits_common_name(name)) {
        subject.push(DnType::CommonName, name);
    }
    subject
}

/// Whether a name can be a common name.
pub(crate) fn fits_common_name(name: &str) -> bool {
    name.len() <= COMMON_NAME_MAX
}

/// `Amazon RDS <region> Root CA <algorithm> G1`, the algorithm in RDS's
/// spelling: `RSA2048`, `ECC384`.
pub(crate) fn root_name(region: &str, algorithm: &str) -> String {
    format!("Amazon RDS {region} Root CA {algorithm} G1")
}

/// `Amazon RDS <region> Subordinate CA RSA2048 G1.A.1`.
pub(crate) fn subordinate_name(region: &str) -> String {
    format!("Amazon RDS {region} Subordinate CA RSA2048 G1.A.1")
}

/// `Amazon RDS <region> 2019 CA`: the generation before G1, expired in 2024.
pub(crate) fn root_2019_name(region: &str) -> String {
    format!("Amazon RDS {region} 2019 CA")
}
