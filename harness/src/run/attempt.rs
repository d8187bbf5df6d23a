//! One cell's attempt: tap, driver, transcript, words.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::{CellResult, runner::Runner};
use crate::{
    driver::{Attempt, Surroundings},
    endpoint::{Facts, Login},
    judge::{self, Observation, Verdict},
    suite::{Case, Cell, Dial, Expectation, Names, Trust, Who},
    tap::Tap,
};

static NEXT: AtomicU64 = AtomicU64::new(1);

impl Runner {
    /// Plays a cell once.
    pub(super) async fn play(&self, facts: &Facts, cell: &Cell) -> CellResult {
        let started = Instant::now();
        let (seen, verdict) = match self.try_play(facts, cell).await {
            Ok(observation) => {
                let seen = judge::read(&cell.case.driver, &observation);
                let login = login(facts, cell.case.settings.user.unwrap_or_default());
                let database = database(&cell.case, login);
                let form = cell.case.settings.form.unwrap_or_default();
                let outcome = &observation.outcome;
                let names = Names::of(&facts.host, &login.user, database, form, outcome);
                let verdict = judge::judge(cell, &names, &observation, &seen);
                (Some((observation, seen)), verdict)
            }
            Err(NotPlayed::Skipped(why)) => (None, Verdict::Skipped(why)),
            Err(NotPlayed::Broken(why)) => (None, Verdict::Broken(why)),
        };
        CellResult {
            cell: cell.clone(),
            seen,
            verdict,
            took: started.elapsed(),
        }
    }

    async fn try_play(&self, facts: &Facts, cell: &Cell) -> Result<Observation, NotPlayed> {
        if let Expectation::Skip(why) = &cell.expects {
            return Err(NotPlayed::Skipped(why.clone()));
        }
        let id = &cell.case.driver.id;
        let driver = self.drivers.get(id).ok_or_else(|| {
            NotPlayed::Broken(format!("nothing plays the driver {id} in this build"))
        })?;
        let surroundings = self.surroundings(facts, &cell.case)?;
        let tap = Tap::open(facts.address)
            .await
            .map_err(|error| NotPlayed::Broken(format!("the tap can't listen: {error}")))?;
        let attempt = self.prepare(facts, &cell.case, tap.port())?;
        let played =
            tokio::time::timeout(self.options.deadline, driver.play(&surroundings, &attempt));
        let outcome = match played.await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(could_not)) if could_not.is_missing && cell.case.driver.is_optional => {
                let install = cell.case.driver.install.as_deref();
                let install = install.unwrap_or("install it, and name it to its worker");
                return Err(NotPlayed::Skipped(format!(
                    "not on this machine; {install}"
                )));
            }
            Ok(Err(could_not)) => return Err(NotPlayed::Broken(could_not.to_string())),
            Err(_) => return Err(NotPlayed::Broken(overdue(id, self.options.deadline))),
        };
        Ok(Observation {
            outcome,
            transcript: tap.finish().await,
        })
    }

    fn prepare(&self, facts: &Facts, case: &Case, port: u16) -> Result<Attempt, NotPlayed> {
        let settings = &case.settings;
        let login = login(facts, settings.user.unwrap_or_default());
        Ok(Attempt {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            configuration: case.way.plays.as_ref().unwrap_or(&case.way.id).clone(),
            form: settings.form.unwrap_or_default(),
            host: match settings.host.unwrap_or_default() {
                Dial::Name => facts.host.clone(),
                Dial::Address => certs_gen::ADDRESS.to_string(),
            },
            hostaddr: certs_gen::ADDRESS,
            port,
            user: login.user.clone(),
            password: login.password.clone(),
            database: database(case, login).to_owned(),
            sslmode: settings.sslmode.clone(),
            sslrootcert: settings
                .sslrootcert
                .map(|trust| match trust {
                    Trust::System => Ok("system".to_owned()),
                    file => self
                        .trust(facts, file)
                        .map(|path| path.display().to_string()),
                })
                .transpose()?,
            options: case.options(),
            query: case.question().map(str::to_owned),
        })
    }

    fn surroundings(&self, facts: &Facts, case: &Case) -> Result<Surroundings, NotPlayed> {
        let file = |trust: Option<Trust>| trust.map(|trust| self.trust(facts, trust)).transpose();
        Ok(Surroundings {
            home_root_crt: file(case.settings.home_root_crt)?,
            ssl_cert_file: file(case.settings.ssl_cert_file)?,
        })
    }

    fn trust(&self, facts: &Facts, trust: Trust) -> Result<PathBuf, NotPlayed> {
        match facts.trust.get(&trust) {
            Some(file) => Ok(file.clone()),
            None => (self.trust_files)(trust).map_err(NotPlayed::Broken),
        }
    }
}

enum NotPlayed {
    Skipped(String),
    Broken(String),
}

fn login(facts: &Facts, who: Who) -> &Login {
    match who {
        Who::Master => &facts.master,
        Who::Stranger => &facts.stranger,
    }
}

fn database<'a>(case: &'a Case, login: &'a Login) -> &'a str {
    case.settings.database.as_deref().unwrap_or(&login.database)
}

fn overdue(driver: &str, deadline: Duration) -> String {
    format!(
        "driver {driver} gave no answer within {} s",
        deadline.as_secs()
    )
}
