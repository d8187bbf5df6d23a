//! Driver profiles: what a driver is documented to do, and how its errors read.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::{DataError, Phase, Refusal, SourceFile};

/// A driver as its documents describe it.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The driver's id, as `libpq`.
    pub id: String,
    /// What a person calls it, with the crate or package.
    pub name: String,
    /// What it does when the user says nothing of TLS, and where that stands.
    pub default: String,
    /// sslmode words that it knows, with their documented meaning.
    pub modes: BTreeMap<String, String>,
    /// sslmode words of libpq's that it refuses, with the reason.
    pub rejects: BTreeMap<String, String>,
    /// How its users set up TLS; the first is what the driver's own example
    /// shows.
    pub configurations: Vec<Configuration>,
    /// Documents and source files that the profile and its tables follow.
    pub sources: Vec<String>,
    /// The program that plays it, and its arguments, where it isn't built in. A
    /// path with a `/` is relative to the folder of suites.
    pub worker: Option<Vec<String>>,
    /// It is what this machine has installed, so that cells of a configuration
    /// which isn't here are left out, counted.
    pub is_optional: bool,
    refusals: Vec<Rule>,
}

/// One way in which users of a driver set up TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// `default`, `any-hostname`, …
    pub id: String,
    /// What the user's program does.
    pub does: String,
    /// Where users have it from.
    pub source: String,
    /// Whether it holds the client to some TLS versions.
    #[serde(default)]
    pub pins_tls: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    refusal: Refusal,
    message: Regex,
}

impl Profile {
    /// Reads `drivers/*.toml`.
    ///
    /// # Errors
    /// When the file is no profile.
    pub fn parse(file: &SourceFile) -> Result<Self, DataError> {
        let File {
            driver,
            modes,
            rejects,
            configuration,
            refusal,
        } = file.parse()?;
        if configuration.is_empty() {
            return Err(file.error(1, "a driver needs at least one [[configuration]]"));
        }
        let refusals = refusal
            .into_iter()
            .map(|row| row.rule(file))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id: driver.id,
            name: driver.name,
            default: driver.default,
            modes,
            rejects,
            configurations: configuration,
            sources: driver.sources,
            worker: driver.worker,
            is_optional: driver.optional,
            refusals,
        })
    }

    /// Whether a case may use an sslmode word with this driver.
    #[must_use]
    pub fn knows(&self, word: &str) -> bool {
        self.modes.contains_key(word) || self.rejects.contains_key(word)
    }

    /// The refusal that an error message tells of.
    ///
    /// A driver that tried twice has two errors in its message. What it came to
    /// in the end is the rule that matches last; of two that match at the same
    /// place, the first in the file. No answer where no rule matches.
    #[must_use]
    pub fn classify(&self, message: &str, sqlstate: Option<&str>) -> Option<Refusal> {
        let mut last: Option<(usize, &Refusal)> = None;
        for rule in &self.refusals {
            let Some(found) = rule.message.find_iter(message).last() else {
                continue;
            };
            if last.is_none_or(|(at, _)| found.start() > at) {
                last = Some((found.start(), &rule.refusal));
            }
        }
        last.map(|(_, refusal)| Refusal {
            sqlstate: matches!(refusal.phase, Phase::Authenticate | Phase::Authorise)
                .then(|| sqlstate.map(str::to_owned))
                .flatten(),
            ..refusal.clone()
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    driver: Head,
    modes: BTreeMap<String, String>,
    #[serde(default)]
    rejects: BTreeMap<String, String>,
    configuration: Vec<Configuration>,
    #[serde(default)]
    refusal: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    name: String,
    default: String,
    sources: Vec<String>,
    worker: Option<Vec<String>>,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    is: Spanned<String>,
    message: Spanned<String>,
    /// Where the driver writes that message; for the reader of the file.
    #[serde(rename = "source")]
    _source: String,
}

impl Row {
    fn rule(self, file: &SourceFile) -> Result<Rule, DataError> {
        let at = |span| file.line(&span);
        Ok(Rule {
            refusal: self
                .is
                .as_ref()
                .parse::<Refusal>()
                .map_err(|error| file.error(at(self.is.span()), error.to_string()))?,
            message: Regex::new(self.message.as_ref())
                .map_err(|error| file.error(at(self.message.span()), error.to_string()))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const TOML: &str = r#"
[driver]
id = "d"
name = "D"
default = "prefer"
sources = []
[modes]
prefer = "tries TLS first"
[[configuration]]
id = "default"
does = "nothing"
source = "here"
[[refusal]]
is = "tls chain"
message = "certificate verify failed"
source = "x.c"
[[refusal]]
is = "authorise hba"
message = "no pg_hba.conf entry"
source = "auth.c"
"#;

    #[rstest]
    #[case("certificate verify failed", None, Some("tls chain"))]
    #[case(
        "certificate verify failed\nno pg_hba.conf entry",
        Some("28000"),
        Some("authorise hba 28000")
    )]
    #[case(
        "no pg_hba.conf entry\ncertificate verify failed",
        Some("28000"),
        Some("tls chain")
    )]
    #[case("something else", Some("28000"), None)]
    fn the_last_error_decides(
        #[case] message: &str,
        #[case] sqlstate: Option<&str>,
        #[case] refusal: Option<&str>,
    ) {
        let profile = Profile::parse(&SourceFile {
            name: "drivers/d.toml".into(),
            text: TOML.into(),
        })
        .unwrap();
        let seen = profile.classify(message, sqlstate).map(|r| r.to_string());
        assert_eq!(seen.as_deref(), refusal);
    }
}
