//! An observation in the words of the tables.

use super::observation::Observation;
use crate::{
    driver::{Outcome, SessionRow},
    suite::{Ambiguous, OutcomeClass, Page, Phase, Refusal},
    tap::{Event, Transcript, Wire, Word},
};

/// An observation in the words of the tables.
#[derive(Clone, Debug)]
pub struct Observed {
    /// At the client, where there is a word for it.
    pub class: Result<OutcomeClass, NoWord>,
    /// On the wire.
    pub wire: Wire,
}

/// Why an outcome has no word.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NoWord {
    /// A refusal that no file of refusals describes.
    #[error("refused, by an error that no file of refusals of {driver} describes")]
    Unclassified {
        /// The driver's id.
        driver: String,
    },
    /// A refusal that two rules read in two ways.
    #[error(transparent)]
    Ambiguous(#[from] Ambiguous),
    /// Client, wire and server don't agree on whether the session is encrypted.
    #[error("a session on which driver, wire and server disagree: {0}")]
    Contradictory(String),
}

/// Puts an observation into words.
#[must_use]
pub fn read(page: &Page, observation: &Observation) -> Observed {
    let transcript = &observation.transcript;
    let wire = transcript.wire();
    let class = match &observation.outcome {
        Outcome::Connected { tls, session, .. } => read_session(*tls, session, transcript, &wire),
        Outcome::Refused { message, sqlstate } => {
            read_refusal(page, message, sqlstate.as_deref(), transcript)
        }
    };
    Observed { class, wire }
}

fn read_refusal(
    page: &Page,
    message: &str,
    sqlstate: Option<&str>,
    transcript: &Transcript,
) -> Result<OutcomeClass, NoWord> {
    let refusal = page
        .refusals
        .classify(message)?
        .ok_or_else(|| NoWord::Unclassified {
            driver: page.id.clone(),
        })?;
    let sqlstate = if page.tells_sqlstate {
        sqlstate.map(str::to_owned)
    } else {
        sqlstate_on_the_wire(transcript)
    };
    let by_server = matches!(refusal.phase, Phase::Authenticate | Phase::Authorise);
    Ok(OutcomeClass::Refused(Refusal {
        sqlstate: sqlstate.filter(|_| by_server),
        ..refusal.clone()
    }))
}

/// The server's last error that was readable.
fn sqlstate_on_the_wire(transcript: &Transcript) -> Option<String> {
    let last = transcript.connections.last()?;
    last.iter().rev().find_map(|event| match event {
        Event::Error { sqlstate, .. } => Some(sqlstate.clone()),
        _ => None,
    })
}

/// A session is encrypted, or not, when everybody who can tell says so.
fn read_session(
    driver: Option<bool>,
    session: &SessionRow,
    transcript: &Transcript,
    wire: &Wire,
) -> Result<OutcomeClass, NoWord> {
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
        return Ok(OutcomeClass::Plaintext);
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
    Ok(OutcomeClass::Encrypted)
}
