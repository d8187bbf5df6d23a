//! The promises of the RDS document, by id.

use serde::Deserialize;
use toml::Spanned;

use super::{DataError, SourceFile};

/// One promise of the RDS document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// `RDS-TLS-04`.
    pub id: Spanned<String>,
    /// The heading under which the document makes it.
    pub paragraph: String,
    /// The promise, in our words.
    pub says: String,
    /// What is known to be otherwise, where something is.
    pub note: Option<String>,
}

/// All claims.
#[derive(Clone, Debug, Default)]
pub struct Claims(Vec<Claim>);

impl Claims {
    /// Reads `claims.toml`.
    ///
    /// # Errors
    /// When the file is no such file, or an id stands twice.
    pub fn parse(file: &SourceFile) -> Result<Self, DataError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            claim: Vec<Claim>,
        }
        let File { claim: claims } = file.parse()?;
        for (nth, claim) in claims.iter().enumerate() {
            if claims[..nth]
                .iter()
                .any(|c| c.id.as_ref() == claim.id.as_ref())
            {
                return Err(file.error(
                    file.line(&claim.id.span()),
                    format!("claim {} stands twice", claim.id.as_ref()),
                ));
            }
        }
        Ok(Self(claims))
    }

    /// The claim with an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Claim> {
        self.0.iter().find(|claim| claim.id.as_ref() == id)
    }

    /// All claims, in the file's order.
    pub fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.0.iter()
    }
}
