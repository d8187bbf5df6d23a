//! The names of certificates, by every build of libpq that is here: the one that
//! this program carries, those that `RDS_TLS_LIBPQ` names, the system's, and those
//! of the engines in the cache.
//!
//! A version of which no build is here is an ignored test, with its name. This
//! program is a worker too, so it has a `main` of its own.

mod cases;
mod server;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    process::ExitCode,
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use harness::{
    driver::{
        Attempt, Driver as _, Form, Outcome, Surroundings, libpq,
        worker::{Limits, Pool, WorkerCommand, serve_if_asked},
    },
    engine::{Account, Cache, NEWEST, OLDEST, Version},
};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    cases::{CASES, CERTIFICATES, Case},
    server::{Server, TAKEN},
};

fn main() -> ExitCode {
    serve_if_asked(std::env::args_os());
    let mut trials = vec![
        Trial::test("every_certificate_has_a_case", every_certificate_has_a_case),
        Trial::test("libpq_without_a_variable", || {
            let plain = Builds::of(WorkerCommand::built_in(libpq::ID, None)?)?;
            plain.play("default", NEWEST)
        }),
    ];
    trials.extend((OLDEST..=NEWEST).map(|major| {
        Trial::ignorable_test(format!("shared_libpq_{major}"), move || shared(major))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn every_certificate_has_a_case() -> Result<(), Failed> {
    for certificate in CERTIFICATES {
        if !CASES.iter().any(|case| case.0 == certificate.id) {
            return Err(format!("no case is about {}", certificate.id).into());
        }
    }
    Ok(())
}

/// Plays the cases by the shared build of a version.
fn shared(major: u16) -> Result<Completion, Failed> {
    static ALL: LazyLock<Result<Builds, Failed>> = LazyLock::new(|| {
        let mut command = WorkerCommand::built_in(libpq::ID, None)?;
        command.args.extend(engines()?.into_iter().map(Into::into));
        Builds::of(command)
    });
    let builds = ALL.as_ref().map_err(Clone::clone)?;
    let configuration = match major {
        NEWEST => "default".to_owned(),
        other => other.to_string(),
    };
    match builds.about(&configuration) {
        Some(about) if !about.contains("(bundled") => {
            builds.play(&configuration, major)?;
            Ok(Completion::Completed)
        }
        _ => Ok(Completion::ignored_with(format!(
            "no shared libpq {major} is here; name one by RDS_TLS_LIBPQ"
        ))),
    }
}

/// The folders of the engines in the cache, the newest first, that hold a libpq.
fn engines() -> Result<Vec<PathBuf>, Failed> {
    let shelf = Cache::open(&Account::for_servers()?)?.engines()?;
    let mut folders = Vec::new();
    for entry in fs::read_dir(shelf)? {
        let folder = entry?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let library = folder.join("lib/libpq.so.5");
        if let (Ok(version), true) = (name.parse::<Version>(), library.is_file()) {
            folders.push((version, library));
        }
    }
    folders.sort_by(|one, other| other.cmp(one));
    Ok(folders.into_iter().map(|(_, library)| library).collect())
}

/// A worker's builds.
struct Builds {
    pool: Pool,
    configurations: Vec<String>,
    version: String,
    _homes: TempDir,
}

impl Builds {
    fn of(command: WorkerCommand) -> Result<Self, Failed> {
        let homes = tempfile::tempdir()?;
        let limits = Limits {
            hello: Duration::from_secs(30),
            attempt: Duration::from_secs(30),
            ..Limits::default()
        };
        let pool = Pool::new(libpq::ID, command, homes.path(), limits);
        let hello = RUNTIME.block_on(pool.hello(&Surroundings::default()))?;
        Ok(Self {
            pool,
            configurations: hello.configurations,
            version: hello.version,
            _homes: homes,
        })
    }

    /// What is told of a configuration, if it is here.
    fn about(&self, configuration: &str) -> Option<&str> {
        if !self.configurations.iter().any(|c| c == configuration) {
            return None;
        }
        let told = match self.version.split_once(&format!("{configuration}: ")) {
            Some((_, told)) => told,
            None => &self.version,
        };
        told.split_inclusive(')').next()
    }

    /// Plays every case, and tells of those that differ.
    fn play(&self, configuration: &str, major: u16) -> Result<(), Failed> {
        let differs: Vec<String> = CASES
            .iter()
            .filter_map(|case| self.differs(case, configuration, major))
            .collect();
        if differs.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} of {} cases differ in {}:\n{}",
            differs.len(),
            CASES.len(),
            self.about(configuration).unwrap_or_default(),
            differs.join("\n"),
        )
        .into())
    }

    fn differs(&self, case: &Case, configuration: &str, major: u16) -> Option<String> {
        // Tests that share a worker run side by side.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let Case(certificate, host, ..) = *case;
        let server = &SERVERS.servers[certificate];
        let attempt = Attempt {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            configuration: configuration.to_owned(),
            form: Form::KeyValue,
            host: host.to_owned(),
            hostaddr: Ipv4Addr::LOCALHOST.into(),
            port: server.port,
            user: "testuser".to_owned(),
            password: "none".to_owned().into(),
            database: "testDB".to_owned(),
            sslmode: Some("verify-full".to_owned()),
            sslrootcert: Some(server.root.display().to_string()),
            options: BTreeMap::new(),
            query: None,
        };
        let played = RUNTIME.block_on(self.pool.play(&Surroundings::default(), &attempt));
        let seen = match played {
            Ok(Outcome::Refused { message, sqlstate }) => match sqlstate.as_deref() {
                Some(TAKEN) => "taken".to_owned(),
                _ => message,
            },
            Ok(connected @ Outcome::Connected { .. }) => format!("{connected:?}"),
            Err(error) => error.to_string(),
        };
        let expected = case.expected(major).sentence(host);
        let as_expected = match &expected {
            None => seen == "taken",
            Some(sentence) => seen.ends_with(&**sentence),
        };
        (!as_expected).then(|| {
            let expected = expected.as_deref().unwrap_or("taken");
            format!("{certificate} for {host}: {seen}\n  instead of: {expected}")
        })
    }
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// A server for each certificate.
static SERVERS: LazyLock<Servers> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let servers = CERTIFICATES
        .iter()
        .map(|names| (names.id, Server::start(names, folder.path())))
        .collect();
    Servers {
        servers,
        _folder: folder,
    }
});

struct Servers {
    servers: HashMap<&'static str, Server>,
    _folder: TempDir,
}
