//! Where a call stands in its flow. The component keeps nothing of it: the position travels in the call's
//! TransactionAttributes (facts F4, at most 10 strings).

use skillcall_protocol::sma::TransactionAttributes;

const FLOW: &str = "skillcall.flow";
const STEP: &str = "skillcall.step";
const CSI: &str = "skillcall.csi";
const DESTINATION: &str = "skillcall.destination";
const LOCALE: &str = "skillcall.locale";
const DIGITS: &str = "skillcall.digits";
const FAILURES: &str = "skillcall.failures";

/// A call's position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The number whose flow the call runs.
    pub flow: String,
    /// The step that runs; empty once the flow has given up.
    pub step: String,
    /// The `clientSessionId`; empty in calls without session.
    pub csi: String,
    /// The destination's id; empty in calls without session.
    pub destination: String,
    /// The locale of the call.
    pub locale: String,
    /// The digits that were received last.
    pub digits: String,
    /// How many actions have failed.
    pub failures: u32,
}

impl Position {
    /// Reads a position; none when the call has none.
    #[must_use]
    pub fn read(attributes: Option<&TransactionAttributes>) -> Option<Self> {
        let attributes = attributes?;
        let text = |name: &str| attributes.get(name).cloned().unwrap_or_default();
        Some(Self {
            flow: attributes.get(FLOW)?.clone(),
            step: text(STEP),
            csi: text(CSI),
            destination: text(DESTINATION),
            locale: text(LOCALE),
            digits: text(DIGITS),
            failures: text(FAILURES).parse().unwrap_or(0),
        })
    }

    /// The attributes that carry the position beside a handler's own: only those that say something, because there is little
    /// room (facts F4).
    #[must_use]
    pub fn carried(&self) -> TransactionAttributes {
        let mut attributes = self.attributes();
        attributes.retain(|name, value| !value.is_empty() && name != DIGITS && name != FAILURES);
        attributes
    }

    /// The attributes that carry the position. The names are the same each time, so that they set new values and
    /// replace nothing (facts F4).
    #[must_use]
    pub fn attributes(&self) -> TransactionAttributes {
        [
            (FLOW, self.flow.clone()),
            (STEP, self.step.clone()),
            (CSI, self.csi.clone()),
            (DESTINATION, self.destination.clone()),
            (LOCALE, self.locale.clone()),
            (DIGITS, self.digits.clone()),
            (FAILURES, self.failures.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
