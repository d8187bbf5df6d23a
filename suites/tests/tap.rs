//! `rds-tls tap` between real drivers and a real server.

mod guard;
mod program;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{ChildStdout, Command, Output, Stdio},
};

use guard::Guard;
use harness::driver::{
    Attempt, Driver, Form, Outcome, Surroundings,
    worker::{Limits, Pool, WorkerCommand},
};
use native_tls::TlsConnector;
use nix::sys::signal::{Signal, kill};
use postgres_native_tls::MakeTlsConnector;
use rstest::rstest;
use serde_json::Value;
use suites::Emulator;
use tokio_postgres::{Error, NoTls, Socket, tls::MakeTlsConnect};

const SECRET: &str = "correct-horse-battery-staple";

/// `rds-tls tap`, until it is stopped.
struct Tapping {
    run: Guard,
    out: BufReader<ChildStdout>,
    address: SocketAddr,
    text: String,
}

impl Tapping {
    fn start(upstream: &str, options: &[&str]) -> Self {
        let run = command(upstream)
            .args(options)
            .stdout(Stdio::piped())
            .spawn();
        let mut run = Guard(run.unwrap());
        let mut out = BufReader::new(run.stdout.take().unwrap());
        let mut text = String::new();
        out.read_line(&mut text).unwrap();
        let at = text.find("127.0.0.1:").unwrap();
        let address = text[at..].split(['"', ',']).next().unwrap();
        Self {
            run,
            out,
            address: address.parse().unwrap(),
            text,
        }
    }

    /// Reads on until so many connections have ended: a client may be done
    /// before the tap is.
    fn read_until_ended(&mut self, connections: usize) {
        let ended = |text: &str| {
            let end = |line: &&str| line.ends_with(" ended") || line.contains("\"ended\"");
            text.lines().filter(end).count()
        };
        while ended(&self.text) < connections {
            assert_ne!(self.out.read_line(&mut self.text).unwrap(), 0);
        }
    }

    /// Ends it by a signal, in good order; everything that it printed.
    fn stop(mut self, signal: Signal) -> String {
        kill(self.run.pid(), signal).unwrap();
        self.out.read_to_string(&mut self.text).unwrap();
        assert_eq!(self.run.wait().unwrap().code(), Some(0), "{}", self.text);
        TcpListener::bind(self.address).expect("the port is free again");
        assert!(!self.text.contains(SECRET), "{}", self.text);
        self.text
    }
}

fn command(upstream: &str) -> Command {
    let mut command = program::rds_tls();
    command.args(["tap", "--upstream", upstream]);
    command
}

async fn emulator(force_ssl: bool) -> Emulator {
    let builder = Emulator::builder().password(SECRET).force_ssl(force_ssl);
    builder.start().await.unwrap()
}

/// Logs in through the tap, asks, and says goodbye.
async fn connect<T>(rds: &Emulator, tap: &Tapping, sslmode: &str, connector: T) -> Result<(), Error>
where
    T: MakeTlsConnect<Socket>,
{
    let port = |address: SocketAddr| format!(":{}/", address.port());
    let url = (rds.url(sslmode)).replace(&port(rds.address()), &port(tap.address));
    let config: tokio_postgres::Config = url.parse()?;
    let (client, connection) = config.connect(connector).await?;
    let query = async move { client.simple_query("SELECT 1").await.map(|_| ()) };
    let (asked, served) = tokio::join!(query, connection);
    asked.and(served)
}

/// Takes any certificate.
fn trusting() -> MakeTlsConnector {
    let mut builder = TlsConnector::builder();
    builder
        .danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .disable_built_in_roots(true);
    MakeTlsConnector::new(builder.build().unwrap())
}

/// Takes none.
fn distrusting() -> MakeTlsConnector {
    let mut builder = TlsConnector::builder();
    builder.disable_built_in_roots(true);
    MakeTlsConnector::new(builder.build().unwrap())
}

