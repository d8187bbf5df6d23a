//! No password leaves a run: not in what it prints or writes, and not in any
//! process's arguments or environment.

mod proc;

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use harness::{
    report::{Console, Json, in_full},
    run::{Event, Options, Sink, Summary},
    suite::{Plan, Selection},
};
use secrecy::ExposeSecret;
use suites::{Backend, Setup, Workers, data};

#[tokio::test]
async fn passwords_stay_on_the_workers_standard_input() {
    let data = data::load(None).unwrap();
    let engine = Backend::Embedded.engine(None).await.unwrap();
    let selection = Selection {
        suites: vec!["connection-string".to_owned(), "force_ssl".to_owned()],
        ..Selection::default()
    };
    let plan = Plan::new(&data, &[engine.version()], &selection).unwrap();
    let workers = Workers {
        program: Some(env!("CARGO_BIN_EXE_rds-tls").as_ref()),
        ..Workers::of(&data, None)
    };
    let setup = Setup::new(&workers, Options::default()).unwrap();
    let mut endpoint = setup.endpoint(&engine).await.unwrap();
    let facts = endpoint.facts().clone();
    let secrets = [&facts.master, &facts.stranger].map(|login| login.password.expose_secret());

    let out = Shared::default();
    let mut sinks = Everything {
        console: Console::new(out.clone(), data.claims.as_ref().clone(), true),
        json: Json::new(Box::new(out.clone())),
        out: out.clone(),
        claims: data.claims.as_ref().clone(),
        processes: String::new(),
    };
    let mut summary = Summary::default();
    setup
        .runner
        .run(&mut *endpoint, &plan.cells, &mut sinks, &mut summary)
        .await;
    sinks.event(&Event::Finished(&summary));
    endpoint.shutdown().await.unwrap();
    setup.close().await.unwrap();

    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    // It looked where it should: at outputs of this run, and at its workers.
    assert!(text.contains("connection-string/libpq/uri/disable"));
    assert!(sinks.processes.contains("__worker"));
    for secret in secrets {
        assert!(secret.len() >= 16);
        assert!(!text.contains(secret), "a password is in an output");
        assert!(
            !sinks.processes.contains(secret),
            "a password is in a process's arguments"
        );
    }
    assert!(
        !format!("{facts:?}").contains(secrets[0]),
        "a password is in a debug output"
    );
}

/// All sinks at once, each cell also as a failure would be told; and a look at
/// all processes while attempts are under way.
struct Everything {
    console: Console<Shared>,
    json: Json,
    out: Shared,
    claims: harness::suite::Claims,
    processes: String,
}

impl Sink for Everything {
    fn event(&mut self, event: &Event) {
        self.console.event(event);
        self.json.event(event);
        match event {
            Event::AttemptDone => self.processes += &processes(),
            Event::CellJudged(result) => {
                let text = in_full(result, &self.claims).join("\n");
                self.out.write_all(text.as_bytes()).unwrap();
            }
            _ => {}
        }
    }
}

fn processes() -> String {
    proc::all()
        .flat_map(|process| [process.arguments(), process.environment()])
        .filter(|text| {
            text.contains("__worker") || text.contains("postgres") || text.contains("rds-tls")
        })
        .collect()
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
