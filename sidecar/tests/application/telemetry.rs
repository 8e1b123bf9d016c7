//! A call as a trace of OpenTelemetry: what a collector gets, read strictly, and by OpenTelemetry's own definitions.

use crate::support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use support::{
    Behaviour, Bench, Handler, LIMIT, NUMBER, Phone, hang_up_all, skill_headers, write_secret,
};

/// An ExportTraceServiceRequest as OTLP's JSON has it; anything else is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeSpans {
    scope: Value,
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Span {
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute>,
    events: Vec<SpanEvent>,
    status: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SpanEvent {
    time_unix_nano: String,
    name: String,
    attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attribute {
    key: String,
    value: AnyValue,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
enum AnyValue {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "intValue")]
    Whole(String),
    #[serde(rename = "doubleValue")]
    Double(f64),
}

impl Span {
    fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|found| found.key == key)?;
        match &found.value {
            AnyValue::Text(text) | AnyValue::Whole(text) => Some(text),
            AnyValue::Double(_) => None,
        }
    }

    fn interval(&self) -> (u64, u64) {
        let nanos = |text: &String| text.parse::<u64>().unwrap();
        (
            nanos(&self.start_time_unix_nano),
            nanos(&self.end_time_unix_nano),
        )
    }
}

/// A collector that answers with 503 first, as one does that begins.
#[derive(Default)]
struct Collected {
    bodies: Mutex<Vec<String>>,
    asked: Mutex<usize>,
}

struct Collector {
    url: String,
    seen: Arc<Collected>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(
    State(seen): State<Arc<Collected>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["x-tenant"], "desk");
    let mut asked = seen.asked.lock().unwrap();
    *asked += 1;
    if *asked == 1 {
        return (StatusCode::SERVICE_UNAVAILABLE, "");
    }
    let text = String::from_utf8(body.to_vec()).unwrap();
    seen.bodies.lock().unwrap().push(text);
    (StatusCode::OK, "{}")
}

impl Collector {
    async fn start() -> Self {
        let seen = Arc::new(Collected::default());
        let router = axum::Router::new()
            .route("/v1/traces", axum::routing::post(take))
            .with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, task }
    }

    fn bodies(&self) -> Vec<String> {
        self.seen.bodies.lock().unwrap().clone()
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies();
        let requests = bodies.iter().map(|body| {
            let request: Request = serde_json::from_str(body).expect("a request of OTLP");
            request
        });
        requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| {
                let named = resource.resource.attributes.iter().any(|attribute| {
                    attribute.key == "service.name"
                        && attribute.value == AnyValue::Text("front desk".into())
                });
                assert!(named, "{resource:?}");
                resource.scope_spans
            })
            .flat_map(|scope| {
                assert_eq!(scope.scope["name"], "skillcall-sidecar");
                scope.spans
            })
            .collect()
    }

    /// The spans, once they fit.
    async fn wait(&self, what: &str, fits: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let until = Instant::now() + LIMIT;
        loop {
            let spans = self.spans();
            if fits(&spans) {
                return spans;
            }
            assert!(Instant::now() < until, "{what}: {spans:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn bridging() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 20, "CallerIdNumber": NUMBER,
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550102"}]}}]),
        Some("ACTION_FAILED" | "HANGUP") => hang_up_all(event),
        _ => json!([]),
    })
    .await
}

