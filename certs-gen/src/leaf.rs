//! The shapes of server certificates, as data.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use serde::{Deserialize, Serialize};

use crate::{endpoint::EndpointName, keys::KeyKind, profile::Validity};

/// The address that stands in certificates for an address.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

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
    /// The SAN is [`ADDRESS`] as an iPAddress; the CN is the endpoint's name.
    IpSan,
    /// The CN is [`ADDRESS`]; there is no SAN.
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
    /// Somebody's own, and none of ours: see [`Given`](crate::Given).
    Given,
}

impl Leaf {
    /// All leaves that are made here.
    pub const ALL: [Self; 22] = [
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

    /// What it is made after; none where it isn't made here.
    pub(crate) const fn shape(self) -> Option<&'static Shape> {
        Some(match self {
            Self::Given => return None,
            Self::Right => &RIGHT,
            Self::Other => &OTHER,
            Self::LeafOnly => &LEAF_ONLY,
            Self::NoRoot => &NO_ROOT,
            Self::CnOnly => &CN_ONLY,
            Self::SanWrong => &SAN_WRONG,
            Self::SanOnly => &SAN_ONLY,
            Self::Wildcard => &WILDCARD,
            Self::WildcardDeep => &WILDCARD_DEEP,
            Self::IpSan => &IP_SAN,
            Self::IpCn => &IP_CN,
            Self::SeveralSans => &SEVERAL_SANS,
            Self::Expired => &EXPIRED,
            Self::NotYetValid => &NOT_YET_VALID,
            Self::SubordinateExpired => &SUBORDINATE_EXPIRED,
            Self::ClientAuth => &CLIENT_AUTH,
            Self::SelfSigned => &SELF_SIGNED,
            Self::CaLeaf => &CA_LEAF,
            Self::V1 => &V1,
            Self::Rsa1024 => &RSA_1024,
            Self::Rsa4096 => &RSA_4096,
            Self::P384 => &P384,
        })
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a server certificate says, and what is sent with it.
pub(crate) struct Shape {
    /// See [`Leaf::name`].
    name: &'static str,
    /// See [`Leaf::about`].
    about: &'static str,
    /// The subject's common name.
    pub(crate) common_name: Option<Name>,
    /// The subject alternative names.
    pub(crate) alt_names: &'static [Name],
    /// When it is valid.
    pub(crate) validity: Validity,
    /// The kind of its key.
    pub(crate) key: KeyKind,
    /// What the key may be used for beside signing; absent for anything.
    pub(crate) extended_key_usages: &'static [ExtendedKeyUsagePurpose],
    /// Which kind of certificate it is.
    pub(crate) form: Form,
    /// The certificates that the server sends, in their order.
    pub(crate) sends: &'static [Link],
}

/// A kind of certificate.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    /// An end entity's, issued by the subordinate CA.
    EndEntity,
    /// The same as X.509 v1.
    V1,
    /// A CA's, issued by the subordinate CA.
    Authority,
    /// An end entity's, issued by itself.
    SelfSigned,
}

/// A name in a certificate, told by its relation to the endpoint's.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    /// The endpoint's own.
    Endpoint,
    /// [`EndpointName::neighbour`].
    Neighbour,
    /// The neighbour's neighbour.
    Third,
    /// `*` in the place of the first label.
    Wildcard,
    /// `*` in the place of the first two labels.
    WildcardDeep,
    /// [`ADDRESS`].
    Address,
}

impl Name {
    /// The name as text.
    pub(crate) fn of(self, endpoint: &EndpointName) -> String {
        match self {
            Self::Endpoint => endpoint.to_string(),
            Self::Neighbour => endpoint.neighbour().to_string(),
            Self::Third => endpoint.neighbour().neighbour().to_string(),
            Self::Wildcard => endpoint.wildcard(1),
            Self::WildcardDeep => endpoint.wildcard(2),
            Self::Address => ADDRESS.to_string(),
        }
    }

    /// The name as a subject alternative name.
    pub(crate) fn alt_name(self, endpoint: &EndpointName) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Address => SanType::IpAddress(ADDRESS),
            name => SanType::DnsName(name.of(endpoint).try_into()?),
        })
    }
}

/// A certificate of a chain.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Link {
    Leaf,
    Subordinate,
    /// The subordinate CA's certificate before it was renewed.
    ExpiredSubordinate,
    Root,
}

const RIGHT: Shape = Shape {
    name: "right",
    about: "for the endpoint",
    common_name: Some(Name::Endpoint),
    alt_names: &[Name::Endpoint],
    validity: Validity::LEAF,
    key: KeyKind::Rsa2048,
    extended_key_usages: &[ExtendedKeyUsagePurpose::ServerAuth],
    form: Form::EndEntity,
    // RDS sends its root as well, though TLS lets it be left out (RFC 8446,
    // 4.4.2).
    sends: &[Link::Leaf, Link::Subordinate, Link::Root],
};

