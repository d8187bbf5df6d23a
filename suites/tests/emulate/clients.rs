//! The lines for clients, pasted into those clients.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, OnceLock},
    time::Duration,
};

use certs_gen::Leaf;
use libtest_mimic::{Completion, Trial};
use serde::Deserialize;

use crate::{
    bounded,
    stages::{STAGES, Stage, Stages},
};

/// What an installation may take.
const FETCH: Duration = Duration::from_mins(5);
/// What a client may take: some compile first.
const RUN: Duration = Duration::from_mins(2);

const QUERY: &str = "SELECT 'encrypted by ' || version FROM pg_stat_ssl \
                     WHERE pid = pg_backend_pid() AND ssl";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    package: BTreeMap<String, Package>,
    client: Vec<Client>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    version: String,
    needs: Vec<String>,
    fetch: String,
    /// Its folder, or why it can't be had.
    #[serde(skip)]
    folder: OnceLock<Result<PathBuf, String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    id: String,
    line: String,
    package: String,
    program: Option<Program>,
    run: String,
    #[serde(default)]
    leaves_name_unchecked: bool,
    #[serde(default)]
    not_for_localhost: bool,
    name_refused: String,
    chain_refused: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    file: String,
    text: String,
}

pub fn trials(stages: &Arc<Stages>) -> Vec<Trial> {
    let table: Table = toml::from_str(include_str!("clients.toml")).unwrap();
    let packages = Arc::new(table.package);
    let trial = |client: &Arc<Client>, stage: Stage| {
        let (client, packages) = (Arc::clone(client), Arc::clone(&packages));
        let stages = Arc::clone(stages);
        let name = format!("pasted/{}/{}", client.id, stage.id());
        Trial::ignorable_test(name, move || {
            let package = &packages[&client.package];
            match package.folder(&client.package) {
                Ok(folder) => client.play(folder, &stages, stage),
                Err(why) => return Ok(Completion::ignored_with(why)),
            }
            Ok(Completion::Completed)
        })
    };
    let clients = table.client.into_iter().map(Arc::new);
    clients
        .flat_map(|client| {
            (STAGES.into_iter())
                .filter(|stage| !(client.not_for_localhost && stage.is_local()))
                .map(|stage| trial(&client, stage))
                .collect::<Vec<_>>()
        })
        .collect()
}

impl Client {
    fn play(&self, package: &Path, stages: &Stages, stage: Stage) {
        let output = self.paste(package, stages, stage);
        let text = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        let refusal = match stage.leaf {
            Leaf::Right => None,
            Leaf::Other if self.leaves_name_unchecked && !stage.is_local() => None,
            Leaf::Other => Some(&self.name_refused),
            _ => Some(&self.chain_refused),
        };
        match refusal {
            None => assert!(
                output.status.success() && text.starts_with("encrypted by TLSv1."),
                "{text}{error}"
            ),
            Some(says) => assert!(
                !output.status.success() && text.is_empty() && error.contains(says),
                "expected {says}, saw: {text}{error}"
            ),
        }
    }

    fn paste(&self, package: &Path, stages: &Stages, stage: Stage) -> Output {
        let emulated = stages.get(stage);
        let line = emulated.line(&self.line);
        let work = tempfile::tempdir().unwrap();
        if let Some(program) = &self.program {
            let text = program.text.replace("@LINE@", line);
            fs::write(work.path().join(&program.file), text).unwrap();
        }
        let script = format!("{}\n{}", emulated.line("password"), self.run);
        let mut command = shell(&script, package);
        command
            .current_dir(work.path())
            .env("LINE", line)
            .env("NOTE", emulated.note(&self.line))
            .env("QUERY", QUERY);
        bounded::output(&mut command, RUN).unwrap()
    }
}

impl Package {
    fn folder(&self, name: &str) -> Result<&Path, String> {
        let folder = self.folder.get_or_init(|| self.fetched(name));
        folder.as_deref().map_err(Clone::clone)
    }

    /// Fetches it, unless an earlier run of the tests has.
    fn fetched(&self, name: &str) -> Result<PathBuf, String> {
        for program in &self.needs {
            if !is_on_path(program) {
                return Err(format!("this machine has no {program}"));
            }
        }
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
        fs::create_dir_all(&all).unwrap();
        // Another run of the tests may be at it.
        let lock = File::create(all.join(format!("{name}.lock"))).unwrap();
        lock.lock().unwrap();
        let folder = all.join(name);
        let stamp = folder.join("fetched");
        let wanted = format!("{}\n{}", self.version, self.fetch);
        if fs::read_to_string(&stamp).is_ok_and(|fetched| fetched == wanted) {
            return Ok(folder);
        }
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let mut fetch = shell(&self.fetch, &folder);
        fetch.current_dir(&folder).env("VERSION", &self.version);
        let why = match bounded::output(&mut fetch, FETCH) {
            Ok(output) if output.status.success() => {
                fs::write(stamp, wanted).unwrap();
                return Ok(folder);
            }
            Ok(output) => last_lines(&output),
            Err(why) => why,
        };
        Err(format!("{name} {} can't be fetched: {why}", self.version))
    }
}

/// A script that stops at its first failure, and sees no `PG*` of this machine.
fn shell(script: &str, package: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-euc", script]).env("CACHE", package);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command
}

fn is_on_path(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// Tools end with where their logs are, after what went wrong.
fn last_lines(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines: Vec<&str> = (text.lines().map(str::trim))
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(6)..].join(" | ")
}
