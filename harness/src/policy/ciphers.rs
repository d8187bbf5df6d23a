//! Cipher lists in IANA's names, as RDS takes them.

use openssl::ssl::cipher_name;

/// A list for PostgreSQL's `ssl_ciphers`, which OpenSSL reads and which knows
/// OpenSSL's names alone (`openssl-ciphers(1)`).
///
/// RDS takes `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384` and the like, with commas
/// between them. Such names are put into OpenSSL's; a list without any is left
/// as it is.
#[must_use]
pub fn openssl_list(list: &str) -> String {
    let mut names = list.split([',', ':', ' ']);
    if !names.clone().any(is_iana) {
        return list.to_owned();
    }
    names
        .by_ref()
        .filter(|name| !name.is_empty())
        .map(|name| match is_iana(name).then(|| cipher_name(name)) {
            None | Some(UNKNOWN) => name,
            Some(known) => known,
        })
        .collect::<Vec<_>>()
        .join(":")
}

/// What OpenSSL calls a suite that it doesn't know.
const UNKNOWN: &str = "(NONE)";

fn is_iana(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.starts_with("TLS_") && name.bytes().all(is_word)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::openssl("HIGH:!aNULL:!3DES", "HIGH:!aNULL:!3DES")]
    #[case::untouched("HIGH, MEDIUM", "HIGH, MEDIUM")]
    #[case::one("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384")]
    #[case::cbc("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256")]
    #[case::several(
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
    )]
    #[case::mixed(
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, AES256-SHA",
        "ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA"
    )]
    #[case::unknown("TLS_NO_SUCH_SUITE", "TLS_NO_SUCH_SUITE")]
    #[case::no_name("TLS_\0", "TLS_\0")]
    fn iana_names_become_openssl_names(#[case] list: &str, #[case] expected: &str) {
        assert_eq!(openssl_list(list), expected);
    }
}
