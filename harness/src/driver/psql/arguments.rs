//! psql's command line, as the RDS document prints it, and without a password.

use crate::driver::{Attempt, Form, connection_string::quoted};

/// The arguments, and the variables that say what the document's command leaves
/// to DNS and to libpq's defaults.
pub struct CommandLine {
    pub args: Vec<String>,
    pub variables: Vec<(&'static str, String)>,
}

impl CommandLine {
    /// # Errors
    /// With a sentence, for a form that psql is not given.
    pub fn of(attempt: &Attempt) -> Result<Self, String> {
        match attempt.form {
            Form::KeyValue => Ok(Self {
                args: vec![one_string(attempt)],
                variables: Vec::new(),
            }),
            Form::Arguments => Ok(several(attempt)),
            Form::Uri => Err("psql is not played with a URI".into()),
        }
    }
}

/// `psql "host=… port=… dbname=… user=… sslrootcert=… sslmode=…"`
fn one_string(attempt: &Attempt) -> String {
    let mut pairs = vec![
        ("host", attempt.host.clone()),
        ("hostaddr", attempt.hostaddr.to_string()),
        ("port", attempt.port.to_string()),
        ("dbname", attempt.database.clone()),
        ("user", attempt.user.clone()),
    ];
    let anchors = attempt.sslrootcert.clone();
    pairs.extend(anchors.map(|file| ("sslrootcert", file)));
    pairs.extend(attempt.sslmode.clone().map(|word| ("sslmode", word)));
    let options = attempt.options.iter();
    pairs.extend(options.map(|(name, value)| (name.as_str(), value.clone())));
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{name}='{}'", quoted(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// `psql -h HOST port=… dbname=… user=…`
fn several(attempt: &Attempt) -> CommandLine {
    let mode = attempt.sslmode.clone();
    CommandLine {
        args: vec![
            "-h".to_owned(),
            attempt.host.clone(),
            format!("port={}", attempt.port),
            format!("dbname={}", attempt.database),
            format!("user={}", attempt.user),
        ],
        variables: [("PGHOSTADDR", attempt.hostaddr.to_string())]
            .into_iter()
            .chain(mode.map(|word| ("PGSSLMODE", word)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn attempt(form: Form) -> Attempt {
        Attempt {
            id: 1,
            configuration: "15".into(),
            form,
            host: "db.example".into(),
            hostaddr: "127.0.0.1".parse().unwrap(),
            port: 5432,
            user: "testuser".into(),
            password: "secret".to_owned().into(),
            database: "testDB".into(),
            sslmode: Some("verify-full".into()),
            sslrootcert: Some("/x/it's.pem".into()),
            options: [("connect_timeout".to_owned(), "3".to_owned())].into(),
            query: None,
        }
    }

    #[rstest]
    #[case(
        Form::KeyValue,
        &[r"host='db.example' hostaddr='127.0.0.1' port='5432' dbname='testDB' user='testuser' sslrootcert='/x/it\'s.pem' sslmode='verify-full' connect_timeout='3'"],
        &[]
    )]
    #[case(
        Form::Arguments,
        &["-h", "db.example", "port=5432", "dbname=testDB", "user=testuser"],
        &[("PGHOSTADDR", "127.0.0.1"), ("PGSSLMODE", "verify-full")]
    )]
    fn the_command_is_the_documents(
        #[case] form: Form,
        #[case] args: &[&str],
        #[case] variables: &[(&'static str, &str)],
    ) {
        let line = CommandLine::of(&attempt(form)).unwrap();
        assert_eq!(line.args, args);
        let variables = variables
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        assert_eq!(line.variables, variables.collect::<Vec<_>>());
    }
}
