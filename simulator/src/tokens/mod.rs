//! `apiAccessToken`s: minted for one request, remembered, and checked when they come back (facts A7).
//!
//! Amazon documents the token as opaque. This one has the form that was seen in the wild, a JWT signed with RS256, so
//! that a skill which prints, cuts or parses it meets the real thing; but it is the memory that decides, not the JWT.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::authority::{AuthorityError, SecretKey};

/// A token lives for an hour: `exp = iat + 3600` (facts A7).
pub const TOKEN_LIFE: Duration = Duration::from_secs(3600);

/// Tokens remembered at once; older ones are unknown then, as if they had expired.
const MAX_TOKENS: usize = 4096;

/// For whom and what a token was minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `request.requestId` of the request that carried the token.
    pub request_id: String,
    /// The skill's id.
    pub skill_id: String,
    /// The device that was spoken to.
    pub device_id: String,
    /// The customer.
    pub user_id: String,
    /// The token's `aud`: the API endpoint.
    pub audience: String,
    /// The scopes that the customer had granted then.
    pub scopes: Vec<String>,
}

/// Why a token is not accepted; each is answered with 401 (facts C1, D2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// There was no `Authorization` header.
    #[error("the Authorization header is missing; expected `Bearer <apiAccessToken>`")]
    Missing,
    /// The header is not `Bearer <token>`.
    #[error("the Authorization header is not of the form `Bearer <apiAccessToken>`")]
    NotBearer,
    /// The token is one of Login with Amazon (facts H): it begins with `Atza|`, `Atc|` or `Atzr|`.
    #[error(
        "the token is one of Login with Amazon; expected the apiAccessToken of the skill request"
    )]
    LoginWithAmazon,
    /// The token was never given out, or too long ago.
    #[error("the token is not one that was given to this skill")]
    Unknown,
    /// The token's hour has passed.
    #[error("the token has expired")]
    Expired,
    /// The token was given to another skill.
    #[error("the token belongs to another skill")]
    OtherSkill,
    /// The token was given out for another device than the one that the request names.
    #[error("the token belongs to another device")]
    OtherDevice,
}

/// Mints tokens and knows them again.
#[derive(Debug)]
pub struct Mint {
    key: Arc<SecretKey>,
    known: Mutex<VecDeque<Known>>,
}

#[derive(Debug)]
struct Known {
    token: String,
    expires: SystemTime,
    grant: Grant,
}

impl Mint {
    pub(crate) fn new(key: Arc<SecretKey>) -> Self {
        Self {
            key,
            known: Mutex::new(VecDeque::new()),
        }
    }

    /// Mints the token of a request. `age` is how long ago: more than [`TOKEN_LIFE`] makes an expired one.
    pub fn mint(&self, grant: Grant, age: Duration) -> Result<String, AuthorityError> {
        let issued = SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
        let iat = issued
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": "1"});
        let claims = json!({
            "aud": grant.audience,
            "iss": "AlexaSkillKit",
            "sub": grant.skill_id,
            "exp": iat.saturating_add(TOKEN_LIFE.as_secs()),
            "iat": iat,
            "nbf": iat,
            "privateClaims": {
                "consentToken": consent_token(),
                "deviceId": grant.device_id,
                "userId": grant.user_id,
            },
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.key.sign_sha256(signed.as_bytes())?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_TOKENS {
            known.pop_front();
        }
        known.push_back(Known {
            token: token.clone(),
            expires: issued + TOKEN_LIFE,
            grant,
        });
        Ok(token)
    }

    /// Reads an `Authorization` header and finds what its token was minted for; `skill_id` is the skill that may come.
    pub fn check(
        &self,
        authorization: Option<&str>,
        skill_id: &str,
    ) -> Result<Grant, TokenRefusal> {
        let header = authorization.ok_or(TokenRefusal::Missing)?;
        let (scheme, token) = header.split_once(' ').ok_or(TokenRefusal::NotBearer)?;
        // RFC 6750 §2.1 with RFC 9110 §11.1: the scheme's name has no case.
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(TokenRefusal::NotBearer);
        }
        if ["Atza|", "Atc|", "Atzr|"]
            .iter()
            .any(|prefix| token.starts_with(prefix))
        {
            return Err(TokenRefusal::LoginWithAmazon);
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known
            .iter()
            .rev()
            .find(|known| known.token == token)
            .ok_or(TokenRefusal::Unknown)?;
        if known.expires <= SystemTime::now() {
            return Err(TokenRefusal::Expired);
        }
        if known.grant.skill_id != skill_id {
            return Err(TokenRefusal::OtherSkill);
        }
        Ok(known.grant.clone())
    }
}

/// A token in the form of Login with Amazon's (facts H), which no route of the simulator's API accepts.
pub fn login_with_amazon_token() -> String {
    format!(
        "Atza|{}",
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>().repeat(9))
    )
}

fn consent_token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}
