//! Looks at a server's TLS as a stranger sees it: asks for TLS, shakes hands
//! without verifying anything, and leaves before the login.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    ops::RangeInclusive,
    time::Duration,
};

use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    ssl::{
        HandshakeError, Ssl, SslContext, SslMethod, SslRef, SslStream, SslVerifyMode, SslVersion,
    },
};

use crate::policy::{Effective, Leaf, TlsVersion};

/// `SSLRequest`: length 8, code 1234 and 5679 (protocol.sgml, Message Formats).
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What one probe saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// `N`: the server offers no TLS.
    NoTls,
    /// `S`, and a handshake.
    Tls {
        /// Of the certificate's DER.
        leaf_sha256: [u8; 32],
        /// As `TLSv1.3`.
        version: String,
        /// OpenSSL's name.
        cipher: String,
    },
    /// `S`, and no handshake came about.
    Failed(String),
}

/// Asks for TLS and shakes hands, blocking for at most a few times `timeout`.
///
/// The client offers everything that this machine's OpenSSL has, from TLS 1.0
/// on. Where the policy and the leaf allow 1.2, one handshake is of 1.2 at most and
/// offers the policy's ciphers alone, so that a server with none of them is seen:
/// the suites of 1.3 are no part of a cipher list. Somebody's own leaf is not asked
/// for that: see [`probe_own`].
pub(super) fn probe(
    address: SocketAddr,
    policy: &Effective,
    timeout: Duration,
) -> io::Result<Seen> {
    if policy.leaf == Leaf::Given {
        return probe_own(address, policy, timeout);
    }
    let everything = Offer::default();
    let listed = Offer {
        ciphers: &policy.ciphers,
        max: Some(SslVersion::TLS1_2),
        ..everything
    };
    if policy.tls_max < TlsVersion::Tls13 {
        // 1.3 is offered all the same: a server that takes it is to be seen.
        let listed = Offer {
            max: None,
            ..listed
        };
        return listed.see(address, timeout);
    }
    let seen = everything.see(address, timeout)?;
    if policy.tls_min < TlsVersion::Tls13
        && policy.leaf.serves_tls12()
        && matches!(seen, Seen::Tls { .. })
        && let Seen::Failed(why) = listed.see(address, timeout)?
    {
        let why = format!("TLSv1.2 with the ciphers {}: {why}", policy.ciphers);
        return Ok(Seen::Failed(why));
    }
    Ok(seen)
}

/// The same for a leaf that somebody gave, which may be good for some versions
/// alone: a key that may not sign serves TLS 1.3 and no lower one with ECDSA.
/// What a client can have is what counts, so the versions of the policy are
/// offered one less at a time until one shakes hands.
fn probe_own(address: SocketAddr, policy: &Effective, timeout: Duration) -> io::Result<Seen> {
    let everything = Offer::default();
    let first = everything.see(address, timeout)?;
    if !matches!(first, Seen::Failed(_)) {
        return Ok(first);
    }
    let lower = [
        (TlsVersion::Tls12, SslVersion::TLS1_2),
        (TlsVersion::Tls11, SslVersion::TLS1_1),
        (TlsVersion::Tls10, SslVersion::TLS1),
    ];
    for (version, max) in lower {
        if (policy.tls_min..policy.tls_max).contains(&version) {
            let offer = Offer {
                max: Some(max),
                ..everything
            };
            let seen = offer.see(address, timeout)?;
            if !matches!(seen, Seen::Failed(_)) {
                return Ok(seen);
            }
        }
    }
    Ok(first)
}

/// What a client offers.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    /// A cipher list, TLS 1.2 and below.
    pub(super) ciphers: &'a str,
    /// The lowest version.
    pub(super) min: SslVersion,
    /// All that OpenSSL has, if absent.
    pub(super) max: Option<SslVersion>,
}

impl Default for Offer<'_> {
    /// Everything that this machine's OpenSSL has.
    fn default() -> Self {
        Self {
            ciphers: "ALL",
            min: SslVersion::TLS1,
            max: None,
        }
    }
}

/// What an offer was answered.
pub(super) enum Answer {
    /// `N`: the server offers no TLS.
    NoTls,
    /// `S`, and a handshake.
    Tls(SslStream<TcpStream>),
    /// `S`, and no handshake came about.
    Failed(String),
}

