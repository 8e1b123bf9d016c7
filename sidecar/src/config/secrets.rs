//! Secrets: from a file that only its owner can read, or from the environment.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{ApplicationConfig, SidecarConfig};

/// The variable that may hold the control API's bearer token.
pub(crate) const TOKEN_VARIABLE: &str = "SKILLCALL_SIDECAR_CONTROL_TOKEN";
/// The variable that may hold the signing keys of applications without `keys-file`.
pub(crate) const KEYS_VARIABLE: &str = "SKILLCALL_SIDECAR_KEYS";
/// The variable that may hold the control API's access keys.
pub(crate) const ACCESS_KEYS_VARIABLE: &str = "SKILLCALL_SIDECAR_ACCESS_KEYS";
/// The variable that may hold the speech recogniser's key.
const RECOGNIZER_KEY_VARIABLE: &str = "SKILLCALL_SIDECAR_RECOGNIZER_KEY";
/// A token shorter than this can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// The secrets that a configuration names, read once at start.
#[derive(Clone)]
pub struct Secrets {
    /// The control API's bearer token.
    pub control_token: Option<String>,
    /// The control API's access keys, as text `ID:SECRET,…`.
    pub access_keys: Option<String>,
    /// Per application (in the file's order): its keys, as text `ID:BASE64,…`.
    pub application_keys: Vec<Option<String>>,
    /// Per `[[lambda]]` (in the file's order): its keys.
    pub lambda_keys: Vec<Option<String>>,
    /// The speech recogniser's key.
    pub recognizer_key: Option<String>,
    /// The gateway's keys, as text `ID:BASE64,…`.
    pub gateway_keys: Option<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets")
            .field("control_token", &self.control_token.as_ref().map(|_| "…"))
            .field("access_keys", &self.access_keys.as_ref().map(|_| "…"))
            .field("application_keys", &self.application_keys.len())
            .field("lambda_keys", &self.lambda_keys.len())
            .field("recognizer_key", &self.recognizer_key.as_ref().map(|_| "…"))
            .field("gateway_keys", &self.gateway_keys.as_ref().map(|_| "…"))
            .finish()
    }
}

/// A secret that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is missing or unreadable.
    #[error("secret file {}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Others than its owner can read the file.
    #[error("secret file {} has mode {mode:04o}: others can read it", file.display())]
    Exposed {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds nothing, or too little.
    #[error("secret file {} holds fewer than {SHORTEST_TOKEN} characters", file.display())]
    Short {
        /// The file.
        file: PathBuf,
    },
}

impl SecretError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Unreadable { file, .. } => {
                format!(
                    "write it (`skillcall init` does), readable by the sidecar's user: {}",
                    file.display()
                )
            }
            Self::Exposed { file, .. } => format!("chmod 600 {}", file.display()),
            Self::Short { file } => {
                format!(
                    "write a random secret: openssl rand -hex 32 > {}",
                    file.display()
                )
            }
        }
    }
}

impl Secrets {
    /// Reads all secrets of a configuration.
    ///
    /// # Errors
    /// The first secret that is named and cannot be used.
    pub fn read(config: &SidecarConfig) -> Result<Self, SecretError> {
        Ok(Self {
            control_token: control_token(config)?,
            access_keys: secret(
                config,
                config.control.access_keys_file.as_deref(),
                ACCESS_KEYS_VARIABLE,
            )?,
            application_keys: config
                .application
                .iter()
                .map(|application| application_keys(config, application))
                .collect::<Result<_, _>>()?,
            recognizer_key: recognizer_key(config)?,
            gateway_keys: gateway_keys(config)?,
            lambda_keys: config
                .lambda
                .iter()
                .map(|lambda| secret(config, lambda.keys_file.as_deref(), KEYS_VARIABLE))
                .collect::<Result<_, _>>()?,
        })
    }
}

pub(super) fn control_token(config: &SidecarConfig) -> Result<Option<String>, SecretError> {
    secret(config, config.control.token_file.as_deref(), TOKEN_VARIABLE)
}

pub(super) fn recognizer_key(config: &SidecarConfig) -> Result<Option<String>, SecretError> {
    secret(
        config,
        config.recognizer.key_file.as_deref(),
        RECOGNIZER_KEY_VARIABLE,
    )
}

/// None where there is no gateway.
pub(super) fn gateway_keys(config: &SidecarConfig) -> Result<Option<String>, SecretError> {
    if !config.gateway.is_on() {
        return Ok(None);
    }
    secret(config, config.gateway.keys_file.as_deref(), KEYS_VARIABLE)
}

pub(super) fn application_keys(
    config: &SidecarConfig,
    application: &ApplicationConfig,
) -> Result<Option<String>, SecretError> {
    secret(config, application.keys_file.as_deref(), KEYS_VARIABLE)
}

fn secret(
    config: &SidecarConfig,
    file: Option<&Path>,
    variable: &str,
) -> Result<Option<String>, SecretError> {
    match file {
        Some(file) => read_secret_file(&config.resolve(file)).map(Some),
        None => Ok(std::env::var(variable)
            .ok()
            .filter(|value| !value.trim().is_empty())),
    }
}

/// A password, which somebody else has chosen: it may be short.
pub(super) fn password(config: &SidecarConfig, file: &Path) -> Result<String, SecretError> {
    let file = config.resolve(file);
    let text = private_text(&file)?;
    match text.trim() {
        "" => Err(SecretError::Short { file }),
        text => Ok(text.to_owned()),
    }
}

fn private_text(file: &Path) -> Result<String, SecretError> {
    let unreadable = |error| SecretError::Unreadable {
        file: file.to_owned(),
        error,
    };
    let mode = std::fs::metadata(file)
        .map_err(unreadable)?
        .permissions()
        .mode()
        & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Exposed {
            file: file.to_owned(),
            mode,
        });
    }
    std::fs::read_to_string(file).map_err(unreadable)
}

/// The text of a file that its owner alone can read.
pub(crate) fn read_secret_file(file: &Path) -> Result<String, SecretError> {
    let text = private_text(file)?;
    let text = text.trim();
    if text.len() < SHORTEST_TOKEN {
        return Err(SecretError::Short {
            file: file.to_owned(),
        });
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_of_secret_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("control.token");
        assert!(matches!(
            read_secret_file(&file),
            Err(SecretError::Unreadable { .. })
        ));
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = read_secret_file(&file).unwrap_err();
        assert!(matches!(exposed, SecretError::Exposed { mode: 0o644, .. }));
        assert!(exposed.remedy().starts_with("chmod 600"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read_secret_file(&file).unwrap(), "0123456789abcdef");
        std::fs::write(&file, "short").unwrap();
        assert!(matches!(
            read_secret_file(&file),
            Err(SecretError::Short { .. })
        ));
    }
}
