//! A policy as PostgreSQL settings.

use std::path::PathBuf;

use super::Effective;
use crate::engine::Version;

/// Where the server finds its certificate, as it sees the paths.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerPaths {
    /// `ssl_cert_file`: leaf, subordinate CA, root, as RDS sends them.
    pub chain: PathBuf,
    /// `ssl_key_file`.
    pub key: PathBuf,
    /// `ssl_ca_file`: RDS sets it, so that its servers ask for a client
    /// certificate.
    pub ca: PathBuf,
}

/// The settings of a policy, all of them reloadable, as names and values.
///
/// `rds.force_ssl` is a placeholder here and changes nothing by itself (see
/// [`super::hba`]). On RDS it is a boolean, and those show as `on` and `off`
/// whether they were written so or as the 1 and 0 of a parameter group.
/// PostgreSQL 10 and 11 have no setting for TLS versions: see
/// [`openssl_conf`].
#[must_use]
pub fn settings(
    policy: &Effective,
    engine: Version,
    files: &ServerPaths,
) -> Vec<(&'static str, String)> {
    let switch = |on| if on { "on" } else { "off" }.to_owned();
    let path = |path: &PathBuf| path.to_string_lossy().into_owned();
    let mut settings = vec![
        ("ssl", switch(policy.ssl)),
        ("ssl_cert_file", path(&files.chain)),
        ("ssl_key_file", path(&files.key)),
        ("ssl_ca_file", path(&files.ca)),
        ("ssl_ciphers", policy.ciphers.clone()),
        ("rds.force_ssl", switch(policy.force_ssl)),
    ];
    if engine.has_protocol_settings() {
        settings.push(("ssl_min_protocol_version", policy.tls_min.to_string()));
        settings.push(("ssl_max_protocol_version", policy.tls_max.to_string()));
    }
    settings
}

/// What `OPENSSL_CONF` has to say at the start of a server: OpenSSL applies
/// `system_default` to every context (config(5), SSL configuration).
///
/// The security level is 0, so that a policy decides alone what is served. It is
/// another in each build otherwise, 1 or 2, and a server of level 2 takes no
/// certificate with an RSA key of 1024 bits (`ee key too small`) and no TLS
/// below 1.2 (`SSL_CTX_set_security_level(3)`). `ssl_ciphers` can't lower it in
/// time: `be_tls_init` loads the certificate before it sets the cipher list.
/// A server that has no setting for TLS versions is told them here.
#[must_use]
pub fn openssl_conf(policy: &Effective, engine: Version) -> String {
    let versions = if engine.has_protocol_settings() {
        String::new()
    } else {
        let (min, max) = (policy.tls_min, policy.tls_max);
        format!("MinProtocol = {min}\nMaxProtocol = {max}\n")
    };
    format!(
        "openssl_conf = server\n\
         [server]\n\
         ssl_conf = tls\n\
         [tls]\n\
         system_default = context\n\
         [context]\n\
         CipherString = DEFAULT:@SECLEVEL=0\n\
         {versions}"
    )
}
