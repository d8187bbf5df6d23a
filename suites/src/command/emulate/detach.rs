//! An instance in the background: this program once more, in a session of its
//! own. The two talk over the pipe that is the new one's standard output.

use std::{
    env,
    fs::File,
    io::{self, Read, Write},
    process::{Command, Stdio},
};

use anyhow::{Context, anyhow};
use nix::unistd::{dup2_stderr, dup2_stdout, setsid};
use suites::Failure;

use super::print;

/// Starts this program once more, waits until it is up, and prints what it
/// reports; or ends as it ended, once it has said why.
pub fn launch() -> Result<u8, Failure> {
    let (report, code) = start().map_err(Failure::CouldNot)?;
    match code {
        None => print(&report),
        Some(code) => Ok(code),
    }
}

fn start() -> anyhow::Result<(String, Option<u8>)> {
    let program = env::current_exe().context("this program's own file can't be found")?;
    let mut arguments = env::args_os().skip(1);
    let mut child = Command::new(program)
        // The subcommand, then what is added: all else stands as it was given.
        .args(arguments.next())
        .arg("--detached")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("this program can't be started once more")?;
    let mut report = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut report)
            .context("the new instance's report can't be read")?;
    }
    if report.ends_with('\n') {
        return Ok((report, None));
    }
    let status = child.wait()?;
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code) if code != 0 => Ok((report, Some(code))),
        _ => Err(anyhow!("the instance ended before it was up ({status})")),
    }
}

/// Leaves the terminal, and with it its Ctrl-C.
pub fn leave_session() -> Result<(), Failure> {
    setsid()
        .map(|_| ())
        .context("no session of its own can be had")
        .map_err(Failure::CouldNot)
}

/// Tells whoever waits that the instance is up, and lets go of all that they
/// may wait for: terminal, pipes and working folder.
///
/// Fails when nobody waits any more: the instance that nobody has heard of ends
/// then.
pub fn report(text: &str) -> Result<(), Failure> {
    let tell = || {
        let null = File::options().read(true).write(true).open("/dev/null")?;
        dup2_stderr(&null)?;
        env::set_current_dir("/")?;
        let mut out = io::stdout();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        // Last: whoever waits goes on as soon as the pipe is closed.
        dup2_stdout(&null)?;
        io::Result::Ok(())
    };
    tell()
        .context("nobody waits for the instance")
        .map_err(Failure::CouldNot)
}
