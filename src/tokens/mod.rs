//! Tokens of Login with Amazon (facts H), apart from the `apiAccessToken` of a request, which is never kept.
//!
//! | token | comes of | kept at |
//! |---|---|---|
//! | the customer's | Alexa.Authorization.Grant, then its refresh token | `lwa/user/` and a hash of the user id |
//! | the skill's own | client credentials, for a scope | `lwa/client/` and the scope |
//!
//! They lie in `state` encrypted. Within five minutes of its end a token is renewed by whoever claims that; the others use it
//! on while it lives, and wait when it does not. No token is logged, traced or answered.

mod endpoint;
mod sealed;
mod settings;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skillcall_protocol::ids::{AccessToken, UserId};
use skillcall_protocol::lwa::{Grant, MARGIN_SECONDS, TokenAnswer};

pub use endpoint::EndpointError;
pub use settings::TokenSettings;

use crate::host::{Deadline, Host, HostError};
use crate::settings::SettingsError;
use crate::trace::Recorder;

/// So long before its end a token is renewed by the first who asks for it, in seconds (our choice).
const EARLY_S: u64 = 300;
/// How long a refresh token is kept without being used, in seconds: it has no end of its own (facts H), and each use keeps it
/// anew.
const KEPT_S: u32 = 10 * 365 * 24 * 3600;
/// After this, whoever claimed a renewal is taken to have died.
const CLAIM_S: u32 = 10;
const POLL: Duration = Duration::from_millis(50);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The installation is not set up for tokens.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// The plan names no client.
    #[error(
        "the plan has no skill.lwa-client-id; expected the client id of the skill's Permissions page"
    )]
    NoClient,
    /// The customer has granted nothing, or has taken it back.
    #[error("the customer has given the skill no grant, or has taken it back")]
    NotGranted,
    /// The token endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Another request renews the token and is not done in time.
    #[error("the token is being renewed by another request, which takes too long")]
    Renewing,
    /// The state.
    #[error("{0}")]
    Host(#[from] HostError),
}

/// What is kept of a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    access: String,
    refresh: Option<String>,
    /// Unix seconds.
    end_s: u64,
}

/// Tokens, and what they are asked for with.
pub struct Tokens<'t, H> {
    host: &'t H,
    recorder: &'t Recorder,
    settings: TokenSettings,
    client_id: &'t str,
    deadline: Deadline,
}

impl<'t, H: Host> Tokens<'t, H> {
    /// The tokens of an installation.
    ///
    /// # Errors
    /// When it is not set up for them.
    pub fn of(
        host: &'t H,
        recorder: &'t Recorder,
        client_id: Option<&'t str>,
        deadline: Deadline,
    ) -> Result<Self, TokenError> {
        Ok(Self {
            host,
            recorder,
            settings: TokenSettings::load(host)?,
            client_id: client_id.ok_or(TokenError::NoClient)?,
            deadline,
        })
    }

    /// Takes a grant (facts G7): exchanges its code and keeps the customer's tokens.
    ///
    /// # Errors
    /// What the token endpoint answers, or that the tokens cannot be kept.
    pub fn accept(&self, user: &UserId, code: &str) -> Result<(), TokenError> {
        let answer = self.ask(Grant::AuthorizationCode(code))?;
        self.keep(&user_key(user), &answer, None)?;
        Ok(())
    }

    /// The customer's access token, renewed where its end is near.
    ///
    /// # Errors
    /// When the customer has granted nothing, or the token cannot be renewed.
    pub fn user(&self, user: &UserId) -> Result<AccessToken, TokenError> {
        self.of_user(user, None)
    }

    /// The customer's access token in the place of one that was refused: another one, renewed unless another request has
    /// done so.
    ///
    /// # Errors
    /// As [`Tokens::user`].
    pub fn user_instead_of(
        &self,
        user: &UserId,
        refused: &AccessToken,
    ) -> Result<AccessToken, TokenError> {
        self.of_user(user, Some(refused.expose()))
    }

    fn of_user(&self, user: &UserId, refused: Option<&str>) -> Result<AccessToken, TokenError> {
        let key = user_key(user);
        self.current(&key, refused, |kept| match kept {
            None => Err(TokenError::NotGranted),
            Some(Kept { refresh: None, .. }) => Err(TokenError::NotGranted),
            Some(Kept {
                refresh: Some(refresh),
                ..
            }) => match self.ask(Grant::RefreshToken(refresh)) {
                Err(TokenError::Endpoint(EndpointError::GrantEnded)) => {
                    self.host.state_delete(&key)?;
                    Err(TokenError::NotGranted)
                }
                other => other,
            },
        })
    }

