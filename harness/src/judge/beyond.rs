//! What a cell asks for besides outcome and wire.

use std::net::IpAddr;

use regex::Regex;

use super::observation::Observation;
use crate::{
    driver::Outcome,
    suite::{Expected, Names},
    tap::{Event, Transcript},
};

/// A sentence a difference.
pub fn differences(expected: &Expected, names: &Names, observation: &Observation) -> Vec<String> {
    let mut differences = Vec::new();
    if let Some(text) = &expected.says {
        differences.extend(wording(text, names, observation));
    }
    let version = expected.negotiates.map(|version| version.to_string());
    differences.extend(negotiated(version.as_deref(), names.version));
    differences.extend(negotiated(expected.cipher.as_deref(), names.cipher));
    if expected.common_name {
        differences.extend(another_common_name(names.host, &observation.transcript));
    }
    match (&expected.answers, &observation.outcome) {
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

/// Whether the version, or the cipher suite, is the expected one.
fn negotiated(expected: Option<&str>, seen: &str) -> Option<String> {
    let expected = expected.filter(|expected| *expected != seen)?;
    let seen = if seen.is_empty() { "no TLS" } else { seen };
    Some(format!("expected {expected}, observed {seen}"))
}

/// Whether the last certificate that was readable has another common name.
/// Names are compared as DNS compares them, without regard to case.
fn another_common_name(host: &str, transcript: &Transcript) -> Option<String> {
    let events = transcript.connections.iter().flatten().rev();
    let certificate = events.filter_map(|event| match event {
        Event::Certificate { common_name, .. } => Some(common_name.as_deref()),
        _ => None,
    });
    let seen = match certificate.into_iter().next() {
        Some(Some(name)) if name.eq_ignore_ascii_case(host) => return None,
        Some(Some(name)) => format!("`{name}`"),
        Some(None) => "a certificate without a common name".to_owned(),
        None => "no certificate that could be read".to_owned(),
    };
    Some(format!(
        "expected the common name `{host}`, observed {seen}"
    ))
}

/// Whether the refusal is worded as it must be: the server's sentence stands in the
/// driver's message, whatever that puts around it, and on the wire, where it was
/// readable there.
fn wording(text: &str, names: &Names, observation: &Observation) -> Option<String> {
    let pattern = regex::escape(text)
        .replace(r"\{user\}", &regex::escape(&names.user))
        .replace(r"\{database\}", &regex::escape(&names.database))
        .replace(r"\{client\}", r"(?<client>[0-9A-Fa-f.:]+)");
    // What follows the sentence is no part of its last word.
    let Ok(pattern) = Regex::new(&format!(r"{pattern}(?:\W|$)")) else {
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

/// The driver's error.
pub fn message(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Refused { message, .. } => message,
        Outcome::Connected { .. } => "a session",
    }
}
