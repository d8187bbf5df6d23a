//! `certs-gen`: writes a throwaway PKI in RDS's shape to a folder.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    error::Error as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use certs_gen::{DEFAULT_ENDPOINT, EndpointName, Error, KeyKind, Leaf, Pki, Trust};
use clap::Parser;

/// Writes a throwaway PKI in the shape of Amazon RDS's, PEM files: for tests
/// only, never for a server that anyone relies on.
///
/// Ends with 0 when all files are written, 2 when the command can't be done as
/// given (a bad name, files that are there already, a folder that can't be
/// written to), 3 when keys or certificates can't be made.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The endpoint's name, which the server certificate bears
    #[arg(long, value_name = "NAME", default_value = DEFAULT_ENDPOINT)]
    host: String,
    /// The folder to write to
    #[arg(long, value_name = "DIR", default_value = "throwaway-pki")]
    out: PathBuf,
    /// Shapes of server certificates to write besides, as `expired` or
    /// `leaf-only`, each to server-SHAPE.pem
    #[arg(long = "leaf", value_name = "SHAPE", value_delimiter = ',', value_parser = shape)]
    leaves: Vec<Leaf>,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

fn shape(name: &str) -> Result<Leaf, String> {
    let known = Leaf::ALL.into_iter().find(|leaf| leaf.name() == name);
    known.ok_or_else(|| format!("valid: {}", Leaf::ALL.map(Leaf::name).join(", ")))
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("certs-gen: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(": ");
                text.push_str(&error.to_string());
                cause = error.source();
            }
            if matches!(error, Error::Exists { .. }) {
                text += ", or replace it with --force";
            }
            let _ = writeln!(io::stderr(), "{text}");
            ExitCode::from(match error {
                Error::NotADnsName { .. } | Error::Exists { .. } | Error::Write { .. } => 2,
                _ => 3,
            })
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let endpoint = EndpointName::new(&arguments.host)?;
    let mut files: Vec<_> = files().into();
    files.extend(arguments.leaves.iter().flat_map(|leaf| leaf_files(*leaf)));
    // A key is shared by many leaves.
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.name.clone()));
    for file in &files {
        make_room(&arguments.out.join(&file.name), arguments.force)?;
    }
    let pki = Pki::new(endpoint, &arguments.out);
    for file in &files {
        let path = (file.make)(&pki)?;
        // The files are what was asked for: write on when nobody reads.
        let _ = writeln!(io::stdout(), "{}: {}", path.display(), file.purpose);
    }
    Ok(())
}

/// Refuses a file that is there, or removes it.
fn make_room(path: &Path, force: bool) -> Result<(), Error> {
    let fail = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(fail(error)),
        Ok(_) if force => fs::remove_file(path).map_err(fail),
        Ok(_) => Err(Error::Exists {
            path: path.to_owned(),
        }),
    }
}

/// Makes a file, and gives its path.
type Make = dyn Fn(&Pki) -> Result<&Path, Error>;

/// A file to write.
struct File {
    name: String,
    purpose: Cow<'static, str>,
    make: Box<Make>,
}

impl File {
    fn new(
        name: impl Into<String>,
        purpose: impl Into<Cow<'static, str>>,
        make: impl Fn(&Pki) -> Result<&Path, Error> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            purpose: purpose.into(),
            make: Box::new(make),
        }
    }
}

/// What a server needs to present a leaf.
fn leaf_files(leaf: Leaf) -> impl Iterator<Item = File> {
    let chain = File::new(
        leaf.chain_file(),
        format!("the server's certificates: certificate {}", leaf.about()),
        move |pki| Ok(&pki.server(leaf)?.chain),
    );
    let key = leaf.key().map(|kind| {
        File::new(
            kind.server_file(),
            "the private key that goes with it",
            move |pki| pki.server_key(kind),
        )
    });
    std::iter::once(chain).chain(key)
}

fn files() -> [File; 7] {
    [
        File::new(
            Trust::Root.file(),
            "the root, for clients to trust (sslrootcert) and for the server (ssl_ca_file)",
            |pki| pki.trust(Trust::Root),
        ),
        File::new(
            Trust::Subordinate.file(),
            "the subordinate CA alone, which clients should not trust",
            |pki| pki.trust(Trust::Subordinate),
        ),
        File::new(
            Leaf::Right.chain_file(),
            "the server's certificates (ssl_cert_file): leaf, subordinate CA, root",
            |pki| Ok(&pki.server(Leaf::Right)?.chain),
        ),
        File::new(
            KeyKind::Rsa2048.server_file(),
            "the server's private key (ssl_key_file)",
            |pki| Ok(&pki.server(Leaf::Right)?.key),
        ),
        File::new(
            Leaf::Other.chain_file(),
            "the same for another endpoint's name, which verify-full must refuse; same key",
            |pki| Ok(&pki.server(Leaf::Other)?.chain),
        ),
        File::new(
            Trust::WrongRoot.file(),
            "another region's root, which clients must find no chain to",
            |pki| pki.trust(Trust::WrongRoot),
        ),
        File::new(
            Trust::Bundle.file(),
            "a look-alike of RDS's global bundle: the root among 100 others, an expired one first",
            |pki| pki.trust(Trust::Bundle),
        ),
    ]
}
