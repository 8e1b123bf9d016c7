//! The customer profile API: paths, permission scopes, the phone number and the errors (facts C1).

use serde::{Deserialize, Serialize};

use crate::e164::{E164, E164Error};

/// Path of the account's mobile number (facts C1).
pub const MOBILE_NUMBER: &str = "/v2/accounts/~current/settings/Profile.mobileNumber";
/// Path of the account's name; answered by a JSON string (facts C1).
pub const NAME: &str = "/v2/accounts/~current/settings/Profile.name";
/// Path of the account's given name; answered by a JSON string (facts C1).
pub const GIVEN_NAME: &str = "/v2/accounts/~current/settings/Profile.givenName";
/// Path of the account's e-mail address; answered by a JSON string (facts C1).
pub const EMAIL: &str = "/v2/accounts/~current/settings/Profile.email";
/// Path of the recognised speaker's mobile number (facts C1).
pub const PERSON_MOBILE_NUMBER: &str = "/v2/persons/~current/profile/mobileNumber";

/// The scope that [`MOBILE_NUMBER`] wants, and the consent card asks for (facts C1).
pub const MOBILE_NUMBER_SCOPE: &str = "alexa::profile:mobile_number:read";
/// The scope that [`NAME`] wants (facts C1).
pub const NAME_SCOPE: &str = "alexa::profile:name:read";
/// The scope that [`GIVEN_NAME`] wants (facts C1).
pub const GIVEN_NAME_SCOPE: &str = "alexa::profile:given_name:read";
/// The scope that [`EMAIL`] wants (facts C1).
pub const EMAIL_SCOPE: &str = "alexa::profile:email:read";
/// The scope that the paths of `persons` want beside their own (facts C1).
pub const PERSON_SCOPE: &str = "alexa::person_id:read";

/// The body of a mobile number's answer (facts C1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MobileNumber {
    /// Such as `+1`.
    #[serde(default)]
    pub country_code: String,
    /// The national number, as the customer typed it.
    #[serde(default)]
    pub phone_number: String,
}

impl MobileNumber {
    /// Country code and number, put together to E.164.
    ///
    /// # Errors
    /// When the two do not make an E.164 number.
    pub fn e164(&self) -> Result<E164, E164Error> {
        E164::from_parts(&self.country_code, &self.phone_number)
    }
}

impl std::fmt::Debug for MobileNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "MobileNumber(***{})",
            crate::ids::tail(&self.phone_number, 4)
        )
    }
}

/// The body of a refusal (facts C1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileError {
    /// INVALID_KEY, INVALID_VALUE, INVALID_TOKEN, INVALID_URI, DEVICE_UNREACHABLE, UNKNOWN_ERROR.
    #[serde(default)]
    pub code: String,
    /// Alexa's words for developers.
    #[serde(default)]
    pub message: String,
}

/// What an answer of the profile API means for the skill (facts C1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: the value.
    Value,
    /// 204: the permission is there, but no value is stored.
    NotStored,
    /// 401: the token is bad or expired.
    BadToken,
    /// 403: the customer did not grant the permission; ask with a consent card.
    NotGranted,
    /// 429: throttled.
    Throttled,
    /// Anything else.
    Failed(u16),
}

impl Answer {
    /// The meaning of a status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            200 => Self::Value,
            204 => Self::NotStored,
            401 => Self::BadToken,
            403 => Self::NotGranted,
            429 => Self::Throttled,
            other => Self::Failed(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_put_together_from_its_parts() {
        let body = r#"{ "countryCode": "+1", "phoneNumber": "204 555-0100" }"#;
        let number: MobileNumber = serde_json::from_str(body).unwrap();
        assert_eq!(number.e164().unwrap().as_str(), "+12045550100");
        assert_eq!(format!("{number:?}"), "MobileNumber(***0100)");
    }

    #[test]
    fn a_body_without_a_number_is_an_error_not_a_panic() {
        let number: MobileNumber = serde_json::from_str("{}").unwrap();
        assert!(number.e164().is_err());
    }
}
