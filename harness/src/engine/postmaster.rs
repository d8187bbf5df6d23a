//! Ends a server that nobody owns any more, and no other process.

use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long a server may take to end at once. It only has to tell its children,
/// and kills those that do not end after five seconds (postmaster.c,
/// `SIGKILL_CHILDREN_AFTER_SECS`).
const TIMEOUT: Duration = Duration::from_secs(8);

/// Ends the server of a cluster, if one runs, also if it is stopped: an
/// immediate shutdown, which frees its shared memory, then SIGKILL.
pub(crate) fn end(data: &Path) {
    let Some(pid) = running(data) else {
        return;
    };
    for signal in [Signal::SIGQUIT, Signal::SIGKILL] {
        // One that is stopped takes no other signal.
        let _ = kill(pid, Signal::SIGCONT);
        let _ = kill(pid, signal);
        let deadline = Instant::now() + TIMEOUT;
        while Instant::now() < deadline {
            if !serves(pid, data) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The process that `postmaster.pid` names, if it is the cluster's server: the
/// number may belong to another process by now.
fn running(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    // 0 and below would signal a whole group.
    let pid = Some(pid).filter(|pid| *pid > 1).map(Pid::from_raw)?;
    serves(pid, data).then_some(pid)
}

/// Whether the process was started with the cluster's folder for an argument.
/// A zombie has no arguments.
fn serves(pid: Pid, data: &Path) -> bool {
    let data = data.to_string_lossy();
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(line) => line.split(|b| *b == 0).any(|arg| arg == data.as_bytes()),
        Err(_) if Path::new("/proc/self/cmdline").exists() => false,
        Err(_) => Command::new("ps")
            .args(["-o", "args=", "-p", &pid.to_string()])
            .output()
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(&*data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_serves_another_folder_is_left_alone() {
        let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
        let data = tempfile::tempdir().unwrap();
        let pid_file = data.path().join("postmaster.pid");
        for pid in [
            bystander.id().to_string(),
            "0".into(),
            "-1".into(),
            "x".into(),
        ] {
            fs::write(&pid_file, format!("{pid}\n/elsewhere\n")).unwrap();
            assert_eq!(running(data.path()), None);
            end(data.path());
        }
        assert!(bystander.try_wait().unwrap().is_none());
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }
}
