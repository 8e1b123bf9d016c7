//! The ladder as text: one line a message, with its time, its ends and what came of it.

use std::fmt::Write as _;

use skillcall_protocol::trace::{Level, StepKind, Trace};

/// Draws a trace. With `bodies` each message is followed by what it carried.
pub(crate) fn draw(trace: &Trace, bodies: bool) -> String {
    let mut out = String::new();
    let steps = trace.ladder();
    let ends =
        |message: &skillcall_protocol::trace::Message| format!("{} → {}", message.from, message.to);
    let width = steps
        .iter()
        .filter_map(|step| match step.kind {
            StepKind::Arrow(message) => Some(ends(message).chars().count()),
            _ => None,
        })
        .max()
        .unwrap_or(0);
    for step in &steps {
        let time = step.offset_us as f64 / 1e6;
        let _ = match step.kind {
            StepKind::Arrow(message) => {
                let _ = write!(
                    out,
                    "{time:9.3} s  {:<width$}  {}",
                    ends(message),
                    message.name
                );
                if let Some(outcome) = &message.outcome {
                    let _ = write!(out, "  ⇒ {outcome}");
                }
                if let Some(us) = message.duration_us {
                    let _ = write!(out, "  ({:.1} ms)", us as f64 / 1e3);
                }
                let _ = writeln!(out);
                if let (true, Some(body)) = (bodies, &message.body) {
                    for line in body.lines() {
                        let _ = writeln!(out, "             │ {line}");
                    }
                }
                Ok(())
            }
            StepKind::Note { level, text } => {
                let sign = match level {
                    Level::Info => "·",
                    Level::Warning => "!",
                    Level::Error => "✗",
                };
                writeln!(out, "{time:9.3} s  {sign} {}: {text}", step.part)
            }
            StepKind::Media(figures) => writeln!(
                out,
                "{time:9.3} s  · {} {}: {}, sent {}, received {}, lost {}, late {}, jitter {:.1} ms, MOS {:.2}",
                step.part,
                figures.leg,
                figures.codec,
                figures.sent,
                figures.received,
                figures.lost,
                figures.late,
                figures.jitter_ms,
                figures.mos
            ),
            StepKind::Recording { path, seconds } => {
                writeln!(
                    out,
                    "{time:9.3} s  · {} recorded {seconds:.1} s: {path}",
                    step.part
                )
            }
        };
    }
    if !trace.missing.is_empty() {
        let names: Vec<&str> = trace.missing.iter().map(|party| party.name()).collect();
        let _ = writeln!(
            out,
            "no records from: {} (shown as the other end saw it)",
            names.join(", ")
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use skillcall_protocol::trace::{Direction, Ids, Message, Party, Protocol, Record, find};

    use super::*;

    #[test]
    fn a_part_without_records_is_named_and_its_messages_are_drawn_all_the_same() {
        let ids = || Ids {
            csi: Some("c1".to_owned()),
            ..Ids::default()
        };
        let post = Message::new(
            Party::Component,
            Party::Alexa,
            Direction::Received,
            Protocol::Http,
            "POST /v1/communications/session",
        )
        .outcome("200")
        .body(b"{\"a\":1}");
        let records = [
            Record::message(1_000_000, Party::Alexa, ids(), post),
            Record::note(1_500_000, Party::Alexa, ids(), Level::Warning, "odd"),
        ];
        let drawn = draw(&find(&records, "c1"), true);
        assert!(
            drawn.contains("component → alexa  POST /v1/communications/session  ⇒ 200"),
            "{drawn}"
        );
        assert!(drawn.contains("│ {\"a\":1}"), "{drawn}");
        assert!(drawn.contains("0.500 s  ! alexa: odd"), "{drawn}");
        assert!(drawn.contains("no records from: component"), "{drawn}");
    }
}
