//! An emulated RDS instance for tests of one's own.

use std::{net::SocketAddr, path::PathBuf};

use certs_gen::DEFAULT_ENDPOINT;
use harness::{
    endpoint::{Endpoint, Facts, Master},
    engine::Version,
    password::password,
    policy::{Leaf, Policy, TlsVersion},
    suite::Trust,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    Backend, Engine, Failure,
    instance::{self, Asker, InstanceName},
    run_context::RunContext,
};

/// All but the unreserved characters of RFC 3986, 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A PostgreSQL on 127.0.0.1 whose TLS behaves like RDS's, until it is stopped
/// or dropped.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use suites::Emulator;
///
/// let rds = Emulator::builder().force_ssl(true).start().await?;
/// // A client that knows nothing of TLS is turned away, as by RDS.
/// let error = tokio_postgres::connect(&rds.url("disable"), tokio_postgres::NoTls)
///     .await
///     .err()
///     .expect("plaintext is refused");
/// assert_eq!(error.code().map(|state| state.code()), Some("28000"));
/// rds.stop().await?;
/// # Ok::<(), suites::Failure>(())
/// # }).unwrap();
/// ```
pub struct Emulator {
    // Dropped in this order: the server ends before its folder goes.
    endpoint: Box<dyn Endpoint>,
    run_context: RunContext,
    certificate: Leaf,
}

/// What the emulated instance is to be like; RDS's defaults for its engine
/// where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    name: Option<InstanceName>,
    found: Option<Engine>,
    backend: Backend,
    engine: Option<Version>,
    host: Option<String>,
    port: Option<u16>,
    master: Master,
    policy: Policy,
}

impl Emulator {
    /// RDS's defaults on the newest PostgreSQL installed.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The server: version, name, address, logins.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        self.endpoint.facts()
    }

    /// The name in the certificate. No DNS knows it; dial [`Self::address`].
    #[must_use]
    pub fn host(&self) -> &str {
        &self.facts().host
    }

    /// The certificate that it serves.
    #[must_use]
    pub fn certificate(&self) -> Leaf {
        self.certificate
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.facts().address
    }

    /// A PEM file of the root that its chain ends in.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn ca_file(&self) -> Result<PathBuf, Failure> {
        (self.run_context.trust_files())(Trust::Root)
            .map_err(|why| Failure::CouldNot(anyhow::anyhow!(why)))
    }

    /// A URI for clients that know `hostaddr` (libpq, tokio-postgres), the
    /// password in it.
    #[must_use]
    pub fn url(&self, sslmode: &str) -> String {
        let master = &self.facts().master;
        format!(
            "postgresql://{}:{}@{}:{}/{}?hostaddr={}&sslmode={sslmode}",
            master.user,
            utf8_percent_encode(master.password.expose_secret(), RESERVED),
            self.host(),
            self.address().port(),
            master.database,
            self.address().ip(),
        )
    }

    /// Writes the master user's login to a file for `PGPASSFILE`.
    ///
    /// # Errors
    /// When it can't be written, or has been already.
    pub fn write_pass_file(&self) -> Result<PathBuf, Failure> {
        let written = self.run_context.write_pass_file(self.facts());
        written.map_err(Failure::CouldNot)
    }

    /// Writes the master user's password alone to a file, without a line's end:
    /// for clients that read no `PGPASSFILE`.
    ///
    /// # Errors
    /// When it can't be written, or has been already.
    pub fn write_password_file(&self) -> Result<PathBuf, Failure> {
        let password = self.facts().master.password.expose_secret();
        let written = self.run_context.write_private("password", password);
        written.map_err(Failure::CouldNot)
    }

    /// Writes a file in the form of `/etc/hosts` that knows [`Self::host`]:
    /// for clients that dial the name they verify.
    ///
    /// # Errors
    /// When it can't be written, or has been already.
    pub fn write_hosts_file(&self) -> Result<PathBuf, Failure> {
        let line = format!("{} {}\n", self.address().ip(), self.host());
        let written = self.run_context.write_private("hosts", &line);
        written.map_err(Failure::CouldNot)
    }

    /// Waits until [`Self::stop_named`] asks for its end; for ever where it has
    /// no name. Whoever asked waits until the run's folder is gone and what
    /// this returns is dropped.
    pub async fn stop_asked(&self) -> Asker {
        self.run_context.stop_asked().await
    }

    /// Asks the instance of this user that bears a name, in whatever process,
    /// to end, and waits until nothing of it is left. False when there is none.
    ///
    /// # Errors
    /// When it is still up after a minute.
    pub async fn stop_named(name: &InstanceName) -> Result<bool, Failure> {
        instance::stop(name).await
    }

    /// Ends the server and removes all its files.
    ///
    /// # Errors
    /// When something is left behind.
    pub async fn stop(self) -> Result<(), Failure> {
        let down = self.endpoint.shutdown().await;
        let closed = self.run_context.close();
        down.map_err(anyhow::Error::from)
            .and(closed)
            .map_err(Failure::CouldNot)
    }
}

