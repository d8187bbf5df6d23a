//! `rds-tls drivers`

use std::{fmt::Write, path::PathBuf};

use harness::{
    report::does,
    suite::{Data, Page, TrustKind},
};
use suites::{Failure, data};

use super::print;

/// Where the pages come from.
#[derive(clap::Args)]
pub struct Args {
    /// Read the suites from this folder instead of the built-in ones
    #[arg(long, env = "RDS_TLS_SUITES", value_name = "DIR")]
    suites_from: Option<PathBuf>,
}

/// Prints what the pages say.
pub fn run(args: &Args) -> Result<u8, Failure> {
    let data = data::load(args.suites_from.as_deref()).map_err(Failure::Usage)?;
    let mut text = String::new();
    for page in data.drivers.values() {
        // Writing to a String does not fail.
        let _ = describe(&mut text, &data, page);
    }
    print(&text)
}

/// A driver with a root certificate named, in the first of its ways.
fn describe(text: &mut String, data: &Data, page: &Page) -> std::fmt::Result {
    writeln!(text, "{}: {}", page.id, page.name)?;
    writeln!(text, "  default           {}", page.default)?;
    let words = data.rules.axes.get("sslmode").into_iter().flatten();
    for (word, _) in words {
        let way = &page.configurations[0].id;
        let Ok(connects) = page.connects(way, word, TrustKind::File) else {
            continue;
        };
        writeln!(text, "  sslmode={word:<11} {}", does(&connects.does))?;
    }
    for way in &page.configurations {
        writeln!(text, "  set up as {:<12} {}", way.id, way.does)?;
        writeln!(text, "  {:<22} {}", "", way.source)?;
    }
    for source in &page.sources {
        writeln!(text, "  source            {source}")?;
    }
    writeln!(text)
}
