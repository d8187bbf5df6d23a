//! Emulated endpoints against real servers: the newest PostgreSQL installed, or
//! the version that `RDS_TLS_TEST_ENGINE` names, and the newest image that is
//! here or that `RDS_TLS_IMAGE` names.

#[cfg(feature = "container")]
mod container;
mod embedded;
mod place;
#[path = "../../../suites/tests/proc/mod.rs"]
mod proc;
mod shared;

use std::process::ExitCode;

use futures_util::future::{FutureExt, LocalBoxFuture};
use libtest_mimic::{Arguments, Completion, Trial};
use place::Place;

type Test = fn(Place) -> LocalBoxFuture<'static, ()>;

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$((stringify!($name), (|place| $module::$name(place).boxed_local()) as Test)),*]
    };
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let containers = runtime.block_on(containers());
    if let Some(name) = place::asked_to_wait() {
        let places = [Ok(Place::Embedded), containers.clone()];
        let place = places.into_iter().flatten().find(|p| p.to_string() == name);
        runtime.block_on(place::wait_to_be_killed(&place.unwrap()));
    }
    drop(runtime);
    let shared = tests![
        shared::every_policy_shows_on_the_wire_and_lets_the_master_in,
        shared::who_gets_in_is_what_the_policy_says,
        shared::what_the_server_refuses_is_an_error_and_the_next_policy_works,
    ];
    let embedded = tests![
        embedded::a_key_that_others_may_read_is_refused,
        embedded::a_dead_server_is_an_error,
        embedded::a_stopped_postmaster_is_an_error_and_is_ended,
        embedded::a_server_that_is_stopped_as_a_whole_is_an_error_and_is_ended,
        embedded::no_secret_is_logged_and_nothing_stays,
        embedded::what_a_killed_run_left_is_swept,
    ];
    let mut trials = Vec::new();
    for (name, test) in shared.into_iter().chain(embedded) {
        trials.push(trial("embedded", name, test, Ok(Place::Embedded)));
    }
    #[cfg(feature = "container")]
    for (name, test) in shared.into_iter().chain(tests![
        container::keys_are_the_servers_alone,
        container::it_is_published_on_the_loopback_address_alone,
        container::no_secret_can_be_inspected,
        container::a_dead_server_is_an_error,
        container::dropping_it_removes_it,
        container::what_a_killed_run_left_is_swept,
        container::a_port_that_is_taken_is_an_error,
        container::an_image_that_cannot_be_had_is_an_error,
    ]) {
        trials.push(trial("container", name, test, containers.clone()));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Why there is no place for a test.
#[derive(Clone)]
enum NoPlace {
    /// This machine has none: the test is left out.
    Missing(String),
    /// It should have one: the test fails.
    Broken(String),
}

/// A trial in a place, or one that says why there is no such place.
fn trial(kind: &str, name: &str, test: Test, place: Result<Place, NoPlace>) -> Trial {
    Trial::ignorable_test(format!("{kind}/{name}"), move || match place {
        Ok(place) => {
            tokio::runtime::Runtime::new()?.block_on(test(place));
            Ok(Completion::Completed)
        }
        Err(NoPlace::Missing(why)) => Ok(Completion::ignored_with(why)),
        Err(NoPlace::Broken(why)) => Err(why.into()),
    })
}

#[cfg(feature = "container")]
async fn containers() -> Result<Place, NoPlace> {
    use harness::endpoint::{Daemon, ImageName};
    let daemon = Daemon::connect().await.map_err(|error| {
        let why = error.to_string();
        if error.is_no_daemon() {
            NoPlace::Missing(why)
        } else {
            NoPlace::Broken(why)
        }
    })?;
    // Where a daemon answers, nothing that is missing goes without a word.
    let image = daemon.image(&ImageName::from_environment(), None).await;
    image
        .map(Place::Container)
        .map_err(|error| NoPlace::Broken(error.to_string()))
}

#[cfg(not(feature = "container"))]
#[expect(clippy::unused_async, reason = "its other self waits for Docker")]
async fn containers() -> Result<Place, NoPlace> {
    Err(NoPlace::Missing(
        "built without the feature `container`".to_owned(),
    ))
}
