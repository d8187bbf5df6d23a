//! `rds-tls claims`

use std::io::{self, Write};

use anyhow::anyhow;
use harness::{
    findings::{self, Finding, Played},
    report::{Gather, JsonClaims, claims_text},
    run::{Options, Summary},
    suite::{Claim, Data, Plan, Selection, Target},
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
    /// Parts of claim ids, as 07; a claim is taken when one occurs in its id
    filters: Vec<String>,
}

/// Plays the cells of the selected claims, and tells what was found of each.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = args.suites.data()?;
    runtime()?.block_on(claims(args, &data))
}

async fn claims(args: &Args, data: &Data) -> Result<u8, Failure> {
    let claims = selected(data, &args.filters).map_err(Failure::Usage)?;
    let mut outputs = args.json.open()?;
    let engines = args.place.everything(&args.engines.versions()).await?;
    let plan = plan(data, &claims, &engines)?;
    let mut gather = Gather::new(io::stderr());
    let (summary, interrupted) = if plan.cells.is_empty() {
        (Summary::default(), None)
    } else {
        let workers = Workers::of(data, args.suites.folder());
        let options = Options::default();
        play(
            None,
            &workers,
            options,
            &plan,
            &engines,
            AT_ONCE,
            &mut gather,
        )
        .await?
    };
    let played: Vec<Played> = (engines.iter())
        .map(|engine| gather.played(engine.target()))
        .collect();
    let findings: Vec<Finding> = (claims.iter())
        .flat_map(|claim| played.iter().map(move |played| (*claim, *played)))
        .filter_map(|(claim, played)| Finding::of(claim, played, &gather.evidence))
        .collect();
    // A reader that went away must not hide the exit code.
    let _ = write!(outputs.people, "{}", claims_text(&findings, &summary));
    if let Some(json) = &mut outputs.json {
        let claims = JsonClaims::new(&findings, &gather.endpoints, &summary);
        (claims.write(json)).map_err(|error| args.json.not_written(error))?;
    }
    Ok(interrupted.unwrap_or(findings::exit_code(&findings)))
}

fn selected<'a>(data: &'a Data, filters: &[String]) -> anyhow::Result<Vec<&'a Claim>> {
    let documented = || data.claims.iter().filter(|claim| claim.beside.is_none());
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

/// The cells that speak for or against the claims.
fn plan(data: &Data, claims: &[&Claim], engines: &[Engine]) -> Result<Plan, Failure> {
    let targets: Vec<Target> = engines.iter().map(Engine::target).collect();
    let mut plan = Plan::against(data, &targets, &Selection::default())
        .map_err(|error| Failure::Usage(error.into()))?;
    plan.cells.retain(|cell| {
        let about = |id: &String| claims.iter().any(|claim| claim.id == *id);
        about(&cell.claim) || cell.against.iter().any(about)
    });
    Ok(plan)
}
