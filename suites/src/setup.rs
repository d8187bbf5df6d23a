//! Everything that a run stands on: a folder, keys, drivers, a server.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, anyhow};
use certs_gen::DEFAULT_ENDPOINT;
use futures_util::{StreamExt, stream};
use harness::{
    driver::{
        Driver,
        worker::{Limits, Pool, WorkerCommand},
    },
    endpoint::{Endpoint, Master},
    policy::DefaultsTable,
    run::{self, Event, Runner, Sink, Summary},
    suite::{Data, Page, Plan},
};

use crate::{
    backend::Engine,
    data,
    run_context::{Chain, RunContext},
    stop::Stop,
};

/// Why a run could not be made, by whose turn it is.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The person's: an option, a variable or a suite file.
    #[error("{0:#}")]
    Usage(anyhow::Error),
    /// The machine's.
    #[error("{0:#}")]
    CouldNot(anyhow::Error),
}

/// What the drivers of a run stand on; endpoints come and go in it.
pub struct Setup {
    /// What its servers stand on.
    pub run_context: RunContext,
    /// Ends the run.
    pub stop: Stop,
    pools: Vec<Arc<Pool>>,
    /// RDS's defaults, as the suites have them.
    defaults: DefaultsTable,
    /// Plays cells.
    pub runner: Runner,
}

/// What plays the drivers of some data.
pub struct Workers<'a> {
    /// The drivers.
    pub data: &'a Data,
    /// The folder of suites.
    pub folder: &'a Path,
    /// A program that serves the built-in drivers, if it isn't this one.
    pub program: Option<&'a Path>,
}

impl<'a> Workers<'a> {
    /// Those of the built-in files, or of a folder of suites.
    #[must_use]
    pub fn of(data: &'a Data, folder: Option<&'a Path>) -> Self {
        Self {
            data,
            folder: folder.unwrap_or(Path::new(data::FOLDER)),
            program: None,
        }
    }

    fn commands(&self) -> anyhow::Result<Vec<(String, WorkerCommand)>> {
        (self.data.drivers.values())
            .map(|page| Ok((page.id.clone(), self.command(page)?)))
            .collect()
    }

    fn command(&self, page: &Page) -> anyhow::Result<WorkerCommand> {
        let Some(line) = &page.worker else {
            return WorkerCommand::built_in(&page.id, self.program)
                .with_context(|| format!("the page of {} names no `worker`", page.id));
        };
        let (program, args) = line
            .split_first()
            .ok_or_else(|| anyhow!("the `worker` of {} is empty", page.id))?;
        // A bare name is looked for in PATH, a path in the folder of suites.
        let program = if program.contains('/') {
            std::path::absolute(self.folder.join(program))?
        } else {
            PathBuf::from(program)
        };
        let args = args.iter().map(Into::into).collect();
        Ok(WorkerCommand { program, args })
    }
}

impl Setup {
    /// Makes the run's folder, and knows where its drivers are.
    ///
    /// # Errors
    /// When there is no place to write, or a driver has nothing that plays it.
    pub fn new(workers: &Workers, options: run::Options) -> Result<Self, Failure> {
        Self::on(None, workers, options)
    }

    /// The same for the name and the certificate that somebody gave, if any.
    ///
    /// # Errors
    /// As [`Setup::new`].
    pub fn on(
        chain: Option<Chain>,
        workers: &Workers,
        options: run::Options,
    ) -> Result<Self, Failure> {
        let run_context = match chain {
            Some(chain) => RunContext::on(chain)?,
            None => RunContext::new(DEFAULT_ENDPOINT)?,
        };
        let homes = run_context.path().join("homes");
        fs::create_dir(&homes)
            .with_context(|| format!("{} can't be made", homes.display()))
            .map_err(Failure::CouldNot)?;
        let pools = (workers.commands().map_err(Failure::Usage)?.into_iter())
            .map(|(driver, command)| {
                Arc::new(Pool::new(driver, command, &homes, Limits::default()))
            })
            .collect::<Vec<_>>();
        let stop = Stop::default();
        Ok(Self {
            runner: Runner {
                drivers: by_id(&pools),
                trust_files: Arc::new(run_context.trust_files()),
                options,
                stop: stop.receiver(),
            },
            run_context,
            pools,
            defaults: workers.data.rules.defaults.clone(),
            stop,
        })
    }

