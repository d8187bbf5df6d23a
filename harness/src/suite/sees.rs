//! What a row asks of an attempt beside outcome and wire.
//!
//! | note | says |
//! |---|---|
//! | `answers ANSWER` | what the attempt's question is answered |
//! | `cipher NAME` | which cipher suite comes about, by the name that `pg_stat_ssl` has |
//! | `no-cipher` | that client and server have no cipher suite in common |
//! | `common-name endpoint` | that the certificate's CN is the endpoint's name, seen in a handshake of TLS 1.2 |
//! | `skip: why` | that the cell is left out, counted |
//! | `-` | nothing |

use std::{collections::BTreeMap, sync::Arc};

use super::{ExpectedAnswer, UnknownWord};

/// The notes of a row.
#[derive(Clone, Debug, Default)]
pub struct Sees {
    /// Why its cells aren't played.
    pub skip: Option<String>,
    /// The answer to the attempt's question.
    pub answers: Option<Arc<ExpectedAnswer>>,
    /// Its name.
    pub answer_name: Option<String>,
    /// The cipher suite, by OpenSSL's name.
    pub cipher: Option<String>,
    /// Whether there is no cipher suite in common.
    pub no_cipher: bool,
    /// Whether the certificate's CN must be the endpoint's name.
    pub common_name: bool,
}

const NOTES: [&str; 6] = [
    "answers ANSWER",
    "cipher NAME",
    "no-cipher",
    "common-name endpoint",
    "skip: why",
    "-",
];

/// Reads the notes of a row; the error is a sentence.
pub fn read(
    notes: &[String],
    answers: &BTreeMap<String, Arc<ExpectedAnswer>>,
) -> Result<Sees, String> {
    let mut sees = Sees::default();
    let mut seen: Vec<&str> = Vec::new();
    for note in notes {
        let (kind, text) = note.split_once(' ').unwrap_or((note, ""));
        if seen.contains(&kind) {
            return Err(format!("the note `{kind}` is given twice"));
        }
        seen.push(kind);
        let text = text.trim();
        if kind != "skip:" && text.contains(' ') {
            return Err(format!(
                "`{note}` is one note: two blanks stand between two"
            ));
        }
        match (kind, text) {
            ("skip:", why) if !why.is_empty() && notes.len() == 1 => {
                sees.skip = Some(why.to_owned());
            }
            ("skip:", _) => return Err("a skip says why, and expects nothing".to_owned()),
            ("-", "") if notes.len() == 1 => {}
            ("answers", name) => {
                let answer = answers.get(name);
                let unknown = || UnknownWord::new("answer", name, answers.keys()).to_string();
                sees.answers = Some(answer.cloned().ok_or_else(unknown)?);
                sees.answer_name = Some(name.to_owned());
            }
            ("cipher", name) if !name.is_empty() => sees.cipher = Some(name.to_owned()),
            ("no-cipher", "") => sees.no_cipher = true,
            ("common-name", "endpoint") => sees.common_name = true,
            _ => return Err(UnknownWord::new("note", note, NOTES).to_string()),
        }
    }
    Ok(sees)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read_notes(notes: &str) -> Result<Sees, String> {
        let answer = ExpectedAnswer::parse("one", "one\n1").unwrap();
        let answers = BTreeMap::from([("one".to_owned(), Arc::new(answer))]);
        let notes: Vec<String> = notes.split("  ").map(str::to_owned).collect();
        read(&notes, &answers)
    }

    #[test]
    fn notes_read_as_they_are_written() {
        let sees = read_notes("answers one  cipher X").unwrap();
        assert!(sees.answers.is_some() && sees.cipher.as_deref() == Some("X"));
        assert!(read_notes("-").unwrap().skip.is_none());
        assert_eq!(
            read_notes("skip: for a reason").unwrap().skip.unwrap(),
            "for a reason"
        );
    }

    #[rstest]
    #[case("answers two", "unknown answer `two`; valid: one")]
    #[case("answers one answers one", "two blanks stand between two")]
    #[case("cipher X  cipher Y", "the note `cipher` is given twice")]
    #[case("skip:", "a skip says why")]
    #[case("skip: why  cipher X", "a skip says why")]
    #[case("-  cipher X", "unknown note `-`")]
    #[case("sees one", "unknown note `sees one`; valid: answers ANSWER")]
    fn what_is_wrong_is_named(#[case] notes: &str, #[case] what: &str) {
        let error = read_notes(notes).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
}
