//! The errors of one library as data: which text is which refusal.

mod entry;
mod pattern;

use std::{cmp::Reverse, collections::HashMap, sync::OnceLock};

use regex::RegexSet;
use serde::Deserialize;

use self::{entry::Entry, pattern::Pattern};
use super::{DataError, Refusal, SourceFile};

/// What one text, or one pattern, of a library is.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What an error with that text comes to.
    pub refusal: Refusal,
    pattern: Pattern,
    /// The file and the line of the rule.
    place: (String, usize),
}

impl Rule {
    /// Where the rule stands, as `refusals/server.toml:12`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}:{}", self.place.0, self.place.1)
    }
}

/// Two rules match the same part of a message and disagree.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "the error text `{text}` is `{}` at {} and `{}` at {}; give the rules one refusal",
    .rules[0].refusal, .rules[0].place(), .rules[1].refusal, .rules[1].place()
)]
pub struct Ambiguous {
    text: String,
    rules: Box<[Rule; 2]>,
}

impl Ambiguous {
    fn new(text: &str, one: &Rule, other: &Rule) -> Self {
        Self {
            text: text.to_owned(),
            rules: Box::new([one.clone(), other.clone()]),
        }
    }
}

/// `refusals/*.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusals {
    refusal: Vec<Entry>,
}

impl Refusals {
    /// Reads the rules of one library.
    ///
    /// # Errors
    /// Names the line of an unknown class, an empty text or a bad regular
    /// expression.
    pub fn parse(file: &SourceFile) -> Result<Vec<Rule>, DataError> {
        let Self { refusal } = file.parse()?;
        let rules = (refusal.into_iter()).map(|entry| entry.rules(file));
        Ok(rules.collect::<Result<Vec<_>, _>>()?.concat())
    }
}

/// Checks the rules of all files that a driver includes.
///
/// # Errors
/// When a text stands under two refusals.
pub fn agree(rules: &[Rule]) -> Result<(), Ambiguous> {
    let mut seen: HashMap<&str, &Rule> = HashMap::new();
    for rule in rules {
        let text = rule.pattern.as_str();
        let first = *seen.entry(text).or_insert(rule);
        if first.refusal != rule.refusal {
            return Err(Ambiguous::new(text, first, rule));
        }
    }
    Ok(())
}

/// The rules of all files that a driver includes.
#[derive(Debug, Default)]
pub struct Classifier {
    rules: Vec<Rule>,
    /// All expressions as one, which tells in one pass which of them match: a
    /// driver has a hundred.
    expressions: OnceLock<RegexSet>,
}

impl Classifier {
    /// Of some rules.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            expressions: OnceLock::new(),
        }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The refusal that an error message tells of, or none where no rule matches.
    ///
    /// # Errors
    /// As [`classify`].
    pub fn classify(&self, message: &str) -> Result<Option<&Refusal>, Ambiguous> {
        let expressions = || {
            self.rules
                .iter()
                .filter_map(|rule| rule.pattern.expression())
        };
        let set = self.expressions.get_or_init(|| {
            // Each is well formed; too many at once would be searched one by one.
            RegexSet::new(expressions()).unwrap_or_default()
        });
        let found = set.matches(message);
        let all = set.is_empty();
        let mut nth = 0;
        let candidates = self.rules.iter().filter(|rule| {
            if rule.pattern.expression().is_none() {
                return true;
            }
            nth += 1;
            all || found.matched(nth - 1)
        });
        decide(candidates, message)
    }
}

/// The refusal that an error message tells of, or none where no rule matches.
///
/// The match that ends last in the message decides: a driver that tried twice
/// has two errors in it. Of matches that end at one place, the longest decides.
///
/// # Errors
/// When two rules match the same part of the message and disagree.
pub fn classify<'a>(rules: &'a [Rule], message: &str) -> Result<Option<&'a Refusal>, Ambiguous> {
    decide(rules.iter(), message)
}

