//! A certificate authority of the tests' own, with RSA keys as Amazon's has.

use std::sync::OnceLock;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, date_time_ymd,
};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rsa::signature::{SignatureEncoding, Signer};
use sha2::Sha256;

/// A root, an intermediate, and the key of leaves.
pub(crate) struct Authority {
    root: CertificateParams,
    root_key: KeyPair,
    intermediate: CertificateParams,
    intermediate_key: KeyPair,
    leaf: RsaPrivateKey,
    leaf_key: KeyPair,
    pub(crate) root_pem: String,
    intermediate_pem: String,
}

/// What a leaf says.
#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) names: Vec<String>,
    pub(crate) not_before: u64,
    pub(crate) not_after: u64,
    /// Signed by the intermediate, as it should be, or by itself.
    pub(crate) by_itself: bool,
    /// With a key on a curve, which cannot make Alexa's signatures.
    pub(crate) on_a_curve: bool,
}

impl Default for Leaf {
    fn default() -> Self {
        let day = 86_400;
        Self {
            names: vec!["echo-api.amazon.com".to_owned()],
            not_before: super::NOW_S - day,
            not_after: super::NOW_S + 30 * day,
            by_itself: false,
            on_a_curve: false,
        }
    }
}

/// The authority; its keys are made once.
pub(crate) fn authority() -> &'static Authority {
    static MADE: OnceLock<Authority> = OnceLock::new();
    MADE.get_or_init(|| {
        let [root, intermediate, leaf] = std::thread::scope(|scope| {
            [(); 3]
                .map(|()| scope.spawn(|| RsaPrivateKey::new(&mut rand::rng(), 2048).unwrap()))
                .map(|thread| thread.join().unwrap())
        });
        let (root_key, intermediate_key, leaf_key) =
            (pair(&root), pair(&intermediate), pair(&leaf));
        let root = tier("Test Root");
        let intermediate = tier("Test Signing");
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let intermediate_pem = intermediate
            .signed_by(&intermediate_key, &Issuer::from_params(&root, &root_key))
            .unwrap()
            .pem();
        Authority {
            root,
            root_key,
            intermediate,
            intermediate_key,
            leaf,
            leaf_key,
            root_pem,
            intermediate_pem,
        }
    })
}

impl Authority {
    /// A chain, the leaf first.
    pub(crate) fn chain(&self, leaf: &Leaf) -> String {
        let key = if leaf.on_a_curve {
            &KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
        } else {
            &self.leaf_key
        };
        let mut params = CertificateParams::new(leaf.names.clone()).unwrap();
        params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(leaf.not_before);
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(leaf.not_after);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = if leaf.by_itself {
            params.self_signed(key)
        } else {
            params.signed_by(
                key,
                &Issuer::from_params(&self.intermediate, &self.intermediate_key),
            )
        };
        format!("{}{}", certificate.unwrap().pem(), self.intermediate_pem)
    }

    /// A chain whose intermediate is missing.
    pub(crate) fn leaf_alone(&self) -> String {
        let chain = self.chain(&Leaf::default());
        let end = chain.find("-----END CERTIFICATE-----").unwrap();
        chain[..end + "-----END CERTIFICATE-----\n".len()].to_owned()
    }

    /// Another root of the same name, with the same key or not: here not.
    pub(crate) fn foreign_root(&self) -> String {
        self.root.self_signed(&self.intermediate_key).unwrap().pem()
    }

    /// A signature of the leaf's key over a body.
    pub(crate) fn sign(&self, body: &[u8]) -> Vec<u8> {
        SigningKey::<Sha256>::new(self.leaf.clone())
            .sign(body)
            .to_vec()
    }

    /// The root's own key is never a leaf's: used where a signature must be of another key.
    pub(crate) fn sign_with_root(&self, body: &[u8]) -> Vec<u8> {
        use rcgen::SigningKey as _;
        self.root_key.sign(body).unwrap()
    }
}

fn tier(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    params
}

fn pair(key: &RsaPrivateKey) -> KeyPair {
    KeyPair::from_pkcs8_pem_and_sign_algo(
        &key.to_pkcs8_pem(LineEnding::LF).unwrap(),
        &PKCS_RSA_SHA256,
    )
    .unwrap()
}
