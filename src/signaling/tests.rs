//! Messages in both directions, with Alexa, Login with Amazon and the sidecar scripted.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use skillcall_protocol::ids::UserId;
use skillcall_protocol::signaling::Forward;
use skillcall_protocol::signing::{KeyRing, RequestParts, verify_request};

use crate::host::{Deadline, Host, OutboundReply, OutboundRequest, SendError};
use crate::http::{self, Request, Response, Served};
use crate::testing::{Memory, NOW_S, call_request, installation, signed_event_to};
use crate::tokens::Tokens;
use crate::trace::Recorder;

const CORPUS: &str = include_str!("../../crates/protocol/tests/golden/signaling.json");
const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const ACCOUNT: &str = "amzn1.ask.account.GUEST";

/// What is answered by place: `login`, `alexa`, `sidecar`; status 0 is a time-out.
type Script = dyn Fn(&str, usize) -> (u16, Value) + Send + Sync;

/// An installation with an account that has granted, and services that answer by `script`: the place, and how many requests
/// came there before.
fn set_up(script: impl Fn(&str, usize) -> (u16, Value) + Send + Sync + 'static) -> Memory {
    let host = installation();
    host.set("lwa_client_secrets", "the-secret");
    host.set(
        "token_keys",
        "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );
    host.set("sidecar_url", "http://127.0.0.1:7080");
    let given = AtomicUsize::new(0);
    host.answers(move |_| {
        let n = given.fetch_add(1, Ordering::SeqCst);
        Ok(reply(200, &json!({"access_token": format!("Atza|granted{n}"), "refresh_token": "Atzr|r", "expires_in": 3600})))
    });
    grant(&host);
    host.sent.lock().unwrap().clear();
    services(&host, Arc::new(script));
    host
}

fn grant(host: &Memory) {
    let recorder = Recorder::begin(host, None);
    let deadline = Deadline::within(host, std::time::Duration::from_secs(7));
    let client = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef";
    let tokens = Tokens::of(host, &recorder, Some(client), deadline).unwrap();
    tokens
        .accept(&UserId::parse(ACCOUNT).unwrap(), "CODE")
        .unwrap();
}

fn services(host: &Memory, script: Arc<Script>) {
    let counts = Mutex::new(std::collections::HashMap::<&str, usize>::new());
    host.answers(move |request| {
        let place = place(request);
        if place == "traces" {
            return Ok(reply(202, &Value::Null));
        }
        let before = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(place).or_default();
            *count += 1;
            *count - 1
        };
        match script(place, before) {
            (0, _) => Err(SendError::Timeout(request.timeout)),
            (status, body) => Ok(reply(status, &body)),
        }
    });
}

fn place(request: &OutboundRequest) -> &'static str {
    match request.url.as_str() {
        "https://api.amazon.com/auth/o2/token" => "login",
        "http://127.0.0.1:7080/v1/signaling" => "sidecar",
        "http://127.0.0.1:7080/v1/traces" => "traces",
        "https://api.amazonalexa.com/v1/communications/signaling"
        | "https://api.eu.amazonalexa.com/v1/communications/signaling" => "alexa",
        other => panic!("nobody should ask for {other}"),
    }
}

fn reply(status: u16, body: &Value) -> OutboundReply {
    OutboundReply {
        status,
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }
}

/// All well.
fn well(place: &str, n: usize) -> (u16, Value) {
    match place {
        "login" => (
            200,
            json!({"access_token": format!("Atza|renewed{n}"), "expires_in": 3600}),
        ),
        _ => (202, Value::Null),
    }
}

fn corpus(direction: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(CORPUS).unwrap();
    cases
        .into_iter()
        .filter(|case| case["direction"] == direction)
        .map(|case| case["message"].clone())
        .collect()
}

