//! Gets a file over HTTPS, and tries again when the way there failed.

use std::{io::ErrorKind, thread, time::Duration};

use ureq::{
    Agent, Error,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// Far above what any archive has.
const LARGEST: u64 = 256 << 20;
/// How often a file is asked for, when the way there fails each time.
const TRIES: u32 = 4;

/// A client that trusts what the system trusts, and goes through the proxy that
/// the environment names.
pub(super) struct Http {
    agent: Agent,
    first_pause: Duration,
}

impl Http {
    /// # Errors
    /// When the system trusts no certificate at all.
    pub(super) fn over_https() -> Result<Self, GetError> {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            let why = found.errors.first().map(|error| format!(" ({error})"));
            return Err(GetError::NoRoots(why.unwrap_or_default()));
        }
        let roots: Vec<_> = found
            .certs
            .iter()
            .map(|der| Certificate::from_der(der).to_owned())
            .collect();
        Ok(Self::trusting(&roots))
    }

    fn trusting(roots: &[Certificate<'static>]) -> Self {
        let crypto = rustls::crypto::aws_lc_rs::default_provider();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(roots))
            .unversioned_rustls_crypto_provider(crypto.into())
            .build();
        let agent = agent().https_only(true).tls_config(tls).build();
        Self {
            agent: agent.into(),
            first_pause: Duration::from_secs(1),
        }
    }

    /// The file at an address, or nothing where the server has none.
    pub(super) fn get(&self, url: &str) -> Result<Option<Vec<u8>>, GetError> {
        let mut pause = self.first_pause;
        let mut tries = 1;
        loop {
            match self.try_once(url) {
                Ok(body) => return Ok(Some(body)),
                Err(Error::StatusCode(404)) => return Ok(None),
                Err(error) if tries < TRIES && may_pass(&error) => thread::sleep(pause),
                Err(error) => {
                    return Err(GetError::Failed {
                        url: url.to_owned(),
                        tries,
                        error: Box::new(error),
                    });
                }
            }
            pause *= 2;
            tries += 1;
        }
    }

    fn try_once(&self, url: &str) -> Result<Vec<u8>, Error> {
        let mut response = self.agent.get(url).call()?;
        response
            .body_mut()
            .with_config()
            .limit(LARGEST)
            .read_to_vec()
    }
}

fn agent() -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    let patience = Some(Duration::from_secs(30));
    Agent::config_builder()
        .user_agent(concat!("rds-tls/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(patience)
        .timeout_connect(patience)
        .timeout_recv_response(patience)
        .timeout_per_read(patience)
}

/// Whether the same request may fare better a little later.
fn may_pass(error: &Error) -> bool {
    match error {
        Error::StatusCode(status) => matches!(status, 408 | 429 | 500 | 502..=504),
        // What rustls rejects, as a certificate (rustls 0.23, conn.rs, `complete_io`).
        Error::Io(error) => error.kind() != ErrorKind::InvalidData,
        Error::Timeout(_) | Error::ConnectionFailed | Error::Protocol(_) => true,
        _ => false,
    }
}

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub(in crate::engine) enum GetError {
    #[error("{url}: {error}{}", after(*tries))]
    Failed {
        url: String,
        tries: u32,
        error: Box<Error>,
    },
    #[error(
        "this machine trusts no certificate, so nothing can be downloaded{0}: install its CA \
         certificates (Debian: ca-certificates), or set SSL_CERT_FILE"
    )]
    NoRoots(String),
}

fn after(tries: u32) -> String {
    if tries == 1 {
        return String::new();
    }
    format!(" ({tries} tries)")
}

#[cfg(test)]
pub(super) mod tests {
    use std::{
        collections::HashMap,
        io::{BufRead, BufReader, Write},
        net::TcpListener,
        sync::{Arc, Mutex},
    };

    use rstest::rstest;

    use super::*;

