//! Requests of Alexa made by hand, signed by the simulator's authority: for what the simulator itself would never send.

use jiff::Timestamp;
use serde_json::{Value, json};
use skillcall_host::skill_requests::Header;
use skillcall_simulator::Simulator;
use skillcall_simulator::authority::Chain;
use std::time::Duration;

use crate::plans::SKILL_ID;

/// The ids that an `IntentRequest` is made of.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// `request.requestId`.
    pub request_id: String,
    /// The body, to be changed before it is signed.
    pub body: Value,
}

impl Envelope {
    /// "Call the front desk", now, with a token that the simulator takes.
    ///
    /// # Panics
    /// When no token can be minted.
    #[must_use]
    pub fn call_the_front_desk(simulator: &Simulator) -> Self {
        let grant = simulator.grant();
        let request_id = grant.request_id.clone();
        let (user, device) = (grant.user_id.clone(), grant.device_id.clone());
        let token = simulator
            .mint_token(grant, Duration::ZERO)
            .expect("a token");
        let user = json!({"userId": user});
        let body = json!({
            "version": "1.0",
            "session": {
                "new": true,
                "sessionId": format!("amzn1.echo-api.session.{}", uuid::Uuid::new_v4()),
                "application": {"applicationId": SKILL_ID},
                "attributes": {},
                "user": user,
            },
            "context": {"System": {
                "application": {"applicationId": SKILL_ID},
                "user": user,
                "device": {"deviceId": device, "supportedInterfaces": {}},
                "apiEndpoint": simulator.api_endpoint(),
                "apiAccessToken": token,
            }},
            "request": {
                "type": "IntentRequest",
                "requestId": request_id,
                "timestamp": timestamp(0),
                "locale": "en-US",
                "intent": {"name": "CallIntent", "confirmationStatus": "NONE", "slots": {
                    "destination": {"name": "destination", "value": "front desk", "confirmationStatus": "NONE"},
                }},
            },
        });
        Self { request_id, body }
    }

    /// The body's bytes, and the headers of a signature by `chain`.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn signed(&self, chain: &Chain) -> Signed {
        let body = self.body.to_string().into_bytes();
        let signature = chain.sign(&body).expect("a signature");
        let headers = signature
            .pairs()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Signed {
            headers: headers.to_vec(),
            body,
        }
    }
}

/// A request with its signature.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The signature's headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Signed {
    /// The headers as the component's interface takes them.
    #[must_use]
    pub fn typed_headers(&self) -> Vec<Header> {
        let header = |(name, value): &(String, String)| Header {
            name: name.clone(),
            value: value.clone().into_bytes(),
        };
        self.headers.iter().map(header).collect()
    }
}

/// The time so many seconds from now, as Alexa writes it (facts A1).
#[must_use]
pub fn timestamp(seconds: i64) -> String {
    let at = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
