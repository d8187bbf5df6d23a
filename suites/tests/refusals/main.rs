//! The errors of the libraries below the drivers: what is in `refusals/`, and
//! that none is missing.

mod openssl;
mod rustls;

use std::{collections::BTreeSet, fs, path::Path};

use harness::suite::{Refusals, Rule, SourceFile, agree, classify};
use rstest::rstest;

/// Files that are read together: what a driver's page would include.
const LIBPQ: &[&str] = &["server", "system", "libpq", "openssl", "openssl-decode"];
const NATIVE_TLS: &[&str] = &[
    "server",
    "system",
    "program",
    "tokio-postgres",
    "native-tls",
    "openssl",
    "openssl-verify",
];
const RUSTLS: &[&str] = &["server", "system", "program", "tokio-postgres", "rustls"];
const NO_TLS: &[&str] = &["server", "system", "tokio-postgres"];

#[rstest]
#[case::libpq(LIBPQ)]
#[case::native_tls(NATIVE_TLS)]
#[case::rustls(RUSTLS)]
#[case::no_tls(NO_TLS)]
fn files_that_are_read_together_agree(#[case] files: &[&str]) {
    agree(&rules(files)).unwrap();
}

#[test]
fn every_file_is_read_with_others() {
    let folder = fs::read_dir(folder()).unwrap();
    let there: BTreeSet<String> = folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let read = [LIBPQ, NATIVE_TLS, RUSTLS, NO_TLS].concat();
    let read: BTreeSet<String> = read.iter().map(|name| format!("{name}.toml")).collect();
    assert_eq!(there, read);
}

