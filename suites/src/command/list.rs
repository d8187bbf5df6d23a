//! `rds-tls list`

use harness::engine::Version;
use suites::Failure;

use super::{Select, Where, print};

/// What to list.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// The PostgreSQL version, for example 17 or 17.6. Default: the newest that is
    /// here
    #[arg(long, value_name = "VERSION")]
    engine: Option<Version>,
    #[command(flatten)]
    select: Select,
}

/// Prints a cell id a line.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = args.select.data()?;
    let targets = args.place.targets_at_hand(args.engine)?;
    let plan = args.select.plan_for(&data, &targets)?;
    let lines: String = (plan.cells.iter())
        .map(|cell| match cell.skip() {
            Some(why) => format!("{}  skip: {why}\n", cell.id),
            None => format!("{}\n", cell.id),
        })
        .collect();
    print(&lines)
}
