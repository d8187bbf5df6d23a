//! libpq 18, PostgreSQL's own client library, bundled.

mod connect;
mod ffi;
mod message;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::{
    Attempt, Outcome,
    versions::locked_version,
    worker::protocol::{CONTRACT, Capability, Hello},
};
use crate::driver::worker::Player;

/// The driver's id.
pub const ID: &str = "libpq";

/// The only configuration: libpq takes all it needs as parameters.
const CONFIGURATION: &str = "default";

/// The longest that an attempt may take, whatever its deadline.
const LONGEST: Duration = Duration::from_hours(24);

/// The driver in its worker process.
#[derive(Debug, Default)]
pub struct Libpq;

impl Libpq {
    /// The driver.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Player for Libpq {
    fn hello(&self) -> Hello {
        Hello {
            contract: CONTRACT,
            driver: ID.into(),
            version: version(&locked_version("pq-src"), ffi::lib_version()),
            tls: ffi::ssl_library().map(|_| openssl::version::version().into()),
            configurations: vec![CONFIGURATION.into()],
            capabilities: vec![
                Capability::KeyValue,
                Capability::Uri,
                Capability::HomeRootCrt,
                Capability::SystemRoots,
                Capability::TlsInUse,
            ],
        }
    }

    fn play(
        self: Arc<Self>,
        attempt: Attempt,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<Outcome, String>> {
        let until = Instant::now() + deadline.min(LONGEST);
        Box::pin(async move {
            if attempt.configuration != CONFIGURATION {
                return Err(format!(
                    "libpq has no configuration {}; it has {CONFIGURATION}",
                    attempt.configuration
                ));
            }
            tokio::task::spawn_blocking(move || connect::play(&attempt, until))
                .await
                .map_err(|error| format!("libpq's thread ended: {error}"))?
        })
    }
}

/// What libpq's parser makes of a connection string: the parameters that it
/// sets, by keyword.
///
/// # Errors
/// libpq's own message.
pub fn parse(connection_string: &SecretString) -> Result<BTreeMap<String, String>, String> {
    ffi::parse(&connect::c_string(connection_string)?)
}

/// libpq's version, from that of the crate which bundles it
/// (`0.3.14+libpq-18.6`): the crate's build script puts the minor version in
/// the wrong place of the number that `PQlibVersion` gives. The major version,
/// which is right, must agree.
fn version(bundle: &str, number: i32) -> String {
    let major = (number / 10_000).to_string();
    match bundle.split_once("+libpq-") {
        Some((_, version)) if version.split('.').next() == Some(&*major) => version.to_owned(),
        _ => major,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundled_libpq_is_18_with_openssl() {
        let hello = Libpq::new().hello();
        assert!(hello.version.starts_with("18."), "{hello:?}");
        assert!(hello.tls.is_some_and(|tls| tls.starts_with("OpenSSL ")));
    }

    #[test]
    fn version_of_another_libpq_is_not_claimed() {
        assert_eq!(version("0.3.14+libpq-18.6", 180_600), "18.6");
        assert_eq!(version("0.3.14+libpq-18.6", 170_004), "17");
    }
}
