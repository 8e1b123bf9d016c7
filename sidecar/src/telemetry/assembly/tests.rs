//! Calls as records, and the spans that come of them.

use skillcall_protocol::trace::{Direction, Ids, Party};

use super::*;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn ids(dialog: Option<&str>) -> Ids {
    Ids {
        transaction: Some("t-1".into()),
        trace: Some(TRACE.into()),
        call: dialog
            .map(|dialog| vec![format!("leg of {dialog}"), dialog.to_owned()])
            .unwrap_or_default(),
        ..Ids::default()
    }
}

fn sip(at: u64, dialog: &str, direction: Direction, name: &str, head: &str) -> Record {
    let (from, to) = match direction {
        Direction::Sent => (Party::Sidecar, Party::Phone),
        Direction::Received => (Party::Phone, Party::Sidecar),
    };
    let wire = format!("{name}\r\n{head}\r\n\r\n");
    let message = Message::new(from, to, direction, Protocol::Sip, name).body(wire.as_bytes());
    Record::message(at, Party::Sidecar, ids(Some(dialog)), message)
}

fn asked(at: u64, name: &str, outcome: &str, took: u64) -> Record {
    let message = Message::new(
        Party::Sidecar,
        Party::Handler,
        Direction::Sent,
        Protocol::Http,
        name,
    );
    let message = message.outcome(outcome).took(took);
    Record::message(at, Party::Sidecar, ids(None), message)
}

fn value<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    let found = span.attributes.iter().find(|(name, _)| *name == key);
    found.map(|(_, value)| value)
}

#[test]
fn a_call_becomes_a_tree() {
    use Direction::{Received, Sent};
    let (mut assembly, now) = (Assembly::new(7), Instant::now());
    let mut spans = Vec::new();
    let invite = "CSeq: 1 INVITE\r\nTo: <sip:a@b>";
    for record in [
        sip(100, "a", Received, "INVITE", invite),
        sip(110, "a", Received, "INVITE", invite),
        sip(120, "a", Sent, "100 Trying", invite),
        asked(
            130,
            "POST /media/events NEW_INBOUND_CALL (attempt 2)",
            "200 Speak",
            40,
        ),
        sip(200, "a", Sent, "180 Ringing", invite),
        sip(300, "a", Sent, "200 OK", invite),
        sip(310, "a", Received, "ACK", "CSeq: 1 ACK"),
        // A second leg is challenged, then refused.
        sip(400, "b", Sent, "INVITE", invite),
        sip(410, "b", Received, "401 Unauthorized", invite),
        sip(420, "b", Sent, "INVITE", "CSeq: 2 INVITE\r\nt: <sip:a@b>"),
        sip(430, "b", Received, "486 Busy Here", "CSeq: 2 INVITE"),
        sip(
            500,
            "a",
            Received,
            "BYE",
            "CSeq: 2 BYE\r\nTo: <sip:a@b>;tag=1",
        ),
        sip(
            510,
            "a",
            Sent,
            "200 OK",
            "CSeq: 2 BYE\r\nTo: <sip:a@b>;tag=1",
        ),
        asked(520, "POST /media/events HANGUP", "503", 60),
    ] {
        spans.extend(assembly.take(&record, now));
    }
    assert!(assembly.over(now).is_empty(), "more may come");
    spans.extend(assembly.over(now + QUIET));
    let named = |name: &str| {
        let of = spans.iter().filter(|span| span.name == name);
        of.collect::<Vec<_>>()
    };
    let [call] = named("call")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!((call.start, call.end, call.parent), (100, 580, None));
    assert_eq!(value(call, "skillcall.transaction_id"), Some(&"t-1".into()));
    let [a, b] = named("leg")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!((a.parent, b.parent), (Some(call.id), Some(call.id)));
    assert_eq!((a.kind, a.start, a.end), (SpanKind::Server, 100, 510));
    assert_eq!((b.kind, b.start, b.end), (SpanKind::Client, 400, 430));
    let told: Vec<_> = a
        .events
        .iter()
        .map(|event| (event.at, event.name))
        .collect();
    assert_eq!(told, [(200, "ringing"), (300, "answered")]);
    assert_eq!(
        (&a.error, b.error.as_deref()),
        (&None, Some("486 Busy Here"))
    );
    assert_eq!(value(a, "skillcall.call_id"), Some(&"leg of a".into()));
    let invites = named("INVITE");
    let of: Vec<_> = invites
        .iter()
        .map(|span| (span.parent == Some(a.id), span.start, span.end))
        .collect();
    assert_eq!(of, [(true, 100, 300), (false, 400, 410), (false, 420, 430)]);
    assert_eq!(
        value(invites[0], "sip.request.resend_count"),
        Some(&1_u64.into())
    );
    assert_eq!(value(invites[2], "error.type"), Some(&"486".into()));
    let [bye] = named("BYE")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!((bye.kind, bye.start, bye.end), (SpanKind::Server, 500, 510));
    let [first, last] = named("POST /media/events")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!((first.start, first.end), (130, 170));
    assert_eq!(
        value(first, "http.request.resend_count"),
        Some(&1_u64.into())
    );
    assert_eq!(
        value(first, "skillcall.event"),
        Some(&"NEW_INBOUND_CALL".into())
    );
    assert_eq!(
        (first.error.as_deref(), last.error.as_deref()),
        (None, Some("503"))
    );
    // Every id is another one.
    let mut ids: Vec<_> = spans.iter().map(|span| span.id.hex()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
    // What comes late is told under the same parent, without a second call.
    let late = assembly.take(&asked(900, "POST /media/events HANGUP", "200", 1), now);
    assert_eq!(late[0].parent, Some(call.id));
    assert!(assembly.over(now + FORGOTTEN).is_empty());
    assert!(assembly.calls.is_empty());
}

#[test]
fn what_does_not_end_is_bounded() {
    let (mut assembly, now) = (Assembly::new(7), Instant::now());
    let mut given = 0;
    for n in 0..MOST_CALLS + 5 {
        let mut record = sip(n as u64, "a", Direction::Sent, "INVITE", "CSeq: 1 INVITE");
        record.ids.trace = Some(format!("{n:032x}"));
        let now = now + Duration::from_micros(n as u64);
        given += assembly.take(&record, now).len();
    }
    // The oldest five: each a leg, and the call.
    assert_eq!((assembly.calls.len(), given), (MOST_CALLS, 10));
    for n in 0..1000 {
        let head = format!("CSeq: {n} INFO");
        let mut record = sip(n, "a", Direction::Sent, "INFO", &head);
        record.ids.trace = Some(format!("{:032x}", MOST_CALLS));
        assembly.take(&record, now);
    }
    let call = &assembly.calls[&format!("{:032x}", MOST_CALLS)];
    assert_eq!(call.legs[0].open.len(), MOST);
    assert_eq!(assembly.all().len(), MOST_CALLS * 2);
}
