//! What is said once for all suites: leaves, verifiers, what a server does, and
//! RDS's defaults.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    sync::Arc,
};

use super::{DataError, Dial, Place, SourceFile, Transport, Verifier, file::Axes};
use crate::{
    engine::{NEWEST, OLDEST, Version},
    policy::{Defaults, DefaultsTable, Leaf},
};

/// Major versions that the tables must answer for.
pub const ENGINES: RangeInclusive<u16> = OLDEST..=NEWEST;

/// The axis of server certificates.
pub const LEAF: &str = "leaf";

/// The facts that cells are composed of, beside a driver's page and a suite.
#[derive(Debug)]
pub struct Rules {
    /// The axes that all suites may name.
    pub axes: Axes,
    /// TLS stacks by id.
    pub verifiers: BTreeMap<String, Arc<Verifier>>,
    /// What a server does.
    pub transport: Transport,
    /// RDS's defaults.
    pub defaults: DefaultsTable,
    /// `engines.toml`, for errors.
    pub engines_file: SourceFile,
}

impl Rules {
    /// RDS's defaults for an engine.
    ///
    /// # Errors
    /// When `engines.toml` has none.
    pub fn defaults(&self, engine: Version) -> Result<&Defaults, DataError> {
        self.defaults.of(engine).ok_or_else(|| {
            let what = format!("no row for PostgreSQL {engine}");
            self.engines_file.error(1, what)
        })
    }

    /// The name of a certificate, dialled by name or address, on the axis of leaves.
    #[must_use]
    pub fn leaf_name(&self, leaf: Leaf, dial: Dial) -> Option<&str> {
        let values = self.axes.get(LEAF)?;
        let found = values.iter().find(|(_, settings)| {
            settings.leaf.unwrap_or_default() == leaf && settings.host.unwrap_or_default() == dial
        });
        found.map(|(name, _)| name.as_str())
    }

    /// Versions of a major one that stand for all: the first, and those from which
    /// on a default or a row is another; the major number alone where none is.
    pub fn versions(&self, major: u16, turns: impl Iterator<Item = u16>) -> Vec<Version> {
        let mut minors: BTreeSet<u16> = (self.defaults.turns(major))
            .chain(self.transport.turns(major))
            .chain(turns)
            .collect();
        if minors.is_empty() {
            return vec![Version { major, minor: None }];
        }
        minors.insert(0);
        let version = |minor| Version {
            major,
            minor: Some(minor),
        };
        minors.into_iter().map(version).collect()
    }

    /// A row of a verifier or of `transport.toml` that no cell needs.
    #[must_use]
    pub fn idle(&self) -> Option<Place> {
        let mut verifiers = self.verifiers.values();
        (verifiers.find_map(|verifier| verifier.idle())).or_else(|| self.transport.idle())
    }
}
