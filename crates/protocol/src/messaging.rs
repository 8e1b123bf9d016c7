//! The Skill Messaging API: a message to a customer's skill (facts H).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::UserId;

/// The body of a message (facts H).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SkillMessage {
    /// What arrives as Messaging.MessageReceived.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Seconds after which it is not delivered any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_seconds: Option<u32>,
}

/// The path of messages to a customer, at the region's API endpoint (facts H).
#[must_use]
pub fn path(user: &UserId) -> String {
    format!("/v1/skillmessages/users/{}", encoded(user.as_str()))
}

/// A text as one part of a URL's path or query: percent-encoded but for the unreserved characters (RFC 3986 §2.3).
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customers_id_cannot_leave_its_place_in_the_path() {
        let user = UserId::parse("amzn1.ask.account.A/../b?c").unwrap();
        assert_eq!(
            path(&user),
            "/v1/skillmessages/users/amzn1.ask.account.A%2F..%2Fb%3Fc"
        );
    }
}
