//! One attempt by psql: what a person would type at its terminal, and read.

use std::{io, sync::LazyLock};

use pty_process::{Command, Pty, Size};
use regex::Regex;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{LOGON, arguments::CommandLine, find::Psql};
use crate::driver::{Attempt, Outcome, Reply, SESSION_QUERY, SessionRow};

/// Wide enough that no line is broken, and high enough that nothing is paged.
const TERMINAL: (u16, u16) = (200, 1000);

/// The longest that psql may print before it asks for something.
const LONGEST: usize = 64 * 1024;

/// Where psql waits: for a password, or for a statement.
static PASSWORD: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"Password[^\n]*: $"));
static PROMPT: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"(?:^|\n)[^\n]*=[>#] $"));

/// The session's row, as `\pset format unaligned` prints it.
static ROW: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?:^|\n)([tf])\|([^|\n]*)\|([^|\n]*)\n"));

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

fn found(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|found| found.is_match(text))
}

/// Starts psql, answers its question for a password, reads what it prints, asks
/// for the session's row, and leaves.
///
/// # Errors
/// With a sentence, when psql can't be used as it should; what it reports of a
/// connection is an [`Outcome`].
pub async fn play(psql: &Psql, attempt: &Attempt) -> Result<Outcome, String> {
    let asks_for_logon = match attempt.query.as_deref() {
        None => false,
        Some(LOGON) => true,
        Some(_) => return Err(format!("psql is asked for {LOGON} alone")),
    };
    let mut terminal = Terminal::start(psql, CommandLine::of(attempt)?)?;
    let mut printed = terminal.read().await?;
    if found(&PASSWORD, &printed) {
        terminal.type_line(attempt.password.expose_secret()).await?;
        printed = terminal.read().await?;
    }
    if !found(&PROMPT, &printed) {
        return Ok(Outcome::Refused {
            message: printed.trim().to_owned(),
            sqlstate: None,
        });
    }
    terminal
        .ask("\\pset format unaligned \\pset tuples_only on")
        .await?;
    let answer = terminal.ask(&format!("{SESSION_QUERY};")).await?;
    let session = session_row(&answer).ok_or("psql printed no row of pg_stat_ssl")?;
    terminal.leave().await?;
    let logon: Vec<_> = logon_lines(&printed).map(str::to_owned).collect();
    Ok(Outcome::Connected {
        tls: Some(logon.iter().any(|line| line.starts_with("SSL connection"))),
        session,
        reply: asks_for_logon.then(|| Reply::Rows {
            columns: vec!["logon".to_owned()],
            rows: logon.into_iter().map(|line| vec![Some(line)]).collect(),
        }),
    })
}

/// What stands above the first prompt.
fn logon_lines(printed: &str) -> impl Iterator<Item = &str> {
    let above = printed.rsplit_once('\n').map_or("", |(above, _)| above);
    above.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn session_row(answer: &str) -> Option<SessionRow> {
    let row = ROW.as_ref()?.captures(answer)?;
    let text = |nth| {
        let value = row.get(nth).map(|found| found.as_str().to_owned());
        value.filter(|value| !value.is_empty())
    };
    Some(SessionRow {
        ssl: text(1).as_deref() == Some("t"),
        version: text(2),
        cipher: text(3),
    })
}

/// psql at a terminal of its own. Dropped, it is killed; if this process dies
/// first, the terminal hangs up on it.
struct Terminal {
    pty: Pty,
    child: tokio::process::Child,
}

impl Terminal {
    fn start(psql: &Psql, line: CommandLine) -> Result<Self, String> {
        let (pty, pts) = pty_process::open().map_err(|error| no_terminal(&error))?;
        let (rows, columns) = TERMINAL;
        pty.resize(Size::new(rows, columns))
            .map_err(|error| no_terminal(&error))?;
        let child = Command::new(&psql.path)
            .args(line.args)
            .envs(line.variables)
            .env("TERM", "dumb")
            .kill_on_drop(true)
            .spawn(pts)
            .map_err(|error| format!("{} can't be started: {error}", psql.path.display()))?;
        Ok(Self { pty, child })
    }

    /// What psql prints until it waits for something, or ends.
    async fn read(&mut self) -> Result<String, String> {
        let mut bytes = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let length = match self.pty.read(&mut piece).await {
                Ok(length) => length,
                // Linux says so when the other side of a terminal is closed.
                Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => 0,
                Err(error) => return Err(cut_off(&error)),
            };
            bytes.extend(piece.iter().take(length));
            let text = String::from_utf8_lossy(&bytes).replace('\r', "");
            if length == 0 || found(&PASSWORD, &text) || found(&PROMPT, &text) {
                return Ok(text);
            }
            if bytes.len() > LONGEST {
                return Err(format!("psql printed more than {LONGEST} bytes"));
            }
        }
    }

    async fn type_line(&mut self, line: &str) -> Result<(), String> {
        let line = format!("{line}\n");
        (self.pty.write_all(line.as_bytes()).await).map_err(|error| cut_off(&error))
    }

    /// Types a line, and reads up to the next prompt.
    async fn ask(&mut self, line: &str) -> Result<String, String> {
        self.type_line(line).await?;
        self.read().await
    }

    /// Leaves psql, so that it closes its connection as it does.
    async fn leave(&mut self) -> Result<(), String> {
        self.type_line("\\q").await?;
        // It may not end before what it printed is read.
        self.read().await?;
        (self.child.wait().await)
            .map(drop)
            .map_err(|error| cut_off(&error))
    }
}

fn no_terminal(error: &pty_process::Error) -> String {
    format!("a terminal can't be had: {error}")
}

fn cut_off(error: &io::Error) -> String {
    format!("psql's terminal was cut off: {error}")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Password for user postgres: ", true, false)]
    #[case("Password: ", true, false)]
    #[case("psql (15.18)\nType \"help\" for help.\n\npostgres=> ", false, true)]
    #[case("rdsadmin=# ", false, true)]
    #[case("psql: error: FATAL:  no", false, false)]
    #[case("Password for user postgres: \n", false, false)]
    fn psql_waits_at_its_prompts(#[case] text: &str, #[case] password: bool, #[case] prompt: bool) {
        assert_eq!(
            (found(&PASSWORD, text), found(&PROMPT, text)),
            (password, prompt)
        );
    }

    #[rstest]
    #[case(
        "SELECT …;\nt|TLSv1.3|X\npostgres=> ",
        "true Some(\"TLSv1.3\") Some(\"X\")"
    )]
    #[case("f||\npostgres=> ", "false None None")]
    #[case("ERROR:  no\npostgres=> ", "none")]
    fn the_sessions_row_is_read(#[case] text: &str, #[case] expected: &str) {
        let row = session_row(text).map_or_else(
            || "none".to_owned(),
            |row| format!("{} {:?} {:?}", row.ssl, row.version, row.cipher),
        );
        assert_eq!(row, expected);
    }

    #[test]
    fn what_stands_above_the_prompt_is_the_logon() {
        let printed = "\npsql (15.18)\nType \"help\" for help.\n\npostgres=> ";
        let lines: Vec<_> = logon_lines(printed).collect();
        assert_eq!(lines, ["psql (15.18)", "Type \"help\" for help."]);
    }
}
