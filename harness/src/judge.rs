//! From what must be seen and what was seen to a verdict.

use std::net::IpAddr;

use regex::Regex;

use crate::{
    driver::{Outcome, SessionRow},
    suite::{Cell, Expectation, Known, Profile, Said},
    tap::{Event, Transcript, Wire, Word},
};

/// What one attempt gave.
#[derive(Clone, Debug)]
pub struct Observation {
    /// At the client.
    pub outcome: Outcome,
    /// On the wire.
    pub transcript: Transcript,
}

/// What a cell came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// As the truth table says.
    Pass,
    /// Otherwise, a sentence a difference.
    Fail(Vec<String>),
    /// Otherwise, and exactly as recorded.
    Known {
        /// Why.
        reason: String,
        /// Where that can be read.
        link: String,
    },
    /// Not played, for a reason.
    Skipped(String),
    /// The harness could not find out.
    Broken(String),
}

/// An observation in the words of the truth tables.
#[derive(Clone, Debug)]
pub struct Observed {
    /// At the client, where there is a word for it.
    pub said: Result<Said, NoWord>,
    /// On the wire.
    pub wire: Wire,
}

/// Why an outcome has no word.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoWord {
    /// A refusal that the driver's profile does not describe.
    #[error("refused, by an error that the profile of {driver} doesn't describe")]
    Unclassified {
        /// The driver's id.
        driver: String,
    },
    /// Client, wire and server don't agree on whether the session is encrypted.
    #[error("a session on which driver, wire and server disagree: {0}")]
    Contradictory(String),
}

/// What the placeholders of texts and answers stand for.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// `{user}`.
    pub user: &'a str,
    /// `{database}`.
    pub database: &'a str,
    /// `{version}`: the session's TLS version; empty without TLS.
    pub version: &'a str,
    /// `{cipher}`: the session's cipher suite; empty without TLS.
    pub cipher: &'a str,
}

impl<'a> Names<'a> {
    /// Those of an attempt.
    #[must_use]
    pub fn of(user: &'a str, database: &'a str, outcome: &'a Outcome) -> Self {
        let text = |value: &'a Option<String>| value.as_deref().unwrap_or_default();
        let (version, cipher) = match outcome {
            Outcome::Connected { session, .. } => (text(&session.version), text(&session.cipher)),
            Outcome::Refused { .. } => ("", ""),
        };
        Self {
            user,
            database,
            version,
            cipher,
        }
    }
}

/// Puts an observation into words.
#[must_use]
pub fn read(profile: &Profile, observation: &Observation) -> Observed {
    let wire = observation.transcript.wire();
    let said = match &observation.outcome {
        Outcome::Connected { tls, session, .. } => {
            read_session(*tls, session, &observation.transcript, &wire)
        }
        Outcome::Refused { message, sqlstate } => profile
            .classify(message, sqlstate.as_deref())
            .map(Said::Refused)
            .ok_or_else(|| NoWord::Unclassified {
                driver: profile.id.clone(),
            }),
    };
    Observed { said, wire }
}

/// Holds what was seen against what must be seen.
#[must_use]
pub fn judge(cell: &Cell, names: Names, observation: &Observation, seen: &Observed) -> Verdict {
    let (said, wire) = match &cell.expects {
        Expectation::Skip(why) => return Verdict::Skipped(why.clone()),
        Expectation::See { said, wire, .. } => (said, wire),
    };
    if (seen.wire.connections().iter().flatten()).any(|word| *word == Word::Unreachable) {
        return Verdict::Broken("the tap could not reach the server".to_owned());
    }
    let mut differences = Vec::new();
    match &seen.said {
        Ok(seen) if seen == said => {}
        Ok(other) => differences.push(format!("expected {said}, observed {other}")),
        Err(NoWord::Unclassified { .. })
            if matches!(said, Said::Refused(_)) && seen.wire == *wire && cell.known.is_none() =>
        {
            return Verdict::Broken(format!(
                "the driver refused with an error that no [[refusal]] of its profile describes: {}",
                message(&observation.outcome)
            ));
        }
        Err(no_word) => differences.push(format!("expected {said}, observed {no_word}")),
    }
    if seen.wire != *wire {
        differences.push(format!(
            "expected on the wire `{wire}`, observed `{}`",
            seen.wire
        ));
    }
    differences.extend(beyond(&cell.expects, names, observation));
    match &cell.known {
        Some(known) => judge_known(known, seen, differences),
        None if differences.is_empty() => Verdict::Pass,
        None => Verdict::Fail(differences),
    }
}

