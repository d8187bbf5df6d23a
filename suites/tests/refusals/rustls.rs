//! Every error of rustls and rustls-webpki that a client can meet, made as the
//! libraries make it.

use std::{fs, sync::Arc, time::Duration};

use openssl::{
    asn1::Asn1Time, bn::BigNum, ec::EcGroup, ec::EcKey, hash::MessageDigest, nid::Nid, pkey::PKey,
    x509::X509, x509::X509NameBuilder,
};
use rustls::{
    AlertDescription, CertRevocationListError, CertificateError, ContentType, Error, HandshakeType,
    InconsistentKeys, InvalidMessage, OtherError, PeerIncompatible, PeerMisbehaved,
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::{RUSTLS, is, rules};

/// What the tables below and `refusals/rustls.toml` were read in. The enums of
/// both crates are `non_exhaustive`, so that no `match` here can lack a variant:
/// when a version changes, read its `src/error.rs` for new variants, then write
/// the version here and at the top of `refusals/rustls.toml`.
const READ: [(&str, &str); 2] = [("rustls", "0.23.46"), ("rustls-webpki", "0.103.17")];

#[test]
fn the_sources_are_those_that_were_read() {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    for (name, version) in READ {
        let locked: Vec<_> = (packages.iter())
            .filter(|package| package["name"].as_str() == Some(name))
            .map(|package| package["version"].as_str().unwrap())
            .collect();
        assert_eq!(locked, [version], "{name}");
    }
}

#[test]
fn every_error_has_its_class() {
    let rules = rules(RUSTLS);
    let errors = [
        certificates(),
        certificates_as_webpki_says(),
        alerts(),
        incompatible(),
        misbehaved(),
        others(),
    ];
    for (error, class) in errors.into_iter().flatten() {
        let message = format!("error performing TLS handshake: {error}");
        assert_eq!(is(&rules, &message), class, "{error:?}");
    }
}

#[test]
fn every_alert_number_has_a_class() {
    let rules = rules(RUSTLS);
    for number in 0..=u8::MAX {
        let message = Error::AlertReceived(AlertDescription::from(number)).to_string();
        assert_ne!(is(&rules, &message), "", "alert {number}: {message}");
    }
}

/// Certificates that rustls itself rejects: no table, the libraries' own way
/// from the one error to the other.
#[test]
fn errors_that_rustls_makes_itself_have_their_class() {
    let rules = rules(RUSTLS);
    let read = |der: &[u8]| {
        let der = CertificateDer::from(der);
        ParsedCertificate::try_from(&der).map(|_| ()).unwrap_err()
    };
    let good = certificate(2);
    let parsed = ParsedCertificate::try_from(&good).unwrap();
    let name = verify_server_name(&parsed, &ServerName::try_from("db.example").unwrap());
    for (error, class) in [
        (read(b"no certificate"), "tls certificate"),
        (read(&[]), "tls certificate"),
        (read(&certificate(0)), "tls certificate"),
        (name.unwrap_err(), "tls name"),
    ] {
        assert_eq!(is(&rules, &error.to_string()), class, "{error:?}");
    }
}

type Errors = Vec<(Error, &'static str)>;

#[expect(deprecated, reason = "a verifier may still answer the old variant")]
fn certificates() -> Errors {
    use CertificateError as C;
    let time = UnixTime::since_unix_epoch(Duration::from_hours(500_000));
    let then = UnixTime::since_unix_epoch(Duration::from_hours(400_000));
    let name = || ServerName::try_from("db.example").unwrap();
    let not_for = |presented: &[&str]| C::NotValidForNameContext {
        expected: name(),
        presented: presented.iter().map(ToString::to_string).collect(),
    };
    let purpose = |required| C::InvalidPurposeContext {
        required,
        presented: vec![rustls::ExtendedKeyPurpose::Other(vec![1, 3, 6])],
    };
    let all = vec![
        (C::BadEncoding, "tls certificate"),
        (C::Expired, "tls validity"),
        (
            C::ExpiredContext {
                time,
                not_after: then,
            },
            "tls validity",
        ),
        (C::NotValidYet, "tls validity"),
        (
            C::NotValidYetContext {
                time: then,
                not_before: time,
            },
            "tls validity",
        ),
        (C::Revoked, "tls revoked"),
        (C::UnhandledCriticalExtension, "tls extension"),
        (C::UnknownIssuer, "tls chain"),
        (C::UnknownRevocationStatus, "tls revocation"),
        (C::ExpiredRevocationList, "tls revocation"),
        (
            C::ExpiredRevocationListContext {
                time,
                next_update: then,
            },
            "tls revocation",
        ),
        (C::BadSignature, "tls signature"),
        (C::UnsupportedSignatureAlgorithm, "tls algorithm"),
        (
            C::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: vec![1],
                supported_algorithms: vec![rustls::pki_types::alg_id::ED25519],
            },
            "tls algorithm",
        ),
        (
            C::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: vec![1],
                public_key_algorithm_id: vec![2],
            },
            "tls algorithm",
        ),
        (C::NotValidForName, "tls name"),
        (not_for(&[]), "tls name"),
        (not_for(&["DnsName(\"a\")"]), "tls name"),
        (
            not_for(&["DnsName(\"received fatal alert: UnknownCA\")", "b", "c"]),
            "tls name",
        ),
        (C::InvalidPurpose, "tls purpose"),
        (
            purpose(rustls::ExtendedKeyPurpose::ServerAuth),
            "tls purpose",
        ),
        (
            purpose(rustls::ExtendedKeyPurpose::ClientAuth),
            "tls purpose",
        ),
        (C::InvalidOcspResponse, "tls revocation"),
        (C::ApplicationVerificationFailure, "tls verify"),
    ];
    all.into_iter()
        .map(|(error, class)| (error.into(), class))
        .collect()
}