fn decide<'a>(
    rules: impl Iterator<Item = &'a Rule>,
    message: &str,
) -> Result<Option<&'a Refusal>, Ambiguous> {
    let matches: Vec<_> = rules
        .filter_map(|rule| Some((rule.pattern.last_match(message)?, rule)))
        .collect();
    let last = (matches.iter()).max_by_key(|((start, end), _)| (*end, Reverse(*start)));
    let Some(&(part, rule)) = last else {
        return Ok(None);
    };
    let other = (matches.iter())
        .find(|(other, disagrees)| *other == part && disagrees.refusal != rule.refusal);
    match other {
        None => Ok(Some(&rule.refusal)),
        Some((_, other)) => Err(Ambiguous::new(&message[part.0..part.1], other, rule)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TOML: &str = r#"[[refusal]]
is = "tls chain"
texts = ["self-signed certificate", "self-signed certificate in certificate chain"]
source = "x509_txt.c"
[[refusal]]
is = "tls revoked"
texts = ["certificate revoked", "Other(Revoked)"]
source = "x509_txt.c"
[[refusal]]
is = "tls client-certificate"
texts = ["alert certificate revoked"]
message = 'peer refused: \w+'
source = "ssl_err.c"
[[refusal]]
is = "authorise hba"
message = 'no pg_hba.conf entry for host "[^"]*"'
source = "auth.c"
"#;

    fn file(text: &str) -> SourceFile {
        SourceFile {
            name: "refusals/x.toml".into(),
            text: text.into(),
        }
    }

    #[rstest]
    #[case::nothing("", "")]
    #[case::unknown("out of luck", "")]
    #[case::a_text("failed (self-signed certificate)", "tls chain")]
    #[case::the_longer("(self-signed certificate in certificate chain)", "tls chain")]
    #[case::at_the_same_end("tls alert certificate revoked", "tls client-certificate")]
    #[case::ends_last(
        "certificate revoked\nno pg_hba.conf entry for host \"h\"",
        "authorise hba"
    )]
    #[case::in_the_other_order(
        "no pg_hba.conf entry for host \"h\"\ncertificate revoked",
        "tls revoked"
    )]
    fn a_message_is(#[case] message: &str, #[case] refusal: &str) {
        let rules = Refusals::parse(&file(TOML)).unwrap();
        let seen = classify(&rules, message).unwrap();
        assert_eq!(seen.map(ToString::to_string).unwrap_or_default(), refusal);
        let classifier = Classifier::new(rules.clone());
        assert_eq!(classifier.classify(message).unwrap(), seen);
    }

    #[rstest]
    #[case("Other(Revoked)", "certificate revoked", Ok(()))]
    #[case(
        "alert certificate revoked",
        "certificate revoked",
        Err(
            "the error text `certificate revoked` is `tls revoked` at refusals/x.toml:7 and \
             `tls client-certificate` at refusals/x.toml:11; give the rules one refusal"
        )
    )]
    fn a_text_stands_under_one_refusal(
        #[case] from: &str,
        #[case] to: &str,
        #[case] agrees: Result<(), &str>,
    ) {
        let rules = Refusals::parse(&file(&TOML.replace(from, to))).unwrap();
        let seen = agree(&rules).map_err(|error| error.to_string());
        assert_eq!(seen, agrees.map_err(str::to_owned));
    }

    #[test]
    fn two_rules_that_disagree_are_an_error() {
        let text = TOML.replace(r"peer refused: \w+", "certificate rev[a-z]+");
        let rules = Refusals::parse(&file(&text)).unwrap();
        let error = classify(&rules, "a certificate revoked").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the error text `certificate revoked` is `tls revoked` at refusals/x.toml:7 and \
             `tls client-certificate` at refusals/x.toml:12; give the rules one refusal"
        );
        // They disagree no more where another match is longer, or ends later.
        for message in [
            "alert certificate revoked",
            "certificate revoked: Other(Revoked)",
        ] {
            assert!(classify(&rules, message).is_ok(), "{message}");
        }
    }

    #[rstest]
    #[case("tls chain", "tls chian", "2: unknown refusal `tls chian`")]
    #[case("tls chain", "tls chain 28000", "2: `is` takes no SQLSTATE")]
    #[case(r#""certificate revoked""#, r#""""#, "7: it matches every error")]
    #[case(r"\w+", "|", "12: it matches every error")]
    #[case(r"\w+", "(", "12: regex parse error")]
    #[case("texts", "text", "3: unknown field `text`")]
    #[case(
        r"message = 'peer refused: \w+'",
        "messages = ['a',\n'(']",
        "13: regex parse error"
    )]
    #[case(r#"source = "auth.c""#, "", "14: missing field `source`")]
    #[case(r#""auth.c""#, r#"" ""#, "17: `source` is empty")]
    #[case("message = 'no", "# 'no", "15: a refusal needs `texts` or a `message`")]
    fn a_bad_file_is_rejected(#[case] good: &str, #[case] bad: &str, #[case] error: &str) {
        assert!(TOML.contains(good));
        let seen = Refusals::parse(&file(&TOML.replacen(good, bad, 1)));
        let seen = seen.unwrap_err().to_string();
        let error = format!("refusals/x.toml:{error}");
        assert!(seen.starts_with(&error), "{seen} is not {error}");
    }
}
