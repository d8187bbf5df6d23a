//! What the files hold, and that none is made before it is asked for.

use std::{
    collections::HashSet, fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Barrier, thread,
};

use certs_gen::{DEFAULT_ENDPOINT, EndpointName, Error, Leaf, Pki, Trust};
use rstest::{fixture, rstest};
use tempfile::TempDir;
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    oid_registry::{OID_PKCS1_SHA256WITHRSA, OID_SIG_ECDSA_WITH_SHA384},
    pem::Pem,
    prelude::X509Certificate,
    x509::X509Version,
};

#[fixture]
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn pki(folder: &TempDir) -> Pki {
    let endpoint = EndpointName::new(DEFAULT_ENDPOINT).unwrap();
    Pki::new(endpoint, folder.path().join("pki"))
}

#[rstest]
fn the_chain_is_leaf_subordinate_root_in_the_shape_of_rds(folder: TempDir) {
    let pki = pki(&folder);
    let pems = certificates(&pki.server(Leaf::Right).unwrap().chain);
    let chain: Vec<_> = pems.iter().map(|pem| pem.parse_x509().unwrap()).collect();
    let [leaf, subordinate, root] = chain.as_slice() else {
        panic!("{} certificates", chain.len());
    };

    let rest = "OU=RDS, O=Throwaway test PKI (not Amazon.com), L=Seattle, ST=Washington, C=US";
    let name = |cn| format!("CN={cn}, {rest}");
    let root_name = name("Amazon RDS ap-southeast-1 Root CA RSA2048 G1");
    let subordinate_name = name("Amazon RDS ap-southeast-1 Subordinate CA RSA2048 G1.A.1");
    assert_eq!(root.subject().to_string(), root_name);
    assert_eq!(root.issuer().to_string(), root_name);
    assert_eq!(subordinate.subject().to_string(), subordinate_name);
    assert_eq!(subordinate.issuer().to_string(), root_name);
    assert_eq!(leaf.subject().to_string(), name(DEFAULT_ENDPOINT));
    assert_eq!(leaf.issuer().to_string(), subordinate_name);
    assert_eq!(dns_names(leaf), [DEFAULT_ENDPOINT]);

    for (certificate, issuer) in [(leaf, subordinate), (subordinate, root), (root, root)] {
        certificate
            .verify_signature(Some(issuer.public_key()))
            .unwrap();
        assert_eq!(authority_key_id(certificate), subject_key_id(issuer));
        assert!(certificate.validity().is_valid());
        assert!(issuer.validity().not_before <= certificate.validity().not_before);
        assert!(issuer.validity().not_after >= certificate.validity().not_after);
        assert_eq!(certificate.version(), X509Version::V3);
        assert_eq!(certificate.raw_serial().len(), 16);
    }
    leaf.verify_signature(Some(root.public_key())).unwrap_err();
}

#[rstest]
fn each_certificate_says_what_its_key_is_for(folder: TempDir) {
    let pki = pki(&folder);
    let pems = certificates(&pki.server(Leaf::Right).unwrap().chain);
    let path_lengths = [(false, None), (true, Some(0)), (true, None)];
    for (pem, (ca, path_length)) in pems.iter().zip(path_lengths) {
        let certificate = pem.parse_x509().unwrap();
        let constraints = certificate.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical);
        assert_eq!(constraints.value.ca, ca);
        assert_eq!(constraints.value.path_len_constraint, path_length);
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.critical);
        assert!(usage.value.digital_signature());
        assert_eq!(usage.value.key_cert_sign(), ca);
        let extended = certificate.extended_key_usage().unwrap();
        assert_eq!(extended.is_some_and(|usage| usage.value.server_auth), !ca);
    }
}

#[rstest]
fn leaves_share_a_key_and_no_serial_number(folder: TempDir) {
    let pki = pki(&folder);
    let (right, other) = (
        pki.server(Leaf::Right).unwrap(),
        pki.server(Leaf::Other).unwrap(),
    );
    assert_eq!(right.key, other.key);
    assert_ne!(right.leaf_sha256, other.leaf_sha256);

    let pems = [&right.chain, &other.chain].map(|chain| certificates(chain));
    let [right, other] = pems.each_ref().map(|pems| pems[0].parse_x509().unwrap());
    assert_eq!(right.public_key(), other.public_key());
    assert_ne!(right.raw_serial(), other.raw_serial());
    let neighbour = "other-db.555555555555.ap-southeast-1.rds.amazonaws.com";
    assert_eq!(dns_names(&other), [neighbour]);
    let validity = right.validity();
    let days = (validity.not_after.timestamp() - validity.not_before.timestamp()) / 86_400;
    assert_eq!(days, 365);
}

#[rstest]
fn openssl_takes_the_key_for_the_leafs_and_the_fingerprint_for_its_own(folder: TempDir) {
    let pki = pki(&folder);
    let server = pki.server(Leaf::Right).unwrap();
    assert_eq!(mode(&server.key), 0o600);
    let pem = fs::read(&server.chain).unwrap();
    let leaf = openssl::x509::X509::from_pem(&pem).unwrap();
    let key = openssl::pkey::PKey::private_key_from_pem(&fs::read(&server.key).unwrap()).unwrap();
    assert_eq!(key.bits(), 2048);
    assert!(leaf.public_key().unwrap().public_eq(&key));
    let sha256 = leaf.digest(openssl::hash::MessageDigest::sha256()).unwrap();
    assert_eq!(sha256.as_ref(), server.leaf_sha256);
}

