//! `rds-tls check`

use harness::{
    report::{self, Console},
    run::{Event, Options, Sink},
    suite::Data,
};
use suites::{Failure, Workers};

use super::{Engines, Select, Where, outputs, play, runtime};

/// What to play, and where its results go.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    engines: Engines,
    #[command(flatten)]
    json: outputs::Json,
    /// How many attempts run at the same time
    #[arg(long, default_value_t = Options::default().concurrency, value_parser = at_least_one)]
    jobs: usize,
    /// Print a line for each cell
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
    let chain = args.select.chain.read()?;
    let outputs = args.json.open()?;
    let mut sinks = Sinks {
        console: Console::new(outputs.people, data.claims.as_ref().clone(), args.verbose),
        json: outputs.json.map(report::Json::new),
    };
    let engines = args.place.everything(&args.engines.versions()).await?;
    let plan = args.select.plan(data, &engines)?;
    let options = Options {
        concurrency: args.jobs,
        ..Options::default()
    };
    let workers = Workers::of(data, args.select.suites_from.folder());
    let (summary, interrupted) =
        play(chain, &workers, options, &plan, &engines, 1, &mut sinks).await?;
    if let Some(error) = sinks.json.and_then(|json| json.failed) {
        return Err(args.json.not_written(error));
    }
    Ok(interrupted.unwrap_or(summary.exit_code()))
}

/// The console, and JSON where it is asked for.
struct Sinks {
    console: Console<Box<dyn std::io::Write>>,
    json: Option<report::Json>,
}

impl Sink for Sinks {
    fn event(&mut self, event: &Event) {
        self.console.event(event);
        if let Some(json) = &mut self.json {
            json.event(event);
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a number of 1 or more".to_owned()),
        Ok(jobs) => Ok(jobs),
    }
}
