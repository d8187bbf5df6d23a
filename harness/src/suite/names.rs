//! What the placeholders of texts and answers stand for.

use std::borrow::Cow;

use crate::driver::{Form, Outcome};

/// An attempt's own.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    /// The endpoint's name.
    pub host: &'a str,
    /// `{user}`.
    pub user: Cow<'a, str>,
    /// `{database}`.
    pub database: Cow<'a, str>,
    /// `{version}`: the session's TLS version; empty without TLS.
    pub version: &'a str,
    /// `{cipher}`: the session's cipher suite; empty without TLS.
    pub cipher: &'a str,
}

impl<'a> Names<'a> {
    /// Those of an attempt.
    #[must_use]
    pub fn of(
        host: &'a str,
        user: &'a str,
        database: &'a str,
        form: Form,
        outcome: &'a Outcome,
    ) -> Self {
        let text = |value: &'a Option<String>| value.as_deref().unwrap_or_default();
        let (version, cipher) = match outcome {
            Outcome::Connected { session, .. } => (text(&session.version), text(&session.cipher)),
            Outcome::Refused { .. } => ("", ""),
        };
        // psql takes its second word for the user's name, which is the database's,
        // too (src/bin/psql/startup.c, main).
        let (user, database) = match form {
            Form::Arguments => {
                let word = format!("dbname={database}");
                (Cow::from(word.clone()), Cow::from(word))
            }
            Form::KeyValue | Form::Uri => (Cow::from(user), Cow::from(database)),
        };
        Self {
            host,
            user,
            database,
            version,
            cipher,
        }
    }
}
