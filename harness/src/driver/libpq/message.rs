//! libpq's verbose error messages, back to what its users read.

use std::sync::LazyLock;

use regex::Regex;

/// An error of libpq.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// The whole message in libpq's default verbosity, all failed connections
    /// of the attempt, without the last newline.
    pub text: String,
    /// The SQLSTATE of the last failure, where a server gave it.
    pub sqlstate: Option<String>,
}

impl Message {
    /// Reads a message of `PQERRORS_VERBOSE`, the only way in which libpq tells
    /// the SQLSTATE of a failed connection.
    ///
    /// That verbosity adds the SQLSTATE after the severity, and lines at the end
    /// of each error (`pqBuildErrorMessage3`, fe-protocol3.c). An attempt that
    /// made several connections has a failure for each: since 14 each is begun by
    /// `emitHostIdentityInfo`, fe-connect.c; before, the one follows the other.
    pub fn from_verbose(verbose: &str) -> Self {
        let named = verbose.starts_with(CONNECTION);
        let mut failures: Vec<Failure> = Vec::new();
        for line in verbose.trim_end_matches('\n').split('\n') {
            let begins = |failure: &Failure| {
                if named {
                    line.starts_with(CONNECTION)
                } else {
                    failure.ends_before(line)
                }
            };
            match failures.last_mut() {
                Some(failure) if !begins(failure) => failure.lines.push(line.into()),
                _ => failures.push(Failure::begin(line)),
            }
        }
        for failure in &mut failures {
            failure.drop_verbose_lines();
        }
        let lines = failures.iter().flat_map(|failure| &failure.lines);
        Self {
            text: lines.map(String::as_str).collect::<Vec<_>>().join("\n"),
            sqlstate: failures.pop().and_then(|failure| failure.sqlstate),
        }
    }
}

/// How the failure of one connection begins.
const CONNECTION: &str = "connection to server ";

/// What verbosity adds at the end of an error, in this order, the last always.
const VERBOSE_FIELDS: [&str; 6] = [
    "SCHEMA NAME:  ",
    "TABLE NAME:  ",
    "COLUMN NAME:  ",
    "DATATYPE NAME:  ",
    "CONSTRAINT NAME:  ",
    LOCATION,
];

const LOCATION: &str = "LOCATION:  ";

struct Failure {
    lines: Vec<String>,
    sqlstate: Option<String>,
}

