//! The negotiations of a standing tap, told while they happen: to people in
//! lines, to programs in JSON lines. docs/json.md describes the fields.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

use crate::tap::{ConnectionEvent, Event, Outcome, Summarizer, Summary, What};

/// How it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Telling {
    /// A line an event, and a sentence a negotiation.
    Words,
    /// An object an event, one a line.
    JsonLines,
}

/// Tells what a standing tap sees, and flushes every line.
pub struct Live<W> {
    out: W,
    telling: Telling,
    summarizer: Summarizer,
}

impl<W: io::Write> Live<W> {
    /// Writes to `out`.
    pub fn new(out: W, telling: Telling) -> Self {
        Self {
            out,
            telling,
            summarizer: Summarizer::default(),
        }
    }

    /// Tells where the tap listens.
    ///
    /// # Errors
    /// When it can't be written, as all of these.
    pub fn listening(&mut self, at: SocketAddr, upstream: &str) -> io::Result<()> {
        match self.telling {
            Telling::Words => self.line(&format!(
                "listening on {at}, relaying to {upstream}, until Ctrl-C"
            )),
            Telling::JsonLines => self.json(
                Stamp::now(),
                &Told::Listening {
                    address: at,
                    upstream,
                },
            ),
        }
    }

    /// Tells what was seen, and what it comes to where it shows that.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn connection_event(&mut self, connection_event: &ConnectionEvent) -> io::Result<()> {
        let summary = self.summarizer.add(connection_event);
        let stamp = Stamp::of(connection_event);
        let told = match &connection_event.what {
            What::Opened { client } => Told::Opened { client: *client },
            What::Event(event) => Told::Event(event),
            What::InUse => Told::InUse,
            What::Ended => Told::Ended,
        };
        // A summary speaks of what is known when the connection ends.
        let (before, after) = match told {
            Told::Ended => (summary, None),
            _ => (None, summary),
        };
        self.summary(stamp, before.as_ref())?;
        match self.telling {
            Telling::Words => self.event(connection_event, &told)?,
            Telling::JsonLines => self.json(stamp, &told)?,
        }
        self.summary(stamp, after.as_ref())
    }

    /// Sums up what is under way, and counts what all came to.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn finish(&mut self) -> io::Result<()> {
        for (connection, summary) in self.summarizer.finish() {
            let stamp = Stamp {
                connection: Some(connection),
                ..Stamp::now()
            };
            self.summary(stamp, Some(&summary))?;
        }
        let outcomes = self.summarizer.counts().clone();
        let connections = outcomes.values().sum();
        match self.telling {
            Telling::Words => {
                let counts = outcomes
                    .iter()
                    .map(|(outcome, count)| format!("{count} {outcome}"));
                let counts: Vec<String> = counts.collect();
                let (s, colon) = match connections {
                    0 => ("s", ""),
                    1 => ("", ": "),
                    _ => ("s", ": "),
                };
                self.line(&format!(
                    "{connections} connection{s}{colon}{}",
                    counts.join(", ")
                ))
            }
            Telling::JsonLines => self.json(
                Stamp::now(),
                &Told::Finished {
                    connections,
                    outcomes,
                },
            ),
        }
    }

    fn summary(&mut self, stamp: Stamp, summary: Option<&Summary>) -> io::Result<()> {
        let Some(summary) = summary else {
            return Ok(());
        };
        match (self.telling, stamp.connection) {
            (Telling::JsonLines, _) => self.json(stamp, &Told::Summary(summary)),
            (Telling::Words, Some(number)) => {
                self.line(&format!("connection {number}: {}", summary.says))
            }
            (Telling::Words, None) => self.line(&summary.says),
        }
    }

    fn event(&mut self, connection_event: &ConnectionEvent, told: &Told) -> io::Result<()> {
        let words = match told {
            Told::Opened { client } => format!("{client} connected"),
            Told::Event(event) => event.to_string(),
            Told::InUse => "client went on under TLS".to_owned(),
            _ => "ended".to_owned(),
        };
        self.line(&format!(
            "connection {} {:>8.1} ms  {words}",
            connection_event.connection,
            milliseconds(connection_event.at)
        ))
    }

    fn json(&mut self, stamp: Stamp, told: &Told) -> io::Result<()> {
        let line = serde_json::to_string(&Line { stamp, told })?;
        self.line(&line)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    stamp: Stamp,
    #[serde(flatten)]
    told: &'a Told<'a>,
}

/// Of which connection, and when.
#[derive(Clone, Copy, Serialize)]
struct Stamp {
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(serialize_with = "rfc_3339")]
    time: SystemTime,
    /// Since the connection was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<f64>,
}

/// What a line tells; a transcript's events keep the names that they have in
/// `check --json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Told<'a> {
    Listening {
        address: SocketAddr,
        upstream: &'a str,
    },
    Opened {
        client: SocketAddr,
    },
    InUse,
    Summary(&'a Summary),
    Ended,
    Finished {
        connections: u64,
        outcomes: BTreeMap<Outcome, u64>,
    },
    #[serde(untagged)]
    Event(&'a Event),
}

impl Stamp {
    fn now() -> Self {
        Self {
            connection: None,
            time: SystemTime::now(),
            milliseconds: None,
        }
    }

    fn of(connection_event: &ConnectionEvent) -> Self {
        Self {
            connection: Some(connection_event.connection),
            time: connection_event.time,
            milliseconds: Some(milliseconds(connection_event.at)),
        }
    }
}

/// Rounded to tenths.
fn milliseconds(at: Duration) -> f64 {
    (at.as_secs_f64() * 1e4).round() / 10.0
}

/// UTC, always with thousandths, so that lines sort as text.
fn rfc_3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let time = OffsetDateTime::from(*time);
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    serializer.collect_str(&format_args!(
        "{}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z",
        time.date()
    ))
}
