//! The shapes of server certificates, as data.

use rcgen::{ExtendedKeyUsagePurpose, SanType};

use crate::{endpoint::EndpointName, keys::KeyKind, profile::Validity};

/// A server certificate that can be had from [`Pki::server`](crate::Pki::server).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Leaf {
    /// CN and SAN are the endpoint's name.
    Right,
    /// CN and SAN are the name of another endpoint in the same region, under
    /// the same CA: only a client that verifies the name can tell.
    Other,
}

impl Leaf {
    /// All leaves.
    pub const ALL: [Self; 2] = [Self::Right, Self::Other];

    /// The file that holds what the server sends, beneath the PKI's folder.
    #[must_use]
    pub const fn chain_file(self) -> &'static str {
        self.shape().chain_file
    }

    /// The file that holds its private key, beneath the PKI's folder. Leaves
    /// share it.
    #[must_use]
    pub const fn key_file(self) -> &'static str {
        match self.shape().key {
            KeyKind::Rsa2048 => "server-rsa2048.key",
            KeyKind::EcdsaP384 => "server-ecc384.key",
        }
    }

    pub(crate) const fn shape(self) -> &'static Shape {
        match self {
            Self::Right => &RIGHT,
            Self::Other => &OTHER,
        }
    }
}

/// What a server certificate says, and what is sent with it.
pub(crate) struct Shape {
    /// The name of the file with what the server sends.
    pub(crate) chain_file: &'static str,
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
    /// The certificates that the server sends, in their order.
    pub(crate) sends: &'static [Link],
}

/// A name in a certificate, told by its relation to the endpoint's.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    /// The endpoint's own.
    Endpoint,
    /// [`EndpointName::neighbour`].
    Neighbour,
}

impl Name {
    /// The name as text.
    pub(crate) fn of(self, endpoint: &EndpointName) -> String {
        match self {
            Self::Endpoint => endpoint.to_string(),
            Self::Neighbour => endpoint.neighbour().to_string(),
        }
    }

    /// The name as a subject alternative name.
    pub(crate) fn alt_name(self, endpoint: &EndpointName) -> Result<SanType, rcgen::Error> {
        Ok(SanType::DnsName(self.of(endpoint).try_into()?))
    }
}

/// A certificate of a chain.
#[derive(Clone, Copy)]
pub(crate) enum Link {
    Leaf,
    Subordinate,
    Root,
}

const RIGHT: Shape = Shape {
    chain_file: "server.pem",
    common_name: Some(Name::Endpoint),
    alt_names: &[Name::Endpoint],
    validity: Validity::LEAF,
    key: KeyKind::Rsa2048,
    extended_key_usages: &[ExtendedKeyUsagePurpose::ServerAuth],
    // RDS sends its root as well, though TLS lets it be left out (RFC 8446,
    // 4.4.2).
    sends: &[Link::Leaf, Link::Subordinate, Link::Root],
};

const OTHER: Shape = Shape {
    chain_file: "server-other.pem",
    common_name: Some(Name::Neighbour),
    alt_names: &[Name::Neighbour],
    ..RIGHT
};
