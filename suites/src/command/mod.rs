//! The subcommands.

pub mod check;
pub mod drivers;
pub mod emulate;
pub mod explain;
pub mod list;
pub mod tap;

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use harness::{
    engine::Version,
    suite::{Data, Plan, Selection, Target},
};
use suites::{Backend, Chosen, Engine, Failure, data};
use tokio::runtime::Runtime;

/// Where PostgreSQL runs.
#[derive(Args)]
pub struct Where {
    /// Where PostgreSQL runs
    #[arg(long, value_enum, env = "RDS_TLS_BACKEND", default_value_t = Backend::Auto)]
    backend: Backend,
}

impl Where {
    /// The newest that is here; starts nothing.
    fn at_hand(&self) -> Result<Version, Failure> {
        Ok(runtime()?.block_on(self.backend.at_hand()))
    }

    /// What there is to list cells for; starts and asks nothing.
    fn targets_at_hand(&self, request: Option<Version>) -> Result<Vec<Target>, Failure> {
        let targets = self.backend.targets_at_hand(request.as_slice());
        Ok(runtime()?.block_on(targets))
    }

    /// Finds one engine to start.
    async fn engine(&self, request: Option<Version>) -> Result<Engine, Failure> {
        let engines = told(self.backend.engines(request.as_slice()).await?);
        (engines.into_iter().next())
            .ok_or_else(|| Failure::CouldNot(anyhow!("no engine was found")))
    }

    /// Finds the engines, and the instance that the environment names.
    async fn everything(&self, requests: &[Version]) -> Result<Vec<Engine>, Failure> {
        Ok(told(self.backend.everything(requests).await?))
    }
}

/// Tells which backend was chosen, where it was.
fn told(Chosen { engines, note }: Chosen) -> Vec<Engine> {
    if let Some(note) = note {
        eprintln!("rds-tls: {note}");
    }
    engines
}

/// Which cells of which suites.
#[derive(Args)]
pub struct Select {
    /// Drivers, by their ids; all without
    #[arg(long, value_delimiter = ',')]
    drivers: Vec<String>,
    /// Suites, by their ids; all without
    #[arg(long = "suite", value_delimiter = ',')]
    suites: Vec<String>,
    /// A folder of suites to read instead of the built-in ones
    #[arg(long, env = "RDS_TLS_SUITES", value_name = "DIR")]
    suites_from: Option<PathBuf>,
    /// Parts of cell ids; a cell is taken when one occurs in its id
    filters: Vec<String>,
}

impl Select {
    fn folder(&self) -> Option<&Path> {
        self.suites_from.as_deref()
    }

    fn data(&self) -> Result<Data, Failure> {
        data::load(self.folder()).map_err(Failure::Usage)
    }

    fn plan(&self, data: &Data, engines: &[Engine]) -> Result<Plan, Failure> {
        let targets: Vec<_> = engines.iter().map(Engine::target).collect();
        self.plan_for(data, &targets)
    }

    fn plan_for(&self, data: &Data, targets: &[Target]) -> Result<Plan, Failure> {
        let selection = Selection {
            drivers: self.drivers.clone(),
            suites: self.suites.clone(),
            filters: self.filters.clone(),
        };
        Plan::against(data, targets, &selection).map_err(|error| Failure::Usage(error.into()))
    }
}

fn runtime() -> Result<Runtime, Failure> {
    Runtime::new().map_err(|error| Failure::CouldNot(error.into()))
}

/// Writes to standard output; a reader that went away is no error.
fn print(text: &str) -> Result<u8, Failure> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::CouldNot(error.into())),
        _ => Ok(0),
    }
}
