//! libpq, PostgreSQL's own client library: the shared builds of this machine,
//! and the one that this program carries.

mod address;
mod connect;
mod ffi;
mod find;
mod message;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use secrecy::SecretString;

pub use self::find::FindError;
pub(crate) use self::find::named;
use self::{ffi::Library, find::Build};
use super::{
    Attempt, Outcome,
    worker::protocol::{CONTRACT, Capability, Hello},
};
use crate::driver::worker::Player;

/// The driver's id.
pub const ID: &str = "libpq";

/// The longest that an attempt may take, whatever its deadline.
const LONGEST: Duration = Duration::from_hours(24);

/// The driver in its worker process. Its configurations are `default`, libpq 18,
/// and the major versions of the other builds that are here.
pub struct Libpq {
    builds: Vec<Build>,
}

impl Libpq {
    /// The driver, with the builds of this machine: those in the places named,
    /// then the system's, then the bundled one.
    ///
    /// # Errors
    /// When a place that is named has none.
    pub fn find(named: &[PathBuf]) -> Result<Self, FindError> {
        let builds = find::all(named)?;
        Ok(Self { builds })
    }

    /// What there is to tell of each build.
    fn of_each(&self, tell: impl Fn(&Build) -> &str) -> String {
        let told = self.builds.iter().map(|build| match &*self.builds {
            [_] => tell(build).to_owned(),
            _ => format!("{}: {}", build.configuration, tell(build)),
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

impl Player for Libpq {
    fn hello(&self) -> Hello {
        let configurations = self.builds.iter().map(|build| build.configuration.clone());
        Hello {
            contract: CONTRACT,
            driver: ID.into(),
            version: self.of_each(|build| &build.about),
            tls: Some(self.of_each(|build| build.library.tls().unwrap_or("unknown"))),
            configurations: configurations.collect(),
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
            let build = (self.builds.iter())
                .find(|build| build.configuration == attempt.configuration)
                .ok_or_else(|| format!("there is no libpq {} here", attempt.configuration))?;
            let library = build.library;
            tokio::task::spawn_blocking(move || connect::play(library, &attempt, until))
                .await
                .map_err(|error| format!("libpq's thread ended: {error}"))?
        })
    }
}

/// What the parser of the bundled libpq makes of a connection string: the
/// parameters that it sets, by keyword.
///
/// # Errors
/// libpq's own message.
pub fn parse(connection_string: &SecretString) -> Result<BTreeMap<String, String>, String> {
    Library::bundled().parse(&connect::c_string(connection_string)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_tells_of_each_build() {
        let hello = Libpq::find(&[]).unwrap().hello();
        let tls = hello.tls.unwrap();
        for told in [&hello.version, &tls] {
            for configuration in &hello.configurations[1..] {
                assert!(told.contains(&format!("{configuration}: ")), "{told}");
            }
        }
        let first = hello.version.trim_start_matches("default: ");
        assert!(first.starts_with("18."), "{first}");
        assert!(tls.contains("OpenSSL "), "{tls}");
    }
}
