//! The shapes of server certificates, as data.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{ExtendedKeyUsagePurpose, SanType};

use crate::{endpoint::EndpointName, keys::KeyKind, profile::Validity};

/// The address that stands in certificates for an address.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The address that stands in certificates for an IPv6 address.
pub const ADDRESS_V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What stands behind the NUL of [`Name::EndpointNul`]: short, because a common
/// name has 64 characters at most.
const AFTER_NUL: &str = ".example";

/// What a server certificate says, and what is sent with it.
pub(crate) struct Shape {
    /// See [`Leaf::name`](crate::Leaf::name).
    pub(crate) name: &'static str,
    /// See [`Leaf::about`](crate::Leaf::about).
    pub(crate) about: &'static str,
    /// The subject's common name.
    pub(crate) common_name: Option<Name>,
    /// The subject alternative names.
    pub(crate) alt_names: &'static [Name],
    /// When it is valid.
    pub(crate) validity: Validity,
    /// The kind of its key.
    pub(crate) key: KeyKind,
    /// What the key may do.
    pub(crate) key_usages: KeyUsages,
    /// What for; empty for anything.
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
    /// A root CA's, which is trusted.
    TrustedRoot,
}

/// The key usage extension (RFC 5280, 4.2.1.3).
#[derive(Clone, Copy)]
pub(crate) enum KeyUsages {
    /// As the kind of the key has it in RDS's leaves.
    OfTheKey,
    /// keyAgreement alone.
    KeyAgreement,
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
    /// [`ADDRESS_V6`].
    AddressV6,
    /// [`ADDRESS`], as if it were a DNS name.
    AddressAsDns,
    /// The endpoint's own, then a NUL and [`AFTER_NUL`].
    EndpointNul,
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
            Self::Address | Self::AddressAsDns => ADDRESS.to_string(),
            Self::AddressV6 => ADDRESS_V6.to_string(),
            Self::EndpointNul => format!("{endpoint}\0{AFTER_NUL}"),
        }
    }

    /// The name as a subject alternative name.
    pub(crate) fn alt_name(self, endpoint: &EndpointName) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Address => SanType::IpAddress(ADDRESS),
            Self::AddressV6 => SanType::IpAddress(ADDRESS_V6),
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

pub(crate) const RIGHT: Shape = Shape {
    name: "right",
    about: "for the endpoint",
    common_name: Some(Name::Endpoint),
    alt_names: &[Name::Endpoint],
    validity: Validity::LEAF,
    key: KeyKind::Rsa2048,
    key_usages: KeyUsages::OfTheKey,
    extended_key_usages: &[ExtendedKeyUsagePurpose::ServerAuth],
    form: Form::EndEntity,
    // RDS sends its root as well, though TLS lets it be left out (RFC 8446,
    // 4.4.2).
    sends: &[Link::Leaf, Link::Subordinate, Link::Root],
};

pub(crate) const OTHER: Shape = Shape {
    name: "other",
    about: "for another endpoint",
    common_name: Some(Name::Neighbour),
    alt_names: &[Name::Neighbour],
    ..RIGHT
};

pub(crate) const LEAF_ONLY: Shape = Shape {
    name: "leaf-only",
    about: "for the endpoint, sent without any CA's",
    sends: &[Link::Leaf],
    ..RIGHT
};

pub(crate) const NO_ROOT: Shape = Shape {
    name: "no-root",
    about: "for the endpoint, sent without the root",
    sends: &[Link::Leaf, Link::Subordinate],
    ..RIGHT
};

pub(crate) const CN_ONLY: Shape = Shape {
    name: "cn-only",
    about: "for the endpoint by its CN, without a SAN",
    alt_names: &[],
    ..RIGHT
};

pub(crate) const SAN_WRONG: Shape = Shape {
    name: "san-wrong",
    about: "for the endpoint by its CN, for another by its SAN",
    alt_names: &[Name::Neighbour],
    ..RIGHT
};

pub(crate) const SAN_ONLY: Shape = Shape {
    name: "san-only",
    about: "for the endpoint by its SAN, without a CN",
    common_name: None,
    ..RIGHT
};

pub(crate) const WILDCARD: Shape = Shape {
    name: "wildcard",
    about: "for every name of the endpoint's domain",
    common_name: Some(Name::Wildcard),
    alt_names: &[Name::Wildcard],
    ..RIGHT
};

pub(crate) const WILDCARD_DEEP: Shape = Shape {
    name: "wildcard-deep",
    about: "for every name of the domain above the endpoint's",
    common_name: Some(Name::WildcardDeep),
    alt_names: &[Name::WildcardDeep],
    ..RIGHT
};

