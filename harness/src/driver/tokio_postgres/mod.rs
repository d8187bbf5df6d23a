//! tokio-postgres with each of three TLS connectors.

mod connect;
mod native_tls;
mod no_tls;
mod noted;
mod rustls;
mod trust;

use std::sync::Arc;

use super::worker::Player;

/// tokio-postgres with postgres-native-tls.
pub const NATIVE_TLS: &str = "tokio-postgres-native-tls";

/// tokio-postgres with tokio-postgres-rustls.
pub const RUSTLS: &str = "tokio-postgres-rustls";

/// tokio-postgres with its own `NoTls`.
pub const NO_TLS: &str = "tokio-postgres-notls";

/// The driver with this id, if it is one of tokio-postgres.
#[must_use]
pub fn player(driver: &str) -> Option<Arc<dyn Player>> {
    match driver {
        NATIVE_TLS => Some(Arc::new(native_tls::NativeTls::default())),
        RUSTLS => Some(Arc::new(rustls::Rustls::default())),
        NO_TLS => Some(Arc::new(no_tls::NoTls)),
        _ => None,
    }
}
