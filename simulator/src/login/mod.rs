//! Login with Amazon: clients with their secrets, codes of grants, and the tokens that come of them (facts G7, H).
//!
//! | grant | gives | good for |
//! |---|---|---|
//! | `authorization_code` | `Atza` token of a customer and its `Atzr` refresh token | a code: once, five minutes |
//! | `refresh_token` | another `Atza` token; the refresh token stays | until it is taken back |
//! | `client_credentials` | `Atc` token of the skill, for a scope | the token: an hour |

mod form;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use skillcall_protocol::communication::PBX_SCOPE;
use skillcall_protocol::lwa::SKILL_MESSAGING_SCOPE;

pub(crate) use self::form::Form;
use crate::alexa::lock;

/// A code is good for minutes (facts H); how many is our choice.
const CODE_LIFE: Duration = Duration::from_secs(300);
/// Codes, refresh tokens and access tokens remembered, each; older ones count as taken back.
const MAX_KNOWN: usize = 20_000;
/// Scopes that a skill may ask for by its client credentials (facts H).
const SCOPES: [&str; 4] = [
    SKILL_MESSAGING_SCOPE,
    "alexa::proactive_events",
    PBX_SCOPE,
    skillcall_protocol::provisioning::SCOPE,
];

/// Why the token endpoint gives no token (facts H; RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoginRefusal {
    /// 400 or 401.
    pub(crate) status: u16,
    /// `error`.
    pub(crate) error: &'static str,
    /// `error_description`.
    pub(crate) description: String,
}

fn refused<T>(
    status: u16,
    error: &'static str,
    description: impl Into<String>,
) -> Result<T, LoginRefusal> {
    Err(LoginRefusal {
        status,
        error,
        description: description.into(),
    })
}

/// The answer of the token endpoint (facts H).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tokens {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// For whom an access token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A customer, by the user id.
    Customer(String),
    /// The skill itself, for a scope.
    Skill(String),
}

/// Why an access token does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccessRefusal {
    #[error("the Authorization header is missing or not of the form `Bearer <token>`")]
    NotBearer,
    #[error("the token is none that Login with Amazon has given out, or is too old")]
    Unknown,
    #[error("the token is for something else")]
    OtherScope,
}

/// How often each grant was asked for and what came of it; for tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginFigures {
    /// Codes exchanged.
    pub codes: u64,
    /// Tokens renewed by refresh tokens.
    pub refreshes: u64,
    /// Tokens given for client credentials.
    pub clients: u64,
    /// Requests refused.
    pub refused: u64,
}

#[derive(Debug, Clone)]
struct Code {
    user_id: String,
    issued: Instant,
}

#[derive(Debug, Clone)]
struct Access {
    holder: Holder,
    ends: Instant,
}

/// A bounded map that forgets its oldest.
#[derive(Debug)]
struct Known<T> {
    entries: BTreeMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Known<T> {
    fn add(&mut self, key: String, value: T) {
        if self.order.len() >= MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.entries.insert(key, value);
    }
}

#[derive(Debug, Default)]
struct State {
    secrets: Vec<String>,
    token_life: Duration,
    codes: Known<Code>,
    refresh: Known<String>,
    access: Known<Access>,
    figures: LoginFigures,
}

/// The token endpoint's memory.
#[derive(Debug)]
pub(crate) struct Login {
    client_id: String,
    state: Mutex<State>,
}

impl Login {
    /// For one client; `secrets` may be empty, and then no client is right.
    pub(crate) fn new(client_id: String, secrets: Vec<String>, token_life: Duration) -> Self {
        let state = State {
            secrets,
            token_life,
            ..State::default()
        };
        Self {
            client_id,
            state: Mutex::new(state),
        }
    }

    /// Replaces the client's secrets, as the console does when they are rotated.
    pub(crate) fn set_secrets(&self, secrets: Vec<String>) {
        lock(&self.state).secrets = secrets;
    }

    /// How long tokens given out from now on live.
    pub(crate) fn set_token_life(&self, life: Duration) {
        lock(&self.state).token_life = life;
    }

    /// The code of a customer's grant, which Alexa sends with Alexa.Authorization.Grant (facts G7).
    pub(crate) fn code(&self, user_id: &str) -> String {
        let code = random("", 15);
        let entry = Code {
            user_id: user_id.to_owned(),
            issued: Instant::now(),
        };
        lock(&self.state).codes.add(code.clone(), entry);
        code
    }

    /// Takes a customer's grants back: no refresh token of theirs serves any more.
    pub(crate) fn take_back(&self, user_id: &str) {
        let mut state = lock(&self.state);
        state.refresh.entries.retain(|_, user| user != user_id);
    }

