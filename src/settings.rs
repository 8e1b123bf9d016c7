//! The installation's settings. They are read anew for each request, so that a change is taken up without a restart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use skillcall_plan::Plan;
use skillcall_protocol::signing::KeyRing;

use crate::host::{Host, HostError};

/// Where tokens may go when `api_hosts` does not say otherwise (facts A6).
const API_HOSTS: [&str; 3] = [
    "https://api.amazonalexa.com",
    "https://api.eu.amazonalexa.com",
    "https://api.fe.amazonalexa.com",
];
/// The greatest age of a request, in seconds (facts B).
const MAX_TOLERANCE: u64 = 150;
/// The shortest `session_key`, in bytes: what HMAC-SHA256 is worth.
const MIN_SESSION_KEY: usize = 32;

/// The settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `plan`: the compiled call plan.
    pub plan: Vec<u8>,
    /// `sidecar_keys`: the first signs, each verifies.
    pub sidecar_keys: KeyRing,
    /// `session_key`, the first: from which `clientSessionId`s are derived.
    pub session_key: Vec<u8>,
    /// `session_key`, the second: from which they were derived before, while keys are being changed.
    pub former_session_key: Option<Vec<u8>>,
    /// `sidecar_url`: where trace records go, without the slash at its end.
    pub sidecar_url: Option<String>,
    /// `api_hosts`: the origins to which a request's token may go.
    pub api_hosts: Vec<String>,
    /// `alexa_roots`: PEM roots in place of the compiled-in ones.
    pub alexa_roots: Option<String>,
    /// `chain_origin`: where chains are fetched from in place of Amazon's.
    pub chain_origin: Option<String>,
    /// `tolerance_seconds`: how old a request may be.
    pub tolerance_seconds: u64,
    /// `deferred_response`: how InitiateOutboundCall is answered.
    pub deferred_response: DeferredForm,
}

/// The form of the deferred response to InitiateOutboundCall, whose JSON is published nowhere (facts G6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeferredForm {
    /// `empty`: the empty response, as Amazon's sample answers today.
    #[default]
    Empty,
    /// `directive`: a directive with the session's id, as the sample's first version answered.
    Directive,
    /// `deferred`: the event `Alexa.DeferredResponse`, as smart-home skills answer.
    Deferred,
}

