//! The ladder as text: one line a message, with its time, its ends and what came of it.

use std::fmt::Write as _;

use skillcall_protocol::trace::{Level, StepKind, Trace};

use super::story;

/// Draws a trace. With `bodies` each message is followed by what it carried.
pub(crate) fn draw(trace: &Trace, bodies: bool) -> String {
    let mut out = String::new();
    for (name, value) in story::ids(trace) {
        let _ = writeln!(out, "{name:<17}  {value}");
    }
    let _ = writeln!(out, "{:<17}  {}\n", "began", story::when(trace));
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
                let sign = if message.is_failure() { "✗ " } else { "" };
                let _ = writeln!(
                    out,
                    "{time:9.3} s  {:<width$}  {sign}{}",
                    ends(message),
                    story::line(step, message)
                );
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
            StepKind::Media(figures) => {
                let leg = match figures.leg.as_str() {
                    leg if leg == step.part.name() => String::new(),
                    leg => format!(", {leg}"),
                };
                writeln!(
                    out,
                    "{time:9.3} s  · {}{leg}: {}, sent {}, received {}, lost {}, late {}, jitter {:.1} ms, MOS {:.2}",
                    step.part,
                    figures.codec,
                    figures.sent,
                    figures.received,
                    figures.lost,
                    figures.late,
                    figures.jitter_ms,
                    figures.mos
                )
            }
            StepKind::Recording {
                bucket,
                path,
                seconds,
            } => {
                let bucket = bucket.map(|name| format!("{name}/")).unwrap_or_default();
                writeln!(
                    out,
                    "{time:9.3} s  · {} recorded {seconds:.1} s: {bucket}{path}",
                    step.part
                )
            }
        };
    }
    let legs = trace.legs();
    if !legs.is_empty() {
        let _ = writeln!(out);
    }
    for leg in &legs {
        let ends = format!("{} → {}", leg.caller, leg.called);
        let _ = writeln!(out, "leg          {ends:<width$}  {}", story::leg(leg));
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
        assert!(drawn.contains("clientSessionId    c1\n"), "{drawn}");
    }

    #[test]
    fn a_refusal_is_marked_and_each_leg_says_how_it_went() {
        let record = |at, from: Party, to: Party, name: &str, head: &str| {
            let ids = Ids {
                csi: Some("c1".to_owned()),
                call: vec!["dialog".to_owned()],
                ..Ids::default()
            };
            let message = Message::new(from, to, Direction::Sent, Protocol::Sip, name)
                .body(format!("{name}\r\n{head}\r\n\r\n").as_bytes());
            Record::message(at, Party::Sidecar, ids, message)
        };
        let (sidecar, phone) = (|| Party::Sidecar, || Party::Phone);
        let records = [
            record(1_000_000, sidecar(), phone(), "INVITE", "CSeq: 1 INVITE"),
            record(1_500_000, sidecar(), phone(), "INVITE", "CSeq: 1 INVITE"),
            record(
                1_600_000,
                phone(),
                sidecar(),
                "180 Ringing",
                "CSeq: 1 INVITE",
            ),
            record(
                3_000_000,
                phone(),
                sidecar(),
                "486 Busy Here",
                "CSeq: 1 INVITE\r\nReason: Q.850;cause=17",
            ),
        ];
        let drawn = draw(&find(&records, "c1"), false);
        for line in [
            "    0.500 s  sidecar → phone  INVITE (sent again)\n",
            "    2.000 s  phone → sidecar  ✗ 486 Busy Here (INVITE): Q.850;cause=17\n",
            "leg          sidecar → phone  rang after 0.600 s, not answered, ended by phone (486 Busy Here: Q.850;cause=17)\n",
        ] {
            assert!(drawn.contains(line), "{line}\nin\n{drawn}");
        }
    }
}
