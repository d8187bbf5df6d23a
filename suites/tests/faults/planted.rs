//! Faults to plant in a real server and a real driver.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use harness::{
    driver::{Attempt, CouldNotRun, Driver, Form, Outcome, Surroundings},
    endpoint::{Applied, Endpoint, EndpointError, Facts, LogMark},
    policy::Policy,
};

/// An endpoint that applies another policy than it is told.
pub struct Altered {
    pub inner: Box<dyn Endpoint>,
    pub alter: fn(&Policy) -> Policy,
}

impl Endpoint for Altered {
    fn facts(&self) -> &Facts {
        self.inner.facts()
    }

    fn apply<'a>(
        &'a mut self,
        policy: &'a Policy,
    ) -> BoxFuture<'a, Result<Applied, EndpointError>> {
        Box::pin(async { self.inner.apply(&(self.alter)(policy)).await })
    }

    fn sanity(&self) -> BoxFuture<'_, Result<(), EndpointError>> {
        self.inner.sanity()
    }

    fn log_mark(&self) -> BoxFuture<'_, Result<LogMark, EndpointError>> {
        self.inner.log_mark()
    }

    fn log_since(&self, mark: LogMark) -> BoxFuture<'_, Result<String, EndpointError>> {
        self.inner.log_since(mark)
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), EndpointError>> {
        self.inner.shutdown()
    }
}

/// A driver that verifies nothing, whatever it is told.
pub struct Careless(pub Arc<dyn Driver>);

impl Driver for Careless {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn play<'a>(
        &'a self,
        _: &'a Surroundings,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Outcome, CouldNotRun>> {
        let careless = Attempt {
            sslmode: Some("require".to_owned()),
            sslrootcert: None,
            ..attempt.clone()
        };
        Box::pin(async move { self.0.play(&Surroundings::default(), &careless).await })
    }
}

/// A driver that takes an attempt for another.
pub struct Mistaken {
    pub inner: Arc<dyn Driver>,
    pub mistake: fn(Attempt) -> Attempt,
}

impl Driver for Mistaken {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn play<'a>(
        &'a self,
        surroundings: &'a Surroundings,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Outcome, CouldNotRun>> {
        let mistaken = (self.mistake)(attempt.clone());
        Box::pin(async move { self.inner.play(surroundings, &mistaken).await })
    }
}

/// Overlooks sslmode in a URI.
pub fn forgets_sslmode(mut attempt: Attempt) -> Attempt {
    if attempt.form == Form::Uri {
        attempt.sslmode = None;
    }
    attempt
}

/// Doesn't ask what it is to ask.
pub fn does_not_ask(mut attempt: Attempt) -> Attempt {
    attempt.query = None;
    attempt
}
