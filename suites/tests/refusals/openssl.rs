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
        .filter(|text| !is(&rules, &as_native_tls_says("", text)).starts_with("tls "))
        .collect();
    assert!(lack.is_empty(), "no class: {lack:#?}");
    // OpenSSL 1.1.1 has 76, and each release since has more.
    assert!(texts.len() >= 76, "{}", texts.len());
}

/// What libcrypto says on the way does not outweigh the verdict: native-tls
/// repeats all of it behind the verdict.
#[test]
fn the_verdict_decides() {
    let rules = rules(NATIVE_TLS);
    for text in (1..=200).map(text).filter(|text| *text != UNKNOWN) {
        let alone = is(&rules, &as_native_tls_says("", text));
        let queued = is(&rules, &as_native_tls_says(QUEUE, text));
        assert_eq!(queued, alone, "{text}");
    }
}

/// What OpenSSL 3.0.19 says before `certificate verify failed` of a leaf whose
/// RSA signature was altered (`openssl s_client -verify_return_error`).
const QUEUE: &str = "\
    error:0200008A:rsa routines:RSA_padding_check_PKCS1_type_1:invalid padding:../crypto/rsa/rsa_pk1.c:75:, \
    error:02000072:rsa routines:rsa_ossl_public_decrypt:padding check failed:../crypto/rsa/rsa_ossl.c:590:, \
    error:1C880004:Provider routines:rsa_verify:RSA lib:../providers/implementations/signature/rsa_sig.c:769:, \
    error:06880006:asn1 encoding routines:ASN1_item_verify_ctx:EVP lib:../crypto/asn1/a_verify.c:220:, ";

/// Display of `native_tls::Error`, with its cause behind it.
fn as_native_tls_says(queue: &str, verdict: &str) -> String {
    let error = "error:0A000086:SSL routines:tls_post_process_server_certificate:\
                 certificate verify failed:../ssl/statem/statem_clnt.c:1890:";
    format!("error performing TLS handshake: {queue}{error} ({verdict}): {queue}{error}")
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
