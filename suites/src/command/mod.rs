//! The subcommands.

pub mod check;
pub mod drivers;
pub mod emulate;
pub mod explain;
pub mod list;
pub mod tap;

use std::path::{Path, PathBuf};

use clap::Args;
use harness::{
    engine::Version,
    suite::{Data, Plan, Selection},
};
use suites::{Failure, data};

/// Which cells of which suites.
#[derive(Args)]
pub struct Select {
    /// Drivers, by their ids; all without
    #[arg(long, value_delimiter = ',')]
    drivers: Vec<String>,
    /// Suites, by their ids; all without
    #[arg(long = "suite", value_delimiter = ',')]
    suites: Vec<String>,
    /// A folder of suites to read instead of the built-in ones
    #[arg(long, env = "RDS_TLS_SUITES", value_name = "DIR")]
    suites_from: Option<PathBuf>,
    /// Parts of cell ids; a cell is taken when one occurs in its id
    filters: Vec<String>,
}

impl Select {
    fn folder(&self) -> Option<&Path> {
        self.suites_from.as_deref()
    }

    fn data(&self) -> Result<Data, Failure> {
        data::load(self.folder()).map_err(Failure::Usage)
    }

    fn plan(&self, data: &Data, engines: &[Version]) -> Result<Plan, Failure> {
        let selection = Selection {
            drivers: self.drivers.clone(),
            suites: self.suites.clone(),
            filters: self.filters.clone(),
        };
        let majors: Vec<u16> = engines.iter().map(|engine| engine.major).collect();
        Plan::new(data, &majors, &selection).map_err(|error| Failure::Usage(error.into()))
    }
}

/// Writes to standard output; a reader that went away is no error.
fn print(text: &str) -> Result<u8, Failure> {
    use std::io::{ErrorKind, Write};
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::CouldNot(error.into())),
        _ => Ok(0),
    }
}
