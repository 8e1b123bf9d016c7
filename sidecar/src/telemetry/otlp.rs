//! Spans as OTLP's JSON: the protobuf mapping with ids in hexadecimal and 64-bit numbers as text (OTLP 1.x, "JSON Protobuf
//! Encoding").

use serde_json::{Value as Json, json};

use super::span::{Attribute, Span, SpanEvent, SpanKind, Value};

/// The body of an ExportTraceServiceRequest.
pub(super) fn request(service: &str, spans: &[Span]) -> Json {
    let version = env!("CARGO_PKG_VERSION");
    json!({"resourceSpans": [{
        "resource": {"attributes": attributes(&[
            ("service.name", service.into()),
            ("service.version", version.into()),
        ])},
        "scopeSpans": [{
            "scope": {"name": "skillcall-sidecar", "version": version},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

/// How many of the spans a collector has not taken, and why (ExportTracePartialSuccess).
pub(super) fn rejected(answer: &[u8]) -> Option<(u64, String)> {
    let answer: Json = serde_json::from_slice(answer).ok()?;
    let partial = answer.get("partialSuccess")?;
    let count = partial.get("rejectedSpans")?;
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    let why = partial.get("errorMessage").and_then(Json::as_str);
    (count > 0).then(|| (count, why.unwrap_or_default().to_owned()))
}

fn span(span: &Span) -> Json {
    let mut json = json!({
        "traceId": span.trace,
        "spanId": span.id.hex(),
        "name": span.name,
        "kind": match span.kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
        "startTimeUnixNano": nanos(span.start),
        "endTimeUnixNano": nanos(span.end.max(span.start)),
        "attributes": attributes(&span.attributes),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "status": match &span.error {
            Some(why) => json!({"code": 2, "message": why}),
            None => json!({}),
        },
    });
    if let (Some(parent), Some(members)) = (span.parent, json.as_object_mut()) {
        members.insert("parentSpanId".to_owned(), parent.hex().into());
    }
    json
}

fn event(event: &SpanEvent) -> Json {
    json!({
        "timeUnixNano": nanos(event.at),
        "name": event.name,
        "attributes": attributes(&event.attributes),
    })
}

fn nanos(micros: u64) -> String {
    micros.saturating_mul(1000).to_string()
}

fn attributes(all: &[Attribute]) -> Json {
    let one = |(key, value): &Attribute| {
        let value = match value {
            Value::Text(text) => json!({"stringValue": text}),
            Value::Int(number) => json!({"intValue": number.to_string()}),
            Value::Double(number) => json!({"doubleValue": number}),
        };
        json!({"key": key, "value": value})
    };
    all.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::span::SpanId;

    #[test]
    fn a_span_is_what_the_mapping_wants() {
        let span = Span {
            trace: "0af7651916cd43dd8448eb211c80319c".into(),
            id: SpanId::new([0, 1, 2, 3, 4, 5, 6, 7]),
            parent: Some(SpanId::new([0; 8])),
            name: "INVITE".into(),
            kind: SpanKind::Client,
            start: 1_714_558_272_034_000,
            end: 1_714_558_272_034_001,
            attributes: vec![("sip.status_code", 486_u16.into()), ("x", 1.5.into())],
            events: vec![SpanEvent {
                at: 7,
                name: "ringing",
                attributes: vec![("a", "b".into())],
            }],
            error: Some("486 Busy Here".into()),
        };
        let request = request("desk", &[span]);
        let json = &request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(
            *json,
            json!({
                "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "0001020304050607",
                "parentSpanId": "0000000000000001", "name": "INVITE", "kind": 3,
                "startTimeUnixNano": "1714558272034000000", "endTimeUnixNano": "1714558272034001000",
                "attributes": [{"key": "sip.status_code", "value": {"intValue": "486"}},
                               {"key": "x", "value": {"doubleValue": 1.5}}],
                "events": [{"timeUnixNano": "7000", "name": "ringing",
                            "attributes": [{"key": "a", "value": {"stringValue": "b"}}]}],
                "status": {"code": 2, "message": "486 Busy Here"},
            })
        );
        let name = &request["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(
            *name,
            json!({"key": "service.name", "value": {"stringValue": "desk"}})
        );
    }

    #[test]
    fn what_a_collector_has_not_taken() {
        let of = |text: &str| rejected(text.as_bytes());
        assert_eq!(of("{}"), None);
        assert_eq!(of("no JSON"), None);
        assert_eq!(of(r#"{"partialSuccess":{}}"#), None);
        assert_eq!(
            of(r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#),
            Some((3, "too old".to_owned()))
        );
    }
}
