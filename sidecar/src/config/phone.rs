//! `[phones]` and `[[phone]]`: who may register with the sidecar, and what they may call.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skillcall_sip::auth::{Hash, Qop, Secret};

use super::addresses::SourceNet;
use super::{SidecarConfig, secrets};

/// The registrar that phones register with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PhonesConfig {
    /// The realm of its challenges, which stored hashes are made with; default `skillcall`.
    pub realm: String,
    /// Hosts of addresses of record; default: any, as a phone may know the sidecar by name or by address. A user is the
    /// same under all of them.
    pub domains: Vec<String>,
    /// Algorithms that challenges offer, best first (RFC 8760: one challenge each); default MD5 alone, as some phones in use
    /// give up when they see two challenges.
    pub algorithms: Vec<DigestAlgorithm>,
    /// What credentials have to protect, best first: `auth` the request's first line, `auth-int` its body, too (RFC 7616 §3.4.3);
    /// default `auth` alone, which every phone knows.
    pub qualities: Vec<DigestQuality>,
    /// Seconds that a nonce is good for, 10 to 86400; default 300.
    pub nonce_seconds: u32,
    /// The shortest registration in seconds, 1 to 3600; what is shorter gets 423. Default 60.
    pub min_expires: u32,
    /// Seconds for a phone that asks for none; default 3600.
    pub default_expires: u32,
    /// The longest registration in seconds; what is longer is cut. Default 7200.
    pub max_expires: u32,
    /// Registrations of all phones at once; default 10000.
    pub bindings: u32,
    /// REGISTERs a second, of all whose address is not known, that are looked at; default 50. Those from elsewhere than a
    /// phone's `networks` have to come over a connection.
    pub strangers_per_second: u32,
    /// Where registrations are kept over a restart (mode 0600); default `state/phones.json`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub file: PathBuf,
}

impl Default for PhonesConfig {
    fn default() -> Self {
        Self {
            realm: "skillcall".into(),
            domains: Vec::new(),
            algorithms: vec![DigestAlgorithm::Md5],
            qualities: vec![DigestQuality::Auth],
            nonce_seconds: 300,
            min_expires: 60,
            default_expires: 3600,
            max_expires: 7200,
            bindings: 10_000,
            strangers_per_second: 50,
            file: "state/phones.json".into(),
        }
    }
}

/// A hash function of digest authentication (RFC 8760).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum DigestAlgorithm {
    /// MD5, which every phone knows.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-512/256.
    #[serde(rename = "SHA-512-256")]
    Sha512,
}

impl From<DigestAlgorithm> for Hash {
    fn from(algorithm: DigestAlgorithm) -> Self {
        match algorithm {
            DigestAlgorithm::Md5 => Self::Md5,
            DigestAlgorithm::Sha256 => Self::Sha256,
            DigestAlgorithm::Sha512 => Self::Sha512_256,
        }
    }
}

impl DigestAlgorithm {
    fn named(name: &str) -> Option<Self> {
        [
            ("MD5", Self::Md5),
            ("SHA-256", Self::Sha256),
            ("SHA-512-256", Self::Sha512),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, algorithm)| algorithm)
    }
}

/// What a digest covers (RFC 7616 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DigestQuality {
    /// Method and target.
    Auth,
    /// The body, too.
    AuthInt,
}

impl From<DigestQuality> for Qop {
    fn from(quality: DigestQuality) -> Self {
        match quality {
            DigestQuality::Auth => Self::Auth,
            DigestQuality::AuthInt => Self::AuthInt,
        }
    }
}

/// What a phone may call, beside rooms of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PhoneMayCall {
    /// The numbers of applications.
    Applications,
    /// Other phones, by their users.
    Phones,
    /// What a `[[route]]` leads to, within `[toll]` and the route's limits.
    Routes,
}

