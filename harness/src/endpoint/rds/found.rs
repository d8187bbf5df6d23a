//! What is found out about someone's instance before a cell is played.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use openssl::{error::ErrorStack, x509::X509};

use super::{
    Access, RdsError,
    bundle::{Bundle, Verified, common_name, is_same},
    session::{CREATE_EXTENSION, Plaintext, RIGHTS, SETTINGS, Session, Transport, plaintext},
    wire::{self, Tls},
};
use crate::{engine::Version, suite::Kind};

/// An instance, as it was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub(super) access: Access,
    /// Where it was found.
    pub(super) address: SocketAddr,
    /// Which service it is of.
    pub(super) kind: Kind,
    /// Its version.
    pub(super) version: Version,
    /// Whether plaintext finds no line in `pg_hba.conf`.
    pub(super) force_ssl: bool,
    /// Nothing, where it offers no TLS.
    pub(super) tls: Option<Tls>,
    /// What its certificate is worth to a client that verifies.
    pub(super) certificate: Certificate,
    /// Settings that the user may see.
    pub(super) settings: BTreeMap<String, String>,
    /// What [`RIGHTS`] names.
    pub(super) rights: BTreeSet<String>,
    /// Why sslinfo's functions can't be called, where they can't.
    pub(super) no_sslinfo: Option<String>,
}

/// What a server certificate is worth to a client that verifies.
#[derive(Clone, Debug)]
pub(super) enum Certificate {
    /// There is none.
    Absent,
    /// It verifies, and is for the endpoint: leaf first, root last.
    Right(Vec<X509>),
    /// It verifies, and is for somebody else.
    OtherName(Vec<X509>),
    /// It doesn't verify.
    Unverified(String),
}

impl Found {
    /// Looks around: at most one connection at a time, one login.
    ///
    /// # Errors
    /// When the instance can't be reached, logged in to, or is none that the
    /// suites speak of; each with the way out.
    pub async fn discover(access: Access) -> Result<Self, RdsError> {
        let address = wire::resolve(&access).await?;
        let tls = wire::look(address, access.timeout).await?;
        let certificate = match &tls {
            None => Certificate::Absent,
            Some(tls) => judge(&access.bundle, &tls.sent, &access.host)?,
        };
        let knocked = plaintext(&access, address).await?;
        let transport = match (&tls, &certificate) {
            (None, _) => Transport::Plaintext,
            (Some(_), Certificate::Right(_)) => Transport::Verified(access.bundle.certificates()),
            (Some(_), _) => Transport::Unverified,
        };
        let session = Session::open(&access, address, &transport).await?;
        let settings = session.rows("show its settings", SETTINGS).await?;
        let mut settings: BTreeMap<_, _> = (settings.into_iter())
            .filter_map(|row| <[String; 2]>::try_from(row).ok().map(Into::into))
            .collect();
        let rights = session.rows("show the user's rights", RIGHTS).await?;
        let rights: BTreeSet<_> = rights.into_iter().flatten().collect();
        let no_sslinfo = sslinfo(&session, access.allow_ddl, &rights).await?;
        session.close().await;
        let version = settings.remove("server_version").unwrap_or_default();
        Ok(Self {
            kind: kind(&access.host, &knocked, &rights),
            version: supported(&version)?,
            force_ssl: knocked != Plaintext::Admitted,
            address,
            tls,
            certificate,
            settings,
            rights,
            no_sslinfo,
            access,
        })
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What was found, a line each, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let on = |on: bool| if on { "on" } else { "off" };
        let setting = |name: &str| self.settings.get(name).map(String::as_str);
        let shown = |name: &str| setting(name).unwrap_or("not to be seen");
        let tls = match &self.tls {
            None => "no TLS".to_owned(),
            Some(Tls {
                negotiated: (version, cipher),
                versions,
                ..
            }) => {
                let versions: Vec<_> = versions.iter().map(ToString::to_string).collect();
                format!(
                    "{}; negotiates {version}, {cipher}; ssl_ciphers {}",
                    versions.join(", "),
                    shown("ssl_ciphers")
                )
            }
        };
        let roles: Vec<_> = (self.rights.iter())
            .filter_map(|right| right.strip_prefix("member "))
            .collect();
        vec![
            format!("{} at {}", self.kind, self.address),
            format!(
                "rds.force_ssl {} on the wire, {} by SHOW",
                on(self.force_ssl),
                shown("rds.force_ssl")
            ),
            tls,
            self.certificate.to_string(),
            format!("RDS_CA_BUNDLE {}", self.access.bundle),
            format!(
                "user {}: {}, in {}",
                self.access.login.user,
                if self.rights.contains("superuser") {
                    "a superuser"
                } else {
                    "no superuser"
                },
                if roles.is_empty() {
                    "none of rds_superuser, pg_monitor".to_owned()
                } else {
                    roles.join(", ")
                }
            ),
            match &self.no_sslinfo {
                None => "sslinfo can be asked".to_owned(),
                Some(why) => why.clone(),
            },
        ]
    }
}

impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("no certificate"),
            Self::Unverified(why) => write!(f, "a certificate that does not verify: {why}"),
            Self::Right(chain) | Self::OtherName(chain) => {
                let end = |certificate: Option<&X509>| {
                    certificate.map_or_else(String::new, |c| common_name(c.subject_name()))
                };
                let until = chain.first().map(|leaf| leaf.not_after().to_string());
                let whom = match self {
                    Self::OtherName(_) => " for another name",
                    _ => "",
                };
                write!(
                    f,
                    "a certificate that verifies{whom}: {}, issued under {}, valid until {}",
                    end(chain.first()),
                    end(chain.last()),
                    until.unwrap_or_default()
                )
            }
        }
    }
}

/// What a certificate is worth; an error where it is the bundle that is wrong.
fn judge(bundle: &Bundle, sent: &[X509], host: &str) -> Result<Certificate, RdsError> {
    let broken = |error: ErrorStack| RdsError::Asked {
        what: "show its certificate",
        why: error.to_string(),
    };
    match bundle.verify(sent).map_err(broken)? {
        Verified::Chain(chain) => Ok(if bundle.is_for(&chain, host).map_err(broken)? {
            Certificate::Right(chain)
        } else {
            Certificate::OtherName(chain)
        }),
        Verified::ExpiredRoot(root) => Err(RdsError::ExpiredRoot {
            root: common_name(root.subject_name()),
            on: root.not_after().to_string(),
        }),
        Verified::No(why) => match stranger(bundle, sent) {
            Some(issuer) => Err(RdsError::WrongBundle {
                issuer,
                bundle: bundle.to_string(),
            }),
            None => Ok(Certificate::Unverified(why)),
        },
    }
}

/// Whom a chain ends in, where the bundle has nobody of that name: then the
/// bundle is another region's. A root of the right name and with another key is
/// an impostor's, and a leaf that came alone names nobody: both are the
/// server's to answer for.
fn stranger(bundle: &Bundle, sent: &[X509]) -> Option<String> {
    let leaf = sent.first()?;
    let mut top = leaf;
    // No chain is longer than what was sent.
    for _ in sent {
        let issuer = top.issuer_name();
        match sent[1..].iter().find(|c| is_same(c.subject_name(), issuer)) {
            Some(next) => top = next,
            None => break,
        }
    }
    let came_alone = std::ptr::eq(top, leaf);
    (!came_alone && !bundle.knows(top.issuer_name())).then(|| common_name(top.issuer_name()))
}

async fn sslinfo(
    session: &Session,
    allow_ddl: bool,
    rights: &BTreeSet<String>,
) -> Result<Option<String>, RdsError> {
    if rights.contains("extension sslinfo") {
        return Ok(None);
    }
    if !allow_ddl {
        return Ok(Some(
            "sslinfo is not created in RDS_DATABASE, and RDS_ALLOW_DDL is not 1".to_owned(),
        ));
    }
    let created = session.run("create sslinfo", CREATE_EXTENSION).await?;
    Ok(created
        .err()
        .map(|why| format!("sslinfo can't be created: {why}")))
}

fn kind(host: &str, knocked: &Plaintext, rights: &BTreeSet<String>) -> Kind {
    // NAME.proxy-ID.REGION.rds.amazonaws.com (RDS User Guide, Connecting to a
    // database through RDS Proxy).
    let proxy = (host.split('.').nth(1)).is_some_and(|label| label.starts_with("proxy-"));
    if proxy || *knocked == Plaintext::Proxy {
        Kind::RdsProxy
    } else if rights.contains("function aurora_version") {
        Kind::Aurora
    } else if rights.contains("role rds_superuser") {
        Kind::Rds
    } else {
        Kind::Other
    }
}

fn supported(version: &str) -> Result<Version, RdsError> {
    Version::from_program(&format!("(PostgreSQL) {version}"))
        .ok()
        .filter(|version| version.is_supported())
        .ok_or_else(|| RdsError::Version(version.to_owned()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const OWN: &str = "db.abcdefghijkl.eu-west-1.rds.amazonaws.com";

    #[rstest]
    #[case::rds(OWN, Plaintext::NoEntry, &["role rds_superuser"], Kind::Rds)]
    #[case::rds_by_a_name_of_its_own("db.example.com", Plaintext::Admitted, &["role rds_superuser"], Kind::Rds)]
    #[case::aurora(OWN, Plaintext::NoEntry, &["role rds_superuser", "function aurora_version"], Kind::Aurora)]
    #[case::proxy_by_its_words("db.example.com", Plaintext::Proxy, &["role rds_superuser"], Kind::RdsProxy)]
    #[case::proxy_by_its_name(
        "db.proxy-abcdefghijkl.eu-west-1.rds.amazonaws.com", Plaintext::Admitted,
        &["role rds_superuser"], Kind::RdsProxy
    )]
    #[case::another_server(OWN, Plaintext::Admitted, &["superuser"], Kind::Other)]
    fn knows_the_kind(
        #[case] host: &str,
        #[case] knocked: Plaintext,
        #[case] rights: &[&str],
        #[case] expected: Kind,
    ) {
        let rights = rights.iter().map(|right| (*right).to_owned()).collect();
        assert_eq!(kind(host, &knocked, &rights), expected);
    }
}
