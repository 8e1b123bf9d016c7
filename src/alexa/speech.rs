//! What the skill says, in the customer's language.

use std::borrow::Cow;

use skillcall_plan::compiled::Destination;
use skillcall_plan::{DecodeError, Plan, Template, TextKey, Variable};
use skillcall_protocol::alexa::{ResponseEnvelope, SPEECH_MAX_CHARS};

/// The plan's words in a locale.
pub(super) struct Speech<'s> {
    pub(super) plan: &'s Plan<'s>,
    pub(super) locale: &'s str,
}

impl Speech<'_> {
    /// A text of the plan.
    pub(super) fn text(
        &self,
        key: TextKey,
        destination: Option<&Destination<'_>>,
    ) -> Result<String, DecodeError> {
        Ok(self.said(&self.plan.text(self.locale, key)?, destination))
    }

    /// The announcement of a call, which Amazon requires (facts A3).
    pub(super) fn announcement(
        &self,
        destination: &Destination<'_>,
    ) -> Result<String, DecodeError> {
        match destination.announcement(self.plan.locale_for(self.locale)) {
            Some(template) => Ok(self.said(template, Some(destination))),
            None => self.text(TextKey::Calling, Some(destination)),
        }
    }

    /// Says a text and ends the session.
    pub(super) fn tell(&self, key: TextKey) -> Result<ResponseEnvelope, DecodeError> {
        Ok(ResponseEnvelope::tell(self.text(key, None)?))
    }

    /// Says a text and waits for the customer.
    pub(super) fn ask(&self, key: TextKey) -> Result<ResponseEnvelope, DecodeError> {
        Ok(ResponseEnvelope::ask(
            self.text(key, None)?,
            self.text(TextKey::WhichDestination, None)?,
        ))
    }

    fn said(&self, template: &Template<'_>, destination: Option<&Destination<'_>>) -> String {
        let text = template.render(|variable| match (variable, destination) {
            (Variable::DestinationName, Some(destination)) => Cow::Borrowed(destination.name),
            (Variable::DestinationId, Some(destination)) => Cow::Borrowed(destination.id),
            (Variable::DestinationNumber, Some(destination)) => Cow::Borrowed(destination.number),
            (Variable::Locale, _) => Cow::Borrowed(self.locale),
            // The others belong to a call, and there is none yet.
            _ => Cow::Borrowed(""),
        });
        // Facts A4: Alexa refuses the whole response when its speech is longer.
        text.chars().take(SPEECH_MAX_CHARS).collect()
    }
}
