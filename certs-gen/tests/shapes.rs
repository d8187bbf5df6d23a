//! Each shape of leaf differs from the right one where its name says, and
//! nowhere else.

use std::{collections::BTreeSet, fs, net::Ipv6Addr, path::Path};

use certs_gen::{DEFAULT_ENDPOINT, EndpointName, Error, KeyKind, Leaf, Pki, Trust};
use rstest::{fixture, rstest};
use tempfile::TempDir;
use x509_parser::{
    extensions::GeneralName, pem::Pem, prelude::X509Certificate, public_key::PublicKey,
    x509::X509Version,
};

struct Fixture {
    pki: Pki,
    _folder: TempDir,
}

#[fixture]
#[once]
fn fixture() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = EndpointName::new(DEFAULT_ENDPOINT).unwrap();
    Fixture {
        pki: Pki::new(endpoint, folder.path()),
        _folder: folder,
    }
}

/// What a verifier may look at.
#[derive(Clone, Debug, PartialEq)]
struct Facts {
    common_name: Option<String>,
    alt_names: Vec<String>,
    /// Before, in, or after its time.
    time: &'static str,
    key: &'static str,
    version: X509Version,
    ca: bool,
    key_usages: String,
    /// serverAuth, clientAuth.
    purposes: Option<(bool, bool)>,
    signed_by_itself: bool,
    /// The common names of the CA certificates sent with it, `!` where expired.
    sent_with: Vec<&'static str>,
}

fn right() -> Facts {
    Facts {
        common_name: Some(DEFAULT_ENDPOINT.to_owned()),
        alt_names: vec![DEFAULT_ENDPOINT.to_owned()],
        time: "in",
        key: "rsa 2048",
        version: X509Version::V3,
        ca: false,
        key_usages: "Digital Signature, Key Encipherment".to_owned(),
        purposes: Some((true, false)),
        signed_by_itself: false,
        sent_with: vec!["subordinate", "root"],
    }
}

const NEIGHBOUR: &str = "other-db.555555555555.ap-southeast-1.rds.amazonaws.com";
const THIRD: &str = "third-db.555555555555.ap-southeast-1.rds.amazonaws.com";
const NUL_IN_CN: &str = "db-name.555555555555.ap-southeast-1.rds.amazonaws.com\0.example";
const WILDCARD: &str = "*.555555555555.ap-southeast-1.rds.amazonaws.com";
const WILDCARD_DEEP: &str = "*.ap-southeast-1.rds.amazonaws.com";

const ECDSA_KEY_USAGES: &str = "Digital Signature";
const CA_KEY_USAGES: &str = "Digital Signature, Key Cert Sign, CRL Sign";

fn named(common_name: Option<&str>, alt_names: &[&str]) -> Facts {
    Facts {
        common_name: common_name.map(str::to_owned),
        alt_names: alt_names.iter().map(|&name| name.to_owned()).collect(),
        ..right()
    }
}