/// What `pki_error` (rustls `src/webpki/mod.rs`) gives no variant of its own.
fn certificates_as_webpki_says() -> Errors {
    use webpki::Error as W;
    let all = vec![
        (W::CaUsedAsEndEntity, "tls ca-as-leaf"),
        (W::CertDistrusted, "tls chain"),
        (W::EmptyEkuExtension, "tls purpose"),
        (W::EndEntityUsedAsCa, "tls not-a-ca"),
        (W::ExtensionValueInvalid, "tls certificate"),
        (W::InvalidCrlNumber, "tls revocation"),
        (W::InvalidNetworkMaskConstraint, "tls constraint"),
        (W::InvalidSerialNumber, "tls certificate"),
        (W::MalformedDnsIdentifier, "tls certificate"),
        (W::MalformedExtensions, "tls certificate"),
        (W::MalformedNameConstraint, "tls constraint"),
        (W::MaximumNameConstraintComparisonsExceeded, "tls chain"),
        (W::MaximumPathBuildCallsExceeded, "tls chain"),
        (W::MaximumPathDepthExceeded, "tls chain"),
        (W::MaximumSignatureChecksExceeded, "tls chain"),
        (W::NameConstraintViolation, "tls constraint"),
        (W::PathLenConstraintViolated, "tls constraint"),
        (W::SignatureAlgorithmMismatch, "tls signature"),
        (W::UnsupportedCertVersion, "tls certificate"),
        (W::UnsupportedCriticalExtension, "tls extension"),
        (W::UnsupportedCrlIssuingDistributionPoint, "tls revocation"),
        (W::UnsupportedCrlVersion, "tls revocation"),
        (W::UnsupportedDeltaCrl, "tls revocation"),
        (W::UnsupportedIndirectCrl, "tls revocation"),
        (W::UnsupportedNameType, "tls name"),
        (W::UnsupportedRevocationReason, "tls revocation"),
        (
            W::UnsupportedRevocationReasonsPartitioning,
            "tls revocation",
        ),
    ];
    let wrap = |error| CertificateError::Other(OtherError(Arc::new(error))).into();
    all.into_iter()
        .map(|(error, class)| (wrap(error), class))
        .collect()
}

fn alerts() -> Errors {
    use AlertDescription as A;
    let all = vec![
        (A::HandshakeFailure, "tls handshake"),
        (A::InsufficientSecurity, "tls handshake"),
        (A::ProtocolVersion, "tls version"),
        (A::InappropriateFallback, "tls version"),
        (A::NoApplicationProtocol, "negotiate alpn"),
        (A::BadCertificate, "tls client-certificate"),
        (A::UnsupportedCertificate, "tls client-certificate"),
        (A::CertificateRevoked, "tls client-certificate"),
        (A::CertificateExpired, "tls client-certificate"),
        (A::CertificateUnknown, "tls client-certificate"),
        (A::UnknownCA, "tls client-certificate"),
        (A::AccessDenied, "tls client-certificate"),
        (A::CertificateRequired, "tls client-certificate"),
        (A::UnrecognisedName, "tls alert"),
        (A::DecryptError, "tls alert"),
        (A::InternalError, "tls alert"),
        (A::Unknown(0xff), "tls alert"),
    ];
    let wrap = |(alert, class)| (Error::AlertReceived(alert), class);
    all.into_iter().map(wrap).collect()
}

