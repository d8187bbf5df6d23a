//! What a client may be told to trust.

/// A file of trust anchors that can be had from [`Pki::trust`](crate::Pki::trust).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Trust {
    /// The root that the server's chain ends at, then the certificate of
    /// [`Leaf::TrustedCa`](crate::Leaf::TrustedCa), a root of its own that has
    /// issued nothing else. It is also the server's `ssl_ca_file`.
    Root,
    /// The root of another region, which has issued nothing: what a user has
    /// who downloaded the wrong region's certificates.
    ///
    /// Its subject differs from the right root's on purpose. A chain is built
    /// by names, so verifiers then find no issuer, the ordinary failure: of a
    /// chain that ends in its own root OpenSSL says "self-signed certificate
    /// in certificate chain" (19), rustls-webpki `UnknownIssuer`. Were the
    /// subjects equal, OpenSSL would say the same (it compares the key
    /// identifiers as well), but rustls-webpki would try the wrong root's key
    /// and report a bad signature.
    WrongRoot,
    /// The subordinate CA without its root, which RDS's users are told not to
    /// trust. Verifiers differ here (RFC 5280, 6.1: the choice of a trust
    /// anchor is a matter of policy): OpenSSL says "unable to get issuer
    /// certificate" (2) unless `X509_V_FLAG_PARTIAL_CHAIN` is set,
    /// rustls-webpki takes any certificate for an anchor.
    Subordinate,
    /// [`Trust::Root`], then the subordinate CA.
    Both,
    /// A look-alike of RDS's `global-bundle.pem`: more than 100 roots of many
    /// regions, RSA and P-384, a third of them expired, an expired one first,
    /// the right root in the middle.
    Bundle,
    /// A file that doesn't exist.
    Missing,
    /// Somebody's own, and none of ours: see [`Given`](crate::Given).
    Given,
}

impl Trust {
    /// All that are made here.
    pub const ALL: [Self; 6] = [
        Self::Root,
        Self::WrongRoot,
        Self::Subordinate,
        Self::Both,
        Self::Bundle,
        Self::Missing,
    ];

    /// All of them, [`Trust::Given`] too.
    pub(crate) const COUNT: usize = Self::ALL.len() + 1;

    /// The file's name, beneath the PKI's folder.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Root => "root.pem",
            Self::WrongRoot => "wrong-root.pem",
            Self::Subordinate => "subordinate.pem",
            Self::Both => "both.pem",
            Self::Bundle => "global-bundle.pem",
            Self::Missing => "missing.pem",
            Self::Given => "given-trust.pem",
        }
    }
}