/// The sentences, by connection.
fn sentences(text: &str) -> Vec<&str> {
    let sentence = |line: &'_ str| {
        let (number, _) = line.strip_prefix("connection ")?.split_once(": ")?;
        number.parse::<u64>().ok()
    };
    text.lines()
        .filter(|line| sentence(line).is_some())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_what_happens() {
    let rds = emulator(false).await;
    let mut tap = Tapping::start(&rds.address().to_string(), &[]);
    connect(&rds, &tap, "disable", NoTls).await.unwrap();
    connect(&rds, &tap, "require", trusting()).await.unwrap();
    connect(&rds, &tap, "require", distrusting())
        .await
        .unwrap_err();
    connect(&rds, &tap, "require", NoTls).await.unwrap_err();
    tap.read_until_ended(4);
    let text = tap.stop(Signal::SIGTERM);
    rds.stop().await.unwrap();

    let [plaintext, encrypted, failed, given_up] = sentences(&text)[..] else {
        panic!("four sentences in {text}");
    };
    assert_eq!(
        plaintext,
        "connection 1: client did not ask for TLS and sent a password message \
         (no password in it, if that is SCRAM), server let it in (plaintext)"
    );
    let asked = "client asked for TLS, server said yes, TLSv1.";
    assert!(
        encrypted.starts_with(&format!("connection 2: {asked}"))
            && encrypted.ends_with(" (encrypted)"),
        "{encrypted}"
    );
    assert!(
        failed.starts_with(&format!("connection 3: {asked}"))
            && failed.contains("ended by the client's alert unknown_ca: it doesn't trust"),
        "{failed}"
    );
    assert_eq!(
        given_up,
        "connection 4: client asked for TLS, server said yes, client went away before the TLS \
         handshake: its trust anchors or its TLS library may be missing"
    );
    assert_eq!(
        text.lines().last().unwrap(),
        "4 connections: 1 encrypted, 1 plaintext, 1 TLS handshake failed, \
         1 given up before a handshake or a login"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_what_happens() {
    let rds = emulator(true).await;
    let mut tap = Tapping::start(&rds.address().to_string(), &["--json"]);
    connect(&rds, &tap, "disable", NoTls).await.unwrap_err();
    connect(&rds, &tap, "require", trusting()).await.unwrap();
    tap.read_until_ended(2);
    let text = tap.stop(Signal::SIGINT);
    rds.stop().await.unwrap();

    let lines: Vec<Value> = (text.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &lines[1..lines.len() - 1] {
        assert!(line["connection"].is_u64() && line["milliseconds"].is_number());
    }
    assert!(lines.iter().all(|line| line["time"].is_string()));
    assert_eq!(lines[0]["event"], "listening");
    let summaries: Vec<&Value> = (lines.iter())
        .filter(|line| line["event"] == "summary")
        .collect();
    assert_eq!(summaries[0]["outcome"], "refused");
    let says = summaries[0]["says"].as_str().unwrap();
    assert!(
        says.starts_with(
            "client did not ask for TLS, plaintext refused by the server: 28000 no pg_hba.conf"
        ),
        "{says}"
    );
    assert_eq!(summaries[1]["outcome"], "encrypted");
    assert_eq!(
        lines.last().unwrap()["outcomes"],
        serde_json::json!({ "encrypted": 1, "refused": 1 })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn libpq_goes_away_by_itself_when_the_name_is_wrong() {
    let rds = emulator(true).await;
    let mut tap = Tapping::start(&rds.address().to_string(), &[]);
    let attempt = Attempt {
        id: 1,
        configuration: "default".to_owned(),
        form: Form::KeyValue,
        // The certificate is for the endpoint's name.
        host: "127.0.0.1".to_owned(),
        hostaddr: Ipv4Addr::LOCALHOST.into(),
        port: tap.address.port(),
        user: rds.facts().master.user.clone(),
        password: SECRET.into(),
        database: rds.facts().master.database.clone(),
        sslmode: Some("verify-full".to_owned()),
        sslrootcert: Some(rds.ca_file().unwrap().display().to_string()),
        options: BTreeMap::new(),
        query: None,
    };
    let homes = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_rds-tls"));
    let worker = WorkerCommand::built_in("libpq", Some(program)).unwrap();
    let libpq = Pool::new("libpq", worker, homes.path(), Limits::default());
    let outcome = libpq.play(&Surroundings::default(), &attempt).await;
    libpq.shutdown().await;
    let Outcome::Refused { message, .. } = outcome.unwrap() else {
        panic!("libpq took a certificate for another name");
    };
    assert!(message.contains("does not match host name"), "{message}");
    tap.read_until_ended(1);
    let text = tap.stop(Signal::SIGHUP);
    rds.stop().await.unwrap();
    // Who is seen to go first is a race between its farewell and its end.
    let sentence = sentences(&text)[0];
    assert!(
        sentence.contains("right behind the TLS handshake, without a login: ")
            && sentence.contains("may not accept the"),
        "{text}"
    );
}

#[test]
fn a_server_that_is_down_is_told() {
    let mut tap = Tapping::start(&closed_port().to_string(), &[]);
    let mut client = TcpStream::connect(tap.address).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "it is let go");
    tap.read_until_ended(1);
    let text = tap.stop(Signal::SIGTERM);
    assert!(
        sentences(&text)[0].starts_with("connection 1: tap could not reach the server: "),
        "{text}"
    );
    assert_eq!(
        text.lines().last(),
        Some("1 connection: 1 server unreachable")
    );
}

#[test]
fn a_connection_under_way_does_not_hold_the_end_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = listener.local_addr().unwrap();
    let tap = Tapping::start(&upstream.to_string(), &[]);
    let mut client = TcpStream::connect(tap.address).unwrap();
    let mut server = listener.accept().unwrap().0;
    let text = tap.stop(Signal::SIGQUIT);
    assert_eq!(text.lines().last(), Some("1 connection: 1 unfinished"));
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let mut tap = Tapping::start(&closed_port().to_string(), &[]);
    drop(std::mem::replace(
        &mut tap.out,
        BufReader::new(spare_pipe()),
    ));
    // Whoever connects gives it something to say.
    let _ = TcpStream::connect(tap.address);
    assert_eq!(tap.run.wait().unwrap().code(), Some(0));
}

#[test]
fn a_port_in_use_is_told_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run("127.0.0.1:5432", &["--listen", &address]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(
        error.contains(&address) && error.contains("`--listen 127.0.0.1:0`"),
        "{error}"
    );
}

#[rstest]
// No resolver is asked about a label of more than 63 characters.
#[case::no_such_name(&format!("{}:5432", "x".repeat(64)), "can't be looked up")]
#[case::no_port("db.example", "write HOST:PORT")]
#[case::port_0("db.example:0", "write HOST:PORT")]
#[case::no_host(":5432", "write HOST:PORT")]
#[case::an_address_without_brackets("::1:5432", "[::1]:5432")]
fn a_wrong_upstream_is_told(#[case] upstream: &str, #[case] says: &str) {
    let output = run(upstream, &[]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains(says), "{error}");
}

fn run(upstream: &str, options: &[&str]) -> Output {
    command(upstream).args(options).output().unwrap()
}

/// An address where nobody listens.
fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The output of a program that says nothing.
fn spare_pipe() -> ChildStdout {
    let mut spare = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
    spare.wait().unwrap();
    spare.stdout.take().unwrap()
}
