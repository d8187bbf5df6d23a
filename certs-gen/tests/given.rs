//! Somebody's own certificate is taken in every form that a server reads, and
//! what can't be served is told with its file's name.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use certs_gen::{
    DEFAULT_ENDPOINT, EndpointName, Error, Given, GivenError, GivenFiles, Leaf, Pki, Trust,
};
use openssl::{
    asn1::{Asn1Object, Asn1OctetString},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    symm::Cipher,
    x509::{X509, X509Builder, X509Extension, X509Name},
};
use rstest::{fixture, rstest};
use tempfile::TempDir;

type Key = PKey<Private>;

/// A chain of ours, taken for somebody's.
struct Somebody {
    files: GivenFiles,
    folder: TempDir,
}

#[fixture]
fn somebody() -> Somebody {
    from(Leaf::P384)
}

fn from(leaf: Leaf) -> Somebody {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(endpoint(), folder.path());
    let server = pki.server(leaf).unwrap();
    let files = GivenFiles {
        chain: server.chain.clone(),
        key: server.key.clone(),
        trust: pki.trust(Trust::Root).unwrap().to_owned(),
    };
    Somebody { files, folder }
}

impl Somebody {
    fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    fn key(&self) -> Key {
        PKey::private_key_from_pem(&fs::read(&self.files.key).unwrap()).unwrap()
    }

    fn refusal(&self) -> (GivenError, String) {
        let error = Given::read(&self.files).err().expect("it is refused");
        let says = error.to_string();
        (error, says)
    }
}

fn endpoint() -> EndpointName {
    EndpointName::new(DEFAULT_ENDPOINT).unwrap()
}

