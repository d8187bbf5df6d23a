//! `rds-tls check`

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, anyhow};
use harness::{
    engine::Version,
    report::{Console, Json},
    run::{Event, Options, Sink},
    suite::Data,
};
use suites::{Failure, Setup, Workers};

use super::{Select, Where, runtime};

/// What to play, and where its results go.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// PostgreSQL versions, as 17 or 17.6, each pulled or downloaded where it
    /// isn't here; the newest that is here without
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

/// Plays the selected cells.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = args.select.data()?;
    runtime()?.block_on(check(args, &data))
}

async fn check(args: &Args, data: &Data) -> Result<u8, Failure> {
    // A selection that is wrong on any engine is told before one is fetched.
    args.select.plan(data, &[])?;
    let mut sinks = sinks(args, data).map_err(Failure::Usage)?;
    let engines = args.place.everything(&args.engine).await?;
    let plan = args.select.plan(data, &engines)?;
    if plan.cells.is_empty() {
        return Err(Failure::Usage(anyhow!(
            "no cell is selected; see `rds-tls list` for their ids"
        )));
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
