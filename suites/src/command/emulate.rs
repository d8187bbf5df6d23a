//! `rds-tls emulate`

use std::{fmt::Write, fs, path::PathBuf};

use anyhow::Context;
use clap::ValueEnum;
use harness::{
    engine::Version,
    policy::{Leaf, TlsVersion},
};
use suites::{Emulator, Failure, Stop};

use super::{Where, print, runtime};

/// What the instance is to be like; RDS's defaults for its engine where nothing
/// is said.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Where,
    /// The PostgreSQL version, as 17 or 17.6; the newest that is here without
    #[arg(long, value_name = "VERSION")]
    engine: Option<Version>,
    /// The name in the certificate; `localhost` for clients that verify the
    /// name that they dial
    #[arg(long, value_name = "NAME", default_value = certs_gen::DEFAULT_ENDPOINT)]
    host: String,
    /// `rds.force_ssl`
    #[arg(long, value_enum, value_name = "on|off")]
    force_ssl: Option<Switch>,
    /// `ssl_min_protocol_version`, as TLSv1.2
    #[arg(long, value_name = "VERSION")]
    tls_min: Option<TlsVersion>,
    /// `ssl_max_protocol_version`, as TLSv1.3
    #[arg(long, value_name = "VERSION")]
    tls_max: Option<TlsVersion>,
    /// `ssl_ciphers`, in OpenSSL's words or, as on RDS, in IANA's names
    #[arg(long, value_name = "LIST")]
    ciphers: Option<String>,
    /// Whose name the server certificate bears
    #[arg(long, value_enum, default_value_t = Cert::Right)]
    cert: Cert,
    /// The port of 127.0.0.1; any free one without
    #[arg(long)]
    port: Option<u16>,
    /// The master user
    #[arg(long, default_value = "postgres")]
    user: String,
    /// A file that holds the master user's password; a random one without
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum Cert {
    /// The endpoint's
    Right,
    /// Another endpoint's, under the same CA
    Other,
}

/// Starts the instance, and stops it at SIGINT or SIGTERM.
pub fn run(args: Args) -> Result<u8, Failure> {
    runtime()?.block_on(emulate(args))
}

async fn emulate(args: Args) -> Result<u8, Failure> {
    let stop = Stop::default();
    (stop.heed_signals()).map_err(|e| Failure::CouldNot(e.into()))?;
    let emulator = start(args).await?;
    let up = async {
        print(&lines(&emulator)?)?;
        stop.stopped().await;
        Ok(0)
    };
    let up = up.await;
    emulator.stop().await?;
    up
}

async fn start(args: Args) -> Result<Emulator, Failure> {
    let engine = args.place.engine(args.engine).await?;
    let mut builder = Emulator::builder()
        .host(args.host)
        .user(args.user)
        .on(engine);
    if let Some(file) = &args.password_file {
        builder = builder.password(password(file).map_err(Failure::Usage)?);
    }
    if let Some(port) = args.port {
        builder = builder.port(port);
    }
    if let Some(force_ssl) = args.force_ssl {
        builder = builder.force_ssl(force_ssl == Switch::On);
    }
    if let Some(version) = args.tls_min {
        builder = builder.tls_min(version);
    }
    if let Some(version) = args.tls_max {
        builder = builder.tls_max(version);
    }
    if let Some(list) = args.ciphers {
        builder = builder.ciphers(list);
    }
    let leaf = match args.cert {
        Cert::Right => Leaf::Right,
        Cert::Other => Leaf::Other,
    };
    builder.certificate(leaf).start().await
}

fn password(file: &PathBuf) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("--password-file: {} can't be read", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    anyhow::ensure!(
        !line.is_empty(),
        "--password-file: the first line of {} is empty",
        file.display()
    );
    Ok(line.to_owned())
}

/// How to connect, by client. The password stands in a file alone.
fn lines(emulator: &Emulator) -> Result<String, Failure> {
    let facts = emulator.facts();
    let (host, port) = (emulator.host(), emulator.address().port());
    let (user, database) = (&facts.master.user, &facts.master.database);
    let ca = emulator.ca_file()?.display().to_string();
    let pass_file = emulator.write_pass_file()?.display().to_string();
    let libpq = format!(
        "host={host} hostaddr=127.0.0.1 port={port} user={user} dbname={database} \
         sslmode=verify-full sslrootcert={ca}"
    );
    let mut text = String::new();
    let mut entry = |name: &str, line: String| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name:<15} {line}");
    };
    entry("up", format!("PostgreSQL {} as {host}", facts.engine));
    entry("address", emulator.address().to_string());
    entry("CA", ca.clone());
    entry(
        "password",
        format!("export PGPASSFILE={pass_file}   # libpq, JDBC and pgx read it there"),
    );
    entry(
        "url",
        format!(
            "postgresql://{user}@{host}:{port}/{database}?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={ca}"
        ),
    );
    entry("psql", format!("psql \"{libpq}\""));
    entry("Python", format!("psycopg.connect(\"{libpq}\")"));
    entry(
        "tokio-postgres",
        format!(
            "\"host={host} hostaddr=127.0.0.1 port={port} user={user} dbname={database} sslmode=require\", with {ca} in the connector"
        ),
    );
    // These dial the name they verify, so the address goes into a hook, or the
    // name goes unverified.
    entry(
        "JDBC",
        format!(
            "jdbc:postgresql://127.0.0.1:{port}/{database}?user={user}&sslmode=verify-ca&sslrootcert={ca}"
        ),
    );
    entry(
        "node-postgres",
        format!(
            "new pg.Client({{ host: \"127.0.0.1\", port: {port}, user: \"{user}\", database: \"{database}\", ssl: {{ ca: fs.readFileSync(\"{ca}\"), servername: \"{host}\" }} }})"
        ),
    );
    entry(
        "Go (pgx)",
        format!(
            "\"host=127.0.0.1 port={port} user={user} dbname={database} sslmode=verify-ca sslrootcert={ca}\""
        ),
    );
    entry("until", "Ctrl-C".to_owned());
    Ok(text)
}
