//! What a case asks over its session, and whether that only reads.

/// What a case asks over its session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Question<'a> {
    /// A command of psql itself, which is no statement.
    PsqlCommand,
    /// `SHOW setting`
    Show(&'a str),
    /// `SELECT …`
    Select,
    /// A statement that may write, by its first word.
    MayWrite(&'a str),
}

impl<'a> Question<'a> {
    /// What a text asks.
    pub(super) fn of(text: &'a str) -> Self {
        let mut words = text.split_whitespace();
        let verb = words.next().unwrap_or_default();
        if text.starts_with('\\') {
            Self::PsqlCommand
        } else if verb.eq_ignore_ascii_case("SHOW") {
            Self::Show(words.next().unwrap_or_default())
        } else if verb.eq_ignore_ascii_case("SELECT") {
            Self::Select
        } else {
            Self::MayWrite(verb)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Question;

    #[test]
    fn a_statement_that_may_write_passes_for_one_that_reads() {
        let questions = [
            ("SELECT 1", Question::Select),
            (" select 1", Question::Select),
            ("show rds.force_ssl", Question::Show("rds.force_ssl")),
            ("SHOW", Question::Show("")),
            ("\\logon", Question::PsqlCommand),
            ("SELECTED", Question::MayWrite("SELECTED")),
            ("CREATE TABLE t ()", Question::MayWrite("CREATE")),
            (
                "WITH x AS (DELETE FROM t) SELECT 1",
                Question::MayWrite("WITH"),
            ),
            ("", Question::MayWrite("")),
        ];
        for (text, expected) in questions {
            assert_eq!(Question::of(text), expected, "{text}");
        }
    }
}
