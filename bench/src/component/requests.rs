//! Requests as Alexa sends them (facts A1), each with ids of its own.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use skillcall_host::skill_requests::Header;
use skillcall_simulator::authority::Chain;
use uuid::Uuid;

/// The skill's id in the example's plan.
const SKILL_ID: &str = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000";
/// Real access tokens are signed tokens of about this length.
const TOKEN: usize = 900;
/// Older than every request that is taken (facts B).
const STALE: SignedDuration = SignedDuration::from_secs(-3600);

/// A body with the headers of its signature.
pub(super) struct Signed {
    /// The headers of the signature, in the component's type.
    pub(super) headers: Vec<Header>,
    /// The body.
    pub(super) body: Vec<u8>,
}

/// Requests for one round.
pub(super) struct Batch {
    /// Fresh, signed.
    pub(super) signed: Vec<Signed>,
    /// Fresh, signed, for the other way in.
    pub(super) by_http: Vec<Signed>,
    /// Fresh.
    pub(super) trusted: Vec<Vec<u8>>,
    /// Too old.
    pub(super) stale: Vec<Vec<u8>>,
}

impl Batch {
    /// So many of each kind.
    pub(super) fn new(count: usize, chain: &Chain) -> anyhow::Result<Self> {
        let signed = || {
            (0..count)
                .map(|_| Signed::new(fresh(), chain))
                .collect::<anyhow::Result<Vec<_>>>()
        };
        Ok(Self {
            signed: signed()?,
            by_http: signed()?,
            trusted: (0..count).map(|_| fresh()).collect(),
            stale: (0..count).map(|_| launch(STALE)).collect(),
        })
    }

    /// The length of a body.
    pub(super) fn body_len(&self) -> usize {
        self.signed.first().map_or(0, |signed| signed.body.len())
    }
}

impl Signed {
    /// A body, signed.
    pub(super) fn new(body: Vec<u8>, chain: &Chain) -> anyhow::Result<Self> {
        let headers = chain
            .sign(&body)?
            .pairs()
            .iter()
            .map(|(name, value)| Header {
                name: (*name).to_owned(),
                value: value.as_bytes().to_vec(),
            })
            .collect();
        Ok(Self { headers, body })
    }
}

/// A LaunchRequest of this moment.
pub(super) fn fresh() -> Vec<u8> {
    launch(SignedDuration::ZERO)
}

/// A LaunchRequest: it is answered from the plan, without a request to anybody.
fn launch(age: SignedDuration) -> Vec<u8> {
    let at = (Timestamp::now() + age).strftime("%Y-%m-%dT%H:%M:%SZ");
    let application = json!({"applicationId": SKILL_ID});
    let user = json!({"userId": format!("amzn1.ask.account.{}", "A".repeat(160))});
    json!({
        "version": "1.0",
        "session": {
            "new": true,
            "sessionId": format!("amzn1.echo-api.session.{}", Uuid::new_v4()),
            "application": application,
            "attributes": {},
            "user": user,
        },
        "context": {
            "Viewports": [],
            "System": {
                "application": application,
                "user": user,
                "device": {
                    "deviceId": format!("amzn1.ask.device.{}", "A".repeat(180)),
                    "supportedInterfaces": {"AudioPlayer": {}},
                },
                "apiEndpoint": "https://api.amazonalexa.com",
                "apiAccessToken": "e".repeat(TOKEN),
            },
        },
        "request": {
            "type": "LaunchRequest",
            "requestId": format!("amzn1.echo-api.request.{}", Uuid::new_v4()),
            "timestamp": at.to_string(),
            "locale": "en-US",
            "shouldLinkResultBeReturned": false,
        },
    })
    .to_string()
    .into_bytes()
}
