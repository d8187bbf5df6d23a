//! Where a run tells what it found: to people, and as JSON where that is asked
//! for. Whichever has standard output, the other hasn't.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use suites::Failure;

/// Where results go.
#[derive(clap::Args)]
pub struct Json {
    /// Where to write the results as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The streams, open.
pub struct Outputs {
    /// For people.
    pub people: Box<dyn Write>,
    /// For programs.
    pub json: Option<Box<dyn Write + Send>>,
}

impl Json {
    /// Opens the streams, before anything is started.
    pub fn open(&self) -> Result<Outputs, Failure> {
        let (people, json): (Box<dyn Write>, Option<Box<dyn Write + Send>>) = match &self.json {
            None => (Box::new(io::stdout()), None),
            Some(path) if path.as_os_str() == "-" => {
                (Box::new(io::stderr()), Some(Box::new(io::stdout())))
            }
            Some(path) => {
                let file = create(path).map_err(Failure::Usage)?;
                (Box::new(io::stdout()), Some(Box::new(file)))
            }
        };
        Ok(Outputs { people, json })
    }

    /// What an error of writing comes to.
    pub fn not_written(&self, error: impl Into<anyhow::Error>) -> Failure {
        let file = self.json.clone().unwrap_or_default();
        let what = format!("{} can't be written", file.display());
        Failure::CouldNot(anyhow!(error.into()).context(what))
    }
}

fn create(path: &Path) -> anyhow::Result<io::BufWriter<File>> {
    let file = File::create(path)
        .with_context(|| format!("--json: {} can't be written", path.display()))?;
    Ok(io::BufWriter::new(file))
}
