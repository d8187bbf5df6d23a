//! The subcommands.

mod chain;
pub mod check;
pub mod claims;
pub mod drivers;
pub mod emulate;
pub mod explain;
pub mod list;
mod outputs;
pub mod tap;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::anyhow;
use clap::Args;
use harness::{
    engine::{NEWEST, OLDEST, ParseVersionError, Version},
    run::{Options, Sink, Summary},
    suite::{Data, Plan, Selection, Target},
};
use suites::{Backend, Chain, Chosen, Engine, Failure, Setup, Workers, data, say};
use tokio::runtime::Runtime;

use chain::ChainArgs;

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

    /// The same, without a word on where: it is one more beside others.
    async fn one_more(&self, request: Version) -> Result<Engine, Failure> {
        self.backend.engine(Some(request)).await
    }

    /// Finds the engines, and the instance that the environment names.
    async fn everything(&self, requests: &[Version]) -> Result<Vec<Engine>, Failure> {
        Ok(told(self.backend.everything(requests).await?))
    }
}

/// On which engines to play.
#[derive(Args)]
pub struct Engines {
    /// PostgreSQL versions, for example 17 or 17.6, or `all` for 10 to 18; one that
    /// isn't here is pulled or downloaded. Default: the newest that is here
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    engine: Vec<Asked>,
}

/// What a person writes for an engine.
#[derive(Clone, Copy)]
enum Asked {
    All,
    One(Version),
}

impl std::str::FromStr for Asked {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, ParseVersionError> {
        match text {
            "all" => Ok(Self::All),
            version => version.parse().map(Self::One),
        }
    }
}

impl Engines {
    fn asks_for_all(&self) -> bool {
        (self.engine.iter()).any(|asked| matches!(asked, Asked::All))
    }

    /// The versions that are asked for, in that order.
    fn versions(&self) -> Vec<Version> {
        let all = || (OLDEST..=NEWEST).map(|major| Version { major, minor: None });
        (self.engine.iter())
            .flat_map(|asked| match asked {
                Asked::All => all().collect(),
                Asked::One(version) => vec![*version],
            })
            .collect()
    }
}

/// Where the suites are read from.
#[derive(Args)]
pub struct SuitesFrom {
    /// Read the suites from this folder instead of the built-in ones
    #[arg(long, env = "RDS_TLS_SUITES", value_name = "DIR")]
    suites_from: Option<PathBuf>,
}

impl SuitesFrom {
    fn folder(&self) -> Option<&Path> {
        self.suites_from.as_deref()
    }

    fn data(&self) -> Result<Data, Failure> {
        data::load(self.folder()).map_err(Failure::Usage)
    }

    /// The suites, or the one for a person's own chain.
    fn data_for(&self, chain: &ChainArgs) -> Result<Data, Failure> {
        match chain.named() {
            Some(_) => data::load_chain(self.folder()).map_err(Failure::Usage),
            None => self.data(),
        }
    }
}

/// Tells which backend was chosen, where it was.
fn told(Chosen { engines, note }: Chosen) -> Vec<Engine> {
    if let Some(note) = note {
        say(note);
    }
    engines
}

/// Which cells of which suites.
#[derive(Args)]
pub struct Select {
    /// Run these drivers only, by id
    #[arg(long, value_delimiter = ',')]
    drivers: Vec<String>,
    /// Run these suites only, by id
    #[arg(long = "suite", value_delimiter = ',')]
    suites: Vec<String>,
    #[command(flatten)]
    suites_from: SuitesFrom,
    /// Parts of cell ids; a cell is selected if its id contains one of them
    filters: Vec<String>,
    #[command(flatten)]
    chain: ChainArgs,
}

impl Select {
    fn data(&self) -> Result<Data, Failure> {
        self.suites_from.data_for(&self.chain)
    }

    fn plan(&self, data: &Data, engines: &[Engine]) -> Result<Plan, Failure> {
        let targets: Vec<_> = engines.iter().map(Engine::target).collect();
        self.plan_for(data, &targets)
    }

    /// The selected cells on the targets. Where there are targets, no cell at
    /// all is a usage error.
    fn plan_for(&self, data: &Data, targets: &[Target]) -> Result<Plan, Failure> {
        let selection = Selection {
            drivers: self.drivers.clone(),
            suites: self.suites.clone(),
            filters: self.filters.clone(),
        };
        let mut plan = Plan::against(data, targets, &selection)
            .map_err(|error| Failure::Usage(error.into()))?;
        if plan.cells.is_empty() && !targets.is_empty() {
            return Err(Failure::Usage(anyhow!(
                "no cell is selected; see `rds-tls list` for their ids"
            )));
        }
        let own = self.chain.named();
        let from = self.suites_from.folder().map(Arc::from);
        plan.cells = (plan.cells.into_iter())
            .map(|cell| cell.on(own.as_ref()).read_from(from.as_ref()))
            .collect();
        Ok(plan)
    }
}

/// Plays a plan, on a chain of somebody's own if there is one, and leaves nothing
/// behind; tells the exit code of a signal that ended it.
async fn play(
    chain: Option<Chain>,
    workers: &Workers<'_>,
    options: Options,
    plan: &Plan,
    engines: &[Engine],
    at_once: usize,
    sink: &mut dyn Sink,
) -> Result<(Summary, Option<u8>), Failure> {
    let setup = Setup::on(chain, workers, options)?;
    (setup.stop.heed_signals()).map_err(|e| Failure::CouldNot(e.into()))?;
    let summary = setup.play(plan, engines, at_once, sink).await;
    let interrupted = setup.stop.exit_code();
    setup.close().await.map_err(Failure::CouldNot)?;
    Ok((summary, interrupted))
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
