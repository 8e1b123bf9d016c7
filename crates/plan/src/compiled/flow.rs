//! The steps of a call.

use serde::{Deserialize, Serialize};

use super::destination::Localised;
use crate::name::best_locale;
use crate::template::Template;

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// The step at this place.
    Step(u16),
    /// The call ends: every leg is hung up.
    End,
    /// Nothing: the call goes on as it is, as after a bridge.
    Stay,
}

/// An action as it is sent, with variables in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionTemplate<'a> {
    /// Its `Type`, by which reports about it are recognised.
    pub action_type: &'a str,
    /// Its JSON, `Type` and `Parameters`. The first is that of the default locale; others stand here where they differ.
    #[serde(borrow)]
    pub json: Vec<Localised<'a>>,
}

impl<'a> ActionTemplate<'a> {
    /// The JSON in the locale that serves `locale` best; none only in a damaged plan.
    #[must_use]
    pub fn template(&self, locale: &str) -> Option<&Template<'a>> {
        let index = best_locale(locale, self.json.iter().map(|j| j.locale)).unwrap_or(0);
        self.json.get(index).map(|j| &j.template)
    }
}

/// A step: a list of actions, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step<'a> {
    /// Its name in the plan, which is the flow's position between two events.
    pub name: &'a str,
    /// The actions, those of the steps that follow by `then` without asking back included: at most 10 (facts F1).
    #[serde(borrow)]
    pub actions: Vec<ActionTemplate<'a>>,
    /// What follows when the last action is done.
    pub then: Next,
    /// What follows on which digits.
    #[serde(borrow)]
    pub on_digits: Vec<(&'a str, Next)>,
    /// What follows on digits that are not among them; none: what follows on a failure.
    pub on_other_digits: Option<Next>,
    /// What follows when an action fails; none: an apology, and the call ends.
    pub on_failure: Option<Next>,
    /// What the caller's leg does when another leg has ended; none: the call ends.
    pub on_hangup: Option<Next>,
    /// Nothing is done here: what follows is decided by opening hours.
    pub by_hours: Option<ByHours>,
    /// The call is handed over.
    #[serde(borrow)]
    pub hand_over: Option<HandOver<'a>>,
    /// A failure here does not count, because another attempt follows.
    pub attempt: bool,
}

/// What follows by opening hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByHours {
    /// The place of the hours.
    pub hours: u16,
    /// What follows while it is open.
    pub open: Next,
    /// What follows while it is closed.
    pub closed: Next,
}

/// To whom a call is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver<'a> {
    /// The handler's URL.
    pub url: &'a str,
    /// Whether its replies must be signed.
    pub require_signed_replies: bool,
}

impl Step<'_> {
    /// The type of the action whose success is the step's.
    #[must_use]
    pub fn last_action_type(&self) -> Option<&str> {
        self.actions.last().map(|action| action.action_type)
    }

    /// What follows on these digits. The key that ended the input may hang on them (facts F6, ReceiveDigits).
    #[must_use]
    pub fn after_digits(&self, digits: &str) -> Option<Next> {
        let exact = |wanted: &str| {
            self.on_digits
                .iter()
                .find(|(key, _)| *key == wanted)
                .map(|(_, next)| *next)
        };
        exact(digits)
            .or_else(|| digits.strip_suffix('#').and_then(exact))
            .or(self.on_other_digits)
    }
}

/// What answers a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow<'a> {
    /// The number, E.164.
    pub number: &'a str,
    /// The place of the first step.
    pub start: u16,
    /// The steps.
    #[serde(borrow)]
    pub steps: Vec<Step<'a>>,
}

impl<'a> Flow<'a> {
    /// The step at a place.
    #[must_use]
    pub fn step(&self, index: u16) -> Option<&Step<'a>> {
        self.steps.get(usize::from(index))
    }

    /// The step with a name.
    #[must_use]
    pub fn step_named(&self, name: &str) -> Option<&Step<'a>> {
        self.steps.iter().find(|step| step.name == name)
    }
}
