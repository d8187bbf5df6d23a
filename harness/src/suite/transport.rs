//! What a server does, for all drivers: who is admitted, in which words others are
//! refused, and what one try comes to.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::{
    DataError, OutcomeClass, Place, Setback, SourceFile, Table, Try, UnknownWord,
    answer::placeholders,
    table::{NoRow, Row},
};
use crate::{engine::Version, tap::Wire};

/// What stands for an attempt's own in texts.
const PLACEHOLDERS: [&str; 4] = ["client", "user", "database", "encryption"];

/// What stands in the place of what differs from driver to driver.
const OWN: &str = "@";

/// What stands for the driver's alert when the server hangs up in a handshake.
const OWN_AT_EOF: &str = "@eof";

/// `transport.toml`.
#[derive(Debug)]
pub struct Transport {
    texts: BTreeMap<String, String>,
    encryption: Table,
    admission: Table,
    tries: Table,
    file: SourceFile,
}

/// What an attempt is answered by `pg_hba.conf`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Finds {
    /// A line that lets it in.
    #[default]
    Line,
    /// No line, encrypted or not.
    NoEntry,
    /// A reject line.
    Reject,
    /// No line for replication.
    Replication,
    /// A line, and a user that isn't there.
    NoUser,
    /// A line for plaintext connections alone.
    HostNoSsl,
}

impl Finds {
    /// Their words.
    pub const WORDS: [&str; 6] = [
        "line",
        "no-entry",
        "reject",
        "replication",
        "no-user",
        "host-no-ssl",
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Whether a server lets an attempt in.
#[derive(Clone, Debug)]
pub struct Admission {
    /// `yes`, `no` or `wrong-password`.
    pub admitted: &'static str,
    /// The words in which it refuses.
    pub text: Option<String>,
    /// The row that says so.
    pub place: Place,
}

/// The words for whether an attempt is let in.
const ADMITTED: [&str; 3] = ["yes", "no", "wrong-password"];

/// How far a TLS handshake comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// It isn't begun: the try is plaintext, or the server offers no TLS.
    Absent,
    /// The client stops before it.
    Stopped,
    /// No TLS version in common.
    NoVersion,
    /// No cipher suite in common.
    NoCipher,
    /// The client gives up.
    GivenUp,
    /// The client rejects the certificate.
    Refused,
    /// It is over.
    Taken,
}

impl Handshake {
    /// Their words.
    const WORDS: [&str; 7] = [
        "-",
        "stopped",
        "no-version",
        "no-cipher",
        "given-up",
        "refused",
        "taken",
    ];

    const fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// What one try comes to.
#[derive(Clone, Debug)]
pub struct Tried {
    /// At the client; absent where the driver's own refusal stands there.
    pub outcome: Option<OutcomeClass>,
    /// On the wire, with [`OWN`] where the driver's own alert stands.
    wire: String,
    /// What it ends in; absent where a session stands.
    pub setback: Option<Setback>,
    /// The row that says so.
    pub place: Place,
}

impl Tried {
    /// On the wire, with what the driver itself sends.
    #[must_use]
    pub fn wire(&self, own: &str, at_eof: &str) -> String {
        let words = self.wire.split(' ');
        let words = words.map(|word| match word {
            OWN => own,
            OWN_AT_EOF => at_eof,
            word => word,
        });
        let words = words.filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    }
}

impl Transport {
    /// Reads `transport.toml`.
    ///
    /// # Errors
    /// Names the line of what is wrong.
    pub fn parse(file: &SourceFile) -> Result<Self, DataError> {
        let File {
            texts,
            encryption,
            admission,
            tries,
            _sources,
        } = file.parse()?;
        let table = |text: &Spanned<String>, fields: &[&str]| {
            Table::parse(file, file.first_row(&text.span()), text.as_ref(), fields)
        };
        let transport = Self {
            encryption: table(&encryption, &["words"])?,
            admission: table(&admission, &["admitted", "text"])?,
            tries: table(&tries, &["outcome", "wire", "then"])?,
            texts,
            file: file.clone(),
        };
        transport.check()?;
        Ok(transport)
    }

    /// Whether a server lets an attempt in, and in which words it doesn't.
    ///
    /// # Errors
    /// When no row, or several, say so.
    pub fn admits(
        &self,
        finds: Finds,
        encrypted: bool,
        force_ssl: bool,
        engine: Version,
    ) -> Result<Admission, DataError> {
        let value = |column: &str| match column {
            "finds" => finds.word(),
            "encrypted" => yes_no(encrypted),
            _ => yes_no(force_ssl),
        };
        let row = self.admission.row(&value, Some(engine));
        let row = self.found(&self.admission, row)?;
        let admitted = ADMITTED.into_iter().find(|word| *word == row.fields[0]);
        let text = match row.fields[1].as_str() {
            "-" => None,
            name => Some(self.text(name, encrypted, engine)?),
        };
        Ok(Admission {
            admitted: admitted.unwrap_or("no"),
            text,
            place: self.admission.place(row),
        })
    }

    /// What one try comes to.
    ///
    /// # Errors
    /// When no row, or several, say so.
    pub fn tries(
        &self,
        one: Try,
        offers_tls: bool,
        handshake: Handshake,
        admitted: &str,
        engine: Version,
    ) -> Result<Tried, DataError> {
        let value = |column: &str| match column {
            "try" => one.word(),
            "answer" => answer(offers_tls),
            "handshake" => handshake.word(),
            _ => ADMITTED
                .into_iter()
                .find(|word| *word == admitted)
                .unwrap_or("no"),
        };
        let row = self.tries.row(&value, Some(engine));
        let row = self.found(&self.tries, row)?;
        let tried = self.read(row)?;
        let due = setback(one, offers_tls, handshake, admitted, engine);
        if tried.setback != due {
            let due = due.map_or("-", Setback::word);
            let what =
                format!("`then` is `{due}` here: the row's coordinates say how the try ends");
            return Err(self.file.error(row.line, what));
        }
        Ok(tried)
    }

