//! tokio-postgres with [`NoTls`](tokio_postgres::NoTls).

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use super::connect;
use crate::driver::{
    Attempt, Outcome,
    versions::locked_version,
    worker::{
        Player,
        protocol::{CONTRACT, Capability, Hello},
    },
};

/// The driver's id: tokio-postgres with its own `NoTls`.
pub const ID: &str = "tokio-postgres-notls";

/// `NoTls` as the crate's front page shows it.
const CONFIGURATION: &str = "default";

/// The driver in its worker process.
#[derive(Debug)]
pub struct NoTls;

impl Player for NoTls {
    fn hello(&self) -> Hello {
        Hello {
            contract: CONTRACT,
            driver: ID.into(),
            version: locked_version("tokio-postgres"),
            tls: None,
            configurations: vec![CONFIGURATION.into()],
            capabilities: vec![Capability::KeyValue, Capability::Uri, Capability::TlsInUse],
        }
    }

    fn play(
        self: Arc<Self>,
        attempt: Attempt,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<Outcome, String>> {
        Box::pin(connect::within(deadline, async move {
            connect::named(ID, &attempt, &[(CONFIGURATION, ())])?;
            // NoTls has no session to stand: TLS is never in use.
            connect::play(&attempt, ::tokio_postgres::NoTls, || false).await
        }))
    }
}