/// A message as Alexa sends it: without session and locale.
fn alexa(n: usize, message: &Value) -> Value {
    let mut whole = call_request("x", "x");
    whole.as_object_mut().unwrap().remove("session");
    let mut request = message.clone();
    request["requestId"] = json!(format!("amzn1.echo-api.request.{n}"));
    request["timestamp"] = json!("2027-01-15T08:00:00Z");
    whole["request"] = request;
    whole
}

fn initiate(n: usize) -> Value {
    alexa(n, &corpus("from-alexa")[0])
}

fn serve(host: &Memory, request: &Value) -> Served {
    http::serve_trusted(host, request.to_string().as_bytes())
}

fn sent_to(host: &Memory, wanted: &str) -> Vec<OutboundRequest> {
    let sent = host.sent.lock().unwrap();
    sent.iter()
        .filter(|request| place(request) == wanted)
        .cloned()
        .collect()
}

fn stored(host: &Memory) -> usize {
    let state = host.state.lock().unwrap();
    state
        .keys()
        .filter(|key| key.starts_with("signaling/"))
        .count()
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn order(n: u8, order: &Value) -> Request {
    signed_event_to("/signaling", order, n)
}

fn ringing() -> Value {
    json!({"account": ACCOUNT, "apiEndpoint": "https://api.eu.amazonalexa.com",
        "message": {"type": "Alexa.Comms.CallSignaling.CallRinging", "sessionId": "session-204"}})
}

fn outcome(host: &Memory, n: u8, what: &Value) -> Response {
    http::serve(host, &order(n, what)).response
}

#[test]
fn each_operation_is_stored_answered_forwarded_and_forgotten() {
    for (n, message) in corpus("from-alexa").iter().enumerate() {
        let host = set_up(well);
        let request = alexa(n, message);
        let served = serve(&host, &request);
        assert_eq!(served.response.status, 200);
        assert_eq!(
            String::from_utf8_lossy(&served.response.body),
            r#"{"version":"1.0","response":{}}"#,
            "{message}"
        );
        assert_eq!(stored(&host), 1, "stored before the reply");
        assert!(sent_to(&host, "sidecar").is_empty(), "sent after it");
        served.aftermath.run(&host);
        let sent = sent_to(&host, "sidecar");
        assert_eq!((sent.len(), stored(&host)), (1, 0));
        let forward: Forward = serde_json::from_slice(&sent[0].body).unwrap();
        assert_eq!(serde_json::to_value(&forward.message).unwrap(), *message);
        assert_eq!(
            json_of(&sent[0].body),
            json!({"requestId": format!("amzn1.echo-api.request.{n}"), "timestamp": "2027-01-15T08:00:00Z",
                "account": ACCOUNT, "apiEndpoint": "https://api.amazonalexa.com", "message": message})
        );
        let parts = RequestParts {
            method: "POST",
            path_and_query: "/v1/signaling",
            body: &sent[0].body,
        };
        let lookup = |name: &str| {
            let found = sent[0]
                .headers
                .iter()
                .find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str())
        };
        verify_request(&KeyRing::parse(KEYS).unwrap(), parts, &lookup, NOW_S as i64).unwrap();
        assert!(sent_to(&host, "alexa").is_empty());
    }
}

#[test]
fn the_deferred_response_takes_the_form_that_the_installation_wants() {
    for (form, wanted) in [
        (None, json!({"version": "1.0", "response": {}})),
        (Some("empty"), json!({"version": "1.0", "response": {}})),
        (
            Some("directive"),
            json!({"version": "1.0", "response": {"directives": [{
                "type": "Alexa.Comms.CallSignaling.InitiateOutboundCall", "providerSessionId": "session-204"}]}}),
        ),
        (
            Some("deferred"),
            json!({"event": {"header": {"namespace": "Alexa", "name": "DeferredResponse", "messageId": "ID", "payloadVersion": "3"},
                "payload": {"estimatedDeferralInSeconds": 5}}}),
        ),
    ] {
        let host = set_up(well);
        if let Some(form) = form {
            host.set("deferred_response", form);
        }
        let mut answer = json_of(&serve(&host, &initiate(1)).response.body);
        if let Some(id) = answer.pointer_mut("/event/header/messageId") {
            assert_eq!(id.as_str().map(str::len), Some(32));
            *id = json!("ID");
        }
        assert_eq!(answer, wanted);
        let ended = alexa(2, corpus("from-alexa").last().unwrap());
        let answer = json_of(&serve(&host, &ended).response.body);
        assert_eq!(answer, json!({"version": "1.0", "response": {}}));
    }
    let host = set_up(well);
    host.set("deferred_response", "later");
    assert_eq!(serve(&host, &initiate(1)).response.status, 503);
    assert!(host.log_says("deferred_response"));
}