impl Offer<'_> {
    fn see(&self, address: SocketAddr, timeout: Duration) -> io::Result<Seen> {
        Ok(match self.make(address, timeout)? {
            Answer::NoTls => Seen::NoTls,
            Answer::Tls(stream) => Seen::of(stream.ssl())?,
            Answer::Failed(why) => Seen::Failed(why),
        })
    }

    /// Makes the offer, blocking for at most a few times `timeout`.
    pub(super) fn make(&self, address: SocketAddr, timeout: Duration) -> io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        stream.write_all(&SSL_REQUEST)?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        match answer {
            [b'N'] => Ok(Answer::NoTls),
            [b'S'] => self.shake_hands(stream),
            [other] => Err(io::Error::other(format!(
                "the answer to SSLRequest is the byte {other:#04x}"
            ))),
        }
    }

    fn shake_hands(&self, stream: TcpStream) -> io::Result<Answer> {
        let ssl = match self.client(self.ciphers) {
            Ok(ssl) => ssl,
            // A list that this OpenSSL finds nothing in: the server's may.
            Err(_) => self.client("ALL")?,
        };
        match ssl.connect(stream) {
            Ok(stream) => Ok(Answer::Tls(stream)),
            Err(HandshakeError::SetupFailure(error)) => Err(error.into()),
            Err(HandshakeError::Failure(failed) | HandshakeError::WouldBlock(failed)) => {
                Ok(Answer::Failed(failed.error().to_string()))
            }
        }
    }

    fn client(&self, ciphers: &str) -> Result<Ssl, ErrorStack> {
        // A plain context, not a connector: that would load the system's roots.
        let mut context = SslContext::builder(SslMethod::tls_client())?;
        context.set_verify(SslVerifyMode::NONE);
        context.set_min_proto_version(Some(self.min))?;
        context.set_max_proto_version(self.max)?;
        // Above level 0, OpenSSL 3 refuses TLS 1.0 and 1.1 whatever the versions.
        context.set_cipher_list(&format!("{ciphers}:@SECLEVEL=0"))?;
        Ssl::new(&context.build())
    }
}

impl Seen {
    fn of(ssl: &SslRef) -> io::Result<Self> {
        let missing = |what| io::Error::other(format!("the handshake ended without a {what}"));
        let leaf = ssl
            .peer_certificate()
            .ok_or_else(|| missing("certificate"))?;
        let mut leaf_sha256 = [0; 32];
        leaf_sha256.copy_from_slice(&leaf.digest(MessageDigest::sha256())?);
        let cipher = ssl.current_cipher().ok_or_else(|| missing("cipher"))?;
        Ok(Seen::Tls {
            leaf_sha256,
            version: ssl.version_str().to_owned(),
            cipher: cipher.name().to_owned(),
        })
    }
}

/// What the wire must show under a policy.
///
/// The highest version that the policy allows is what both sides must come to:
/// the client offers all, and every server here has TLS 1.3 in its library. With
/// somebody's own leaf it is any that the policy allows.
pub(super) struct Expected<'a> {
    pub(super) policy: &'a Effective,
    pub(super) leaf_sha256: [u8; 32],
}

impl Expected<'_> {
    pub(super) fn holds(&self, seen: &Seen) -> bool {
        match seen {
            Seen::NoTls => !self.policy.ssl,
            Seen::Tls {
                leaf_sha256,
                version,
                ..
            } => {
                self.policy.ssl
                    && *leaf_sha256 == self.leaf_sha256
                    && (version.parse()).is_ok_and(|version| self.versions().contains(&version))
            }
            Seen::Failed(_) => false,
        }
    }

    fn versions(&self) -> RangeInclusive<TlsVersion> {
        let Effective {
            leaf,
            tls_min,
            tls_max,
            ..
        } = *self.policy;
        match leaf {
            Leaf::Given => tls_min..=tls_max,
            _ => tls_max..=tls_max,
        }
    }
}

impl std::fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.policy.ssl {
            return f.write_str("no TLS");
        }
        let leaf = Fingerprint(&self.leaf_sha256);
        let versions = self.versions();
        match (versions.start(), versions.end()) {
            (min, max) if min == max => write!(f, "{max} with the leaf {leaf}"),
            (min, max) => write!(f, "{min} to {max} with the leaf {leaf}"),
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoTls => f.write_str("no TLS"),
            Self::Tls {
                leaf_sha256,
                version,
                cipher,
            } => write!(
                f,
                "{version} ({cipher}) with the leaf {}",
                Fingerprint(leaf_sha256)
            ),
            Self::Failed(why) => write!(f, "a failed handshake ({why})"),
        }
    }
}

struct Fingerprint<'a>(&'a [u8]);