    pub(crate) fn figures(&self) -> LoginFigures {
        lock(&self.state).figures
    }

    /// A request to the token endpoint.
    pub(crate) fn token(&self, form: &Form) -> Result<Tokens, LoginRefusal> {
        let result = self.answer(form);
        if result.is_err() {
            lock(&self.state).figures.refused += 1;
        }
        result
    }

    fn answer(&self, form: &Form) -> Result<Tokens, LoginRefusal> {
        let grant = form.required("grant_type")?;
        let (id, secret) = (form.required("client_id")?, form.required("client_secret")?);
        if id != self.client_id
            || !lock(&self.state)
                .secrets
                .iter()
                .any(|known| known == secret)
        {
            return refused(401, "invalid_client", "Client authentication failed");
        }
        match grant {
            "authorization_code" => {
                form.only(&[
                    "grant_type",
                    "code",
                    "redirect_uri",
                    "client_id",
                    "client_secret",
                ])?;
                self.by_code(form.required("code")?)
            }
            "refresh_token" => {
                form.only(&["grant_type", "refresh_token", "client_id", "client_secret"])?;
                self.by_refresh(form.required("refresh_token")?)
            }
            "client_credentials" => {
                form.only(&["grant_type", "scope", "client_id", "client_secret"])?;
                let scope = form.required("scope")?;
                if !SCOPES.contains(&scope) {
                    return refused(400, "invalid_scope", format!("no scope {scope:?} is known"));
                }
                let mut state = lock(&self.state);
                state.figures.clients += 1;
                let mut tokens = give(&mut state, "Atc|", Holder::Skill(scope.to_owned()));
                tokens.scope = Some(scope.to_owned());
                Ok(tokens)
            }
            _ => refused(
                400,
                "unsupported_grant_type",
                "expected authorization_code, refresh_token or client_credentials",
            ),
        }
    }

    fn by_code(&self, code: &str) -> Result<Tokens, LoginRefusal> {
        let mut state = lock(&self.state);
        // Good once, whether it is still in time or not.
        let known = state.codes.entries.remove(code);
        let Some(known) = known.filter(|known| known.issued.elapsed() < CODE_LIFE) else {
            return refused(400, "invalid_grant", "the code is wrong, used or too old");
        };
        state.figures.codes += 1;
        let refresh = random("Atzr|", 270);
        state.refresh.add(refresh.clone(), known.user_id.clone());
        let mut tokens = give(&mut state, "Atza|", Holder::Customer(known.user_id));
        tokens.refresh_token = Some(refresh);
        Ok(tokens)
    }

    fn by_refresh(&self, refresh: &str) -> Result<Tokens, LoginRefusal> {
        let mut state = lock(&self.state);
        let Some(user) = state.refresh.entries.get(refresh).cloned() else {
            return refused(
                400,
                "invalid_grant",
                "the refresh token is wrong or was taken back",
            );
        };
        state.figures.refreshes += 1;
        let mut tokens = give(&mut state, "Atza|", Holder::Customer(user));
        tokens.refresh_token = Some(refresh.to_owned());
        Ok(tokens)
    }

    /// For whom the access token of an `Authorization` header is.
    pub(crate) fn holder(&self, authorization: Option<&str>) -> Result<Holder, AccessRefusal> {
        let token = bearer(authorization).ok_or(AccessRefusal::NotBearer)?;
        let state = lock(&self.state);
        state
            .access
            .entries
            .get(token)
            .filter(|access| Instant::now() < access.ends)
            .map(|access| access.holder.clone())
            .ok_or(AccessRefusal::Unknown)
    }

    /// Whether the token is the skill's own for `scope`.
    pub(crate) fn is_skill(
        &self,
        authorization: Option<&str>,
        scope: &str,
    ) -> Result<(), AccessRefusal> {
        match self.holder(authorization)? {
            Holder::Skill(own) if own == scope => Ok(()),
            _ => Err(AccessRefusal::OtherScope),
        }
    }
}

/// The token of an `Authorization` header (RFC 6750 §2.1; the scheme's name has no case).
pub(crate) fn bearer(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn give(state: &mut State, prefix: &str, holder: Holder) -> Tokens {
    // Facts H: 350 characters and more.
    let token = random(prefix, 270);
    let access = Access {
        holder,
        ends: Instant::now() + state.token_life,
    };
    state.access.add(token.clone(), access);
    Tokens {
        access_token: token,
        refresh_token: None,
        token_type: "bearer",
        expires_in: state.token_life.as_secs(),
        scope: None,
    }
}

fn random(prefix: &str, bytes: usize) -> String {
    let bytes: Vec<u8> = (0..bytes).map(|_| rand::random()).collect();
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests;
