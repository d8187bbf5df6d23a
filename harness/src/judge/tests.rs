//! Verdicts on hand-made observations.

use rstest::rstest;

use super::*;
use crate::{
    driver::{Form, Outcome, Reply},
    fixture::{AES, HBA, cell, one, refused, session, startup, tls},
    tap::{Event, Transcript},
};

fn verdict(cell: &Cell, outcome: Outcome, transcript: Transcript) -> Verdict {
    let observation = Observation {
        outcome,
        transcript,
    };
    let seen = read(&cell.case.driver, &observation);
    let names = Names::of("h", "u", "d", Form::KeyValue, &observation.outcome);
    judge(cell, &names, &observation, &seen)
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
#[case::as_expected(HBA, HBA, Verdict::Pass)]
#[case::with_more_around(&format!("FATAL: {HBA} (SQLSTATE 28000)"), HBA, Verdict::Pass)]
#[case::with_more_in_its_last_word(&format!("{HBA}ed"), HBA, fails(&[
    "expected the wording `no pg_hba.conf entry for host \"{client}\", user \"{user}\", \
     database \"{database}\", no encryption`, observed `no pg_hba.conf entry for host \"127.0.0.1\", \
     user \"u\", database \"d\", no encryptioned`",
]))]
#[case::unclassified("go away", HBA, Verdict::Broken(
    "d refused with an error that no file of refusals describes: go away".to_owned(),
))]
#[case::other_words("no pg_hba.conf entry, sorry", HBA, fails(&[
    "expected the wording `no pg_hba.conf entry for host \"{client}\", user \"{user}\", \
     database \"{database}\", no encryption`, observed `no pg_hba.conf entry, sorry`",
]))]
#[case::other_words_on_the_wire(HBA, "sorry", fails(&[
    "expected the wording `no pg_hba.conf entry for host \"{client}\", user \"{user}\", \
     database \"{database}\", no encryption` on the wire, observed `sorry`",
]))]
fn a_refusal_is_precise(#[case] says: &str, #[case] wire: &str, #[case] expected: Verdict) {
    let transcript = startup(Some(wire));
    assert_eq!(
        verdict(&cell("refused", ""), refused(says), transcript),
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
    let seen = verdict(&cell("refused", ""), refused(&text), startup(Some(&text)));
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

const KNOWN: &str = "[[known]]\ncells = \"t/d/refused\"\nreason = \"r\"\nlink = \"l\"\nseen = \"plaintext  startup\"\n";

#[rstest]
#[case::exactly_so(session(None, None), startup(None), "known")]
#[case::otherwise(session(None, Some(("TLSv1.3", AES))), tls("TLSv1.3", AES), "fail")]
#[case::gone(refused(HBA), startup(Some(HBA)), "fail")]
#[case::gone_but_in_other_words(refused("no pg_hba.conf entry, sorry"), startup(Some(HBA)), "fail")]
fn a_divergence_is_known_only_as_recorded(
    #[case] outcome: Outcome,
    #[case] transcript: Transcript,
    #[case] expected: &str,
) {
    let verdict = verdict(&cell("refused", KNOWN), outcome, transcript);
    assert_eq!(crate::report::verdict(&verdict), expected, "{verdict:?}");
}

#[test]
fn a_known_divergence_hides_no_other_difference() {
    let known = KNOWN
        .replace("t/d/refused", "t/d/asked")
        .replace("plaintext  startup", "encrypted  sslrequest S hello tls");
    let (outcome, transcript) = (session(None, Some(("TLSv1.3", AES))), tls("TLSv1.3", AES));
    let seen = verdict(&cell("asked", &known), outcome, transcript);
    assert_eq!(seen, fails(&["the question was not answered"]));
}

#[test]
fn a_record_that_says_what_the_tables_say_stops_the_plan() {
    let known = KNOWN.replace(
        "plaintext  startup",
        "refused authorise hba 28000  startup error:28000",
    );
    let own = [
        ("cases/t.toml", crate::fixture::SUITE),
        ("claims.toml", crate::fixture::CLAIMS),
        ("drivers/d.toml", crate::fixture::DRIVER),
        ("known.toml", &known),
    ];
    let error = crate::suite::Data::parse(&crate::fixture::files(&own)).unwrap_err();
    assert!(
        error.to_string().contains("records what the tables say"),
        "{error}"
    );
}

#[test]
fn a_skip_says_why() {
    let seen = verdict(&cell("skipped", ""), refused(HBA), startup(None));
    assert_eq!(seen, Verdict::Skipped("for a reason".to_owned()));
}
