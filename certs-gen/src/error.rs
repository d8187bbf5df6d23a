//! What can go wrong, with the way out.

use std::{io, path::PathBuf};

use openssl::error::ErrorStack;

use crate::{endpoint::DEFAULT_ENDPOINT, leaf::Leaf};

/// Why a certificate, a key or a file could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The endpoint's name cannot stand in a certificate as a dNSName.
    #[error(
        "`{name}` is not a DNS name that a certificate can carry; \
         give one without a trailing dot, a wildcard or an address, like `{DEFAULT_ENDPOINT}`"
    )]
    NotADnsName {
        /// The name as given.
        name: String,
    },
    /// The endpoint's name is longer than a common name may be, and the leaf has
    /// no other place for it.
    #[error(
        "`{}` is too long to be the common name of the leaf `{leaf}`, which has no SAN and takes \
         64 characters at most; give a shorter name, or another leaf",
        name.escape_debug()
    )]
    NameTooLong {
        /// The common name.
        name: String,
        /// The leaf.
        leaf: Leaf,
    },
    /// A file that was to be written is there: nothing is ever overwritten.
    #[error("{} exists already; remove it or choose another folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("cannot write {}; check that its folder can be written to and has room", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A key could not be generated.
    #[error("cannot generate the {key} key")]
    Key {
        /// Whose key, and of which kind.
        key: String,
        /// OpenSSL's reason.
        source: ErrorStack,
    },
    /// A certificate could not be made.
    #[error("cannot issue the certificate of {subject}: {why}")]
    Certificate {
        /// Its subject's common name, or words that say that it has none.
        subject: String,
        /// The generator's reason.
        why: String,
    },
    /// The leaf or the trust anchors `given`, and nobody gave any.
    #[error("no server certificate of somebody's own was given, and so there is no `given`")]
    NotGiven,
    /// The system gave no random bytes for a serial number.
    #[error("the system's random number generator failed")]
    Random,
}