#[test]
fn what_breaks_a_rule_is_refused_by_name_and_goes_nowhere() {
    for (pointer, member, value, told) in [
        ("", "version", None, "version is missing"),
        ("", "version", Some(json!("2.0")), "version is"),
        (
            "/context/System",
            "apiEndpoint",
            Some(json!("https://evil.example")),
            "api_hosts",
        ),
        ("/context/System", "user", None, "userId is missing"),
        ("/request", "sessionId", None, "sessionId is missing"),
        ("/request", "participants", None, "participants is missing"),
        (
            "/request/sdpDetails",
            "type",
            Some(json!("ANSWER")),
            "sdpDetails.type",
        ),
        (
            "/request/sdpDetails",
            "value",
            Some(json!("\u{1}".repeat(20_000))),
            "60,000",
        ),
        (
            "/request/sdpDetails",
            "value",
            Some(json!("x".repeat(40_000))),
            "32768",
        ),
        (
            "/request/participants/1",
            "isOriginator",
            None,
            "isOriginator is missing",
        ),
    ] {
        let host = set_up(well);
        let mut request = initiate(1);
        let object = request
            .pointer_mut(pointer)
            .unwrap()
            .as_object_mut()
            .unwrap();
        match value {
            Some(value) => object.insert(member.to_owned(), value),
            None => object.remove(member),
        };
        let served = serve(&host, &request);
        let problem = json_of(&served.response.body);
        assert_eq!(served.response.status, 400, "{told}: {problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(told),
            "{problem}"
        );
        served.aftermath.run(&host);
        assert_eq!(stored(&host), 0);
        assert!(sent_to(&host, "sidecar").is_empty() && sent_to(&host, "alexa").is_empty());
        assert!(!sent_to(&host, "traces").is_empty(), "it is traced");
    }
    // An operation of tomorrow is noted like any unknown request.
    let host = set_up(well);
    let request = alexa(
        1,
        &json!({"type": "Alexa.Comms.CallSignaling.CallMoved", "sessionId": "s"}),
    );
    let served = serve(&host, &request);
    assert_eq!(served.response.status, 200);
    served.aftermath.run(&host);
    assert!(sent_to(&host, "sidecar").is_empty() && host.log_says("is not served"));
}

#[test]
fn a_message_is_forwarded_until_it_is_taken_with_the_same_id_and_growing_pauses() {
    for trouble in [0, 401, 404, 429, 500, 503] {
        let host = set_up(move |place, n| match place {
            "sidecar" if n < 4 => (trouble, Value::Null),
            _ => well(place, n),
        });
        let began = host.now_ms();
        let ended = alexa(1, corpus("from-alexa").last().unwrap());
        serve(&host, &ended).aftermath.run(&host);
        let sent = sent_to(&host, "sidecar");
        assert_eq!((sent.len(), stored(&host)), (5, 0), "{trouble}");
        assert!(sent.iter().all(|request| request.body == sent[0].body));
        let nonces: std::collections::BTreeSet<_> = sent
            .iter()
            .flat_map(|request| &request.headers)
            .filter(|(name, _)| name.eq_ignore_ascii_case("skillcall-nonce"))
            .map(|(_, value)| value.clone())
            .collect();
        assert_eq!(nonces.len(), 5, "each try has a nonce of its own");
        if trouble != 0 {
            assert_eq!(host.now_ms() - began, 100 + 200 + 400 + 800);
        }
    }
}

