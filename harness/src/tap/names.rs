//! The names that the registries of TLS give to the numbers on the wire.

use tls_parser::{TlsCipherSuite, TlsVersion};

/// Alerts by number: RFC 8446, 6 and 6.2, which keeps the numbers that earlier
/// versions used; RFC 5246, 7.2 for those; RFC 7301, RFC 7507 and RFC 8449 add
/// to them.
const ALERTS: [(u8, &str); 36] = [
    (0, "close_notify"),
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (21, "decryption_failed"),
    (22, "record_overflow"),
    (30, "decompression_failure"),
    (40, "handshake_failure"),
    (41, "no_certificate"),
    (42, "bad_certificate"),
    (43, "unsupported_certificate"),
    (44, "certificate_revoked"),
    (45, "certificate_expired"),
    (46, "certificate_unknown"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (52, "too_many_cids_requested"),
    (60, "export_restriction"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (90, "user_canceled"),
    (100, "no_renegotiation"),
    (109, "missing_extension"),
    (110, "unsupported_extension"),
    (111, "certificate_unobtainable"),
    (112, "unrecognized_name"),
    (113, "bad_certificate_status_response"),
    (114, "bad_certificate_hash_value"),
    (115, "unknown_psk_identity"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
    (121, "ech_required"),
];

/// Groups by number, as the IANA registry "TLS Supported Groups" spells them.
/// Curves that no library still offers are left to their number.
const GROUPS: [(u16, &str); 26] = [
    (19, "secp192r1"),
    (21, "secp224r1"),
    (22, "secp256k1"),
    (23, "secp256r1"),
    (24, "secp384r1"),
    (25, "secp521r1"),
    (26, "brainpoolP256r1"),
    (27, "brainpoolP384r1"),
    (28, "brainpoolP512r1"),
    (29, "x25519"),
    (30, "x448"),
    (31, "brainpoolP256r1tls13"),
    (32, "brainpoolP384r1tls13"),
    (33, "brainpoolP512r1tls13"),
    (41, "curveSM2"),
    (0x0100, "ffdhe2048"),
    (0x0101, "ffdhe3072"),
    (0x0102, "ffdhe4096"),
    (0x0103, "ffdhe6144"),
    (0x0104, "ffdhe8192"),
    (0x0200, "MLKEM512"),
    (0x0201, "MLKEM768"),
    (0x0202, "MLKEM1024"),
    (0x11EB, "SecP256r1MLKEM768"),
    (0x11EC, "X25519MLKEM768"),
    (0x11ED, "SecP384r1MLKEM1024"),
];

/// The name of an alert (`unknown_ca`), or its number when it has none.
#[must_use]
pub fn alert(number: u8) -> String {
    named(&ALERTS, number).map_or_else(|| number.to_string(), str::to_owned)
}

/// Whether [`alert`] can give this name.
#[must_use]
pub fn is_alert(name: &str) -> bool {
    ALERTS.iter().any(|(_, known)| *known == name)
        || name.parse::<u8>().is_ok_and(|number| alert(number) == name)
}

/// The names of all alerts, in the order of their numbers.
pub fn alerts() -> impl Iterator<Item = &'static str> {
    ALERTS.iter().map(|(_, name)| *name)
}

/// The name of a group (`x25519`), or its number in hexadecimal.
#[must_use]
pub fn group(number: u16) -> String {
    named(&GROUPS, number).map_or_else(|| hexadecimal(number), str::to_owned)
}

/// The IANA name of a cipher suite, or its number in hexadecimal.
#[must_use]
pub fn cipher(number: u16) -> String {
    TlsCipherSuite::from_id(number)
        .map_or_else(|| hexadecimal(number), |suite| suite.name.to_owned())
}

/// The name of a protocol version as PostgreSQL and OpenSSL spell it
/// (`TLSv1.3`, `TLSv1`), or its number in hexadecimal.
#[must_use]
pub fn version(version: TlsVersion) -> String {
    let name = match version {
        TlsVersion::Ssl30 => "SSLv3",
        TlsVersion::Tls10 => "TLSv1",
        TlsVersion::Tls11 => "TLSv1.1",
        TlsVersion::Tls12 => "TLSv1.2",
        TlsVersion::Tls13 => "TLSv1.3",
        TlsVersion(number) => return hexadecimal(number),
    };
    name.to_owned()
}

/// Whether the number stands for nothing and only keeps servers tolerant
/// (GREASE, RFC 8701, 2).
#[must_use]
pub fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0F == 0x0A
}

fn named<N: Copy + Eq>(table: &[(N, &'static str)], number: N) -> Option<&'static str> {
    table
        .iter()
        .find_map(|(known, name)| (*known == number).then_some(*name))
}

fn hexadecimal(number: u16) -> String {
    format!("0x{number:04X}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(48, "unknown_ca")]
    #[case(70, "protocol_version")]
    #[case(200, "200")]
    fn an_alert_has_a_name_or_a_number(#[case] number: u8, #[case] name: &str) {
        assert_eq!(alert(number), name);
        assert!(is_alert(name));
    }

    #[rstest]
    #[case("unknown_cat")]
    #[case("48")]
    #[case("048")]
    #[case("256")]
    #[case("")]
    fn an_alert_has_one_spelling(#[case] name: &str) {
        assert!(!is_alert(name));
    }

    #[rstest]
    #[case(0x0A0A, true)]
    #[case(0xFAFA, true)]
    #[case(0x1A0A, false)]
    #[case(0x1301, false)]
    fn grease_is_told_apart(#[case] number: u16, #[case] grease: bool) {
        assert_eq!(is_grease(number), grease);
    }

    #[test]
    fn numbers_have_their_registered_names() {
        assert_eq!(group(0x11EC), "X25519MLKEM768");
        assert_eq!(group(0x4242), "0x4242");
        assert_eq!(cipher(0x1301), "TLS_AES_128_GCM_SHA256");
        assert_eq!(cipher(0xC030), "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
        assert_eq!(version(TlsVersion(0x0301)), "TLSv1");
    }
}
