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
    let mut path = String::from("/v1/skillmessages/users/");
    // RFC 3986 §2.3: all but the unreserved characters.
    for byte in user.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
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
