//! Connections that the server itself ended: a failure then says nothing of a
//! driver, so the cell is broken.

use super::CellResult;
use crate::{
    driver::{Outcome, Reply},
    judge::{Observation, Verdict},
    tap::Event,
};

/// The SQLSTATEs by which a server says that it ends a connection, or takes
/// none, for reasons of its own (errcodes.txt, class 57): `admin_shutdown`,
/// `crash_shutdown`, `cannot_connect_now`.
const SQLSTATES: [&str; 3] = ["57P01", "57P02", "57P03"];

/// What the log of a server says that ends connections for reasons of its own,
/// the same from 10 to 18 (the harness's servers log in English). The lines of
/// the postmaster come first, since they say why the others are there:
/// postmaster.c (`LogChildExit`, `HandleChildCrash`, `PostmasterStateMachine`),
/// then postgres.c (`quickdie`, `ProcessInterrupts`) and the refusals of new
/// connections. Backends that a dead postmaster left say so from 14 on.
const LOG_LINES: [&str; 9] = [
    "was terminated by signal",
    "terminating any other active server processes",
    "all server processes terminated; reinitializing",
    "terminating connection because of crash of another server process",
    "terminating connection because of unexpected SIGQUIT signal",
    "terminating connection due to administrator command",
    "terminating connection due to immediate shutdown command",
    "terminating connection due to unexpected postmaster exit",
    "the database system is in recovery mode",
];

/// Turns failures into [`Verdict::Broken`] where the attempt itself, or the
/// server's log since the first of them, shows that the server ended
/// connections. A pass stays a pass.
pub(super) fn excuse(results: &mut [CellResult], log: &str) {
    let logged = (LOG_LINES.iter())
        .find_map(|said| log.lines().find(|line| line.contains(said)))
        .map(|line| format!("its log says: {line}"));
    for result in results {
        let Verdict::Fail(differences) = &result.verdict else {
            continue;
        };
        let told = (result.seen.as_ref()).and_then(|(observation, _)| told(observation));
        let Some(evidence) = told.or_else(|| logged.clone()) else {
            continue;
        };
        result.verdict = Verdict::Broken(format!(
            "PostgreSQL ended connections while the cell's group was played; {evidence}; \
             what was seen says nothing of the driver: {}",
            differences.join("; ")
        ));
    }
}

/// Whether a failure is among the results, so that the log matters.
pub(super) fn is_any_failed(results: &[CellResult]) -> bool {
    (results.iter()).any(|result| matches!(result.verdict, Verdict::Fail(_)))
}