async fn bench(collector: &str, desk: &Phone) -> Bench {
    let extra = format!(
        "[opentelemetry]\nendpoint = \"{collector}\"\nservice-name = \"front desk\"\ninterval-ms = 100\n\
         headers-file = \"secrets/collector.headers\"\n"
    );
    Bench::with(bridging().await, Some(desk.address), &extra, |config| {
        let headers = config.origin.folder().join("secrets/collector.headers");
        write_secret(&headers, "# of the collector\nX-Tenant: desk\n");
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_a_trace_with_its_legs_transactions_and_exchanges() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let collector = Collector::start().await;
    let desk = Phone::start(600.0, Behaviour::Answer);
    let bench = bench(&collector.url, &desk).await;
    let caller = Phone::start(400.0, Behaviour::Answer);
    let headers = skill_headers("a1-b2");
    let headers: Vec<(&str, &str)> = (headers.iter())
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    bench.call(&caller, &headers);
    caller.hears(600.0);
    caller.hang_up();
    caller.wait("the end", |state| state.ended);
    let spans = collector
        .wait("the call's span", |spans| {
            spans.iter().any(|span| span.name == "call")
        })
        .await;

    // One trace, whose id is the call's everywhere.
    let traces: BTreeSet<&str> = spans.iter().map(|span| span.trace_id.as_str()).collect();
    assert_eq!(traces, BTreeSet::from(["05d69c22730e127ae7991996fb65c930"]));
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    assert_eq!(ids.len(), spans.len(), "each has an id of its own");
    let all =
        |name: &str| -> Vec<&Span> { spans.iter().filter(|span| span.name == name).collect() };
    let [call] = all("call")[..] else {
        panic!("{spans:#?}")
    };
    assert_eq!(call.parent_span_id, None);
    assert_eq!(call.attribute("skillcall.client_session_id"), Some("a1-b2"));
    let legs = all("leg");
    assert_eq!(legs.len(), 2, "{spans:#?}");
    for leg in &legs {
        assert_eq!(leg.parent_span_id.as_deref(), Some(call.span_id.as_str()));
        let told: Vec<&str> = leg.events.iter().map(|event| event.name.as_str()).collect();
        assert!(told.contains(&"answered"), "{leg:#?}");
        assert!(
            leg.attribute("skillcall.media.packets_received")
                .is_some_and(|count| count != "0"),
            "{leg:#?}"
        );
        assert_eq!(leg.status, json!({}));
        let (start, end) = leg.interval();
        let time: u64 = leg.events[0].time_unix_nano.parse().unwrap();
        assert!((start..=end).contains(&time), "{leg:#?}");
        assert!(!leg.events[0].attributes.is_empty());
    }
    // Server where it was called, client where it calls.
    let mut kinds: Vec<u8> = legs.iter().map(|leg| leg.kind).collect();
    kinds.sort();
    assert_eq!(kinds, [2, 3]);
    for method in ["INVITE", "BYE"] {
        let transactions = all(method);
        assert_eq!(transactions.len(), 2, "{method}: {spans:#?}");
        let parents: BTreeSet<_> = transactions
            .iter()
            .map(|span| span.parent_span_id.clone().unwrap())
            .collect();
        assert_eq!(
            parents,
            legs.iter().map(|leg| leg.span_id.clone()).collect()
        );
        for span in transactions {
            assert_eq!(span.attribute("sip.method"), Some(method));
            assert_eq!(span.attribute("sip.status_code"), Some("200"), "{span:#?}");
            assert_eq!(span.attribute("network.protocol.name"), Some("sip"));
        }
    }
    let events: BTreeSet<_> = (spans.iter())
        .filter(|span| span.attribute("http.request.method") == Some("POST"))
        .inspect(|span| {
            assert_eq!(span.name, "POST /media/events");
            assert_eq!(span.attribute("http.response.status_code"), Some("200"));
            assert_eq!(span.parent_span_id.as_deref(), Some(call.span_id.as_str()));
        })
        .map(|span| span.attribute("skillcall.event").unwrap())
        .collect();
    assert!(
        events.contains("NEW_INBOUND_CALL") && events.contains("HANGUP"),
        "{events:?}"
    );
    // The call contains all of it, and each span ends after it began.
    let (start, end) = call.interval();
    for span in &spans {
        let interval = span.interval();
        assert!(
            start <= interval.0 && interval.0 <= interval.1 && interval.1 <= end,
            "{span:#?}"
        );
    }
    // The trace's redaction holds here, too.
    for secret in [NUMBER.trim_start_matches('+'), "6075550102", "2045550100"] {
        assert!(!collector.bodies().concat().contains(secret), "{secret}");
    }
    bench
        .figures_become("all spans are counted", |now| {
            (now.spans_exported, now.spans_dropped) == (spans.len() as u64, 0)
        })
        .await;
    judged_by_opentelemetry(bench.folder.path(), &collector.bodies(), &spans);
    bench.sidecar.shutdown().await;
}

/// OpenTelemetry's protobuf definitions, from PyPI, take the JSON; ids are hexadecimal in OTLP and base64 in protobuf's own
/// mapping, so they are written anew before.
const JUDGE: &str = r#"
import base64, json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
names = {}
for line in open(sys.argv[1]):
    request = json.loads(line)
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    parsed = json_format.ParseDict(request, ExportTraceServiceRequest(), ignore_unknown_fields=False)
    for resource in parsed.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8
                assert len(span.parent_span_id) in (0, 8)
                assert span.end_time_unix_nano >= span.start_time_unix_nano > 0
                names[span.name] = names.get(span.name, 0) + 1
print(json.dumps(names))
"#;

fn judged_by_opentelemetry(folder: &Path, bodies: &[String], spans: &[Span]) {
    let Some(python) = support::stranger("python") else {
        return;
    };
    let file = folder.join("requests.jsonl");
    std::fs::write(&file, bodies.join("\n")).unwrap();
    let mut judge = Command::new(python);
    let output = judge
        .args(["-c", JUDGE])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let counted: BTreeMap<String, usize> = serde_json::from_slice(&output.stdout).unwrap();
    let mut ours: BTreeMap<String, usize> = BTreeMap::new();
    for span in spans {
        *ours.entry(span.name.clone()).or_default() += 1;
    }
    assert_eq!(counted, ours);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_no_call() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // It takes connections and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let desk = Phone::start(600.0, Behaviour::Answer);
    let url = format!("http://{}", listener.local_addr().unwrap());
    let extra = format!("[opentelemetry]\nendpoint = \"{url}\"\nqueue = 16\nbatch = 1\n");
    let bench = Bench::with(bridging().await, Some(desk.address), &extra, |_| {}).await;
    for _ in 0..3 {
        desk.forget();
        let caller = Phone::start(400.0, Behaviour::Answer);
        bench.call(&caller, &[]);
        caller.hears(600.0);
        caller.hang_up();
        caller.wait("the end", |state| state.ended);
        bench.nothing_is_left().await;
    }
    bench
        .figures_become("records are left out, and counted", |now| {
            now.spans_dropped > 0
        })
        .await;
    assert_eq!(bench.sidecar.figures().spans_exported, 0);
    let metrics = bench
        .client
        .get(bench.url("/metrics"))
        .bearer_auth(support::TOKEN);
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("skillcall_spans_total{outcome=\"exported\"} 0"),
        "{metrics}"
    );
    // Nobody waits for it at the end, either: neither the trace nor the process.
    bench.sidecar.shutdown().await;
}
