//! Real handshakes through the tap: OpenSSL and rustls as clients, OpenSSL as
//! the server.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

use openssl::ssl::{SslAcceptor, SslConnector, SslMethod, SslStream, SslVerifyMode, SslVersion};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::CertificateDer;
use tokio::task::spawn_blocking;

use super::{Event, SSL_REQUEST, Side, Transcript};
use crate::tap::Tap;

const NAME: &str = "db.example";

/// Plays one connection through a tap, both ends on threads of their own.
async fn play(
    server: impl FnOnce(TcpStream) + Send + 'static,
    client: impl FnOnce(TcpStream) + Send + 'static,
) -> Transcript {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let tap = Tap::open(listener.local_addr().expect("an address"))
        .await
        .expect("a tap");
    let port = tap.port();
    let server = spawn_blocking(move || server(listener.accept().expect("a client").0));
    let client = spawn_blocking(move || {
        client(TcpStream::connect(("127.0.0.1", port)).expect("the tap listens"));
    });
    client.await.expect("a client");
    server.await.expect("a server");
    tap.finish().await
}

/// Answers an SSLRequest, shakes hands, and reads until the client leaves.
fn openssl_server(version: SslVersion, groups: &'static str) -> impl FnOnce(TcpStream) + Send {
    let (certificate, key) = self_signed();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("OpenSSL");
    acceptor.set_min_proto_version(Some(version)).expect("set");
    acceptor.set_max_proto_version(Some(version)).expect("set");
    acceptor.set_groups_list(groups).expect("groups");
    acceptor.set_certificate(&certificate).expect("set");
    acceptor.set_private_key(&key).expect("set");
    let acceptor = acceptor.build();
    move |mut stream| {
        if stream.peek(&mut [0]).is_ok() && answer(&mut stream) {
            stream.write_all(b"S").expect("an answer");
        }
        if let Ok(mut tls) = acceptor.accept(stream) {
            // The client may close without a word.
            let _ = tls.read_to_end(&mut Vec::new());
        }
    }
}

/// Whether an SSLRequest has come, which is then consumed.
fn answer(stream: &mut TcpStream) -> bool {
    let mut first = [0];
    stream.peek(&mut first).expect("a byte");
    if first != [0] {
        return false;
    }
    let mut request = [0; 8];
    stream.read_exact(&mut request).expect("a request");
    request == SSL_REQUEST
}

fn self_signed() -> (
    openssl::x509::X509,
    openssl::pkey::PKey<openssl::pkey::Private>,
) {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).expect("a certificate");
    let certificate = openssl::x509::X509::from_der(made.cert.der()).expect("DER");
    let key = openssl::pkey::PKey::private_key_from_der(made.signing_key.serialized_der());
    (certificate, key.expect("DER"))
}

fn ask(stream: &mut TcpStream) {
    stream.write_all(&SSL_REQUEST).expect("sent");
    let mut answer = [0];
    stream.read_exact(&mut answer).expect("an answer");
    assert_eq!(&answer, b"S");
}

/// Asks for TLS and shakes hands, trusting nobody if it is to verify.
fn openssl_client(
    verify: SslVerifyMode,
    groups: &'static str,
    alpn: &'static [u8],
) -> impl FnOnce(TcpStream) + Send {
    move |mut stream| {
        ask(&mut stream);
        if let Some(mut tls) = openssl_connect(stream, verify, groups, alpn) {
            tls.write_all(b"hello").expect("written");
            tls.shutdown().expect("said farewell");
        }
    }
}

fn openssl_connect(
    stream: TcpStream,
    verify: SslVerifyMode,
    groups: &str,
    alpn: &[u8],
) -> Option<SslStream<TcpStream>> {
    let mut connector = SslConnector::builder(SslMethod::tls()).expect("OpenSSL");
    connector.set_verify(verify);
    connector.set_groups_list(groups).expect("groups");
    connector.set_alpn_protos(alpn).expect("protocols");
    connector.build().connect(NAME, stream).ok()
}

/// Asks for TLS and shakes hands, trusting a stranger alone.
fn rustls_client(version: &'static SupportedProtocolVersion) -> impl FnOnce(TcpStream) + Send {
    move |mut stream| {
        ask(&mut stream);
        let mut roots = RootCertStore::empty();
        roots.add(stranger()).expect("a root");
        let provider = CryptoProvider {
            kx_groups: vec![
                aws_lc_rs::kx_group::X25519MLKEM768,
                aws_lc_rs::kx_group::X25519,
                // Up to TLS 1.2 the certificate's curve must be among them.
                aws_lc_rs::kx_group::SECP256R1,
            ],
            ..aws_lc_rs::default_provider()
        };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = NAME.try_into().expect("a name");
        let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        tls.complete_io(&mut stream).expect_err("no trust");
    }
}

/// A root of another name than the server's: under the same name, rustls would
/// find a bad signature instead of an unknown issuer.
fn stranger() -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "stranger");
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").into()
}

fn client_hellos(transcript: &Transcript) -> Vec<&Event> {
    transcript.connections[0]
        .iter()
        .filter(|event| matches!(event, Event::ClientHello { .. }))
        .collect()
}

fn server_hello(transcript: &Transcript) -> &Event {
    transcript.connections[0]
        .iter()
        .find(|event| matches!(event, Event::ServerHello { .. }))
        .expect("a ServerHello")
}

