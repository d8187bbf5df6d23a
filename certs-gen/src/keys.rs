//! Key pairs, each generated when first asked for and then shared.

use std::{fmt, thread};

use once_cell::sync::OnceCell;
use openssl::{
    bn::BigNumContext,
    ec::{EcGroup, EcKey, PointConversionForm},
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, PKeyRef, Private},
    rsa::Rsa,
    sign::Signer,
};
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PKCS_RSA_SHA384,
    PublicKeyData, SignatureAlgorithm, SigningKey,
};

use crate::error::Error;

/// A kind of key, and with it the algorithm that it signs by.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum KeyKind {
    /// RSA 1024 with SHA-256: 80 bits of strength, below what the CA/Browser
    /// Forum and NIST SP 800-57 let pass since 2014.
    Rsa1024,
    /// RSA 2048 with SHA-256: `rds-ca-rsa2048-g1`.
    Rsa2048,
    /// RSA 4096 with SHA-384: `rds-ca-rsa4096-g1`.
    Rsa4096,
    /// P-384 with SHA-384: `rds-ca-ecc384-g1`.
    EcdsaP384,
    /// P-256 with SHA-256.
    EcdsaP256,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Rsa1024,
        Self::Rsa2048,
        Self::Rsa4096,
        Self::EcdsaP384,
        Self::EcdsaP256,
    ];

    /// RDS's spelling, as in the names of its CAs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rsa1024 => "RSA1024",
            Self::Rsa2048 => "RSA2048",
            Self::Rsa4096 => "RSA4096",
            Self::EcdsaP384 => "ECC384",
            Self::EcdsaP256 => "ECC256",
        }
    }

    /// The file that holds the server's key of this kind, beneath the PKI's
    /// folder.
    #[must_use]
    pub const fn server_file(self) -> &'static str {
        match self {
            Self::Rsa1024 => "server-rsa1024.key",
            Self::Rsa2048 => "server-rsa2048.key",
            Self::Rsa4096 => "server-rsa4096.key",
            Self::EcdsaP384 => "server-ecc384.key",
            Self::EcdsaP256 => "server-ecc256.key",
        }
    }

    fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        let rsa = |bits| Rsa::generate(bits).and_then(PKey::from_rsa);
        let ecdsa = |curve| {
            let group = EcGroup::from_curve_name(curve)?;
            PKey::from_ec_key(EcKey::generate(&group)?)
        };
        match self {
            Self::Rsa1024 => rsa(1024),
            Self::Rsa2048 => rsa(2048),
            Self::Rsa4096 => rsa(4096),
            Self::EcdsaP384 => ecdsa(Nid::SECP384R1),
            Self::EcdsaP256 => ecdsa(Nid::X9_62_PRIME256V1),
        }
    }

    const fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::Rsa1024 | Self::Rsa2048 => &PKCS_RSA_SHA256,
            Self::Rsa4096 => &PKCS_RSA_SHA384,
            Self::EcdsaP384 => &PKCS_ECDSA_P384_SHA384,
            Self::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
        }
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Rsa1024 | Self::Rsa2048 | Self::EcdsaP256 => MessageDigest::sha256(),
            Self::Rsa4096 | Self::EcdsaP384 => MessageDigest::sha384(),
        }
    }
}

/// A key pair of OpenSSL's: rcgen makes no RSA key of 1024 bits, and takes
/// none from elsewhere.
pub(crate) struct Key {
    kind: KeyKind,
    pair: PKey<Private>,
    /// What stands in the bit string of a `SubjectPublicKeyInfo`.
    public: Vec<u8>,
}

impl Key {
    fn generate(kind: KeyKind) -> Result<Self, ErrorStack> {
        let pair = kind.generate()?;
        let public = match kind {
            KeyKind::Rsa1024 | KeyKind::Rsa2048 | KeyKind::Rsa4096 => {
                pair.rsa()?.public_key_to_der_pkcs1()?
            }
            KeyKind::EcdsaP384 | KeyKind::EcdsaP256 => {
                let key = pair.ec_key()?;
                let mut context = BigNumContext::new()?;
                let form = PointConversionForm::UNCOMPRESSED;
                key.public_key().to_bytes(key.group(), form, &mut context)?
            }
        };
        Ok(Self { kind, pair, public })
    }

    pub(crate) fn pair(&self) -> &PKeyRef<Private> {
        &self.pair
    }

    /// PKCS #8, PEM.
    pub(crate) fn pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.pair.private_key_to_pem_pkcs8()
    }

    /// What the key signs its certificates by.
    pub(crate) fn digest(&self) -> MessageDigest {
        self.kind.digest()
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.kind.algorithm()
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Signer::new(self.digest(), &self.pair)
            .and_then(|mut signer| signer.sign_oneshot_to_vec(message))
            .map_err(|_| rcgen::Error::RemoteKeyError)
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
pub(crate) struct Keys([[OnceCell<Key>; KeyKind::ALL.len()]; Holder::COUNT]);

impl Keys {
    /// The key, generated now if nobody has asked for it yet; who asks while
    /// it is being generated waits for it.
    pub(crate) fn get(&self, holder: Holder, kind: KeyKind) -> Result<&Key, Error> {
        self.0[holder as usize][kind as usize].get_or_try_init(|| {
            Key::generate(kind).map_err(|source| Error::Key {
                key: format!("{holder} {}", kind.name()),
                source,
            })
        })
    }

    /// Generates the keys that are missing side by side: a prime is found
    /// by luck, and an RSA key of 2048 bits takes anything from 20 to 200 ms
    /// of a core.
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
        let of = |holder| keys.get(holder, KeyKind::EcdsaP384).unwrap().pem().unwrap();
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
