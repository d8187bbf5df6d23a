//! Connection parameters written as a user writes them: `key='value'` pairs or
//! a URI (PostgreSQL documentation, 32.1.1 Connection Strings).

use std::fmt::Write as _;

use secrecy::{ExposeSecret as _, SecretString};

use super::{APPLICATION_NAME, Attempt, Form};

/// Where the trust anchors of an attempt are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TrustAnchors {
    /// In the string, as `sslrootcert`.
    InString,
    /// In the program that uses the driver: the driver has no such parameter.
    InProgram,
}

/// Writes the attempt's connection string in the form that it asks for.
///
/// Parameters that the attempt leaves out are left out here, so that the
/// driver's defaults hold.
pub fn connection_string(attempt: &Attempt, anchors: TrustAnchors) -> SecretString {
    let parameters = Parameters::of(attempt, anchors);
    match attempt.form {
        Form::KeyValue | Form::Arguments => parameters.key_value(),
        Form::Uri => parameters.uri(),
    }
    .into()
}

/// The parameters of an attempt by libpq's keywords, which tokio-postgres
/// shares.
struct Parameters<'a> {
    user: &'a str,
    password: &'a str,
    host: &'a str,
    port: String,
    dbname: &'a str,
    /// What a URI holds in its query part.
    others: Vec<(&'a str, String)>,
}

impl<'a> Parameters<'a> {
    fn of(attempt: &'a Attempt, anchors: TrustAnchors) -> Self {
        let mut others = vec![
            ("hostaddr", attempt.hostaddr.to_string()),
            ("application_name", APPLICATION_NAME.to_owned()),
        ];
        if let Some(sslmode) = &attempt.sslmode {
            others.push(("sslmode", sslmode.clone()));
        }
        if let (Some(file), TrustAnchors::InString) = (&attempt.sslrootcert, anchors) {
            others.push(("sslrootcert", file.clone()));
        }
        for (name, value) in &attempt.options {
            others.push((name, value.clone()));
        }
        Self {
            user: &attempt.user,
            password: attempt.password.expose_secret(),
            host: &attempt.host,
            port: attempt.port.to_string(),
            dbname: &attempt.database,
            others,
        }
    }

    fn key_value(&self) -> String {
        let mut string = String::new();
        let first = [
            ("host", self.host),
            ("port", &self.port),
            ("user", self.user),
            ("password", self.password),
            ("dbname", self.dbname),
        ];
        let others = self.others.iter().map(|(name, value)| (*name, &**value));
        for (name, value) in first.into_iter().chain(others) {
            if !string.is_empty() {
                string.push(' ');
            }
            string.push_str(name);
            string.push_str("='");
            string.push_str(&quoted(value));
            string.push('\'');
        }
        string
    }

    fn uri(&self) -> String {
        let mut string = format!(
            "postgresql://{}:{}@{}:{}/{}",
            percent_encoded(self.user),
            percent_encoded(self.password),
            percent_encoded(self.host),
            self.port,
            percent_encoded(self.dbname),
        );
        for (index, (name, value)) in self.others.iter().enumerate() {
            string.push(if index == 0 { '?' } else { '&' });
            string.push_str(&percent_encoded(name));
            string.push('=');
            string.push_str(&percent_encoded(value));
        }
        string
    }
}

/// A value as it stands between the quotes of `key='value'`.
pub fn quoted(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted
}

/// A value as it stands in a URI: the unreserved characters of RFC 3986, 2.3,
/// are left, and nothing else.
pub fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes all that is written to it");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::driver::libpq;

    fn attempt(form: Form) -> Attempt {
        Attempt {
            id: 1,
            configuration: "default".into(),
            form,
            host: "db-name.example".into(),
            hostaddr: "127.0.0.1".parse().unwrap(),
            port: 5432,
            user: "o'brien".into(),
            password: "p@ss: wö\\rd".to_owned().into(),
            database: "testDB".into(),
            sslmode: Some("verify-full".into()),
            sslrootcert: Some("/tmp/a b.pem".into()),
            options: BTreeMap::from([("channel_binding".into(), "require".into())]),
            query: None,
        }
    }

    #[test]
    fn key_value_quotes_every_value() {
        let string = connection_string(&attempt(Form::KeyValue), TrustAnchors::InString);
        assert_eq!(
            string.expose_secret(),
            r"host='db-name.example' port='5432' user='o\'brien' password='p@ss: wö\\rd' dbname='testDB' hostaddr='127.0.0.1' application_name='rds-tls' sslmode='verify-full' sslrootcert='/tmp/a b.pem' channel_binding='require'"
        );
    }

    #[test]
    fn uri_encodes_all_but_unreserved_characters() {
        let string = connection_string(&attempt(Form::Uri), TrustAnchors::InProgram);
        assert_eq!(
            string.expose_secret(),
            "postgresql://o%27brien:p%40ss%3A%20w%C3%B6%5Crd@db-name.example:5432/testDB?hostaddr=127.0.0.1&application_name=rds-tls&sslmode=verify-full&channel_binding=require"
        );
    }

    proptest! {
        /// Both drivers that read such strings get back what went in. An empty
        /// value is left out: to both parsers it is the same as none.
        #[test]
        fn parsers_give_back_what_was_written(
            uri in any::<bool>(),
            user in "[^\0]{1,12}",
            password in "[^\0]{1,12}",
            database in "[^\0]{1,12}",
            host in "[^\0,/]{1,12}",
            option in "[^\0]{1,12}",
        ) {
            let form = if uri { Form::Uri } else { Form::KeyValue };
            let attempt = Attempt {
                user, password: password.into(), database, host,
                sslmode: Some("require".into()), sslrootcert: None,
                options: BTreeMap::from([("options".into(), option)]),
                ..attempt(form)
            };
            let string = connection_string(&attempt, TrustAnchors::InString);

            let by_libpq = libpq::parse(&string).unwrap();
            let of = |name: &str| by_libpq.get(name).map(String::as_str);
            prop_assert_eq!(of("user"), Some(&*attempt.user));
            prop_assert_eq!(of("password"), Some(attempt.password.expose_secret()));
            prop_assert_eq!(of("dbname"), Some(&*attempt.database));
            prop_assert_eq!(of("host"), Some(&*attempt.host));
            prop_assert_eq!(of("hostaddr"), Some("127.0.0.1"));
            prop_assert_eq!(of("port"), Some("5432"));
            prop_assert_eq!(of("sslmode"), Some("require"));
            prop_assert_eq!(of("options"), Some(&*attempt.options["options"]));

            let by_tokio: ::tokio_postgres::Config = string.expose_secret().parse().unwrap();
            prop_assert_eq!(by_tokio.get_user(), Some(&*attempt.user));
            prop_assert_eq!(by_tokio.get_password(), Some(attempt.password.expose_secret().as_bytes()));
            prop_assert_eq!(by_tokio.get_dbname(), Some(&*attempt.database));
            prop_assert_eq!(by_tokio.get_hosts(), [::tokio_postgres::config::Host::Tcp(attempt.host.clone())]);
            prop_assert_eq!(by_tokio.get_options(), Some(&*attempt.options["options"]));
        }
    }
}