#[test]
fn a_message_that_nobody_takes_stays_and_goes_with_alexas_repetition() {
    let host = set_up(|place, n| match place {
        "sidecar" => (503, Value::Null),
        _ => well(place, n),
    });
    let began = host.now_ms();
    let ended = alexa(1, corpus("from-alexa").last().unwrap());
    serve(&host, &ended).aftermath.run(&host);
    let took = host.now_ms() - began;
    assert!((15_000..=22_000).contains(&took), "{took}");
    assert_eq!(stored(&host), 1);
    assert!(
        sent_to(&host, "alexa").is_empty(),
        "only a call that begins is ended"
    );
    host.sent.lock().unwrap().clear();
    services(&host, Arc::new(well));
    let again = serve(&host, &ended);
    assert_eq!(again.response.status, 200);
    again.aftermath.run(&host);
    assert_eq!((sent_to(&host, "sidecar").len(), stored(&host)), (1, 0));
    // And no further one once it is acknowledged.
    serve(&host, &ended).aftermath.run(&host);
    assert_eq!(sent_to(&host, "sidecar").len(), 1);
}

#[test]
fn messages_of_one_session_do_not_touch_each_other() {
    let host = set_up(well);
    let served: Vec<_> = corpus("from-alexa")
        .iter()
        .enumerate()
        .map(|(n, message)| serve(&host, &alexa(n, message)))
        .collect();
    assert_eq!(stored(&host), served.len());
    for one in served.into_iter().rev() {
        one.aftermath.run(&host);
    }
    assert_eq!(stored(&host), 0);
    assert_eq!(sent_to(&host, "sidecar").len(), corpus("from-alexa").len());
}

#[test]
fn a_call_that_nobody_takes_is_ended_by_the_component() {
    for (status, sidecar) in [(503, true), (0, true), (400, true), (422, true), (0, false)] {
        let host = set_up(move |place, n| match place {
            "sidecar" => (status, Value::Null),
            _ => well(place, n),
        });
        if !sidecar {
            host.unset("sidecar_url");
        }
        let began = host.now_ms();
        let mut request = initiate(1);
        request["context"]["System"]["apiEndpoint"] = json!("https://api.eu.amazonalexa.com/");
        let served = serve(&host, &request);
        assert_eq!(served.response.status, 200);
        served.aftermath.run(&host);
        let sent = sent_to(&host, "alexa");
        assert_eq!(sent.len(), 1, "{status}");
        assert!(sent[0].url.starts_with("https://api.eu.amazonalexa.com/"));
        assert_eq!(
            json_of(&sent[0].body),
            json!({"type": "Alexa.Comms.CallSignaling.CallEnded", "sessionId": "session-204",
                "callResult": {"code": "INTERNAL_ERROR", "message": "the call cannot be served now"}})
        );
        assert_eq!(stored(&host), 0);
        assert!(host.now_ms() - began < 12_000);
        assert!(host.log_says("the call was ended, as nobody could take it"));
    }
}

#[test]
fn where_the_reply_waits_the_message_waits_little() {
    let host = set_up(|place, n| match place {
        "sidecar" => (503, Value::Null),
        _ => well(place, n),
    });
    let began = host.now_ms();
    let served = serve(&host, &initiate(1));
    served.aftermath.run_before_reply(&host);
    assert!(host.now_ms() - began < 6_000);
    assert_eq!(sent_to(&host, "alexa").len(), 1);
}

