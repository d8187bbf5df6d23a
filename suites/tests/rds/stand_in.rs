//! `ci/stand-in`, ended with its test.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use harness::engine::{self, Account, Cache, EngineError, Version};
use tempfile::TempDir;

/// A password that occurs nowhere else.
pub const PASSWORD: &str = "marked'pass:word\\7f3a";

/// A server that was set up by hand.
pub struct StandIn {
    /// The variables that name it.
    pub variables: BTreeMap<String, String>,
    temp: TempDir,
}

impl StandIn {
    /// Starts one; the error says why this machine can't.
    pub fn start(major: u16, arguments: &[&str]) -> Result<Self, String> {
        let bin = programs(major)?;
        let temp = tempfile::tempdir().unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        fs::set_permissions(temp.path(), mode).unwrap();
        let output = script()
            .arg("--bin")
            .arg(bin)
            .args(arguments)
            .env("STAND_IN_PASSWORD", PASSWORD)
            .env("CERTS_GEN", certs_gen())
            .env("TMPDIR", temp.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains(PASSWORD));
        let variables = text.lines().map(|line| {
            let pair = line.strip_prefix("export ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.trim_matches('\'').to_owned())
        });
        Ok(Self {
            variables: variables.collect(),
            temp,
        })
    }

    /// Another value for a variable; an empty one for none.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub fn folder(&self) -> &Path {
        Path::new(&self.variables["STAND_IN"])
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("server.log")).unwrap()
    }

    /// Plays it; the exit code, and all that was written.
    pub fn check(&self, arguments: &[&str]) -> Run {
        self.run(&[&["check", "--verbose"], arguments].concat())
    }

    /// What is found of the claims.
    pub fn claims(&self) -> Run {
        self.run(&["claims"])
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let json = self.temp.path().join("run.json");
        let mut command = crate::program::rds_tls();
        command
            .args(arguments)
            .args(["--backend", "rds", "--json"])
            .arg(&json)
            .envs(&self.variables);
        let output = crate::bounded::output(&mut command, crate::BOUND).unwrap();
        Run::new(output, &fs::read_to_string(&json).unwrap_or_default())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = script().arg("--stop").arg(self.folder()).output();
    }
}

/// A run that is over.
pub struct Run {
    pub code: Option<i32>,
    /// Standard output and error.
    pub text: String,
    pub json: serde_json::Value,
}

impl Run {
    fn new(output: Output, json: &str) -> Self {
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        for output in [text.as_str(), json] {
            assert!(!output.contains(PASSWORD), "the password is in an output");
            let quoted = PASSWORD.replace('\\', r"\\");
            assert!(!output.contains(&quoted), "the password is in an output");
        }
        Self {
            code: output.status.code(),
            json: serde_json::from_str(json).unwrap_or_default(),
            text,
        }
    }

    pub fn count(&self, verdict: &str) -> u64 {
        self.json["summary"][verdict].as_u64().unwrap()
    }

    /// The claims that something was found against which no record covers.
    pub fn unrecorded(&self) -> Vec<&str> {
        (self.json["claims"].as_array().unwrap().iter())
            .filter(|claim| !claim["unrecorded"].is_null())
            .map(|claim| claim["id"].as_str().unwrap())
            .collect()
    }

    /// The cells of a verdict, each with its claims.
    pub fn cells(&self, verdict: &str) -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let claims = |cell: &serde_json::Value| {
            let claims = cell["claims"].as_array().unwrap().iter();
            claims.map(text).collect::<Vec<_>>().join(" ")
        };
        (self.json["cells"].as_array().unwrap().iter())
            .filter(|cell| cell["verdict"] == verdict)
            .map(|cell| (text(&cell["id"]), claims(cell)))
            .collect()
    }
}

fn script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../ci/stand-in"))
}

/// Built beside the program under test, where the whole workspace is; cargo
/// runs it where it is not.
fn certs_gen() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_rds-tls")).with_file_name("certs-gen");
    if program.is_file() {
        program
    } else {
        PathBuf::new()
    }
}

/// The error says that this machine has no such program, and no way to one. All
/// else that goes wrong is a failure.
#[tokio::main]
async fn programs(major: u16) -> Result<PathBuf, String> {
    let account = Account::for_servers().unwrap();
    let cache = Cache::open(&account).unwrap();
    let version = Version { major, minor: None };
    match engine::locate(Some(version), &cache).await {
        Ok(program) => Ok(program.bin),
        Err(why @ EngineError::NotFound { .. }) => Err(why.to_string()),
        Err(error) => panic!("{error}"),
    }
}
