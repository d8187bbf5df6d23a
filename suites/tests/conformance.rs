//! The suites under `cargo test`: one trial a cell.
//!
//! The cells that the filters select are played first, grouped by policy and
//! many at once, exactly as `rds-tls check` plays them; the trials then tell
//! their verdicts. `RDS_TLS_ENGINE` names another PostgreSQL than the newest
//! installed, or several. Where `RDS_ENDPOINT` names an instance, that is played,
//! too.

use std::{
    collections::HashMap,
    env,
    process::ExitCode,
    sync::{Arc, OnceLock},
};

use anyhow::Context;
use harness::{
    engine::Version,
    judge::Verdict,
    report,
    run::{CellResult, Event, Options, Sink},
    suite::{Claims, Data, Plan, Selection},
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use suites::{Backend, Chosen, Engine, Setup, Workers, data};

type Results = Arc<OnceLock<HashMap<String, CellResult>>>;

/// Also of a test that starts this as cargo does.
pub fn main() -> ExitCode {
    harness::driver::worker::serve_if_asked(env::args_os());
    match run(&Arguments::from_args()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("conformance: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn run(args: &Arguments) -> anyhow::Result<ExitCode> {
    let data = data::load(None)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let backend = Backend::from_environment()?;
    let requests = requests()?;
    if args.list {
        let targets = runtime.block_on(backend.targets_at_hand(&requests));
        let plan = Plan::against(&data, &targets, &Selection::default())?;
        let trials = trials(&plan, &data, &Results::default());
        return Ok(libtest_mimic::run(args, trials).exit_code());
    }
    let Chosen { engines, note } = runtime.block_on(backend.everything(&requests))?;
    if let Some(note) = note {
        eprintln!("{note}");
    }
    let targets: Vec<_> = engines.iter().map(Engine::target).collect();
    let mut plan = Plan::against(&data, &targets, &Selection::default())?;
    let results = Results::default();
    let trials = trials(&plan, &data, &results);
    let mut selected = trials.iter().map(|trial| !args.is_filtered_out(trial));
    plan.cells.retain(|_| selected.next() == Some(true));
    drop(selected);
    let interrupted = if plan.cells.is_empty() {
        None
    } else {
        runtime.block_on(play(&data, &plan, &engines, &results))?
    };
    let conclusion = libtest_mimic::run(args, trials);
    Ok(interrupted.map_or(conclusion.exit_code(), ExitCode::from))
}

fn requests() -> anyhow::Result<Vec<Version>> {
    match env::var("RDS_TLS_ENGINE") {
        Ok(names) if !names.is_empty() => (names.split(','))
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("RDS_TLS_ENGINE is «{names}»")),
        _ => Ok(Vec::new()),
    }
}

async fn play(
    data: &Data,
    plan: &Plan,
    engines: &[Engine],
    results: &Results,
) -> anyhow::Result<Option<u8>> {
    let setup = Setup::new(&Workers::of(data, None), Options::default())?;
    setup.stop.heed_signals()?;
    let mut collect = Collect::default();
    setup.play(plan, engines, 1, &mut collect).await;
    let interrupted = setup.stop.exit_code();
    let _ = results.set(collect.0);
    setup.close().await?;
    Ok(interrupted)
}

#[derive(Default)]
struct Collect(HashMap<String, CellResult>);

impl Sink for Collect {
    fn event(&mut self, event: &Event) {
        match event {
            Event::CellJudged(result) => {
                self.0.insert(result.cell.id.clone(), (*result).clone());
            }
            Event::EndpointReady { facts, .. } => {
                facts
                    .found
                    .iter()
                    .for_each(|line| eprintln!("found: {line}"));
            }
            Event::Warning(what) => eprintln!("warning: {what}"),
            _ => {}
        }
    }
}

fn trials(plan: &Plan, data: &Data, results: &Results) -> Vec<Trial> {
    let claims = Arc::new(data.claims.clone());
    (plan.cells.iter())
        .map(|cell| {
            let (id, claims, results) = (cell.id.clone(), claims.clone(), results.clone());
            Trial::ignorable_test(cell.id.clone(), move || tell(&id, &claims, &results))
        })
        .collect()
}

fn tell(id: &str, claims: &Claims, results: &Results) -> Result<Completion, Failed> {
    let result = results.get().and_then(|results| results.get(id));
    let Some(result) = result else {
        return Err("the cell was not played".into());
    };
    match &result.verdict {
        Verdict::Pass | Verdict::Known { .. } => Ok(Completion::Completed),
        Verdict::Skipped(why) => Ok(Completion::ignored_with(why)),
        Verdict::Fail(_) | Verdict::Broken(_) => {
            Err(report::in_full(result, claims).join("\n").into())
        }
    }
}