fn incompatible() -> Errors {
    use PeerIncompatible as P;
    let all = vec![
        (P::EcPointsExtensionRequired, "tls handshake"),
        (P::ExtendedMasterSecretExtensionRequired, "tls handshake"),
        (P::IncorrectCertificateTypeExtension, "tls handshake"),
        (P::KeyShareExtensionRequired, "tls handshake"),
        (P::NamedGroupsExtensionRequired, "tls handshake"),
        (
            P::NoCertificateRequestSignatureSchemesInCommon,
            "tls handshake",
        ),
        (P::NoCipherSuitesInCommon, "tls handshake"),
        (P::NoEcPointFormatsInCommon, "tls handshake"),
        (P::NoKxGroupsInCommon, "tls handshake"),
        (P::NoSignatureSchemesInCommon, "tls handshake"),
        (P::NullCompressionRequired, "tls handshake"),
        (P::ServerDoesNotSupportTls12Or13, "tls version"),
        (
            P::ServerSentHelloRetryRequestWithUnknownExtension,
            "tls handshake",
        ),
        (P::ServerTlsVersionIsDisabledByOurConfig, "tls version"),
        (P::SignatureAlgorithmsExtensionRequired, "tls handshake"),
        (P::SupportedVersionsExtensionRequired, "tls version"),
        (P::Tls12NotOffered, "tls version"),
        (P::Tls12NotOfferedOrEnabled, "tls version"),
        (P::Tls13RequiredForQuic, "tls version"),
        (P::UncompressedEcPointsRequired, "tls handshake"),
        (P::UnsolicitedCertificateTypeExtension, "tls handshake"),
        (P::ServerRejectedEncryptedClientHello(None), "tls handshake"),
        (
            P::ServerRejectedEncryptedClientHello(Some(vec![])),
            "tls handshake",
        ),
    ];
    all.into_iter()
        .map(|(error, class)| (error.into(), class))
        .collect()
}

/// One expression takes all of them.
fn misbehaved() -> Errors {
    let errors: [Error; 6] = [
        PeerMisbehaved::AttemptedDowngradeToTls12WhenTls13IsSupported.into(),
        PeerMisbehaved::SelectedUnofferedCipherSuite.into(),
        InvalidMessage::InvalidContentType.into(),
        InvalidMessage::MissingData("ServerHello").into(),
        Error::InappropriateMessage {
            expect_types: vec![ContentType::Handshake, ContentType::Alert],
            got_type: ContentType::ApplicationData,
        },
        Error::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::ServerHello],
            got_type: HandshakeType::Finished,
        },
    ];
    errors
        .into_iter()
        .map(|error| (error, "tls protocol"))
        .collect()
}

/// The remaining variants of `Error`.
fn others() -> Errors {
    let other = OtherError(Arc::new(std::fmt::Error));
    vec![
        (CertRevocationListError::ParseError.into(), "tls revocation"),
        (
            CertRevocationListError::Other(other.clone()).into(),
            "tls revocation",
        ),
        (
            rustls::EncryptedClientHelloError::SniRequired.into(),
            "tls handshake",
        ),
        (Error::NoCertificatesPresented, "tls certificate"),
        (Error::UnsupportedNameType, "tls name"),
        (Error::DecryptError, "tls protocol"),
        (Error::EncryptError, "tls internal"),
        (Error::General("signing failed".into()), "tls internal"),
        (Error::FailedToGetCurrentTime, "tls internal"),
        (Error::FailedToGetRandomBytes, "tls internal"),
        (Error::HandshakeNotComplete, "tls internal"),
        (Error::PeerSentOversizedRecord, "tls protocol"),
        (Error::NoApplicationProtocol, "negotiate alpn"),
        (Error::BadMaxFragmentSize, "tls internal"),
        (InconsistentKeys::KeyMismatch.into(), "tls client-key"),
        (Error::Other(other), "tls internal"),
    ]
}

/// A certificate for no name, of X.509 v1 (0) or v3 (2).
fn certificate(version: i32) -> CertificateDer<'static> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "db.example").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(version).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    let (from, to) = (
        Asn1Time::days_from_now(0).unwrap(),
        Asn1Time::days_from_now(1).unwrap(),
    );
    builder.set_not_before(&from).unwrap();
    builder.set_not_after(&to).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    CertificateDer::from(builder.build().to_der().unwrap())
}
