//! What the skill says, in the customer's language.

use std::borrow::Cow;

use skillcall_plan::compiled::Destination;
use skillcall_plan::{DecodeError, Plan, Template, TextKey, Variable};
use skillcall_protocol::alexa::{Envelope, ResponseEnvelope, is_ssml};

/// The plan's words in a locale.
pub(crate) struct Speech<'s> {
    pub(super) plan: &'s Plan<'s>,
    pub(super) locale: &'s str,
}

/// What the variables of a text stand for.
#[derive(Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) destination: Option<&'a Destination<'a>>,
    pub(super) choices: &'a str,
    pub(super) opens: &'a str,
}

impl<'s> Speech<'s> {
    /// The words for a request: in its locale, or the plan's default.
    pub(crate) fn of(plan: &'s Plan<'s>, envelope: &'s Envelope) -> Self {
        let locale = envelope.request.locale.as_deref();
        Self {
            plan,
            locale: locale.unwrap_or(plan.default_locale),
        }
    }

    /// A text of the plan without anything to name.
    pub(crate) fn plain(&self, key: TextKey) -> Result<String, DecodeError> {
        self.text(key, About::default())
    }

    /// A text of the plan.
    pub(super) fn text(&self, key: TextKey, about: About<'_>) -> Result<String, DecodeError> {
        Ok(capitalised(
            self.said(&self.plan.text(self.locale, key)?, about),
        ))
    }

    /// The announcement of a call, which Amazon requires (facts A3).
    pub(super) fn announcement(
        &self,
        destination: &Destination<'_>,
    ) -> Result<String, DecodeError> {
        let about = About {
            destination: Some(destination),
            ..About::default()
        };
        match destination.announcement(self.plan.locale_for(self.locale)) {
            Some(template) => Ok(capitalised(self.said(template, about))),
            None => self.text(TextKey::Calling, about),
        }
    }

    /// Says a text and ends the session.
    pub(super) fn tell(&self, key: TextKey) -> Result<ResponseEnvelope, DecodeError> {
        Ok(ResponseEnvelope::tell(self.plain(key)?))
    }

    /// Says a text about a destination and ends the session.
    pub(super) fn tell_about(
        &self,
        key: TextKey,
        destination: &Destination<'_>,
    ) -> Result<ResponseEnvelope, DecodeError> {
        let about = About {
            destination: Some(destination),
            ..About::default()
        };
        Ok(ResponseEnvelope::tell(self.text(key, about)?))
    }

    /// Says a text and waits for the customer.
    pub(super) fn ask(&self, key: TextKey) -> Result<ResponseEnvelope, DecodeError> {
        Ok(ResponseEnvelope::ask(
            self.plain(key)?,
            self.plain(TextKey::WhichDestination)?,
        ))
    }

    /// The names of destinations as they are said: "the desk, the bar or the spa".
    pub(super) fn choices(&self, destinations: &[Destination<'_>]) -> Result<String, DecodeError> {
        let locale = self.plan.locale_for(self.locale);
        let names: Vec<&str> = destinations
            .iter()
            .map(|destination| destination.spoken_name(locale))
            .collect();
        Ok(match names.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, before)) => {
                let or = self.plan.text(self.locale, TextKey::Or)?;
                let or = self.said(&or, About::default());
                format!("{} {or} {last}", before.join(", "))
            }
            None => String::new(),
        })
    }

    fn said(&self, template: &Template<'_>, about: About<'_>) -> String {
        let locale = self.plan.locale_for(self.locale);
        let value = |variable| match (variable, about.destination) {
            (Variable::DestinationName, Some(destination)) => {
                Cow::Borrowed(destination.spoken_name(locale))
            }
            (Variable::DestinationId, Some(destination)) => Cow::Borrowed(destination.id),
            (Variable::DestinationNumber, Some(destination)) => Cow::Borrowed(destination.number()),
            (Variable::Locale, _) => Cow::Borrowed(self.locale),
            (Variable::Choices, _) => Cow::Borrowed(about.choices),
            (Variable::DestinationOpens, _) => Cow::Borrowed(about.opens),
            // The others belong to a call, and there is none yet.
            _ => Cow::Borrowed(""),
        };
        if template.is_ssml() {
            template.render_ssml(value)
        } else {
            template.render(value)
        }
    }
}

/// A text that begins with a name, such as "the desk", begins like a sentence.
fn capitalised(text: String) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if first.is_lowercase() => first.to_uppercase().chain(chars).collect(),
        _ => text,
    }
}

/// Two speeches, one after the other.
pub(super) fn joined(first: &str, second: &str) -> String {
    if !is_ssml(first) && !is_ssml(second) {
        return format!("{first} {second}");
    }
    let inner = |speech: &str| {
        let whole = speech.trim();
        match whole
            .strip_prefix("<speak>")
            .and_then(|rest| rest.strip_suffix("</speak>"))
        {
            Some(inner) => inner.to_owned(),
            None => whole
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;"),
        }
    };
    format!("<speak>{} {}</speak>", inner(first), inner(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_ssml_join_to_ssml() {
        assert_eq!(joined("A.", "B."), "A. B.");
        assert_eq!(
            joined("A & B.", "<speak>C<break/></speak>"),
            "<speak>A &amp; B. C<break/></speak>"
        );
    }

    #[test]
    fn sentences_begin_with_a_capital_and_ssml_stays() {
        assert_eq!(capitalised("the desk".to_owned()), "The desk");
        assert_eq!(capitalised("<speak>".to_owned()), "<speak>");
        assert_eq!(capitalised("österlich".to_owned()), "Österlich");
        assert_eq!(capitalised(String::new()), "");
    }
}
