//! A throwaway public key infrastructure in the shape of Amazon RDS's.
//!
//! ```text
//! Amazon RDS <region> Root CA RSA2048 G1              self-signed
//! └─ Amazon RDS <region> Subordinate CA RSA2048 G1.A.1   pathlen 0
//!    └─ <endpoint's name>                             CN and SAN dNSName
//! ```
//!
//! A [`Pki`] is made for one endpoint and one run: nothing is generated before
//! it is asked for, and everything is generated once. Each subject says in its
//! O that it is a throwaway, so that nobody mistakes one for Amazon's. A server
//! certificate that somebody has can stand beside them: [`Given`].

mod bundle;
mod endpoint;
mod error;
mod file;
mod given;
mod issue;
mod keys;
mod leaf;
mod pki;
mod profile;
mod regular_file;
mod shape;
mod subject;
mod trial;
mod trust;

pub use endpoint::{DEFAULT_ENDPOINT, EndpointName};
pub use error::Error;
pub use given::{Given, GivenError, GivenFiles};
pub use keys::KeyKind;
pub use leaf::Leaf;
pub use pki::{Pki, ServerFiles};
pub use regular_file::{RegularFileError, kind, read_regular_file, read_regular_text};
pub use shape::{ADDRESS, ADDRESS_V6};
pub use trust::Trust;