#[test]
fn each_message_goes_to_alexa_with_the_accounts_token() {
    for (n, message) in corpus("to-alexa").iter().enumerate() {
        let host = set_up(well);
        let mut what = ringing();
        what["message"] = message.clone();
        let response = outcome(&host, 1 + n as u8, &what);
        assert_eq!(response.status, 200);
        assert_eq!(
            json_of(&response.body),
            json!({"status": 202, "exception": null, "message": null})
        );
        assert!(
            response
                .headers
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("skillcall-signature"))
        );
        let sent = sent_to(&host, "alexa");
        assert_eq!(sent.len(), 1);
        assert_eq!(json_of(&sent[0].body), *message);
        assert_eq!(
            sent[0].url,
            "https://api.eu.amazonalexa.com/v1/communications/signaling"
        );
        assert!(
            sent[0]
                .headers
                .contains(&("authorization", "Bearer Atza|granted0".to_owned()))
        );
    }
}

#[test]
fn a_refused_token_is_renewed_once_and_alexas_last_word_is_told() {
    for (answers, told, tries) in [
        (vec![401, 202], (202, Value::Null), 2),
        (vec![401, 401, 202], (401, json!("BadTokenException")), 2),
        (vec![403, 202], (202, Value::Null), 2),
        (
            vec![403, 403, 202],
            (403, json!("AccessDeniedException")),
            2,
        ),
        (
            vec![401, 403, 202],
            (403, json!("AccessDeniedException")),
            2,
        ),
        (vec![404], (404, json!("ResourceNotFoundException")), 1),
        (vec![409], (409, json!("ResourceConflictException")), 1),
        (vec![429], (429, json!("ThrottlingException")), 1),
        (vec![500], (500, json!("InternalServerException")), 1),
        (vec![400], (400, Value::Null), 1),
    ] {
        let script = answers.clone();
        let host = set_up(move |place, n| match place {
            "alexa" => (script[n], json!({"message": "why"})),
            _ => well(place, n),
        });
        let response = outcome(&host, 1, &ringing());
        let body = json_of(&response.body);
        assert_eq!(response.status, 200);
        assert_eq!(
            (body["status"].clone(), body["exception"].clone()),
            (json!(told.0), told.1),
            "{answers:?}"
        );
        if told.0 >= 400 {
            assert_eq!(body["message"], "why");
        }
        let tokens: Vec<_> = sent_to(&host, "alexa")
            .iter()
            .map(|request| request.headers[0].1.clone())
            .collect();
        assert_eq!(tokens.len(), tries, "{answers:?}");
        assert_eq!(sent_to(&host, "login").len(), tries - 1);
        if tries == 2 {
            assert_eq!(tokens, ["Bearer Atza|granted0", "Bearer Atza|renewed0"]);
        }
    }
    // The exception that the body names is told where the status does not tell.
    let host = set_up(|place, n| match place {
        "alexa" => (
            400,
            json!({"code": "InvalidCallStateException", "message": "over"}),
        ),
        _ => well(place, n),
    });
    let body = json_of(&outcome(&host, 1, &ringing()).body);
    assert_eq!(
        body,
        json!({"status": 400, "exception": "InvalidCallStateException", "message": "over"})
    );
}

#[test]
fn of_two_orders_with_a_refused_token_one_renews_it() {
    let host = Arc::new(set_up(|place, n| match place {
        // Whoever comes with the old token is refused, in whatever order they come.
        "alexa" if n < 2 => (401, Value::Null),
        _ => well(place, n),
    }));
    std::thread::scope(|scope| {
        let running = [1, 2].map(|n| {
            let host = &host;
            scope.spawn(move || outcome(host, n, &ringing()).status)
        });
        for thread in running {
            assert_eq!(thread.join().unwrap(), 200);
        }
    });
    let renewals = sent_to(&host, "login").len();
    assert!((1..=2).contains(&renewals), "{renewals}");
}

