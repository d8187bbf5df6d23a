//! The worker's side: this program as the worker of a driver it carries.

use std::{
    ffi::OsString,
    io::{self, BufRead as _, Read as _, Write as _},
    path::PathBuf,
    process,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Runtime;

use super::{
    player::Player,
    protocol::{Answer, LineError, MAX_LINE, Request, to_line},
};
use crate::driver::{libpq, psql, tokio_postgres};

/// The drivers that this program carries.
pub const BUILT_IN: [&str; 5] = [
    libpq::ID,
    psql::ID,
    tokio_postgres::NATIVE_TLS,
    tokio_postgres::RUSTLS,
    tokio_postgres::NO_TLS,
];

/// The first argument that makes this program a worker.
pub(super) const WORKER_ARGUMENT: &str = "__worker";

/// How many attempts are played at once in blocking calls.
const BLOCKING_THREADS: usize = 16;

/// Becomes a worker, and does not return, if the program's arguments ask for
/// it. To be called first thing in `main`, before any thread is started.
///
/// A worker ends when its standard input does, whatever it is doing: so it
/// outlives no harness.
pub fn serve_if_asked(args: impl IntoIterator<Item = OsString>) {
    let mut args = args.into_iter().skip(1);
    if args.next().is_none_or(|first| first != WORKER_ARGUMENT) {
        return;
    }
    let driver = args.next().unwrap_or_default();
    let places: Vec<_> = args.map(PathBuf::from).collect();
    let served = player(&driver.to_string_lossy(), &places).and_then(|player| serve(&player));
    match served {
        Ok(()) => process::exit(0),
        Err(error) => {
            let _ = writeln!(io::stderr(), "worker: {error}");
            process::exit(2);
        }
    }
}

/// The player of a driver; `places` are where libpq is to be looked for.
fn player(driver: &str, places: &[PathBuf]) -> io::Result<Arc<dyn Player>> {
    // First of all, so that OpenSSL's exit handler, which would pull it from
    // under the attempts in flight, is never registered (openssl-sys, `init`).
    openssl::init();
    match driver {
        libpq::ID => match libpq::Libpq::find(places) {
            Ok(libpq) => Ok(Arc::new(libpq)),
            Err(error) => Err(io::Error::other(error)),
        },
        psql::ID => Ok(Arc::new(psql::AnyPsql::find())),
        other => tokio_postgres::player(other)
            .ok_or_else(|| io::Error::other(format!("no driver {other} is built in"))),
    }
}

fn serve(player: &Arc<dyn Player>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()?;
    let answers = Arc::new(Mutex::new(io::stdout()));
    send(&answers, &Answer::Hello(player.hello()))?;
    let result = answer_requests(&runtime, player, &answers);
    runtime.shutdown_background();
    result
}

/// Reads requests until the end of the input.
fn answer_requests(
    runtime: &Runtime,
    player: &Arc<dyn Player>,
    answers: &Arc<Mutex<io::Stdout>>,
) -> io::Result<()> {
    let mut requests = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut requests)
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        // The line holds a password: say where it is wrong, and no more.
        let request: Request = serde_json::from_slice(&line).map_err(|error| {
            io::Error::other(format!("a request is wrong at column {}", error.column()))
        })?;
        let deadline = Duration::from_millis(request.deadline_ms);
        let id = request.attempt.id;
        let outcome = player.clone().play(request.attempt, deadline);
        let answers = answers.clone();
        runtime.spawn(async move {
            let answer = match outcome.await {
                Ok(outcome) => Answer::Outcome { id, outcome },
                Err(why) => Answer::CouldNotRun { id, why },
            };
            if send(&answers, &answer).is_err() {
                // Nobody listens.
                process::exit(1);
            }
        });
    }
}

fn send(answers: &Mutex<io::Stdout>, answer: &Answer) -> io::Result<()> {
    let line = match (to_line(answer), answer) {
        (Err(LineError::TooLong), Answer::Outcome { id, .. } | Answer::CouldNotRun { id, .. }) => {
            to_line(&Answer::CouldNotRun {
                id: *id,
                why: format!("its answer is {}", LineError::TooLong),
            })
        }
        (line, _) => line,
    }
    .map_err(io::Error::other)?;
    let mut stdout = answers.lock().unwrap_or_else(PoisonError::into_inner);
    stdout.write_all(&line)?;
    stdout.flush()
}
