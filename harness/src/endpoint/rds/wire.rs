//! What someone's instance shows to a stranger: an address, TLS or none, which
//! versions, which certificates.

use std::{io, net::SocketAddr, time::Duration};

use openssl::{
    ssl::{SslRef, SslVersion},
    x509::X509,
};
use tokio::{net::lookup_host, task::spawn_blocking, time::timeout};

use super::{
    super::probe::{Answer, Offer},
    Access, RdsError,
};
use crate::policy::TlsVersion;

/// What a handshake that offers everything came to.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// The version and the suite (OpenSSL's name).
    pub(super) negotiated: (String, String),
    /// What the server sent, the leaf first.
    pub(super) sent: Vec<X509>,
    /// The versions that it accepts, from the lowest.
    pub(super) versions: Vec<TlsVersion>,
}

/// The address to dial: the one that was given, else the first that the name
/// resolves to.
pub(super) async fn resolve(access: &Access) -> Result<SocketAddr, RdsError> {
    if let Some(address) = access.address {
        return Ok(SocketAddr::from((address, access.port)));
    }
    let not_resolved = |why: String| RdsError::NotResolved {
        host: access.host.clone(),
        why,
    };
    let looked_up = timeout(
        access.timeout,
        lookup_host((access.host.as_str(), access.port)),
    );
    match looked_up.await {
        Ok(Ok(mut addresses)) => {
            (addresses.next()).ok_or_else(|| not_resolved("it has no address".to_owned()))
        }
        Ok(Err(error)) => Err(not_resolved(error.to_string())),
        Err(_) => {
            let waited = access.timeout.as_secs();
            Err(not_resolved(format!("no answer within {waited} s")))
        }
    }
}

/// Asks for TLS, once with everything and once with each version alone; nothing
/// where the server offers none. The client leaves before the login each time.
pub(super) async fn look(address: SocketAddr, timeout: Duration) -> Result<Option<Tls>, RdsError> {
    let looked = spawn_blocking(move || look_blocking(address, timeout));
    looked.await.unwrap_or_else(|error| {
        Err(RdsError::Asked {
            what: "offer TLS",
            why: error.to_string(),
        })
    })
}

fn look_blocking(address: SocketAddr, timeout: Duration) -> Result<Option<Tls>, RdsError> {
    let told = |error: io::Error| cannot_look(address, timeout, &error);
    let stream = match Offer::default().make(address, timeout).map_err(told)? {
        Answer::NoTls => return Ok(None),
        Answer::Failed(why) => return Err(RdsError::Handshake { address, why }),
        Answer::Tls(stream) => stream,
    };
    let (negotiated, sent) = described(stream.ssl());
    drop(stream);
    let mut versions = Vec::new();
    for (version, openssl) in [
        (TlsVersion::Tls10, SslVersion::TLS1),
        (TlsVersion::Tls11, SslVersion::TLS1_1),
        (TlsVersion::Tls12, SslVersion::TLS1_2),
        (TlsVersion::Tls13, SslVersion::TLS1_3),
    ] {
        let alone = Offer {
            min: openssl,
            max: Some(openssl),
            ..Offer::default()
        };
        if let Answer::Tls(_) = alone.make(address, timeout).map_err(told)? {
            versions.push(version);
        }
    }
    Ok(Some(Tls {
        negotiated,
        sent,
        versions,
    }))
}

fn described(ssl: &SslRef) -> ((String, String), Vec<X509>) {
    let cipher = ssl.current_cipher().map_or("", |cipher| cipher.name());
    let sent = ssl.peer_cert_chain().into_iter().flatten();
    (
        (ssl.version_str().to_owned(), cipher.to_owned()),
        sent.map(ToOwned::to_owned).collect(),
    )
}

fn cannot_look(address: SocketAddr, waited: Duration, error: &io::Error) -> RdsError {
    match error.kind() {
        // What a read that takes too long comes to (socket(7), SO_RCVTIMEO).
        io::ErrorKind::WouldBlock => RdsError::Silent { address, waited },
        io::ErrorKind::Other => RdsError::NotPostgres {
            address,
            why: error.to_string(),
        },
        io::ErrorKind::UnexpectedEof => RdsError::NotPostgres {
            address,
            why: "it hung up when asked for TLS".to_owned(),
        },
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => RdsError::NotPostgres {
            address,
            why: format!("it hung up when asked for TLS ({error})"),
        },
        io::ErrorKind::TimedOut => RdsError::Unreachable {
            address,
            why: format!("no answer within {} s", waited.as_secs()),
        },
        _ => RdsError::Unreachable {
            address,
            why: error.to_string(),
        },
    }
}