/// What an attempt was told by the server: by the driver's error, by the answer
/// to its question, or on the wire.
fn told(observation: &Observation) -> Option<String> {
    let (message, sqlstate) = match &observation.outcome {
        Outcome::Refused { message, sqlstate }
        | Outcome::Connected {
            reply: Some(Reply::Error { message, sqlstate }),
            ..
        } => (message.as_str(), sqlstate.as_deref()),
        Outcome::Connected { .. } => ("", None),
    };
    if let Some(sqlstate) = sqlstate.filter(|state| SQLSTATES.contains(state)) {
        return Some(format!("the driver was told {sqlstate}: {message}"));
    }
    let events = observation.transcript.connections.iter().flatten();
    events.into_iter().find_map(|event| match event {
        Event::Error {
            sqlstate, message, ..
        } if SQLSTATES.contains(&sqlstate.as_str()) => {
            Some(format!("the wire shows {sqlstate}: {message}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::{
        fixture::{cell, one, session, startup},
        judge,
        tap::Transcript,
    };

    const CRASH: &str = "\
2026-01-01 00:00:00.000 UTC [9] LOG:  connection received: host=127.0.0.1 port=1
2026-01-01 00:00:00.001 UTC [8] WARNING:  terminating connection because of crash of another server process
2026-01-01 00:00:00.001 UTC [1] LOG:  server process (PID 7) was terminated by signal 9: Killed
2026-01-01 00:00:00.002 UTC [6] FATAL:  the database system is in recovery mode
";
    const ORDINARY: &str = "\
2026-01-01 00:00:00.000 UTC [9] LOG:  could not receive data from client: Connection reset by peer
2026-01-01 00:00:00.001 UTC [8] FATAL:  no pg_hba.conf entry for host \"127.0.0.1\"
2026-01-01 00:00:00.001 UTC [8] LOG:  received SIGHUP, reloading configuration files
";

    fn failed(outcome: Outcome, transcript: Transcript) -> CellResult {
        let cell = cell("plaintext", "");
        let observation = Observation {
            outcome,
            transcript,
        };
        let seen = judge::read(&cell.case.driver, &observation);
        CellResult {
            cell,
            seen: Some((observation, seen)),
            verdict: Verdict::Fail(vec!["another outcome".to_owned()]),
            took: Duration::ZERO,
        }
    }

    fn refused(sqlstate: Option<&str>) -> Outcome {
        Outcome::Refused {
            message: "it is over".to_owned(),
            sqlstate: sqlstate.map(str::to_owned),
        }
    }

    fn asked(sqlstate: &str) -> Outcome {
        let Outcome::Connected { tls, session, .. } = session(None, None) else {
            unreachable!()
        };
        Outcome::Connected {
            tls,
            session,
            reply: Some(Reply::Error {
                message: "it is over".to_owned(),
                sqlstate: Some(sqlstate.to_owned()),
            }),
        }
    }

    fn on_the_wire(sqlstate: &str) -> Transcript {
        one(vec![Event::Error {
            severity: "FATAL".to_owned(),
            sqlstate: sqlstate.to_owned(),
            message: "it is over".to_owned(),
        }])
    }

    #[rstest]
    #[case(refused(Some("57P01")), startup(None), "the driver was told 57P01: it")]
    #[case(refused(Some("57P02")), startup(None), "the driver was told 57P02: it")]
    #[case(asked("57P01"), startup(None), "the driver was told 57P01: it is over")]
    #[case(
        refused(None),
        on_the_wire("57P03"),
        "the wire shows 57P03: it is over"
    )]
    fn what_the_server_told_an_attempt_breaks_it(
        #[case] outcome: Outcome,
        #[case] transcript: Transcript,
        #[case] says: &str,
    ) {
        let mut results = [failed(outcome, transcript)];
        excuse(&mut results, "");
        let Verdict::Broken(why) = &results[0].verdict else {
            panic!("{:?}", results[0].verdict);
        };
        assert!(why.contains(says), "{why}");
        assert!(why.ends_with(": another outcome"), "{why}");
    }

    #[test]
    fn the_log_breaks_all_failures_and_names_what_came_first() {
        let mut results = [
            failed(refused(None), startup(None)),
            failed(refused(Some("28000")), startup(None)),
        ];
        excuse(&mut results, CRASH);
        for result in &results {
            let Verdict::Broken(why) = &result.verdict else {
                panic!("{:?}", result.verdict);
            };
            assert!(why.contains("was terminated by signal 9: Killed"), "{why}");
        }
    }

    #[rstest]
    #[case(refused(Some("28000")), startup(Some("no entry")))]
    #[case(refused(Some("57014")), on_the_wire("57014"))]
    #[case(session(None, None), startup(None))]
    fn without_evidence_a_failure_stays_one(
        #[case] outcome: Outcome,
        #[case] transcript: Transcript,
    ) {
        let mut results = [failed(outcome, transcript)];
        excuse(&mut results, ORDINARY);
        assert!(is_any_failed(&results));
    }

    #[test]
    fn what_did_not_fail_stays_as_it_is() {
        let kept = [
            Verdict::Pass,
            Verdict::Skipped("for a reason".to_owned()),
            Verdict::Broken("another".to_owned()),
        ];
        let mut results = kept.clone().map(|verdict| CellResult {
            verdict,
            ..failed(refused(Some("57P01")), startup(None))
        });
        excuse(&mut results, CRASH);
        assert_eq!(results.map(|result| result.verdict), kept);
    }
}