/// No text is hidden by a text of another class that ends with it.
#[rstest]
#[case::libpq(LIBPQ)]
#[case::native_tls(NATIVE_TLS)]
#[case::rustls(RUSTLS)]
fn a_text_by_itself_is_of_its_class(#[case] files: &[&str]) {
    let rules = rules(files);
    let mut count = 0;
    for (file, name) in files.iter().map(|name| (source(name), name)) {
        let table: toml::Table = file.text.parse().unwrap();
        for entry in table["refusal"].as_array().unwrap() {
            for text in entry
                .get("texts")
                .iter()
                .flat_map(|texts| texts.as_array().unwrap())
            {
                let text = text.as_str().unwrap();
                let seen = is(&rules, text);
                assert_eq!(seen, entry["is"].as_str().unwrap(), "{text} of {name}.toml");
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count} texts");
}

#[rstest]
// Before a socket.
#[case(LIBPQ, "parse sslmode", r#"invalid sslmode value: "no-such""#)]
#[case(
    LIBPQ,
    "parse weak-sslmode",
    r#"weak sslmode "require" may not be used with sslrootcert=system (use "verify-full")"#
)]
#[case(LIBPQ, "parse option", r#"invalid connection option "nosuch""#)]
#[case(
    NO_TLS,
    "parse sslmode",
    "invalid connection string: invalid value for option `sslmode`"
)]
#[case(
    NO_TLS,
    "parse option",
    "invalid connection string: unknown option `sslrootcert`"
)]
#[case(
    RUSTLS,
    "parse trust-file",
    "could not read the trust anchors /x: invalid peer certificate: BadEncoding"
)]
// The way to the server.
#[case(
    LIBPQ,
    "connect refused",
    "connection to server at \"h\" (127.0.0.1), port 1 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?"
)]
#[case(
    NO_TLS,
    "connect refused",
    "error connecting to server: Connection refused (os error 111)"
)]
#[case(
    LIBPQ,
    "connect unknown-host",
    r#"could not translate host name "h" to address: Name or service not known"#
)]
#[case(
    NO_TLS,
    "connect unknown-host",
    "error connecting to server: failed to lookup address information: Name or service not known"
)]
#[case(
    LIBPQ,
    "connect unreachable",
    r#"connection to server on socket "/tmp/.s.PGSQL.1" failed: No such file or directory"#
)]
#[case(NO_TLS, "connect closed", "connection closed")]
#[case(
    NO_TLS,
    "connect reset",
    "error communicating with the server: Connection reset by peer (os error 104)"
)]
#[case(
    LIBPQ,
    "connect closed",
    "connection to server at \"h\", port 1 failed: server closed the connection unexpectedly\n\tThis probably means the server terminated abnormally\n\tbefore or while processing the request."
)]
#[case(
    LIBPQ,
    "negotiate no-tls",
    "server does not support SSL, but SSL was required"
)]
#[case(
    LIBPQ,
    "negotiate garbage",
    "received invalid response to SSL negotiation: H"
)]
#[case(
    LIBPQ,
    "negotiate stuffed",
    "received unencrypted data after SSL response"
)]
#[case(
    NO_TLS,
    "negotiate no-tls",
    "error performing TLS handshake: server does not support TLS"
)]
// The handshake.
#[case(
    LIBPQ,
    "tls trust-file",
    "root certificate file \"/x\" does not exist\nEither provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable server certificate verification."
)]
#[case(
    LIBPQ,
    "tls trust-file",
    r#"could not read root certificate file "/x": bad base64 decode"#
)]
#[case(
    LIBPQ,
    "tls client-key",
    r#"could not read certificate file "/x": no start line"#
)]
#[case(LIBPQ, "tls verify", "SSL error: certificate verify failed")]
#[case(
    LIBPQ,
    "tls chain",
    "SSL error: certificate verify failed: unable to get local issuer certificate"
)]
#[case(LIBPQ, "tls signature", "SSL error: invalid padding")]
#[case(LIBPQ, "tls signature", "SSL error: EVP lib")]
#[case(LIBPQ, "tls certificate", "SSL error: wrong tag")]
#[case(
    LIBPQ,
    "tls name",
    r#"server certificate for "a" (and 2 other names) does not match host name "b""#
)]
#[case(
    LIBPQ,
    "tls version",
    "SSL error: unsupported protocol\nThis may indicate that the server does not support any SSL protocol version between TLSv1.2 and TLSv1.3."
)]
#[case(LIBPQ, "tls handshake", "SSL error: ssl/tls alert handshake failure")]
#[case(
    LIBPQ,
    "tls handshake",
    "SSL error: legacy sigalg disallowed or unsupported"
)]
#[case(LIBPQ, "tls client-certificate", "SSL error: tlsv1 alert unknown ca")]
#[case(LIBPQ, "negotiate alpn", "SSL error: no application protocol")]
#[case(LIBPQ, "tls protocol", "SSL error: wrong version number")]
#[case(LIBPQ, "tls closed", "SSL error: unexpected eof while reading")]
#[case(LIBPQ, "tls closed", "SSL SYSCALL error: Connection reset by peer")]
#[case(
    NATIVE_TLS,
    "tls version",
    "error performing TLS handshake: error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:../ssl/record/rec_layer_s3.c:1590:SSL alert number 70: error:0A00042E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version:../ssl/record/rec_layer_s3.c:1590:SSL alert number 70"
)]
#[case::a_certificate_that_cannot_be_read(
    NATIVE_TLS,
    "tls certificate",
    "error performing TLS handshake: error:068000A8:asn1 encoding routines:asn1_check_tlen:wrong tag:../crypto/asn1/tasn_dec.c:1194:, error:0A08000D:SSL routines:tls_process_server_certificate:ASN1 lib:../ssl/statem/statem_clnt.c:1822:: error:068000A8:asn1 encoding routines:asn1_check_tlen:wrong tag:../crypto/asn1/tasn_dec.c:1194:, error:0A08000D:SSL routines:tls_process_server_certificate:ASN1 lib:../ssl/statem/statem_clnt.c:1822:"
)]
#[case::a_client_that_verifies_nothing_is_hung_up_on(
    NATIVE_TLS,
    "tls closed",
    "error performing TLS handshake: unexpected EOF (self-signed certificate)"
)]
#[case::a_client_that_verifies_nothing_is_cut_off(
    NATIVE_TLS,
    "tls closed",
    "error performing TLS handshake: Connection reset by peer (os error 104) (self-signed certificate): Connection reset by peer (os error 104)"
)]
#[case::a_client_that_verifies_nothing_is_rejected(
    NATIVE_TLS,
    "tls client-certificate",
    "error performing TLS handshake: error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:../ssl/record/rec_layer_s3.c:1590:SSL alert number 42 (self-signed certificate): error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:../ssl/record/rec_layer_s3.c:1590:SSL alert number 42"
)]
#[case(
    RUSTLS,
    "tls closed",
    "error performing TLS handshake: tls handshake eof"
)]
#[case(
    NO_TLS,
    "tls unsupported",
    "error performing TLS handshake: no TLS implementation configured"
)]
// The server.
#[case(
    LIBPQ,
    "authenticate password",
    "FATAL:  password authentication failed for user \"u\"\npassword retrieved from file \"/home/u/.pgpass\""
)]
#[case(
    NO_TLS,
    "authenticate password",
    r#"db error: FATAL: password authentication failed for user "u""#
)]
#[case(
    LIBPQ,
    "authenticate iam",
    r#"FATAL:  PAM authentication failed for user "u""#
)]
#[case(LIBPQ, "authenticate no-password", "fe_sendauth: no password supplied")]
#[case(
    NO_TLS,
    "authenticate no-password",
    "invalid configuration: password missing"
)]
#[case(
    LIBPQ,
    "authenticate channel-binding",
    "could not find digest for NID UNDEF"
)]
#[case(
    LIBPQ,
    "authenticate method",
    r#"authentication method requirement "scram-sha-256" failed: server requested a cleartext password"#
)]
#[case(
    LIBPQ,
    "authorise hba",
    r#"FATAL:  no pg_hba.conf entry for host "127.0.0.1", user "u", database "d", SSL off"#
)]
#[case(
    NO_TLS,
    "authorise hba",
    r#"db error: FATAL: pg_hba.conf rejects replication connection for host "127.0.0.1", user "u", no encryption"#
)]
#[case::a_name_is_no_error(
    LIBPQ,
    "authorise hba",
    r#"FATAL:  no pg_hba.conf entry for host "127.0.0.1", user "u", database "certificate revoked", SSL off"#
)]
#[case::prefer_falls_back(
    LIBPQ,
    "authorise hba",
    "connection to server at \"h\", port 1 failed: SSL error: certificate verify failed\nconnection to server at \"h\", port 1 failed: FATAL:  no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", database \"d\", no encryption"
)]
#[case::allow_ends_in_tls(
    LIBPQ,
    "tls verify",
    "connection to server at \"h\", port 1 failed: FATAL:  no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", database \"d\", no encryption\nconnection to server at \"h\", port 1 failed: SSL error: certificate verify failed"
)]
#[case(
    LIBPQ,
    "authorise tls-required",
    "FATAL:  This RDS Proxy requires TLS connections"
)]
#[case(LIBPQ, "authorise database", r#"FATAL:  database "d" does not exist"#)]
#[case(LIBPQ, "authorise role", r#"FATAL:  role "d" does not exist"#)]
#[case(
    LIBPQ,
    "authorise limit",
    r#"FATAL:  remaining connection slots are reserved for roles with privileges of the "rds_reserved" role"#
)]
#[case(
    LIBPQ,
    "authorise starting",
    "FATAL:  the database system is not yet accepting connections\nDETAIL:  Consistent recovery state has not been yet reached."
)]
#[case(
    NO_TLS,
    "authorise protocol",
    "db error: FATAL: unsupported frontend protocol 3.9999: server supports 2.0 to 3.0"
)]
#[case::unknown(LIBPQ, "", "SSL error: out of luck")]
#[case::unknown(
    NATIVE_TLS,
    "",
    "error performing TLS handshake: the moon is in the wrong house"
)]
fn a_message_is(#[case] files: &[&str], #[case] refusal: &str, #[case] message: &str) {
    assert_eq!(is(&rules(files), message), refusal);
}

/// The refusal of a message, in words; empty where there is none.
fn is(rules: &[Rule], message: &str) -> String {
    let refusal = classify(rules, message).unwrap_or_else(|error| panic!("{message}: {error}"));
    refusal.map(ToString::to_string).unwrap_or_default()
}

fn rules(files: &[&str]) -> Vec<Rule> {
    let read = |name: &&str| Refusals::parse(&source(name)).unwrap();
    files.iter().flat_map(read).collect()
}

fn source(name: &str) -> SourceFile {
    let name = format!("{name}.toml");
    SourceFile {
        text: fs::read_to_string(folder().join(&name)).unwrap(),
        name: format!("refusals/{name}"),
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/refusals"))
}
