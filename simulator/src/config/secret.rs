//! Secrets: from a file of mode 0600 or the environment, never from the settings file itself.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};
use subtle::ConstantTimeEq as _;

/// The environment variable that gives the control API's token, before `token-file`.
pub const TOKEN_VARIABLE: &str = "SKILLCALL_SIMULATOR_TOKEN";

/// The fewest characters of a token.
const MIN_TOKEN: usize = 16;

/// A secret text; neither `Debug` nor an error shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why there is no usable secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither file nor variable.
    #[error(
        "the control API needs a token: set alexa.token-file to a file of mode 0600, or {TOKEN_VARIABLE}"
    )]
    Missing,
    /// The file cannot be read.
    #[error("token file {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("token file {path} has mode {mode:o}; others must not read it: chmod 600 {path}", path = path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The token is too short, or not of one line of visible ASCII.
    #[error("a token must be {MIN_TOKEN} or more visible ASCII characters on one line")]
    Form,
}

impl Secret {
    /// Takes a token of at least 16 visible ASCII characters.
    pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
        let text = text.into();
        if text.len() < MIN_TOKEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError::Form);
        }
        Ok(Self(text))
    }

    /// Makes a random one.
    pub fn random() -> Self {
        Self(hex::encode(rand::random::<[u8; 32]>()))
    }

    /// Reads a file that only its owner may read.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        Self::new(text(path)?.trim_end_matches(['\n', '\r']))
    }

    /// Reads the lines of such a file, of any length, but blank ones.
    pub(crate) fn lines(path: &Path) -> Result<Vec<String>, SecretError> {
        let text = text(path)?;
        let lines = text.lines().map(|line| line.trim().to_owned());
        Ok(lines.filter(|line| !line.is_empty()).collect())
    }

    /// Compares in a time that does not tell how much was right.
    pub fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// The text, to be handed to the one who shall know it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// What a file holds that only its owner may read.
fn text(path: &Path) -> Result<String, SecretError> {
    let file_error = |source| SecretError::File {
        path: path.to_owned(),
        source,
    };
    let mode = std::fs::metadata(path)
        .map_err(file_error)?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    std::fs::read_to_string(path).map_err(file_error)
}

/// A key of the settings file that must not be there.
#[derive(Debug, Clone)]
pub(crate) struct RefusedSecret;

impl<'de> Deserialize<'de> for RefusedSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        de::IgnoredAny::deserialize(deserializer)?;
        Err(de::Error::custom(format!(
            "a secret must not stand in this file; put it into a file of mode 0600 and name that as token-file, or set {TOKEN_VARIABLE}"
        )))
    }
}
