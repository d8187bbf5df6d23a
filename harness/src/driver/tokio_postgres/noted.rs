//! A connector that notes whether its handshake was completed.
//!
//! tokio-postgres has no way to ask a session whether TLS is in use. This
//! wrapper delegates everything, channel binding included, and changes nothing.
//! `TlsConnect::can_connect` can't be named outside tokio-postgres; neither of
//! the connectors that are wrapped overrides it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::BoxFuture;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

/// Wraps a connector for one attempt.
#[derive(Debug)]
pub struct Noted<T> {
    connector: T,
    completed: Arc<AtomicBool>,
}

impl<T> Noted<T> {
    /// Wraps a connector.
    pub fn new(connector: T) -> Self {
        Self {
            connector,
            completed: Arc::default(),
        }
    }

    /// Tells whether the last handshake was completed, also when the connector
    /// is gone.
    pub fn completed(&self) -> impl Fn() -> bool + use<T> {
        let completed = self.completed.clone();
        move || completed.load(Ordering::Acquire)
    }
}

impl<S, T> MakeTlsConnect<S> for Noted<T>
where
    T: MakeTlsConnect<S>,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<S>>::Future: Send + 'static,
{
    type Stream = T::Stream;
    type TlsConnect = Noted<T::TlsConnect>;
    type Error = T::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Self::TlsConnect, Self::Error> {
        // A driver that dials again, without TLS, must not look encrypted.
        self.completed.store(false, Ordering::Release);
        Ok(Noted {
            connector: self.connector.make_tls_connect(domain)?,
            completed: self.completed.clone(),
        })
    }
}

impl<S, T> TlsConnect<S> for Noted<T>
where
    T: TlsConnect<S>,
    T::Future: Send + 'static,
{
    type Stream = T::Stream;
    type Error = T::Error;
    type Future = BoxFuture<'static, Result<T::Stream, T::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        let Self {
            connector,
            completed,
        } = self;
        let handshake = connector.connect(stream);
        Box::pin(async move {
            let stream = handshake.await?;
            completed.store(true, Ordering::Release);
            Ok(stream)
        })
    }
}