/// A phone, or a user with several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PhoneConfig {
    /// Its user: of its address, and of its credentials.
    pub user: String,
    /// File with its password (mode 0600). Either this or `hash-file` is given.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub password_file: Option<PathBuf>,
    /// File (mode 0600) with hashes of user, realm and password instead, a line each: `SHA-256:HEX`, `MD5:HEX`
    /// (RFC 7616 §3.4.2: `printf '%s' USER:REALM:PASSWORD | sha256sum`).
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub hash_file: Option<PathBuf>,
    /// Algorithms that it may use; default: all that `[phones]` offers.
    #[serde(default)]
    pub algorithms: Option<Vec<DigestAlgorithm>>,
    /// The most places that it may be registered at; of more the oldest gives way. Default 8.
    #[serde(default = "contacts")]
    pub contacts: u16,
    /// Networks that it may register and call from; default: any, over a connection (TCP, TLS, WebSocket). Who is in
    /// them is also challenged over UDP.
    #[serde(default)]
    pub networks: Vec<SourceNet>,
    /// What it may call; default applications and phones.
    #[serde(default = "inside")]
    pub calls: Vec<PhoneMayCall>,
    /// The number that is shown to whom it calls; default: its user.
    #[serde(default)]
    pub number: Option<String>,
}

fn contacts() -> u16 {
    8
}

fn inside() -> Vec<PhoneMayCall> {
    vec![PhoneMayCall::Applications, PhoneMayCall::Phones]
}

impl PhoneConfig {
    /// What its credentials are proven by, of each algorithm that it may use.
    ///
    /// # Errors
    /// In words, with the file; never the secret.
    pub(crate) fn secrets(&self, config: &SidecarConfig) -> Result<Vec<(Hash, Secret)>, String> {
        let offered = &config.phones.algorithms;
        let allowed = self.algorithms.as_ref().unwrap_or(offered);
        let usable = |algorithm: &DigestAlgorithm| {
            offered.contains(algorithm) && allowed.contains(algorithm)
        };
        match (&self.password_file, &self.hash_file) {
            (Some(file), None) => {
                let password =
                    secrets::password(config, file).map_err(|error| error.to_string())?;
                let with = |algorithm: DigestAlgorithm| {
                    (algorithm.into(), Secret::Password(password.clone()))
                };
                Ok(offered.iter().copied().filter(usable).map(with).collect())
            }
            (None, Some(file)) => {
                let text = secrets::password(config, file).map_err(|error| error.to_string())?;
                let wrong = || {
                    format!(
                        "{}: each line is ALGORITHM:HEX, as SHA-256:9f86…",
                        file.display()
                    )
                };
                let mut found = Vec::new();
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    let (name, hex) = line.trim().split_once(':').ok_or_else(wrong)?;
                    let algorithm = DigestAlgorithm::named(name).ok_or_else(wrong)?;
                    let length = if algorithm == DigestAlgorithm::Md5 {
                        32
                    } else {
                        64
                    };
                    if hex.len() != length || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                        return Err(wrong());
                    }
                    let hash = algorithm.into();
                    let hex = hex.to_ascii_lowercase();
                    if usable(&algorithm) {
                        found.push((hash, Secret::Ha1 { hash, hex }));
                    }
                }
                Ok(found)
            }
            _ => Err("exactly one of password-file and hash-file is needed".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;

    #[test]
    fn secrets_of_phones() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("101.password", "sesame\n");
        let hex = "a".repeat(64);
        write(
            "102.hashes",
            &format!("SHA-256:{hex}\nMD5:{}\n", "b".repeat(32)),
        );
        write("103.hashes", "SHA-256:abc\n");
        let text = "[phones]\nalgorithms = [\"SHA-256\", \"MD5\"]\n\
             [[phone]]\nuser = \"101\"\npassword-file = \"101.password\"\nalgorithms = [\"MD5\"]\n\
             [[phone]]\nuser = \"102\"\nhash-file = \"102.hashes\"\n\
             [[phone]]\nuser = \"103\"\nhash-file = \"103.hashes\"\n\
             [[phone]]\nuser = \"104\"\n";
        let file = folder.path().join("sidecar.toml");
        let config = SidecarConfig::parse(text, Path::new(&file)).unwrap();
        let secrets = |at: usize| config.phone[at].secrets(&config);
        assert_eq!(
            secrets(0).unwrap(),
            [(Hash::Md5, Secret::Password("sesame".into()))]
        );
        let hashes = secrets(1).unwrap();
        assert_eq!(hashes.len(), 2);
        assert_eq!(
            hashes[0].1,
            Secret::Ha1 {
                hash: Hash::Sha256,
                hex
            }
        );
        assert!(secrets(2).unwrap_err().contains("103.hashes"));
        assert!(secrets(3).is_err());
    }
}
