//! Certificates of the three tiers: root, intermediate, leaf.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, SerialNumber, date_time_ymd,
};

use super::AuthorityError;
use super::keys::{SecretKey, read_if_there, write_file};

/// What a leaf shall say.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeafOrder {
    pub(super) name: &'static str,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

/// A certificate authority's certificate with its key.
#[derive(Debug)]
pub(super) struct Tier {
    params: CertificateParams,
    pair: KeyPair,
    pem: String,
}

impl Tier {
    /// A self-signed root, valid from 2020 to 2060.
    pub(super) fn root(key: SecretKey) -> Result<Self, AuthorityError> {
        let pair = pair(&key)?;
        let params = authority_params("Skillcall Simulator Root", None);
        let pem = params.self_signed(&pair)?.pem();
        Ok(Self { params, pair, pem })
    }

    /// An intermediate signed by `root`, which may sign leaves only.
    pub(super) fn intermediate(key: SecretKey, root: &Tier) -> Result<Self, AuthorityError> {
        let pair = pair(&key)?;
        let params = authority_params("Skillcall Simulator Signing", Some(0));
        let pem = params
            .signed_by(&pair, &Issuer::from_params(&root.params, &root.pair))?
            .pem();
        Ok(Self { params, pair, pem })
    }

    /// Takes the certificate stored at `path`, or stores this one there.
    pub(super) fn with_stored_pem(mut self, path: &Path) -> Result<Self, AuthorityError> {
        match read_if_there(path)? {
            Some(pem) => self.pem = pem,
            None => write_file(path, self.pem.as_bytes(), false)?,
        }
        Ok(self)
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// A leaf for `key`, signed by this tier, as PEM.
    pub(super) fn issue_leaf(
        &self,
        key: &SecretKey,
        order: &LeafOrder,
    ) -> Result<String, AuthorityError> {
        let pair = pair(key)?;
        let mut params = CertificateParams::new(vec![order.name.to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, order.name);
        params.not_before = date_time_ymd(1970, 1, 1) + since_1970(order.not_before);
        params.not_after = date_time_ymd(1970, 1, 1) + since_1970(order.not_after);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial());
        Ok(params
            .signed_by(&pair, &Issuer::from_params(&self.params, &self.pair))?
            .pem())
    }
}

fn pair(key: &SecretKey) -> Result<KeyPair, AuthorityError> {
    Ok(KeyPair::from_pkcs8_pem_and_sign_algo(
        &key.pkcs8_pem()?,
        &PKCS_RSA_SHA256,
    )?)
}

fn authority_params(name: &str, path_length: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "skillcall");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(path_length.map_or(
        BasicConstraints::Unconstrained,
        BasicConstraints::Constrained,
    ));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    params.serial_number = Some(serial());
    params
}

fn serial() -> SerialNumber {
    let mut bytes: [u8; 16] = rand::random();
    // RFC 5280 §4.1.2.2: positive, and at most 20 octets.
    bytes[0] = (bytes[0] & 0x7f) | 0x01;
    SerialNumber::from_slice(&bytes)
}

/// Whole seconds since 1970: certificates know no finer ones.
fn since_1970(at: SystemTime) -> Duration {
    Duration::from_secs(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
