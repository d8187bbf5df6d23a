//! tokio-postgres with each of three TLS connectors.

mod connect;
mod native_tls;
mod no_tls;
mod noted;
mod rustls;
mod trust;

use std::sync::Arc;

pub use native_tls::ID as NATIVE_TLS;
pub use no_tls::ID as NO_TLS;
pub use rustls::ID as RUSTLS;

use super::worker::Player;

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
