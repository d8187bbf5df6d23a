//! A PostgreSQL that behaves like RDS, wherever it runs.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Instant};

use certs_gen::Pki;
use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::{
    Applied, Endpoint, EndpointError, Facts, Limits, LogMark, Login,
    admin::Admin,
    bootstrap::{Master, Passwords, first_session},
    keys::{Keys, Source},
    log::Log,
    place::Place,
    probe::{Expected, Seen},
    sanity::Sanity,
    switch::Switch,
};
use crate::{
    engine::{STRANGER, Version},
    policy::{self, Admits, Defaults, DefaultsTable, Effective, Policy, TlsVersion},
    rundir::RunDir,
};

/// The database that RDS makes and that attempts open.
pub(super) const DATABASE: &str = "postgres";

/// What an emulated endpoint is made of.
#[derive(Clone)]
pub struct Options {
    /// RDS's defaults.
    pub defaults: DefaultsTable,
    /// Keys and certificates; also knows the endpoint's name.
    pub pki: Arc<Pki>,
    /// Where all files go.
    pub run_dir: Arc<RunDir>,
    /// The port of 127.0.0.1 to listen on; any free one without.
    pub port: Option<u16>,
    /// Who the master user is.
    pub master: Master,
}

impl Options {
    pub(super) fn defaults_of(&self, version: Version) -> Result<Defaults, EndpointError> {
        let defaults = self.defaults.of(version);
        defaults.cloned().ok_or(EndpointError::NoDefaults(version))
    }

    pub(super) fn source(&self) -> Source {
        Source::new(Arc::clone(&self.pki), Arc::clone(&self.run_dir))
    }
}

/// A server that has its roles and passwords, and no policy yet.
pub(super) struct Started<P> {
    pub(super) place: P,
    pub(super) version: Version,
    pub(super) address: SocketAddr,
    pub(super) passwords: Passwords,
    pub(super) defaults: Defaults,
    /// What its OpenSSL was told at the start.
    pub(super) effective: Effective,
    pub(super) source: Source,
}

/// A PostgreSQL server that behaves like RDS. Dropped without
/// [`Endpoint::shutdown`], it ends its server and removes its files all the
/// same, blocking for as long as that takes.
pub(super) struct Emulated<P> {
    facts: Facts,
    defaults: Defaults,
    admin: Admin,
    sanity: Sanity,
    generation: u64,
    /// The TLS versions that the server was started with, where only a start
    /// can set them.
    limits: (TlsVersion, TlsVersion),
    /// What the last switch came to, unless it failed.
    in_force: Option<Effective>,
    // Dropped in this order: the server ends and its files go, then maybe the
    // run's folder, which the keys hold.
    place: P,
    keys: Keys,
}

impl<P: Place> Emulated<P> {
    /// Switches a server to RDS's defaults.
    ///
    /// # Errors
    /// When the server does not show them. Nothing is left behind then.
    pub(super) async fn new(started: Started<P>) -> Result<Self, EndpointError> {
        let Started {
            place,
            version,
            address,
            passwords,
            defaults,
            effective,
            source,
        } = started;
        let login = |user: &str, password: &SecretString| Login {
            user: user.to_owned(),
            password: password.clone(),
            database: DATABASE.to_owned(),
        };
        let mut emulated = Self {
            facts: Facts {
                kind: P::KIND,
                engine: version,
                host: source.host().to_owned(),
                address,
                master: login(&passwords.master_user, &passwords.master),
                stranger: login(STRANGER, &passwords.stranger),
                trust: BTreeMap::new(),
                limits: Limits::default(),
                found: Vec::new(),
            },
            defaults,
            admin: Admin::new(address, passwords.admin),
            sanity: Sanity::new()?,
            generation: 0,
            limits: (effective.tls_min, effective.tls_max),
            in_force: None,
            place,
            keys: Keys::new(source),
        };
        emulated.switch(&Policy::default()).await?;
        Ok(emulated)
    }

    async fn switch(&mut self, policy: &Policy) -> Result<Applied, EndpointError> {
        let began = Instant::now();
        let version = self.facts.engine;
        self.in_force = None;
        let policy = policy.effective(&self.defaults);
        let leaf = self.keys.deliver(policy.leaf, &self.place).await?;
        if !version.has_protocol_settings() && self.limits != (policy.tls_min, policy.tls_max) {
            self.restart(&policy).await?;
        }
        self.generation += 1;
        let switch = Switch {
            address: self.facts.address,
            hba_file: self.place.hba_file(),
            hba: &policy::hba(&policy, P::ADMIN_FROM, &self.facts.master.user),
            settings: &policy::settings(&policy, version, &leaf.paths),
            generation: self.generation,
            log: self.place.log(),
            expected: Expected {
                policy: &policy,
                leaf_sha256: leaf.leaf_sha256,
            },
        };
        let seen = switch.make(self.admin.session().await?).await?;
        self.in_force = Some(policy);
        let (leaf_sha256, negotiated) = match seen {
            Seen::Tls {
                leaf_sha256,
                version,
                cipher,
            } => (Some(leaf_sha256), Some((version, cipher))),
            Seen::NoTls | Seen::Failed(_) => (None, None),
        };
        Ok(Applied {
            leaf_sha256,
            negotiated,
            took: began.elapsed(),
        })
    }

    /// The only way to other TLS versions on 10 and 11.
    async fn restart(&mut self, policy: &Effective) -> Result<(), EndpointError> {
        let version = self.facts.engine;
        self.admin.close();
        (self.place)
            .restart(&policy::openssl_conf(policy, version))
            .await?;
        first_session(&mut self.place, version, self.admin.config()).await?;
        self.limits = (policy.tls_min, policy.tls_max);
        Ok(())
    }

    async fn sanity_login(&self) -> Result<(), EndpointError> {
        let facts = &self.facts;
        match &self.in_force {
            Some(policy) => {
                let over_tls = policy.ssl && policy.admits != Admits::PlaintextOnly;
                self.sanity.login(facts, over_tls).await
            }
            None => Err(EndpointError::Sanity {
                user: facts.master.user.clone(),
                why: "no policy is in force".to_owned(),
            }),
        }
    }

    async fn stop(mut self) -> Result<(), EndpointError> {
        self.admin.close();
        self.place.stop().await
    }
}

impl<P: Place + 'static> Endpoint for Emulated<P> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn apply<'a>(
        &'a mut self,
        policy: &'a Policy,
    ) -> BoxFuture<'a, Result<Applied, EndpointError>> {
        Box::pin(self.switch(policy))
    }

    fn sanity(&self) -> BoxFuture<'_, Result<(), EndpointError>> {
        Box::pin(self.sanity_login())
    }

    fn log_mark(&self) -> BoxFuture<'_, Result<LogMark, EndpointError>> {
        Box::pin(self.place.log().mark())
    }

    fn log_since(&self, mark: LogMark) -> BoxFuture<'_, Result<String, EndpointError>> {
        Box::pin(self.place.log().since(mark))
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), EndpointError>> {
        Box::pin(self.stop())
    }
}
