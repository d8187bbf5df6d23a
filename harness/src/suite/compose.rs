//! From facts to an expectation: page × verifier × transport.

use super::{
    Certificate, DataError, Handshake, Held, How, OutcomeClass, Place, Refusal, Setback, Settings,
    Try, Verifies,
    page::{Configuration, Connects, Does, Page, UnderTls},
    rules::Rules,
    sees::Sees,
    verifier::{Alerts, Verifier},
};
use crate::{
    engine::Version,
    policy::{Effective, Leaf, TlsVersion},
};

/// What a cell is composed of.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What is said once for all.
    pub rules: &'a Rules,
    /// The driver.
    pub page: &'a Page,
    /// How it is set up.
    pub way: &'a Configuration,
    /// What it does with its parameters.
    pub connects: &'a Connects,
    /// What the cell sets.
    pub settings: &'a Settings,
    /// What the suite says beside.
    pub sees: &'a Sees,
}

/// What must be seen of a cell, by composition.
#[derive(Clone, Debug)]
pub struct Composed {
    /// At the client.
    pub class: OutcomeClass,
    /// By the tap.
    pub wire: String,
    /// The words of the server's refusal, with placeholders.
    pub says: Option<String>,
    /// The TLS version that comes about.
    pub version: Option<TlsVersion>,
    /// Whether outcome or wire follow from the TLS versions of both sides.
    pub by_version: bool,
    /// What the certificate came to.
    pub certificate: &'static str,
    /// The rows that say so.
    pub places: Vec<Place>,
}

/// Composes the expectation of a cell on an engine.
///
/// # Errors
/// When a table has no row for it, or several.
pub fn compose(inputs: Inputs, engine: Version) -> Result<Composed, DataError> {
    let places = inputs.connects.places.clone();
    match &inputs.connects.does {
        Does::Refuse(refusal) => Ok(Composed {
            class: OutcomeClass::Refused(refusal.clone()),
            wire: "-".to_owned(),
            says: None,
            version: None,
            by_version: false,
            certificate: "-",
            places,
        }),
        Does::Dial {
            tries,
            goes_on,
            tls,
        } => {
            let defaults = inputs.rules.defaults(engine)?;
            let mut dialling = Dialling {
                inputs,
                engine,
                server: inputs.settings.policy().effective(defaults),
                by_version: false,
                certificate: "-",
                places,
            };
            let mut connections: Vec<String> = Vec::new();
            let mut same_connection = false;
            let mut last = None;
            for one in tries {
                let ended = dialling.one(*one, tls.as_ref())?;
                match connections.last_mut() {
                    // The server that said N goes on to read the same connection.
                    Some(open) if same_connection => {
                        *open = format!("{open} {}", ended.wire);
                    }
                    _ => connections.push(ended.wire.clone()),
                }
                let setback = ended.setback;
                last = Some(ended);
                match setback {
                    Some(setback) if goes_on.after(setback) => {
                        same_connection = setback == Setback::No;
                    }
                    _ => break,
                }
            }
            let Some(last) = last else {
                let what = format!("the driver {} tries nothing", inputs.page.id);
                return Err(inputs.page.file.error(1, what));
            };
            Ok(Composed {
                class: last.class,
                wire: connections.join(" | "),
                says: last.says,
                version: last.version,
                by_version: dialling.by_version,
                certificate: dialling.certificate,
                places: dialling.places,
            })
        }
    }
}

/// A client that is dialling.
struct Dialling<'a> {
    inputs: Inputs<'a>,
    engine: Version,
    server: Effective,
    by_version: bool,
    certificate: &'static str,
    places: Vec<Place>,
}

/// How one try ended.
struct Ended {
    class: OutcomeClass,
    wire: String,
    says: Option<String>,
    version: Option<TlsVersion>,
    setback: Option<Setback>,
}

/// How far a handshake comes, and what the client itself shows of it.
struct Shaken {
    handshake: Handshake,
    refusal: Option<Refusal>,
    own: String,
    version: Option<TlsVersion>,
}

impl<'a> Dialling<'a> {
    fn one(&mut self, one: Try, tls: Option<&UnderTls>) -> Result<Ended, DataError> {
        let encrypted = one != Try::Plaintext;
        let rules = self.inputs.rules;
        let finds = self.inputs.settings.finds.unwrap_or_default();
        // Direct TLS is set up before the server has said a word.
        let stops = matches!(tls, Some(UnderTls::Stop(_))) && one == Try::Direct;
        let shaken = match tls.filter(|_| encrypted && (self.server.ssl || stops)) {
            Some(tls) => self.shake(tls)?,
            None => Shaken::absent(),
        };
        let admission =
            (rules.transport).admits(finds, encrypted, self.server.force_ssl, self.engine)?;
        let tried = rules.transport.tries(
            one,
            self.server.ssl,
            shaken.handshake,
            admission.admitted,
            self.engine,
        )?;
        let refused_by_server = matches!(tried.setback, Some(Setback::Hba | Setback::Login));
        if refused_by_server || tried.setback.is_none() {
            self.places.push(admission.place);
        }
        self.places.push(tried.place.clone());
        let class = match (&tried.outcome, shaken.refusal) {
            (Some(class), _) => class.clone(),
            (None, Some(refusal)) => OutcomeClass::Refused(refusal),
            (None, None) => {
                let what = "`@` stands for the driver's own refusal, and it has none here";
                return Err(self
                    .inputs
                    .page
                    .file
                    .error(1, format!("{what}: {}", tried.place)));
            }
        };
        let at_eof = match self.verifier() {
            Ok(verifier) => verifier
                .at_eof
                .clone()
                .map(|alert| format!("alert:{alert}")),
            Err(_) => None,
        };
        let wire = tried.wire(&shaken.own, &at_eof.unwrap_or_default());
        let logs_in = tried.setback.is_none() || tried.setback == Some(Setback::Login);
        Ok(Ended {
            wire: match self.inputs.page.asks_password && logs_in {
                true => format!("{wire} | {wire}"),
                false => wire,
            },
            class,
            says: admission
                .text
                .filter(|_| tried.setback == Some(Setback::Hba)),
            version: shaken
                .version
                .filter(|_| shaken.handshake == Handshake::Taken),
            setback: tried.setback,
        })
    }

