//! Key pairs, each generated when first asked for and then shared.

use std::{fmt, thread};

use once_cell::sync::OnceCell;
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256};

use crate::error::Error;

/// A kind of key, and with it the algorithm that it signs by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum KeyKind {
    /// RSA 2048 with SHA-256: `rds-ca-rsa2048-g1`.
    Rsa2048,
    /// P-384 with SHA-384: `rds-ca-ecc384-g1`.
    EcdsaP384,
}

impl KeyKind {
    pub(crate) const ALL: [Self; 2] = [Self::Rsa2048, Self::EcdsaP384];

    /// RDS's spelling, as in the names of its CAs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "RSA2048",
            Self::EcdsaP384 => "ECC384",
        }
    }

    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            // An RSA algorithm alone means 2048 bits.
            Self::Rsa2048 => KeyPair::generate_for(&PKCS_RSA_SHA256),
            Self::EcdsaP384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        }
    }
}

/// Who holds a key. Two holders never share one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Holder {
    /// The root.
    Root,
    /// The subordinate CA.
    Subordinate,
    /// The server. Its leaves differ in what their certificates say, and that
    /// is all that a client can judge; so leaves of a kind share a key, and a
    /// server changes its leaf without a key to deliver.
    Server,
    /// Every CA that has issued nothing here: a client sees its certificate
    /// alone, and finds it by its name, which is its own.
    Stranger,
}

impl Holder {
    const COUNT: usize = 4;
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Subordinate => "subordinate CA",
            Self::Server => "server",
            Self::Stranger => "other CAs'",
        })
    }
}

/// A key for each holder and kind.
#[derive(Default)]
pub(crate) struct Keys([[OnceCell<KeyPair>; KeyKind::ALL.len()]; Holder::COUNT]);

impl Keys {
    /// The key, generated now if nobody has asked for it yet; who asks while
    /// it is being generated waits for it.
    pub(crate) fn get(&self, holder: Holder, kind: KeyKind) -> Result<&KeyPair, Error> {
        self.0[holder as usize][kind as usize].get_or_try_init(|| {
            kind.generate().map_err(|source| Error::Key {
                key: format!("{holder} {}", kind.name()),
                source,
            })
        })
    }

    /// Generates the keys that are missing side by side: a prime is found
    /// by luck, and an RSA key takes anything from 20 to 200 ms of a core.
    pub(crate) fn prepare(&self, wanted: &[(Holder, KeyKind)]) -> Result<(), Error> {
        thread::scope(|scope| {
            let missing = wanted
                .iter()
                .filter(|(holder, kind)| self.0[*holder as usize][*kind as usize].get().is_none());
            let running: Vec<_> = missing
                .map(|&(holder, kind)| scope.spawn(move || self.get(holder, kind).map(drop)))
                .collect();
            running.into_iter().try_for_each(|thread| {
                thread
                    .join()
                    .expect("generating a key returns its errors and does not panic")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prepare_generates_what_was_asked_for_and_no_more() {
        let keys = Keys::default();
        keys.prepare(&[
            (Holder::Server, KeyKind::EcdsaP384),
            (Holder::Server, KeyKind::EcdsaP384),
            (Holder::Stranger, KeyKind::EcdsaP384),
        ])
        .unwrap();
        let made = keys.0.iter().flatten().filter(|key| key.get().is_some());
        assert_eq!(made.count(), 2);
    }

    #[test]
    fn holders_have_keys_of_their_own() {
        let keys = Keys::default();
        let of = |holder| {
            keys.get(holder, KeyKind::EcdsaP384)
                .unwrap()
                .serialized_der()
        };
        assert_ne!(of(Holder::Server), of(Holder::Stranger));
        assert_eq!(of(Holder::Server), of(Holder::Server));
    }

    #[test]
    fn an_index_fits_its_table() {
        assert_eq!(Holder::Stranger as usize + 1, Holder::COUNT);
        for (index, kind) in KeyKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
