//! Which certificate libpq takes for which host: PostgreSQL's own cases
//! (`src/test/ssl/t/001_ssltests.pl`) and some more, by what the sources say.
//!
//! - Up to 14 (fe-secure-openssl.c,
//!   `pgtls_verify_peer_name_matches_certificate_guts`): dNSNames are compared as
//!   text; the CN is, where there is no dNSName. Addresses as SANs are passed over.
//! - From 15: iPAddresses are compared as addresses (fe-secure-common.c,
//!   `pq_verify_peer_name_matches_certificate_ip`), those of the host by
//!   `inet_aton` and `inet_pton`. The CN counts where no SAN is of the host's
//!   kind.
//! - In all: case is ignored, a wildcard stands for one whole label, the first
//!   (`wildcard_certificate_match`), a NUL is an error.

use Verdict::{NoName, Nul, Other, Taken};

/// What a certificate is for.
pub struct Names {
    /// What the cases call it.
    pub id: &'static str,
    /// Its CN.
    pub common_name: Option<&'static str>,
    /// Its SANs, in their order.
    pub sans: &'static [Name],
}

/// A SAN.
#[derive(Clone, Copy)]
pub enum Name {
    Dns(&'static str),
    Ip(&'static str),
}
use Name::{Dns, Ip};

/// What libpq makes of a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It goes on.
    Taken,
    /// The certificate is for somebody else: the first of its names, and how many
    /// more libpq looked at.
    Other(&'static str, usize),
    /// The certificate has no name that libpq looks at.
    NoName,
    /// A name holds a NUL.
    Nul,
}

impl Verdict {
    /// The sentence that libpq says, none where it goes on.
    pub fn sentence(self, host: &str) -> Option<String> {
        match self {
            Taken => None,
            Other(first, more) => {
                let more = match more {
                    0 => String::new(),
                    1 => " (and 1 other name)".to_owned(),
                    more => format!(" (and {more} other names)"),
                };
                Some(format!(
                    "server certificate for \"{first}\"{more} does not match host name \"{host}\""
                ))
            }
            NoName => Some("could not get server's host name from server certificate".to_owned()),
            Nul => Some("SSL certificate's name contains embedded null".to_owned()),
        }
    }
}

/// One attempt: the certificate, the host, what libpq up to 14 says, and what it
/// says from 15.
pub struct Case(pub &'static str, pub &'static str, pub Verdict, pub Verdict);

impl Case {
    /// What that version says.
    pub fn expected(&self, major: u16) -> Verdict {
        if major < 15 { self.2 } else { self.3 }
    }
}

const fn names(
    id: &'static str,
    common_name: Option<&'static str>,
    sans: &'static [Name],
) -> Names {
    Names {
        id,
        common_name,
        sans,
    }
}

pub const CERTIFICATES: [Names; 16] = [
    names("cn-only", Some("common-name.test"), &[]),
    names("ip-cn", Some("192.0.2.1"), &[]),
    names("ip-as-dns", None, &[Dns("192.0.2.1")]),
    names(
        "several",
        None,
        &[Dns("dns1.test"), Dns("dns2.test"), Dns("*.wildcard.test")],
    ),
    names("single", None, &[Dns("single.test")]),
    names("ip-sans", None, &[Ip("192.0.2.1"), Ip("2001:db8::1")]),
    names(
        "ip-cn+ip-sans",
        Some("192.0.2.1"),
        &[Ip("192.0.2.2"), Ip("2001:db8::1")],
    ),
    names(
        "ip-cn+dns-sans",
        Some("192.0.2.1"),
        &[Dns("dns1.test"), Dns("dns2.test")],
    ),
    names(
        "cn+dns-sans",
        Some("common-name.test"),
        &[Dns("dns1.test"), Dns("dns2.test")],
    ),
    names(
        "cn+ip-sans",
        Some("common-name.test"),
        &[Ip("192.0.2.1"), Ip("2001:db8::1")],
    ),
    names("ipv6+dns", None, &[Ip("2001:db8::1"), Dns("dns1.test")]),
    names("no-names", None, &[]),
    names("nul-in-cn", Some("common-name.test\0.other.test"), &[]),
    names("nul-in-san", None, &[Dns("dns1.test\0.other.test")]),
    names("wildcard-cn", Some("*.wildcard.test"), &[]),
    names("half-wildcard", None, &[Dns("f*.wildcard.test")]),
];

pub const CASES: [Case; 49] = [
    Case("cn-only", "common-name.test", Taken, Taken),
    Case("cn-only", "COMMON-NAME.TEST", Taken, Taken),
    Case(
        "cn-only",
        "common-name.test.",
        Other("common-name.test", 0),
        Other("common-name.test", 0),
    ),
    Case(
        "cn-only",
        "wronghost.test",
        Other("common-name.test", 0),
        Other("common-name.test", 0),
    ),
    Case(
        "cn-only",
        "192.0.2.1",
        Other("common-name.test", 0),
        Other("common-name.test", 0),
    ),
    Case("ip-cn", "192.0.2.1", Taken, Taken),
    Case(
        "ip-cn",
        "192.000.002.001",
        Other("192.0.2.1", 0),
        Other("192.0.2.1", 0),
    ),
    Case("ip-as-dns", "192.0.2.1", Taken, Taken),
    Case(
        "ip-as-dns",
        "192.000.002.001",
        Other("192.0.2.1", 0),
        Other("192.0.2.1", 0),
    ),
    Case("several", "dns1.test", Taken, Taken),
    Case("several", "dns2.test", Taken, Taken),
    Case("several", "foo.wildcard.test", Taken, Taken),
    Case(
        "several",
        "wildcard.test",
        Other("dns1.test", 2),
        Other("dns1.test", 2),
    ),
    Case(
        "several",
        "wronghost.test",
        Other("dns1.test", 2),
        Other("dns1.test", 2),
    ),
    Case(
        "several",
        "deep.sub.wildcard.test",
        Other("dns1.test", 2),
        Other("dns1.test", 2),
    ),
    Case("single", "single.test", Taken, Taken),
    Case(
        "single",
        "wronghost.test",
        Other("single.test", 0),
        Other("single.test", 0),
    ),
    Case(
        "single",
        "deep.sub.single.test",
        Other("single.test", 0),
        Other("single.test", 0),
    ),
    Case("ip-sans", "192.0.2.1", NoName, Taken),
    Case("ip-sans", "192.000.002.001", NoName, Taken),
    Case("ip-sans", "192.0.2.2", NoName, Other("192.0.2.1", 1)),
    Case("ip-sans", "192.0.2.1/32", NoName, Other("192.0.2.1", 1)),
    Case("ip-sans", "2001:DB8::1", NoName, Taken),
    Case("ip-sans", "2001:db8:0:0:0:0:0:1", NoName, Taken),
    Case("ip-sans", "2001:DB8::1/128", NoName, Other("192.0.2.1", 1)),
    Case("ip-sans", "2001:DB8::2", NoName, Other("192.0.2.1", 1)),
    Case("ip-sans", "dns1.test", NoName, Other("192.0.2.1", 1)),
    Case("ip-cn+ip-sans", "192.0.2.2", Other("192.0.2.1", 0), Taken),
    Case("ip-cn+ip-sans", "2001:DB8::1", Other("192.0.2.1", 0), Taken),
    Case("ip-cn+ip-sans", "192.0.2.1", Taken, Other("192.0.2.2", 1)),
    Case("ip-cn+dns-sans", "192.0.2.1", Other("dns1.test", 1), Taken),
    Case(
        "ip-cn+dns-sans",
        "192.0.2.2",
        Other("dns1.test", 1),
        Other("dns1.test", 2),
    ),
    Case("ip-cn+dns-sans", "dns1.test", Taken, Taken),
    Case("ip-cn+dns-sans", "dns2.test", Taken, Taken),
    Case("cn+dns-sans", "dns1.test", Taken, Taken),
    Case("cn+dns-sans", "dns2.test", Taken, Taken),
    Case(
        "cn+dns-sans",
        "common-name.test",
        Other("dns1.test", 1),
        Other("dns1.test", 1),
    ),
    Case("cn+ip-sans", "common-name.test", Taken, Taken),
    Case(
        "cn+ip-sans",
        "192.0.2.1",
        Other("common-name.test", 0),
        Taken,
    ),
    Case(
        "cn+ip-sans",
        "2001:DB8::1",
        Other("common-name.test", 0),
        Taken,
    ),
    Case("ipv6+dns", "dns1.test", Taken, Taken),
    Case("ipv6+dns", "2001:db8::1", Other("dns1.test", 0), Taken),
    Case(
        "ipv6+dns",
        "wronghost.test",
        Other("dns1.test", 0),
        Other("2001:db8::1", 1),
    ),
    Case("no-names", "common-name.test", NoName, NoName),
    Case("nul-in-cn", "common-name.test", Nul, Nul),
    Case("nul-in-san", "dns1.test", Nul, Nul),
    Case("wildcard-cn", "foo.wildcard.test", Taken, Taken),
    Case(
        "wildcard-cn",
        "deep.sub.wildcard.test",
        Other("*.wildcard.test", 0),
        Other("*.wildcard.test", 0),
    ),
    Case(
        "half-wildcard",
        "foo.wildcard.test",
        Other("f*.wildcard.test", 0),
        Other("f*.wildcard.test", 0),
    ),
];
