//! `rds-tls emulate`

mod detach;
mod ways;

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{
    ValueEnum,
    builder::{PossibleValue, PossibleValuesParser, TypedValueParser},
};
use harness::{
    engine::Version,
    password::password_in,
    policy::{Leaf, TlsVersion},
};
use suites::{Emulator, Failure, InstanceName, Stop, say};

use super::{Where, print, runtime};
use ways::Ways;

/// One instance, and how it is kept up.
#[derive(clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option")]
pub struct Args {
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    instance: Instance,
    /// Return when the instance is up, and leave it running until `--stop`
    #[arg(long)]
    detach: bool,
    /// What `--detach` starts in the background
    #[arg(long, hide = true)]
    detached: bool,
    // `Instance` is the group that clap makes of its fields, as long as none of
    // them is flattened.
    /// Stop the instance called `--name`, and wait until nothing of it is left; exit
    /// code 1 if there is none
    #[arg(long, conflicts_with_all = ["Instance", "detach", "detached", "json"])]
    stop: bool,
    /// The name of the instance; no other instance of yours that is up may have it.
    /// Default for --detach and --stop: `default`
    #[arg(long)]
    name: Option<InstanceName>,
    /// Print one JSON object instead of lines for people
    #[arg(long)]
    json: bool,
}

/// What the instance is to be like; RDS's defaults for its engine where nothing
/// is said.
#[derive(clap::Args)]
struct Instance {
    /// The PostgreSQL version, for example 17 or 17.6. Default: the newest that is
    /// here
    #[arg(long, value_name = "VERSION")]
    engine: Option<Version>,
    /// The name in the certificate; `localhost` for clients that can only verify the
    /// name that they connect to
    #[arg(long, value_name = "NAME", default_value = certs_gen::DEFAULT_ENDPOINT)]
    host: String,
    /// `rds.force_ssl`
    #[arg(long, value_enum, value_name = "on|off")]
    force_ssl: Option<Switch>,
    /// `ssl_min_protocol_version`, for example TLSv1.2
    #[arg(long, value_name = "VERSION")]
    tls_min: Option<TlsVersion>,
    /// `ssl_max_protocol_version`, for example TLSv1.3
    #[arg(long, value_name = "VERSION")]
    tls_max: Option<TlsVersion>,
    /// `ssl_ciphers`, as an OpenSSL cipher list or, as on RDS, as IANA names
    #[arg(long, value_name = "LIST")]
    ciphers: Option<String>,
    /// The kind of server certificate; --help lists them
    #[arg(long, value_name = "SHAPE", value_parser = leaves(), default_value = Leaf::Right.name())]
    cert: Leaf,
    /// The port on 127.0.0.1. Default: any free port
    #[arg(long)]
    port: Option<u16>,
    /// The master user
    #[arg(long, default_value = "postgres")]
    user: String,
    /// A file with the master user's password. Default: a random password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Starts an instance and stops it at a signal of [`suites::EndingSignals`] or
/// at `--stop`; or leaves it running; or ends one.
pub fn run(args: Args) -> Result<u8, Failure> {
    if args.detach && !args.detached {
        return detach::launch();
    }
    if args.detached {
        detach::leave_session()?;
    }
    let runtime = runtime()?;
    if args.stop {
        runtime.block_on(stop(&args.name.unwrap_or_default()))
    } else {
        runtime.block_on(emulate(args))
    }
}

async fn emulate(args: Args) -> Result<u8, Failure> {
    let stop = Stop::default();
    (stop.heed_signals()).map_err(|e| Failure::CouldNot(e.into()))?;
    let name = args
        .name
        .or_else(|| args.detached.then(InstanceName::default));
    let emulator = start(&args.place, args.instance, name.clone()).await?;
    let up = async {
        let until = match &name {
            Some(name) if args.detached => stop_line(name),
            _ => "Ctrl-C".to_owned(),
        };
        let ways = Ways::of(&emulator, &until)?;
        let text = if args.json {
            format!("{}\n", ways.json(name.as_ref()))
        } else {
            ways.to_string()
        };
        if args.detached {
            detach::report(&text)?;
        } else {
            print(&text)?;
        }
        Ok(tokio::select! {
            () = stop.stopped() => None,
            asker = emulator.stop_asked() => Some(asker),
        })
    };
    let up = up.await;
    emulator.stop().await?;
    // Whoever asked waits for the end of this process, which closes it.
    std::mem::forget(up?);
    Ok(0)
}

async fn stop(name: &InstanceName) -> Result<u8, Failure> {
    if Emulator::stop_named(name).await? {
        return Ok(0);
    }
    say(format!(
        "no instance called {name} is up beneath {}; --name names another, and TMPDIR has to be \
         what it was at its start",
        std::env::temp_dir().display()
    ));
    Ok(1)
}

fn stop_line(name: &InstanceName) -> String {
    let line = "rds-tls emulate --stop";
    if *name == InstanceName::default() {
        line.to_owned()
    } else {
        format!("{line} --name {name}")
    }
}

async fn start(
    place: &Where,
    instance: Instance,
    name: Option<InstanceName>,
) -> Result<Emulator, Failure> {
    // Before an engine is fetched for nothing.
    let password = instance.password_file.as_deref().map(password_in);
    let password = password.transpose();
    let password = password.map_err(|e| Failure::Usage(anyhow!("--password-file: {e}")))?;
    let engine = place.engine(instance.engine).await?;
    let mut builder = Emulator::builder()
        .host(instance.host)
        .user(instance.user)
        .on(engine);
    if let Some(name) = name {
        builder = builder.name(name);
    }
    if let Some(password) = password {
        builder = builder.password(password);
    }
    if let Some(port) = instance.port {
        builder = builder.port(port);
    }
    if let Some(force_ssl) = instance.force_ssl {
        builder = builder.force_ssl(force_ssl == Switch::On);
    }
    if let Some(version) = instance.tls_min {
        builder = builder.tls_min(version);
    }
    if let Some(version) = instance.tls_max {
        builder = builder.tls_max(version);
    }
    if let Some(list) = instance.ciphers {
        builder = builder.ciphers(list);
    }
    builder.certificate(instance.cert).start().await
}

/// Takes the names of all shapes; the help and the refusal of any other list
/// them.
fn leaves() -> impl TypedValueParser<Value = Leaf> {
    let values = Leaf::ALL.map(|leaf| PossibleValue::new(leaf.name()).help(leaf.about()));
    PossibleValuesParser::new(values).try_map(|name| {
        let found = Leaf::ALL.into_iter().find(|leaf| leaf.name() == name);
        found.ok_or("no such shape")
    })
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn every_shape_is_taken_by_its_name() {
        for leaf in Leaf::ALL {
            let command = Args::augment_args(Command::new("emulate"));
            let given = command.get_matches_from(["emulate", "--cert", leaf.name()]);
            let args = Args::from_arg_matches(&given).unwrap();
            assert_eq!(args.instance.cert, leaf);
        }
    }
}
