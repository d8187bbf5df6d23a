//! `rds-tls explain`

use std::fmt::{Display, Write};

use anyhow::anyhow;
use harness::{
    engine::NEWEST,
    report::{self, Stage},
    run::Options,
    suite::{Bearing, Cell, Data},
};
use suites::{Chain, Engine, Failure, Setup, Workers};

use super::{SuitesFrom, Where, chain::ChainArgs, print, runtime};

/// Which cell.
#[derive(clap::Args)]
pub struct Args {
    /// The cell's id, with or without `@ENGINE`
    cell: String,
    #[command(flatten)]
    place: Where,
    /// Start a server with the cell's policy and keep it up until Ctrl-C, so that
    /// the printed commands can be run
    #[arg(long)]
    serve: bool,
    #[command(flatten)]
    suites_from: SuitesFrom,
    #[command(flatten)]
    chain: ChainArgs,
}

/// Prints what a cell is about.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = args.suites_from.data_for(&args.chain)?;
    let cell = find(&data, args).map_err(Failure::Usage)?;
    let from = args.suites_from.folder().map(std::sync::Arc::from);
    let cell = cell
        .on(args.chain.named().as_ref())
        .read_from(from.as_ref());
    let chain = args.chain.read()?;
    print(&explain(&data, &cell))?;
    if !args.serve {
        return print(&again(&cell, None));
    }
    let workers = Workers::of(&data, args.suites_from.folder());
    runtime()?.block_on(serve(&args.place, chain, &workers, &cell))
}

async fn serve(
    place: &Where,
    chain: Option<Chain>,
    workers: &Workers<'_>,
    cell: &Cell,
) -> Result<u8, Failure> {
    let engine = place.engine(Some(cell.target.version())).await?;
    let setup = Setup::on(chain, workers, Options::default())?;
    (setup.stop.heed_signals()).map_err(|e| Failure::CouldNot(e.into()))?;
    let served = serve_until_stopped(&setup, &engine, cell).await;
    let closed = setup.close().await;
    served.and(closed).map_err(Failure::CouldNot)?;
    Ok(0)
}

async fn serve_until_stopped(setup: &Setup, engine: &Engine, cell: &Cell) -> anyhow::Result<()> {
    let mut endpoint = setup.endpoint(engine).await?;
    let kept_up = async {
        endpoint.apply(&cell.case.policy()).await?;
        let facts = endpoint.facts();
        let pass_file = setup.run_context.write_pass_file(facts)?;
        let files = |trust| match (setup.runner.trust_files)(trust) {
            Ok(path) => path.display().to_string(),
            Err(why) => why,
        };
        let stage = Stage {
            facts,
            files: &files,
        };
        let lines = again(cell, Some(&stage));
        let text = format!(
            "up          PostgreSQL {} ({}) at {}\n\
             password    export PGPASSFILE={}\n\
             {lines}\
             until       Ctrl-C\n",
            facts.engine,
            facts.kind,
            facts.address,
            pass_file.display()
        );
        print(&text)?;
        setup.stop.stopped().await;
        anyhow::Ok(())
    };
    let kept_up = kept_up.await;
    kept_up.and(endpoint.shutdown().await.map_err(Into::into))
}

fn find(data: &Data, args: &Args) -> anyhow::Result<Cell> {
    let id = args.cell.as_str();
    let (case, engine) = match id.split_once('@') {
        Some((case, engine)) => (case, engine.parse().ok()),
        None => (id, Some(args.place.at_hand()?)),
    };
    let found = (data.cases.iter()).find(|known| known.id == case);
    if let Some(cell) = found.zip(engine).and_then(|(case, engine)| case.at(engine)) {
        return Ok(cell);
    }
    let near: Vec<&str> = (data.cases.iter())
        .map(|known| known.id.as_str())
        .filter(|known| known.contains(case))
        .take(5)
        .collect();
    Err(match (found, near.is_empty()) {
        (Some(_), _) if id.ends_with("@rds") => {
            anyhow!("cell {case} is explained by engine: give the instance's version, as {case}@17")
        }
        (Some(_), _) => anyhow!("cell {case} has engines 10 to {NEWEST}, written as {case}@17"),
        (None, true) => anyhow!("no cell is called {id}; see `rds-tls list` for their ids"),
        (None, false) => anyhow!("no cell is called {id}; near it: {}", near.join(", ")),
    })
}

fn explain(data: &Data, cell: &Cell) -> String {
    let case = &cell.case;
    let expected = report::expected(cell);
    let mut text = entry("cell", [&cell.id]);
    for (id, bearing) in &cell.claims {
        let Some(claim) = data.claims.get(id) else {
            continue;
        };
        let from = match &claim.extra {
            Some(why) => format!("{id}, beside the document: {why}"),
            None => format!("{id}, «{}»", claim.paragraph),
        };
        let name = match bearing {
            Bearing::Keeps => "claim",
            Bearing::Breaks => "against",
            Bearing::Differs(_) => "differs",
        };
        text += &entry(name, [&from, &claim.says]);
    }
    text += &entry("rows", &cell.places);
    text += &entry("source", [&case.suite.source]);
    text += &entry(
        "driver",
        [&format!("{} ({})", case.driver.id, case.driver.name)],
    );
    text += &entry("policy", [&report::policy(&case.policy())]);
    let steps = report::steps(cell);
    let numbered = (1..).zip(steps).map(|(nth, step)| format!("{nth}. {step}"));
    text += &entry("steps", numbered);
    text += &entry("expected", [&expected.outcome]);
    text += &entry("on the wire", [&expected.wire]);
    if let Some(known) = &cell.known {
        let seen = format!("{}  {}", known.class, known.wire);
        let why = format!("{} ({})", known.reason, known.link);
        text += &entry("known", [seen, why]);
    }
    text
}

fn again(cell: &Cell, stage: Option<&Stage>) -> String {
    entry("again", report::repro(cell, stage))
}

/// A name, and lines beside it.
fn entry(name: &str, lines: impl IntoIterator<Item: Display>) -> String {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    (names.zip(lines)).fold(String::new(), |mut text, (name, line)| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name:<11} {line}");
        text
    })
}
