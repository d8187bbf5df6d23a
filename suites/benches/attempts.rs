//! What the suite costs: attempts a second beside pgbench, a policy switch, a
//! start, memory, and a container beside a server of this machine. One line a figure, `name value unit`; the same as JSON in
//! the file that `RDS_TLS_BENCH_JSON` names.

use std::{
    collections::BTreeMap,
    env, fs,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};
use harness::{
    endpoint::Endpoint,
    engine::{self, Version},
    judge::Verdict,
    policy::{Leaf, Policy},
    run::{Event, Options, Sink, Summary},
    suite::{Cell, Data, Plan, Selection},
};
use secrecy::ExposeSecret;
use suites::{Backend, Setup, Workers, data};

/// Attempts of each driver that are timed.
const ATTEMPTS: usize = 600;
const SWITCHES: usize = 40;
const PGBENCH_SECONDS: u32 = 5;

/// Logins over TLS with SCRAM, nothing verified, as pgbench does them.
const DRIVERS: [(&str, &str); 3] = [
    ("libpq", "sslmode/libpq/force-ssl/require/none/right"),
    (
        "tokio_postgres_native_tls",
        "sslmode/tokio-postgres-native-tls:any-cert/force-ssl/require/none/right",
    ),
    (
        "tokio_postgres_rustls",
        "sslmode/tokio-postgres-rustls:any-cert/force-ssl/require/none/right",
    ),
];

fn main() -> anyhow::Result<()> {
    harness::driver::worker::serve_if_asked(env::args_os());
    // `cargo test --benches` asks whether it works, not how fast.
    if !env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let figures = tokio::runtime::Runtime::new()?.block_on(measure())?;
    for (name, value, unit) in &figures {
        println!("{name} {value:.2} {unit}");
    }
    if let Some(file) = env::var_os("RDS_TLS_BENCH_JSON") {
        let figures: Vec<_> = (figures.iter())
            .map(|(name, value, unit)| serde_json::json!({"name": name, "value": value, "unit": unit}))
            .collect();
        fs::write(&file, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| format!("RDS_TLS_BENCH_JSON: {} can't be written", file.display()))?;
    }
    Ok(())
}

