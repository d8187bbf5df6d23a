//! Whether a build of libpq takes certificates for IPv6 addresses.
//!
//! One that is built without `HAVE_INET_PTON` gives up at the first SAN that is
//! such an address (fe-secure-common.c,
//! `pq_verify_peer_name_matches_certificate_ip`). The build that a crate bundles
//! may be one; so it is asked, by a handshake in this process.

use std::{
    ffi::CString,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use openssl::{
    asn1::Asn1Time,
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    ssl::{SslAcceptor, SslMethod},
    x509::{X509, extension::SubjectAlternativeName},
};

use super::ffi::{Connection, Library, Progress};
use crate::driver::connection_string::quoted;

/// How long either end waits for the other.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What libpq says of an address that is neither of 4 octets nor, with
/// `HAVE_INET_PTON`, of 16.
const REFUSAL: &str = "certificate contains IP address with invalid length 16";

/// Connects with `sslmode=verify-full` to a server whose certificate is for
/// `::1`, and tells whether libpq goes on to its startup message.
///
/// # Errors
/// With a sentence, when that can't be found out.
pub fn takes_ipv6(library: &'static Library) -> Result<bool, String> {
    let (certificate, key) = certificate().map_err(|error| error.to_string())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();
    let root = root_file(&certificate).map_err(|error| error.to_string())?;
    let string = format!(
        "host='{}' hostaddr='{}' port='{port}' user='u' dbname='d' \
         sslmode='verify-full' sslrootcert='{}'",
        Ipv6Addr::LOCALHOST,
        Ipv4Addr::LOCALHOST,
        quoted(&root.path().to_string_lossy()),
    );
    let string = CString::new(string).map_err(|error| error.to_string())?;

    let (connection, progress) = Connection::start(library, &string).ok_or("out of memory")?;
    if progress == Progress::Failed {
        return Err(connection.error_message());
    }
    // It has dialled, so that the server doesn't wait for somebody to accept.
    thread::scope(|scope| {
        let server = scope.spawn(move || hears_startup(&listener, &certificate, &key));
        let said = connect(connection, progress)?;
        match server.join() {
            Ok(Ok(())) => Ok(true),
            _ if said.contains(REFUSAL) => Ok(false),
            Ok(Err(error)) => Err(format!("{error}; {said}")),
            Err(_) => Err(said),
        }
    })
}

/// Connects until libpq gives up, and gives its message.
fn connect(mut connection: Connection, mut progress: Progress) -> Result<String, String> {
    let until = Instant::now() + TIMEOUT;
    while let Progress::Reading | Progress::Writing = progress {
        let ready = connection.wait(progress == Progress::Writing, until);
        if !ready.map_err(|error| error.to_string())? {
            return Err("libpq was still connecting when the deadline passed".to_owned());
        }
        progress = connection.step();
    }
    Ok(connection.error_message())
}

/// The server's end: goes as far as the first bytes under TLS.
fn hears_startup(listener: &TcpListener, leaf: &X509, key: &PKey<Private>) -> io::Result<()> {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_certificate(leaf)?;
    acceptor.set_private_key(key)?;
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // SSLRequest (protocol-message-formats).
    stream.read_exact(&mut [0; 8])?;
    stream.write_all(b"S")?;
    let accepted = acceptor.build().accept(stream);
    let mut session = accepted.map_err(io::Error::other)?;
    session.read_exact(&mut [0; 8])
}

/// A certificate for `::1`, signed by its own key.
fn certificate() -> Result<(X509, PKey<Private>), ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_pubkey(&key)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(1)?)?;
    let names = SubjectAlternativeName::new()
        .ip(&Ipv6Addr::LOCALHOST.to_string())
        .build(&builder.x509v3_context(None, None))?;
    builder.append_extension(names)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

/// The trust anchors, in the worker's private home.
fn root_file(certificate: &X509) -> io::Result<tempfile::NamedTempFile> {
    let folder = std::env::var_os("HOME").map_or_else(std::env::temp_dir, Into::into);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&certificate.to_pem()?)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `.cargo/config.toml` has it built so.
    #[test]
    fn the_bundled_build_takes_ipv6_addresses() {
        assert_eq!(takes_ipv6(Library::bundled()), Ok(true));
    }
}
