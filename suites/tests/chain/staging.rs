//! Chains as people have them in front of their staging servers.

use std::{fs, path::Path};

use openssl::pkey::PKey;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm, date_time_ymd,
};

/// The name that the chains are for.
pub const HOST: &str = "db.staging.example.com";

/// What a person hands over, PEM each.
pub struct Files {
    pub chain: String,
    pub key: String,
    pub trust: String,
}

impl Files {
    pub fn write(&self, folder: &Path) {
        for (name, text) in [
            ("chain.pem", &self.chain),
            ("leaf.key", &self.key),
            ("trust.pem", &self.trust),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn root(name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let params = authority(name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    fn under(name: &str, above: &Self) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let params = authority(name);
        let pem = params.signed_by(&key, &above.issuer).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// This CA as another one has certified it, for a time that is over.
    fn once_certified_by(&self, other: &Self, name: &str) -> String {
        let mut params = authority(name);
        params.not_before = date_time_ymd(2015, 1, 1);
        params.not_after = date_time_ymd(2020, 5, 30);
        let key = self.issuer.key();
        params.signed_by(key, &other.issuer).unwrap().pem()
    }

    /// A leaf's certificate and key.
    fn leaf(
        &self,
        algorithm: &'static SignatureAlgorithm,
        edit: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let (key, pem) = key_pair(algorithm);
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, HOST);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        edit(&mut params);
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        (leaf.pem(), pem)
    }
}

/// A key, and its PEM as OpenSSL writes it: of Ed25519, rcgen writes a version
/// that OpenSSL doesn't read.
fn key_pair(algorithm: &'static SignatureAlgorithm) -> (KeyPair, String) {
    if algorithm != &PKCS_ED25519 {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let pem = key.serialize_pem();
        return (key, pem);
    }
    let pem = PKey::generate_ed25519().unwrap().private_key_to_pem_pkcs8();
    let pem = String::from_utf8(pem.unwrap()).unwrap();
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, algorithm).unwrap();
    (key, pem)
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

/// Root, policy CA, issuing CA, and a leaf for which something is other than
/// usual.
struct Hierarchy {
    root: Authority,
    policy: Authority,
    issuing: Authority,
    leaf: String,
    key: String,
}

impl Hierarchy {
    fn new(edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let root = Authority::root("Staging Root", &PKCS_ECDSA_P256_SHA256);
        let policy = Authority::under("Staging Policy CA", &root);
        let issuing = Authority::under("Staging Issuing CA", &policy);
        let (leaf, key) = issuing.leaf(&PKCS_ECDSA_P256_SHA256, edit);
        Self {
            root,
            policy,
            issuing,
            leaf,
            key,
        }
    }

    fn files(self) -> Files {
        Files {
            chain: [self.leaf, self.issuing.pem, self.policy.pem].concat(),
            key: self.key,
            trust: self.root.pem,
        }
    }
}

fn usual(_: &mut CertificateParams) {}

/// Two intermediates, the root not sent.
pub fn two_intermediates() -> Files {
    Hierarchy::new(usual).files()
}

/// The same for a wildcard, which no CN repeats.
pub fn wildcard() -> Files {
    Hierarchy::new(|leaf| {
        *leaf = CertificateParams::new(["*.staging.example.com".to_owned()]).unwrap();
    })
    .files()
}

/// The root sent, and the CAs not each before the one above it.
pub fn wrong_order() -> Files {
    let all = Hierarchy::new(usual);
    Files {
        chain: [&*all.leaf, &all.root.pem, &all.policy.pem, &all.issuing.pem].concat(),
        ..all.files()
    }
}

/// The root also sent as an older root once certified it.
pub fn cross_signed() -> Files {
    let old = Authority::root("Old Root", &PKCS_ECDSA_P256_SHA256);
    let all = Hierarchy::new(usual);
    let cross = all.root.once_certified_by(&old, "Staging Root");
    let files = all.files();
    Files {
        chain: files.chain + &cross,
        ..files
    }
}

/// Without the CA that issued the leaf.
pub fn missing_intermediate() -> Files {
    let all = Hierarchy::new(usual);
    Files {
        chain: [&*all.leaf, &all.policy.pem].concat(),
        ..all.files()
    }
}

/// The issuing CA for a trust anchor, without its root.
pub fn intermediate_trusted() -> Files {
    let all = Hierarchy::new(usual);
    Files {
        trust: all.issuing.pem.clone(),
        ..all.files()
    }
}

/// Two roots for trust anchors, the right one behind the other.
pub fn second_anchor() -> Files {
    let other = Authority::root("Other Root", &PKCS_ECDSA_P256_SHA256);
    let files = Hierarchy::new(usual).files();
    Files {
        trust: other.pem + &files.trust,
        ..files
    }
}

/// A CN and no SAN.
pub fn cn_only() -> Files {
    Hierarchy::new(|leaf| leaf.subject_alt_names.clear()).files()
}

/// For another name of the domain.
pub fn other_name() -> Files {
    let name = "web.staging.example.com";
    Hierarchy::new(|leaf| {
        *leaf = CertificateParams::new([name.to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, name);
    })
    .files()
}

/// Over since long.
pub fn expired() -> Files {
    Hierarchy::new(|leaf| {
        leaf.not_before = date_time_ymd(2019, 1, 1);
        leaf.not_after = date_time_ymd(2020, 1, 1);
    })
    .files()
}

/// An Ed25519 key, certified by ECDSA.
pub fn ed25519() -> Files {
    let all = Hierarchy::new(usual);
    let (leaf, key) = all.issuing.leaf(&PKCS_ED25519, usual);
    Hierarchy { leaf, key, ..all }.files()
}

/// Ed25519 from the root down.
pub fn ed25519_throughout() -> Files {
    let root = Authority::root("Staging Root", &PKCS_ED25519);
    let (leaf, key) = root.leaf(&PKCS_ED25519, usual);
    Files {
        chain: leaf,
        key,
        trust: root.pem,
    }
}
