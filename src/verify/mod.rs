//! Whether a request comes from Alexa: all that a skill hosted by HTTPS must verify (facts B).
//!
//! No rule is ever relaxed. Two settings change what the rules are held against: `alexa_roots` replaces the roots,
//! `chain_origin` the place from which the already checked path is fetched.

mod algorithm;
mod chain;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use skillcall_protocol::alexa::{
    CHAIN_URL_HEADER, Envelope, Freshness, SIGNATURE_HEADER, SignatureUrl,
};

pub use chain::{ChainError, SigningKey, verify as verify_chain};

use crate::host::{Deadline, Host, OutboundRequest};
use crate::http::{Body, header};
use crate::once::Table;
use crate::settings::Settings;
use crate::trace::Recorder;

/// The keys of verified chains, by the chain's path. Few, as Amazon signs with one or two at a time.
const KEYS: Table = Table {
    name: "cert",
    slots: 64,
};
/// Amazon's chains have 6 to 8 kilobytes.
const MAX_CHAIN: usize = 64 * 1024;
const FETCH_LIMIT: Duration = Duration::from_millis(2500);
/// RSA signatures of the largest keys that are taken have 512 bytes.
const MAX_SIGNATURE: usize = 1024;

/// Why a request is refused, for the log and, as a 400, for the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header is missing, empty, or no text.
    #[error("the header {0} is missing or empty")]
    Header(&'static str),
    /// The chain's URL breaks a rule.
    #[error("{0}")]
    Url(String),
    /// The signature is no base64.
    #[error("the header Signature-256 is no base64")]
    Encoding,
    /// The chain could not be fetched.
    #[error("the certificate chain could not be fetched: {0}")]
    Fetch(String),
    /// The chain is not trusted.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The signature does not belong to the body.
    #[error("the signature does not match the body")]
    Signature,
    /// The body is no request.
    #[error("{0}")]
    Body(String),
    /// Too old, or without time.
    #[error("{0}")]
    Time(String),
    /// For another skill.
    #[error("the request is for another skill, or for none; expected the plan's skill id")]
    Skill,
}

/// A key in the cache, with what it was verified against.
#[derive(Serialize, Deserialize)]
struct CachedKey {
    trust: [u8; 32],
    key: SigningKey,
}

/// Verifies a request and reads it.
///
/// # Errors
/// The first rule that it breaks.
pub fn verify<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    headers: &[(String, Vec<u8>)],
    body: &Body<'_>,
    deadline: Deadline,
) -> Result<Envelope, Refusal> {
    let required = |name| {
        header(headers, name)
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .ok_or(Refusal::Header(name))
    };
    let url = SignatureUrl::check(required(CHAIN_URL_HEADER)?)
        .map_err(|error| Refusal::Url(error.to_string()))?;
    let signature = required(SIGNATURE_HEADER)?;
    let signature = STANDARD
        .decode(signature)
        .ok()
        .filter(|s| s.len() <= MAX_SIGNATURE)
        .ok_or(Refusal::Encoding)?;
    let key = signing_key(host, settings, recorder, &url, deadline)?;
    if !algorithm::is_signed(&key, body, &signature) {
        return Err(Refusal::Signature);
    }
    read(host, settings, body.bytes)
}

/// Reads a request whose sender the host has authenticated, and checks its time and skill.
///
/// # Errors
/// When it is none, too old, or for another skill.
pub fn read<H: Host>(host: &H, settings: &Settings, body: &[u8]) -> Result<Envelope, Refusal> {
    let envelope = Envelope::read(body).map_err(|error| Refusal::Body(error.to_string()))?;
    let now = i64::try_from(host.now_ms() / 1000).unwrap_or(i64::MAX);
    freshness(settings)
        .check(
            &envelope.request.type_name,
            envelope.request.timestamp.as_deref(),
            now,
        )
        .map_err(|error| Refusal::Time(error.to_string()))?;
    let own = settings.plan().map_err(|_| Refusal::Skill)?.skill_id;
    // Facts A1: the id stands in the context and, in a session, there too; neither may name another skill.
    let in_session = envelope
        .session
        .as_ref()
        .and_then(|session| session.application.as_ref());
    let named: Vec<_> = envelope
        .context
        .system
        .application
        .iter()
        .chain(in_session)
        .collect();
    if named.is_empty()
        || named
            .iter()
            .any(|application| application.application_id.as_str() != own)
    {
        return Err(Refusal::Skill);
    }
    Ok(envelope)
}

