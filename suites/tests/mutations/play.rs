//! Playing cells of many mutants together: a server an engine, a policy at a time.

use std::{collections::HashMap, sync::Arc};

use harness::{
    engine::Version,
    judge::Verdict,
    run::{CellResult, Event, Options, Sink, Summary},
    suite::{Case, Cell, Data},
};
use suites::{Backend, Setup, Workers};

/// What each case came to, by its address: mutants have cases of one id.
pub type Verdicts = HashMap<*const Case, Verdict>;

/// Plays cells of one engine.
#[tokio::main]
pub async fn play(data: &Data, engine: Version, cells: &[Cell]) -> Verdicts {
    let engine = Backend::Embedded.engine(Some(engine)).await.unwrap();
    let workers = Workers {
        program: Some(env!("CARGO_BIN_EXE_rds-tls").as_ref()),
        ..Workers::of(data, None)
    };
    let setup = Setup::new(&workers, Options::default()).unwrap();
    let mut endpoint = setup.endpoint(&engine).await.unwrap();
    let mut collect = Collect::default();
    let mut summary = Summary::default();
    (setup.runner)
        .run(&mut *endpoint, cells, &mut collect, &mut summary)
        .await;
    endpoint.shutdown().await.unwrap();
    setup.close().await.unwrap();
    collect.0
}

#[derive(Default)]
struct Collect(Verdicts);

impl Sink for Collect {
    fn event(&mut self, event: &Event) {
        if let Event::CellJudged(CellResult { cell, verdict, .. }) = event {
            self.0.insert(Arc::as_ptr(&cell.case), verdict.clone());
        }
    }
}