    fn shake(&mut self, tls: &UnderTls) -> Result<Shaken, DataError> {
        let (verifies, anchors) = match tls {
            UnderTls::Stop(refusal) => {
                return Ok(Shaken {
                    handshake: Handshake::Stopped,
                    refusal: Some(refusal.clone()),
                    ..Shaken::absent()
                });
            }
            UnderTls::Verify(verifies, anchors) => (*verifies, *anchors),
        };
        let verifier = self.verifier()?;
        let offers = self.inputs.way.offers.unwrap_or(verifier.offers);
        let Some(version) = in_common(offers, [self.server.tls_min, self.server.tls_max]) else {
            self.by_version = true;
            return Ok(Shaken {
                handshake: Handshake::NoVersion,
                ..Shaken::absent()
            });
        };
        if let Some(gives_up) = verifier.gives_up.get(&version) {
            self.by_version = true;
            return Ok(Shaken {
                handshake: Handshake::GivenUp,
                refusal: gives_up.refused.parse().ok(),
                own: format!("alert:{}", gives_up.alert),
                version: None,
            });
        }
        if self.inputs.sees.no_cipher {
            return Ok(Shaken {
                handshake: Handshake::NoCipher,
                ..Shaken::absent()
            });
        }
        self.present(
            verifier,
            version,
            verifies,
            anchors.held(self.inputs.settings),
        )
    }

    /// The server's certificate is presented.
    fn present(
        &mut self,
        verifier: &Verifier,
        version: TlsVersion,
        verifies: Verifies,
        held: Held,
    ) -> Result<Shaken, DataError> {
        let taken = Shaken {
            handshake: Handshake::Taken,
            version: Some(version),
            ..Shaken::absent()
        };
        let (refusal, how) = match self.judged(verifier, verifies, held)? {
            Certificate::Taken => {
                self.certificate = "taken";
                return Ok(taken);
            }
            Certificate::Refused(refusal, how) => (refusal, how),
        };
        self.certificate = "refused";
        let hides = self.inputs.page.hides_reason.clone();
        let refusal = match how {
            How::After => refusal,
            How::Alert(_) | How::Silent => hides.unwrap_or(refusal),
        };
        let own = match how {
            How::After => "tls".to_owned(),
            How::Silent => String::new(),
            How::Alert(name) => {
                self.by_version |= verifier.alerts != Alerts::Clear;
                match verifier.alerts {
                    Alerts::Hidden if version == TlsVersion::Tls13 => "tls".to_owned(),
                    Alerts::Lost if version == TlsVersion::Tls13 => "tls?".to_owned(),
                    _ => format!("alert:{name}"),
                }
            }
        };
        Ok(Shaken {
            handshake: Handshake::Refused,
            refusal: Some(refusal),
            own,
            version: Some(version),
        })
    }

    fn judged(
        &mut self,
        verifier: &Verifier,
        verifies: Verifies,
        held: Held,
    ) -> Result<Certificate, DataError> {
        let settings = self.inputs.settings;
        let leaf = settings.leaf.unwrap_or_default();
        // What a person gives is to be taken.
        if leaf == Leaf::Given {
            return Ok(Certificate::Taken);
        }
        let dial = settings.host.unwrap_or_default();
        let name = self.inputs.rules.leaf_name(leaf, dial).ok_or_else(|| {
            let what = format!(
                "the axis leaf has no value for {} with host {dial:?}",
                leaf.name()
            );
            self.inputs.page.file.error(1, what)
        })?;
        let (certificate, place) = verifier.judge(name, held, verifies)?;
        self.places.push(place);
        Ok(certificate)
    }

    fn verifier(&self) -> Result<&'a Verifier, DataError> {
        let page = self.inputs.page;
        let id = page.verifier.as_deref().unwrap_or("");
        let verifiers = &self.inputs.rules.verifiers;
        (verifiers.get(id)).map(AsRef::as_ref).ok_or_else(|| {
            let valid = verifiers.keys();
            let unknown = super::UnknownWord::new("verifier", id, valid);
            page.file
                .error(page.file.line_of("verifier"), unknown.to_string())
        })
    }
}

impl Shaken {
    fn absent() -> Self {
        Self {
            handshake: Handshake::Absent,
            refusal: None,
            own: String::new(),
            version: None,
        }
    }
}

impl super::Anchors {
    /// What they hold of the server's chain in a cell.
    fn held(self, settings: &Settings) -> Held {
        match self {
            Self::None => Held::Other,
            Self::File | Self::FileAndPublic => settings.held_by_file(),
            Self::First => settings.held_by_first(),
            Self::System => settings.held_by_system(),
        }
    }
}

/// The highest TLS version that both offer.
fn in_common(client: [TlsVersion; 2], server: [TlsVersion; 2]) -> Option<TlsVersion> {
    let highest = client[1].min(server[1]);
    (highest >= client[0].max(server[0])).then_some(highest)
}
