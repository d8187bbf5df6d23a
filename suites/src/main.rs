//! The command `rds-tls`.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use suites::{Failure, say};

/// Checks what TLS between PostgreSQL clients and Amazon RDS for PostgreSQL
/// does, with real drivers and a real server.
#[derive(Parser)]
#[command(name = "rds-tls", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the suites. Exit codes: 0 conforms, 1 does not, 2 usage, 3 could not
    /// find out
    Check(command::check::Args),
    /// Checks which statements of the RDS document hold, by engine. Exit codes: 0
    /// all hold or are recorded not to hold, 1 at least one isn't recorded, 2 usage,
    /// 3 could not find out
    Claims(command::claims::Args),
    /// Starts an RDS-like instance, prints how to connect, and keeps it up until
    /// Ctrl-C or --stop
    Emulate(command::emulate::Args),
    /// Lists the cells of the suites; starts nothing
    List(command::list::Args),
    /// Explains a cell: its claim, its steps, what is expected, and commands that
    /// repeat it
    Explain(command::explain::Args),
    /// Lists the drivers, how their users set them up, and what each sslmode is
    /// documented to do
    Drivers(command::drivers::Args),
    /// Relays any client to any server, and prints the TLS negotiation while it
    /// happens
    Tap(command::tap::Args),
}

fn main() -> ExitCode {
    harness::driver::worker::serve_if_asked(std::env::args_os());
    let done = match Cli::parse().command {
        Command::Check(args) => command::check::run(&args),
        Command::Claims(args) => command::claims::run(&args),
        Command::Emulate(args) => command::emulate::run(args),
        Command::List(args) => command::list::run(&args),
        Command::Explain(args) => command::explain::run(&args),
        Command::Drivers(args) => command::drivers::run(&args),
        Command::Tap(args) => command::tap::run(&args),
    };
    let (code, error) = match done {
        Ok(code) => return ExitCode::from(code),
        Err(Failure::Usage(error)) => (2, error),
        Err(Failure::CouldNot(error)) => (3, error),
    };
    say(format!("{error:#}"));
    ExitCode::from(code)
}