pub(crate) const IP_SAN: Shape = Shape {
    name: "ip-san",
    about: "for the endpoint by its CN, for an address by its SAN",
    alt_names: &[Name::Address],
    ..RIGHT
};

pub(crate) const IP_CN: Shape = Shape {
    name: "ip-cn",
    about: "for an address by its CN, without a SAN",
    common_name: Some(Name::Address),
    alt_names: &[],
    ..RIGHT
};

pub(crate) const SEVERAL_SANS: Shape = Shape {
    name: "several-sans",
    about: "for the endpoint by one of three SANs, for another by its CN",
    common_name: Some(Name::Neighbour),
    alt_names: &[Name::Neighbour, Name::Endpoint, Name::Third],
    ..RIGHT
};

pub(crate) const EXPIRED: Shape = Shape {
    name: "expired",
    about: "for the endpoint, expired",
    validity: Validity::EXPIRED_LEAF,
    ..RIGHT
};

pub(crate) const NOT_YET_VALID: Shape = Shape {
    name: "not-yet-valid",
    about: "for the endpoint, not yet valid",
    validity: Validity::FUTURE_LEAF,
    ..RIGHT
};

pub(crate) const SUBORDINATE_EXPIRED: Shape = Shape {
    name: "subordinate-expired",
    about: "for the endpoint, sent with a subordinate CA's that has expired",
    sends: &[Link::Leaf, Link::ExpiredSubordinate, Link::Root],
    ..RIGHT
};

pub(crate) const CLIENT_AUTH: Shape = Shape {
    name: "client-auth",
    about: "for the endpoint, meant for clients",
    extended_key_usages: &[ExtendedKeyUsagePurpose::ClientAuth],
    ..RIGHT
};

pub(crate) const SELF_SIGNED: Shape = Shape {
    name: "self-signed",
    about: "for the endpoint, signed by itself",
    form: Form::SelfSigned,
    sends: &[Link::Leaf],
    ..RIGHT
};

pub(crate) const CA_LEAF: Shape = Shape {
    name: "ca-leaf",
    about: "for the endpoint, a CA's",
    form: Form::Authority,
    ..RIGHT
};

pub(crate) const V1: Shape = Shape {
    name: "v1",
    about: "for the endpoint by its CN, X.509 v1",
    alt_names: &[],
    extended_key_usages: &[],
    form: Form::V1,
    ..RIGHT
};

pub(crate) const RSA_1024: Shape = Shape {
    name: "rsa1024",
    about: "for the endpoint, RSA 1024",
    key: KeyKind::Rsa1024,
    ..RIGHT
};

pub(crate) const RSA_4096: Shape = Shape {
    name: "rsa4096",
    about: "for the endpoint, RSA 4096",
    key: KeyKind::Rsa4096,
    ..RIGHT
};

pub(crate) const P384: Shape = Shape {
    name: "p384",
    about: "for the endpoint, P-384",
    key: KeyKind::EcdsaP384,
    ..RIGHT
};

pub(crate) const IPV6_SAN: Shape = Shape {
    name: "ipv6-san",
    about: "for an IPv6 address and for the endpoint by its SANs",
    alt_names: &[Name::AddressV6, Name::Endpoint],
    ..RIGHT
};

pub(crate) const IP_AS_DNS: Shape = Shape {
    name: "ip-as-dns",
    about: "for the endpoint by its CN, for an address written as a DNS name by its SAN",
    alt_names: &[Name::AddressAsDns],
    ..RIGHT
};

pub(crate) const NO_NAMES: Shape = Shape {
    name: "no-names",
    about: "without a CN and without a SAN",
    common_name: None,
    alt_names: &[],
    ..RIGHT
};

pub(crate) const NUL_IN_CN: Shape = Shape {
    name: "nul-in-cn",
    about: "for the endpoint, a NUL and another domain by its CN, without a SAN",
    common_name: Some(Name::EndpointNul),
    alt_names: &[],
    ..RIGHT
};

pub(crate) const NO_EKU: Shape = Shape {
    name: "no-eku",
    about: "for the endpoint, without an extended key usage",
    extended_key_usages: &[],
    ..RIGHT
};

pub(crate) const TRUSTED_CA: Shape = Shape {
    name: "trusted-ca",
    about: "for the endpoint, a trusted root CA's, signed by itself",
    // As roots have it.
    extended_key_usages: &[],
    form: Form::TrustedRoot,
    sends: &[Link::Leaf],
    ..RIGHT
};

pub(crate) const KEY_AGREEMENT: Shape = Shape {
    name: "key-agreement",
    about: "for the endpoint, P-256, with a key for key agreement alone",
    key: KeyKind::EcdsaP256,
    key_usages: KeyUsages::KeyAgreement,
    ..RIGHT
};