    /// Starts a server.
    ///
    /// # Errors
    /// When it doesn't start or doesn't show RDS's defaults.
    pub async fn endpoint(&self, engine: &Engine) -> anyhow::Result<Box<dyn Endpoint>> {
        let defaults = self.defaults.clone();
        let master = Master::default();
        self.run_context
            .endpoint(engine, defaults, None, master)
            .await
    }

    /// Plays a plan, each engine's cells against a server of its own, `at_once`
    /// servers side by side.
    pub async fn play(
        &self,
        plan: &Plan,
        engines: &[Engine],
        at_once: usize,
        sink: &mut dyn Sink,
    ) -> Summary {
        let started = Instant::now();
        let mut summary = Summary::default();
        let sink = RefCell::new(sink);
        let mut runs = stream::iter(engines)
            .map(|engine| self.play_on(engine, plan, Shared(&sink)))
            .buffer_unordered(at_once.max(1));
        while let Some(part) = runs.next().await {
            summary.add(&part);
        }
        summary.seconds = run::seconds(started);
        let drivers = self.runner.drivers.values();
        let drivers: Vec<_> = drivers.filter_map(|driver| driver.about()).collect();
        Shared(&sink).event(&Event::Drivers(&drivers));
        Shared(&sink).event(&Event::Finished(&summary));
        summary
    }

    async fn play_on(&self, engine: &Engine, plan: &Plan, mut sink: Shared<'_, '_>) -> Summary {
        let mut summary = Summary::default();
        let cells: Vec<_> = (plan.cells.iter())
            .filter(|cell| cell.target == engine.target())
            .cloned()
            .collect();
        // Nobody needs a server that nothing is played on.
        if cells.is_empty() {
            return summary;
        }
        let unplayed = if self.stop.exit_code().is_some() {
            run::interrupted(&cells)
        } else {
            match self.endpoint(engine).await {
                Ok(mut endpoint) => {
                    let run = (self.runner).run(&mut *endpoint, &cells, &mut sink, &mut summary);
                    run.await;
                    if let Err(error) = endpoint.shutdown().await {
                        let error = anyhow::Error::from(error);
                        sink.event(&Event::Warning(&format!("{error:#}")));
                    }
                    Vec::new()
                }
                Err(error) => run::broken(
                    &cells,
                    &format!("PostgreSQL {engine} can't be had: {error:#}"),
                ),
            }
        };
        for result in unplayed {
            summary.count(&result);
            sink.event(&Event::CellJudged(&result));
        }
        summary
    }

    /// Ends the drivers and removes the run's folder.
    ///
    /// # Errors
    /// When something is left behind.
    pub async fn close(self) -> anyhow::Result<()> {
        for pool in &self.pools {
            pool.shutdown().await;
        }
        drop(self.runner);
        drop(self.pools);
        self.run_context.close()
    }
}

/// One sink for several servers at once; each event goes in whole.
struct Shared<'a, 'b>(&'a RefCell<&'b mut dyn Sink>);

impl Sink for Shared<'_, '_> {
    fn event(&mut self, event: &Event) {
        self.0.borrow_mut().event(event);
    }
}

fn by_id(pools: &[Arc<Pool>]) -> BTreeMap<String, Arc<dyn Driver>> {
    (pools.iter())
        .map(|pool| (pool.id().to_owned(), Arc::clone(pool) as Arc<dyn Driver>))
        .collect()
}
