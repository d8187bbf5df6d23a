//! What of a message a rule matches.

use regex::Regex;

/// A text as a library writes it, or a regular expression.
#[derive(Clone, Debug)]
pub enum Pattern {
    Text(String),
    Regex(Regex),
}

impl Pattern {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Regex(regex) => regex.as_str(),
        }
    }

    /// The expression, where it is one.
    pub fn expression(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Regex(regex) => Some(regex.as_str()),
        }
    }

    /// Start and end of the last match. A text matches whole words:
    /// `BadSignature` is not in `BadSignatureOfIssuer`.
    pub fn last_match(&self, message: &str) -> Option<(usize, usize)> {
        match self {
            Self::Text(text) => (message.rmatch_indices(text.as_str()))
                .map(|(start, found)| (start, start + found.len()))
                .find(|&(start, end)| !joins_words(message, start) && !joins_words(message, end)),
            Self::Regex(regex) => (regex.find_iter(message).last()).map(|m| (m.start(), m.end())),
        }
    }
}

/// Whether a word goes on across this place of a message.
fn joins_words(message: &str, at: usize) -> bool {
    let (before, after) = message.split_at(at);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    before.chars().next_back().is_some_and(is_word) && after.chars().next().is_some_and(is_word)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::all("revoked", "revoked", Some((0, 7)))]
    #[case::none("revoked", "expired", None)]
    #[case::the_last("revoked", "revoked: revoked", Some((9, 16)))]
    #[case::start_of_a_word("revoked", "revokedness", None)]
    #[case::end_of_a_word("revoked", "unrevoked", None)]
    #[case::an_earlier_word("revoked", "revoked, revoked_2", Some((0, 7)))]
    #[case::beside_another_alphabet("revoked", "érevoked revokedé", None)]
    #[case::brackets_are_no_word("(revoked)", "x(revoked)x", Some((1, 10)))]
    fn a_text_matches_whole_words(
        #[case] text: &str,
        #[case] message: &str,
        #[case] place: Option<(usize, usize)>,
    ) {
        assert_eq!(Pattern::Text(text.into()).last_match(message), place);
    }

    #[rstest]
    #[case("a b", Some((0, 3)))]
    #[case("a b a cc", Some((4, 8)))]
    #[case("b", None)]
    fn an_expression_matches_last(#[case] message: &str, #[case] place: Option<(usize, usize)>) {
        let regex = Regex::new(r"a \w+").unwrap();
        assert_eq!(Pattern::Regex(regex).last_match(message), place);
    }
}
