//! An endpoint on this machine: a server program, run over a copy of a
//! template cluster in the run's folder.

use std::{sync::Arc, time::Instant};

use certs_gen::Pki;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::{
    Applied, Endpoint, EndpointError, Facts, LogMark, Login,
    admin::Admin,
    bootstrap::{Master, Passwords, bootstrap, first_session, write_first_hba},
    folder::{Layout, ServerFolder, prepare, write_fixed_settings, write_openssl_conf},
    keys::{Keys, Source},
    log::ServerLog,
    probe::{Expected, Seen},
    sanity::Sanity,
    server::{Server, free_port},
    switch::Switch,
};
use crate::{
    engine::{self, Account, Cache, Program, STRANGER, Version},
    policy::{self, Defaults, DefaultsTable, Effective, Policy, TlsVersion},
    rundir::RunDir,
};

/// The database that RDS makes and that attempts open.
const DATABASE: &str = "postgres";
/// From where the harness comes to a server on this machine.
const ADMIN_FROM: &str = "127.0.0.1/32";
/// How often a port that was just free may turn out to be taken.
const PORTS_TO_TRY: u32 = 5;

/// What an embedded endpoint is made of.
#[derive(Clone)]
pub struct Options {
    /// The version of PostgreSQL; see [`engine::locate`] for what is taken
    /// without one.
    pub request: Option<Version>,
    /// RDS's defaults.
    pub defaults: DefaultsTable,
    /// Keys and certificates; also knows the endpoint's name.
    pub pki: Arc<Pki>,
    /// Where all files go.
    pub run_dir: Arc<RunDir>,
    /// The port of 127.0.0.1 to listen on; any free one without.
    pub port: Option<u16>,
    /// Who the master user is.
    pub master: Master,
}

/// What people may say of the server that no policy says.
struct Listen {
    port: Option<u16>,
    master: Master,
}

/// A PostgreSQL server on this machine that behaves like RDS. Dropped without
/// [`Endpoint::shutdown`], it ends its server and removes its files all the
/// same, blocking for as long as that takes.
pub struct Embedded {
    facts: Facts,
    defaults: Defaults,
    program: Program,
    account: Account,
    log: ServerLog,
    admin: Admin,
    sanity: Sanity,
    generation: u64,
    /// The TLS versions that the server was started with, where only a start
    /// can set them.
    limits: (TlsVersion, TlsVersion),
    /// What the last switch came to, unless it failed.
    in_force: Option<Effective>,
    // Dropped in this order: the server ends, then its folder goes, then
    // maybe the run's, which the keys hold.
    server: Server,
    folder: ServerFolder,
    keys: Keys,
}

impl Embedded {
    /// Finds a server program, starts it over a fresh cluster, and switches it
    /// to RDS's defaults.
    ///
    /// # Errors
    /// When no program can be had, the server does not start, or it does not
    /// show the defaults. Nothing is left behind then.
    pub async fn start(options: Options) -> Result<Self, EndpointError> {
        let account = Account::for_servers()?;
        let cache = Cache::open(&account)?;
        let program = engine::locate(options.request, &cache).await?;
        let defaults = options.defaults.of(program.version);
        let defaults = defaults.ok_or(EndpointError::NoDefaults(program.version))?;
        let source = Source {
            pki: options.pki,
            run_dir: options.run_dir,
        };
        let listen = Listen {
            port: options.port,
            master: options.master,
        };
        // Keys are in the making while the cluster is copied and started.
        let (embedded, ()) = tokio::join!(
            Self::start_program(
                program,
                account,
                &cache,
                defaults.clone(),
                source.clone(),
                listen
            ),
            source.make_ahead(Policy::default().leaf),
        );
        embedded
    }

    async fn start_program(
        program: Program,
        account: Account,
        cache: &Cache,
        defaults: Defaults,
        source: Source,
        listen: Listen,
    ) -> Result<Self, EndpointError> {
        let passwords = Passwords::new(&listen.master)?;
        let version = program.version;
        let first = Policy::default();
        let effective = first.effective(&defaults);
        let template = engine::template(&program, &account, cache).await?;
        account.can_enter(source.run_dir.path(), "TMPDIR")?;
        let folder = ServerFolder::create(source.run_dir.path())?;
        let layout = folder.layout.clone();
        prepare(&template, &layout, &account).await?;
        write_fixed_settings(&layout)?;
        write_first_hba(
            &layout.data,
            &policy::hba(&effective, ADMIN_FROM, &passwords.master_user),
        )?;
        write_openssl_conf(&layout, version, &effective)?;
        let log = ServerLog::create(layout.log.clone()).map_err(EndpointError::io(&layout.log))?;
        let server =
            first_start(&program, &account, &layout, &log, &passwords, listen.port).await?;
        let login = |user: &str, password: &SecretString| Login {
            user: user.to_owned(),
            password: password.clone(),
            database: DATABASE.to_owned(),
        };
        let mut embedded = Self {
            facts: Facts {
                kind: "embedded",
                engine: version,
                host: source.pki.endpoint().as_str().to_owned(),
                address: server.address,
                master: login(&passwords.master_user, &passwords.master),
                stranger: login(STRANGER, &passwords.stranger),
            },
            defaults,
            keys: Keys::new(source, layout.tls.clone(), account.clone()),
            admin: Admin::new(server.address, passwords.admin),
            sanity: Sanity::new()?,
            generation: 0,
            limits: (effective.tls_min, effective.tls_max),
            in_force: None,
            program,
            account,
            log,
            server,
            folder,
        };
        embedded.switch(&first).await?;
        Ok(embedded)
    }

