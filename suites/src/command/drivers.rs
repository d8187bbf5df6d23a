//! `rds-tls drivers`

use std::{fmt::Write, path::PathBuf};

use suites::{Failure, data};

use super::print;

/// From where the profiles come.
#[derive(clap::Args)]
pub struct Args {
    /// A folder of suites to read instead of the built-in ones
    #[arg(long, env = "RDS_TLS_SUITES", value_name = "DIR")]
    suites_from: Option<PathBuf>,
}

/// Prints what the profiles say.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = data::load(args.suites_from.as_deref()).map_err(Failure::Usage)?;
    let mut text = String::new();
    for profile in data.profiles.values() {
        let mut line = |line: String| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{line}");
        };
        line(format!("{}: {}", profile.id, profile.name));
        line(format!("  without sslmode   {}", profile.default));
        for (word, does) in &profile.modes {
            line(format!("  sslmode={word:<11} {does}"));
        }
        for (word, why) in &profile.rejects {
            line(format!("  sslmode={word:<11} refused: {why}"));
        }
        for configuration in &profile.configurations {
            line(format!(
                "  set up as {:<12} {}",
                configuration.id, configuration.does
            ));
            line(format!("  {:<22} {}", "", configuration.source));
        }
        for source in &profile.sources {
            line(format!("  source            {source}"));
        }
        line(String::new());
    }
    print(&text)
}
