//! Where a run tells what it found: to people, and as JSON where that is asked
//! for. Whichever has standard output, the other hasn't.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, ensure};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use suites::Failure;

/// Where results go.
#[derive(clap::Args)]
pub struct Json {
    /// Write the results to this file as JSON; `-` is standard output
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

/// Opens a regular file or a device, as /dev/null, and waits for nobody.
fn create(path: &Path) -> anyhow::Result<io::BufWriter<File>> {
    let what = || format!("--json: {} can't be written", path.display());
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    // Without the flag, the opening of a FIFO waits for its reader (open(2)).
    options.custom_flags(OFlag::O_NONBLOCK.bits());
    let file = options.open(path).with_context(|| {
        let what = what();
        match path.metadata() {
            Ok(found) if !found.is_file() => format!("{what}: {}", no_place(found.file_type())),
            _ => what,
        }
    })?;
    let found = file.metadata().with_context(what)?.file_type();
    ensure!(
        found.is_file() || found.is_char_device(),
        "{}: {}",
        what(),
        no_place(found)
    );
    fcntl(&file, FcntlArg::F_SETFL(OFlag::empty())).with_context(what)?;
    Ok(io::BufWriter::new(file))
}

fn no_place(found: std::fs::FileType) -> String {
    let kind = certs_gen::kind(found);
    format!("it is {kind}; name a regular file, or - for standard output")
}
