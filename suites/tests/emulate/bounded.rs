//! Commands that may hang.

use std::{
    os::unix::process::CommandExt,
    process::{Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// Runs a command to its end, which is when its pipes are closed by whoever has
/// them; after a time its whole process group is killed.
pub fn output(command: &mut Command, limit: Duration) -> Result<Output, String> {
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let group = Pid::from_raw(child.id().try_into().unwrap());
    let (done, output) = mpsc::channel();
    thread::spawn(move || done.send(child.wait_with_output()));
    if let Ok(output) = output.recv_timeout(limit) {
        return output.map_err(|error| error.to_string());
    }
    let _ = killpg(group, Signal::SIGKILL);
    Err(format!("it has not ended after {limit:?}"))
}
