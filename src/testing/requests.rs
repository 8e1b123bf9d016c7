//! Requests as Alexa and the sidecar send them, and the services that the skill asks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use skillcall_protocol::signing::{KeyRing, RequestParts, sign_request};

use super::{Leaf, Memory, NOW_S, authority};
use crate::host::{OutboundReply, OutboundRequest, SendError};
use crate::http::Request;

const SKILL: &str = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000";
pub(crate) const DEVICE: &str = "amzn1.ask.device.ROOM12";
pub(crate) const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.claims.signature";
const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The plan of the examples.
pub(crate) fn plan() -> Vec<u8> {
    skillcall_plan::compile(include_str!("../../examples/skillcall.toml"))
        .unwrap()
        .0
}

/// A complete installation that trusts the tests' authority, whose chain lies where Amazon's would.
pub(crate) fn installation() -> Memory {
    let host = Memory::new();
    host.set("plan", plan());
    host.set("sidecar_keys", KEYS);
    host.set("session_key", STANDARD.encode([7; 32]));
    host.set("alexa_roots", &authority().root_pem);
    host.answers(alexa_api(|_| None));
    host
}

pub(crate) fn pem_reply(pem: &str) -> OutboundReply {
    OutboundReply {
        status: 200,
        headers: Vec::new(),
        body: pem.as_bytes().to_vec(),
    }
}

fn json_reply(status: u16, body: &Value) -> OutboundReply {
    let body = if body.is_null() {
        Vec::new()
    } else {
        body.to_string().into_bytes()
    };
    OutboundReply {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body,
    }
}

/// Chain, profile API and StartCommunicationSession, all well; `trouble` may answer in their place with a status and a body.
pub(crate) fn alexa_api(
    trouble: impl Fn(&str) -> Option<(u16, Value)> + Send + Sync + 'static,
) -> impl Fn(&OutboundRequest) -> Result<OutboundReply, SendError> + Send + Sync + 'static {
    let chain = authority().chain(&Leaf::default());
    move |request| {
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        if let Some((status, body)) = trouble(path) {
            return if status == 0 {
                Err(SendError::Timeout(request.timeout))
            } else {
                Ok(json_reply(status, &body))
            };
        }
        match path {
            "echo.api/echo-api-cert-12.pem" => Ok(pem_reply(&chain)),
            "v2/accounts/~current/settings/Profile.mobileNumber" => Ok(json_reply(
                200,
                &json!({"countryCode": "+1", "phoneNumber": "204 555-0100"}),
            )),
            "v1/communications/session" => Ok(json_reply(200, &json!({"sessionId": "session-1"}))),
            "v1/directives" => Ok(json_reply(204, &Value::Null)),
            "v1/traces" => Ok(json_reply(202, &Value::Null)),
            other => panic!("nobody should ask for {other}"),
        }
    }
}

/// "call …" as Alexa sends it.
pub(crate) fn call_request(id: &str, said: &str) -> Value {
    let application = json!({"applicationId": SKILL});
    let user = json!({"userId": "amzn1.ask.account.GUEST"});
    json!({
        "version": "1.0",
        "session": {"new": true, "sessionId": "amzn1.echo-api.session.1", "application": application, "user": user},
        "context": {"System": {
            "application": application, "user": user, "device": {"deviceId": DEVICE, "supportedInterfaces": {}},
            "apiEndpoint": "https://api.amazonalexa.com", "apiAccessToken": TOKEN}},
        "request": {
            "type": "IntentRequest", "requestId": id, "timestamp": "2027-01-15T08:00:00Z", "locale": "en-US",
            "intent": {"name": "CallIntent", "confirmationStatus": "NONE", "slots": {"destination": {
                "name": "destination", "value": said, "confirmationStatus": "NONE"}}}}
    })
}

/// A request with Alexa's signature.
pub(crate) fn signed_alexa(body: &Value) -> Request {
    let body = body.to_string().into_bytes();
    let signature = STANDARD.encode(authority().sign(&body));
    Request {
        method: "POST".to_owned(),
        target: "/alexa".to_owned(),
        headers: vec![
            (
                "signaturecertchainurl".to_owned(),
                b"https://s3.amazonaws.com/echo.api/echo-api-cert-12.pem".to_vec(),
            ),
            ("Signature-256".to_owned(), signature.into_bytes()),
        ],
        body,
    }
}

/// An event of the SIP media application: `sequence`, its type, ActionData, and what the last reply left.
pub(crate) fn event(
    sequence: u32,
    kind: &str,
    data: Value,
    attributes: Value,
    legs: Value,
) -> Value {
    let mut event = json!({
        "SchemaVersion": "1.0", "Sequence": sequence, "InvocationEventType": kind,
        "CallDetails": {
            "TransactionId": "transaction-1", "AwsAccountId": "111122223333", "AwsRegion": "us-east-1",
            "SipRuleId": "rule-1", "SipMediaApplicationId": "application-1", "Participants": legs}
    });
    if !data.is_null() {
        event["ActionData"] = data;
    }
    if !attributes.is_null() {
        event["CallDetails"]["TransactionAttributes"] = attributes;
    }
    event
}

/// An event with the sidecar's signature.
pub(crate) fn signed_event(body: &Value, nonce: u8) -> Request {
    signed_event_to("/media/events", body, nonce)
}

/// A request with the sidecar's signature.
pub(crate) fn signed_event_to(path: &str, body: &Value, nonce: u8) -> Request {
    let body = body.to_string().into_bytes();
    let keys = KeyRing::parse(KEYS).unwrap();
    let parts = RequestParts {
        method: "POST",
        path_and_query: path,
        body: &body,
    };
    let headers = sign_request(&keys, parts, NOW_S as i64, [nonce; 16]);
    Request {
        method: "POST".to_owned(),
        target: path.to_owned(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into_bytes()))
            .collect(),
        body,
    }
}
