//! What verifiers make of the chains: OpenSSL, as libpq asks it, and
//! rustls-webpki.

use std::{fs, path::Path, sync::Arc};

use certs_gen::{DEFAULT_ENDPOINT, EndpointName, Leaf, Pki, Trust};
use openssl::{
    nid::Nid,
    stack::Stack,
    x509::{
        X509, X509PurposeId, X509StoreContext, X509VerifyResult,
        store::X509StoreBuilder,
        verify::{X509VerifyFlags, X509VerifyParam},
    },
};
use rstest::{fixture, rstest};
use rustls::{
    CertificateError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tempfile::TempDir;

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

/// "unable to get issuer certificate": a trusted certificate is reached, and
/// its own issuer is not trusted; what the server sent is of no account there.
const NO_ISSUER: i32 = 2;
/// "self-signed certificate in certificate chain": the chain that the server
/// sent ends in a root that is not trusted.
const SELF_SIGNED_IN_CHAIN: i32 = 19;
/// "certificate is not yet valid".
const NOT_YET_VALID: i32 = 9;
/// "certificate has expired".
const HAS_EXPIRED: i32 = 10;
/// "self-signed certificate".
const SELF_SIGNED: i32 = 18;
/// "unable to get local issuer certificate": the chain that the server sent
/// leads to nothing that is trusted.
const NO_LOCAL_ISSUER: i32 = 20;
/// "unsuitable certificate purpose".
const INVALID_PURPOSE: i32 = 26;
/// "hostname mismatch".
const HOSTNAME_MISMATCH: i32 = 62;

#[rstest]
#[case(Trust::Root, Leaf::Right, Ok(()))]
#[case(Trust::Bundle, Leaf::Right, Ok(()))]
#[case(Trust::WrongRoot, Leaf::Right, Err(SELF_SIGNED_IN_CHAIN))]
#[case(Trust::Subordinate, Leaf::Right, Err(NO_ISSUER))]
#[case(Trust::Root, Leaf::Other, Err(HOSTNAME_MISMATCH))]
#[case(Trust::Bundle, Leaf::Other, Err(HOSTNAME_MISMATCH))]
#[case(Trust::Both, Leaf::LeafOnly, Ok(()))]
#[case(Trust::Root, Leaf::LeafOnly, Err(NO_LOCAL_ISSUER))]
#[case(Trust::Root, Leaf::NoRoot, Ok(()))]
#[case(Trust::Root, Leaf::SanOnly, Ok(()))]
#[case(Trust::Root, Leaf::SanWrong, Err(HOSTNAME_MISMATCH))]
#[case(Trust::Root, Leaf::Wildcard, Ok(()))]
#[case(Trust::Root, Leaf::WildcardDeep, Err(HOSTNAME_MISMATCH))]
#[case(Trust::Root, Leaf::SeveralSans, Ok(()))]
#[case(Trust::Root, Leaf::Expired, Err(HAS_EXPIRED))]
#[case(Trust::Root, Leaf::NotYetValid, Err(NOT_YET_VALID))]
#[case(Trust::Root, Leaf::SubordinateExpired, Err(HAS_EXPIRED))]
#[case(Trust::Both, Leaf::SubordinateExpired, Ok(()))]
#[case(Trust::Root, Leaf::ClientAuth, Err(INVALID_PURPOSE))]
#[case(Trust::Root, Leaf::SelfSigned, Err(SELF_SIGNED))]
#[case(Trust::Root, Leaf::CaLeaf, Ok(()))]
#[case(Trust::Root, Leaf::V1, Ok(()))]
#[case(Trust::Root, Leaf::Rsa4096, Ok(()))]
#[case(Trust::Root, Leaf::P384, Ok(()))]
#[case(Trust::Root, Leaf::Ipv6San, Ok(()))]
#[case(Trust::Root, Leaf::IpAsDns, Err(HOSTNAME_MISMATCH))]
#[case(Trust::Root, Leaf::NoNames, Err(HOSTNAME_MISMATCH))]
#[case(Trust::Root, Leaf::NulInCn, Err(HOSTNAME_MISMATCH))]
#[case(Trust::Root, Leaf::NoEku, Ok(()))]
#[case(Trust::Root, Leaf::TrustedCa, Ok(()))]
#[case(Trust::WrongRoot, Leaf::TrustedCa, Err(SELF_SIGNED))]
#[case(Trust::Bundle, Leaf::TrustedCa, Err(SELF_SIGNED))]
// The purpose asks for any of three key usages (v3_purp.c, KU_TLS).
#[case(Trust::Root, Leaf::KeyAgreement, Ok(()))]
fn openssl_as_libpq_asks_it(
    fixture: &Fixture,
    #[case] trust: Trust,
    #[case] leaf: Leaf,
    #[case] expected: Result<(), i32>,
    #[values(X509VerifyFlags::empty(), X509VerifyFlags::X509_STRICT)] flags: X509VerifyFlags,
) {
    let chain = &fixture.pki.server(leaf).unwrap().chain;
    let anchors = fixture.pki.trust(trust).unwrap();
    let verdict = openssl_verdict(chain, anchors, DEFAULT_ENDPOINT, flags);
    assert_eq!(verdict.map_err(|error| error.as_raw()), expected);
}

#[rstest]
#[case(Trust::Root, Leaf::Right, Ok(()))]
#[case(Trust::Bundle, Leaf::Right, Ok(()))]
#[case(Trust::WrongRoot, Leaf::Right, Err(CertificateError::UnknownIssuer))]
// Any certificate can be an anchor to it.
#[case(Trust::Subordinate, Leaf::Right, Ok(()))]
#[case(Trust::Subordinate, Leaf::LeafOnly, Ok(()))]
#[case(Trust::Root, Leaf::LeafOnly, Err(CertificateError::UnknownIssuer))]
#[case(Trust::Root, Leaf::NoRoot, Ok(()))]
#[case(Trust::Root, Leaf::SanOnly, Ok(()))]
#[case(Trust::Root, Leaf::Wildcard, Ok(()))]
#[case(Trust::Root, Leaf::SeveralSans, Ok(()))]
#[case(Trust::Subordinate, Leaf::SubordinateExpired, Ok(()))]
#[case(Trust::Root, Leaf::SelfSigned, Err(CertificateError::UnknownIssuer))]
// A handshake with it fails nevertheless: its signature is no good to rustls.
#[case(Trust::Root, Leaf::Rsa1024, Ok(()))]
#[case(Trust::Root, Leaf::Rsa4096, Ok(()))]
#[case(Trust::Root, Leaf::P384, Ok(()))]
#[case(Trust::Root, Leaf::Ipv6San, Ok(()))]
#[case(Trust::Root, Leaf::NoEku, Ok(()))]
// It does not look at the key usage.
#[case(Trust::Root, Leaf::KeyAgreement, Ok(()))]
fn webpki_builds_the_chain(
    fixture: &Fixture,
    #[case] trust: Trust,
    #[case] leaf: Leaf,
    #[case] expected: Result<(), CertificateError>,
) {
    let chain = &fixture.pki.server(leaf).unwrap().chain;
    let verdict = webpki_verdict(chain, fixture.pki.trust(trust).unwrap());
    assert_eq!(verdict, expected.map_err(rustls::Error::from));
}

#[rstest]
fn webpki_tells_the_other_leaf(fixture: &Fixture) {
    let chain = &fixture.pki.server(Leaf::Other).unwrap().chain;
    let verdict = webpki_verdict(chain, fixture.pki.trust(Trust::Root).unwrap());
    let Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
        presented,
        ..
    })) = verdict
    else {
        panic!("{verdict:?}");
    };
    assert!(presented[0].contains("other-db.555555555555.ap-southeast-1"));
}

