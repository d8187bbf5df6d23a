//! tokio-postgres with tokio-postgres-rustls.

mod verifiers;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use rustls::{
    CipherSuite, ClientConfig, RootCertStore, client::Resumption, client::WebPkiServerVerifier,
    crypto::CryptoProvider,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    connect,
    noted::Noted,
    trust::{self, Anchors, Connectors, GaveUp},
};
use crate::{
    causes::chain,
    driver::{
        Attempt, Outcome,
        versions::locked_version,
        worker::{
            Player,
            protocol::{CONTRACT, Capability, Hello},
        },
    },
};

/// The driver's id: tokio-postgres with tokio-postgres-rustls.
pub const ID: &str = "tokio-postgres-rustls";

/// How a user set up the connector. rustls trusts nothing by itself: without a
/// file the root store is empty, for `system` it is filled as the front page of
/// rustls-native-certs shows.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Configuration {
    /// A `RootCertStore` with all certificates of the file, and no client
    /// certificate, as the front page of tokio-postgres-rustls shows it.
    Default,
    /// As `default`, but a wrong name is let pass: a verifier of the user's own
    /// around `WebPkiServerVerifier` (documentation of
    /// `rustls::client::danger`); what libpq calls verify-ca.
    AnyHostname,
    /// A verifier of the user's own that accepts every certificate
    /// (documentation of `rustls::client::danger`); what libpq calls require.
    /// A trust file is not looked at.
    AnyCert,
    /// As `default`, with TLS 1.2 alone in `with_protocol_versions`
    /// (documentation of `rustls::ConfigBuilder`).
    Tls12,
    /// The same with TLS 1.3.
    Tls13,
    /// As `tls12`, with the suites of `ChaCha20` alone in
    /// `CryptoProvider::cipher_suites` (documentation of
    /// `rustls::crypto::CryptoProvider`).
    ChaCha20,
}

impl Configuration {
    const ALL: [(&str, Self); 6] = [
        ("default", Self::Default),
        ("any-hostname", Self::AnyHostname),
        ("any-cert", Self::AnyCert),
        ("tls12", Self::Tls12),
        ("tls13", Self::Tls13),
        ("chacha20", Self::ChaCha20),
    ];

    fn client_config(self, anchors: &Anchors) -> Result<ClientConfig, GaveUp> {
        let provider = Arc::new(self.provider());
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = match self {
            Self::Tls12 | Self::ChaCha20 => {
                builder.with_protocol_versions(&[&rustls::version::TLS12])
            }
            Self::Tls13 => builder.with_protocol_versions(&[&rustls::version::TLS13]),
            Self::Default | Self::AnyHostname | Self::AnyCert => {
                builder.with_safe_default_protocol_versions()
            }
        }
        .map_err(|error| gave_up(&error))?;
        let builder = match self {
            Self::Default | Self::Tls12 | Self::Tls13 | Self::ChaCha20 => {
                builder.with_root_certificates(roots(anchors)?)
            }
            Self::AnyHostname => builder
                .dangerous()
                .with_custom_certificate_verifier(any_hostname(provider, anchors)?),
            Self::AnyCert => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifiers::AnyCert(provider))),
        };
        Ok(builder.with_no_client_auth())
    }

    fn provider(self) -> CryptoProvider {
        let mut provider = rustls::crypto::aws_lc_rs::default_provider();
        if self == Self::ChaCha20 {
            provider.cipher_suites.retain(|suite| {
                matches!(
                    suite.suite(),
                    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
                        | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
                )
            });
        }
        provider
    }
}

fn any_hostname(
    provider: Arc<CryptoProvider>,
    anchors: &Anchors,
) -> Result<Arc<verifiers::AnyHostname>, GaveUp> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots(anchors)?), provider)
        .build()
        .map(|inner| Arc::new(verifiers::AnyHostname(inner)))
        .map_err(|error| gave_up(&error))
}

fn roots(anchors: &Anchors) -> Result<RootCertStore, GaveUp> {
    let mut roots = RootCertStore::empty();
    match anchors {
        Anchors::Unset => {}
        Anchors::System => {
            let system = rustls_native_certs::load_native_certs();
            if let Some(error) = system.errors.first() {
                return Err(GaveUp(format!(
                    "could not load platform certs: {}",
                    chain(error)
                )));
            }
            roots.add_parsable_certificates(system.certs);
        }
        Anchors::File(file) => {
            let pem = trust::read(file)?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| GaveUp::over(file, chain(&error)))?;
                roots
                    .add(certificate)
                    .map_err(|error| GaveUp::over(file, chain(&error)))?;
            }
            if roots.is_empty() {
                return Err(GaveUp::over(file, "it holds no certificate"));
            }
        }
    }
    Ok(roots)
}

fn gave_up(error: &dyn std::error::Error) -> GaveUp {
    GaveUp(format!("could not make a TLS connector: {}", chain(error)))
}

/// The driver in its worker process.
#[derive(Default)]
pub struct Rustls {
    configs: Connectors<Configuration, ClientConfig>,
}

impl Player for Rustls {
    fn hello(&self) -> Hello {
        Hello {
            contract: CONTRACT,
            driver: ID.into(),
            version: locked_version("tokio-postgres"),
            tls: Some(format!(
                "rustls {} (tokio-postgres-rustls {}, aws-lc-rs {})",
                locked_version("rustls"),
                locked_version("tokio-postgres-rustls"),
                locked_version("aws-lc-rs"),
            )),
            configurations: Configuration::ALL.map(|(name, _)| name.into()).into(),
            capabilities: vec![
                Capability::KeyValue,
                Capability::Uri,
                Capability::SystemRoots,
                Capability::TlsInUse,
            ],
        }
    }

    fn play(
        self: Arc<Self>,
        attempt: Attempt,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<Outcome, String>> {
        Box::pin(connect::within(deadline, async move {
            let configuration = connect::named(ID, &attempt, &Configuration::ALL)?;
            let made = self.configs.get(
                configuration,
                Anchors::of(&attempt),
                Configuration::client_config,
            );
            let mut config = match made {
                Ok(config) => config,
                Err(gave_up) => return Ok(gave_up.into()),
            };
            // rustls's default, but none that an earlier attempt has filled: a
            // resumed session would not verify the certificate.
            config.resumption = Resumption::default();
            let connector = Noted::new(MakeRustlsConnect::new(config));
            let completed = connector.completed();
            connect::play(&attempt, connector, completed).await
        }))
    }
}