    /// The skill's own token for a scope.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn client(&self, scope: &str) -> Result<AccessToken, TokenError> {
        let key = format!("lwa/client/{}", digest(scope));
        self.current(&key, None, |_| self.ask(Grant::ClientCredentials(scope)))
    }

    fn ask(&self, grant: Grant<'_>) -> Result<TokenAnswer, TokenError> {
        let answer = endpoint::ask(
            self.host,
            self.recorder,
            &self.settings,
            self.client_id,
            grant,
            self.deadline,
        )?;
        Ok(answer)
    }

    /// The token at `key`, renewed by one request at a time. One that was refused counts as ended.
    fn current(
        &self,
        key: &str,
        refused: Option<&str>,
        renew: impl Fn(Option<&Kept>) -> Result<TokenAnswer, TokenError>,
    ) -> Result<AccessToken, TokenError> {
        let claim = format!("{key}/renewal");
        loop {
            let kept = self.read(key)?;
            let left = kept.as_ref().map_or(0, |kept| self.left(kept, refused));
            if let Some(kept) = kept.as_ref().filter(|_| left > EARLY_S) {
                return token(&kept.access);
            }
            if self.host.state_claim(&claim, &[], CLAIM_S)? {
                // Somebody may have renewed it between the look and the claim.
                let again = self.read(key)?;
                let done = match again
                    .as_ref()
                    .filter(|kept| self.left(kept, refused) > EARLY_S)
                {
                    Some(fresh) => token(&fresh.access),
                    None => renew(again.as_ref()).and_then(|answer| {
                        self.keep(key, &answer, again.as_ref())?;
                        Ok(answer.access_token)
                    }),
                };
                self.host.state_delete(&claim)?;
                return match (done, kept) {
                    // What failed now may succeed for the next one; this token still lives.
                    (Err(TokenError::Endpoint(error)), Some(kept)) if left > MARGIN_SECONDS => {
                        self.recorder.warn(
                            self.host,
                            &format!("the token could not be renewed: {error}"),
                        );
                        token(&kept.access)
                    }
                    (done, _) => done,
                };
            }
            if let Some(kept) = kept.as_ref().filter(|_| left > MARGIN_SECONDS) {
                return token(&kept.access);
            }
            if self.deadline.left(self.host) <= POLL {
                return Err(TokenError::Renewing);
            }
            self.host.sleep(POLL);
        }
    }

    /// The seconds that a token lives.
    fn left(&self, kept: &Kept, refused: Option<&str>) -> u64 {
        if refused == Some(kept.access.as_str()) {
            return 0;
        }
        kept.end_s.saturating_sub(self.host.now_ms() / 1000)
    }

    fn read(&self, key: &str) -> Result<Option<Kept>, TokenError> {
        let Some(bytes) = self.host.state_get(key)? else {
            return Ok(None);
        };
        let kept = sealed::open(&self.settings.keys, key, &bytes)
            .and_then(|plain| postcard::from_bytes(&plain).ok());
        if kept.is_none() {
            self.recorder.warn(
                self.host,
                "a kept token cannot be read with the keys of token_keys; it counts as lost",
            );
        }
        Ok(kept)
    }

    fn keep(
        &self,
        key: &str,
        answer: &TokenAnswer,
        before: Option<&Kept>,
    ) -> Result<(), TokenError> {
        let refresh = answer
            .refresh_token
            .as_ref()
            .map(|token| token.expose().to_owned());
        let kept = Kept {
            access: answer.access_token.expose().to_owned(),
            // Facts H: a refresh token is good until another one comes in its place.
            refresh: refresh.or_else(|| before.and_then(|before| before.refresh.clone())),
            end_s: (self.host.now_ms() / 1000).saturating_add(answer.expires_in),
        };
        let ttl = if kept.refresh.is_some() {
            KEPT_S
        } else {
            u32::try_from(answer.expires_in).unwrap_or(u32::MAX)
        };
        let plain =
            postcard::to_allocvec(&kept).map_err(|error| HostError(format!("tokens: {error}")))?;
        let mut nonce = [0; sealed::NONCE];
        self.host.random(&mut nonce);
        let bytes = sealed::seal(&self.settings.keys, key, &plain, nonce)
            .ok_or_else(|| HostError("tokens: they could not be encrypted".to_owned()))?;
        self.host.state_set(key, &bytes, ttl)?;
        Ok(())
    }
}

/// Forgets the tokens of a customer who has disabled the skill.
///
/// # Errors
/// When the state cannot be reached.
pub fn forget<H: Host>(host: &H, user: &UserId) -> Result<(), HostError> {
    host.state_delete(&user_key(user))
}

fn token(text: &str) -> Result<AccessToken, TokenError> {
    AccessToken::parse(text).map_err(|error| HostError(format!("tokens: {error}")).into())
}

fn user_key(user: &UserId) -> String {
    format!("lwa/user/{}", digest(user.as_str()))
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}
