//! psql, as this machine has it: a program at a terminal.

mod arguments;
mod conversation;
mod find;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;

use self::find::Psql;
use crate::driver::{
    Attempt, Outcome,
    worker::{
        Player,
        protocol::{CONTRACT, Capability, Hello},
    },
};

/// The driver's id.
pub const ID: &str = "psql";

/// What a case asks for what psql prints when a session stands, up to its first
/// prompt. It is no statement, so that no other driver can answer it.
pub const LOGON: &str = "\\logon";

/// The driver in its worker process. Its configurations are the major versions
/// of the programs that are here.
#[derive(Debug)]
pub struct AnyPsql {
    programs: Vec<Psql>,
}

impl AnyPsql {
    /// The driver, with the programs of this machine.
    #[must_use]
    pub fn find() -> Self {
        Self {
            programs: find::all(),
        }
    }
}

impl Player for AnyPsql {
    fn hello(&self) -> Hello {
        let versions = self.programs.iter().map(|psql| psql.version.to_string());
        Hello {
            contract: CONTRACT,
            driver: ID.into(),
            version: versions.collect::<Vec<_>>().join(", "),
            tls: None,
            configurations: self.programs.iter().map(Psql::configuration).collect(),
            capabilities: vec![Capability::KeyValue, Capability::TlsInUse],
        }
    }

    fn play(
        self: Arc<Self>,
        attempt: Attempt,
        deadline: Duration,
    ) -> BoxFuture<'static, Result<Outcome, String>> {
        Box::pin(async move {
            let psql = (self.programs.iter())
                .find(|psql| psql.configuration() == attempt.configuration)
                .ok_or_else(|| format!("there is no psql {} here", attempt.configuration))?;
            tokio::time::timeout(deadline, conversation::play(psql, &attempt))
                .await
                .unwrap_or_else(|_| Err("psql was still at work when the deadline passed".into()))
        })
    }
}
