//! Verifiers: what a TLS stack makes of each server certificate.
//!
//! ```toml
//! [verifier]
//! id = "openssl"
//! name = "OpenSSL 3"
//! offers = ["TLSv1.2", "TLSv1.3"]   # the versions that it offers by itself
//! ciphers = "all"                   # the name of its set of cipher suites
//! alerts = "clear"                  # how its alerts look under TLS 1.3
//! sources = ["…"]
//! certificates = '''
//! leaf     anchors  verifies    -> certificate          how
//! *        *        nothing     -> taken                -
//! expired  root     !nothing    -> refused tls validity  alert:certificate_expired
//! other    root     chain+name  -> refused tls name      after
//! '''
//! ```
//! `how` is the alert that it sends, `silent` where it hangs up without one, or
//! `after` where it rejects once the handshake is over. `alerts` is `clear` where
//! an alert can be read under TLS 1.3 too, `hidden` where it is an encrypted
//! record, and `lost` where that record may not be sent any more.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use toml::Spanned;

use super::{
    DataError, Place, Refusal, SourceFile, Table, UnknownWord, Verifies,
    table::{NoRow, Row},
};
use crate::policy::TlsVersion;

/// A TLS stack as its sources describe it.
#[derive(Debug)]
pub struct Verifier {
    /// Its id, as `openssl`.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// The lowest and the highest TLS version that it offers by itself.
    pub offers: [TlsVersion; 2],
    /// The name of its set of cipher suites.
    pub ciphers: String,
    /// How its alerts look under TLS 1.3.
    pub alerts: Alerts,
    /// The alert that it sends when the server hangs up in a handshake.
    pub at_eof: Option<String>,
    /// Versions that it offers when asked to, and does not go through with.
    pub gives_up: BTreeMap<TlsVersion, GivesUp>,
    /// Documents and source files that it follows.
    pub sources: Vec<String>,
    base: Option<Arc<Verifier>>,
    certificates: Table,
    file: SourceFile,
}

/// How a stack's alerts look on the wire under TLS 1.3 (RFC 8446, 6).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Alerts {
    /// Readable: it sends them before it encrypts.
    Clear,
    /// As an encrypted record.
    Hidden,
    /// As an encrypted record, or not at all.
    Lost,
}

/// What becomes of a handshake that a stack gives up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivesUp {
    /// The refusal, as `tls handshake`.
    pub refused: String,
    /// The alert that it sends.
    pub alert: String,
}

/// What a certificate comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Certificate {
    /// The handshake goes on.
    Taken,
    /// It doesn't.
    Refused(Refusal, How),
}

/// How a stack rejects a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum How {
    /// By an alert, of this name.
    Alert(String),
    /// It hangs up.
    Silent,
    /// Once the handshake is over.
    After,
}

/// Trust anchors, by what they hold of the server's chain.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Held {
    /// Nothing.
    Other,
    /// The root.
    Root,
    /// The subordinate CA.
    Subordinate,
    /// Both.
    Both,
}

impl Held {
    /// Their words.
    pub const WORDS: [&str; 4] = ["other", "root", "subordinate", "both"];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Root => "root",
            Self::Subordinate => "subordinate",
            Self::Both => "both",
        }
    }
}

/// The columns of a verifier's table.
pub const COLUMNS: [&str; 3] = ["leaf", "anchors", "verifies"];

impl Verifier {
    /// Reads `verifiers/*.toml`; `leaves` are the names of all leaves, `others` the
    /// verifiers that it may be like.
    ///
    /// # Errors
    /// When the file is no verifier; names the line.
    pub fn parse(
        file: &SourceFile,
        leaves: &[String],
        others: &BTreeMap<String, Arc<Verifier>>,
    ) -> Result<Self, DataError> {
        let File { verifier: head } = file.parse()?;
        let base = match &head.like {
            None => None,
            Some(like) => Some(others.get(like.as_ref()).cloned().ok_or_else(|| {
                let unknown = UnknownWord::new("verifier", like.as_ref(), others.keys());
                file.error(file.line(&like.span()), unknown.to_string())
            })?),
        };
        let missing = |what: &str| file.error(1, format!("the verifier lacks `{what}`"));
        let first = file.first_row(&head.certificates.span());
        let text = head.certificates.as_ref();
        let verifier = Self {
            certificates: Table::parse(file, first, text, &["certificate", "how"])?,
            offers: (head.offers)
                .or(base.as_ref().map(|base| base.offers))
                .ok_or_else(|| missing("offers"))?,
            ciphers: (head.ciphers)
                .or(base.as_ref().map(|base| base.ciphers.clone()))
                .ok_or_else(|| missing("ciphers"))?,
            alerts: (head.alerts)
                .or(base.as_ref().map(|base| base.alerts))
                .ok_or_else(|| missing("alerts"))?,
            at_eof: (head.at_eof).or(base.as_ref().and_then(|base| base.at_eof.clone())),
            gives_up: match &base {
                Some(base) if head.gives_up.is_empty() => base.gives_up.clone(),
                _ => head.gives_up,
            },
            id: head.id,
            name: head.name,
            sources: head.sources,
            base,
            file: file.clone(),
        };
        verifier.check(leaves)?;
        Ok(verifier)
    }