    /// A row that speaks of no cell.
    #[must_use]
    pub fn idle(&self) -> Option<Place> {
        [&self.encryption, &self.admission, &self.tries]
            .into_iter()
            .find_map(Table::idle)
    }

    /// Minor versions of a major one from which on a row says another thing.
    pub fn turns(&self, major: u16) -> impl Iterator<Item = u16> {
        [&self.encryption, &self.admission, &self.tries]
            .into_iter()
            .flat_map(move |table| table.turns(major))
    }

    /// A text with the words for whether a connection is encrypted.
    fn text(&self, name: &str, encrypted: bool, engine: Version) -> Result<String, DataError> {
        let value = |_: &str| yes_no(encrypted);
        let row = self.encryption.row(&value, Some(engine));
        let row = self.found(&self.encryption, row)?;
        Ok(self.texts[name].replace("{encryption}", &row.fields[0]))
    }

    fn found<'a>(&self, table: &Table, row: Result<&'a Row, NoRow>) -> Result<&'a Row, DataError> {
        row.map_err(|no_row| self.file.error(table.line, no_row.to_string()))
    }

    fn check(&self) -> Result<(), DataError> {
        let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
        let yes_no = &["yes", "no"];
        let values = |column: &str| match column {
            "try" => words(Try::WORDS),
            "answer" => words(&["S", "N"]),
            "handshake" => words(&Handshake::WORDS),
            "admitted" => words(&ADMITTED),
            "finds" => words(&Finds::WORDS),
            "encrypted" | "force_ssl" => words(yes_no),
            _ => None,
        };
        let columns = |table: &Table, columns: &[&str]| {
            table.check_words(
                &self.file,
                &|column| columns.contains(&column).then(|| values(column)).flatten(),
                columns,
            )
        };
        columns(&self.encryption, &["encrypted"])?;
        columns(&self.admission, &["finds", "encrypted", "force_ssl"])?;
        columns(&self.tries, &["try", "answer", "handshake", "admitted"])?;
        for (name, text) in &self.texts {
            placeholders(text, &PLACEHOLDERS).map_err(|what| {
                self.file.error(
                    self.file.line_of(name),
                    format!("the text `{name}`: {what}"),
                )
            })?;
        }
        for row in &self.tries.rows {
            self.read(row)?;
        }
        for row in &self.admission.rows {
            let fail = |unknown: UnknownWord| self.file.error(row.line, unknown.to_string());
            let (admitted, text) = (&row.fields[0], &row.fields[1]);
            if !ADMITTED.contains(&admitted.as_str()) {
                return Err(fail(UnknownWord::new("admission", admitted, ADMITTED)));
            }
            if (admitted == "no") == (text == "-") {
                let what = "who is not admitted is refused in a text, and nobody else";
                return Err(self.file.error(row.line, what));
            }
            if text != "-" && !self.texts.contains_key(text) {
                return Err(fail(UnknownWord::new("text", text, self.texts.keys())));
            }
        }
        Ok(())
    }

    fn read(&self, row: &Row) -> Result<Tried, DataError> {
        let fail = |what: String| self.file.error(row.line, what);
        let [outcome, wire, then] = [0, 1, 2].map(|nth| row.fields[nth].as_str());
        let tried = Tried {
            outcome: match outcome {
                OWN => None,
                outcome => {
                    Some((outcome.parse()).map_err(|error: UnknownWord| fail(error.to_string()))?)
                }
            },
            wire: wire.to_owned(),
            setback: match then {
                "-" => None,
                then => Some((then.parse()).map_err(|error: UnknownWord| fail(error.to_string()))?),
            },
            place: self.tries.place(row),
        };
        let session = !matches!(tried.outcome, None | Some(OutcomeClass::Refused(_)));
        if session != tried.setback.is_none() {
            return Err(fail(
                "`then` is `-` where a session stands, and there alone".to_owned(),
            ));
        }
        (tried.wire("alert:unknown_ca", "").parse::<Wire>())
            .map_err(|error| fail(error.to_string()))?;
        Ok(tried)
    }
}

/// What a try ends in; nothing where a session stands.
fn setback(
    one: Try,
    offers_tls: bool,
    handshake: Handshake,
    admitted: &str,
    engine: Version,
) -> Option<Setback> {
    match one {
        Try::Tls if !offers_tls => return Some(Setback::No),
        // It hangs up: the first server that reads a ClientHello unasked is 17.
        Try::Direct if !offers_tls || engine.major < 17 => return Some(Setback::Handshake),
        Try::Plaintext | Try::Tls | Try::Direct => {}
    }
    match (handshake, admitted) {
        (Handshake::Refused, _) => Some(Setback::Certificate),
        (Handshake::Absent | Handshake::Taken, "yes") => None,
        (Handshake::Absent | Handshake::Taken, "no") => Some(Setback::Hba),
        (Handshake::Absent | Handshake::Taken, _) => Some(Setback::Login),
        (
            Handshake::Stopped | Handshake::NoVersion | Handshake::NoCipher | Handshake::GivenUp,
            _,
        ) => Some(Setback::Handshake),
    }
}

const fn answer(offers_tls: bool) -> &'static str {
    if offers_tls { "S" } else { "N" }
}

const fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// For the reader of the file.
    #[serde(rename = "sources")]
    _sources: Vec<String>,
    texts: BTreeMap<String, String>,
    encryption: Spanned<String>,
    admission: Spanned<String>,
    tries: Spanned<String>,
}
