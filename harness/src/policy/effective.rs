//! A policy with nothing left open.

use super::{Admits, Defaults, Leaf, Policy, TlsVersion, ciphers::openssl_list};

/// A policy with RDS's defaults in the fields left unset.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Effective {
    /// See [`Policy::force_ssl`].
    pub force_ssl: bool,
    /// See [`Policy::ssl`].
    pub ssl: bool,
    /// See [`Policy::leaf`].
    pub leaf: Leaf,
    /// See [`Policy::tls_min`].
    pub tls_min: TlsVersion,
    /// See [`Policy::tls_max`].
    pub tls_max: TlsVersion,
    /// See [`Policy::ciphers`]; an OpenSSL cipher list.
    pub ciphers: String,
    /// See [`Policy::admits`].
    pub admits: Admits,
}

impl Policy {
    /// Fills the fields left unset with RDS's defaults.
    ///
    /// `force_ssl` left unset beside `ssl = off` is off whatever the default:
    /// together they would leave no way in at all, and RDS never turns `ssl`
    /// off.
    #[must_use]
    pub fn effective(&self, defaults: &Defaults) -> Effective {
        let ssl = self.ssl.unwrap_or(true);
        Effective {
            force_ssl: self.force_ssl.unwrap_or(ssl && defaults.force_ssl),
            ssl,
            leaf: self.leaf,
            tls_min: self.tls_min.unwrap_or(defaults.tls_min),
            tls_max: self.tls_max.unwrap_or(defaults.tls_max),
            ciphers: openssl_list(self.ciphers.as_ref().unwrap_or(&defaults.ciphers)),
            admits: self.admits,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, None, true, true)]
    #[case(None, None, false, false)]
    #[case(Some(true), None, false, true)]
    #[case(Some(false), None, true, false)]
    #[case(None, Some(false), true, false)]
    #[case(Some(true), Some(false), false, true)]
    fn force_ssl_left_unset(
        #[case] force_ssl: Option<bool>,
        #[case] ssl: Option<bool>,
        #[case] default: bool,
        #[case] expected: bool,
    ) {
        let defaults = Defaults {
            force_ssl: default,
            tls_min: TlsVersion::Tls12,
            tls_max: TlsVersion::Tls13,
            ciphers: "HIGH".to_owned(),
            source: String::new(),
        };
        let policy = Policy {
            force_ssl,
            ssl,
            ..Policy::default()
        };
        assert_eq!(policy.effective(&defaults).force_ssl, expected);
    }
}
