//! The customer whose device is simulated: what Alexa knows of them and what they allowed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skillcall_protocol::profile::MOBILE_NUMBER_SCOPE;

/// Where the customer's account lives. Skill calling works in North America only (facts 0.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Region {
    /// North America.
    #[default]
    Na,
    /// Europe: the calling API answers 404.
    Eu,
    /// Far East: the calling API answers 404.
    Fe,
}

/// A phone number as the profile stores it, in two parts (facts C1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MobileNumber {
    /// With its plus sign, such as `+1`.
    pub country_code: String,
    /// The rest, as the customer typed it.
    pub phone_number: String,
}

impl MobileNumber {
    fn whole(&self) -> String {
        let digits = self
            .country_code
            .chars()
            .chain(self.phone_number.chars())
            .filter(char::is_ascii_digit);
        std::iter::once('+').chain(digits).collect()
    }
}

/// The customer of the simulated device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Customer {
    /// Where the account lives.
    pub region: Region,
    /// `user.userId`.
    pub user_id: String,
    /// `device.deviceId`.
    pub device_id: String,
    /// `person.personId` of a recognised speaker.
    pub person_id: Option<String>,
    /// `unit.unitId` of an Alexa Smart Properties room.
    pub unit_id: Option<String>,
    /// `unit.persistentUnitId` of an Alexa Smart Properties room.
    pub persistent_unit_id: Option<String>,
    /// The number in the profile; absent: none is stored, and the API answers 204 (facts C1).
    pub mobile_number: Option<MobileNumber>,
    /// The number in the recognised speaker's own profile; absent: the account's.
    pub person_mobile_number: Option<MobileNumber>,
    /// The full name in the profile.
    pub name: Option<String>,
    /// The given name in the profile.
    pub given_name: Option<String>,
    /// The e-mail address in the profile.
    pub email: Option<String>,
    /// Further numbers of the customer's own, in E.164, that account linking may have told the skill (facts C2).
    pub linked_numbers: BTreeSet<String>,
    /// The number that the recognised speaker's linked account tells, in E.164 (facts C2).
    pub person_linked_number: Option<String>,
    /// The communication profile of the room's unit (facts D5).
    pub communication_profile: Option<String>,
    /// Raw addresses by which the device is called (facts G3), such as a room's number.
    pub addresses: BTreeSet<String>,
    /// Scopes that the customer granted.
    pub granted: BTreeSet<String>,
    /// Scopes that the customer was asked for and denied.
    pub denied: BTreeSet<String>,
    /// File of mode 0600 with the account-linking token (facts C2).
    pub access_token_file: Option<PathBuf>,
    /// The account-linking token itself; never in a settings file.
    #[serde(skip)]
    pub access_token: Option<String>,
    /// File of mode 0600 with the account-linking token of the recognised speaker (facts C2).
    pub person_access_token_file: Option<PathBuf>,
    /// That token itself; never in a settings file.
    #[serde(skip)]
    pub person_access_token: Option<String>,
}

impl Default for Customer {
    fn default() -> Self {
        Self {
            region: Region::Na,
            user_id: "amzn1.ask.account.SIMULATEDCUSTOMER".to_owned(),
            device_id: "amzn1.ask.device.SIMULATEDDEVICE".to_owned(),
            person_id: None,
            unit_id: None,
            persistent_unit_id: None,
            mobile_number: Some(MobileNumber {
                country_code: "+1".to_owned(),
                phone_number: "2045550100".to_owned(),
            }),
            person_mobile_number: None,
            name: Some("Robin Guest".to_owned()),
            given_name: Some("Robin".to_owned()),
            email: Some("robin@example.com".to_owned()),
            linked_numbers: BTreeSet::new(),
            person_linked_number: None,
            communication_profile: None,
            addresses: BTreeSet::new(),
            granted: BTreeSet::from([MOBILE_NUMBER_SCOPE.to_owned()]),
            denied: BTreeSet::new(),
            access_token_file: None,
            access_token: None,
            person_access_token_file: None,
            person_access_token: None,
        }
    }
}

impl Customer {
    /// The number in the profile as digits with a plus sign, as a skill has to compose it (facts C1).
    pub fn number(&self) -> Option<String> {
        self.mobile_number.as_ref().map(MobileNumber::whole)
    }

    /// Whether a number may be shown as this customer's: one of a profile, or one that account linking gave the skill
    /// (facts C2). Of a customer without any number the service cannot tell.
    pub(crate) fn owns(&self, number: &str) -> bool {
        let of_profiles = [&self.mobile_number, &self.person_mobile_number];
        let mut known = of_profiles
            .into_iter()
            .flatten()
            .map(MobileNumber::whole)
            .chain(self.linked_numbers.iter().cloned())
            .chain(self.person_linked_number.clone())
            .peekable();
        known.peek().is_none() || known.any(|own| own == number)
    }
}
