//! An endpoint in a container: PostgreSQL's official image, or one that keeps
//! its contract, with RDS's folders in it.

mod daemon;
mod error;
mod files;
mod image;
mod log;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
};

pub use daemon::Daemon;
pub use error::ContainerError;
pub use image::{Image, ImageName};
use secrecy::ExposeSecret;
use testcontainers::{
    ContainerAsync, ContainerRequest, CopyTargetOptions, ImageExt,
    bollard::{
        models::{HostConfig, PortBinding},
        query_parameters::RestartContainerOptionsBuilder,
    },
    runners::AsyncRunner,
};
use testcontainers_modules::postgres::Postgres;
use tokio::{
    runtime::{Handle, Runtime},
    sync::OnceCell,
};

use self::{
    error::describe,
    files::{Files, Owner},
    log::ContainerLog,
};
use super::{
    Endpoint, EndpointError, EndpointKind,
    admin::Admin,
    bootstrap::{Passwords, bootstrap},
    embedded::PORTS_TO_TRY,
    emulated::{DATABASE, Emulated, Options, Started},
    folder::FIXED_SETTINGS,
    place::Place,
    server::free_port,
};
use crate::{
    engine::{self, ADMIN, Version},
    policy::{self, Policy},
};

/// Where RDS has certificates (`SHOW ssl_cert_file` in the RDS document).
const KEYS: &str = "/rdsdbdata/rds-metadata";
/// As `start.sh` has it.
const LOG: &str = "/rdsdbdata/log/error/postgresql.log";
const DATA: &str = "/rdsdbdata/db";
const HBA: &str = "/rdsdbdata/db/pg_hba.conf";
const OPENSSL_CONF: &str = "/rds-tls/openssl.cnf";
const PASSWORD: &str = "/rds-tls/password";
const SETTINGS: &str = "/rds-tls/settings.conf";
const START: &str = "/rds-tls/start";
const PORT: &str = "5432/tcp";
/// How long a server that is told to stop may take, in seconds.
const STOP_TIMEOUT: i32 = 10;

/// Starts a container of an image, and switches it to RDS's defaults.
///
/// # Errors
/// When the daemon refuses, the server does not start, or it does not show the
/// defaults. Nothing is left behind then.
pub async fn container(
    image: &Image,
    options: Options,
) -> Result<Box<dyn Endpoint>, EndpointError> {
    let source = options.source();
    let (started, ()) = tokio::join!(
        start(image, options),
        source.make_ahead(Policy::default().leaf),
    );
    Ok(Box::new(Emulated::new(started?).await?))
}

async fn start(image: &Image, options: Options) -> Result<Started<InContainer>, EndpointError> {
    let daemon = Daemon::find().await?;
    let defaults = options.defaults_of(image.version())?;
    let effective = Policy::default().effective(&defaults);
    let openssl_conf = policy::openssl_conf(&effective, image.version());
    let passwords = Passwords::new(&options.master)?;
    let recipe = Recipe {
        image,
        run: options.run_dir.path(),
        openssl_conf: &openssl_conf,
        passwords: &passwords,
    };
    let mut place = recipe.place(&daemon, options.port).await?;
    let mut config = tokio_postgres::Config::new();
    config
        .host(place.address.ip().to_string())
        .port(place.address.port())
        .password(passwords.admin.expose_secret());
    bootstrap(&mut place, image.version(), config, &passwords).await?;
    let version = version(place.address, &passwords).await?;
    if version.major != image.version().major {
        return Err(ContainerError::Mislabelled {
            reference: image.to_string(),
            says: image.version(),
            runs: version,
        }
        .into());
    }
    Ok(Started {
        version,
        address: place.address,
        place,
        passwords,
        defaults,
        effective,
        source: options.source(),
    })
}

/// What the server says of itself.
async fn version(address: SocketAddr, passwords: &Passwords) -> Result<Version, EndpointError> {
    let mut admin = Admin::new(address, passwords.admin.clone());
    let rows = (admin.session().await?)
        .rows("show its version", "SHOW server_version")
        .await?;
    let shown = rows.into_iter().flatten().next().flatten();
    let shown = shown.unwrap_or_default();
    // As `17.6 (Debian 17.6-1.pgdg13+1)`.
    Version::from_program(&format!("(PostgreSQL) {shown}")).map_err(|error| {
        EndpointError::Statement {
            what: "show its version".to_owned(),
            why: error.to_string(),
        }
    })
}

/// What a container is made of.
struct Recipe<'a> {
    image: &'a Image,
    run: &'a Path,
    openssl_conf: &'a str,
    passwords: &'a Passwords,
}

