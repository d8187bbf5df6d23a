//! `certs-gen`: writes a throwaway PKI in RDS's shape to a folder.

use std::{
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
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("certs-gen: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            if matches!(error, Error::Exists { .. }) {
                eprint!(", or replace it with --force");
            }
            eprintln!();
            ExitCode::from(match error {
                Error::NotADnsName { .. } | Error::Exists { .. } | Error::Write { .. } => 2,
                _ => 3,
            })
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let endpoint = EndpointName::new(&arguments.host)?;
    let files = files();
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

/// A file to write.
struct File {
    name: String,
    purpose: &'static str,
    make: fn(&Pki) -> Result<&Path, Error>,
}

fn files() -> [File; 7] {
    [
        File {
            name: Trust::Root.file().to_owned(),
            purpose: "the root, for clients to trust (sslrootcert) and for the server (ssl_ca_file)",
            make: |pki| pki.trust(Trust::Root),
        },
        File {
            name: Trust::Subordinate.file().to_owned(),
            purpose: "the subordinate CA alone, which clients should not trust",
            make: |pki| pki.trust(Trust::Subordinate),
        },
        File {
            name: Leaf::Right.chain_file(),
            purpose: "the server's certificates (ssl_cert_file): leaf, subordinate CA, root",
            make: |pki| Ok(&pki.server(Leaf::Right)?.chain),
        },
        File {
            name: KeyKind::Rsa2048.server_file().to_owned(),
            purpose: "the server's private key (ssl_key_file)",
            make: |pki| Ok(&pki.server(Leaf::Right)?.key),
        },
        File {
            name: Leaf::Other.chain_file(),
            purpose: "the same for another endpoint's name, which verify-full must refuse; same key",
            make: |pki| Ok(&pki.server(Leaf::Other)?.chain),
        },
        File {
            name: Trust::WrongRoot.file().to_owned(),
            purpose: "another region's root, which clients must find no chain to",
            make: |pki| pki.trust(Trust::WrongRoot),
        },
        File {
            name: Trust::Bundle.file().to_owned(),
            purpose: "a look-alike of RDS's global bundle: the root among 100 others, an expired one first",
            make: |pki| pki.trust(Trust::Bundle),
        },
    ]
}
