//! How a cell is played, in words and as command lines.

use super::words;
use crate::{
    driver::{Form, connection_string::quoted},
    endpoint::Facts,
    engine::{MASTER, STRANGER, Version},
    suite::{
        Case, Cell, Dial, Does, Expected, OwnChain, Target, Trust, Try, UnderTls, Verifies, Who,
        own_chain::shell_word,
    },
    tap::Word,
};

/// A server that is up under a cell's policy.
pub struct Stage<'a> {
    /// The server.
    pub facts: &'a Facts,
    /// Where its trust anchors are.
    pub files: &'a dyn Fn(Trust) -> String,
}

/// What happens to a cell, a sentence a step.
#[must_use]
pub fn steps(cell: &Cell) -> Vec<String> {
    let case = &cell.case;
    vec![
        format!("switch the server to: {}", words::policy(&case.policy())),
        "probe the wire until it shows that, and log in once as the master user".to_owned(),
        format!(
            "let {} connect through a tap: {}",
            case.driver.id,
            connects(case)
        ),
        "ask the session, if one stands, for its own row of pg_stat_ssl".to_owned(),
        "hold the driver's word, the wire and that row against the table's row".to_owned(),
    ]
}

/// Lines to paste: the cell alone, and the nearest that psql and openssl can do.
///
/// Without a stage, `$PORT`, `root.pem` and so on stand for what a server that
/// is up would give. No password stands in any of them.
#[must_use]
pub fn repro(cell: &Cell, stage: Option<&Stage>) -> Vec<String> {
    let own = (cell.own_chain.as_ref()).map(|own| format!("{} ", own.options()));
    let from = (cell.suites_from.as_ref()).map(|folder| {
        format!(
            "--suites-from {} ",
            shell_word(&folder.display().to_string())
        )
    });
    let own = format!("{}{}", from.unwrap_or_default(), own.unwrap_or_default());
    let mut lines = match cell.target {
        Target::Emulated(Version { major, .. }) => vec![
            format!("rds-tls check --engine {major} {own}{}", cell.id),
            format!("rds-tls explain --serve {own}{}", cell.id),
        ],
        Target::Instance(Version { major, .. }) => vec![
            format!("rds-tls check --backend rds {}", cell.id),
            format!("rds-tls explain {}@{major}", cell.case.id),
        ],
    };
    let server = Server {
        target: cell.target,
        own_chain: cell.own_chain.as_deref(),
        stage,
    };
    lines.push(psql(&cell.case, &server));
    if talks_tls(cell) {
        lines.push(openssl(&cell.case, &server));
    }
    lines
}

fn connects(case: &Case) -> String {
    let settings = &case.settings;
    let file = |name: &str, trust: Option<Trust>| {
        trust.map(|trust| format!("{name} {}", placeholder(trust)))
    };
    let does = (case.driver.configurations.len() > 1)
        .then(|| format!("set up as {} ({})", case.way.id, case.way.does));
    let user = match settings.user.unwrap_or_default() {
        Who::Master => None,
        Who::Stranger => Some("as a role without a line in pg_hba.conf".to_owned()),
    };
    [
        Some(format!("sslmode {}", case.sslmode())),
        file("sslrootcert", settings.sslrootcert),
        file("~/.postgresql/root.crt", settings.home_root_crt),
        file("SSL_CERT_FILE", settings.ssl_cert_file),
        does,
        user,
        settings
            .database
            .as_ref()
            .map(|name| format!("database {name}")),
        match settings.form {
            Some(Form::Uri) => Some("by URI".to_owned()),
            Some(Form::Arguments) => Some("by arguments of its own each".to_owned()),
            Some(Form::KeyValue) | None => None,
        },
        Some(match settings.host.unwrap_or_default() {
            Dial::Name => "the address given, the endpoint's name to verify".to_owned(),
            Dial::Address => "the address to dial and to verify".to_owned(),
        }),
    ]
    .into_iter()
    .flatten()
    .chain((case.options().iter()).map(|(name, value)| format!("{name}={value}")))
    .collect::<Vec<String>>()
    .join(", ")
}

fn placeholder(trust: Trust) -> String {
    match trust {
        Trust::Root => "root.pem",
        Trust::WrongRoot => "wrong-root.pem",
        Trust::Subordinate => "subordinate.pem",
        Trust::Both => "both.pem",
        Trust::Bundle => "global-bundle.pem",
        Trust::Missing => "no-such-file.pem",
        Trust::System => "system",
        Trust::Given => "trust.pem",
    }
    .to_owned()
}

/// A server as it stands in lines to paste: as it is where it is up, else by
/// placeholders; someone's instance by the variables that name it.
struct Server<'a> {
    target: Target,
    own_chain: Option<&'a OwnChain>,
    stage: Option<&'a Stage<'a>>,
}

/// A file as it stands there.
enum Named {
    Path(String),
    Variable(&'static str),
}

impl Server<'_> {
    fn file(&self, trust: Trust) -> Named {
        match (self.stage, self.target, self.own_chain) {
            (Some(stage), ..) if trust != Trust::System => Named::Path((stage.files)(trust)),
            (None, Target::Instance(_), _) if matches!(trust, Trust::Root | Trust::Bundle) => {
                Named::Variable("$RDS_CA_BUNDLE")
            }
            (None, _, Some(own)) if trust == Trust::Given => {
                Named::Path(own.files.trust.display().to_string())
            }
            _ => Named::Path(placeholder(trust)),
        }
    }

