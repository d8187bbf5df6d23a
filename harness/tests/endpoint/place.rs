//! Servers to test, wherever they run.

use std::{
    env, fmt, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use certs_gen::{DEFAULT_ENDPOINT, EndpointName, Pki};
#[cfg(feature = "container")]
use harness::endpoint::{Image, container};
use harness::{
    endpoint::{Endpoint, Master, Options, embedded},
    engine::Version,
    policy::DefaultsTable,
    rundir::RunDir,
};

/// Where a server is to run.
#[derive(Clone)]
pub enum Place {
    /// The newest installed, or the version that `RDS_TLS_TEST_ENGINE` names.
    Embedded,
    #[cfg(feature = "container")]
    Container(Image),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            #[cfg(feature = "container")]
            Self::Container(image) => write!(f, "container {image}"),
        }
    }
}

pub fn options(run_dir: &Arc<RunDir>) -> Options {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../suites/engines.toml");
    let text = fs::read_to_string(&table).unwrap();
    let host = EndpointName::new(DEFAULT_ENDPOINT).unwrap();
    Options {
        defaults: DefaultsTable::parse("engines.toml", &text).unwrap(),
        pki: Arc::new(Pki::new(host, run_dir.path().join("pki"))),
        run_dir: Arc::clone(run_dir),
        port: None,
        master: Master::default(),
    }
}

pub async fn start(place: &Place) -> (Box<dyn Endpoint>, Arc<RunDir>) {
    let run_dir = Arc::new(RunDir::create().unwrap());
    let options = options(&run_dir);
    let began = Instant::now();
    let server = match place {
        Place::Embedded => embedded(requested(), options).await,
        #[cfg(feature = "container")]
        Place::Container(image) => container(image, options).await,
    };
    let server = server.unwrap();
    let facts = server.facts();
    eprintln!("{place}: {} started in {:?}", facts.engine, began.elapsed());
    (server, run_dir)
}

/// Ends a server as a run does, and leaves nothing in its folder.
pub async fn stop(server: Box<dyn Endpoint>, run_dir: Arc<RunDir>) {
    server.shutdown().await.unwrap();
    let path = run_dir.path().to_owned();
    Arc::into_inner(run_dir).unwrap().remove().unwrap();
    assert!(!path.exists());
}

fn requested() -> Option<Version> {
    let request = env::var("RDS_TLS_TEST_ENGINE").ok();
    request.map(|version| version.parse().unwrap())
}

/// What this program is started with to be killed.
const WAIT: &str = "--wait-to-be-killed";

/// Starts this program as a run that waits to be killed; gives the run's
/// folder.
pub fn waiting_run(place: &Place, temp: &Path) -> (Child, String) {
    let mut run = Command::new(env::current_exe().unwrap())
        .args([WAIT, &place.to_string()])
        .env("TMPDIR", temp)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(run.stdout.take().unwrap()).lines();
    let folder = (lines.map(Result::unwrap))
        .find_map(|line| line.strip_prefix("FOLDER ").map(str::to_owned));
    (run, folder.unwrap())
}

/// Which place this program is to wait in, if it was started so.
pub fn asked_to_wait() -> Option<String> {
    let mut args = env::args();
    args.find(|arg| arg == WAIT)?;
    args.next()
}

pub async fn wait_to_be_killed(place: &Place) {
    let (_server, run_dir) = start(place).await;
    println!("FOLDER {}", run_dir.path().display());
    std::future::pending::<()>().await;
}