/// The names of these are for nobody, or for somebody else.
#[rstest]
fn webpki_finds_no_name(
    fixture: &Fixture,
    #[values(Leaf::IpAsDns, Leaf::NoNames, Leaf::NulInCn)] leaf: Leaf,
) {
    let chain = &fixture.pki.server(leaf).unwrap().chain;
    let verdict = webpki_verdict(chain, fixture.pki.trust(Trust::Root).unwrap());
    let Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
        presented,
        ..
    })) = verdict
    else {
        panic!("{verdict:?}");
    };
    let expected: &[&str] = match leaf {
        Leaf::IpAsDns => &["DnsName(\"127.0.0.1\")"],
        _ => &[],
    };
    assert_eq!(presented, expected);
}

/// Trusted or not, a CA's certificate is no server's to webpki.
#[rstest]
fn webpki_refuses_a_ca_as_a_server(
    fixture: &Fixture,
    #[values(Trust::Root, Trust::WrongRoot)] trust: Trust,
    #[values(Leaf::CaLeaf, Leaf::TrustedCa)] leaf: Leaf,
) {
    let chain = &fixture.pki.server(leaf).unwrap().chain;
    let verdict = webpki_verdict(chain, fixture.pki.trust(trust).unwrap());
    let Err(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(other.to_string(), "CaUsedAsEndEntity");
}

/// Why the wrong root has a name of its own.
#[rstest]
fn a_root_of_the_same_name_and_another_key_is_told_by_its_key(fixture: &Fixture) {
    let folder = tempfile::tempdir().unwrap();
    let twin = Pki::new(fixture.pki.endpoint().clone(), folder.path());
    let anchors = twin.trust(Trust::Root).unwrap();
    let chain = &fixture.pki.server(Leaf::Right).unwrap().chain;
    let verdict = openssl_verdict(chain, anchors, DEFAULT_ENDPOINT, X509VerifyFlags::empty());
    assert_eq!(verdict.unwrap_err().as_raw(), SELF_SIGNED_IN_CHAIN);
    let verdict = webpki_verdict(chain, anchors);
    assert_eq!(verdict, Err(CertificateError::BadSignature.into()));
}

/// The endpoint's name is too long for a common name.
#[test]
fn a_long_name_is_verified_by_the_san_alone() {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}.{DEFAULT_ENDPOINT}", "long".repeat(8));
    let pki = Pki::new(EndpointName::new(&name).unwrap(), folder.path());
    let chain = &pki.server(Leaf::Right).unwrap().chain;

    let leaf = &X509::stack_from_pem(&fs::read(chain).unwrap()).unwrap()[0];
    let mut common_names = leaf.subject_name().entries_by_nid(Nid::COMMONNAME);
    assert!(common_names.next().is_none());
    let root = pki.trust(Trust::Root).unwrap();
    let verdict = openssl_verdict(chain, root, &name, X509VerifyFlags::X509_STRICT);
    assert_eq!(verdict, Ok(()));
}

