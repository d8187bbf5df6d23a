//! How to reach someone's instance: the variables that name it.

use std::{env, ffi::OsString, net::IpAddr, path::PathBuf, time::Duration};

use certs_gen::EndpointName;
use secrecy::SecretString;

use super::{
    super::Login,
    bundle::{Bundle, BundleError},
};
use crate::password::{PasswordError, password, password_in};

const CONNECT_TIMEOUT: u64 = 10;
const DEADLINE: u64 = 1800;
const CONNECTIONS: usize = 4;
/// As the smallest instances have for all.
const MOST_CONNECTIONS: usize = 80;
/// A day, in seconds.
const LONGEST: u64 = 86_400;

/// How to reach someone's instance, and what may be done there.
#[derive(Clone, Debug)]
pub struct Access {
    /// The endpoint's name, which clients verify.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The address to dial, where DNS is not to be asked.
    pub address: Option<IpAddr>,
    /// Who logs in.
    pub login: Login,
    /// The roots that clients trust.
    pub bundle: Bundle,
    /// Whether `CREATE EXTENSION sslinfo` may be sent.
    pub allow_ddl: bool,
    /// How long the instance may take for one step.
    pub timeout: Duration,
    /// How long a run may last.
    pub run: Duration,
    /// How many connections may stand at once.
    pub connections: usize,
}

/// What is wrong with a variable.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// One without which there is no way.
    #[error("{variable} is not set, or empty: it is {what}")]
    Missing {
        /// The variable.
        variable: &'static str,
        /// What it holds.
        what: &'static str,
    },
    /// Bytes that are no text.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// A value that can't be.
    #[error("{variable} is «{value}»: {expected}")]
    Invalid {
        /// The variable, none that holds a secret.
        variable: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: String,
    },
    /// The password is given twice.
    #[error("RDS_PASSWORD and RDS_PASSWORD_FILE are both set: unset one")]
    TwoPasswords,
    /// The password can't be one.
    #[error("{variable}: {why}")]
    Password {
        /// Where it was to come from.
        variable: &'static str,
        /// What is wrong with it.
        why: PasswordError,
    },
    /// The trust anchors are no good.
    #[error("RDS_CA_BUNDLE: {0}")]
    Bundle(BundleError),
}

impl Access {
    /// Whether the environment names an instance.
    #[must_use]
    pub fn is_named() -> bool {
        env::var_os("RDS_ENDPOINT").is_some_and(|name| !name.is_empty())
    }

    /// What this process's environment says.
    ///
    /// # Errors
    /// With the variable and the way out. Nothing is dialled before.
    pub fn from_environment() -> Result<Self, AccessError> {
        Self::from_variables(&|name| env::var_os(name))
    }