    async fn switch(&mut self, policy: &Policy) -> Result<Applied, EndpointError> {
        let began = Instant::now();
        let version = self.program.version;
        self.in_force = None;
        let policy = policy.effective(&self.defaults);
        let leaf = self.keys.deliver(policy.leaf).await?;
        if !version.has_protocol_settings() && self.limits != (policy.tls_min, policy.tls_max) {
            self.restart(&policy).await?;
        }
        self.generation += 1;
        let switch = Switch {
            address: self.server.address,
            hba_file: &self.folder.layout.data.join("pg_hba.conf"),
            hba: &policy::hba(&policy, ADMIN_FROM, &self.facts.master.user),
            settings: &policy::settings(&policy, version, &leaf.paths),
            generation: self.generation,
            log: &self.log,
            expected: Expected {
                policy: &policy,
                leaf_sha256: leaf.leaf_sha256,
            },
        };
        let seen = switch.make(self.admin.session().await?).await?;
        self.in_force = Some(policy);
        let (leaf_sha256, negotiated) = match seen {
            Seen::Tls {
                leaf_sha256,
                version,
                cipher,
            } => (Some(leaf_sha256), Some((version, cipher))),
            Seen::NoTls | Seen::Failed(_) => (None, None),
        };
        Ok(Applied {
            leaf_sha256,
            negotiated,
            took: began.elapsed(),
        })
    }

    /// The only way to other TLS versions on 10 and 11.
    async fn restart(&mut self, policy: &Effective) -> Result<(), EndpointError> {
        self.admin.close();
        self.server.stop().await;
        write_openssl_conf(&self.folder.layout, self.program.version, policy)?;
        self.server = Server::start(
            &self.program,
            &self.account,
            &self.folder.layout,
            &self.log,
            self.facts.address.port(),
        )?;
        let config = self.admin.config();
        first_session(&mut self.server, self.program.version, config, &self.log).await?;
        self.limits = (policy.tls_min, policy.tls_max);
        Ok(())
    }

    async fn sanity_login(&self) -> Result<(), EndpointError> {
        let facts = &self.facts;
        match &self.in_force {
            Some(policy) => self.sanity.login(facts, policy.ssl).await,
            None => Err(EndpointError::Sanity {
                user: facts.master.user.clone(),
                why: "no policy is in force".to_owned(),
            }),
        }
    }

    async fn stop(mut self) -> Result<(), EndpointError> {
        self.admin.close();
        self.server.stop().await;
        self.folder.remove()
    }
}

impl Endpoint for Embedded {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn apply<'a>(
        &'a mut self,
        policy: &'a Policy,
    ) -> BoxFuture<'a, Result<Applied, EndpointError>> {
        Box::pin(self.switch(policy))
    }

    fn sanity(&self) -> BoxFuture<'_, Result<(), EndpointError>> {
        Box::pin(self.sanity_login())
    }

    fn log_mark(&self) -> BoxFuture<'_, Result<LogMark, EndpointError>> {
        let mark = self.log.mark().map_err(EndpointError::io(self.log.path()));
        Box::pin(async { mark })
    }

    fn log_since(&self, mark: LogMark) -> BoxFuture<'_, Result<String, EndpointError>> {
        let text = self.log.since(mark);
        let text = text.map_err(EndpointError::io(self.log.path()));
        Box::pin(async { text })
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), EndpointError>> {
        Box::pin(self.stop())
    }
}

/// Starts the server, on another port when the one that was free is taken by
/// the time that the server wants it.
async fn first_start(
    program: &Program,
    account: &Account,
    layout: &Layout,
    log: &ServerLog,
    passwords: &Passwords,
    port: Option<u16>,
) -> Result<Server, EndpointError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mark = log.mark().map_err(EndpointError::io(log.path()))?;
        let at = port.map_or_else(free_port, Ok)?;
        let mut server = Server::start(program, account, layout, log, at)?;
        let started = bootstrap(&mut server, program.version, &layout.socket, log, passwords).await;
        let Err(error) = started else {
            return Ok(server);
        };
        let said = log.since(mark).unwrap_or_default();
        let taken = said.contains("Address already in use");
        match port {
            Some(port) if taken => return Err(EndpointError::PortTaken(port)),
            None if taken && tries < PORTS_TO_TRY => {}
            _ => return Err(error),
        }
    }
}