    impl Http {
        /// Without TLS, and without a pause between tries.
        pub(in crate::engine::download) fn in_clear() -> Self {
            Self {
                agent: agent().proxy(None).build().into(),
                first_pause: Duration::ZERO,
            }
        }
    }

    /// A server that answers each path with its answers in turn, the last one
    /// again and again, and writes down what it was asked for.
    pub(in crate::engine::download) struct Files {
        pub(in crate::engine::download) url: String,
        pub(in crate::engine::download) asked: Arc<Mutex<Vec<String>>>,
    }

    impl Files {
        pub(in crate::engine::download) fn new(
            answers: impl IntoIterator<Item = (&'static str, Vec<Answer>)>,
        ) -> Self {
            let mut answers: HashMap<_, _> = answers.into_iter().collect();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let asked = Arc::new(Mutex::new(Vec::new()));
            let log = Arc::clone(&asked);
            thread::spawn(move || {
                for connection in listener.incoming() {
                    let mut connection = connection.unwrap();
                    let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
                    let Some(first) = lines.next() else { continue };
                    lines.find(String::is_empty);
                    let path = first.split(' ').nth(1).unwrap().to_owned();
                    let (status, body) = match answers.get_mut(path.as_str()) {
                        Some(left) if left.len() > 1 => left.remove(0),
                        Some(left) => left[0].clone(),
                        None => (404, Vec::new()),
                    };
                    log.lock().unwrap().push(path);
                    let head = format!(
                        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = connection.write_all(head.as_bytes());
                    let _ = connection.write_all(&body);
                }
            });
            Self { url, asked }
        }
    }

    pub(in crate::engine::download) type Answer = (u16, Vec<u8>);

    #[rstest]
    #[case::there(vec![200], "found", 1)]
    #[case::absent(vec![404], "nothing", 1)]
    #[case::there_again_later(vec![503, 429, 200], "found", 3)]
    #[case::absent_for_long(vec![503], "error", 4)]
    #[case::refused_for_good(vec![403], "error", 1)]
    fn asks_again_where_that_may_help(
        #[case] statuses: Vec<u16>,
        #[case] expected: &str,
        #[case] times: usize,
    ) {
        let answers = statuses
            .into_iter()
            .map(|status| (status, b"body".to_vec()));
        let files = Files::new([("/file", answers.collect())]);
        let got = match Http::in_clear().get(&format!("{}/file", files.url)) {
            Ok(Some(body)) if body == b"body" => "found",
            Ok(Some(_)) => "another body",
            Ok(None) => "nothing",
            Err(_) => "error",
        };
        assert_eq!((got, files.asked.lock().unwrap().len()), (expected, times));
    }

    #[test]
    fn an_error_names_the_address_the_cause_and_the_tries() {
        let files = Files::new([("/file", vec![(503, Vec::new())])]);
        let url = format!("{}/file", files.url);
        let error = Http::in_clear().get(&url).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{url}: http status: 503 (4 tries)")
        );
    }

    #[test]
    fn takes_nothing_over_plain_http() {
        let files = Files::new([("/file", vec![(200, Vec::new())])]);
        let http = Http::trusting(&[]);
        http.get(&format!("{}/file", files.url)).unwrap_err();
        assert!(files.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn takes_nothing_from_a_server_that_it_does_not_trust() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/file", listener.local_addr().unwrap());
        let server = thread::spawn(move || serve_tls(&listener));
        let error = Http::trusting(&[]).get(&url).unwrap_err();
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        assert!(server.join().unwrap().is_err(), "the handshake succeeded");
    }

    /// Accepts one connection, under a certificate that nobody vouches for.
    fn serve_tls(listener: &TcpListener) -> std::io::Result<()> {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.into()],
            signing_key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
        let mut server = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let (mut connection, _) = listener.accept()?;
        while server.is_handshaking() {
            server.complete_io(&mut connection)?;
        }
        Ok(())
    }
}