impl Builder {
    /// A name, by which [`Emulator::stop_named`] finds it. One living instance
    /// of a user bears it at a time.
    #[must_use]
    pub fn name(mut self, name: InstanceName) -> Self {
        self.name = Some(name);
        self
    }

    /// Where it runs; [`Backend::Auto`] where nothing is said.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// An engine that was found already, instead of a backend and a version.
    #[must_use]
    pub fn on(mut self, engine: Engine) -> Self {
        self.found = Some(engine);
        self
    }

    /// The version of PostgreSQL, pulled or downloaded where it isn't installed.
    #[must_use]
    pub fn engine(mut self, version: Version) -> Self {
        self.engine = Some(version);
        self
    }

    /// The name in the certificate: an endpoint's, or `localhost` for clients
    /// that verify the name they dial.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.host = Some(name.into());
        self
    }

    /// The port of 127.0.0.1.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The master user's name.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>) -> Self {
        self.master.user = Some(name.into());
        self
    }

    /// The master user's password.
    #[must_use]
    pub fn password(mut self, password: impl Into<SecretString>) -> Self {
        self.master.password = Some(password.into());
        self
    }

    /// `rds.force_ssl`.
    #[must_use]
    pub fn force_ssl(mut self, on: bool) -> Self {
        self.policy.force_ssl = Some(on);
        self
    }

    /// `ssl_min_protocol_version`.
    #[must_use]
    pub fn tls_min(mut self, version: TlsVersion) -> Self {
        self.policy.tls_min = Some(version);
        self
    }

    /// `ssl_max_protocol_version`.
    #[must_use]
    pub fn tls_max(mut self, version: TlsVersion) -> Self {
        self.policy.tls_max = Some(version);
        self
    }

    /// `ssl_ciphers`, in OpenSSL's words or, as on RDS, in IANA's names.
    #[must_use]
    pub fn ciphers(mut self, list: impl Into<String>) -> Self {
        self.policy.ciphers = Some(list.into());
        self
    }

    /// The server certificate, of any shape; [`Leaf::about`] tells each.
    #[must_use]
    pub fn certificate(mut self, leaf: Leaf) -> Self {
        self.policy.leaf = leaf;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// Usage, when the engine can't be had or a name or the password is wrong; else when its
    /// name is borne by another, or the server does not start or does not show
    /// what it is to be like.
    pub async fn start(self) -> Result<Emulator, Failure> {
        if let Some(given) = &self.master.password {
            password(given.expose_secret()).map_err(|error| Failure::Usage(error.into()))?;
        }
        let engine = match self.found {
            Some(engine) => engine,
            None => self.backend.engine(self.engine).await?,
        };
        let host = self.host.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        let defaults = crate::data::defaults().map_err(Failure::Usage)?;
        let run_context = RunContext::named(host, self.name.as_ref())?;
        let endpoint = run_context.endpoint(&engine, defaults, self.port, self.master);
        let endpoint = endpoint.await;
        let mut emulator = Emulator {
            endpoint: endpoint.map_err(Failure::CouldNot)?,
            run_context,
            certificate: self.policy.leaf,
        };
        match emulator.endpoint.apply(&self.policy).await {
            Ok(_) => Ok(emulator),
            Err(error) => {
                // What is wrong with the policy matters more than the clean-up.
                let _ = emulator.stop().await;
                Err(Failure::CouldNot(error.into()))
            }
        }
    }
}
