//! The settings of tokens: read only where a token is needed.

use skillcall_protocol::lwa::TOKEN_URL;
use skillcall_protocol::signing::KeyRing;

use crate::host::Host;
use crate::settings::{SettingsError, text};

/// The most client secrets that are valid at once.
const MAX_SECRETS: usize = 2;

/// The settings of tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// `lwa_client_secrets`: the first is tried first, the second while secrets are being changed.
    pub client_secrets: Vec<String>,
    /// `token_keys`: the first encrypts, each decrypts.
    pub keys: KeyRing,
    /// `lwa_url`: the token endpoint.
    pub url: String,
}

impl TokenSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// When one is missing or cannot be used.
    pub fn load<H: Host>(host: &H) -> Result<Self, SettingsError> {
        let text = |name: &str| text(host, name);
        let (secrets, keys) = (text("lwa_client_secrets")?, text("token_keys")?);
        let (Some(secrets), Some(keys)) = (&secrets, &keys) else {
            return Err(SettingsError::missing(&[
                ("lwa_client_secrets", secrets.is_none()),
                ("token_keys", keys.is_none()),
            ]));
        };
        let client_secrets: Vec<String> = secrets
            .split(',')
            .map(|secret| secret.trim().to_owned())
            .filter(|secret| !secret.is_empty())
            .collect();
        if client_secrets.is_empty() || client_secrets.len() > MAX_SECRETS {
            return Err(SettingsError::Wrong {
                name: "lwa_client_secrets",
                problem: format!(
                    "has {} secrets; expected 1 or {MAX_SECRETS}, parted by a comma",
                    client_secrets.len()
                ),
            });
        }
        Ok(Self {
            client_secrets,
            keys: KeyRing::parse(keys).map_err(|error| SettingsError::Wrong {
                name: "token_keys",
                problem: error.to_string(),
            })?,
            url: match text("lwa_url")? {
                None => TOKEN_URL.to_owned(),
                Some(url) if is_endpoint(url.trim()) => url.trim().to_owned(),
                Some(_) => {
                    return Err(SettingsError::Wrong {
                        name: "lwa_url",
                        problem: format!("expected an http or https URL, as {TOKEN_URL}"),
                    });
                }
            },
        })
    }
}

fn is_endpoint(url: &str) -> bool {
    let authority = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
        && url.bytes().all(|byte| byte.is_ascii_graphic())
        && !url.contains('#')
}