impl Failure {
    fn begin(line: &str) -> Self {
        // A severity is one word, in the server's language.
        static SQLSTATE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^((?:connection to server .*? failed: )?\S+:  )([0-9A-Z]{5}): ")
                .expect("the pattern is well formed")
        });
        match SQLSTATE.captures(line) {
            None => Self {
                lines: vec![line.to_owned()],
                sqlstate: None,
            },
            Some(found) => Self {
                lines: vec![format!("{}{}", &found[1], &line[found[0].len()..])],
                sqlstate: Some(found[2].to_owned()),
            },
        }
    }

    /// Whether its last line has been, and this one is another failure's.
    fn ends_before(&self, line: &str) -> bool {
        let located = |line: &str| line.starts_with(LOCATION);
        self.sqlstate.is_some() && self.lines.last().is_some_and(|l| located(l)) && !located(line)
    }

    fn drop_verbose_lines(&mut self) {
        if self.sqlstate.is_none() {
            return;
        }
        // From the end: a server's own text may hold such a line too.
        for field in VERBOSE_FIELDS.iter().rev() {
            if self.lines.len() > 1 && self.lines.last().is_some_and(|l| l.starts_with(field)) {
                self.lines.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::server_error(
        "connection to server at \"db.example\" (127.0.0.1), port 6000 failed: FATAL:  28P01: password authentication failed for user \"u\"\nLOCATION:  auth_failed, auth.c:335\n",
        "connection to server at \"db.example\" (127.0.0.1), port 6000 failed: FATAL:  password authentication failed for user \"u\"",
        Some("28P01")
    )]
    #[case::prefer_falls_back(
        "connection to server at \"db.example\" (127.0.0.1), port 6000 failed: FATAL:  28P01: password authentication failed for user \"u\"\nLOCATION:  auth_failed, auth.c:335\nconnection to server at \"db.example\" (127.0.0.1), port 6000 failed: FATAL:  28000: no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", database \"d\", no encryption\nLOCATION:  ClientAuthentication, auth.c:554\n",
        "connection to server at \"db.example\" (127.0.0.1), port 6000 failed: FATAL:  password authentication failed for user \"u\"\nconnection to server at \"db.example\" (127.0.0.1), port 6000 failed: FATAL:  no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", database \"d\", no encryption",
        Some("28000")
    )]
    #[case::allow_ends_in_tls(
        "connection to server at \"h\", port 1 failed: FATAL:  28000: no pg_hba.conf entry\nLOCATION:  ClientAuthentication, auth.c:554\nconnection to server at \"h\", port 1 failed: SSL error: certificate verify failed\n",
        "connection to server at \"h\", port 1 failed: FATAL:  no pg_hba.conf entry\nconnection to server at \"h\", port 1 failed: SSL error: certificate verify failed",
        None
    )]
    #[case::refused_port(
        "connection to server at \"h\" (127.0.0.1), port 1 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?\n",
        "connection to server at \"h\" (127.0.0.1), port 1 failed: Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
        None
    )]
    #[case::parse_error(
        "invalid sslmode value: \"no-such\"\n",
        "invalid sslmode value: \"no-such\"",
        None
    )]
    #[case::missing_root_file(
        "connection to server at \"h\", port 1 failed: root certificate file \"/x\" does not exist\nEither provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable server certificate verification.\n",
        "connection to server at \"h\", port 1 failed: root certificate file \"/x\" does not exist\nEither provide the file, use the system's trusted roots with sslrootcert=system, or change sslmode to disable server certificate verification.",
        None
    )]
    #[case::detail_and_hint_stay(
        "connection to server at \"h\", port 1 failed: FATAL:  42704: role does not exist\nDETAIL:  d\nHINT:  h\nLOCATION:  InitializeSessionUserId, miscinit.c:769\n",
        "connection to server at \"h\", port 1 failed: FATAL:  role does not exist\nDETAIL:  d\nHINT:  h",
        Some("42704")
    )]
    #[case::constraint(
        "ERROR:  23505: duplicate key\nDETAIL:  d\nSCHEMA NAME:  public\nTABLE NAME:  t\nCONSTRAINT NAME:  c\nLOCATION:  _bt_check_unique, nbtinsert.c:666\n",
        "ERROR:  duplicate key\nDETAIL:  d",
        Some("23505")
    )]
    #[case::query_error(
        "ERROR:  42501: permission denied for view pg_stat_ssl\nLOCATION:  aclcheck_error, aclchk.c:2843\n",
        "ERROR:  permission denied for view pg_stat_ssl",
        Some("42501")
    )]
    #[case::server_speaks_of_a_location(
        "connection to server at \"h\", port 1 failed: FATAL:  28000: one\nLOCATION:  hers\nLOCATION:  f, a.c:1\n",
        "connection to server at \"h\", port 1 failed: FATAL:  one\nLOCATION:  hers",
        Some("28000")
    )]
    #[case::severity_in_another_language(
        "connection to server at \"h\", port 1 failed: ВАЖНО:  28000: нет\nLOCATION:  f, a.c:1\n",
        "connection to server at \"h\", port 1 failed: ВАЖНО:  нет",
        Some("28000")
    )]
    #[case::socket(
        "connection to server on socket \"/tmp/.s.PGSQL.1\" failed: FATAL:  57P03: the database system is starting up\nLOCATION:  ProcessStartupPacket, postmaster.c:2360\n",
        "connection to server on socket \"/tmp/.s.PGSQL.1\" failed: FATAL:  the database system is starting up",
        Some("57P03")
    )]
    #[case::before_14_prefer_falls_back(
        "FATAL:  28P01: password authentication failed for user \"u\"\nLOCATION:  auth_failed, auth.c:335\nFATAL:  28000: no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", database \"d\", SSL off\nLOCATION:  ClientAuthentication, auth.c:554\n",
        "FATAL:  password authentication failed for user \"u\"\nFATAL:  no pg_hba.conf entry for host \"127.0.0.1\", user \"u\", database \"d\", SSL off",
        Some("28000")
    )]
    #[case::before_14_allow_ends_in_tls(
        "FATAL:  28000: no pg_hba.conf entry\nLOCATION:  f, a.c:1\nSSL error: certificate verify failed\n",
        "FATAL:  no pg_hba.conf entry\nSSL error: certificate verify failed",
        None
    )]
    #[case::before_14_server_speaks_of_a_location(
        "FATAL:  28000: one\nLOCATION:  hers\nLOCATION:  f, a.c:1\n",
        "FATAL:  one\nLOCATION:  hers",
        Some("28000")
    )]
    #[case::before_14_refused_port(
        "could not connect to server: Connection refused\n\tIs the server running on host \"h\" (127.0.0.1) and accepting\n\tTCP/IP connections on port 1?\n",
        "could not connect to server: Connection refused\n\tIs the server running on host \"h\" (127.0.0.1) and accepting\n\tTCP/IP connections on port 1?",
        None
    )]
    #[case::nothing("", "", None)]
    fn reads_as_users_read_it(
        #[case] verbose: &str,
        #[case] text: &str,
        #[case] sqlstate: Option<&str>,
    ) {
        let message = Message::from_verbose(verbose);
        assert_eq!(message.text, text);
        assert_eq!(message.sqlstate.as_deref(), sqlstate);
    }
}