#[rstest]
fn the_pki_hands_out_what_was_given(somebody: Somebody) {
    let own = fs::read(&somebody.files.chain).unwrap();
    let comment = b"# staging, first of three\n".to_vec();
    let trust = [comment.clone(), fs::read(&somebody.files.trust).unwrap()].concat();
    let files = GivenFiles {
        // A combined file: the key must not come out beside the certificates.
        chain: somebody.write(
            "combined.pem",
            [comment, fs::read(&somebody.files.key).unwrap(), own.clone()].concat(),
        ),
        trust: somebody.write("anchors.pem", &trust),
        ..somebody.files.clone()
    };
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(endpoint(), folder.path()).with_given(Given::read(&files).unwrap());

    let server = pki.server(Leaf::Given).unwrap();
    assert_eq!(fs::read(&server.chain).unwrap(), own);
    assert_eq!(
        fs::read(&server.key).unwrap(),
        fs::read(&files.key).unwrap()
    );
    assert_eq!(mode(&server.key), 0o600);
    let leaf = X509::from_pem(&own).unwrap();
    let digest = leaf.digest(MessageDigest::sha256()).unwrap();
    assert_eq!(server.leaf_sha256, *digest);
    let anchors = pki.trust(Trust::Given).unwrap();
    assert_eq!(fs::read(anchors).unwrap(), trust);
    assert_eq!(mode(anchors), 0o600);

    // Ours are there all the same, and their keys are others.
    assert_ne!(pki.server(Leaf::P384).unwrap().key, server.key);
    assert_ne!(pki.ca_file().unwrap(), anchors);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn nothing_is_given_where_nobody_gave_it() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::new(endpoint(), folder.path());
    assert!(matches!(pki.server(Leaf::Given), Err(Error::NotGiven)));
    assert!(matches!(pki.trust(Trust::Given), Err(Error::NotGiven)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn pkcs1(key: &Key) -> Vec<u8> {
    key.rsa().unwrap().private_key_to_pem().unwrap()
}

fn sec1(key: &Key) -> Vec<u8> {
    key.ec_key().unwrap().private_key_to_pem().unwrap()
}

/// As `openssl ecparam -genkey` writes it, here with the OID of P-384.
fn sec1_after_its_parameters(key: &Key) -> Vec<u8> {
    let mut pem =
        b"-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n".to_vec();
    pem.extend(sec1(key));
    pem
}

fn pkcs8_with_crlf(key: &Key) -> Vec<u8> {
    let pem = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    pem.replace('\n', "\r\n").into_bytes()
}

#[rstest]
#[case(Leaf::Right, pkcs1, "-----BEGIN RSA PRIVATE KEY-----")]
#[case(Leaf::P384, sec1, "-----BEGIN EC PRIVATE KEY-----")]
#[case(Leaf::P384, sec1_after_its_parameters, "-----BEGIN EC PARAMETERS-----")]
#[case(Leaf::P384, pkcs8_with_crlf, "-----BEGIN PRIVATE KEY-----\r\n")]
fn a_key_comes_in_every_form_and_leaves_as_pkcs8(
    #[case] leaf: Leaf,
    #[case] form: fn(&Key) -> Vec<u8>,
    #[case] label: &str,
) {
    let mut somebody = from(leaf);
    let pem = form(&somebody.key());
    assert!(String::from_utf8_lossy(&pem).contains(label));
    let pkcs8 = fs::read(&somebody.files.key).unwrap();
    somebody.files.key = somebody.write("own.key", pem);

    let folder = tempfile::tempdir().unwrap();
    let given = Given::read(&somebody.files).unwrap();
    let pki = Pki::new(endpoint(), folder.path()).with_given(given);
    let server = pki.server(Leaf::Given).unwrap();
    assert_eq!(fs::read(&server.key).unwrap(), pkcs8);
}

fn encrypted_pkcs8(key: &Key) -> Vec<u8> {
    let pem = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"hunter22");
    pem.unwrap()
}

fn encrypted_sec1(key: &Key) -> Vec<u8> {
    let key = key.ec_key().unwrap();
    let pem = key.private_key_to_pem_passphrase(Cipher::aes_128_cbc(), b"hunter22");
    pem.unwrap()
}

#[rstest]
fn an_encrypted_key_is_refused_with_the_way_out(
    mut somebody: Somebody,
    #[values(encrypted_pkcs8, encrypted_sec1)] encrypt: fn(&Key) -> Vec<u8>,
) {
    somebody.files.key = somebody.write("encrypted.key", encrypt(&somebody.key()));
    let (error, says) = somebody.refusal();
    assert!(matches!(error, GivenError::Encrypted(path) if path == somebody.files.key));
    assert!(says.contains("openssl pkey -in "), "{says}");
}

#[rstest]
#[case::empty(b"", "holds no certificate in PEM", "holds no private key in PEM")]
#[case::no_pem(
    b"\x30\x82\x01",
    "holds no certificate in PEM",
    "holds no private key in PEM"
)]
#[case::damaged_certificate(
    b"-----BEGIN CERTIFICATE-----\nMIJA\n-----END CERTIFICATE-----\n",
    "holds a certificate that is damaged",
    "holds no private key in PEM"
)]
#[case::damaged_key(
    b"-----BEGIN PRIVATE KEY-----\nMIJA\n-----END PRIVATE KEY-----\n",
    "holds no certificate in PEM",
    "holds a private key that is damaged"
)]
fn a_file_that_holds_nothing_of_its_kind_is_named(
    somebody: Somebody,
    #[case] contents: &[u8],
    #[case] certificates: &str,
    #[case] key: &str,
) {
    type Place = fn(&mut GivenFiles) -> &mut PathBuf;
    let places: [(Place, &str); 3] = [
        (|files| &mut files.chain, certificates),
        (|files| &mut files.key, key),
        (|files| &mut files.trust, certificates),
    ];
    let missing = somebody.folder.path().join("no-such-file");
    let wrong = somebody.write("wrong.pem", contents);
    for (place, says) in places {
        let refusal = |path: &PathBuf| {
            let mut files = somebody.files.clone();
            place(&mut files).clone_from(path);
            Given::read(&files)
                .err()
                .expect("it is refused")
                .to_string()
        };
        let expected = format!("{} {says}", wrong.display());
        assert!(refusal(&wrong).starts_with(&expected), "{expected}");
        let expected = format!("{} can't be read (No such file", missing.display());
        assert!(refusal(&missing).starts_with(&expected), "{expected}");
    }
}

#[rstest]
fn a_damaged_certificate_after_a_good_one_is_not_overlooked(mut somebody: Somebody) {
    let text = fs::read_to_string(&somebody.files.chain).unwrap();
    let second = text.rfind("-----BEGIN").unwrap();
    let damaged = text[second..].replacen("\nMI", "\nMJ", 1);
    somebody.files.chain = somebody.write("chain.pem", text[..second].to_owned() + &damaged);
    assert!(matches!(
        somebody.refusal().0,
        GivenError::Certificate { .. }
    ));
}

#[rstest]
fn a_key_of_another_certificate_is_refused(mut somebody: Somebody) {
    let others = from(Leaf::P384);
    somebody.files.key.clone_from(&others.files.key);
    let (error, says) = somebody.refusal();
    assert!(matches!(error, GivenError::OtherKey { .. }), "{says}");
    for file in [&others.files.key, &somebody.files.chain] {
        assert!(says.contains(file.to_str().unwrap()), "{says}");
    }
}

