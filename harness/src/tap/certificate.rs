//! The `Certificate` message as it stood in clear up to TLS 1.2 (RFC 5246,
//! 7.4.2).

use std::net::{Ipv4Addr, Ipv6Addr};

use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use super::{transcript::Event, unit::text};

/// The most names that are kept. RDS's leaves have one.
const MOST_NAMES: usize = 16;

/// Reads the leaf off the body of a `Certificate`; `None` when there is none,
/// or it can't be read.
#[must_use]
pub fn leaf(body: &[u8]) -> Option<Event> {
    let (_, list) = counted(body)?;
    let (_, der) = counted(list)?;
    let (_, leaf) = X509Certificate::from_der(der).ok()?;
    let common_name = leaf.subject().iter_common_name().next();
    let day = |time: x509_parser::time::ASN1Time| time.to_datetime().date().to_string();
    let names = leaf.subject_alternative_name().ok().flatten();
    Some(Event::Certificate {
        common_name: common_name.map(|name| text(name.as_slice())),
        names: (names.iter())
            .flat_map(|extension| &extension.value.general_names)
            .filter_map(name)
            .take(MOST_NAMES)
            .collect(),
        not_before: day(leaf.validity().not_before),
        not_after: day(leaf.validity().not_after),
    })
}

/// What a length of three bytes counts, behind what comes after it.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[high, middle, low], rest) = bytes.split_first_chunk()?;
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    let (counted, rest) = rest.split_at_checked(length)?;
    Some((rest, counted))
}

/// The names that clients look for: DNS names and addresses.
fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(text(name.as_bytes())),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(*bytes).ok()?).to_string()),
            16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(names: Vec<String>) -> Vec<u8> {
        let mut params = CertificateParams::new(names).unwrap();
        (params.distinguished_name).push(DnType::CommonName, "db.example");
        params.not_before = date_time_ymd(2026, 2, 3);
        params.not_after = date_time_ymd(2027, 2, 3);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap();
        let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes()[1..].to_vec();
        let list = [length(der.der().len()), der.der().to_vec()].concat();
        [length(list.len()), list].concat()
    }

    #[test]
    fn a_leaf_is_told_by_its_names_and_days() {
        let names = ["db.example", "127.0.0.1", "::1"].map(str::to_owned);
        assert_eq!(
            leaf(&certificate(names.to_vec())),
            Some(Event::Certificate {
                common_name: Some("db.example".to_owned()),
                names: names.to_vec(),
                not_before: "2026-02-03".to_owned(),
                not_after: "2027-02-03".to_owned(),
            })
        );
    }

    #[test]
    fn names_are_bounded() {
        let names = (0..100).map(|number| format!("{number}.example")).collect();
        let Some(Event::Certificate { names, .. }) = leaf(&certificate(names)) else {
            panic!("no leaf");
        };
        assert_eq!(names.len(), MOST_NAMES);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_leaf_or_none(bytes in vec(any::<u8>(), 0..200)) {
            let _ = leaf(&bytes);
        }

        #[test]
        fn a_damaged_certificate_is_a_leaf_or_none(at in 0..500_usize, byte: u8) {
            let mut bytes = certificate(vec!["db.example".to_owned()]);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = leaf(&bytes);
            let _ = leaf(&bytes[..at]);
        }
    }
}
