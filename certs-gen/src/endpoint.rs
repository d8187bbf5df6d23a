//! The name of an RDS endpoint, and what can be read from it.

use std::fmt;

use rustls_pki_types::DnsName;

use crate::error::Error;

/// The endpoint that files are made for when nobody says otherwise.
pub const DEFAULT_ENDPOINT: &str = "db-name.555555555555.ap-southeast-1.rds.amazonaws.com";

/// The region of an endpoint whose name is not of RDS's form.
const NO_REGION: &str = "local";

/// A DNS name that a certificate can carry (RFC 5280, 4.2.1.6), without a
/// trailing dot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EndpointName(String);

impl EndpointName {
    /// Takes a name as a client would write it in `host`.
    ///
    /// # Errors
    /// [`Error::NotADnsName`] for an address, a wildcard, a trailing dot, or
    /// labels that are empty or longer than 63 characters.
    pub fn new(name: &str) -> Result<Self, Error> {
        match DnsName::try_from(name) {
            Ok(_) if !name.ends_with('.') => Ok(Self(name.to_owned())),
            _ => Err(Error::NotADnsName {
                name: name.to_owned(),
            }),
        }
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region that the name is in, lowercase:
    /// `<id>.<account>.<region>.rds.amazonaws.com`, or in China
    /// `<id>.<account>.rds.<region>.amazonaws.com.cn`; `local` for any other
    /// name.
    #[must_use]
    pub fn region(&self) -> String {
        let name = self.0.to_ascii_lowercase();
        let labels: Vec<&str> = name.split('.').collect();
        match labels.as_slice() {
            [_, .., region, "rds", "amazonaws", "com"]
            | [_, .., region, "rds", "amazonaws", "com", "cn"]
            | [_, .., "rds", region, "amazonaws", "com", "cn"] => (*region).to_owned(),
            _ => NO_REGION.to_owned(),
        }
    }

    /// The name of another endpoint beside this one: the first label differs,
    /// so a client that compares only the domain would take one for the other.
    #[must_use]
    pub fn neighbour(&self) -> Self {
        let (first, domain) = match self.0.split_once('.') {
            Some((first, domain)) => (first, Some(domain)),
            None => (self.0.as_str(), None),
        };
        let other = if first.eq_ignore_ascii_case("other-db") {
            "third-db"
        } else {
            "other-db"
        };
        Self(match domain {
            Some(domain) => format!("{other}.{domain}"),
            None => other.to_owned(),
        })
    }
}

impl EndpointName {
    /// `*` in the place of the first `labels` labels; `*` alone where there are
    /// no more.
    pub(crate) fn wildcard(&self, labels: usize) -> String {
        let rest = self.0.split('.').skip(labels);
        std::iter::once("*")
            .chain(rest)
            .collect::<Vec<_>>()
            .join(".")
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(DEFAULT_ENDPOINT, "ap-southeast-1")]
    #[case("DB.abc.US-EAST-1.rds.amazonaws.com", "us-east-1")]
    #[case("c.cluster-ro-abc.eu-west-3.rds.amazonaws.com", "eu-west-3")]
    #[case("db.abc.cn-north-1.rds.amazonaws.com.cn", "cn-north-1")]
    #[case("db.abc.rds.cn-north-1.amazonaws.com.cn", "cn-north-1")]
    #[case("localhost", "local")]
    #[case("db.example.com", "local")]
    #[case("rds.amazonaws.com", "local")]
    #[case("eu-west-1.rds.amazonaws.com", "local")]
    #[case("db.abc.eu-west-1.rds.amazonaws.com.example", "local")]
    fn the_region_is_read_from_the_name(#[case] name: &str, #[case] region: &str) {
        assert_eq!(EndpointName::new(name).unwrap().region(), region);
    }

    #[rstest]
    #[case("db.example.com", "other-db.example.com")]
    #[case("other-db.example.com", "third-db.example.com")]
    #[case("Other-DB.example.com", "third-db.example.com")]
    #[case("localhost", "other-db")]
    fn a_neighbour_shares_the_domain_alone(#[case] name: &str, #[case] neighbour: &str) {
        let name = EndpointName::new(name).unwrap();
        assert_eq!(name.neighbour().as_str(), neighbour);
        EndpointName::new(neighbour).unwrap();
    }

    #[rstest]
    #[case("")]
    #[case("127.0.0.1")]
    #[case("::1")]
    #[case("*.example.com")]
    #[case("db.example.com.")]
    #[case("a..b")]
    #[case("ünicode.example")]
    #[case("db.example.com\0.evil")]
    #[case("a-label-that-is-longer-than-the-sixty-three-characters-dns-allows.example.com")]
    fn what_is_no_dns_name_is_refused(#[case] name: &str) {
        let error = EndpointName::new(name).unwrap_err();
        assert!(matches!(error, Error::NotADnsName { .. }));
        assert!(error.to_string().contains(DEFAULT_ENDPOINT));
    }
}
