//! The contract of the official image's entrypoint, as its description on Docker
//! Hub states it, held against every image `rds-tls/postgres:N` that is here, and
//! against what `RDS_TLS_IMAGE` names: `postgres:17`, or `postgres` for every
//! `postgres:N` that is here.

mod contract;
mod server;

use std::{env, path::Path, process::ExitCode, sync::Arc, time::Duration};

use futures_util::future::{FutureExt, LocalBoxFuture};
use harness::{
    endpoint::Daemon,
    engine::{NEWEST, OLDEST},
    rundir::RunDir,
};
use libtest_mimic::{Arguments, Completion, Trial};
use server::Image;
use suites::Stop;
use testcontainers::{
    bollard::query_parameters::ListImagesOptionsBuilder, core::client::docker_client_instance,
};
use tokio::runtime::Runtime;

/// What `ci/offline-image` makes.
const OFFLINE: &str = "rds-tls/postgres";

/// How late a container may come that was asked for before a signal.
const LATE: Duration = Duration::from_secs(2);

type Test = fn(Image) -> LocalBoxFuture<'static, ()>;

macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), (|image| contract::$name(image).boxed_local()) as Test)),*]
    };
}

fn main() -> ExitCode {
    match run(&Arguments::from_args()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("entrypoint: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn run(args: &Arguments) -> anyhow::Result<ExitCode> {
    let tests = tests![
        the_image_says_what_it_is,
        without_a_password_it_refuses_to_start,
        a_password_given_twice_is_refused,
        a_password_file_that_is_missing_is_refused,
        trust_is_taken_for_a_password,
        user_and_database_are_made,
        the_database_is_called_as_the_user,
        a_password_comes_from_a_file,
        the_server_is_process_1_and_nobody_special,
        options_are_the_servers,
        another_command_is_run_as_it_is,
        scripts_run_once_and_in_order,
        a_script_that_fails_fails_the_start,
        it_stops_in_good_order,
    ];
    let runtime = Arc::new(Runtime::new()?);
    let stop = Arc::new(Stop::default());
    let run = RunDir::create()?;
    let mut trials = Vec::new();
    match runtime.block_on(images())? {
        Ok(images) => {
            for (reference, major) in images {
                for (name, test) in tests {
                    let image = Image {
                        reference: reference.clone(),
                        major,
                        run: run.path().to_owned(),
                    };
                    let (runtime, stop) = (runtime.clone(), stop.clone());
                    let name = format!("{reference}/{name}");
                    trials.push(Trial::test(name, move || {
                        runtime.block_on(until_told(&stop, test(image)));
                        Ok(())
                    }));
                }
            }
        }
        Err(why) => {
            for (name, _) in tests {
                let why = why.clone();
                let ignored = move || Ok(Completion::ignored_with(why));
                trials.push(Trial::ignorable_test(name, ignored));
            }
        }
    }
    if args.list {
        return Ok(libtest_mimic::run(args, trials).exit_code());
    }
    end_when_told(&runtime, stop, &run)?;
    let conclusion = libtest_mimic::run(args, trials);
    runtime.block_on(clean_up(run.path()));
    Ok(conclusion.exit_code())
}

/// Removes the containers of this run that are still there: one that could not
/// be started isn't removed by testcontainers.
async fn clean_up(run: &Path) {
    // A run without its folder has ended, and whoever connects sweeps it up.
    let _ = std::fs::remove_dir_all(run);
    let _ = Daemon::connect().await;
}

/// A test that a signal ends where it is. No other is begun then: the thread waits
/// for the end of the process.
async fn until_told(stop: &Stop, test: impl Future<Output = ()>) {
    tokio::select! {
        () = test => {}
        () = stop.stopped() => {}
    }
    if stop.exit_code().is_some() {
        std::future::pending::<()>().await;
    }
}

/// On a signal, removes the containers of this run, and ends.
fn end_when_told(runtime: &Runtime, stop: Arc<Stop>, run: &RunDir) -> anyhow::Result<()> {
    let _within = runtime.enter();
    stop.heed_signals()?;
    let folder = run.path().to_owned();
    runtime.spawn(async move {
        stop.stopped().await;
        clean_up(&folder).await;
        // What Docker was asked for just before may come late.
        tokio::time::sleep(LATE).await;
        clean_up(&folder).await;
        std::process::exit(stop.exit_code().unwrap_or(1).into());
    });
    Ok(())
}

/// The images that are here, each with its major version.
type Images = Vec<(String, u16)>;

/// The images, or why there are none: no daemon answers, or it has none of ours.
///
/// # Errors
/// When a daemon answers and can't be used.
async fn images() -> anyhow::Result<Result<Images, String>> {
    let named = env::var("RDS_TLS_IMAGE").unwrap_or_default();
    // What killed runs left goes, too.
    match Daemon::connect().await {
        Err(error) if error.is_no_daemon() => return Ok(Err(error.to_string())),
        connected => connected?,
    };
    let docker = docker_client_instance().await?;
    let options = ListImagesOptionsBuilder::new().build();
    let listed = docker.list_images(Some(options)).await?;
    let mut images: Images = (listed.into_iter())
        .flat_map(|image| image.repo_tags)
        .filter_map(|reference| {
            let (repository, tag) = reference.rsplit_once(':')?;
            let asked = reference == named
                || [OFFLINE, &named].contains(&repository) && tag.parse::<u16>().is_ok();
            let major = tag.split(|c: char| !c.is_ascii_digit()).next()?;
            let major = major.parse().ok().filter(|_| asked)?;
            (OLDEST..=NEWEST)
                .contains(&major)
                .then_some((reference, major))
        })
        .collect();
    images.sort();
    images.dedup();
    let of_named = |(reference, _): &(String, u16)| reference.starts_with(&named);
    if !named.is_empty() && !images.iter().any(of_named) {
        // Asked for by name, it must not go without a word.
        images.push((named, 0));
    }
    if images.is_empty() {
        return Ok(Err(format!(
            "no image {OFFLINE}:N is here; ci/offline-image makes them, or RDS_TLS_IMAGE names others"
        )));
    }
    Ok(Ok(images))
}