impl Recipe<'_> {
    /// Starts a container; on another port when the one that was free is taken
    /// by the time that the daemon wants it.
    async fn place(
        &self,
        daemon: &Daemon,
        port: Option<u16>,
    ) -> Result<InContainer, EndpointError> {
        if let Some(port) = port
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
        {
            return Err(EndpointError::PortTaken(port));
        }
        let mut tries = 1;
        loop {
            let at = port.map_or_else(free_port, Ok)?;
            let run = self.run.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{run}-{at}");
            let why = match self.request(&name, at).start().await {
                Ok(container) => return Ok(self.started(daemon, container, name, at)),
                Err(error) => describe(&error),
            };
            // A container may have been made, and then not started.
            daemon.remove(&name).await?;
            let taken = why.contains("already allocated") || why.contains("already in use");
            match port {
                Some(port) if taken => return Err(EndpointError::PortTaken(port)),
                None if taken && tries < PORTS_TO_TRY => {}
                _ => {
                    let what = format!("start a container of {}", self.image);
                    return Err(ContainerError::Refused { what, why }.into());
                }
            }
            tries += 1;
        }
    }

    fn started(
        &self,
        daemon: &Daemon,
        container: ContainerAsync<Postgres>,
        name: String,
        port: u16,
    ) -> InContainer {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let files = Files {
            docker: daemon.docker.clone(),
            container: name.clone(),
        };
        let admin = Admin::new(address, self.passwords.admin.clone());
        InContainer {
            log: ContainerLog::new(LOG, admin, files.clone()),
            container: Some(container),
            daemon: daemon.clone(),
            owner: OnceCell::new(),
            files,
            name,
            address,
        }
    }

    fn request(&self, name: &str, port: u16) -> ContainerRequest<Postgres> {
        let private = |path: &str| CopyTargetOptions::new(path).with_mode(0o600);
        let settings = format!("listen_addresses = '*'\n{FIXED_SETTINGS}");
        let add_settings = format!("cat {SETTINGS} >>\"$PGDATA/postgresql.conf\"\n");
        Postgres::default()
            .with_user(ADMIN)
            .with_db_name(DATABASE)
            // For none: the module has a default, which would exclude the file.
            .with_password("")
            .with_init_sql(engine::roles().into_bytes())
            .with_name(&self.image.repository)
            .with_tag(&self.image.tag)
            .with_container_name(name)
            .with_labels(Daemon::labels(self.run))
            .with_env_var("POSTGRES_PASSWORD_FILE", PASSWORD)
            .with_env_var(
                "POSTGRES_INITDB_ARGS",
                "--no-sync --locale=C --encoding=UTF8 --auth-host=scram-sha-256",
            )
            .with_env_var("PGDATA", DATA)
            .with_env_var("OPENSSL_CONF", OPENSSL_CONF)
            .with_copy_to(private(START), include_bytes!("start.sh").to_vec())
            .with_copy_to(
                private(PASSWORD),
                self.passwords.admin.expose_secret().as_bytes().to_vec(),
            )
            .with_copy_to(private(SETTINGS), settings.into_bytes())
            .with_copy_to(private(OPENSSL_CONF), self.openssl_conf.as_bytes().to_vec())
            .with_copy_to(
                "/docker-entrypoint-initdb.d/00-settings.sh",
                add_settings.into_bytes(),
            )
            .with_user("root")
            .with_cmd(["sh", START])
            .with_host_config_modifier(move |host| publish(host, port))
            // To accept connections is what is waited for, by connecting.
            .with_ready_conditions(Vec::new())
    }
}

/// On the loopback address alone.
fn publish(host: &mut HostConfig, port: u16) {
    let binding = PortBinding {
        host_ip: Some(Ipv4Addr::LOCALHOST.to_string()),
        host_port: Some(port.to_string()),
    };
    host.publish_all_ports = Some(false);
    host.port_bindings = Some([(PORT.to_owned(), Some(vec![binding]))].into());
}

/// A server process in a container. Its volumes go with it.
struct InContainer {
    /// Absent once it was removed.
    container: Option<ContainerAsync<Postgres>>,
    daemon: Daemon,
    name: String,
    address: SocketAddr,
    files: Files,
    /// Who the server's files belong to, once somebody asked.
    owner: OnceCell<Owner>,
    log: ContainerLog,
}

impl InContainer {
    async fn write(&self, path: &Path, contents: &[u8]) -> Result<(), ContainerError> {
        let owner = || self.files.owner(Path::new(KEYS));
        let owner = *self.owner.get_or_try_init(owner).await?;
        self.files.write(path, contents, owner).await
    }
}

impl Place for InContainer {
    const KIND: EndpointKind = EndpointKind::Container;
    // Docker's proxy hides the address that a connection comes from.
    const ADMIN_FROM: &'static str = "all";

    type Log = ContainerLog;

    fn log(&self) -> &ContainerLog {
        &self.log
    }

    fn hba_file(&self) -> &Path {
        Path::new(HBA)
    }

    async fn put(&self, name: &str, contents: &[u8]) -> Result<PathBuf, EndpointError> {
        let path = Path::new(KEYS).join(name);
        self.write(&path, contents).await?;
        Ok(path)
    }

    async fn restart(&mut self, openssl_conf: &str) -> Result<(), EndpointError> {
        self.write(Path::new(OPENSSL_CONF), openssl_conf.as_bytes())
            .await?;
        let options = RestartContainerOptionsBuilder::new()
            .t(STOP_TIMEOUT)
            .build();
        let docker = &self.daemon.docker;
        (docker.restart_container(&self.name, Some(options)).await)
            .map_err(ContainerError::refused(format!("restart {}", self.name)))?;
        Ok(())
    }

    async fn ended(&mut self) -> Option<String> {
        let container = self.container.as_ref()?;
        match container.is_running().await {
            Ok(true) => None,
            Ok(false) => Some(format!("the container {} ended", self.name)),
            Err(error) => Some(format!(
                "the container {} is out of reach ({})",
                self.name,
                describe(&error)
            )),
        }
    }

    async fn stop(mut self) -> Result<(), EndpointError> {
        let Some(container) = self.container.take() else {
            return Ok(());
        };
        let removed = container.rm().await;
        removed.map_err(|error| ContainerError::LeftBehind {
            name: self.name.clone(),
            why: describe(&error),
        })?;
        Ok(())
    }
}

impl Drop for InContainer {
    fn drop(&mut self) {
        let Some(container) = self.container.take() else {
            return;
        };
        if Handle::try_current().is_ok() {
            // It removes itself when dropped.
            return;
        }
        // Out of every runtime, testcontainers' own clean-up would panic. What
        // fails here is removed by the next run.
        if let Ok(runtime) = Runtime::new() {
            let _ = runtime.block_on(container.rm());
        }
    }
}
