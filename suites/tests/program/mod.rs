//! The program under test, whatever instance this environment names: that one is
//! for the conformance suite alone.

use std::{env, process::Command};

/// `rds-tls`.
pub fn rds_tls() -> Command {
    without_an_instance(Command::new(env!("CARGO_BIN_EXE_rds-tls")))
}

/// A program that hears of no instance.
pub fn without_an_instance(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("RDS_") && !text.starts_with("RDS_TLS_") {
            command.env_remove(&name);
        }
    }
    command
}