type Figure = (String, f64, &'static str);

async fn measure() -> anyhow::Result<Vec<Figure>> {
    let data = data::load(None)?;
    let engine = Backend::Embedded.engine(None).await?;
    let setup = Setup::new(&Workers::of(&data, None), Options::default())?;
    // The first start makes the template cluster, if there is none yet.
    setup.endpoint(&engine).await?.shutdown().await?;
    let started = Instant::now();
    let mut endpoint = setup.endpoint(&engine).await?;
    let mut figures = vec![figure("embedded.start", millis(started.elapsed()), "ms")];

    figures.push(figure(
        "policy.switch_median",
        switch(&mut *endpoint).await?,
        "ms",
    ));
    let pgbench = pgbench(&*endpoint).await?;
    if let Some(rate) = pgbench {
        figures.push(figure("pgbench.rate", rate, "connections/s"));
    }
    for (name, id) in DRIVERS {
        let rate = attempts(&setup, &mut *endpoint, &data, id, engine.version()).await?;
        figures.push(figure(&format!("{name}.rate"), rate, "attempts/s"));
        if let Some(pgbench) = pgbench {
            figures.push(figure(
                &format!("{name}.vs_pgbench"),
                rate / pgbench,
                "ratio",
            ));
        }
    }
    let (own, workers) = peak_memory()?;
    figures.push(figure("harness.peak_memory", own, "MB"));
    figures.push(figure("workers.peak_memory", workers, "MB"));
    endpoint.shutdown().await?;
    figures.extend(container(&setup, &data).await?);
    setup.close().await?;
    Ok(figures)
}

/// All cells in a container, and on a server of this machine of the same
/// version: the newest installed, whose OpenSSL is likely to be as new as the
/// image's, where there is an image of it.
async fn container(setup: &Setup, data: &Data) -> anyhow::Result<Vec<Figure>> {
    let installed = engine::newest_installed().map(|version| Version {
        minor: None,
        ..version
    });
    let mut found = Backend::Container.engine(installed).await;
    if found.is_err() {
        found = Backend::Container.engine(None).await;
    }
    let container = match found {
        Ok(engine) => engine,
        Err(error) => {
            eprintln!("{error}: the figures of containers are left out");
            return Ok(Vec::new());
        }
    };
    let major = container.version().major;
    let version = Version { major, minor: None };
    let embedded = Backend::Embedded.engine(Some(version)).await?;
    let cells = Plan::new(data, &[version], &Selection::default())?.cells;
    let mut figures = Vec::new();
    let mut rates = BTreeMap::new();
    // The first round makes the keys, which the second has from it.
    for _ in 0..2 {
        for (kind, engine) in [("container", &container), ("embedded", &embedded)] {
            let started = Instant::now();
            let mut endpoint = setup.endpoint(engine).await?;
            let start = millis(started.elapsed());
            let rate = all_cells(setup, &mut *endpoint, &cells).await?;
            rates.insert(kind, rate);
            if kind == "container" {
                let switch = switch(&mut *endpoint).await?;
                figures = vec![
                    figure("container.start", start, "ms"),
                    figure("container.switch_median", switch, "ms"),
                ];
            }
            endpoint.shutdown().await?;
        }
    }
    let (container, embedded) = (rates["container"], rates["embedded"]);
    figures.push(figure("container.all_cells", container, "cells/s"));
    figures.push(figure("embedded.all_cells", embedded, "cells/s"));
    let ratio = container / embedded;
    figures.push(figure("container.vs_embedded", ratio, "ratio"));
    Ok(figures)
}

/// Cells a second, those left out that can't be played here.
async fn all_cells(
    setup: &Setup,
    endpoint: &mut dyn Endpoint,
    cells: &[Cell],
) -> anyhow::Result<f64> {
    let started = Instant::now();
    let mut clock = Clock::default();
    let mut summary = Summary::default();
    let run = (setup.runner).run(endpoint, cells, &mut clock, &mut summary);
    run.await;
    let played = summary.cells - summary.skipped;
    match clock.failed {
        Some(failed) => Err(anyhow!(
            "a cell did not pass ({}): {failed}",
            endpoint.facts().kind
        )),
        None => Ok(num(played) / started.elapsed().as_secs_f64()),
    }
}

fn figure(name: &str, value: f64, unit: &'static str) -> Figure {
    (name.to_owned(), value, unit)
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1e3
}

/// The median of switches that change certificate, hba and TLS alike.
async fn switch(endpoint: &mut dyn Endpoint) -> anyhow::Result<f64> {
    let policies = [
        Policy {
            force_ssl: Some(true),
            ..Policy::default()
        },
        Policy {
            force_ssl: Some(false),
            leaf: Leaf::Other,
            ..Policy::default()
        },
        Policy {
            force_ssl: Some(false),
            ssl: Some(false),
            ..Policy::default()
        },
    ];
    let mut took = Vec::new();
    for nth in 0..SWITCHES {
        let started = Instant::now();
        endpoint.apply(&policies[nth % policies.len()]).await?;
        took.push(millis(started.elapsed()));
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() / 2])
}

async fn attempts(
    setup: &Setup,
    endpoint: &mut dyn Endpoint,
    data: &Data,
    id: &str,
    version: Version,
) -> anyhow::Result<f64> {
    let case = (data.cases.iter())
        .find(|case| case.id == id)
        .ok_or_else(|| anyhow!("no case is called {id}"))?;
    let cell = case
        .at(version)
        .ok_or_else(|| anyhow!("{id} has no row for {version}"))?;
    // Workers are started, connectors made.
    play(setup, endpoint, vec![cell.clone(); 16]).await?;
    let took = play(setup, endpoint, vec![cell; ATTEMPTS]).await?;
    Ok(num(ATTEMPTS) / took.as_secs_f64())
}

