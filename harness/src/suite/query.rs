//! Queries: which cells somebody speaks of.
//!
//! ```text
//! sslmode server=both sslmode=unset,prefer verifies=!nothing -> encrypted
//! ```
//! The first word is a suite, or several with commas between them, or `*`. Each
//! further one is an axis or a fact (`driver`, `way`, `tries`, `goes-on`,
//! `verifies`, `anchors`, `certificate`, `engine`) and its values, as in tables; a
//! cell without that axis is not among them, but for `AXIS=-`. Behind the arrow stands what the cells are
//! expected to show: an outcome, or its beginning.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer};

use super::{
    UnknownWord,
    table::{ENGINE, Pattern},
};
use crate::engine::Version;

/// A question for cells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Query {
    text: String,
    suite: Pattern,
    parts: Vec<(String, Pattern)>,
    shows: Option<String>,
}

/// The value of an axis that a cell hasn't.
const ABSENT: &str = "-";

/// Facts of a cell that queries know beside its axes.
pub const FACTS: [&str; 7] = [
    "driver",
    "way",
    "tries",
    "goes-on",
    "verifies",
    "anchors",
    "certificate",
];

/// What a query asks of a cell.
pub trait Answers {
    /// The suite's id.
    fn suite(&self) -> &str;
    /// The value on an axis, or of one of [`FACTS`]; absent where it has none.
    fn value(&self, key: &str) -> Option<&str>;
    /// The expected outcome, in the words of the tables.
    fn shows(&self) -> &str;
    /// The version of PostgreSQL.
    fn engine(&self) -> Version;
}

impl Query {
    /// Whether a cell is among those that it speaks of.
    pub fn takes(&self, cell: &impl Answers) -> bool {
        self.suite.covers(cell.suite())
            && self.parts.iter().all(|(key, pattern)| match pattern {
                Pattern::Engines(ranges) => ranges.iter().any(|r| r.holds(cell.engine())),
                pattern => match cell.value(key) {
                    Some(value) => pattern.covers(value),
                    None => pattern.words() == [ABSENT],
                },
            })
            && (self.shows.as_deref()).is_none_or(|due| begins(cell.shows(), due))
    }

    /// The axes and facts that it names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(key, _)| key.as_str())
    }

    /// The suites that it names.
    #[must_use]
    pub fn suites(&self) -> &[String] {
        self.suite.words()
    }
}

/// Whether a text begins with some words.
fn begins(text: &str, words: &str) -> bool {
    text.strip_prefix(words)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

impl FromStr for Query {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let wrong = |part: &str| UnknownWord::new("part of a query", part, ["AXIS=VALUES"]);
        let (left, shows) = match text.split_once("->") {
            Some((left, shows)) => (left, Some(shows.trim().to_owned())),
            None => (text, None),
        };
        let mut words = left.split_whitespace();
        let suite = words
            .next()
            .filter(|word| !word.contains('='))
            .ok_or_else(|| UnknownWord::new("query", text, ["SUITE AXIS=VALUES … -> OUTCOME"]))?;
        let parts = words
            .map(|part| {
                let (key, values) = part.split_once('=').ok_or_else(|| wrong(part))?;
                let of_engines = key == ENGINE;
                let pattern = Pattern::parse(values, of_engines).map_err(|_| wrong(part))?;
                Ok((key.to_owned(), pattern))
            })
            .collect::<Result<_, _>>()?;
        let outcomes = ["plaintext", "encrypted", "refused"];
        if let Some(shows) = &shows
            && !outcomes.iter().any(|outcome| begins(shows, outcome))
        {
            return Err(UnknownWord::new("outcome", shows, outcomes));
        }
        Ok(Self {
            text: text.trim().to_owned(),
            suite: Pattern::parse(suite, false).map_err(|_| wrong(suite))?,
            parts,
            shows,
        })
    }
}

impl<'de> Deserialize<'de> for Query {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    struct One;

    impl Answers for One {
        fn suite(&self) -> &'static str {
            "sslmode"
        }

        fn value(&self, key: &str) -> Option<&str> {
            match key {
                "server" => Some("both"),
                "tries" => Some("tls+plaintext"),
                _ => None,
            }
        }

        fn shows(&self) -> &'static str {
            "refused authorise hba 28000"
        }

        fn engine(&self) -> Version {
            "14.2".parse().unwrap()
        }
    }

    #[rstest]
    #[case("sslmode", true)]
    #[case("identity,sslmode", true)]
    #[case("identity", false)]
    #[case("* server=both,off", true)]
    #[case("* server=!both", false)]
    #[case("* engine=10-13,14.2", true)]
    #[case("* engine=10-13", false)]
    #[case("* trust=-", true)]
    #[case("* server=-", false)]
    #[case("* trust=*", false)]
    #[case("* trust=root", false)]
    #[case("* trust=!root", false)]
    #[case("sslmode tries=tls+plaintext -> refused authorise", true)]
    #[case("sslmode -> refused auth", false)]
    #[case("sslmode -> encrypted", false)]
    fn cells_are_taken_by_all_parts(#[case] query: &str, #[case] takes: bool) {
        assert_eq!(query.parse::<Query>().unwrap().takes(&One), takes);
    }

    #[rstest]
    #[case("server=both", "unknown query")]
    #[case("sslmode server", "unknown part of a query `server`")]
    #[case("sslmode server=", "unknown part of a query `server=`")]
    #[case("sslmode -> encripted", "unknown outcome `encripted`")]
    fn what_is_wrong_is_named(#[case] query: &str, #[case] error: &str) {
        let seen = query.parse::<Query>().unwrap_err().to_string();
        assert!(seen.starts_with(error), "{seen}");
    }
}
