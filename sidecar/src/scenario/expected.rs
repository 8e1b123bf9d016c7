//! What a step expects, found in the log or not.

use serde_json::Value;
use skillcall_protocol::sma::ParticipantTag;

use super::log::{Entry, Happened, Heard, action_names};
use super::matching::difference;
use super::run::Runner;
use super::step::{Expected, Step, What};

impl Runner<'_> {
    /// Whether an entry is what is expected.
    pub(super) fn is(
        &self,
        what: &What,
        leg: &ParticipantTag,
        place: usize,
        entry: &Entry,
    ) -> bool {
        let whole = |play| {
            self.stage.log.since(place).any(
                |(_, later)| matches!(later.what, Happened::PlayedWhole(ended) if Some(ended) == play),
            )
        };
        match (what, &entry.what) {
            (
                What::Event {
                    kind,
                    action,
                    details,
                },
                Happened::Event {
                    event,
                    json,
                    attempt: 1,
                },
            ) => {
                let data = event.action_data.as_ref();
                event.invocation_event_type.as_str() == kind
                    && action
                        .as_ref()
                        .is_none_or(|action| data.is_some_and(|data| data.kind == *action))
                    && details
                        .as_ref()
                        .is_none_or(|details| difference(details, json, "event").is_none())
            }
            (What::Bridged, Happened::Bridged) | (What::Ended, Happened::Over) => true,
            (
                What::Called(number, details),
                Happened::Called {
                    number: n,
                    details: d,
                },
            ) => {
                number.fits(n)
                    && details
                        .as_ref()
                        .is_none_or(|details| difference(details, d, "call").is_none())
            }
            (What::Recorded(pattern, details), Happened::Recorded { place, .. }) => {
                let json = entry.what.json();
                pattern.fits(place)
                    && details
                        .as_ref()
                        .is_none_or(|details| difference(details, &json, "recording").is_none())
            }
            _ if !is_on(entry, leg) => false,
            (
                What::Speech {
                    text,
                    whole: to_end,
                },
                Happened::Hears {
                    play,
                    heard: Heard::Words(words),
                },
            ) => text.fits(words) && (!to_end || play.is_none() || whole(*play)),
            (
                What::File {
                    place,
                    whole: to_end,
                },
                Happened::Hears {
                    play,
                    heard: Heard::File(file),
                },
            ) => place.fits(file) && (!to_end || whole(*play)),
            (
                What::Digits(digits),
                Happened::Hears {
                    heard: Heard::Digits(sent),
                    ..
                },
            ) => digits == sent,
            (
                What::Ringing,
                Happened::Rings
                | Happened::Hears {
                    heard: Heard::RingingTone,
                    ..
                },
            )
            | (What::Answered, Happened::Answered) => true,
            (What::Rejected(status), Happened::Rejected(found)) => status == found,
            _ => false,
        }
    }

    /// The reply to the event that a step expected last.
    pub(super) fn reply(&self, actions: &[String], details: Option<&Value>) -> Result<(), String> {
        let Some((sequence, name)) = &self.last_event else {
            return Err("no step has expected an event before this one".to_owned());
        };
        let reply = self
            .stage
            .log
            .entries
            .iter()
            .find_map(|entry| match &entry.what {
                Happened::Reply {
                    sequence: of,
                    reply,
                } if of == sequence => Some(reply),
                _ => None,
            });
        let Some(reply) = reply else {
            return Err(format!("no reply to {name} that can be used"));
        };
        let names = action_names(reply);
        if names != actions {
            return Err(format!("to {name}: [{}]\n{reply}", names.join(", ")));
        }
        match details.and_then(|details| difference(details, reply, "reply")) {
            Some(different) => Err(format!("to {name}: {different}")),
            None => Ok(()),
        }
    }

    /// What came in place of what was expected.
    pub(super) fn instead(&self, what: &What, leg: &ParticipantTag, from: usize) -> String {
        let order = order_of(what);
        let mut came: Vec<String> = self
            .stage
            .log
            .since(from)
            .filter(|(_, entry)| match (&entry.what, order) {
                (Happened::Event { .. }, "event") | (Happened::Called { .. }, "called") => true,
                (Happened::Hears { .. }, "hears") => is_on(entry, leg),
                (Happened::Recorded { .. }, "recorded") => true,
                (Happened::Rejected(_) | Happened::Answered | Happened::Ended(_), "state") => true,
                _ => false,
            })
            .map(|(_, entry)| line(entry))
            .collect();
        if let What::Event {
            kind,
            details: Some(details),
            ..
        } = what
        {
            let near = self
                .stage
                .log
                .since(from)
                .find_map(|(_, entry)| match &entry.what {
                    Happened::Event { event, json, .. }
                        if event.invocation_event_type.as_str() == kind =>
                    {
                        difference(details, json, "event")
                    }
                    _ => None,
                });
            came.extend(near);
        }
        let failed = self
            .stage
            .log
            .since(from)
            .find_map(|(_, entry)| match &entry.what {
                Happened::HandlerFailed { .. } => Some(line(entry)),
                _ => None,
            });
        came.extend(failed);
        if came.is_empty() {
            came.push("nothing of the kind".to_owned());
        }
        if self.stage.log.is_over() {
            came.push("the call is over".to_owned());
        }
        came.join("\n")
    }
}

