//! The ways to connect, by client: each line works pasted as it stands, and
//! verifies as much as that client can without code of one's own.

use std::{
    fmt,
    path::{Path, PathBuf},
    process,
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use suites::{Emulator, Failure, InstanceName};

/// All that a query in a URI need not escape in a path (RFC 3986, 3.4).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// What is known of an instance that is up, and how to connect to it. The
/// passwords stand in files alone.
pub struct Ways<'a> {
    emulator: &'a Emulator,
    until: &'a str,
    ca: PathBuf,
    pass_file: PathBuf,
    password_file: PathBuf,
    hosts_file: PathBuf,
}

/// A line to paste.
struct Line {
    name: &'static str,
    text: String,
    /// What the line leaves unchecked, or takes for granted.
    note: Option<String>,
}

impl Line {
    fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self {
            name,
            text: text.into(),
            note: None,
        }
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

impl<'a> Ways<'a> {
    /// Writes the files that the lines name.
    pub fn of(emulator: &'a Emulator, until: &'a str) -> Result<Self, Failure> {
        Ok(Self {
            emulator,
            until,
            ca: emulator.ca_file()?,
            pass_file: emulator.write_pass_file()?,
            password_file: emulator.write_password_file()?,
            hosts_file: emulator.write_hosts_file()?,
        })
    }

    /// The same for programs; docs/json.md describes each field.
    pub fn json(&self, name: Option<&InstanceName>) -> Value {
        let facts = self.emulator.facts();
        let connect = self.clients().into_iter();
        json!({
            "version": 1,
            "name": name.map(InstanceName::as_str),
            "pid": process::id(),
            "backend": facts.kind.word(),
            "engine": facts.engine.to_string(),
            "certificate": self.emulator.certificate().name(),
            "host": facts.host,
            "address": facts.address.ip().to_string(),
            "port": facts.address.port(),
            "user": facts.master.user,
            "database": facts.master.database,
            "ca": shown(&self.ca),
            "pass_file": shown(&self.pass_file),
            "password_file": shown(&self.password_file),
            "hosts_file": shown(&self.hosts_file),
            "url": self.url(),
            "connect": connect
                .map(|line| (line.name.to_owned(), Value::from(line.text)))
                .collect::<serde_json::Map<_, _>>(),
        })
    }

    fn lines(&self) -> Vec<Line> {
        let facts = self.emulator.facts();
        let up = format!(
            "PostgreSQL {} as {}, certificate {}",
            facts.engine,
            facts.host,
            self.emulator.certificate().about()
        );
        let mut lines = vec![
            Line::new("up", up),
            Line::new("address", facts.address.to_string()),
            Line::new("CA", shown(&self.ca)),
            Line::new(
                "password",
                format!("export PGPASSFILE={}", shell(&shown(&self.pass_file))),
            )
            .note("where libpq, JDBC and pgx read it"),
            Line::new("url", self.url()),
        ];
        lines.extend(self.clients());
        lines.push(Line::new("until", self.until));
        lines
    }

    fn clients(&self) -> Vec<Line> {
        let mut lines = vec![
            Line::new("psql", format!("psql {}", shell(&self.libpq()))),
            Line::new(
                "Python",
                format!("psycopg.connect({})", literal(&self.libpq())),
            ),
            Line::new("tokio-postgres", self.tokio_postgres()).note(format!(
                "the connector verifies, with {}; Config::password takes {}",
                self.ca.display(),
                self.password_file.display()
            )),
        ];
        lines.extend(self.jdbc());
        lines.push(Line::new("node-postgres", self.node()));
        lines.extend(self.pgx());
        lines
    }

    /// Whether the name leads to the server wherever it is dialled.
    fn is_local(&self) -> bool {
        self.emulator.host().eq_ignore_ascii_case("localhost")
    }

    /// For clients that can be told the address beside the name.
    fn url(&self) -> String {
        let hostaddr = if self.is_local() {
            String::new()
        } else {
            format!("hostaddr={}&", self.emulator.address().ip())
        };
        format!(
            "postgresql://{}@{}:{}/{}?{hostaddr}sslmode=verify-full&sslrootcert={}",
            self.emulator.facts().master.user,
            self.emulator.host(),
            self.emulator.address().port(),
            self.emulator.facts().master.database,
            self.ca_in_url()
        )
    }

    fn libpq(&self) -> String {
        format!(
            "{} sslmode=verify-full sslrootcert={}",
            self.named_and_addressed(),
            pair_value(&shown(&self.ca))
        )
    }

