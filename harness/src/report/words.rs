//! Names and sentences that all reports share.

use std::fmt;

use crate::{
    judge::{Observed, Verdict},
    policy::{Admits, Policy},
    suite::{Cell, Expectation, OutcomeClass},
};

/// A verdict's name.
#[must_use]
pub fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail(_) => "fail",
        Verdict::Known { .. } => "known",
        Verdict::Skipped(_) => "skipped",
        Verdict::Broken(_) => "broken",
    }
}

/// A policy in settings: `force_ssl on, leaf right`; what isn't named has the
/// engine's RDS default.
#[must_use]
pub fn policy(policy: &Policy) -> String {
    let on = |on: bool| if on { "on" } else { "off" };
    [
        policy.ssl.map(|ssl| format!("ssl {}", on(ssl))),
        policy
            .force_ssl
            .map(|force| format!("rds.force_ssl {}", on(force))),
        policy.tls_min.map(|min| format!("{min} at least")),
        policy.tls_max.map(|max| format!("{max} at most")),
        policy
            .ciphers
            .as_ref()
            .map(|list| format!("ssl_ciphers {list}")),
        Some(format!("certificate {}", policy.leaf.about())),
        match policy.admits {
            Admits::Everyone => None,
            Admits::Master => Some("the master user alone in pg_hba.conf".into()),
            Admits::PlaintextOnly => Some("hostnossl lines alone in pg_hba.conf".into()),
        },
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<String>>()
    .join(", ")
}

/// What a cell expects, as its row says it.
#[must_use]
pub fn expected(cell: &Cell) -> Described {
    match &cell.expects {
        Expectation::Skip(why) => Described {
            outcome: format!("skip: {why}"),
            wire: "-".to_owned(),
        },
        Expectation::See(expected) => Described {
            outcome: [
                Some(sentence(&expected.class)),
                expected.negotiates.map(|version| version.to_string()),
                expected.cipher.clone(),
                (expected.common_name)
                    .then(|| "by a certificate with the endpoint as common name".to_owned()),
                expected.says.as_ref().map(|text| format!("«{text}»")),
                (expected.answers.as_ref()).map(|answer| format!("and the answer\n{answer}")),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
            wire: expected.wire.to_string(),
        },
    }
}

/// An outcome and a wire, for reading.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
pub struct Described {
    /// In the vocabulary of the truth tables, a refusal with its meaning.
    pub outcome: String,
    /// In the vocabulary of the tap.
    pub wire: String,
}

impl From<&Observed> for Described {
    fn from(seen: &Observed) -> Self {
        Self {
            outcome: match &seen.class {
                Ok(class) => sentence(class),
                Err(no_word) => no_word.to_string(),
            },
            wire: seen.wire.to_string(),
        }
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; wire: {}", self.outcome, self.wire)
    }
}

fn sentence(class: &OutcomeClass) -> String {
    match class {
        OutcomeClass::Refused(refusal) => format!("{class} ({})", refusal.meaning()),
        OutcomeClass::Plaintext | OutcomeClass::Encrypted => class.to_string(),
    }
}