impl std::fmt::Display for Fingerprint<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .take(8)
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use openssl::{pkey::PKey, ssl::SslContextBuilder, x509::X509};
    use rcgen::{CertificateParams, KeyPair, KeyUsagePurpose};
    use rstest::rstest;

    use super::*;
    use crate::policy::Admits;

    fn tls(leaf: u8, version: &str) -> Seen {
        Seen::Tls {
            leaf_sha256: [leaf; 32],
            version: version.to_owned(),
            cipher: "any".to_owned(),
        }
    }

    fn policy(leaf: Leaf, tls_min: TlsVersion, tls_max: TlsVersion) -> Effective {
        Effective {
            force_ssl: false,
            ssl: true,
            leaf,
            tls_min,
            tls_max,
            ciphers: "HIGH".to_owned(),
            admits: Admits::Everyone,
        }
    }

    #[rstest]
    #[case(true, TlsVersion::Tls13, tls(1, "TLSv1.3"), true)]
    #[case(true, TlsVersion::Tls13, tls(1, "TLSv1.2"), false)]
    #[case(true, TlsVersion::Tls12, tls(1, "TLSv1.2"), true)]
    #[case(true, TlsVersion::Tls12, tls(1, "TLSv1.3"), false)]
    #[case(true, TlsVersion::Tls13, tls(2, "TLSv1.3"), false)]
    #[case(true, TlsVersion::Tls13, Seen::NoTls, false)]
    #[case(true, TlsVersion::Tls13, Seen::Failed(String::new()), false)]
    #[case(false, TlsVersion::Tls13, Seen::NoTls, true)]
    #[case(false, TlsVersion::Tls13, tls(1, "TLSv1.3"), false)]
    fn the_wire_shows_the_policy(
        #[case] ssl: bool,
        #[case] tls_max: TlsVersion,
        #[case] seen: Seen,
        #[case] expected: bool,
    ) {
        let policy = Effective {
            ssl,
            ..policy(Leaf::Right, TlsVersion::Tls10, tls_max)
        };
        assert_eq!(shows(&policy, &seen), expected);
    }

    #[rstest]
    #[case(tls(1, "TLSv1.3"), true)]
    #[case(tls(1, "TLSv1.2"), true)]
    #[case(tls(1, "TLSv1.1"), false)]
    #[case(tls(2, "TLSv1.3"), false)]
    #[case(Seen::NoTls, false)]
    #[case(Seen::Failed(String::new()), false)]
    fn somebodys_own_leaf_may_serve_any_version_of_the_range(
        #[case] seen: Seen,
        #[case] expected: bool,
    ) {
        let policy = policy(Leaf::Given, TlsVersion::Tls12, TlsVersion::Tls13);
        assert_eq!(shows(&policy, &seen), expected);
    }

    fn shows(policy: &Effective, seen: &Seen) -> bool {
        let leaf_sha256 = [1; 32];
        Expected {
            policy,
            leaf_sha256,
        }
        .holds(seen)
    }

    /// A P-256 key and its certificate.
    fn certified(usages: &[KeyUsagePurpose]) -> SslContextBuilder {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([certs_gen::DEFAULT_ENDPOINT.to_owned()]).unwrap();
        params.key_usages = usages.to_vec();
        let certificate = params.self_signed(&key).unwrap();
        let certificate = X509::from_der(certificate.der()).unwrap();
        let key = PKey::private_key_from_der(key.serialized_der()).unwrap();
        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        context.set_certificate(&certificate).unwrap();
        context.set_private_key(&key).unwrap();
        context
    }

    /// A server that says `S` to each client and then does something, for as
    /// long as the test lasts.
    fn server(then: impl Fn(usize, TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for (nth, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                stream.read_exact(&mut [0; 8]).unwrap();
                stream.write_all(b"S").unwrap();
                then(nth, stream);
            }
        });
        address
    }

    /// The certificate signs nothing: no suite of TLS 1.2 takes it
    /// (`ssl_set_masks` in `ssl_lib.c`), and TLS 1.3 doesn't look.
    #[rstest]
    #[case::as_it_can(Leaf::Given, SslVersion::TLS1_3, Some("TLSv1.3"))]
    #[case::as_no_version_can(Leaf::Given, SslVersion::TLS1_2, None)]
    #[case::ours_serve_every_version(Leaf::Right, SslVersion::TLS1_3, None)]
    fn a_leaf_that_serves_some_versions_alone_is_probed(
        #[case] leaf: Leaf,
        #[case] max: SslVersion,
        #[case] version: Option<&str>,
    ) {
        let mut context = certified(&[KeyUsagePurpose::KeyAgreement]);
        context.set_max_proto_version(Some(max)).unwrap();
        let context = context.build();
        let address = server(move |_, stream| {
            // A client that goes away is what the test is about.
            let _ = Ssl::new(&context).unwrap().accept(stream);
        });
        let policy = policy(leaf, TlsVersion::Tls12, TlsVersion::Tls13);
        let seen = probe(address, &policy, Duration::from_secs(30)).unwrap();
        match (&seen, version) {
            (Seen::Tls { version: seen, .. }, Some(version)) => assert_eq!(seen, version),
            (Seen::Failed(_), None) => {}
            _ => panic!("{seen}"),
        }
    }

    #[test]
    fn a_lower_version_is_tried_where_the_highest_fails() {
        let context = certified(&[]).build();
        let address = server(move |nth, stream| {
            // The first client, which offers everything, is left in the middle.
            if nth > 0 {
                let _ = Ssl::new(&context).unwrap().accept(stream);
            }
        });
        let policy = policy(Leaf::Given, TlsVersion::Tls12, TlsVersion::Tls13);
        let seen = probe(address, &policy, Duration::from_secs(30)).unwrap();
        assert!(
            matches!(&seen, Seen::Tls { version, .. } if version == "TLSv1.2"),
            "{seen}"
        );
    }
}
