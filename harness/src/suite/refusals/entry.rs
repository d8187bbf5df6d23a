//! One `[[refusal]]` of a file.

use std::str::FromStr as _;

use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::{Rule, pattern::Pattern};
use crate::suite::{DataError, Refusal, SourceFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    is: Spanned<String>,
    #[serde(default)]
    texts: Vec<Spanned<String>>,
    message: Option<Spanned<String>>,
    #[serde(default)]
    messages: Vec<Spanned<String>>,
    source: Spanned<String>,
}

impl Entry {
    /// The rules of an entry: one for each text and each expression.
    pub fn rules(self, file: &SourceFile) -> Result<Vec<Rule>, DataError> {
        let at = |span| move |what: String| file.error(file.line(&span), what);
        let wrong = at(self.is.span());
        let refusal = Refusal::from_str(self.is.as_ref()).map_err(|e| wrong(e.to_string()))?;
        if refusal.sqlstate.is_some() {
            return Err(wrong(
                "`is` takes no SQLSTATE; the error has its own".into(),
            ));
        }
        if self.source.as_ref().trim().is_empty() {
            return Err(at(self.source.span())(
                "`source` is empty; name a file".into(),
            ));
        }
        let messages = || self.message.iter().chain(&self.messages);
        if self.texts.is_empty() && messages().next().is_none() {
            return Err(wrong("a refusal needs `texts` or a `message`".into()));
        }
        let texts =
            (self.texts.iter()).map(|text| (text.span(), Ok(Pattern::Text(text.as_ref().clone()))));
        let messages =
            messages().map(|text| (text.span(), Regex::new(text.as_ref()).map(Pattern::Regex)));
        texts
            .chain(messages)
            .map(|(span, pattern)| {
                let line = file.line(&span);
                let pattern = pattern.map_err(|error| file.error(line, error.to_string()))?;
                if pattern.last_match("").is_some() {
                    return Err(file.error(line, "it matches every error; write more of the text"));
                }
                Ok(Rule {
                    refusal: refusal.clone(),
                    pattern,
                    place: (file.name.clone(), line),
                })
            })
            .collect()
    }
}
