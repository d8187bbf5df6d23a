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
    /// The endpoint's name.
    pub host: &'a str,
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
    pub fn of(host: &'a str, user: &'a str, database: &'a str, outcome: &'a Outcome) -> Self {
        let text = |value: &'a Option<String>| value.as_deref().unwrap_or_default();
        let (version, cipher) = match outcome {
            Outcome::Connected { session, .. } => (text(&session.version), text(&session.cipher)),
            Outcome::Refused { .. } => ("", ""),
        };
        Self {
            host,
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
            if matches!(said, Said::Refused(_))
                && wire.allows(&seen.wire)
                && cell.known.is_none() =>
        {
            return Verdict::Broken(format!(
                "the driver refused with an error that no [[refusal]] of its profile describes: {}",
                message(&observation.outcome)
            ));
        }
        Err(no_word) => differences.push(format!("expected {said}, observed {no_word}")),
    }
    if !wire.allows(&seen.wire) {
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
        cipher,
        common_name,
        ..
    } = expects
    else {
        return Vec::new();
    };
    let mut differences = Vec::new();
    if let Some(text) = says {
        differences.extend(wording(text, names, observation));
    }
    let version = negotiates.map(|version| version.to_string());
    differences.extend(negotiated(version.as_deref(), names.version));
    differences.extend(negotiated(cipher.as_deref(), names.cipher));
    if *common_name {
        differences.extend(another_common_name(names.host, &observation.transcript));
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

/// Whether the version, or the cipher suite, is the expected one.
fn negotiated(expected: Option<&str>, seen: &str) -> Option<String> {
    let expected = expected.filter(|expected| *expected != seen)?;
    let seen = if seen.is_empty() { "no TLS" } else { seen };
    Some(format!("expected {expected}, observed {seen}"))
}

/// Whether the last certificate that was readable bears another common name.
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

fn judge_known(known: &Known, seen: &Observed, mut differences: Vec<String>) -> Verdict {
    // Exactly so: what a table may leave open, a record of a divergence may not.
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{
        driver::Reply,
        fixture::{AES, HBA, cell, one, refused, session, startup, tls},
    };

    fn verdict(cell: &Cell, outcome: Outcome, transcript: Transcript) -> Verdict {
        let observation = Observation {
            outcome,
            transcript,
        };
        let seen = read(&cell.case.driver, &observation);
        let names = Names::of("h", "u", "d", &observation.outcome);
        judge(cell, names, &observation, &seen)
    }

    fn fails(differences: &[&str]) -> Verdict {
        Verdict::Fail(differences.iter().map(|&text| text.to_owned()).collect())
    }

    fn certificate(common_name: Option<&str>) -> Event {
        Event::Certificate {
            common_name: common_name.map(str::to_owned),
            names: Vec::new(),
            not_before: String::new(),
            not_after: String::new(),
        }
    }

    const ECDHE: &str = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";

    #[rstest]
    #[case::all_agree(session(Some(true), Some(("TLSv1.3", AES))), tls("TLSv1.3", AES), Verdict::Pass)]
    #[case::a_driver_that_cannot_tell(session(None, Some(("TLSv1.3", AES))), tls("TLSv1.3", AES), Verdict::Pass)]
    #[case::names_of_a_suite(
        session(None, Some(("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"))),
        tls("TLSv1.2", ECDHE),
        Verdict::Pass
    )]
    #[case::plaintext_after_all(session(Some(false), None), startup(None), fails(&[
        "expected encrypted, observed plaintext",
        "expected on the wire `sslrequest S hello tls`, observed `startup`",
    ]))]
    #[case::another_wire(session(Some(true), Some(("TLSv1.3", AES))), Transcript {
        connections: [startup(None), tls("TLSv1.3", AES)].into_iter().flat_map(|t| t.connections).collect(),
    }, fails(&["expected on the wire `sslrequest S hello tls`, observed `startup | sslrequest S hello tls`"]))]
    #[case::the_driver_disagrees(session(Some(false), Some(("TLSv1.3", AES))), tls("TLSv1.3", AES), fails(&[
        "expected encrypted, observed a session on which driver, wire and server disagree: \
         the driver says plaintext, the wire shows encrypted, pg_stat_ssl says encrypted",
    ]))]
    #[case::the_server_disagrees(session(Some(true), None), tls("TLSv1.3", AES), fails(&[
        "expected encrypted, observed a session on which driver, wire and server disagree: \
         the driver says encrypted, the wire shows encrypted, pg_stat_ssl says plaintext",
    ]))]
    #[case::another_version(session(None, Some(("TLSv1.2", AES))), tls("TLSv1.3", AES), fails(&[
        "expected encrypted, observed a session on which driver, wire and server disagree: \
         the wire shows Some((\"TLSv1.3\", \"TLS_AES_256_GCM_SHA384\")), \
         pg_stat_ssl says Some((\"TLSv1.2\", \"TLS_AES_256_GCM_SHA384\"))",
    ]))]
    #[case::unreachable(session(Some(false), None), one(vec![Event::Unreachable { why: "no".to_owned() }]),
        Verdict::Broken("the tap could not reach the server".to_owned()))]
    fn a_session_is_encrypted_when_all_say_so(
        #[case] outcome: Outcome,
        #[case] transcript: Transcript,
        #[case] expected: Verdict,
    ) {
        assert_eq!(
            verdict(&cell("encrypted", ""), outcome, transcript),
            expected
        );
    }

    #[rstest]
    #[case::as_expected("refused", HBA, HBA, Verdict::Pass)]
    #[case::as_worded("worded", HBA, HBA, Verdict::Pass)]
    #[case::unclassified("refused", "go away", HBA, Verdict::Broken(
        "the driver refused with an error that no [[refusal]] of its profile describes: go away".to_owned(),
    ))]
    #[case::other_words("worded", "no pg_hba.conf entry, sorry", HBA, fails(&[
        "expected the wording `no pg_hba.conf entry for host \"{client}\", user \"{user}\", \
         database \"{database}\", no encryption`, observed `no pg_hba.conf entry, sorry`",
    ]))]
    #[case::other_words_on_the_wire("worded", HBA, "sorry", fails(&[
        "expected the wording `no pg_hba.conf entry for host \"{client}\", user \"{user}\", \
         database \"{database}\", no encryption` on the wire, observed `sorry`",
    ]))]
    fn a_refusal_is_precise(
        #[case] name: &str,
        #[case] says: &str,
        #[case] wire: &str,
        #[case] expected: Verdict,
    ) {
        let transcript = startup(Some(wire));
        assert_eq!(
            verdict(&cell(name, ""), refused(says), transcript),
            expected
        );
    }

    #[rstest]
    #[case::another_user("127.0.0.1", "x", "d")]
    #[case::another_database("127.0.0.1", "u", "x")]
    #[case::no_address("1.2", "u", "d")]
    fn the_wording_names_this_attempt(
        #[case] client: &str,
        #[case] user: &str,
        #[case] database: &str,
    ) {
        let text = HBA
            .replace("127.0.0.1", client)
            .replace("\"u\"", &format!("\"{user}\""))
            .replace("\"d\"", &format!("\"{database}\""));
        let seen = verdict(&cell("worded", ""), refused(&text), startup(Some(&text)));
        assert!(matches!(seen, Verdict::Fail(_)), "{seen:?}");
    }

    #[test]
    fn an_unclassified_refusal_on_another_wire_fails() {
        let seen = verdict(&cell("refused", ""), refused("go away"), startup(None));
        assert!(matches!(seen, Verdict::Fail(_)), "{seen:?}");
    }

    #[rstest]
    #[case("tls13", ("TLSv1.3", AES), Verdict::Pass)]
    #[case("tls13", ("TLSv1.2", AES), fails(&["expected TLSv1.3, observed TLSv1.2"]))]
    #[case("aes", ("TLSv1.3", AES), Verdict::Pass)]
    #[case("aes", ("TLSv1.3", "TLS_AES_128_GCM_SHA256"), fails(&[
        "expected TLS_AES_256_GCM_SHA384, observed TLS_AES_128_GCM_SHA256",
    ]))]
    fn a_version_or_a_cipher_may_be_asked_for(
        #[case] name: &str,
        #[case] row: (&str, &str),
        #[case] expected: Verdict,
    ) {
        let transcript = tls(row.0, row.1);
        let seen = verdict(&cell(name, ""), session(None, Some(row)), transcript);
        assert_eq!(seen, expected);
    }

    #[rstest]
    #[case(Some("1"), Verdict::Pass)]
    #[case(Some("2"), fails(&["no row is expected like `2`", "expected exactly one `1`, observed 0 such rows"]))]
    #[case(None, fails(&["the question was not answered"]))]
    fn an_answer_is_held_against_its_table(#[case] value: Option<&str>, #[case] expected: Verdict) {
        let Outcome::Connected { tls, session, .. } = session(None, None) else {
            unreachable!();
        };
        let reply = value.map(|value| Reply::Rows {
            columns: vec!["one".to_owned()],
            rows: vec![vec![Some(value.to_owned())]],
        });
        let outcome = Outcome::Connected {
            tls,
            session,
            reply,
        };
        assert_eq!(
            verdict(&cell("asked", ""), outcome, startup(None)),
            expected
        );
    }

    #[rstest]
    #[case::as_dialled(Some(certificate(Some("h"))), Verdict::Pass)]
    #[case::as_dns_reads_it(Some(certificate(Some("H"))), Verdict::Pass)]
    #[case::anothers(Some(certificate(Some("x"))), fails(&["expected the common name `h`, observed `x`"]))]
    #[case::nobodys(Some(certificate(None)), fails(&[
        "expected the common name `h`, observed a certificate without a common name",
    ]))]
    #[case::unread(None, fails(&[
        "expected the common name `h`, observed no certificate that could be read",
    ]))]
    fn a_certificate_may_have_to_bear_the_endpoints_name(
        #[case] certificate: Option<Event>,
        #[case] expected: Verdict,
    ) {
        let mut transcript = tls("TLSv1.2", ECDHE);
        transcript.connections[0].extend(certificate);
        let row = Some(("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"));
        let seen = verdict(&cell("named", ""), session(None, row), transcript);
        assert_eq!(seen, expected);
    }

    #[rstest]
    #[case::exactly_so("plaintext  startup", true, "known")]
    #[case::otherwise("encrypted  sslrequest S hello tls", true, "fail")]
    #[case::gone("plaintext  startup", false, "fail")]
    #[case::a_record_leaves_nothing_open("plaintext  startup tls?", true, "fail")]
    fn a_divergence_is_known_only_as_recorded(
        #[case] seen: &str,
        #[case] diverges: bool,
        #[case] expected: &str,
    ) {
        let known = format!(
            "[[known]]\ncells = \"t/d/refused\"\nreason = \"r\"\nlink = \"l\"\nseen = \"{seen}\"\n"
        );
        let cell = cell("refused", &known);
        let verdict = if diverges {
            verdict(&cell, session(None, None), startup(None))
        } else {
            verdict(&cell, refused(HBA), startup(Some(HBA)))
        };
        assert_eq!(crate::report::verdict(&verdict), expected, "{verdict:?}");
    }

    #[test]
    fn a_skip_says_why() {
        let seen = verdict(&cell("skipped", ""), refused(HBA), startup(None));
        assert_eq!(seen, Verdict::Skipped("for a reason".to_owned()));
    }
}
