//! How errors read: which refusal a message tells of.

use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::{DataError, Place, Refusal, SourceFile};

/// A refusal, and how it reads.
#[derive(Clone, Debug)]
pub struct Rule {
    refusal: Refusal,
    pattern: Regex,
    place: Place,
}

/// A message that two rules of different refusals match alike.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{one} and {other} match the same words of an error and name different refusals")]
pub struct Ambiguous {
    one: Place,
    other: Place,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    refusal: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    is: Spanned<String>,
    texts: Option<Vec<String>>,
    message: Option<Spanned<String>>,
    #[serde(rename = "source")]
    _source: String,
}

/// Reads `refusals/*.toml`.
///
/// # Errors
/// Names the line of an unknown class or a pattern that is none.
pub fn parse(file: &SourceFile) -> Result<Vec<Rule>, DataError> {
    let File { refusal } = file.parse()?;
    (refusal.into_iter())
        .map(|entry| {
            let line = file.line(&entry.is.span());
            let fail = |what: String| file.error(line, what);
            let pattern = match (&entry.texts, &entry.message) {
                (Some(texts), None) => {
                    let mut texts: Vec<String> = texts.iter().map(|t| regex::escape(t)).collect();
                    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
                    texts.join("|")
                }
                (None, Some(message)) => message.as_ref().clone(),
                _ => return Err(fail("a refusal has `texts` or a `message`".to_owned())),
            };
            Ok(Rule {
                refusal: (entry.is.as_ref().parse())
                    .map_err(|error: super::UnknownWord| fail(error.to_string()))?,
                pattern: Regex::new(&pattern).map_err(|error| fail(error.to_string()))?,
                place: Place {
                    file: file.name.clone(),
                    line,
                },
            })
        })
        .collect()
}

/// The refusal that an error message tells of: the rule whose match ends last, of
/// those the one that matches most.
///
/// # Errors
/// When two rules match the same words, and name different refusals.
pub fn classify<'a>(rules: &'a [Rule], message: &str) -> Result<Option<&'a Refusal>, Ambiguous> {
    let mut best: Option<((usize, usize), &Rule)> = None;
    for rule in rules {
        let Some(found) = rule.pattern.find_iter(message).last() else {
            continue;
        };
        let rank = (found.end(), found.len());
        match &best {
            Some((other, _)) if *other > rank => {}
            Some((other, known)) if *other == rank && known.refusal != rule.refusal => {
                return Err(Ambiguous {
                    one: known.place.clone(),
                    other: rule.place.clone(),
                });
            }
            _ => best = Some((rank, rule)),
        }
    }
    Ok(best.map(|(_, rule)| &rule.refusal))
}
