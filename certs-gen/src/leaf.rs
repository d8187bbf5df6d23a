//! The server certificates that can be had, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    keys::KeyKind,
    shape::{self, Shape},
};

/// A server certificate that can be had from [`Pki::server`](crate::Pki::server),
/// with what the server sends beside it. Where nothing else is said, it is as
/// [`Leaf::Right`].
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Leaf {
    /// As RDS's: CN and SAN are the endpoint's name, RSA 2048, and the server
    /// sends leaf, subordinate CA and root.
    #[default]
    Right,
    /// CN and SAN are the name of another endpoint in the same region, under
    /// the same CA: only a client that verifies the name can tell.
    Other,
    /// The server sends the leaf and nothing else.
    LeafOnly,
    /// The server sends leaf and subordinate CA, which is all that TLS asks for
    /// (RFC 8446, 4.4.2).
    NoRoot,
    /// A CN and no SAN, as RDS's leaves from before 2020-07-28.
    CnOnly,
    /// The CN is the endpoint's name, the SAN another endpoint's.
    SanWrong,
    /// The SAN is the endpoint's name; there is no CN.
    SanOnly,
    /// CN and SAN are a wildcard for the endpoint's domain.
    Wildcard,
    /// CN and SAN are a wildcard one label too high for the endpoint.
    WildcardDeep,
    /// The SAN is [`ADDRESS`](crate::ADDRESS) as an iPAddress; the CN is the endpoint's name.
    IpSan,
    /// The CN is [`ADDRESS`](crate::ADDRESS); there is no SAN.
    IpCn,
    /// Three SANs, the endpoint's name in the middle; the CN is another's.
    SeveralSans,
    /// The leaf has expired.
    Expired,
    /// The leaf is not yet valid.
    NotYetValid,
    /// The server sends a subordinate CA certificate that has expired. The CA
    /// has since renewed it, under the same name and key.
    SubordinateExpired,
    /// The extended key usage is clientAuth alone.
    ClientAuth,
    /// Signed by its own key, and sent alone.
    SelfSigned,
    /// The leaf is a CA certificate (basicConstraints CA:TRUE).
    CaLeaf,
    /// X.509 v1: no extensions at all.
    V1,
    /// An RSA key of 1024 bits.
    Rsa1024,
    /// An RSA key of 4096 bits.
    Rsa4096,
    /// A P-384 key.
    P384,
    /// A SAN for [`ADDRESS_V6`](crate::ADDRESS_V6) as an iPAddress, and then one
    /// for the endpoint's name. Verifiers look at the address first.
    Ipv6San,
    /// The SAN is [`ADDRESS`](crate::ADDRESS), written as a dNSName; the CN is the
    /// endpoint's name. RFC 5280, 4.2.1.6 wants an address as an iPAddress.
    IpAsDns,
    /// Neither a CN nor a SAN.
    NoNames,
    /// The CN is the endpoint's name, a NUL and another domain; there is no SAN.
    /// A verifier that compares C strings takes it (CVE-2009-4034).
    NulInCn,
    /// There is no extended key usage: the key is for any purpose (RFC 5280,
    /// 4.2.1.12).
    NoEku,
    /// A root CA's certificate (basicConstraints CA:TRUE, signed by its own key)
    /// with the endpoint's name as CN and SAN, sent alone. It is in
    /// [`Trust::Root`](crate::Trust::Root): what a user has who makes one
    /// certificate with `openssl req -x509` and trusts it.
    TrustedCa,
    /// A P-256 key with the key usage keyAgreement alone, which is no good for
    /// the signatures of ECDHE (RFC 8446, 4.4.2.2; RFC 8422, 5.3).
    KeyAgreement,
    /// Somebody's own, and none of ours: see [`Given`](crate::Given).
    Given,
}

impl Leaf {
    /// All leaves that are made here.
    pub const ALL: [Self; 29] = [
        Self::Right,
        Self::Other,
        Self::LeafOnly,
        Self::NoRoot,
        Self::CnOnly,
        Self::SanWrong,
        Self::SanOnly,
        Self::Wildcard,
        Self::WildcardDeep,
        Self::IpSan,
        Self::IpCn,
        Self::SeveralSans,
        Self::Expired,
        Self::NotYetValid,
        Self::SubordinateExpired,
        Self::ClientAuth,
        Self::SelfSigned,
        Self::CaLeaf,
        Self::V1,
        Self::Rsa1024,
        Self::Rsa4096,
        Self::P384,
        Self::Ipv6San,
        Self::IpAsDns,
        Self::NoNames,
        Self::NulInCn,
        Self::NoEku,
        Self::TrustedCa,
        Self::KeyAgreement,
    ];