fn openssl_verdict(
    chain: &Path,
    anchors: &Path,
    host: &str,
    flags: X509VerifyFlags,
) -> Result<(), X509VerifyResult> {
    let mut param = X509VerifyParam::new().unwrap();
    param.set_purpose(X509PurposeId::SSL_SERVER).unwrap();
    param.set_host(host).unwrap();
    param.set_flags(flags).unwrap();
    let mut store = X509StoreBuilder::new().unwrap();
    store.set_param(&param).unwrap();
    for anchor in X509::stack_from_pem(&fs::read(anchors).unwrap()).unwrap() {
        store.add_cert(anchor).unwrap();
    }

    let sent = X509::stack_from_pem(&fs::read(chain).unwrap()).unwrap();
    let mut untrusted = Stack::new().unwrap();
    for certificate in &sent[1..] {
        untrusted.push(certificate.clone()).unwrap();
    }
    let mut context = X509StoreContext::new().unwrap();
    let (accepted, result) = context
        .init(&store.build(), &sent[0], &untrusted, |context| {
            Ok((context.verify_cert()?, context.error()))
        })
        .unwrap();
    if accepted { Ok(()) } else { Err(result) }
}

fn webpki_verdict(chain: &Path, anchors: &Path) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    for anchor in CertificateDer::pem_file_iter(anchors).unwrap() {
        roots.add(anchor.unwrap()).unwrap();
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
            .build()
            .unwrap();
    let sent: Vec<_> = CertificateDer::pem_file_iter(chain)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let name = ServerName::try_from(DEFAULT_ENDPOINT).unwrap();
    verifier
        .verify_server_cert(&sent[0], &sent[1..], &name, &[], UnixTime::now())
        .map(drop)
}
