//! The table of RDS defaults, held against the RDS document.

use std::{fs, path::Path};

use harness::policy::{DefaultsTable, TlsVersion};
use rstest::rstest;

const OLDEST: &str = "HIGH:MEDIUM:+3DES:!aNULL";
const OLDER: &str = "HIGH:MEDIUM:+3DES:!aNULL:!RC4";
const SINCE_12: &str = "HIGH:!aNULL:!3DES";

#[rstest]
#[case("10.7", false, "TLSv1.2", OLDEST)]
#[case("10.9", false, "TLSv1.2", OLDER)]
#[case("10", false, "TLSv1.2", OLDER)]
#[case("11.1", false, "TLSv1.2", OLDEST)]
#[case("11.2", false, "TLSv1.2", OLDEST)]
#[case("11.4", false, "TLSv1.2", OLDER)]
#[case("11.22", false, "TLSv1.2", OLDER)]
#[case("12.22", false, "TLSv1.2", SINCE_12)]
#[case("13.23", false, "TLSv1.2", SINCE_12)]
#[case("14.0", false, "TLSv1.2", SINCE_12)]
#[case("15.0", true, "TLSv1.2", SINCE_12)]
#[case("16.0", true, "TLSv1.3", SINCE_12)]
#[case("17", true, "TLSv1.3", SINCE_12)]
#[case("18", true, "TLSv1.3", SINCE_12)]
fn the_table_says_what_the_document_says(
    #[case] engine: &str,
    #[case] force_ssl: bool,
    #[case] tls_max: &str,
    #[case] ciphers: &str,
) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites/engines.toml");
    let text = fs::read_to_string(&file).unwrap();
    let table = DefaultsTable::parse("engines.toml", &text).unwrap();
    let defaults = table.of(engine.parse().unwrap()).unwrap();
    assert_eq!(defaults.force_ssl, force_ssl);
    assert_eq!(defaults.tls_max.to_string(), tls_max);
    assert_eq!(defaults.ciphers, ciphers);
    assert!(defaults.tls_min >= TlsVersion::Tls11);
    assert!(defaults.source.contains("RDS document"));
}