/// Whether it happened on this leg.
pub(super) fn is_on(entry: &Entry, leg: &ParticipantTag) -> bool {
    entry.leg.is_some_and(|on| on.tag() == *leg)
}

/// For a report.
pub(super) fn line(entry: &Entry) -> String {
    entry.to_string().trim_start().to_owned()
}

/// Things of one kind come in an order of their own.
pub(super) fn order_of(what: &What) -> &'static str {
    match what {
        What::Speech { .. } | What::File { .. } | What::Ringing | What::Digits(_) => "hears",
        What::Event { .. } | What::Reply { .. } => "event",
        What::Called(..) => "called",
        What::Recorded(..) => "recorded",
        What::Bridged => "bridged",
        What::Answered | What::Rejected(_) | What::Ended => "state",
    }
}

/// What a step expects, for a report.
pub(super) fn describe(step: &Step, expected: &Expected) -> String {
    let tag = step.leg.as_str();
    let to_end = |whole: &bool| if *whole { " to its end" } else { "" };
    let with = |details: &Option<Value>| {
        details
            .as_ref()
            .map_or_else(String::new, |details| format!(" with {details}"))
    };
    let what = match &expected.what {
        What::Speech { text, whole } => format!("{tag} hears {text}{}", to_end(whole)),
        What::File { place, whole } => format!("{tag} hears the file {place}{}", to_end(whole)),
        What::Ringing => format!("{tag} hears that it rings"),
        What::Digits(digits) => format!("{tag} gets the digits {digits}"),
        What::Event {
            kind,
            action,
            details,
        } => {
            let action = action
                .as_ref()
                .map_or_else(String::new, |name| format!(" {name}"));
            format!("the handler is told {kind}{action}{}", with(details))
        }
        What::Reply { actions, details } => {
            return format!(
                "the handler replies [{}]{}",
                actions.join(", "),
                with(details)
            );
        }
        What::Answered => format!("{tag} is answered"),
        What::Rejected(status) => format!("the caller is refused with {status}"),
        What::Called(number, details) => format!("{number} is called{}", with(details)),
        What::Bridged => "both legs hear each other".to_owned(),
        What::Recorded(place, details) => format!("a recording {place}{}", with(details)),
        What::Ended => "the call ends".to_owned(),
    };
    let within = expected.within.as_secs_f64();
    if expected.not_before.is_zero() {
        format!("{what}, within {within} s")
    } else {
        let after = expected.not_before.as_secs_f64();
        format!("{what}, after {after} s and within {within} s")
    }
}
