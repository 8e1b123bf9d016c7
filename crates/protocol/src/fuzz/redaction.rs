//! Redaction, and the trace records that are made of it.

use crate::redact;
use crate::trace::{Direction, Ids, Message, Party, Protocol, Record, StepKind, Text, Trace};

/// What is planted: a number in E.164 form, of which the last four digits may be seen again.
const NUMBER: &str = "+12045550199";
/// What must not be seen again.
const SECRET: &str = "20455501";

/// Any text: each form's redaction comes back, and does nothing more when it is applied to its own result. A number that
/// stands in free text is not seen again, whatever stands around it.
///
/// The first two bytes say where it is planted.
///
/// # Panics
/// When it is seen, or when a second time makes a difference.
pub fn redact(data: &[u8]) {
    let (place, data) = data.split_first_chunk::<2>().unwrap_or((&[0, 0], data));
    let text = String::from_utf8_lossy(data);
    type Form = fn(&str) -> String;
    let forms: [(&str, Form); 4] = [
        ("text", redact::text),
        ("sip", redact::sip),
        ("sdp", redact::sdp),
        ("path", redact::path),
    ];
    // What is hidden can make a text valid JSON, which `any` then reads by another form: it settles a little later.
    let mut any = redact::any(&text);
    for _ in 0..3 {
        any = redact::any(&any);
    }
    assert_eq!(any, redact::any(&any), "any");
    for (name, form) in forms {
        let once = form(&text);
        let twice = form(&once);
        assert_eq!(once, twice, "{name}, twice");
    }
    if let Some(once) = redact::json(text.as_bytes()) {
        assert_eq!(redact::json(once.as_bytes()).as_ref(), Some(&once));
    }
    if text.contains(SECRET) {
        return;
    }
    let place = usize::from(u16::from_le_bytes(*place)) % (text.len() + 1);
    let place = (0..=place)
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0);
    let (before, after) = text.split_at(place);
    let planted = format!("{before}{NUMBER}{after}");
    for (name, form) in [forms[0], forms[3]] {
        let redacted = form(&planted);
        assert!(!redacted.contains(SECRET), "{name}: {redacted:?}");
    }
}

/// A trace record: what is accepted can be written on one line and read again, and so can messages made of these bytes;
/// soon nothing changes any more. Any such records can be drawn.
///
/// # Panics
/// When it cannot, or goes on changing.
pub fn trace_record(data: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<Record>(data) {
        draw(&record);
        settles(record);
    }
    let text = String::from_utf8_lossy(data);
    let party = Party::Other(Text::line(&text));
    let message = Message::new(
        party.clone(),
        Party::Sidecar,
        Direction::Received,
        Protocol::Sip,
        &text,
    )
    .outcome(&text)
    .body(data);
    let records = [
        Record::message(1, Party::Sidecar, Ids::default(), message),
        Record::recording(2, party, Ids::default(), Some(&text), &text, 1.5),
    ];
    for record in records {
        draw(&record);
        settles(record);
    }
}

/// Each record alone and twice is a ladder with no more rungs than records, and has legs.
fn draw(record: &Record) {
    let trace = Trace {
        records: vec![record.clone(), record.clone()],
        ..Trace::default()
    };
    let ladder = trace.ladder();
    assert!(ladder.len() <= 2);
    for step in &ladder {
        if let StepKind::Arrow(message) = step.kind {
            let _ = (message.label(), message.is_failure());
        }
    }
    assert!(trace.legs().len() <= trace.lanes().len());
}

/// Reading redacts again, by the form that it finds: see [`redact`].
fn settles(mut record: Record) {
    for _ in 0..4 {
        record = again(&record);
    }
    assert_eq!(again(&record), record);
}

fn again(record: &Record) -> Record {
    let line = record.to_line();
    assert!(!line.contains('\n'));
    serde_json::from_str(&line).expect("what was written can be read")
}
