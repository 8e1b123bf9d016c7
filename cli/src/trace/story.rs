//! What text and page say alike of a call: its ids, its time, its messages, its legs.

use skillcall_protocol::trace::{Leg, Message, Protocol, Step, Trace};

/// The ids by which the call is found, with their names.
pub(crate) fn ids(trace: &Trace) -> Vec<(&'static str, String)> {
    let ids = &trace.ids;
    let mut traces: Vec<&str> = trace
        .records
        .iter()
        .filter_map(|record| record.ids.trace.as_deref())
        .collect();
    traces.sort_unstable();
    traces.dedup();
    [
        ("trace id", traces.join(", ")),
        ("called from trace", ids.parent.clone().unwrap_or_default()),
        ("requestId", ids.request.clone().unwrap_or_default()),
        ("clientSessionId", ids.csi.clone().unwrap_or_default()),
        ("sessionId", ids.session.clone().unwrap_or_default()),
        ("TransactionId", ids.transaction.clone().unwrap_or_default()),
        ("CallIds", ids.call.join(", ")),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect()
}

/// When the call began, and how long it took.
pub(crate) fn when(trace: &Trace) -> String {
    let (Some(first), Some(last)) = (trace.records.first(), trace.records.last()) else {
        return String::new();
    };
    let start = i64::try_from(first.at)
        .ok()
        .and_then(|at| jiff::Timestamp::from_microsecond(at).ok())
        .map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
        .unwrap_or_default();
    let length = seconds(last.at.saturating_sub(first.at));
    format!("{start}, {length} from the first message to the last")
}

/// A message in one line: what it is, what came of it, how long that took.
pub(crate) fn line(step: &Step<'_>, message: &Message) -> String {
    let mut line = message.label();
    if step.again {
        line.push_str(" (sent again)");
    }
    if let Some(outcome) = &message.outcome {
        line.push_str(&format!("  ⇒ {outcome}"));
    }
    if let Some(us) = message.duration_us {
        let ms = us as f64 / 1e3;
        line.push_str(&match message.protocol {
            Protocol::Rtp if us == 0 => String::new(),
            Protocol::Rtp => format!("  ({ms:.0} ms long)"),
            _ => format!("  ({ms:.1} ms)"),
        });
    }
    line
}

/// How a leg went, in words.
pub(crate) fn leg(leg: &Leg<'_>) -> String {
    let mut parts = Vec::new();
    if let Some(us) = leg.rang_after_us() {
        parts.push(format!("rang after {}", seconds(us)));
    }
    match leg.answered_after_us() {
        Some(us) => parts.push(format!("answered after {}", seconds(us))),
        None => parts.push("not answered".to_owned()),
    }
    if let Some(us) = leg.talked_us() {
        parts.push(format!("talked {}", seconds(us)));
    }
    parts.push(format!("ended by {}", end(leg)));
    parts.join(", ")
}

/// Who ended a leg, by what, and why.
pub(crate) fn end(leg: &Leg<'_>) -> String {
    match &leg.ended {
        None => "nobody yet".to_owned(),
        Some(end) => {
            let reason = end
                .reason
                .map(|reason| format!(": {reason}"))
                .unwrap_or_default();
            format!("{} ({}{reason})", end.by, end.name)
        }
    }
}

/// A time for people.
pub(crate) fn seconds(us: u64) -> String {
    format!("{:.3} s", us as f64 / 1e6)
}