#[rstest]
#[case(Leaf::Right, right())]
#[case(Leaf::Other, named(Some(NEIGHBOUR), &[NEIGHBOUR]))]
#[case(Leaf::LeafOnly, Facts { sent_with: vec![], ..right() })]
#[case(Leaf::NoRoot, Facts { sent_with: vec!["subordinate"], ..right() })]
#[case(Leaf::CnOnly, named(Some(DEFAULT_ENDPOINT), &[]))]
#[case(Leaf::SanWrong, named(Some(DEFAULT_ENDPOINT), &[NEIGHBOUR]))]
#[case(Leaf::SanOnly, named(None, &[DEFAULT_ENDPOINT]))]
#[case(Leaf::Wildcard, named(Some(WILDCARD), &[WILDCARD]))]
#[case(Leaf::WildcardDeep, named(Some(WILDCARD_DEEP), &[WILDCARD_DEEP]))]
#[case(Leaf::IpSan, named(Some(DEFAULT_ENDPOINT), &["127.0.0.1 (address)"]))]
#[case(Leaf::IpCn, named(Some("127.0.0.1"), &[]))]
#[case(Leaf::SeveralSans, named(Some(NEIGHBOUR), &[NEIGHBOUR, DEFAULT_ENDPOINT, THIRD]))]
#[case(Leaf::Expired, Facts { time: "after", ..right() })]
#[case(Leaf::NotYetValid, Facts { time: "before", ..right() })]
#[case(Leaf::SubordinateExpired, Facts { sent_with: vec!["subordinate!", "root"], ..right() })]
#[case(Leaf::ClientAuth, Facts { purposes: Some((false, true)), ..right() })]
#[case(Leaf::SelfSigned, Facts { signed_by_itself: true, sent_with: vec![], ..right() })]
#[case(Leaf::CaLeaf, Facts { ca: true, key_usages: CA_KEY_USAGES.to_owned(), ..right() })]
#[case(Leaf::V1, Facts {
    alt_names: vec![], version: X509Version::V1, key_usages: "any".to_owned(), purposes: None, ..right()
})]
#[case(Leaf::Rsa1024, Facts { key: "rsa 1024", ..right() })]
#[case(Leaf::Rsa4096, Facts { key: "rsa 4096", ..right() })]
#[case(Leaf::P384, Facts { key: "p-384", key_usages: ECDSA_KEY_USAGES.to_owned(), ..right() })]
#[case(Leaf::Ipv6San, named(Some(DEFAULT_ENDPOINT), &["::1 (address)", DEFAULT_ENDPOINT]))]
#[case(Leaf::IpAsDns, named(Some(DEFAULT_ENDPOINT), &["127.0.0.1"]))]
#[case(Leaf::NoNames, named(None, &[]))]
#[case(Leaf::NulInCn, named(Some(NUL_IN_CN), &[]))]
#[case(Leaf::NoEku, Facts { purposes: None, ..right() })]
#[case(Leaf::TrustedCa, Facts {
    ca: true,
    key_usages: CA_KEY_USAGES.to_owned(),
    purposes: None,
    signed_by_itself: true,
    sent_with: vec![],
    ..right()
})]
#[case(Leaf::KeyAgreement, Facts {
    key: "p-256", key_usages: "Key Agreement".to_owned(), ..right()
})]
fn a_shape_is_what_its_name_says(fixture: &Fixture, #[case] leaf: Leaf, #[case] expected: Facts) {
    let pems = certificates(&fixture.pki.server(leaf).unwrap().chain);
    let chain: Vec<_> = pems.iter().map(|pem| pem.parse_x509().unwrap()).collect();
    let issuer = &certificates(fixture.pki.trust(Trust::Subordinate).unwrap())[0];
    let issuer = issuer.parse_x509().unwrap();

    assert_eq!(facts(&chain), expected);
    let signer = if expected.signed_by_itself {
        &chain[0]
    } else {
        &issuer
    };
    let signed = chain[0].verify_signature(Some(signer.public_key()));
    signed.expect("the issuer's signature");
}

#[rstest]
fn every_leaf_can_be_had_with_the_key_of_its_kind(fixture: &Fixture) {
    let mut kinds = BTreeSet::new();
    for leaf in Leaf::ALL {
        let server = fixture.pki.server(leaf).unwrap();
        let kind = leaf.key().unwrap();
        assert_eq!(server.key, fixture.pki.server_key(kind).unwrap(), "{leaf}");
        let sent = fs::read(&server.chain).unwrap();
        let certificate = openssl::x509::X509::from_pem(&sent).unwrap();
        let key = fs::read(&server.key).unwrap();
        let key = openssl::pkey::PKey::private_key_from_pem(&key).unwrap();
        assert!(certificate.public_key().unwrap().public_eq(&key), "{leaf}");
        kinds.insert(kind);
    }
    assert_eq!(kinds, BTreeSet::from(KeyKind::ALL));
}

#[rstest]
fn a_renewed_subordinate_keeps_its_name_and_key(fixture: &Fixture) {
    let [renewed, expired] = [Leaf::Right, Leaf::SubordinateExpired].map(|leaf| {
        let server = fixture.pki.server(leaf).unwrap();
        certificates(&server.chain).swap_remove(1)
    });
    let [renewed, expired] = [&renewed, &expired].map(|pem| pem.parse_x509().unwrap());
    assert_eq!(renewed.subject(), expired.subject());
    assert_eq!(renewed.public_key(), expired.public_key());
    assert_ne!(renewed.raw_serial(), expired.raw_serial());
}

