//! Every verdict on a certificate of the OpenSSL that this program is linked
//! with.

use openssl::x509::X509VerifyResult;

use crate::{NATIVE_TLS, is, rules};

/// The text of a number without a meaning.
const UNKNOWN: &str = "unknown certificate verification error";

#[test]
fn every_verdict_on_a_certificate_has_a_class() {
    let rules = rules(NATIVE_TLS);
    let texts: Vec<_> = (1..=200)
        .map(text)
        .filter(|text| *text != UNKNOWN)
        .collect();
    let lack: Vec<_> = (texts.iter())
        .filter(|text| !is(&rules, &as_native_tls_says(text)).starts_with("tls "))
        .collect();
    assert!(lack.is_empty(), "no class: {lack:#?}");
    // OpenSSL 1.1.1 has 76, and each release since has more.
    assert!(texts.len() >= 76, "{}", texts.len());
}

/// Display of `native_tls::Error`, with its cause behind it.
fn as_native_tls_says(verdict: &str) -> String {
    let error = "error:0A000086:SSL routines:tls_post_process_server_certificate:\
                 certificate verify failed:../ssl/statem/statem_clnt.c:1890:";
    format!("error performing TLS handshake: {error} ({verdict}): {error}")
}

#[expect(
    unsafe_code,
    reason = "X509VerifyResult has no other constructor from a number"
)]
fn text(number: i32) -> &'static str {
    // SAFETY: `from_raw` is unsafe for the sake of OpenSSL 1.0.2, which wrote
    // the text of an unknown number into one buffer for all threads; from 1.1.0
    // on, X509_verify_cert_error_string returns constants.
    unsafe { X509VerifyResult::from_raw(number) }.error_string()
}
