//! A backend that dies in the middle says nothing of a driver.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use harness::{
    driver::{Attempt, CouldNotRun, Driver, Outcome, Surroundings},
    judge::Verdict,
    run::CellResult,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rstest::rstest;
use suites::data;

use crate::{Plant, Wrap, play, proc, tree::files, until::until};

#[rstest]
#[case::terminated(ends_its_own, "terminating connection due to administrator command")]
#[case::killed(is_killed, "was terminated by signal 9")]
fn a_backend_that_dies_breaks_what_failed_and_fails_nothing(
    #[case] wrap: Wrap,
    #[case] says: &str,
) {
    let data = data::load(None).unwrap();
    // Under one policy, so that the victim's group goes on after it.
    let takes = |cell: &harness::suite::Cell| cell.id.contains("/tls13/");
    let (_, results, summary) = play(&data, &["session/libpq"], takes, Plant::driver(wrap));
    assert_eq!((summary.fail, summary.exit_code()), (0, 3), "{results:?}");
    let whys: Vec<&str> = results.iter().filter_map(broken).collect();
    assert!(whys.iter().any(|why| why.contains(says)), "{whys:?}");
    let ended = |why: &&&str| why.starts_with("PostgreSQL ended connections");
    assert_eq!(whys.iter().filter(ended).count(), whys.len(), "{whys:?}");
}

fn broken(result: &CellResult) -> Option<&str> {
    match &result.verdict {
        Verdict::Broken(why) => Some(why),
        _ => None,
    }
}

/// A driver whose first attempt does something to its backend.
struct FirstAttempt {
    inner: Arc<dyn Driver>,
    is_made: AtomicBool,
    asks: &'static str,
    /// The run's folder, where its backend is killed from outside.
    killed_in: Option<PathBuf>,
}

/// It asks its backend to end (57P01).
fn ends_its_own(inner: Arc<dyn Driver>, _: &Path) -> Arc<dyn Driver> {
    Arc::new(FirstAttempt {
        inner,
        is_made: AtomicBool::new(false),
        asks: "SELECT pg_terminate_backend(pg_backend_pid())",
        killed_in: None,
    })
}

/// Its backend is killed, so the postmaster ends all others, too.
fn is_killed(inner: Arc<dyn Driver>, folder: &Path) -> Arc<dyn Driver> {
    Arc::new(FirstAttempt {
        inner,
        is_made: AtomicBool::new(false),
        asks: "SELECT pg_sleep(600)",
        killed_in: Some(folder.to_owned()),
    })
}

impl Driver for FirstAttempt {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn play<'a>(
        &'a self,
        surroundings: &'a Surroundings,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Outcome, CouldNotRun>> {
        if self.is_made.swap(true, Ordering::Relaxed) {
            return self.inner.play(surroundings, attempt);
        }
        let asking = Attempt {
            query: Some(self.asks.to_owned()),
            ..attempt.clone()
        };
        let folder = self.killed_in.clone();
        Box::pin(async move {
            let killing = tokio::task::spawn_blocking(move || folder.map(|it| kill_sleeper(&it)));
            let outcome = self.inner.play(surroundings, &asking).await;
            killing.await.unwrap();
            outcome
        })
    }
}

/// Kills the one backend that has slept for a while, and waits until the server
/// is up again: the group's last sanity attempt has to find it so.
fn kill_sleeper(run: &Path) {
    let named = |name: &str| files(run).into_iter().find(|file| file.ends_with(name));
    let pid_file = fs::read_to_string(named("postmaster.pid").unwrap()).unwrap();
    let postmaster = Pid::from_raw(pid_file.lines().next().unwrap().parse().unwrap());
    let log = named("server.log").unwrap();
    let starts = || {
        let log = fs::read_to_string(&log).unwrap();
        log.matches("database system is ready to accept connections")
            .count()
    };
    let mut sleeper = None;
    until("a backend sleeps", || {
        let is_asked = |process: &proc::Process| {
            process.parent() == Some(postmaster)
                && process
                    .arguments()
                    .trim_end_matches('\0')
                    .ends_with(") SELECT")
        };
        let asked = proc::others().find(is_asked);
        // Twice in a row: any other's query is over by then.
        let seen = asked.map(|process| process.pid);
        let is_same = seen.is_some() && seen == sleeper;
        sleeper = seen;
        is_same
    });
    kill(sleeper.unwrap(), Signal::SIGKILL).unwrap();
    until("the server is up again", || starts() == 2);
}