#[rstest]
fn the_trusted_ca_is_trusted_behind_the_root(fixture: &Fixture) {
    let sent = certificates(&fixture.pki.server(Leaf::TrustedCa).unwrap().chain);
    let trusted = certificates(fixture.pki.trust(Trust::Root).unwrap());
    let root = certificates(&fixture.pki.server(Leaf::Right).unwrap().chain).swap_remove(2);
    let trusted: Vec<_> = trusted.iter().map(|pem| &pem.contents).collect();
    assert_eq!(trusted, [&root.contents, &sent[0].contents]);
}

#[rstest]
fn both_is_the_root_and_then_the_subordinate(fixture: &Fixture) {
    let of = |trust| fs::read_to_string(fixture.pki.trust(trust).unwrap()).unwrap();
    let both = of(Trust::Root) + &of(Trust::Subordinate);
    assert_eq!(of(Trust::Both), both);
}

/// It would be for nobody.
#[test]
fn a_name_too_long_for_a_common_name_needs_a_san() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}.{DEFAULT_ENDPOINT}", "long".repeat(8));
    let pki = Pki::new(EndpointName::new(&name).unwrap(), folder.path());
    for leaf in [Leaf::CnOnly, Leaf::NulInCn, Leaf::V1] {
        let error = pki.server(leaf).unwrap_err();
        assert!(matches!(error, Error::NameTooLong { .. }), "{error}");
        assert!(error.to_string().contains(leaf.name()), "{error}");
    }
    pki.server(Leaf::SanOnly).unwrap();
}

fn facts(chain: &[X509Certificate]) -> Facts {
    let (leaf, rest) = chain.split_first().unwrap();
    let constraints = leaf.basic_constraints().unwrap();
    let key_usages = leaf.key_usage().unwrap();
    let purposes = leaf.extended_key_usage().unwrap();
    Facts {
        common_name: common_name(leaf),
        alt_names: alt_names(leaf),
        time: time(leaf),
        key: key(leaf),
        version: leaf.version(),
        ca: constraints.is_some_and(|constraints| constraints.value.ca),
        key_usages: key_usages.map_or("any".to_owned(), |usages| usages.value.to_string()),
        purposes: purposes.map(|usage| (usage.value.server_auth, usage.value.client_auth)),
        signed_by_itself: leaf.issuer() == leaf.subject(),
        sent_with: rest.iter().map(authority).collect(),
    }
}

fn common_name(certificate: &X509Certificate) -> Option<String> {
    let mut names = certificate.subject().iter_common_name();
    names.next().map(|name| name.as_str().unwrap().to_owned())
}

fn alt_names(certificate: &X509Certificate) -> Vec<String> {
    let Some(names) = certificate.subject_alternative_name().unwrap() else {
        return Vec::new();
    };
    let text = |name: &GeneralName| match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress([a, b, c, d]) => format!("{a}.{b}.{c}.{d} (address)"),
        GeneralName::IPAddress(octets) => {
            let octets: [u8; 16] = (*octets).try_into().expect("4 octets or 16");
            format!("{} (address)", Ipv6Addr::from(octets))
        }
        other => panic!("{other}"),
    };
    names.value.general_names.iter().map(text).collect()
}

fn time(certificate: &X509Certificate) -> &'static str {
    let now = x509_parser::time::ASN1Time::now();
    let validity = certificate.validity();
    match (validity.not_before <= now, now <= validity.not_after) {
        (true, true) => "in",
        (true, false) => "after",
        (false, _) => "before",
    }
}

fn key(certificate: &X509Certificate) -> &'static str {
    match certificate.public_key().parsed().unwrap() {
        PublicKey::RSA(key) if key.key_size() == 1024 => "rsa 1024",
        PublicKey::RSA(key) if key.key_size() == 2048 => "rsa 2048",
        PublicKey::RSA(key) if key.key_size() == 4096 => "rsa 4096",
        PublicKey::EC(point) if point.key_size() == 384 => "p-384",
        PublicKey::EC(point) if point.key_size() == 256 => "p-256",
        other => panic!("{other:?}"),
    }
}

fn authority(certificate: &X509Certificate) -> &'static str {
    let name = common_name(certificate).unwrap();
    match (name.contains("Subordinate"), time(certificate)) {
        (true, "in") => "subordinate",
        (true, _) => "subordinate!",
        (false, _) => "root",
    }
}

fn certificates(path: &Path) -> Vec<Pem> {
    Pem::iter_from_buffer(&fs::read(path).unwrap())
        .collect::<Result<_, _>>()
        .unwrap()
}
