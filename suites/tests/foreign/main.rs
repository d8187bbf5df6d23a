//! A driver in another language joins by files alone: pg8000, in Python, by a page, a
//! file of refusals and a worker, in a copy of the suites.

#[path = "../program/mod.rs"]
mod program;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use libtest_mimic::{Arguments, Failed, Trial};
use program::rds_tls;
use suites::data;

/// The folder of this test.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign/pg8000");

/// What joins the suites.
const OWN: [&str; 3] = [
    "drivers/pg8000.toml",
    "refusals/pg8000.toml",
    "cases/pg8000.toml",
];

fn main() {
    let args = Arguments::from_args();
    let name = "pg8000_does_what_its_page_says";
    // Listing starts nothing.
    let python = if args.list {
        Ok(PathBuf::new())
    } else {
        python()
    };
    let trial = match python {
        Ok(python) => Trial::test(name, move || pg8000(&python)),
        Err(why) => {
            println!("{name} is left out: {why}");
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
    };
    libtest_mimic::run(&args, vec![trial]).exit();
}

/// A Python that has pg8000, in the folder of this build.
fn python() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pg8000");
    let python = folder.join("bin/python");
    let requirements = Path::new(HERE).join("requirements.txt");
    if !has_pg8000(&python) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let install = ["-m", "pip", "install", "--quiet", "--requirement"];
        run(Command::new(&python).args(install).arg(requirements))?;
    }
    // Since 3.13 create_default_context adds checks that the table of OpenSSL lacks
    // (ssl.VERIFY_X509_STRICT, VERIFY_X509_PARTIAL_CHAIN).
    let old = "import sys; sys.exit(sys.version_info >= (3, 13))";
    run(Command::new(&python).args(["-c", old]))
        .map_err(|_| "the page is for Python up to 3.12".to_owned())?;
    Ok(python)
}

fn has_pg8000(python: &Path) -> bool {
    let pinned = fs::read_to_string(Path::new(HERE).join("requirements.txt")).unwrap();
    let (_, version) = pinned.trim().split_once("==").unwrap();
    let told = "from importlib.metadata import version; print(version('pg8000'), end='')";
    run(Command::new(python).args(["-c", told])).is_ok_and(|out| out.stdout == version.as_bytes())
}

fn run(command: &mut Command) -> Result<Output, String> {
    let name = format!("{command:?}");
    let output = (command.output()).map_err(|error| format!("{name} can't be run: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {said}"))
}

fn pg8000(python: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    for file in data::built_in() {
        let path = folder.path().join(file.name);
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(path, file.text)?;
    }
    for own in OWN {
        fs::copy(Path::new(HERE).join(own), folder.path().join(own))?;
    }
    // Where Python is, this machine says.
    let page = folder.path().join(OWN[0]);
    let worker = format!("{:?}, \"{HERE}/worker.py\"", python.to_str().unwrap());
    let text = fs::read_to_string(&page)?.replace("\"WORKER\"", &worker);
    fs::write(&page, text)?;
    let mut check = rds_tls();
    check.args(["check", "--backend", "embedded", "--drivers", "pg8000"]);
    let output = check.arg("--suites-from").arg(folder.path()).output()?;
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    let summary = out.lines().last().unwrap_or_default();
    println!("{summary}");
    if !output.status.success() || summary.contains(" 0 pass") {
        return Err(format!("{}\n{out}\n{err}", output.status).into());
    }
    Ok(())
}
