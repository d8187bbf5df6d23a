//! How a cell is played, in words and as command lines.

use super::words;
use crate::{
    driver::{Form, connection_string::quoted},
    endpoint::Facts,
    engine::{MASTER, STRANGER},
    suite::{Case, Cell, Dial, Expectation, Trust, Who, own_chain::shell_word},
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
    let own = own.unwrap_or_default();
    let mut lines = vec![
        format!(
            "rds-tls check --engine {} {own}{}",
            cell.engine.major, cell.id
        ),
        format!("rds-tls explain --serve {own}{}", cell.id),
        psql(cell, stage),
    ];
    if talks_tls(cell) {
        lines.push(openssl(cell, stage));
    }
    lines
}

fn connects(case: &Case) -> String {
    let settings = &case.settings;
    let file = |name: &str, trust: Option<Trust>| {
        trust.map(|trust| format!("{name} {}", placeholder(trust)))
    };
    let configuration = settings.configuration.as_ref().map(AsRef::as_ref);
    let does = (case.driver.configurations.iter())
        .find(|known| Some(&known.id) == configuration)
        .map(|known| format!("set up as {} ({})", known.id, known.does));
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
    .chain((settings.options.iter()).map(|(name, value)| format!("{name}={value}")))
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

fn file(cell: &Cell, trust: Trust, stage: Option<&Stage>) -> String {
    match (stage, &cell.own_chain) {
        (Some(stage), _) if trust != Trust::System => (stage.files)(trust),
        (None, Some(own)) if trust == Trust::Given => own.files.trust.display().to_string(),
        _ => placeholder(trust),
    }
}

fn host(cell: &Cell, stage: Option<&Stage>) -> String {
    match (cell.case.settings.host.unwrap_or_default(), stage) {
        (Dial::Address, _) => certs_gen::ADDRESS.to_string(),
        (Dial::Name, Some(stage)) => stage.facts.host.clone(),
        (Dial::Name, None) => (cell.own_chain.as_ref())
            .map_or(certs_gen::DEFAULT_ENDPOINT, |own| &own.host)
            .to_owned(),
    }
}

fn port(stage: Option<&Stage>) -> String {
    stage.map_or_else(
        || "$PORT".to_owned(),
        |stage| stage.facts.address.port().to_string(),
    )
}

fn psql(cell: &Cell, stage: Option<&Stage>) -> String {
    let settings = &cell.case.settings;
    let user = match settings.user.unwrap_or_default() {
        Who::Master => MASTER,
        Who::Stranger => STRANGER,
    };
    let database = settings.database.as_deref().unwrap_or("postgres");
    let mut pairs = vec![
        format!("host={}", host(cell, stage)),
        "hostaddr=127.0.0.1".to_owned(),
        format!("port={}", port(stage)),
        format!("user={user}"),
        format!("dbname={database}"),
    ];
    pairs.extend(
        settings
            .sslmode
            .as_ref()
            .map(|word| format!("sslmode={}", word.as_ref())),
    );
    let root = settings.sslrootcert.or(settings.home_root_crt);
    pairs.extend(
        root.map(|trust| format!("sslrootcert={}", conninfo_value(&file(cell, trust, stage)))),
    );
    pairs.extend((settings.options.iter()).map(|(name, value)| format!("{name}={value}")));
    let environment = (settings.ssl_cert_file)
        .map(|trust| format!("SSL_CERT_FILE={} ", shell_word(&file(cell, trust, stage))))
        .unwrap_or_default();
    format!("{environment}psql \"{}\"", pairs.join(" "))
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

fn openssl(cell: &Cell, stage: Option<&Stage>) -> String {
    let settings = &cell.case.settings;
    let host = host(cell, stage);
    // An address is no server name (RFC 6066, 3).
    let (server_name, verify) = match settings.host.unwrap_or_default() {
        Dial::Name => (format!(" -servername {host}"), "verify_hostname"),
        Dial::Address => (" -noservername".to_owned(), "verify_ip"),
    };
    let line = format!(
        "openssl s_client -starttls postgres -connect 127.0.0.1:{}{server_name}",
        port(stage)
    );
    let trust = (settings.sslrootcert)
        .filter(|trust| *trust != Trust::System)
        .or(settings.home_root_crt)
        .or(settings.ssl_cert_file);
    match trust {
        Some(trust) => format!(
            "{line} -CAfile {} -{verify} {host} -verify_return_error",
            shell_word(&file(cell, trust, stage))
        ),
        None => line,
    }
}

fn talks_tls(cell: &Cell) -> bool {
    match &cell.expects {
        Expectation::Skip(_) => false,
        Expectation::See { wire, .. } => wire.to_string().contains("hello"),
    }
}
