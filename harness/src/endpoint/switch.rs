//! Switches a running server to a policy, and makes sure that it did.
//!
//! What tells the new state from the old: the postmaster handles a reload as
//! one piece, between two connections (`postmaster.c`: `SIGHUP_handler` up to
//! 15, `process_pm_reload_request` from 16). It reads the settings, passes the
//! signal on to its children, then reads `pg_hba.conf`, the certificate and
//! the keys. So once a child shows the new *generation*, a placeholder setting
//! that is counted up with each switch, a connection made after that is served
//! by a postmaster that is done with all of it, and what it refused stands in
//! the log by then. SHOW alone proves nothing of TLS: a refused reload keeps
//! the old state while SHOW reports the new one.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    EndpointError,
    admin::{Session, quoted},
    log::{Log, LogMark, refusal},
    probe::{Expected, Seen, probe},
};
use crate::policy::HbaLine;

/// How long a server may take to reload; a few milliseconds are usual.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long the wire may go on showing something else after that; the first
/// probe should settle it.
const WIRE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long one step of a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(1);

const GENERATION: &str = "rds_tls.generation";

/// Everything that a switch writes.
pub(super) struct Switch<'a, L> {
    pub(super) address: SocketAddr,
    pub(super) hba_file: &'a Path,
    pub(super) hba: &'a [HbaLine],
    pub(super) settings: &'a [(&'static str, String)],
    /// Never used before on this server.
    pub(super) generation: u64,
    pub(super) log: &'a L,
    pub(super) expected: Expected<'a>,
}

impl<L: Log> Switch<'_, L> {
    /// Writes, reloads and probes; gives what the last probe saw.
    pub(super) async fn make(&self, session: &Session) -> Result<Seen, EndpointError> {
        let mark = self.log.mark().await?;
        session.run("write a policy", &self.statements()).await?;
        let reload = ["SELECT pg_reload_conf()".to_owned()];
        session.run("reload", &reload).await?;
        let reloaded = Instant::now();
        self.wait_for_generation(session, mark, reloaded).await?;
        let seen = self.wait_for_wire(mark, reloaded).await?;
        self.check_hba(session).await?;
        Ok(seen)
    }

    fn statements(&self) -> Vec<String> {
        let lines: Vec<_> = self.hba.iter().map(|l| quoted(&l.to_string())).collect();
        let copy = format!(
            "COPY (SELECT line FROM unnest(ARRAY[{}]) WITH ORDINALITY AS t (line, n) ORDER BY n) \
             TO {}",
            lines.join(", "),
            quoted(&self.hba_file.to_string_lossy())
        );
        let generation = (GENERATION, self.generation.to_string());
        let set = self.settings.iter().chain([&generation]);
        let set = set.map(|(name, value)| format!("ALTER SYSTEM SET {name} = {}", quoted(value)));
        [copy].into_iter().chain(set).collect()
    }

    async fn wait_for_generation(
        &self,
        session: &Session,
        mark: LogMark,
        reloaded: Instant,
    ) -> Result<(), EndpointError> {
        let generation = Some(self.generation.to_string());
        let query = format!("SELECT current_setting('{GENERATION}', true)");
        loop {
            let rows = session.rows("show its generation", &query).await?;
            let shown = rows.into_iter().flatten().next().flatten();
            if shown == generation {
                return Ok(());
            }
            self.check_log(mark).await?;
            if reloaded.elapsed() > TIMEOUT {
                return Err(EndpointError::Silent {
                    what: "reload its configuration".to_owned(),
                    waited: TIMEOUT,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn wait_for_wire(&self, mark: LogMark, reloaded: Instant) -> Result<Seen, EndpointError> {
        let first_probe = Instant::now();
        loop {
            let (address, policy) = (self.address, self.expected.policy.clone());
            let probed =
                tokio::task::spawn_blocking(move || probe(address, &policy, PROBE_TIMEOUT))
                    .await
                    .map_err(io::Error::from)
                    .and_then(|probed| probed);
            // After the probe: by then the postmaster is done with the reload.
            self.check_log(mark).await?;
            let seen = probed.map_err(|error| match error.kind() {
                // What a read or write timeout of a socket is, by platform.
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => EndpointError::Silent {
                    what: "answer a request for TLS".to_owned(),
                    waited: PROBE_TIMEOUT,
                },
                _ => EndpointError::Unreachable {
                    address,
                    why: error.to_string(),
                },
            })?;
            if self.expected.holds(&seen) {
                return Ok(seen);
            }
            if first_probe.elapsed() > WIRE_TIMEOUT {
                return Err(EndpointError::NotShown {
                    expected: self.expected.to_string(),
                    seen: seen.to_string(),
                    waited: reloaded.elapsed(),
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn check_log(&self, mark: LogMark) -> Result<(), EndpointError> {
        match refusal(&self.log.since(mark).await?) {
            Some(log) => Err(EndpointError::ReloadRefused { log }),
            None => Ok(()),
        }
    }

    /// The view reads the file anew, so this says that the file is right; that
    /// it is in force, the generation and the log say.
    async fn check_hba(&self, session: &Session) -> Result<(), EndpointError> {
        let rows = session
            .rows(
                "show pg_hba_file_rules",
                "SELECT error, type, array_to_string(database, ','), \
                 array_to_string(user_name, ','), address, auth_method \
                 FROM pg_hba_file_rules ORDER BY line_number",
            )
            .await?;
        let mut read = Vec::new();
        for row in rows {
            let mut row = row.into_iter().map(Option::unwrap_or_default);
            let error = row.next().unwrap_or_default();
            if !error.is_empty() {
                return Err(EndpointError::Hba(error));
            }
            read.push(row.collect::<Vec<_>>().join(" "));
        }
        let written: Vec<_> = self.hba.iter().map(as_in_view).collect();
        if read == written {
            return Ok(());
        }
        let (read, written) = (read.join(" | "), written.join(" | "));
        Err(EndpointError::Hba(format!(
            "it has {read}, written was {written}"
        )))
    }
}

/// The view has the mask in a column of its own.
fn as_in_view(line: &HbaLine) -> String {
    let address = line.address.split('/').next().unwrap_or_default();
    let HbaLine {
        connection,
        database,
        user,
        method,
        ..
    } = line;
    format!("{connection} {database} {user} {address} {method}")
}
