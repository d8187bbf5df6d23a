//! Which cells say something about an instance that is as it is.

use super::{Found, found::Certificate, wire::Tls};
use crate::{
    engine::RESERVED_DATABASE,
    policy::{Admits, Defaults, Leaf, Policy, TlsVersion},
    suite::{Cell, Given, Kind, OutcomeClass, Role, Settings, Trust, Who},
    tap::Word,
};

/// The functions of sslinfo (sslinfo--1.2.sql).
const SSLINFO: [&str; 9] = [
    "ssl_is_used",
    "ssl_version",
    "ssl_cipher",
    "ssl_client_cert_present",
    "ssl_client_serial",
    "ssl_client_dn",
    "ssl_client_dn_field",
    "ssl_issuer_dn",
    "ssl_issuer_field",
];

impl Found {
    /// Why a cell can't be played on the instance; `None` where it can.
    pub(super) fn leaves_out(&self, defaults: &Defaults, cell: &Cell) -> Option<String> {
        let settings = &cell.case.settings;
        self.lacks_kind(settings)
            .or_else(|| self.stands_behind_a_proxy(cell))
            .or_else(|| self.lacks_role(settings))
            .or_else(|| self.must_not_ask(cell.case.question()))
            .or_else(|| self.is_not_as_given(defaults, cell))
            .or_else(|| self.lacks_version(defaults, cell))
    }

    fn lacks_kind(&self, settings: &Settings) -> Option<String> {
        let kind = settings.kind.filter(|kind| *kind != self.kind)?;
        Some(format!(
            "it is a promise of {kind}, and this is {}",
            self.kind
        ))
    }

    /// A proxy's session is not the client's: `pg_stat_ssl` tells of its own.
    fn stands_behind_a_proxy(&self, cell: &Cell) -> Option<String> {
        let class = &cell.expected()?.class;
        let by_client =
            matches!(class, OutcomeClass::Refused(refusal) if refusal.sqlstate.is_none());
        (self.kind == Kind::RdsProxy && !by_client).then(|| {
            "an RDS Proxy answers for the instance, in its own words and with its own session; \
             name the instance in RDS_ENDPOINT"
                .to_owned()
        })
    }

    fn lacks_role(&self, settings: &Settings) -> Option<String> {
        if settings.user == Some(Who::Stranger)
            || settings
                .admits
                .is_some_and(|admits| admits != Admits::Everyone)
        {
            return Some("it needs a role that has no line in pg_hba.conf".to_owned());
        }
        let member = |role: Role| self.rights.contains(&format!("member {role}"));
        if let Some(role) = settings.member_of.filter(|role| !member(*role)) {
            return Some(format!("it needs a member of {role}, and RDS_USER is none"));
        }
        let amazons = matches!(self.kind, Kind::Rds | Kind::Aurora);
        let reserved = settings.database.as_deref() == Some(RESERVED_DATABASE);
        ((reserved || settings.options.contains_key("replication")) && !amazons).then(|| {
            format!(
                "it is about lines of pg_hba.conf that Amazon writes, and this is {}",
                self.kind
            )
        })
    }

    /// Nothing is written to someone's instance by a cell.
    fn must_not_ask(&self, question: Option<&str>) -> Option<String> {
        // psql's own commands are no statements.
        let question = question.filter(|question| !question.starts_with('\\'))?;
        let verb = question.split_whitespace().next().unwrap_or_default();
        if !["SELECT", "SHOW"].contains(&verb.to_ascii_uppercase().as_str()) {
            return Some(format!("{verb} may write, and nothing is written here"));
        }
        // RDS has versions that know force_ssl by its lines in pg_hba.conf alone.
        let shown = question.split_whitespace().nth(1).unwrap_or_default();
        if verb.eq_ignore_ascii_case("SHOW")
            && shown.starts_with("rds.")
            && !self.settings.contains_key(shown)
        {
            return Some(format!("the instance has no setting {shown} to show"));
        }
        let calls = |function: &&str| question.contains(&format!("{function}("));
        (SSLINFO.iter().any(calls))
            .then(|| self.no_sslinfo.clone())
            .flatten()
    }

    fn is_not_as_given(&self, defaults: &Defaults, cell: &Cell) -> Option<String> {
        let settings = &cell.case.settings;
        match settings.given.unwrap_or_default() {
            Given::Nothing => None,
            Given::Tls => self.offers_no_tls(),
            Given::Chain => self.offers_no_tls().or_else(|| match &self.certificate {
                Certificate::Unverified(_) => {
                    Some("the certificate does not verify, of which another cell tells".to_owned())
                }
                _ => None,
            }),
            Given::Policy => self
                .is_otherwise(defaults, &settings.policy())
                .or_else(|| self.lacks_anchors(settings)),
        }
    }

