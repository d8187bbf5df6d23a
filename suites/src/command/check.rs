//! `rds-tls check`

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, anyhow};
use clap::ValueEnum;
use harness::{
    engine::Version,
    report::{Console, Json},
    run::{Event, Options, Sink},
    suite::Data,
};
use suites::{Failure, Setup, Workers, locate};

use super::Select;

/// What to play, and where its results go.
#[derive(clap::Args)]
pub struct Args {
    /// Where PostgreSQL runs
    #[arg(long, value_enum, default_value_t = Backend::Auto)]
    backend: Backend,
    /// PostgreSQL versions, as 17 or 17.6, each downloaded where it isn't
    /// installed; the newest installed without
    #[arg(long, value_name = "VERSION", value_delimiter = ',')]
    engine: Vec<Version>,
    /// Where to write the run as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Attempts under way at once
    #[arg(long, default_value_t = Options::default().concurrency, value_parser = at_least_one)]
    jobs: usize,
    /// A line for every cell
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    select: Select,
}

/// Where PostgreSQL runs.
#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    /// What is at hand
    Auto,
    /// A server program on this machine
    Embedded,
}

/// Plays the selected cells.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = args.select.data()?;
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::CouldNot(e.into()))?;
    runtime.block_on(check(args, &data))
}

async fn check(args: &Args, data: &Data) -> Result<u8, Failure> {
    // A selection that is wrong on any engine is told before one is fetched.
    args.select.plan(data, &[])?;
    let mut sinks = sinks(args, data).map_err(Failure::Usage)?;
    let engines = engines(args).await?;
    let plan = args.select.plan(data, &engines)?;
    if plan.cells.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "no cell is selected; see `rds-tls list` for their ids"
        )));
    }
    match args.backend {
        // The container endpoint is the other that `auto` will choose from.
        Backend::Auto | Backend::Embedded => {}
    }
    let options = Options {
        concurrency: args.jobs,
        ..Options::default()
    };
    let workers = Workers::of(data, args.select.folder());
    let setup = Setup::new(&workers, options)?;
    (setup.stop.heed_signals()).map_err(|e| Failure::CouldNot(e.into()))?;
    let summary = setup.play(&plan, &engines, &mut sinks).await;
    let interrupted = setup.stop.exit_code();
    setup.close().await.map_err(Failure::CouldNot)?;
    if let Some(error) = sinks.json.and_then(|json| json.failed) {
        let file = args.json.clone().unwrap_or_default();
        let error = anyhow!(error).context(format!("{} can't be written", file.display()));
        return Err(Failure::CouldNot(error));
    }
    Ok(interrupted.unwrap_or(summary.exit_code()))
}

async fn engines(args: &Args) -> Result<Vec<Version>, Failure> {
    if args.engine.is_empty() {
        return Ok(vec![locate(None).await?]);
    }
    let mut engines: Vec<Version> = Vec::new();
    for request in &args.engine {
        let version = locate(Some(*request)).await?;
        if engines.iter().any(|known| known.major == version.major) {
            return Err(Failure::Usage(anyhow!(
                "--engine names PostgreSQL {} twice; a cell's id knows the major version alone",
                version.major
            )));
        }
        engines.push(version);
    }
    Ok(engines)
}

/// The console, and JSON where it is asked for. Whichever has standard output,
/// the other hasn't.
struct Sinks {
    console: Console<Box<dyn Write>>,
    json: Option<Json>,
}

impl Sink for Sinks {
    fn event(&mut self, event: &Event) {
        self.console.event(event);
        if let Some(json) = &mut self.json {
            json.event(event);
        }
    }
}

fn sinks(args: &Args, data: &Data) -> anyhow::Result<Sinks> {
    let (people, json): (Box<dyn Write>, Option<Box<dyn Write + Send>>) = match &args.json {
        None => (Box::new(io::stdout()), None),
        Some(path) if path.as_os_str() == "-" => {
            (Box::new(io::stderr()), Some(Box::new(io::stdout())))
        }
        Some(path) => {
            let file = File::create(path)
                .with_context(|| format!("--json: {} can't be written", path.display()))?;
            (
                Box::new(io::stdout()),
                Some(Box::new(io::BufWriter::new(file))),
            )
        }
    };
    Ok(Sinks {
        console: Console::new(people, data.claims.clone(), args.verbose),
        json: json.map(Json::new),
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number of 1 or more".to_owned()),
        Ok(jobs) => Ok(jobs),
    }
}