/// Which sides began to encrypt, in order.
fn encrypted_sides(transcript: &Transcript) -> Vec<Side> {
    transcript.connections[0]
        .iter()
        .filter_map(|event| match event {
            Event::Encrypted { from } => Some(*from),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn openssl_under_1_3() {
    let transcript = play(
        openssl_server(SslVersion::TLS1_3, "X25519"),
        openssl_client(SslVerifyMode::NONE, "X25519:P-256", b"\x0apostgresql"),
    )
    .await;
    assert_eq!(transcript.wire().to_string(), "sslrequest S hello tls");
    let [
        Event::ClientHello {
            versions,
            ciphers,
            groups,
            sni,
            alpn,
        },
    ] = client_hellos(&transcript)[..]
    else {
        panic!("one ClientHello in\n{transcript}");
    };
    assert_eq!(versions[..2], ["TLSv1.3", "TLSv1.2"]);
    assert!(ciphers.iter().any(|name| name == "TLS_AES_256_GCM_SHA384"));
    assert_eq!(groups[..], ["x25519", "secp256r1"]);
    assert_eq!(sni.as_deref(), Some(NAME));
    assert_eq!(alpn[..], ["postgresql"]);
    let Event::ServerHello { version, group, .. } = server_hello(&transcript) else {
        unreachable!()
    };
    assert_eq!(
        (version.as_str(), group.as_deref()),
        ("TLSv1.3", Some("x25519"))
    );
    assert_eq!(encrypted_sides(&transcript), [Side::Server, Side::Client]);
}

#[tokio::test]
async fn openssl_under_1_2() {
    let transcript = play(
        openssl_server(SslVersion::TLS1_2, "P-256"),
        openssl_client(SslVerifyMode::NONE, "P-256", b"\x0apostgresql"),
    )
    .await;
    assert_eq!(transcript.wire().to_string(), "sslrequest S hello tls");
    let Event::ServerHello {
        version,
        cipher,
        group,
    } = server_hello(&transcript)
    else {
        unreachable!()
    };
    assert_eq!((version.as_str(), group), ("TLSv1.2", &None));
    assert!(cipher.starts_with("TLS_ECDHE_ECDSA_WITH_"), "{cipher}");
    // The server never sends data: its Finished must be known for encrypted.
    assert_eq!(encrypted_sides(&transcript), [Side::Client, Side::Server]);
}

#[tokio::test]
async fn openssl_without_asking_first() {
    let transcript = play(openssl_server(SslVersion::TLS1_3, "X25519"), |stream| {
        openssl_connect(stream, SslVerifyMode::NONE, "X25519", b"\x0apostgresql")
            .expect("a handshake");
    })
    .await;
    assert_eq!(transcript.wire().to_string(), "hello tls");
}

#[tokio::test]
async fn a_retry_shows_in_the_detail_alone() {
    let transcript = play(
        openssl_server(SslVersion::TLS1_3, "P-384"),
        openssl_client(SslVerifyMode::NONE, "P-256:P-384", b"\x0apostgresql"),
    )
    .await;
    assert_eq!(transcript.wire().to_string(), "sslrequest S hello tls");
    assert_eq!(client_hellos(&transcript).len(), 2);
    let wanted = Event::HelloRetryRequest {
        group: Some("secp384r1".to_owned()),
    };
    assert!(transcript.connections[0].contains(&wanted), "{transcript}");
}

#[tokio::test]
async fn openssl_tells_its_distrust_in_clear() {
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let transcript = play(
            openssl_server(version, "P-256"),
            openssl_client(SslVerifyMode::PEER, "P-256", b"\x0apostgresql"),
        )
        .await;
        assert_eq!(
            transcript.wire().to_string(),
            "sslrequest S hello alert:unknown_ca"
        );
    }
}

#[tokio::test]
async fn rustls_tells_its_distrust_in_clear_under_1_2() {
    let transcript = play(
        openssl_server(SslVersion::TLS1_2, "X25519"),
        rustls_client(&rustls::version::TLS12),
    )
    .await;
    assert_eq!(
        transcript.wire().to_string(),
        "sslrequest S hello alert:unknown_ca"
    );
}

#[tokio::test]
async fn rustls_encrypts_its_distrust_under_1_3() {
    let transcript = play(
        openssl_server(SslVersion::TLS1_3, "X25519"),
        rustls_client(&rustls::version::TLS13),
    )
    .await;
    assert_eq!(transcript.wire().to_string(), "sslrequest S hello tls");
    let Some(Event::ClientHello { groups, .. }) = client_hellos(&transcript).first() else {
        panic!("no ClientHello in\n{transcript}");
    };
    assert_eq!(groups[..], ["X25519MLKEM768", "x25519", "secp256r1"]);
}

#[tokio::test]
async fn a_server_tells_that_no_version_fits() {
    let transcript = play(
        openssl_server(SslVersion::TLS1_2, "X25519"),
        rustls_client(&rustls::version::TLS13),
    )
    .await;
    assert_eq!(
        transcript.wire().to_string(),
        "sslrequest S hello alert:protocol_version"
    );
}

#[tokio::test]
async fn a_hello_may_be_longer_than_a_segment() {
    let alpn: &'static [u8] = [&[11][..], b"postgresql2"].concat().repeat(300).leak();
    let transcript = play(
        openssl_server(SslVersion::TLS1_3, "X25519"),
        openssl_client(SslVerifyMode::NONE, "X25519", alpn),
    )
    .await;
    assert_eq!(transcript.wire().to_string(), "sslrequest S hello tls");
    let Event::ClientHello { alpn, .. } = client_hellos(&transcript)[0] else {
        unreachable!()
    };
    assert_eq!(alpn.len(), 256, "of 300, the most that are kept");
}
