//! tokio-postgres with postgres-native-tls: OpenSSL, on Linux.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use native_tls::{Certificate, Protocol, TlsConnector, TlsConnectorBuilder};
use postgres_native_tls::MakeTlsConnector;

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

/// The driver's id: tokio-postgres with postgres-native-tls.
pub const ID: &str = "tokio-postgres-native-tls";

/// How a user set up the connector. Trust anchors are always added to those of
/// the system, which native-tls loads by itself; without a file, and for
/// `system`, nothing is added.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Configuration {
    /// `Certificate::from_pem` and `add_root_certificate`, as the front page of
    /// postgres-native-tls shows it. Of a file, this reads the first
    /// certificate alone.
    Default,
    /// `Certificate::stack_from_pem`, and `add_root_certificate` for each
    /// (documentation of `native_tls::Certificate`).
    Stack,
    /// As `stack`, with `danger_accept_invalid_hostnames(true)` (documentation
    /// of `native_tls::TlsConnectorBuilder`): what libpq calls verify-ca.
    AnyHostname,
    /// `danger_accept_invalid_certs(true)` (documentation of
    /// `native_tls::TlsConnectorBuilder`): what libpq calls require. A trust
    /// file is not looked at.
    AnyCert,
    /// As `default`, with TLS 1.1 as `min_protocol_version` and
    /// `max_protocol_version` (documentation of
    /// `native_tls::TlsConnectorBuilder`).
    Tls11,
    /// The same with TLS 1.2.
    Tls12,
    /// The same with TLS 1.3.
    Tls13,
}

impl Configuration {
    const ALL: [(&str, Self); 7] = [
        ("default", Self::Default),
        ("stack", Self::Stack),
        ("any-hostname", Self::AnyHostname),
        ("any-cert", Self::AnyCert),
        ("tls11", Self::Tls11),
        ("tls12", Self::Tls12),
        ("tls13", Self::Tls13),
    ];

    fn connector(self, anchors: &Anchors) -> Result<TlsConnector, GaveUp> {
        let mut builder = TlsConnector::builder();
        match self {
            Self::Default | Self::Stack => {}
            Self::AnyHostname => {
                builder.danger_accept_invalid_hostnames(true);
            }
            Self::AnyCert => {
                builder.danger_accept_invalid_certs(true);
            }
            Self::Tls11 => only(&mut builder, Protocol::Tlsv11),
            Self::Tls12 => only(&mut builder, Protocol::Tlsv12),
            Self::Tls13 => only(&mut builder, Protocol::Tlsv13),
        }
        for certificate in self.certificates(anchors)? {
            builder.add_root_certificate(certificate);
        }
        builder
            .build()
            .map_err(|error| GaveUp(format!("could not make a TLS connector: {}", chain(&error))))
    }

    fn certificates(self, anchors: &Anchors) -> Result<Vec<Certificate>, GaveUp> {
        let Anchors::File(file) = anchors else {
            return Ok(Vec::new());
        };
        match self {
            Self::AnyCert => return Ok(Vec::new()),
            Self::Default | Self::Tls11 | Self::Tls12 | Self::Tls13 => {
                Certificate::from_pem(&trust::read(file)?).map(|first| vec![first])
            }
            Self::Stack | Self::AnyHostname => Certificate::stack_from_pem(&trust::read(file)?),
        }
        .map_err(|error| GaveUp::over(file, chain(&error)))
    }
}

fn only(builder: &mut TlsConnectorBuilder, version: Protocol) {
    builder
        .min_protocol_version(Some(version))
        .max_protocol_version(Some(version));
}

/// The driver in its worker process.
#[derive(Default)]
pub struct NativeTls {
    connectors: Connectors<Configuration, TlsConnector>,
}

impl Player for NativeTls {
    fn hello(&self) -> Hello {
        Hello {
            contract: CONTRACT,
            driver: ID.into(),
            version: locked_version("tokio-postgres"),
            tls: Some(format!(
                "{} (postgres-native-tls {}, native-tls {})",
                openssl::version::version(),
                locked_version("postgres-native-tls"),
                locked_version("native-tls"),
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
            let made = self.connectors.get(
                configuration,
                Anchors::of(&attempt),
                Configuration::connector,
            );
            let connector = match made {
                Ok(connector) => Noted::new(MakeTlsConnector::new(connector)),
                Err(gave_up) => return Ok(gave_up.into()),
            };
            let completed = connector.completed();
            connect::play(&attempt, connector, completed).await
        }))
    }
}