const OTHER: Shape = Shape {
    name: "other",
    about: "for another endpoint",
    common_name: Some(Name::Neighbour),
    alt_names: &[Name::Neighbour],
    ..RIGHT
};

const LEAF_ONLY: Shape = Shape {
    name: "leaf-only",
    about: "for the endpoint, sent without any CA's",
    sends: &[Link::Leaf],
    ..RIGHT
};

const NO_ROOT: Shape = Shape {
    name: "no-root",
    about: "for the endpoint, sent without the root",
    sends: &[Link::Leaf, Link::Subordinate],
    ..RIGHT
};

const CN_ONLY: Shape = Shape {
    name: "cn-only",
    about: "for the endpoint by its CN, without a SAN",
    alt_names: &[],
    ..RIGHT
};

const SAN_WRONG: Shape = Shape {
    name: "san-wrong",
    about: "for the endpoint by its CN, for another by its SAN",
    alt_names: &[Name::Neighbour],
    ..RIGHT
};

const SAN_ONLY: Shape = Shape {
    name: "san-only",
    about: "for the endpoint by its SAN, without a CN",
    common_name: None,
    ..RIGHT
};

const WILDCARD: Shape = Shape {
    name: "wildcard",
    about: "for every name of the endpoint's domain",
    common_name: Some(Name::Wildcard),
    alt_names: &[Name::Wildcard],
    ..RIGHT
};

const WILDCARD_DEEP: Shape = Shape {
    name: "wildcard-deep",
    about: "for every name of the domain above the endpoint's",
    common_name: Some(Name::WildcardDeep),
    alt_names: &[Name::WildcardDeep],
    ..RIGHT
};

const IP_SAN: Shape = Shape {
    name: "ip-san",
    about: "for the endpoint by its CN, for an address by its SAN",
    alt_names: &[Name::Address],
    ..RIGHT
};

const IP_CN: Shape = Shape {
    name: "ip-cn",
    about: "for an address by its CN, without a SAN",
    common_name: Some(Name::Address),
    alt_names: &[],
    ..RIGHT
};

const SEVERAL_SANS: Shape = Shape {
    name: "several-sans",
    about: "for the endpoint by one of three SANs, for another by its CN",
    common_name: Some(Name::Neighbour),
    alt_names: &[Name::Neighbour, Name::Endpoint, Name::Third],
    ..RIGHT
};

const EXPIRED: Shape = Shape {
    name: "expired",
    about: "for the endpoint, expired",
    validity: Validity::EXPIRED_LEAF,
    ..RIGHT
};

const NOT_YET_VALID: Shape = Shape {
    name: "not-yet-valid",
    about: "for the endpoint, not yet valid",
    validity: Validity::FUTURE_LEAF,
    ..RIGHT
};

const SUBORDINATE_EXPIRED: Shape = Shape {
    name: "subordinate-expired",
    about: "for the endpoint, sent with a subordinate CA's that has expired",
    sends: &[Link::Leaf, Link::ExpiredSubordinate, Link::Root],
    ..RIGHT
};

const CLIENT_AUTH: Shape = Shape {
    name: "client-auth",
    about: "for the endpoint, meant for clients",
    extended_key_usages: &[ExtendedKeyUsagePurpose::ClientAuth],
    ..RIGHT
};

const SELF_SIGNED: Shape = Shape {
    name: "self-signed",
    about: "for the endpoint, signed by itself",
    form: Form::SelfSigned,
    sends: &[Link::Leaf],
    ..RIGHT
};

const CA_LEAF: Shape = Shape {
    name: "ca-leaf",
    about: "for the endpoint, a CA's",
    form: Form::Authority,
    ..RIGHT
};

const V1: Shape = Shape {
    name: "v1",
    about: "for the endpoint by its CN, X.509 v1",
    alt_names: &[],
    extended_key_usages: &[],
    form: Form::V1,
    ..RIGHT
};

const RSA_1024: Shape = Shape {
    name: "rsa1024",
    about: "for the endpoint, RSA 1024",
    key: KeyKind::Rsa1024,
    ..RIGHT
};

const RSA_4096: Shape = Shape {
    name: "rsa4096",
    about: "for the endpoint, RSA 4096",
    key: KeyKind::Rsa4096,
    ..RIGHT
};

const P384: Shape = Shape {
    name: "p384",
    about: "for the endpoint, P-384",
    key: KeyKind::EcdsaP384,
    ..RIGHT
};

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