/// What a row asks for besides outcome and wire.
fn beyond(expects: &Expectation, names: Names, observation: &Observation) -> Vec<String> {
    let Expectation::See {
        says,
        answers,
        negotiates,
        ..
    } = expects
    else {
        return Vec::new();
    };
    let mut differences = Vec::new();
    if let Some(text) = says {
        differences.extend(wording(text, names, observation));
    }
    if let Some(version) = negotiates
        && version.to_string() != names.version
    {
        let seen = if names.version.is_empty() {
            "no TLS"
        } else {
            names.version
        };
        differences.push(format!("expected {version}, observed {seen}"));
    }
    match (answers, &observation.outcome) {
        (
            Some(answers),
            Outcome::Connected {
                reply: Some(reply), ..
            },
        ) => {
            differences.extend(answers.differences(reply, names));
        }
        (Some(_), _) => differences.push("the question was not answered".to_owned()),
        (None, _) => {}
    }
    differences
}

fn judge_known(known: &Known, seen: &Observed, mut differences: Vec<String>) -> Verdict {
    if seen.said.as_ref() == Ok(&known.said) && seen.wire == known.wire {
        return Verdict::Known {
            reason: known.reason.clone(),
            link: known.link.clone(),
        };
    }
    differences.push(if differences.is_empty() {
        format!(
            "known.toml:{} records a divergence that is gone: take the entry out",
            known.line
        )
    } else {
        format!(
            "known.toml:{} records another divergence: `{}  {}`",
            known.line, known.said, known.wire
        )
    });
    Verdict::Fail(differences)
}

/// A session is encrypted, or not, when everybody who can tell says so.
fn read_session(
    driver: Option<bool>,
    session: &SessionRow,
    transcript: &Transcript,
    wire: &Wire,
) -> Result<Said, NoWord> {
    let tap = (wire.connections().last()).is_some_and(|words| words.contains(&Word::Tls));
    let yes_no = |encrypted| if encrypted { "encrypted" } else { "plaintext" };
    if session.ssl != tap || driver.is_some_and(|driver| driver != tap) {
        return Err(NoWord::Contradictory(format!(
            "the driver says {}, the wire shows {}, pg_stat_ssl says {}",
            driver.map_or("nothing", yes_no),
            yes_no(tap),
            yes_no(session.ssl)
        )));
    }
    if !tap {
        return Ok(Said::Plaintext);
    }
    let hello = transcript.connections.last().and_then(|connection| {
        connection.iter().rev().find_map(|event| match event {
            Event::ServerHello {
                version, cipher, ..
            } => Some((version.as_str(), openssl::ssl::cipher_name(cipher))),
            _ => None,
        })
    });
    let row = session.version.as_deref().zip(session.cipher.as_deref());
    if hello != row {
        return Err(NoWord::Contradictory(format!(
            "the wire shows {hello:?}, pg_stat_ssl says {row:?}"
        )));
    }
    Ok(Said::Encrypted)
}

/// Whether the refusal is worded as it must be: where the server's error was
/// readable on the wire, there; else at the end of a line of the driver's.
fn wording(text: &str, names: Names, observation: &Observation) -> Option<String> {
    let pattern = regex::escape(text)
        .replace(r"\{user\}", &regex::escape(names.user))
        .replace(r"\{database\}", &regex::escape(names.database))
        .replace(r"\{client\}", r"(?<client>[0-9A-Fa-f.:]+)");
    let Ok(pattern) = Regex::new(&format!("(?m){pattern}$")) else {
        return Some(format!("the text `{text}` makes no pattern"));
    };
    let error = message(&observation.outcome);
    let worded = |text: &str| {
        pattern.captures(text).is_some_and(|found| {
            found
                .name("client")
                .is_none_or(|client| client.as_str().parse::<IpAddr>().is_ok())
        })
    };
    if !worded(error) {
        return Some(format!("expected the wording `{text}`, observed `{error}`"));
    }
    let last = observation.transcript.connections.last()?;
    last.iter().find_map(|event| match event {
        Event::Error { message, .. } if !worded(message) => Some(format!(
            "expected the wording `{text}` on the wire, observed `{message}`"
        )),
        _ => None,
    })
}

fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { message, .. } => message,
        Outcome::Connected { .. } => "a session",
    }
}