/// For how many seconds a request like this can be repeated before its time stamp is too old.
#[must_use]
pub fn repeatable_for(settings: &Settings, envelope: &Envelope) -> u32 {
    // A time stamp may lie ahead by as much as it may lie behind.
    let tolerance = freshness(settings).tolerance(&envelope.request.type_name)
        + Duration::from_secs(settings.tolerance_seconds);
    u32::try_from(tolerance.as_secs())
        .unwrap_or(u32::MAX)
        .saturating_add(5)
}

fn freshness(settings: &Settings) -> Freshness {
    Freshness::within(Duration::from_secs(settings.tolerance_seconds))
}

/// The key of the chain at `url`: of the cache while its certificate is valid, else fetched and verified.
fn signing_key<H: Host>(
    host: &H,
    settings: &Settings,
    recorder: &Recorder,
    url: &SignatureUrl,
    deadline: Deadline,
) -> Result<SigningKey, Refusal> {
    let (trust, now_s) = (trust(settings), host.now_ms() / 1000);
    match KEYS.find(host, url.path()) {
        Ok(Some(entry)) => {
            let cached = postcard::from_bytes::<CachedKey>(&entry.value).ok();
            if let Some(cached) =
                cached.filter(|cached| cached.trust == trust && cached.key.is_valid_at(now_s))
            {
                return Ok(cached.key);
            }
        }
        Ok(None) => {}
        Err(error) => host.log(&format!("verify: the key cache cannot be read: {error}")),
    }
    let origin = settings.chain_origin.as_deref();
    let request = OutboundRequest {
        method: "GET",
        url: origin.map_or_else(
            || url.at_amazon(),
            |origin| format!("{origin}{}", url.path()),
        ),
        headers: vec![("accept", "application/x-pem-file, */*".to_owned())],
        body: Vec::new(),
        timeout: deadline.at_most(host, FETCH_LIMIT),
        max_reply: MAX_CHAIN,
    };
    let reply = recorder
        .send(host, request)
        .map_err(|error| Refusal::Fetch(error.to_string()))?;
    if reply.status != 200 {
        return Err(Refusal::Fetch(format!(
            "status {}; expected 200",
            reply.status
        )));
    }
    let key = verify_chain(&reply.body, settings.alexa_roots.as_deref(), now_s)?;
    if let Some(warning) = settings.test_trust() {
        host.log(&warning);
    }
    // The last second counts (RFC 5280 §4.1.2.5).
    let lifetime =
        u32::try_from(key.not_after.saturating_sub(now_s).saturating_add(1)).unwrap_or(u32::MAX);
    let cached = postcard::to_allocvec(&CachedKey {
        trust,
        key: key.clone(),
    })
    .map_err(|error| error.to_string());
    let kept = cached.and_then(|bytes| {
        KEYS.put(host, url.path(), &bytes, lifetime)
            .map_err(|error| error.to_string())
    });
    if let Err(error) = kept {
        host.log(&format!("verify: the key could not be cached: {error}"));
    }
    Ok(key)
}

/// What a chain is held against: keys that were verified under other settings are not used.
fn trust(settings: &Settings) -> [u8; 32] {
    let mut hash = Sha256::new();
    for setting in [&settings.alexa_roots, &settings.chain_origin] {
        hash.update([u8::from(setting.is_some())]);
        hash.update(setting.as_deref().unwrap_or_default());
        hash.update([0]);
    }
    hash.finalize().into()
}

/// For fuzzing: any key, body and signature are looked at without a panic, and by both arithmetics alike.
#[doc(hidden)]
pub fn fuzz_signature(key: &[u8], body: &[u8], signature: &[u8]) -> bool {
    let signed = algorithm::by_the_crate(key, body, signature);
    let key = SigningKey {
        pkcs1: key.to_vec(),
        prepared: algorithm::prepared(key),
        not_before: 0,
        not_after: u64::MAX,
    };
    assert_eq!(
        algorithm::is_signed(&key, &Body::of(body), signature),
        signed
    );
    signed
}

#[cfg(test)]
mod tests;
