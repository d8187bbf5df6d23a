//! An endpoint on this machine: a server program, run over a copy of a
//! template cluster in the run's folder.

use std::path::{Path, PathBuf};

use tokio_postgres::Config;

use super::{
    Endpoint, EndpointError, EndpointKind,
    bootstrap::{Passwords, bootstrap, write_first_hba},
    emulated::{Emulated, Options, Started},
    folder::{Layout, ServerFolder, prepare, write_fixed_settings, write_openssl_conf},
    log::{FileLog, Log},
    place::Place,
    server::{Server, free_port},
};
use crate::{
    engine::{self, Account, Cache, Program, Version, write_private},
    policy::{self, Policy},
};

/// How often a port that was just free may turn out to be taken.
pub(super) const PORTS_TO_TRY: u32 = 5;

/// Finds a server program (see [`engine::locate`] for what is taken without a
/// request), starts it over a fresh cluster, and switches it to RDS's defaults.
///
/// # Errors
/// When no program can be had, the server does not start, or it does not show
/// the defaults. Nothing is left behind then.
pub async fn embedded(
    request: Option<Version>,
    options: Options,
) -> Result<Box<dyn Endpoint>, EndpointError> {
    let account = Account::for_servers()?;
    let cache = Cache::open(&account)?;
    let program = engine::locate(request, &cache).await?;
    let source = options.source();
    // Keys are in the making while the cluster is copied and started.
    let (started, ()) = tokio::join!(
        start(program, account, &cache, options),
        source.make_ahead(Policy::default().leaf),
    );
    Ok(Box::new(Emulated::new(started?).await?))
}

async fn start(
    program: Program,
    account: Account,
    cache: &Cache,
    options: Options,
) -> Result<Started<OnThisMachine>, EndpointError> {
    let version = program.version;
    let defaults = options.defaults_of(version)?;
    let effective = Policy::default().effective(&defaults);
    let passwords = Passwords::new(&options.master)?;
    let template = engine::template(&program, &account, cache).await?;
    account.can_enter(options.run_dir.path(), "TMPDIR")?;
    let folder = ServerFolder::create(options.run_dir.path())?;
    let layout = folder.layout.clone();
    prepare(&template, &layout, &account).await?;
    write_fixed_settings(&layout)?;
    write_first_hba(
        &layout.data,
        &policy::hba(
            &effective,
            OnThisMachine::ADMIN_FROM,
            &passwords.master_user,
        ),
    )?;
    tell_openssl(
        &program,
        &layout,
        &policy::openssl_conf(&effective, version),
    )?;
    let log = FileLog::create(layout.log.clone())?;
    let port = options.port.map_or_else(free_port, Ok)?;
    let mut place = OnThisMachine {
        server: Server::start(&program, &account, &layout, &log, port)?,
        folder,
        hba_file: layout.data.join("pg_hba.conf"),
        log,
        program,
        account,
    };
    place.first_steps(options.port, &passwords).await?;
    Ok(Started {
        version,
        address: place.server.address,
        place,
        passwords,
        defaults,
        effective,
        source: options.source(),
    })
}

/// An OpenSSL that can't be told goes by its own configuration.
fn tell_openssl(program: &Program, layout: &Layout, conf: &str) -> Result<(), EndpointError> {
    let conf = if program.has_old_openssl() { "" } else { conf };
    write_openssl_conf(&layout.openssl_conf, conf)
}

/// A server process of this machine, over files in the run's folder.
struct OnThisMachine {
    // Dropped in this order: the server ends, then its folder goes.
    server: Server,
    folder: ServerFolder,
    hba_file: PathBuf,
    log: FileLog,
    program: Program,
    account: Account,
}

impl OnThisMachine {
    /// Gives the roles their passwords; on another port when the one that was
    /// free is taken by the time that the server wants it.
    async fn first_steps(
        &mut self,
        port: Option<u16>,
        passwords: &Passwords,
    ) -> Result<(), EndpointError> {
        let version = self.program.version;
        let mut tries = 1;
        loop {
            let mark = self.log.mark().await?;
            let mut config = Config::new();
            (config.host_path(&self.folder.layout.socket)).port(self.server.address.port());
            let Err(error) = bootstrap(self, version, config, passwords).await else {
                return Ok(());
            };
            let said = self.log.since(mark).await.unwrap_or_default();
            let taken = said.contains("Address already in use");
            match port {
                Some(port) if taken => return Err(EndpointError::PortTaken(port)),
                None if taken && tries < PORTS_TO_TRY => self.start(free_port()?)?,
                _ => return Err(error),
            }
            tries += 1;
        }
    }

    fn start(&mut self, port: u16) -> Result<(), EndpointError> {
        let (program, account) = (&self.program, &self.account);
        self.server = Server::start(program, account, &self.folder.layout, &self.log, port)?;
        Ok(())
    }
}

impl Place for OnThisMachine {
    const KIND: EndpointKind = EndpointKind::Embedded;
    const ADMIN_FROM: &'static str = "127.0.0.1/32";

    type Log = FileLog;

    fn log(&self) -> &FileLog {
        &self.log
    }

    fn hba_file(&self) -> &Path {
        &self.hba_file
    }

    async fn put(&self, name: &str, contents: &[u8]) -> Result<PathBuf, EndpointError> {
        let path = self.folder.layout.tls.join(name);
        write_private(&path, contents, &self.account)?;
        Ok(path)
    }

    async fn restart(&mut self, openssl_conf: &str) -> Result<(), EndpointError> {
        self.server.stop().await;
        tell_openssl(&self.program, &self.folder.layout, openssl_conf)?;
        self.start(self.server.address.port())
    }

    async fn ended(&mut self) -> Option<String> {
        self.server.ended()
    }

    async fn stop(mut self) -> Result<(), EndpointError> {
        self.server.stop().await;
        self.folder.remove()
    }
}