    /// What the variables say; an empty one counts as none.
    ///
    /// # Errors
    /// As [`Self::from_environment`].
    pub fn from_variables(get: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, AccessError> {
        let variables = Variables(get);
        let host = variables.need("RDS_ENDPOINT", "the endpoint's name, which clients verify")?;
        let host = EndpointName::new(&host).map_err(|_| AccessError::Invalid {
            variable: "RDS_ENDPOINT",
            value: host,
            expected: "give the endpoint's name alone, as \
                       db.abcdefghijkl.eu-west-1.rds.amazonaws.com; an address goes to \
                       RDS_HOSTADDR, a port to RDS_PORT"
                .to_owned(),
        })?;
        let seconds = |variable, default| {
            let expected = || format!("give a number of seconds from 1 to {LONGEST}");
            let in_range = |text: &str| text.parse().ok().filter(|s| (1..=LONGEST).contains(s));
            let seconds = variables.parse(variable, expected, in_range)?;
            Ok::<_, AccessError>(Duration::from_secs(seconds.unwrap_or(default)))
        };
        Ok(Self {
            host: host.as_str().to_owned(),
            port: variables
                .parse(
                    "RDS_PORT",
                    || "give a port from 1 to 65535".to_owned(),
                    |text| text.parse().ok().filter(|port| *port != 0),
                )?
                .unwrap_or(5432),
            address: variables.parse(
                "RDS_HOSTADDR",
                || "give an IP address, as 127.0.0.1 for a tunnel".to_owned(),
                |text| text.parse().ok(),
            )?,
            login: Login {
                user: variables.need("RDS_USER", "the role to log in as")?,
                password: variables.password()?,
                database: (variables.text("RDS_DATABASE")?)
                    .unwrap_or_else(|| "postgres".to_owned()),
            },
            bundle: variables.bundle()?,
            allow_ddl: variables
                .parse(
                    "RDS_ALLOW_DDL",
                    || "give 1 to let sslinfo be created, or 0".to_owned(),
                    |text| match text {
                        "0" => Some(false),
                        "1" => Some(true),
                        _ => None,
                    },
                )?
                .unwrap_or(false),
            timeout: seconds("RDS_CONNECT_TIMEOUT", CONNECT_TIMEOUT)?,
            run: seconds("RDS_DEADLINE", DEADLINE)?,
            connections: variables
                .parse(
                    "RDS_CONNECTIONS",
                    || format!("give a number of connections from 1 to {MOST_CONNECTIONS}"),
                    |text| {
                        text.parse()
                            .ok()
                            .filter(|n| (1..=MOST_CONNECTIONS).contains(n))
                    },
                )?
                .unwrap_or(CONNECTIONS),
        })
    }
}

struct Variables<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    fn raw(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, AccessError> {
        let text = |value: OsString| {
            let text = value.into_string();
            text.map_err(|_| AccessError::NotText(name))
        };
        self.raw(name).map(text).transpose()
    }

    fn need(&self, variable: &'static str, what: &'static str) -> Result<String, AccessError> {
        (self.text(variable)?).ok_or(AccessError::Missing { variable, what })
    }

    fn parse<T>(
        &self,
        variable: &'static str,
        expected: impl Fn() -> String,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, AccessError> {
        let Some(value) = self.text(variable)? else {
            return Ok(None);
        };
        match parse(&value) {
            Some(parsed) => Ok(Some(parsed)),
            None => Err(AccessError::Invalid {
                variable,
                value,
                expected: expected(),
            }),
        }
    }

    fn password(&self) -> Result<SecretString, AccessError> {
        let file = self.raw("RDS_PASSWORD_FILE").map(PathBuf::from);
        let wrong = |variable| move |why| AccessError::Password { variable, why };
        match (self.text("RDS_PASSWORD")?, file) {
            (Some(_), Some(_)) => Err(AccessError::TwoPasswords),
            (Some(text), None) => password(&text).map_err(wrong("RDS_PASSWORD")),
            (None, Some(path)) => password_in(&path).map_err(wrong("RDS_PASSWORD_FILE")),
            (None, None) => Err(AccessError::Missing {
                variable: "RDS_PASSWORD",
                what: "the password of RDS_USER, or an IAM token; \
                       RDS_PASSWORD_FILE names a file that holds it instead",
            }),
        }
    }

    fn bundle(&self) -> Result<Bundle, AccessError> {
        let path = self
            .raw("RDS_CA_BUNDLE")
            .map(PathBuf::from)
            .ok_or(AccessError::Missing {
                variable: "RDS_CA_BUNDLE",
                what: "a PEM file with the CA of the instance, as AWS's global-bundle.pem",
            })?;
        Bundle::read(path).map_err(AccessError::Bundle)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fs};

    use certs_gen::{DEFAULT_ENDPOINT, EndpointName, Pki, Trust};
    use rstest::rstest;
    use secrecy::ExposeSecret as _;

    use super::*;

    const SECRET: &str = "marked-password";

    struct Folder {
        temp: tempfile::TempDir,
        variables: HashMap<&'static str, OsString>,
    }

    fn folder() -> Folder {
        let temp = tempfile::tempdir().unwrap();
        let pki = Pki::new(EndpointName::new(DEFAULT_ENDPOINT).unwrap(), temp.path());
        let root = pki.trust(Trust::Root).unwrap().to_owned();
        fs::write(temp.path().join("password"), format!("{SECRET}\nmore\n")).unwrap();
        fs::write(temp.path().join("empty"), "").unwrap();
        let variables = HashMap::from([
            ("RDS_ENDPOINT", DEFAULT_ENDPOINT.into()),
            ("RDS_USER", "app".into()),
            ("RDS_PASSWORD", SECRET.into()),
            ("RDS_CA_BUNDLE", root.into()),
        ]);
        Folder { temp, variables }
    }

    fn read(folder: &Folder) -> Result<Access, AccessError> {
        Access::from_variables(&|name| folder.variables.get(name).cloned())
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let access = read(&folder()).unwrap();
        assert_eq!(access.host, DEFAULT_ENDPOINT);
        assert_eq!((access.port, access.address), (5432, None));
        assert_eq!(access.login.database, "postgres");
        assert_eq!(access.login.password.expose_secret(), SECRET);
        assert!(!access.allow_ddl);
        assert!(!format!("{access:?}").contains(SECRET));
    }

    #[test]
    fn a_file_holds_the_password_in_its_first_line() {
        let mut folder = folder();
        folder.variables.remove("RDS_PASSWORD");
        let file = folder.temp.path().join("password");
        folder.variables.insert("RDS_PASSWORD_FILE", file.into());
        let access = read(&folder).unwrap();
        assert_eq!(access.login.password.expose_secret(), SECRET);
    }

    #[rstest]
    #[case("RDS_ENDPOINT", "", "RDS_ENDPOINT is not set, or empty")]
    #[case("RDS_ENDPOINT", "127.0.0.1", "an address goes to RDS_HOSTADDR")]
    #[case("RDS_ENDPOINT", "db.example:5432", "a port to RDS_PORT")]
    #[case("RDS_USER", "", "RDS_USER is not set, or empty")]
    #[case("RDS_PASSWORD", "", "RDS_PASSWORD is not set, or empty")]
    #[case("RDS_PORT", "0", "RDS_PORT is «0»: give a port")]
    #[case("RDS_PORT", "65536", "RDS_PORT is «65536»: give a port")]
    #[case("RDS_HOSTADDR", "db.example", "give an IP address")]
    #[case("RDS_ALLOW_DDL", "yes", "give 1 to let sslinfo be created")]
    #[case("RDS_CONNECT_TIMEOUT", "0", "a number of seconds from 1")]
    #[case("RDS_CONNECTIONS", "0", "from 1 to 80")]
    #[case("RDS_DEADLINE", "99999999999999999999", "a number of seconds from 1")]
    #[case("RDS_PASSWORD_FILE", "/no/such", "are both set: unset one")]
    #[case("RDS_CA_BUNDLE", "", "RDS_CA_BUNDLE is not set, or empty")]
    #[case("RDS_CA_BUNDLE", "/no/such", "/no/such can't be read")]
    #[case("RDS_CA_BUNDLE", "FOLDER/empty", "holds no certificate")]
    #[case("RDS_CA_BUNDLE", "FOLDER/password", "holds no certificate")]
    fn what_is_wrong_is_named_with_the_way_out(
        #[case] variable: &'static str,
        #[case] value: &str,
        #[case] says: &str,
    ) {
        let mut folder = folder();
        let value = value.replace("FOLDER", folder.temp.path().to_str().unwrap());
        folder.variables.insert(variable, value.into());
        let error = read(&folder).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        assert!(error.starts_with("RDS_"), "{error}");
        assert!(!error.contains(SECRET), "{error}");
    }

    #[rstest]
    #[case("/no/such", "/no/such can't be read")]
    #[case("FOLDER/empty", "is empty; write the password there")]
    fn a_password_file_that_is_no_good_is_named(#[case] file: &str, #[case] says: &str) {
        let mut folder = folder();
        let file = file.replace("FOLDER", folder.temp.path().to_str().unwrap());
        folder.variables.remove("RDS_PASSWORD");
        folder.variables.insert("RDS_PASSWORD_FILE", file.into());
        let error = read(&folder).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
