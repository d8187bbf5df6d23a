//! Why a container could not be had.

use testcontainers::bollard::errors::Error as DockerError;

use crate::{causes::causes, engine::Version};

/// Why a container could not be had, used or removed.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// Nothing speaks Docker's API where it should.
    #[error(
        "no Docker daemon answers ({0}); start one, name its socket by DOCKER_HOST, \
         or take a server of this machine by `--backend embedded`"
    )]
    NoDaemon(String),
    /// Ports are published on the loopback address of the daemon's machine.
    #[error(
        "DOCKER_HOST names another machine ({0}), whose loopback address can't be reached from \
         here; name a daemon of this machine, or take `--backend embedded`"
    )]
    Elsewhere(String),
    /// No such image.
    #[error(
        "the image {reference} is not here and can't be pulled ({why}); RDS_TLS_IMAGE names \
         another, and `ci/offline-image` makes one from Debian's packages"
    )]
    NoImage {
        /// As `postgres:17`.
        reference: String,
        /// What the daemon said.
        why: String,
    },
    /// `RDS_TLS_IMAGE` has a tag, and somebody asks for several versions.
    #[error(
        "RDS_TLS_IMAGE is {reference}, one image, and PostgreSQL {request} is not in it; \
         leave out the tag, so that the version is the tag, or ask for {version} alone"
    )]
    OtherVersion {
        /// The image.
        reference: String,
        /// What it has.
        version: Version,
        /// What was asked for.
        request: Version,
    },
    /// The image keeps its version to itself.
    #[error(
        "the image {0} has no variable PG_MAJOR that says which PostgreSQL from 10 to 18 is in it, \
         as the official image has; RDS_TLS_IMAGE names another"
    )]
    NoVersion(String),
    /// The server that came up is not the one that the image promised.
    #[error("the image {reference} says that it has PostgreSQL {says}, and runs {runs}")]
    Mislabelled {
        /// The image.
        reference: String,
        /// Its `PG_MAJOR`.
        says: Version,
        /// What the server says.
        runs: Version,
    },
    /// The daemon refused something.
    #[error("Docker could not {what}: {why}")]
    Refused {
        /// As `start the container x`.
        what: String,
        /// What it said.
        why: String,
    },
    /// A container is still there.
    #[error(
        "the container {name} could not be removed ({why}); the next run removes it, or \
         `docker rm --force --volumes {name}` does"
    )]
    LeftBehind {
        /// Its name.
        name: String,
        /// What the daemon said.
        why: String,
    },
}

impl ContainerError {
    /// Whether this machine has no daemon to ask: all else is an error of one
    /// that answers, or of what it was asked for.
    #[must_use]
    pub fn is_no_daemon(&self) -> bool {
        matches!(self, Self::NoDaemon(_) | Self::Elsewhere(_))
    }

    /// Says what the daemon was to do.
    pub(super) fn refused(what: impl Into<String>) -> impl FnOnce(DockerError) -> Self {
        let what = what.into();
        move |error| Self::Refused {
            what,
            why: describe(&error),
        }
    }
}

/// An error with its causes, each once, on one line.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
