//! A handshake in this process: whether a TLS server can be made of a chain and
//! a key at all.

use std::{io, os::unix::net::UnixStream, thread, time::Duration};

use openssl::{
    error::{Error, ErrorStack},
    pkey::{PKey, Private},
    ssl::{HandshakeError, Ssl, SslContext, SslMethod, SslVerifyMode, SslVersion},
    x509::{X509, X509Ref},
};

/// How long either end waits for the other.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Loads a leaf as a server does, to its last extension; gives the reason where
/// no server can.
///
/// A parser of PEM leaves extensions alone. `SSL_CTX_use_certificate_chain_file`,
/// by which PostgreSQL loads (be-secure-openssl.c, `be_tls_init`), fails also when
/// all went well but for an entry in the error queue (`ssl_rsa.c`,
/// `use_certificate_chain_file`), and damaged extensions leave one.
pub(crate) fn load(leaf: &X509Ref) -> Result<(), ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    context.set_cipher_list("DEFAULT:@SECLEVEL=0")?;
    // What others left there is taken out.
    drop(ErrorStack::get());
    context.set_certificate(leaf)?;
    let left = ErrorStack::get();
    if left.errors().is_empty() {
        Ok(())
    } else {
        Err(left)
    }
}

/// One handshake of TLS 1.3 between a server with the certificate and a client
/// that verifies nothing; gives the reason where none comes about.
///
/// The server is made as PostgreSQL makes its own (be-secure-openssl.c,
/// `be_tls_init`), at the security level that the harness's servers have.
pub(crate) fn shake_hands(chain: &[X509], key: &PKey<Private>) -> Result<(), String> {
    let server = server(chain, key).map_err(|error| reasons(&error))?;
    let client = client().map_err(|error| reasons(&error))?;
    let (near, far) = connected().map_err(|error| error.to_string())?;
    thread::scope(|scope| {
        let accepted = scope.spawn(move || server.accept(far).map(drop).map_err(why));
        let connected = client.connect(near).map(drop).map_err(why);
        // The server knows best why; the client hears of an alert.
        let accepted =
            (accepted.join()).unwrap_or_else(|_| Err("the server's end is gone".to_owned()));
        accepted.and(connected)
    })
}

fn server(chain: &[X509], key: &PKey<Private>) -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    context.set_cipher_list("DEFAULT:@SECLEVEL=0")?;
    for (nth, certificate) in chain.iter().enumerate() {
        match nth {
            0 => context.set_certificate(certificate)?,
            _ => context.add_extra_chain_cert(certificate.clone())?,
        }
    }
    context.set_private_key(key)?;
    context.check_private_key()?;
    Ssl::new(&context.build())
}

fn client() -> Result<Ssl, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.set_verify(SslVerifyMode::NONE);
    context.set_cipher_list("DEFAULT:@SECLEVEL=0")?;
    context.set_min_proto_version(Some(SslVersion::TLS1_3))?;
    Ssl::new(&context.build())
}

fn connected() -> io::Result<(UnixStream, UnixStream)> {
    let (near, far) = UnixStream::pair()?;
    for end in [&near, &far] {
        end.set_read_timeout(Some(TIMEOUT))?;
        end.set_write_timeout(Some(TIMEOUT))?;
    }
    Ok((near, far))
}

fn why<S>(error: HandshakeError<S>) -> String {
    let failed = match error {
        HandshakeError::SetupFailure(error) => return reasons(&error),
        HandshakeError::Failure(failed) | HandshakeError::WouldBlock(failed) => failed,
    };
    let error = failed.error();
    (error.ssl_error()).map_or_else(|| error.to_string(), reasons)
}

/// OpenSSL's reasons in plain words, without its numbers and places.
pub(crate) fn reasons(error: &ErrorStack) -> String {
    let reasons = error.errors().iter().filter_map(Error::reason);
    reasons.collect::<Vec<_>>().join(", ")
}
