//! A driver as a pool of worker processes, one for each surroundings.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;

use super::{
    home::Home,
    process::Process,
    protocol::Hello,
    serve::{BUILT_IN, WORKER_ARGUMENT},
};
use crate::driver::{About, Attempt, CouldNotRun, Driver, Outcome, Surroundings, libpq};

/// How a worker is started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WorkerCommand {
    /// The program: an absolute path, or a name to be found by `PATH`.
    pub program: PathBuf,
    /// Its arguments; no secret is ever among them.
    pub args: Vec<OsString>,
}

impl WorkerCommand {
    /// The worker of one of the [`BUILT_IN`] drivers: this program, or another
    /// whose `main` calls [`serve_if_asked`](super::serve_if_asked) first,
    /// executed once more. That of libpq is handed the places that
    /// `RDS_TLS_LIBPQ` names.
    ///
    /// # Errors
    /// When there is no such driver, or the path of this program can't be had.
    pub fn built_in(driver: &str, program: Option<&Path>) -> io::Result<Self> {
        if !BUILT_IN.contains(&driver) {
            return Err(io::Error::other(format!(
                "no driver {driver} is built in; there are {}",
                BUILT_IN.join(", ")
            )));
        }
        let mut args = vec![WORKER_ARGUMENT.into(), driver.into()];
        if driver == libpq::ID {
            args.extend(libpq::named());
        }
        Ok(Self {
            program: program.map_or_else(env::current_exe, |path| Ok(path.to_owned()))?,
            args,
        })
    }
}

/// How long a pool waits, and how often it tries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// From the start of a worker to its hello.
    pub hello: Duration,
    /// What a worker is given for an attempt.
    pub attempt: Duration,
    /// How much later than that its answer may come.
    pub grace: Duration,
    /// How often the worker of one surroundings is started again.
    pub restarts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(10),
            attempt: Duration::from_secs(15),
            grace: Duration::from_secs(2),
            restarts: 3,
        }
    }
}

/// A driver, played by worker processes.
#[derive(Debug)]
pub struct Pool {
    driver: String,
    command: WorkerCommand,
    homes: PathBuf,
    limits: Limits,
    slots: Mutex<HashMap<Surroundings, Arc<Slot>>>,
    closed: AtomicBool,
    about: OnceLock<About>,
}

impl Pool {
    /// A pool for the driver with this id. Nothing is started before the first
    /// attempt. The workers' home folders are made in `homes`, which exists,
    /// serves no other pool of this driver, and is the caller's to remove.
    #[must_use]
    pub fn new(
        driver: impl Into<String>,
        command: WorkerCommand,
        homes: impl Into<PathBuf>,
        limits: Limits,
    ) -> Self {
        Self {
            driver: driver.into(),
            command,
            homes: homes.into(),
            limits,
            slots: Mutex::default(),
            closed: AtomicBool::new(false),
            about: OnceLock::new(),
        }
    }

    /// What the driver's worker says of itself; starts it where it does not
    /// run.
    ///
    /// # Errors
    /// When there is no worker to be had.
    pub async fn hello(&self, surroundings: &Surroundings) -> Result<Hello, CouldNotRun> {
        let process = self.process(surroundings).await?;
        Ok(process.hello().clone())
    }

    /// Stops all workers, and returns when they are gone. Attempts in flight,
    /// and all that come later, could not be run.
    pub async fn shutdown(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let slots: Vec<_> = self.slots().values().cloned().collect();
        for slot in slots {
            // A worker that is being started is stopped right after.
            if let Some(process) = slot.worker.lock().await.running.take() {
                process.stop().await;
            }
        }
    }

    async fn process(&self, surroundings: &Surroundings) -> Result<Arc<Process>, CouldNotRun> {
        let slot = self.slot(surroundings);
        let mut worker = slot.worker.lock().await;
        worker
            .running(self, surroundings, slot.number)
            .await
            .map_err(|why| self.could_not_run(why))
    }

    fn slot(&self, surroundings: &Surroundings) -> Arc<Slot> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(surroundings) {
            return slot.clone();
        }
        let slot = Arc::new(Slot {
            number: slots.len(),
            worker: tokio::sync::Mutex::default(),
        });
        slots.insert(surroundings.clone(), slot.clone());
        slot
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Surroundings, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn could_not_run(&self, why: String) -> CouldNotRun {
        CouldNotRun {
            driver: self.driver.clone(),
            why,
            is_missing: false,
        }
    }

    /// Where the worker has no such configuration.
    fn missing(&self, hello: &Hello, attempt: &Attempt) -> Option<CouldNotRun> {
        if hello.configurations.contains(&attempt.configuration) {
            return None;
        }
        let here = match hello.configurations.join(", ") {
            none if none.is_empty() => "none".to_owned(),
            some => some,
        };
        Some(CouldNotRun {
            is_missing: true,
            ..self.could_not_run(format!(
                "it has no configuration {} here, but {here}",
                attempt.configuration
            ))
        })
    }
}

impl Driver for Pool {
    fn id(&self) -> &str {
        &self.driver
    }

    fn about(&self) -> Option<About> {
        self.about.get().cloned()
    }

    fn play<'a>(
        &'a self,
        surroundings: &'a Surroundings,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Outcome, CouldNotRun>> {
        Box::pin(async move {
            let process = self.process(surroundings).await?;
            self.about.get_or_init(|| {
                let hello = process.hello();
                About {
                    id: self.driver.clone(),
                    version: hello.version.clone(),
                    tls: hello.tls.clone(),
                    capabilities: hello.capabilities.clone(),
                }
            });
            if let Some(missing) = self.missing(process.hello(), attempt) {
                return Err(missing);
            }
            process
                .play(attempt, &self.limits)
                .await
                .map_err(|why| self.could_not_run(why))
        })
    }
}

/// The place of the one worker of one surroundings.
#[derive(Debug)]
struct Slot {
    number: usize,
    worker: tokio::sync::Mutex<Worker>,
}

#[derive(Debug, Default)]
struct Worker {
    home: Option<Home>,
    starts: u32,
    running: Option<Arc<Process>>,
    last_failure: String,
}

impl Worker {
    /// The running process; started anew where it has failed, as often as the
    /// limits allow.
    async fn running(
        &mut self,
        pool: &Pool,
        surroundings: &Surroundings,
        number: usize,
    ) -> Result<Arc<Process>, String> {
        if let Some(process) = &self.running {
            match process.failure().await {
                None => return Ok(process.clone()),
                Some(why) => self.last_failure = why,
            }
            self.running = None;
        }
        if pool.closed.load(Ordering::SeqCst) {
            return Err("its workers were stopped".into());
        }
        if self.starts > pool.limits.restarts {
            return Err(format!(
                "its worker failed {} times and is not started again; at last: {}",
                self.starts, self.last_failure
            ));
        }
        let home = match self.home.take() {
            Some(home) => home,
            None => Home::create(
                &pool.homes.join(format!("{}-{number}", pool.driver)),
                surroundings,
            )
            .map_err(|error| error.to_string())?,
        };
        let home = self.home.insert(home);
        self.starts += 1;
        match Process::start(&pool.driver, &pool.command, home, &pool.limits).await {
            Ok(process) => {
                let process = Arc::new(process);
                self.running = Some(process.clone());
                Ok(process)
            }
            Err(why) => {
                self.last_failure.clone_from(&why);
                Err(why)
            }
        }
    }
}
