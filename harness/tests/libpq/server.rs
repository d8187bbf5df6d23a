//! A server that speaks TLS, and of PostgreSQL's protocol only what comes before
//! a login: it refuses all who have taken its certificate.

use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use openssl::{
    pkey::PKey,
    ssl::{SslAcceptor, SslMethod},
    x509::X509,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use crate::cases::{Name, Names};

/// The SQLSTATE of the server's refusal: the certificate was taken.
pub const TAKEN: &str = "28000";

/// How long a client may be silent.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A server with one certificate, for as long as this process lives.
pub struct Server {
    pub port: u16,
    /// The certificate, which is its own trust anchor.
    pub root: PathBuf,
}

impl Server {
    /// Starts one; its certificate goes to `folder`.
    pub fn start(names: &Names, folder: &Path) -> Self {
        let (certificate, key) = issue(names);
        let root = folder.join(format!("{}.pem", names.id));
        fs::write(&root, &certificate).unwrap();

        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        let certificate = X509::from_pem(certificate.as_bytes()).unwrap();
        acceptor.set_certificate(&certificate).unwrap();
        let key = PKey::private_key_from_pem(key.as_bytes()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        let acceptor = Arc::new(acceptor.build());

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for client in listener.incoming() {
                let acceptor = acceptor.clone();
                // What goes wrong, the client tells.
                thread::spawn(move || refuse(client?, &acceptor));
            }
        });
        Self { port, root }
    }
}

/// A certificate that is signed by its own key, and the key, PEM each.
fn issue(names: &Names) -> (String, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = names.common_name {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.subject_alt_names = (names.sans.iter())
        .map(|name| match *name {
            Name::Dns(name) => SanType::DnsName(name.try_into().unwrap()),
            Name::Ip(address) => SanType::IpAddress(address.parse().unwrap()),
        })
        .collect();
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// Plays the server's part (PostgreSQL documentation, 54.2.1 Start-up, 54.2.10 SSL
/// Session Encryption).
fn refuse(mut client: TcpStream, acceptor: &SslAcceptor) -> io::Result<()> {
    client.set_read_timeout(Some(TIMEOUT))?;
    // SSLRequest.
    client.read_exact(&mut [0; 8])?;
    client.write_all(b"S")?;
    let mut session = acceptor.accept(client).map_err(io::Error::other)?;

    let mut length = [0; 4];
    session.read_exact(&mut length)?;
    let rest = u64::from(u32::from_be_bytes(length)).saturating_sub(4);
    io::copy(&mut (&mut session).take(rest), &mut io::sink())?;

    let fields = format!("SFATAL\0VFATAL\0C{TAKEN}\0Mthe certificate was taken\0\0");
    let length = u32::try_from(fields.len() + 4).map_err(io::Error::other)?;
    session.write_all(b"E")?;
    session.write_all(&length.to_be_bytes())?;
    session.write_all(fields.as_bytes())?;
    session.shutdown().map(drop).map_err(io::Error::other)
}