    /// All leaves, [`Leaf::Given`] with them.
    pub(crate) const COUNT: usize = Self::ALL.len() + 1;

    /// Its name in data files and on command lines, as `leaf-only`: serde's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.shape() {
            Some(shape) => shape.name,
            None => "given",
        }
    }

    /// What it is, as the end of a sentence that begins with "certificate".
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self.shape() {
            Some(shape) => shape.about,
            None => "that was given",
        }
    }

    /// The file that holds what the server sends, beneath the PKI's folder.
    #[must_use]
    pub fn chain_file(self) -> String {
        match self {
            Self::Right => "server.pem".to_owned(),
            other => format!("server-{}.pem", other.name()),
        }
    }

    /// The kind of its key, where it is made here: leaves of a kind share one.
    #[must_use]
    pub const fn key(self) -> Option<KeyKind> {
        match self.shape() {
            Some(shape) => Some(shape.key),
            None => None,
        }
    }

    /// Whether a server can serve it under TLS 1.2: OpenSSL picks a suite of ECDSA
    /// there only where the key usage allows signatures (`ssl/ssl_lib.c`,
    /// `ssl_set_masks`). Under 1.3 it does not look.
    #[must_use]
    pub const fn serves_tls12(self) -> bool {
        !matches!(self, Self::KeyAgreement)
    }

    /// What it is made after; none where it isn't made here.
    pub(crate) const fn shape(self) -> Option<&'static Shape> {
        Some(match self {
            Self::Given => return None,
            Self::Right => &shape::RIGHT,
            Self::Other => &shape::OTHER,
            Self::LeafOnly => &shape::LEAF_ONLY,
            Self::NoRoot => &shape::NO_ROOT,
            Self::CnOnly => &shape::CN_ONLY,
            Self::SanWrong => &shape::SAN_WRONG,
            Self::SanOnly => &shape::SAN_ONLY,
            Self::Wildcard => &shape::WILDCARD,
            Self::WildcardDeep => &shape::WILDCARD_DEEP,
            Self::IpSan => &shape::IP_SAN,
            Self::IpCn => &shape::IP_CN,
            Self::SeveralSans => &shape::SEVERAL_SANS,
            Self::Expired => &shape::EXPIRED,
            Self::NotYetValid => &shape::NOT_YET_VALID,
            Self::SubordinateExpired => &shape::SUBORDINATE_EXPIRED,
            Self::ClientAuth => &shape::CLIENT_AUTH,
            Self::SelfSigned => &shape::SELF_SIGNED,
            Self::CaLeaf => &shape::CA_LEAF,
            Self::V1 => &shape::V1,
            Self::Rsa1024 => &shape::RSA_1024,
            Self::Rsa4096 => &shape::RSA_4096,
            Self::P384 => &shape::P384,
            Self::Ipv6San => &shape::IPV6_SAN,
            Self::IpAsDns => &shape::IP_AS_DNS,
            Self::NoNames => &shape::NO_NAMES,
            Self::NulInCn => &shape::NUL_IN_CN,
            Self::NoEku => &shape::NO_EKU,
            Self::TrustedCa => &shape::TRUSTED_CA,
            Self::KeyAgreement => &shape::KEY_AGREEMENT,
        })
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use serde::de::{IntoDeserializer, value::Error};

    use super::*;

    #[test]
    fn all_are_in_order_and_named_as_serde_names_them() {
        let all = Leaf::ALL.into_iter().chain([Leaf::Given]);
        for (index, leaf) in all.enumerate() {
            assert_eq!(leaf as usize, index);
            let named: Result<Leaf, Error> = Leaf::deserialize(leaf.name().into_deserializer());
            assert_eq!(named, Ok(leaf));
        }
        assert_eq!(Leaf::Given as usize + 1, Leaf::COUNT, "a leaf is missing");
    }
}