#[rstest]
fn a_leaf_that_is_not_first_is_found(mut somebody: Somebody) {
    let chain = X509::stack_from_pem(&fs::read(&somebody.files.chain).unwrap()).unwrap();
    let turned = chain
        .iter()
        .rev()
        .flat_map(|link| link.to_pem().unwrap())
        .collect::<Vec<_>>();
    somebody.files.chain = somebody.write("turned.pem", turned);
    let (error, says) = somebody.refusal();
    assert!(
        matches!(error, GivenError::LeafNotFirst { nth: 3, .. }),
        "{says}"
    );
    assert!(says.contains("belongs to certificate 3 of "), "{says}");
}

/// With the public key beside the private one (RFC 5958), as some libraries
/// write Ed25519 keys, and OpenSSL reads none.
#[rstest]
fn a_key_of_pkcs8_version_2_is_refused_with_the_way_out(mut somebody: Somebody) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = rcgen::CertificateParams::default();
    let certificate = certificate.self_signed(&key).unwrap();
    somebody.files.chain = somebody.write("chain.pem", certificate.pem());
    somebody.files.key = somebody.write("v2.key", key.serialize_pem());
    let (error, says) = somebody.refusal();
    assert!(matches!(error, GivenError::Key { .. }), "{says}");
    assert!(says.contains("PKCS #8 (of version 1)"), "{says}");
}

/// No signature scheme of TLS 1.3 has this curve (RFC 8446, 4.2.3).
fn secp256k1() -> Key {
    let group = EcGroup::from_curve_name(Nid::SECP256K1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// No room for a signature by SHA-256 (RFC 8017, 9.1.1).
fn rsa512() -> Key {
    PKey::from_rsa(Rsa::generate(512).unwrap()).unwrap()
}

#[rstest]
fn a_key_that_makes_no_tls_server_is_refused(
    mut somebody: Somebody,
    #[values(secp256k1, rsa512)] generate: fn() -> Key,
) {
    let key = generate();
    somebody.files.chain = somebody.write("chain.pem", self_signed(&key).to_pem().unwrap());
    somebody.files.key = somebody.write("own.key", key.private_key_to_pem_pkcs8().unwrap());
    let (error, says) = somebody.refusal();
    let GivenError::Unservable { why, .. } = &error else {
        panic!("{says}");
    };
    assert!(!why.is_empty() && !why.contains("error:"), "{says}");
}

/// OpenSSL looks into extensions when a server loads the certificate, and not
/// before.
#[rstest]
fn a_leaf_that_no_server_can_load_is_refused_with_its_file(mut somebody: Somebody) {
    let key = somebody.key();
    let mut builder = unsigned(&key);
    let oid = Asn1Object::from_str("2.5.29.19").unwrap();
    // An INTEGER, where basicConstraints has a SEQUENCE (RFC 5280, 4.2.1.9).
    let value = Asn1OctetString::new_from_bytes(&[2, 1, 2]).unwrap();
    let extension = X509Extension::new_from_der(&oid, true, &value).unwrap();
    builder.append_extension(extension).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    somebody.files.chain = somebody.write("chain.pem", builder.build().to_pem().unwrap());
    let (error, says) = somebody.refusal();
    let GivenError::Certificate { path, why } = &error else {
        panic!("{says}");
    };
    assert_eq!(*path, somebody.files.chain);
    assert!(!why.is_empty() && !why.contains("error:"), "{says}");
}

/// What is wrong with a certificate is for clients to say.
#[rstest]
fn a_certificate_that_no_client_takes_is_read(
    #[values(Leaf::Expired, Leaf::V1, Leaf::Rsa1024, Leaf::SelfSigned, Leaf::Other)] leaf: Leaf,
) {
    assert!(Given::read(&from(leaf).files).is_ok());
}

fn self_signed(key: &Key) -> X509 {
    let mut certificate = unsigned(key);
    certificate.sign(key, MessageDigest::sha256()).unwrap();
    certificate.build()
}

fn unsigned(key: &Key) -> X509Builder {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", DEFAULT_ENDPOINT).unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(key).unwrap();
    let day = |days| openssl::asn1::Asn1Time::days_from_now(days).unwrap();
    certificate.set_not_before(&day(0)).unwrap();
    certificate.set_not_after(&day(1)).unwrap();
    certificate.set_version(2).unwrap();
    certificate
}