#[test]
fn an_account_without_grant_shows_as_to_be_linked_again() {
    let host = set_up(well);
    let mut what = ringing();
    what["account"] = json!("amzn1.ask.account.STRANGER");
    let body = json_of(&outcome(&host, 1, &what).body);
    assert_eq!(
        (body["status"].clone(), body["exception"].clone()),
        (json!(403), json!("AccessDeniedException"))
    );
    assert!(body["message"].as_str().unwrap().contains("linked again"));
    assert!(sent_to(&host, "alexa").is_empty());
    // The same once a renewal says that the grant has ended.
    let host = set_up(|place, n| match place {
        "alexa" => (403, Value::Null),
        "login" => (400, json!({"error": "invalid_grant"})),
        _ => well(place, n),
    });
    let body = json_of(&outcome(&host, 1, &ringing()).body);
    assert!(
        body["message"].as_str().unwrap().contains("linked again"),
        "{body}"
    );
    assert_eq!(sent_to(&host, "alexa").len(), 1);
}

#[test]
fn what_does_not_reach_alexa_is_a_problem() {
    let host = set_up(|place, n| match place {
        "alexa" => (0, Value::Null),
        _ => well(place, n),
    });
    let response = outcome(&host, 1, &ringing());
    assert_eq!(response.status, 502);
    let host = set_up(|place, n| match place {
        "login" => (500, json!({})),
        _ => well(place, n),
    });
    host.pass_seconds(4000);
    let mut late = order(1, &ringing());
    late.headers.clear();
    assert_eq!(http::serve(&host, &late).response.status, 401, "unsigned");
    let host = set_up(well);
    host.unset("lwa_client_secrets");
    assert_eq!(outcome(&host, 1, &ringing()).status, 503);
    let host = set_up(well);
    for (n, (pointer, value)) in (1..).zip([
        ("/apiEndpoint", json!("https://evil.example")),
        (
            "/message/type",
            json!("Alexa.Comms.CallSignaling.InitiateOutboundCall"),
        ),
        ("/message/type", json!("CallRinging")),
        ("/message/sessionId", json!("")),
        ("/account", json!("")),
    ]) {
        let mut what = ringing();
        *what.pointer_mut(pointer).unwrap() = value;
        let response = outcome(&host, n, &what);
        assert_eq!(response.status, 400, "{pointer}");
    }
    assert!(sent_to(&host, "alexa").is_empty());
}

#[test]
fn the_trace_has_neither_keys_nor_tokens_and_one_id_for_both_directions() {
    let host = set_up(|place, n| match place {
        "alexa" if n == 0 => (401, json!({"message": "expired"})),
        _ => well(place, n),
    });
    serve(&host, &initiate(1)).aftermath.run(&host);
    let mut what = ringing();
    what["message"] = corpus("to-alexa")
        .into_iter()
        .find(|message| message["sdpDetails"].is_object())
        .unwrap();
    let served = http::serve(&host, &order(1, &what));
    assert_eq!(served.response.status, 200);
    served.aftermath.run(&host);
    let traces = sent_to(&host, "traces");
    let text: String = traces
        .iter()
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    let log = host.logged.lock().unwrap().join("\n");
    for secret in [
        "simulatedpassword",
        "madeuppassword",
        "Atza|",
        "Atzr|",
        "the-secret",
    ] {
        assert!(
            !text.contains(secret) && !log.contains(secret),
            "{secret} in {text}"
        );
    }
    assert!(text.contains("a=fingerprint:sha-256"), "{text}");
    assert!(text.contains("POST /signaling CallInProgress"), "{text}");
    let ids: std::collections::BTreeSet<String> = traces
        .iter()
        .flat_map(|request| {
            let body = json_of(&request.body);
            body["records"].as_array().unwrap().clone()
        })
        .map(|record| record["ids"]["trace"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let forward = &sent_to(&host, "sidecar")[0];
    let parent = forward
        .headers
        .iter()
        .find(|(name, _)| *name == "traceparent")
        .map(|(_, value)| value.clone())
        .unwrap();
    assert!(parent.contains(ids.first().unwrap()), "{parent} {ids:?}");
}