    fn offers_no_tls(&self) -> Option<String> {
        (self.tls.is_none())
            .then(|| "the instance offers no TLS, of which another cell tells".to_owned())
    }

    /// How the instance differs from a policy, and from RDS's defaults where
    /// the policy is silent.
    pub(super) fn is_otherwise(&self, defaults: &Defaults, policy: &Policy) -> Option<String> {
        let wanted = policy.effective(defaults);
        let on = |on: bool| if on { "on" } else { "off" };
        let about = |here: String| Some(format!("it is about a server with {here}"));
        if wanted.ssl != self.tls.is_some() {
            let (is, not) = if wanted.ssl {
                ("with", "none")
            } else {
                ("without", "it")
            };
            return Some(format!(
                "it is about a server {is} TLS, and the instance offers {not}"
            ));
        }
        if wanted.force_ssl != self.force_ssl {
            return about(format!(
                "rds.force_ssl {}, and here it is {}",
                on(wanted.force_ssl),
                on(self.force_ssl)
            ));
        }
        if wanted.leaf != Leaf::Right {
            return about("another certificate than the instance has".to_owned());
        }
        if wanted.ssl && !matches!(self.certificate, Certificate::Right(_)) {
            return about(
                "a certificate that verifies for the endpoint's name, and here it does not"
                    .to_owned(),
            );
        }
        let (min, max) = self.limits();
        if policy.tls_min.is_some_and(|wanted| Some(wanted) != min) {
            return about(format!("{} at least", wanted.tls_min));
        }
        if policy.tls_max.is_some_and(|wanted| Some(wanted) != max) {
            return about(format!("{} at most", wanted.tls_max));
        }
        let ciphers = self.settings.get("ssl_ciphers");
        if policy.ciphers.is_some() && policy.ciphers.as_ref() != ciphers {
            return about(format!("ssl_ciphers {}", wanted.ciphers));
        }
        None
    }

    /// Trust anchors are taken from the bundle, as far as it goes.
    fn lacks_anchors(&self, settings: &Settings) -> Option<String> {
        let Certificate::Right(chain) = &self.certificate else {
            return None;
        };
        let named = [
            settings.sslrootcert,
            settings.home_root_crt,
            settings.ssl_cert_file,
        ];
        let needs = |trust: Trust| named.contains(&Some(trust));
        if (needs(Trust::Subordinate) || needs(Trust::Both)) && chain.len() < 3 {
            return Some("no subordinate CA stands between root and certificate here".to_owned());
        }
        let first = self.access.bundle.certificates().first();
        (needs(Trust::Bundle) && first == chain.last()).then(|| {
            "it is about a bundle whose first certificate is a stranger's, and RDS_CA_BUNDLE \
             begins with the instance's root"
                .to_owned()
        })
    }

    /// Versions that the tables take from RDS's defaults, and that are others
    /// here: of the server where a row speaks of some engines alone and a
    /// handshake is expected, and where the client is held to some.
    fn lacks_version(&self, defaults: &Defaults, cell: &Cell) -> Option<String> {
        let wire = &cell.expected()?.wire;
        let settings = &cell.case.settings;
        let (min, max) = self.limits();
        let (min, max) = min.zip(max)?;
        let highest = cell.case.way.offers.map(|[_, highest]| highest);
        if settings.given.unwrap_or_default() != Given::Policy {
            return (highest.is_some_and(|highest| highest < min))
                .then(|| format!("the instance takes no version below {min}"));
        }
        let shakes_hands = (wire.connections().iter().flatten()).any(|word| *word == Word::Hello);
        let tls_max = settings.tls_max.unwrap_or(defaults.tls_max);
        let tls_min = settings.tls_min.unwrap_or(defaults.tls_min);
        let by_max = cell.by_version && shakes_hands && max != tls_max;
        let pinned = cell.case.way.offers.is_some();
        let by_limits = pinned && (min, max) != (tls_min, tls_max);
        (by_max || by_limits).then(|| {
            format!(
                "it follows from RDS's {tls_min} to {tls_max} for this engine, and here it is \
                 {min} to {max}"
            )
        })
    }

    /// The lowest and the highest version that the instance takes.
    fn limits(&self) -> (Option<TlsVersion>, Option<TlsVersion>) {
        let versions = self.tls.as_ref().map_or(&[][..], |tls: &Tls| &tls.versions);
        (versions.first().copied(), versions.last().copied())
    }
}