    /// The only words for TLS that it knows are disable, prefer and require
    /// (its `config.rs`).
    fn tokio_postgres(&self) -> String {
        format!("{} sslmode=require", self.named_and_addressed())
    }

    fn named_and_addressed(&self) -> String {
        if self.is_local() {
            return self.pairs(self.emulator.host());
        }
        let address = self.emulator.address().ip();
        self.pairs(&format!("{} hostaddr={address}", self.emulator.host()))
    }

    fn pairs(&self, host: &str) -> String {
        format!(
            "host={host} port={} user={} dbname={}",
            self.emulator.address().port(),
            self.emulator.facts().master.user,
            self.emulator.facts().master.database
        )
    }

    /// pgjdbc verifies the name that it dials; Java looks it up where
    /// `jdk.net.hosts.file` says (`java.net.InetAddress`, since 9).
    fn jdbc(&self) -> Vec<Line> {
        let url = |host: &str, sslmode| {
            format!(
                "jdbc:postgresql://{host}:{}/{}?user={}&sslmode={sslmode}&sslrootcert={}",
                self.emulator.address().port(),
                self.emulator.facts().master.database,
                self.emulator.facts().master.user,
                self.ca_in_url()
            )
        };
        let by_name = url(self.emulator.host(), "verify-full");
        if self.is_local() {
            return vec![Line::new("JDBC", by_name)];
        }
        let address = self.emulator.address().ip().to_string();
        let option = format!("-Djdk.net.hosts.file={}", shown(&self.hosts_file));
        vec![
            Line::new("JDBC", url(&address, "verify-ca"))
                .note("checks the chain, and not the name"),
            Line::new("JDBC, by name", by_name).note(format!(
                "under java {}, which then knows no other name",
                shell(&option)
            )),
        ]
    }

    /// node-postgres hands `ssl` to `tls.connect`, which verifies `servername`
    /// where the host is an address. It reads `PGPASSFILE` up to version 8.
    fn node(&self) -> String {
        let (host, servername) = if self.is_local() {
            (self.emulator.host().to_owned(), String::new())
        } else {
            (
                self.emulator.address().ip().to_string(),
                format!(", servername: {}", literal(self.emulator.host())),
            )
        };
        format!(
            "new pg.Client({{ host: {}, port: {}, user: {}, password: fs.readFileSync({}, \"utf8\"), \
             database: {}, ssl: {{ ca: fs.readFileSync({}){servername} }} }})",
            literal(&host),
            self.emulator.address().port(),
            literal(&self.emulator.facts().master.user),
            literal(&shown(&self.password_file)),
            literal(&self.emulator.facts().master.database),
            literal(&shown(&self.ca)),
        )
    }

    /// pgx verifies the host of its connection string, and looks it up by a
    /// hook of its configuration alone (its `pgconn/config.go`).
    fn pgx(&self) -> Vec<Line> {
        let string = |host: &str, sslmode| {
            literal(&format!(
                "{} sslmode={sslmode} sslrootcert={}",
                self.pairs(host),
                pair_value(&shown(&self.ca))
            ))
        };
        let by_name = string(self.emulator.host(), "verify-full");
        if self.is_local() {
            return vec![Line::new("Go (pgx)", by_name)];
        }
        let address = self.emulator.address().ip().to_string();
        let look_up = format!(
            "config, err := pgx.ParseConfig({by_name}); if err == nil {{ config.LookupFunc = \
             func(context.Context, string) ([]string, error) {{ return []string{{{}}}, nil }} }}",
            literal(&address)
        );
        vec![
            Line::new("Go (pgx)", string(&address, "verify-ca"))
                .note("checks the chain, and not the name"),
            Line::new("Go, by name", look_up),
        ]
    }

    fn ca_in_url(&self) -> String {
        utf8_percent_encode(&shown(&self.ca), RESERVED).to_string()
    }
}

/// A line each; a note stands beneath its line, which stays as it is to be
/// pasted.
impl fmt::Display for Ways<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.lines() {
            writeln!(f, "{:<15} {}", line.name, line.text)?;
            if let Some(note) = line.note {
                writeln!(f, "{:<15} # {note}", "")?;
            }
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A word for a shell, in quotes where it needs them.
fn shell(word: &str) -> String {
    // The one text that no quotes help holds a NUL, as no path does.
    shlex::try_quote(word).unwrap_or_default().into_owned()
}

/// A string in quotes, as JSON, JavaScript, Python and Go read it alike.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

/// A value of libpq's `name=value` pairs, in quotes where it needs them.
fn pair_value(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && c != '\'' && c != '\\';
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}
