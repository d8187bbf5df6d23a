//! `rds-tls claims`

use std::io::{self, Write};

use anyhow::anyhow;
use harness::{
    engine::Version,
    findings::{self, Finding, Played},
    report::{Gather, JsonClaims, claims_text},
    run::{Options, Summary},
    suite::{Cell, Claim, Data, Plan, Selection, Target},
};
use suites::{Engine, Failure, Workers};

use super::{Engines, SuitesFrom, Where, outputs, play, runtime};

/// Servers that are up at once: of more the machine has no use.
const AT_ONCE: usize = 2;

/// Which claims, and on which engines.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    engines: Engines,
    #[command(flatten)]
    json: outputs::Json,
    #[command(flatten)]
    suites: SuitesFrom,
    /// Parts of claim ids, for example 07; a claim is selected if its id contains
    /// one of them
    filters: Vec<String>,
}

/// Plays the cells of the selected claims, and tells what was found of each.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = args.suites.data()?;
    runtime()?.block_on(claims(args, &data))
}

/// A server, and the claims that it is played for.
struct Ask<'a> {
    engine: Engine,
    claims: Vec<&'a Claim>,
}

async fn claims(args: &Args, data: &Data) -> Result<u8, Failure> {
    let claims = selected(data, &args.filters).map_err(Failure::Usage)?;
    let mut outputs = args.json.open()?;
    let asked = args.engines.versions();
    let made_for = |engine: &Version| claims.iter().any(|c| c.speaks_of_major(engine.major));
    let versions: Vec<_> = asked.iter().copied().filter(made_for).collect();
    if versions.is_empty() && !asked.is_empty() {
        return Err(made_for_none());
    }
    let engines = args.place.everything(&versions).await?;
    let asked = engines.into_iter().map(|engine| Ask {
        engine,
        claims: claims.clone(),
    });
    let (mut asks, mut findings) = (asked.collect::<Vec<_>>(), Vec::new());
    if args.engines.asks_for_all() {
        let (found, missing) = superseded(&args.place, &claims).await;
        asks.extend(found);
        findings.extend(missing);
    }
    let plan = plan(data, &asks)?;
    let mut gather = Gather::new(io::stderr());
    let (summary, interrupted) = if plan.cells.is_empty() {
        (Summary::default(), None)
    } else {
        let workers = Workers::of(data, args.suites.folder());
        let options = Options::default();
        let engines: Vec<_> = asks.iter().map(|ask| ask.engine.clone()).collect();
        let sink = &mut gather;
        play(None, &workers, options, &plan, &engines, AT_ONCE, sink).await?
    };
    for ask in &asks {
        let played = gather.played(ask.engine.target());
        let found =
            (ask.claims.iter()).filter_map(|claim| Finding::of(claim, played, &gather.judged));
        findings.extend(found);
    }
    if findings.is_empty() {
        return Err(made_for_none());
    }
    let place = |found: &Finding| claims.iter().position(|claim| claim.id == found.claim.id);
    findings.sort_by_key(place);
    // A reader that went away must not hide the exit code.
    let _ = write!(outputs.people, "{}", claims_text(&findings, &summary));
    if let Some(json) = &mut outputs.json {
        let claims = JsonClaims::new(&findings, &gather.endpoints, &summary);
        (claims.write(json)).map_err(|error| args.json.not_written(error))?;
    }
    Ok(interrupted.unwrap_or(findings::exit_code(&findings)))
}

fn made_for_none() -> Failure {
    Failure::Usage(anyhow!(
        "none of these claims is made for the engines that were chosen; `--engine all` has all"
    ))
}

/// The old servers that claims are made for which aren't made for the newest of
/// their major version; and what can't be measured for want of one.
async fn superseded<'a>(place: &Where, claims: &[&'a Claim]) -> (Vec<Ask<'a>>, Vec<Finding<'a>>) {
    let (mut asks, mut missing) = (Vec::<Ask>::new(), Vec::new());
    for claim in claims
        .iter()
        .copied()
        .filter(|claim| !claim.is_unmeasured())
    {
        for [last, first] in claim.superseded_minors() {
            let engine = match place.one_more(last).await {
                Err(_) if first != last => place.one_more(first).await,
                engine => engine,
            };
            match engine {
                Ok(engine) => {
                    let known = |ask: &&mut Ask| ask.engine.target() == engine.target();
                    match asks.iter_mut().find(known) {
                        Some(ask) => ask.claims.push(claim),
                        None => asks.push(Ask {
                            engine,
                            claims: vec![claim],
                        }),
                    }
                }
                Err(why) => {
                    let played = Played::planned(Target::Emulated(last));
                    missing.push(Finding::not_played(claim, played, why.to_string()));
                }
            }
        }
    }
    (asks, missing)
}

fn selected<'a>(data: &'a Data, filters: &[String]) -> anyhow::Result<Vec<&'a Claim>> {
    let documented = || data.claims.iter().filter(|claim| claim.extra.is_none());
    let taken = |claim: &&Claim| {
        filters.is_empty() || filters.iter().any(|part| claim.id.contains(part.as_str()))
    };
    let claims: Vec<&Claim> = documented().filter(taken).collect();
    if claims.is_empty() {
        let all: Vec<&str> = documented().map(|claim| claim.id.as_str()).collect();
        return Err(anyhow!("no claim is selected; valid: {}", all.join(", ")));
    }
    Ok(claims)
}

/// The cells that are about the claims.
fn plan(data: &Data, asks: &[Ask]) -> Result<Plan, Failure> {
    let mut cells = Vec::new();
    for Ask { engine, claims } in asks {
        let plan = Plan::against(data, &[engine.target()], &Selection::default())
            .map_err(|error| Failure::Usage(error.into()))?;
        let about = |id: &String| claims.iter().any(|claim| claim.id == *id);
        let cells_about = |cell: &Cell| cell.claims.iter().any(|(id, _)| about(id));
        cells.extend(plan.cells.into_iter().filter(cells_about));
    }
    Ok(Plan { cells })
}