    /// What the user writes, and has verified.
    fn host(&self, dial: Dial) -> &str {
        match (dial, self.target, self.stage) {
            (Dial::Address, Target::Emulated(_), _) => "127.0.0.1",
            (Dial::Address, Target::Instance(_), _) => "$RDS_HOSTADDR",
            (Dial::Name, _, Some(stage)) => &stage.facts.host,
            (Dial::Name, Target::Instance(_), None) => "$RDS_ENDPOINT",
            (Dial::Name, Target::Emulated(_), None) => {
                (self.own_chain).map_or(certs_gen::DEFAULT_ENDPOINT, |own| &own.host)
            }
        }
    }

    fn port(&self) -> String {
        match (self.stage, self.target) {
            (Some(stage), _) => stage.facts.address.port().to_string(),
            (None, Target::Emulated(_)) => "$PORT".to_owned(),
            (None, Target::Instance(_)) => "${RDS_PORT:-5432}".to_owned(),
        }
    }

    /// `hostaddr` of a connection string, where there is one.
    fn hostaddr(&self) -> &'static str {
        match self.target {
            Target::Emulated(_) => "hostaddr=127.0.0.1",
            Target::Instance(_) => "${RDS_HOSTADDR:+hostaddr=$RDS_HOSTADDR}",
        }
    }

    fn address(&self) -> &'static str {
        match self.target {
            Target::Emulated(_) => "127.0.0.1",
            Target::Instance(_) => "${RDS_HOSTADDR:-$RDS_ENDPOINT}",
        }
    }

    fn user(&self, who: Who) -> &'static str {
        match (who, self.target) {
            (Who::Stranger, _) => STRANGER,
            (Who::Master, Target::Emulated(_)) => MASTER,
            (Who::Master, Target::Instance(_)) => "$RDS_USER",
        }
    }

    fn database(&self) -> &'static str {
        match self.target {
            Target::Emulated(_) => "postgres",
            Target::Instance(_) => "${RDS_DATABASE:-postgres}",
        }
    }
}

impl Named {
    /// In a connection string that stands in a shell's double quotes.
    fn in_conninfo(&self) -> String {
        match self {
            Self::Path(path) => conninfo_value(path),
            Self::Variable(name) => (*name).to_owned(),
        }
    }

    /// As one word of a shell's.
    fn in_shell(&self) -> String {
        match self {
            Self::Path(path) => shell_word(path).into_owned(),
            Self::Variable(name) => format!("\"{name}\""),
        }
    }
}

fn psql(case: &Case, server: &Server) -> String {
    let settings = &case.settings;
    let database = settings.database.as_deref();
    let mut pairs = vec![
        format!("host={}", server.host(settings.host.unwrap_or_default())),
        server.hostaddr().to_owned(),
        format!("port={}", server.port()),
        format!("user={}", server.user(settings.user.unwrap_or_default())),
        format!("dbname={}", database.unwrap_or(server.database())),
    ];
    pairs.extend(libpqs_word(case).map(|word| format!("sslmode={word}")));
    let root = settings.sslrootcert.or(settings.home_root_crt);
    pairs.extend(root.map(|trust| format!("sslrootcert={}", server.file(trust).in_conninfo())));
    pairs.extend((case.options().iter()).map(|(name, value)| format!("{name}={value}")));
    let environment = (settings.ssl_cert_file)
        .map(|trust| format!("SSL_CERT_FILE={} ", server.file(trust).in_shell()))
        .unwrap_or_default();
    format!("{environment}psql \"{}\"", pairs.join(" "))
}

/// The sslmode by which libpq does what the driver does, or comes nearest.
fn libpqs_word(case: &Case) -> Option<&str> {
    let own = case.settings.sslmode.as_deref();
    if case.driver.is_libpq() {
        return own;
    }
    match &case.connects.does {
        Does::Dial {
            tls: Some(UnderTls::Verify(Verifies::ChainAndName, _)),
            ..
        } => Some("verify-full"),
        Does::Dial {
            tls: Some(UnderTls::Verify(Verifies::Chain, _)),
            ..
        } => Some("verify-ca"),
        Does::Dial { .. } | Does::Refuse(_) => own,
    }
}

/// A file in a connection string that stands in a shell's double quotes.
fn conninfo_value(file: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    if file.chars().all(plain) {
        return file.to_owned();
    }
    let escaped = |c: char| {
        let special = "\\\"$`".contains(c);
        special.then_some('\\').into_iter().chain([c])
    };
    let value: String = quoted(file).chars().flat_map(escaped).collect();
    format!("'{value}'")
}

fn openssl(case: &Case, server: &Server) -> String {
    let dial = case.settings.host.unwrap_or_default();
    let host = server.host(dial);
    // An address is no server name (RFC 6066, 3).
    let (server_name, verify) = match dial {
        Dial::Name => (format!(" -servername {host}"), "verify_hostname"),
        Dial::Address => (" -noservername".to_owned(), "verify_ip"),
    };
    let is_direct =
        matches!(&case.connects.does, Does::Dial { tries, .. } if tries.contains(&Try::Direct));
    let begins = match is_direct {
        true => "-alpn postgresql",
        false => "-starttls postgres",
    };
    let line = format!(
        "openssl s_client {begins} -connect {}:{}{server_name}",
        server.address(),
        server.port()
    );
    let trust = (case.settings.sslrootcert)
        .filter(|trust| *trust != Trust::System)
        .or(case.settings.home_root_crt)
        .or(case.settings.ssl_cert_file);
    match trust {
        Some(trust) => format!(
            "{line} -CAfile {} -{verify} {host} -verify_return_error",
            server.file(trust).in_shell()
        ),
        None => line,
    }
}

fn talks_tls(cell: &Cell) -> bool {
    let words = |expected: &Expected| {
        let words = expected.wire.connections().iter().flatten();
        words.clone().any(|word| *word == Word::Hello)
    };
    cell.expected().is_some_and(words)
}