    /// What a leaf comes to against anchors.
    ///
    /// # Errors
    /// When no row, or several, say so.
    pub fn judge(
        &self,
        leaf: &str,
        anchors: Held,
        verifies: Verifies,
    ) -> Result<(Certificate, Place), DataError> {
        let value = |column: &str| match column {
            "leaf" => leaf,
            "anchors" => anchors.word(),
            _ => verifies.word(),
        };
        // A closure that borrows `leaf` alone gives it back for as long as needed.
        match (self.certificates.row(&value, None), &self.base) {
            (Ok(row), _) => Ok((self.read(row)?, self.certificates.place(row))),
            (Err(NoRow::None { .. }), Some(base)) => base.judge(leaf, anchors, verifies),
            (Err(no_row), _) => Err(self.file.error(self.certificates.line, no_row.to_string())),
        }
    }

    /// A row that speaks of no cell.
    #[must_use]
    pub fn idle(&self) -> Option<Place> {
        self.certificates.idle()
    }

    fn check(&self, leaves: &[String]) -> Result<(), DataError> {
        let values = |column: &str| match column {
            "leaf" => Some(leaves.to_vec()),
            "anchors" => Some(Held::WORDS.map(str::to_owned).into()),
            "verifies" => Some(
                Verifies::WORDS
                    .iter()
                    .map(|&word| word.to_owned())
                    .collect(),
            ),
            _ => None,
        };
        (self.certificates).check_words(&self.file, &values, &COLUMNS)?;
        for row in &self.certificates.rows {
            self.read(row)?;
        }
        for given_up in self.gives_up.values() {
            (given_up.refused.parse::<Refusal>())
                .map_err(|error| self.file.error(1, error.to_string()))?;
        }
        self.check_whole(leaves)
    }

    /// The table answers for every leaf, all anchors, and all that can be verified;
    /// a row that differs from nothing beneath it is no row.
    fn check_whole(&self, leaves: &[String]) -> Result<(), DataError> {
        let held = [Held::Other, Held::Root, Held::Subordinate, Held::Both];
        let verifies = [Verifies::Nothing, Verifies::Chain, Verifies::ChainAndName];
        let mut differs: BTreeMap<usize, bool> = BTreeMap::new();
        for leaf in leaves {
            for anchors in held {
                for verifies in verifies {
                    let (certificate, place) = self.judge(leaf, anchors, verifies)?;
                    if let Some(base) = &self.base
                        && place.file == self.file.name
                    {
                        let beneath = base.judge(leaf, anchors, verifies)?.0;
                        *differs.entry(place.line).or_default() |= beneath != certificate;
                    }
                }
            }
        }
        match differs.into_iter().find(|(_, differs)| !differs) {
            Some((line, _)) => Err(self.file.error(
                line,
                "the row says what the verifier that this one is like says already",
            )),
            None => Ok(()),
        }
    }

    fn read(&self, row: &Row) -> Result<Certificate, DataError> {
        let fail = |what: String| self.file.error(row.line, what);
        let (certificate, how) = (row.fields[0].as_str(), row.fields[1].as_str());
        if certificate == "taken" {
            return match how {
                "-" => Ok(Certificate::Taken),
                _ => Err(fail(
                    "a certificate that is taken has `-` for `how`".to_owned(),
                )),
            };
        }
        let refusal = certificate.strip_prefix("refused ").ok_or_else(|| {
            let valid = ["taken", "refused PHASE CLASS"];
            fail(UnknownWord::new("certificate", certificate, valid).to_string())
        })?;
        let refusal = (refusal.parse()).map_err(|error: UnknownWord| fail(error.to_string()))?;
        let how = match how.strip_prefix("alert:") {
            Some(alert) => How::Alert(alert.to_owned()),
            None if how == "silent" => How::Silent,
            None if how == "after" => How::After,
            None => {
                let valid = ["alert:NAME", "silent", "after"];
                return Err(fail(
                    UnknownWord::new("way to reject", how, valid).to_string(),
                ));
            }
        };
        Ok(Certificate::Refused(refusal, how))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    verifier: Head,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: String,
    name: String,
    like: Option<Spanned<String>>,
    offers: Option<[TlsVersion; 2]>,
    ciphers: Option<String>,
    alerts: Option<Alerts>,
    at_eof: Option<String>,
    #[serde(default)]
    gives_up: BTreeMap<TlsVersion, GivesUp>,
    sources: Vec<String>,
    certificates: Spanned<String>,
}