/// Why there are no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Required settings are not set.
    #[error("missing settings: {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// A setting cannot be used. Its value is not repeated.
    #[error("setting {name}: {problem}")]
    Wrong {
        /// Its name.
        name: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The settings cannot be reached.
    #[error("the settings cannot be read: {0}")]
    Host(#[from] HostError),
}

impl SettingsError {
    /// The required settings of these that are absent.
    pub(crate) fn missing(required: &[(&'static str, bool)]) -> Self {
        let absent = required.iter().filter(|(_, absent)| *absent);
        Self::Missing(absent.map(|(name, _)| *name).collect())
    }
}

/// A setting's text; none when it is blank.
pub(crate) fn text<H: Host>(host: &H, name: &str) -> Result<Option<String>, HostError> {
    Ok(host.setting(name)?.filter(|value| !value.trim().is_empty()))
}

impl Settings {
    /// Reads all settings and checks them.
    ///
    /// # Errors
    /// When required ones are missing (all of them are named) or one cannot be used.
    pub fn load<H: Host>(host: &H) -> Result<Self, SettingsError> {
        let text = |name: &str| text(host, name);
        let plan = host.setting_bytes("plan")?.filter(|plan| !plan.is_empty());
        let (sidecar_keys, session_key) = (text("sidecar_keys")?, text("session_key")?);
        let (Some(plan), Some(sidecar_keys), Some(session_key)) =
            (&plan, &sidecar_keys, &session_key)
        else {
            return Err(SettingsError::missing(&[
                ("plan", plan.is_none()),
                ("sidecar_keys", sidecar_keys.is_none()),
                ("session_key", session_key.is_none()),
            ]));
        };
        let (session_key, former_session_key) = match session_key.split_once(',') {
            Some((new, former)) => (key_bytes(new)?, Some(key_bytes(former)?)),
            None => (key_bytes(session_key)?, None),
        };
        let settings = Self {
            plan: plan.clone(),
            sidecar_keys: KeyRing::parse(sidecar_keys)
                .map_err(|error| wrong("sidecar_keys", error.to_string()))?,
            session_key,
            former_session_key,
            sidecar_url: text("sidecar_url")?
                .map(|url| origin("sidecar_url", &url))
                .transpose()?,
            api_hosts: match text("api_hosts")? {
                None => API_HOSTS.iter().map(|host| (*host).to_owned()).collect(),
                Some(list) => list
                    .split(',')
                    .map(|host| origin("api_hosts", host))
                    .collect::<Result<_, _>>()?,
            },
            alexa_roots: text("alexa_roots")?,
            chain_origin: text("chain_origin")?
                .map(|url| origin("chain_origin", &url))
                .transpose()?,
            tolerance_seconds: tolerance(text("tolerance_seconds")?.as_deref())?,
            deferred_response: deferred(text("deferred_response")?.as_deref())?,
        };
        settings.plan().map_err(|problem| SettingsError::Wrong {
            name: "plan",
            problem,
        })?;
        Ok(settings)
    }

    /// The call plan.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn plan(&self) -> Result<Plan<'_>, String> {
        Plan::decode(&self.plan).map_err(|error| error.to_string())
    }

    /// The words that say that requests of a simulator are trusted; none in an installation that trusts Amazon alone.
    #[must_use]
    pub fn test_trust(&self) -> Option<String> {
        let set: Vec<&str> = [
            ("alexa_roots", self.alexa_roots.is_some()),
            ("chain_origin", self.chain_origin.is_some()),
        ]
        .iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| *name)
        .collect();
        (!set.is_empty()).then(|| {
            format!(
                "TEST TRUST: requests that Amazon did not sign may be accepted, because of {}",
                set.join(" and ")
            )
        })
    }
}

fn wrong(name: &'static str, problem: impl Into<String>) -> SettingsError {
    SettingsError::Wrong {
        name,
        problem: problem.into(),
    }
}

fn key_bytes(text: &str) -> Result<Vec<u8>, SettingsError> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| {
        wrong(
            "session_key",
            "is not base64; expected base64 of 32 random bytes, or two of them parted by a comma",
        )
    })?;
    if bytes.len() < MIN_SESSION_KEY {
        return Err(wrong(
            "session_key",
            format!(
                "has {} bytes; expected base64 of {MIN_SESSION_KEY} random bytes or more",
                bytes.len()
            ),
        ));
    }
    Ok(bytes)
}

/// An origin: scheme, host and port, nothing after them.
fn origin(name: &'static str, text: &str) -> Result<String, SettingsError> {
    let text = text.trim().trim_end_matches('/');
    let authority = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match authority {
        Some(authority)
            if !authority.is_empty()
                && !authority.contains(['/', '?', '#', '@'])
                && authority.is_ascii() =>
        {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err(wrong(
            name,
            format!("found {text:?}; expected an origin, as https://api.amazonalexa.com"),
        )),
    }
}

fn deferred(text: Option<&str>) -> Result<DeferredForm, SettingsError> {
    match text.map(str::trim) {
        None | Some("empty") => Ok(DeferredForm::Empty),
        Some("directive") => Ok(DeferredForm::Directive),
        Some("deferred") => Ok(DeferredForm::Deferred),
        Some(_) => Err(wrong(
            "deferred_response",
            "expected empty, directive or deferred",
        )),
    }
}

fn tolerance(text: Option<&str>) -> Result<u64, SettingsError> {
    match text.map(|text| text.trim().parse::<u64>()) {
        None => Ok(MAX_TOLERANCE),
        // Facts B: a longer tolerance is cut to 150 seconds.
        Some(Ok(seconds)) => Ok(seconds.min(MAX_TOLERANCE)),
        Some(Err(_)) => Err(wrong(
            "tolerance_seconds",
            format!("expected a whole number of 0 to {MAX_TOLERANCE}"),
        )),
    }
}
