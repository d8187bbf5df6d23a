//! The bodies of `ClientHello` and `ServerHello` (RFC 8446, 4.1).

use tls_parser::{
    NamedGroup, SNIType, TlsExtension, TlsVersion, parse_tls_client_hello_extensions,
    parse_tls_handshake_client_hello, parse_tls_handshake_server_hello,
    parse_tls_server_hello_extensions,
};

use super::{names, transcript::Event, unit::text};

/// The most entries of one list in a hello that are kept. No library offers
/// as many.
const MOST_ENTRIES: usize = 256;

/// The `random` that makes a `ServerHello` a `HelloRetryRequest`: the SHA-256
/// of that word (RFC 8446, 4.1.3).
const HELLO_RETRY_REQUEST: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// Reads the body of a `ClientHello`; `None` when it is none.
#[must_use]
pub fn client_hello(body: &[u8]) -> Option<Event> {
    let (rest, hello) = parse_tls_handshake_client_hello(body).ok()?;
    let extensions = extensions(rest, hello.ext, parse_tls_client_hello_extensions)?;

    // Without the extension, the version that the message states is the newest
    // that the client speaks (RFC 8446, 4.2.1).
    let mut versions = vec![hello.version];
    let (mut groups, mut sni, mut alpn) = (Vec::new(), None, Vec::new());
    for extension in extensions {
        match extension {
            TlsExtension::SupportedVersions(offered) => versions = offered,
            TlsExtension::EllipticCurves(offered) => groups = offered,
            TlsExtension::ALPN(offered) => alpn = offered,
            TlsExtension::SNI(names) => {
                sni = names
                    .into_iter()
                    .find(|(kind, _)| *kind == SNIType::HostName)
                    .map(|(_, name)| text(name));
            }
            _ => {}
        }
    }
    Some(Event::ClientHello {
        versions: named(versions.iter().map(|version| version.0), |number| {
            names::version(TlsVersion(number))
        }),
        ciphers: named(hello.ciphers.iter().map(|cipher| cipher.0), names::cipher),
        groups: named(groups.iter().map(|group| group.0), names::group),
        sni,
        alpn: alpn.into_iter().take(MOST_ENTRIES).map(text).collect(),
    })
}

/// Reads the body of a `ServerHello`, which may be a `HelloRetryRequest`, and
/// gives the version it settles; `None` when it is none.
#[must_use]
pub fn server_hello(body: &[u8]) -> Option<(Event, TlsVersion)> {
    let (rest, hello) = parse_tls_handshake_server_hello(body).ok()?;
    let extensions = extensions(rest, hello.ext, parse_tls_server_hello_extensions)?;

    // Since 1.3 the message states 1.2 and the extension the truth.
    let (mut version, mut group) = (hello.version, None);
    for extension in extensions {
        match extension {
            TlsExtension::SupportedVersions(selected) => version = *selected.first()?,
            // A share begins with its group; a HelloRetryRequest has no more.
            TlsExtension::KeyShare([high, low, ..]) => {
                group = Some(NamedGroup(u16::from_be_bytes([*high, *low])));
            }
            _ => {}
        }
    }
    let group = group.map(|group| names::group(group.0));
    let event = if hello.random == HELLO_RETRY_REQUEST {
        Event::HelloRetryRequest { group }
    } else {
        Event::ServerHello {
            version: names::version(version),
            cipher: names::cipher(hello.cipher.0),
            group,
        }
    };
    Some((event, version))
}

/// The extensions of a hello, `None` unless all of it could be read.
fn extensions<'a, E>(
    rest: &[u8],
    block: Option<&'a [u8]>,
    parse: impl Fn(&'a [u8]) -> Result<(&'a [u8], Vec<TlsExtension<'a>>), E>,
) -> Option<Vec<TlsExtension<'a>>> {
    let (unread, extensions) = parse(block.unwrap_or_default()).ok()?;
    (rest.is_empty() && unread.is_empty()).then_some(extensions)
}

fn named(numbers: impl Iterator<Item = u16>, name: impl Fn(u16) -> String) -> Vec<String> {
    numbers
        .filter(|number| !names::is_grease(*number))
        .take(MOST_ENTRIES)
        .map(name)
        .collect()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_random_of_a_retry_is_the_hash_of_its_name() {
        assert_eq!(
            Sha256::digest(b"HelloRetryRequest").as_slice(),
            HELLO_RETRY_REQUEST
        );
    }

    #[test]
    fn a_hello_without_extensions_offers_the_version_it_states() {
        let mut body = vec![0x03, 0x02];
        body.extend([7; 32]);
        body.extend([0, 0, 6, 0x0A, 0x0A, 0xC0, 0x14, 0x00, 0xFF, 1, 0]);
        assert_eq!(
            client_hello(&body),
            Some(Event::ClientHello {
                versions: vec!["TLSv1.1".to_owned()],
                ciphers: vec![
                    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA".to_owned(),
                    "TLS_EMPTY_RENEGOTIATION_INFO_SCSV".to_owned(),
                ],
                groups: vec![],
                sni: None,
                alpn: vec![],
            })
        );
        body.push(0);
        assert_eq!(client_hello(&body), None, "a byte too many");
    }
}
