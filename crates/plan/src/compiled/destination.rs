//! Whom the skill may call.

use serde::{Deserialize, Serialize};

use crate::name::best_locale;
use crate::template::Template;

/// Where the caller's own number comes from, which StartCommunicationSession wants as the originator's (facts D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerSource {
    /// The mobile number of the customer's profile (facts C1).
    Profile,
    /// The mobile number of the recognised speaker's profile (facts C1).
    Person,
    /// What the linked account's userinfo endpoint says (facts C2).
    AccountLink,
    /// What the plan says of the device or the unit.
    Fixed,
    /// The communication profile of the unit, asked from Alexa (facts D5).
    Unit,
}

impl CallerSource {
    /// All sources.
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::Profile,
        Self::AccountLink,
        Self::Fixed,
        Self::Unit,
    ];

    /// The name in the plan.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Person => "person",
            Self::AccountLink => "account-link",
            Self::Fixed => "fixed",
            Self::Unit => "unit",
        }
    }
}

/// How a destination is reached (facts D1, D5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address<'a> {
    /// PHONE_NUMBER: an E.164 number.
    Number(&'a str),
    /// RAW_ADDRESS: an extension of a PBX.
    Extension(&'a str),
    /// COMMUNICATION_PROFILE_ID: the communication profile of a unit.
    Profile(&'a str),
}

impl<'a> Address<'a> {
    /// The number, extension or profile id.
    #[must_use]
    pub fn value(self) -> &'a str {
        match self {
            Self::Number(value) | Self::Extension(value) | Self::Profile(value) => value,
        }
    }
}

/// Something in one locale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Localised<'a> {
    /// The locale.
    pub locale: &'a str,
    /// What stands for it.
    #[serde(borrow)]
    pub template: Template<'a>,
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination<'a> {
    /// The id: that of the interaction model's slot value, if it has one.
    pub id: &'a str,
    /// The name as it stands in the plan.
    pub name: &'a str,
    /// How it is reached.
    #[serde(borrow)]
    pub address: Address<'a>,
    /// `communicationProviderId`, where the plan names one for this destination.
    pub provider: Option<&'a str>,
    /// Where the caller's number comes from, in this order.
    pub caller: Vec<CallerSource>,
    /// What Alexa says when the call is placed, in the locales for which the plan says it.
    #[serde(borrow)]
    pub announce: Vec<Localised<'a>>,
    /// How the skill names the destination, in the locales for which the plan says it.
    #[serde(borrow)]
    pub spoken: Vec<(&'a str, &'a str)>,
    /// Whether the customer is asked before the call.
    pub confirm: bool,
    /// The place of its opening hours.
    pub hours: Option<u16>,
    /// The place of the destination that is called while it is closed.
    pub fallback: Option<u16>,
}

impl<'a> Destination<'a> {
    /// What Alexa says when the call is placed; none when the plan leaves it to the text `calling`.
    #[must_use]
    pub fn announcement(&self, locale: &str) -> Option<&Template<'a>> {
        best_locale(locale, self.announce.iter().map(|a| a.locale))
            .and_then(|index| self.announce.get(index))
            .map(|a| &a.template)
    }

    /// How the skill names the destination in a locale.
    #[must_use]
    pub fn spoken_name(&self, locale: &str) -> &'a str {
        best_locale(locale, self.spoken.iter().map(|(tag, _)| *tag))
            .and_then(|index| self.spoken.get(index))
            .map_or(self.name, |(_, name)| name)
    }

    /// What is called: a number, an extension or a profile's id.
    #[must_use]
    pub fn number(&self) -> &'a str {
        self.address.value()
    }
}
