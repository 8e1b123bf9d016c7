//! Whom the skill may call.

use serde::{Deserialize, Serialize};

use crate::name::best_locale;
use crate::template::Template;

/// Where the caller's own number comes from, which StartCommunicationSession wants as the originator's (facts D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallerSource {
    /// The mobile number of the customer's profile (facts C1).
    Profile,
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
    /// The number that is called, E.164.
    pub number: &'a str,
    /// Where the caller's number comes from, in this order.
    pub caller: Vec<CallerSource>,
    /// What Alexa says when the call is placed, in the locales for which the plan says it.
    #[serde(borrow)]
    pub announce: Vec<Localised<'a>>,
}

impl<'a> Destination<'a> {
    /// What Alexa says when the call is placed; none when the plan leaves it to the text `calling`.
    #[must_use]
    pub fn announcement(&self, locale: &str) -> Option<&Template<'a>> {
        best_locale(locale, self.announce.iter().map(|a| a.locale))
            .and_then(|index| self.announce.get(index))
            .map(|a| &a.template)
    }
}