async fn play(
    setup: &Setup,
    endpoint: &mut dyn Endpoint,
    cells: Vec<Cell>,
) -> anyhow::Result<Duration> {
    let mut clock = Clock::default();
    let mut summary = Summary::default();
    setup
        .runner
        .run(endpoint, &cells, &mut clock, &mut summary)
        .await;
    if let Some(failed) = clock.failed {
        return Err(anyhow!("an attempt did not pass: {failed}"));
    }
    Ok(clock.took)
}

/// Times the attempts of a group, its switch left out.
#[derive(Default)]
struct Clock {
    applied: Option<Instant>,
    took: Duration,
    failed: Option<String>,
}

impl Sink for Clock {
    fn event(&mut self, event: &Event) {
        match event {
            Event::PolicyApplied { .. } => self.applied = Some(Instant::now()),
            Event::AttemptDone => {
                if let Some(applied) = self.applied {
                    self.took = applied.elapsed();
                }
            }
            Event::CellJudged(result)
                if !matches!(result.verdict, Verdict::Pass | Verdict::Skipped(_)) =>
            {
                self.failed = Some(format!("{:?}", result.verdict));
            }
            _ => {}
        }
    }
}

/// `pgbench -C -S -c 2 -j 2` with sslmode=require; nothing where it isn't
/// installed.
async fn pgbench(endpoint: &dyn Endpoint) -> anyhow::Result<Option<f64>> {
    let facts = endpoint.facts();
    let port = facts.address.port().to_string();
    let run = |database: &str, arguments: &[&str]| {
        Command::new("pgbench")
            .args(["-h", "127.0.0.1", "-p", &port, "-U", &facts.master.user])
            .args(arguments)
            .arg(database)
            .env("PGPASSWORD", facts.master.password.expose_secret())
            .env("PGSSLMODE", "require")
            .output()
    };
    if run("postgres", &["--version"]).is_err() {
        eprintln!("pgbench is not installed: its figures are left out");
        return Ok(None);
    }
    create_database(endpoint).await?;
    for arguments in [
        &["-i", "-q"][..],
        &["-C", "-S", "-c", "2", "-j", "2", "-T", "1"],
    ] {
        succeeded(&run("bench", arguments)?)?;
    }
    let seconds = PGBENCH_SECONDS.to_string();
    let text = succeeded(&run(
        "bench",
        &["-C", "-S", "-c", "2", "-j", "2", "-T", &seconds],
    )?)?;
    let rate = (text.lines())
        .find_map(|line| line.strip_prefix("tps = "))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok());
    rate.map(Some)
        .ok_or_else(|| anyhow!("pgbench printed no rate: {text}"))
}

async fn create_database(endpoint: &dyn Endpoint) -> anyhow::Result<()> {
    let facts = endpoint.facts();
    let tls = native_tls::TlsConnector::builder()
        .danger_accept_invalid_certs(true)
        .build()?;
    let (client, connection) = tokio_postgres::Config::new()
        .host(&facts.host)
        .hostaddr(facts.address.ip())
        .port(facts.address.port())
        .user(&facts.master.user)
        .password(facts.master.password.expose_secret())
        .dbname(&facts.master.database)
        .connect(postgres_native_tls::MakeTlsConnector::new(tls))
        .await?;
    tokio::spawn(connection);
    Ok(client.batch_execute("CREATE DATABASE bench").await?)
}

fn succeeded(output: &std::process::Output) -> anyhow::Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(anyhow!(
        "pgbench: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// The highest that the resident memory of this process, and of all its workers
/// together, has been; Linux's `VmHWM`.
fn peak_memory() -> anyhow::Result<(f64, f64)> {
    let own = std::process::id();
    let mut workers = 0.0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else {
            continue;
        };
        let is_worker = fs::read(entry.path().join("cmdline"))
            .is_ok_and(|line| line.windows(8).any(|part| part == b"__worker"));
        if is_worker && field(&status, "PPid:") == Some(f64::from(own)) {
            workers += field(&status, "VmHWM:").unwrap_or(0.0) / 1024.0;
        }
    }
    let status = fs::read_to_string("/proc/self/status")?;
    Ok((field(&status, "VmHWM:").unwrap_or(0.0) / 1024.0, workers))
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn num(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}