#[rstest]
fn the_bundle_looks_like_the_global_one(folder: TempDir) {
    let pki = pki(&folder);
    let pems = certificates(pki.trust(Trust::Bundle).unwrap());
    let root = &certificates(pki.ca_file().unwrap())[0];
    let roots: Vec<_> = pems.iter().map(|pem| pem.parse_x509().unwrap()).collect();

    assert!(roots.len() >= 100, "{} certificates", roots.len());
    let expired: Vec<_> = roots
        .iter()
        .map(|root| !root.validity().is_valid())
        .collect();
    assert!(expired[0]);
    assert_eq!(expired.iter().filter(|expired| **expired).count(), 34);
    let signed_by = |oid| {
        let of_kind = roots
            .iter()
            .filter(|root| root.signature_algorithm.algorithm == oid);
        of_kind.count()
    };
    assert_eq!(signed_by(OID_SIG_ECDSA_WITH_SHA384), 34);
    assert_eq!(signed_by(OID_PKCS1_SHA256WITHRSA), roots.len() - 34);
    let before = pems.iter().position(|pem| pem.contents == root.contents);
    let before = before.expect("the right root is in the bundle");
    let after = roots.len() - 1 - before;
    assert!(
        before.abs_diff(after) <= 1,
        "{before} before, {after} after"
    );

    let subjects: HashSet<_> = roots.iter().map(|root| root.subject().as_raw()).collect();
    assert_eq!(subjects.len(), roots.len(), "two roots of one name");
    for root in &roots {
        assert_eq!(root.subject(), root.issuer());
        root.verify_signature(None).unwrap();
    }
}

#[rstest]
#[case(DEFAULT_ENDPOINT, "eu-west-1")]
#[case("db.abc.eu-west-1.rds.amazonaws.com", "us-east-1")]
fn the_wrong_root_is_another_regions(folder: TempDir, #[case] host: &str, #[case] region: &str) {
    let pki = Pki::new(EndpointName::new(host).unwrap(), folder.path());
    let wrong = &certificates(pki.trust(Trust::WrongRoot).unwrap())[0];
    let subject = wrong.parse_x509().unwrap().subject().to_string();
    let expected = format!("CN=Amazon RDS {region} Root CA RSA2048 G1, ");
    assert!(subject.starts_with(&expected), "{subject}");
}

#[rstest]
fn nothing_is_written_before_it_is_asked_for(folder: TempDir) {
    let pki = pki(&folder);
    assert_eq!(names(folder.path()), [""; 0]);
    let missing = pki.trust(Trust::Missing).unwrap();
    assert!(!missing.exists());
    assert_eq!(names(folder.path()), [""; 0]);

    let root = pki.trust(Trust::Root).unwrap();
    assert_eq!(names(root.parent().unwrap()), ["root.pem"]);
    assert_eq!(pki.ca_file().unwrap(), root);
    pki.server(Leaf::Right).unwrap();
    let expected = ["root.pem", "server-rsa2048.key", "server.pem"];
    assert_eq!(names(root.parent().unwrap()), expected);
}

/// A second one would find the first one's file, and refuse.
#[rstest]
fn threads_that_ask_for_the_same_thing_share_it(folder: TempDir) {
    let pki = pki(&folder);
    let start = Barrier::new(8);
    thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|thread| {
                let (pki, start) = (&pki, &start);
                scope.spawn(move || {
                    start.wait();
                    let leaf = Leaf::ALL[thread % 2];
                    (leaf, pki.server(leaf).unwrap(), pki.ca_file().unwrap())
                })
            })
            .collect();
        for thread in asking {
            let (leaf, server, ca_file) = thread.join().unwrap();
            assert!(std::ptr::eq(server, pki.server(leaf).unwrap()));
            assert!(std::ptr::eq(ca_file, pki.ca_file().unwrap()));
        }
    });
}

#[rstest]
fn a_failure_does_not_stick(folder: TempDir) {
    let pki = pki(&folder);
    let path = folder.path().join("pki/root.pem");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "mine").unwrap();
    assert!(matches!(pki.ca_file(), Err(Error::Exists { path: p }) if p == path));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    fs::remove_file(&path).unwrap();
    assert_eq!(pki.ca_file().unwrap(), path);
}

#[test]
fn a_pki_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Pki>();
}

fn certificates(path: &Path) -> Vec<Pem> {
    Pem::iter_from_buffer(&fs::read(path).unwrap())
        .collect::<Result<_, _>>()
        .unwrap()
}

fn dns_names<'a>(certificate: &'a X509Certificate<'_>) -> Vec<&'a str> {
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    let names = names.value.general_names.iter();
    names
        .map(|name| match name {
            GeneralName::DNSName(name) => *name,
            other => panic!("{other}"),
        })
        .collect()
}

fn subject_key_id<'a>(certificate: &'a X509Certificate<'_>) -> &'a [u8] {
    let mut extensions = certificate.iter_extensions();
    extensions
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        })
        .unwrap()
}

fn authority_key_id<'a>(certificate: &'a X509Certificate<'_>) -> &'a [u8] {
    let mut extensions = certificate.iter_extensions();
    extensions
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => Some(id.key_identifier.as_ref()?.0),
            _ => None,
        })
        .unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
