//! Requests through the routes, with the whole outside scripted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use skillcall_protocol::signing::{
    KeyRing, RequestParts, SignedReply, verify_reply, verify_request,
};
use skillcall_protocol::traceparent::TraceParent;

use super::*;
use crate::testing::{
    DEVICE, Memory, NOW_S, TOKEN, alexa_api, call_request, event, installation, signed_alexa,
    signed_event,
};

const KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SESSION: &str = "POST /v1/communications/session";

fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn ask(host: &Memory, request: &Value) -> Response {
    serve(host, &signed_alexa(request)).response
}

fn speech(response: &Response) -> String {
    assert_eq!(
        response.status,
        200,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    body(response)["response"]["outputSpeech"]["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn sessions_asked(host: &Memory) -> Vec<Value> {
    let sent = host.sent.lock().unwrap();
    sent.iter()
        .filter(|r| r.url.ends_with("/v1/communications/session"))
        .map(|r| serde_json::from_slice(&r.body).unwrap())
        .collect()
}

fn simple(method: &str, target: &str, body: &[u8]) -> Request {
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: Vec::new(),
        body: body.to_vec(),
    }
}

#[test]
fn a_call_is_placed_and_announced() {
    let host = installation();
    let response = ask(
        &host,
        &call_request("amzn1.echo-api.request.1", "the Front-Desk"),
    );
    assert_eq!(speech(&response), "Calling the front desk.");
    assert_eq!(body(&response)["response"]["shouldEndSession"], true);
    assert_eq!(
        host.asked(),
        [
            "GET /echo.api/echo-api-cert-12.pem",
            "GET /v2/accounts/~current/settings/Profile.mobileNumber",
            SESSION
        ]
    );
    let session = &sessions_asked(&host)[0];
    assert_eq!(
        session["participants"][0]["id"],
        json!({"type": "PHONE_NUMBER", "value": "+12045550100"})
    );
    assert_eq!(session["participants"][0]["endpointId"], DEVICE);
    assert_eq!(session["participants"][1]["id"]["value"], "+16075550199");
    let csi = session["clientContext"]["clientSessionId"]
        .as_str()
        .unwrap();
    assert_eq!(csi.len(), 64);
    for (n, request) in host.sent.lock().unwrap().iter().enumerate() {
        let header = |name: &str| {
            request
                .headers
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(
            header("authorization"),
            (n > 0).then(|| format!("Bearer {TOKEN}")),
            "the token goes to Alexa's API alone"
        );
        // The certificates are fetched before it is known whose request it is.
        let parent: Option<TraceParent> = header("traceparent").map(|value| value.parse().unwrap());
        assert_eq!(
            parent.map(|parent| parent.trace_id()),
            (n > 0).then(|| TraceParent::of_session(csi, [1; 8]).trace_id()),
            "the call has one trace id"
        );
    }
    let log = host.logged.lock().unwrap().join("\n");
    assert!(!log.contains(TOKEN) && !log.contains("2045550100"), "{log}");
}

#[test]
fn the_language_of_the_request_is_answered() {
    let host = installation();
    let mut request = call_request("amzn1.echo-api.request.1", "Rezeption");
    request["request"]["locale"] = json!("de-AT");
    assert_eq!(speech(&ask(&host, &request)), "Ich rufe die Rezeption an.");
    let mut request = call_request("amzn1.echo-api.request.2", "housekeeping");
    request["request"]["locale"] = json!("fr-FR");
    assert_eq!(speech(&ask(&host, &request)), "Calling housekeeping.");
}

#[test]
fn what_the_interaction_model_resolved_comes_before_the_words() {
    let host = installation();
    let mut request = call_request("amzn1.echo-api.request.1", "the people down there");
    request["request"]["intent"]["slots"]["destination"]["resolutions"] = json!({"resolutionsPerAuthority": [{
        "authority": "amzn1.er-authority.echo-sdk.s.DESTINATION", "status": {"code": "ER_SUCCESS_MATCH"},
        "values": [{"value": {"name": "reception desk", "id": "FRONT_DESK"}}]}]});
    assert_eq!(speech(&ask(&host, &request)), "Calling the front desk.");
}

#[test]
fn names_that_lead_nowhere_are_asked_again() {
    let host = installation();
    let response = ask(&host, &call_request("amzn1.echo-api.request.1", "the moon"));
    assert_eq!(
        speech(&response),
        "I can not call that. Whom would you like to call?"
    );
    assert_eq!(body(&response)["response"]["shouldEndSession"], false);
    let mut empty = call_request("amzn1.echo-api.request.2", "x");
    empty["request"]["intent"]["slots"]["destination"]
        .as_object_mut()
        .unwrap()
        .remove("value");
    assert_eq!(speech(&ask(&host, &empty)), "Whom would you like to call?");
    assert!(sessions_asked(&host).is_empty());
}

#[test]
fn other_requests_are_answered_as_facts_a2_says() {
    let host = installation();
    let of_type = |n: u32, kind: &str| {
        let mut request = call_request(&format!("amzn1.echo-api.request.{n}"), "x");
        request["request"]["type"] = json!(kind);
        request["request"].as_object_mut().unwrap().remove("intent");
        ask(&host, &request)
    };
    assert_eq!(
        speech(&of_type(1, "LaunchRequest")),
        "Whom would you like to call?"
    );
    for (n, kind) in (2..).zip([
        "SessionEndedRequest",
        "AudioPlayer.PlaybackStarted",
        "AlexaSkillEvent.SkillEnabled",
        "Brand.New",
    ]) {
        let response = of_type(n, kind);
        assert_eq!(
            (response.status, body(&response)),
            (200, json!({"version": "1.0", "response": {}})),
            "{kind}"
        );
    }
    for (n, (intent, said)) in (20..).zip([
        ("AMAZON.StopIntent", Some("Goodbye.")),
        ("AMAZON.HelpIntent", Some("Say whom")),
        ("Other", None),
    ]) {
        let mut request = call_request(&format!("amzn1.echo-api.request.{n}"), "x");
        request["request"]["intent"] = json!({"name": intent});
        let response = ask(&host, &request);
        match said {
            Some(said) => assert!(speech(&response).starts_with(said)),
            None => assert_eq!(body(&response)["response"], json!({})),
        }
    }
}

#[test]
fn each_error_of_the_profile_api_has_its_words() {
    for (status, reply, said, card) in [
        (
            403,
            json!({"code": "ACCESS_DENIED"}),
            "To place the call I need your permission",
            true,
        ),
        (204, Value::Null, "There is no phone number", false),
        (
            200,
            json!({"countryCode": "", "phoneNumber": ""}),
            "There is no phone number",
            false,
        ),
        (
            200,
            json!("nonsense"),
            "I could not read your phone number",
            false,
        ),
        (401, json!({}), "Your request has expired", false),
        (429, json!({}), "Too many calls", false),
        (500, json!({}), "I could not read your phone number", false),
        (0, Value::Null, "I could not read your phone number", false),
    ] {
        let host = installation();
        host.answers(alexa_api(move |path| {
            path.contains("Profile.mobileNumber")
                .then(|| (status, reply.clone()))
        }));
        let response = ask(
            &host,
            &call_request("amzn1.echo-api.request.1", "front desk"),
        );
        assert!(
            speech(&response).starts_with(said),
            "{status}: {}",
            speech(&response)
        );
        let expected = json!({"type": "AskForPermissionsConsent", "permissions": ["alexa::profile:mobile_number:read"]});
        assert_eq!(
            body(&response)["response"]["card"],
            if card { expected } else { Value::Null }
        );
        assert!(sessions_asked(&host).is_empty());
    }
}

#[test]
fn each_error_of_start_communication_session_has_its_words() {
    for (status, code, said, tries) in [
        (400, "InvalidInput", "The call was refused", 1),
        (401, "BadToken", "Your request has expired", 1),
        (401, "BadTokenException", "Your request has expired", 1),
        (403, "AccessDenied", "Calling is not allowed", 1),
        (
            404,
            "",
            "Calling by this skill is not available in your region",
            1,
        ),
        (429, "Throttling", "Too many calls", 3),
        (
            500,
            "InternalServerError",
            "The call could not be started",
            3,
        ),
        (0, "", "The call could not be started", 2),
    ] {
        let host = installation();
        host.answers(alexa_api(move |path| {
            path.contains("communications")
                .then(|| (status, json!({"code": code, "message": "no"})))
        }));
        let began = host.now_ms();
        let response = ask(
            &host,
            &call_request("amzn1.echo-api.request.1", "front desk"),
        );
        assert!(
            speech(&response).starts_with(said),
            "{status} {code}: {}",
            speech(&response)
        );
        assert!(
            host.log_says("no call: StartCommunicationSession"),
            "{status}"
        );
        assert!(host.now_ms() - began < 8000, "facts A4");
        let asked = sessions_asked(&host);
        assert_eq!(asked.len(), tries, "{status}");
        assert!(
            asked.iter().all(|session| *session == asked[0]),
            "a retry carries the same clientSessionId"
        );
    }
}

#[test]
fn an_answer_that_got_lost_is_asked_for_again() {
    for lost in [500, 0] {
        let host = installation();
        let tries = AtomicUsize::new(0);
        host.answers(alexa_api(move |path| {
            (path.contains("communications") && tries.fetch_add(1, Ordering::SeqCst) == 0)
                .then(|| (lost, json!({})))
        }));
        assert_eq!(
            speech(&ask(
                &host,
                &call_request("amzn1.echo-api.request.1", "front desk")
            )),
            "Calling the front desk."
        );
        let asked = sessions_asked(&host);
        assert_eq!(asked[0]["clientContext"], asked[1]["clientContext"]);
    }
}

#[test]
fn the_token_goes_to_allowed_origins_only() {
    for endpoint in [
        "https://evil.example",
        "https://api.amazonalexa.com.evil.example",
        "http://api.amazonalexa.com",
        "https://api.amazonalexa.com@evil.example",
    ] {
        let host = installation();
        let mut request = call_request("amzn1.echo-api.request.1", "front desk");
        request["context"]["System"]["apiEndpoint"] = json!(endpoint);
        assert!(speech(&ask(&host, &request)).starts_with("The call could not be started"));
        assert_eq!(
            host.asked(),
            ["GET /echo.api/echo-api-cert-12.pem"],
            "{endpoint}"
        );
    }
    let host = installation();
    host.set("api_hosts", "http://127.0.0.1:7090");
    let mut request = call_request("amzn1.echo-api.request.1", "front desk");
    request["context"]["System"]["apiEndpoint"] = json!("http://127.0.0.1:7090/");
    assert_eq!(speech(&ask(&host, &request)), "Calling the front desk.");
}

#[test]
fn a_repeated_request_gets_the_stored_answer() {
    let host = installation();
    let request = call_request("amzn1.echo-api.request.1", "front desk");
    let first = ask(&host, &request);
    host.pass_seconds(100);
    assert_eq!(ask(&host, &request), first);
    assert_eq!(sessions_asked(&host).len(), 1);
    let mut altered = request.clone();
    altered["request"]["intent"]["slots"]["destination"]["value"] = json!("housekeeping");
    let refused = ask(&host, &altered);
    assert_eq!(
        (refused.status, body(&refused)["type"].as_str()),
        (400, Some("urn:skillcall:problem:altered"))
    );
    host.pass_seconds(100);
    assert_eq!(ask(&host, &request).status, 400, "outside the window");
    assert_eq!(sessions_asked(&host).len(), 1);
}

#[test]
fn pairs_at_the_same_instant_make_one_call_each() {
    let host = Arc::new(installation());
    for n in 0..20 {
        let request = signed_alexa(&call_request(
            &format!("amzn1.echo-api.request.{n}"),
            "front desk",
        ));
        let barrier = std::sync::Barrier::new(2);
        let answers: Vec<Response> = std::thread::scope(|scope| {
            let running = [(); 2].map(|()| {
                scope.spawn(|| {
                    barrier.wait();
                    serve(&*host, &request).response
                })
            });
            running
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(answers[0], answers[1]);
        assert_eq!(speech(&answers[0]), "Calling the front desk.");
        assert_eq!(sessions_asked(&host).len(), n + 1);
    }
}

#[test]
fn a_host_that_authenticates_needs_no_signature_but_time_and_skill() {
    let host = installation();
    let request = call_request("amzn1.echo-api.request.1", "front desk");
    let served = serve_trusted(&host, request.to_string().as_bytes());
    assert_eq!(speech(&served.response), "Calling the front desk.");
    assert!(!host.asked().iter().any(|asked| asked.contains("echo.api")));
    host.pass_seconds(200);
    assert_eq!(
        serve_trusted(&host, request.to_string().as_bytes())
            .response
            .status,
        400
    );
}

#[test]
fn an_unverified_request_leaves_no_trace_and_costs_nothing() {
    let host = installation();
    host.set("sidecar_url", "http://127.0.0.1:7080");
    let mut request = signed_alexa(&call_request("amzn1.echo-api.request.1", "front desk"));
    request.body.push(b' ');
    let served = serve(&host, &request);
    assert_eq!(
        (served.response.status, served.response.content_type()),
        (400, PROBLEM)
    );
    served.aftermath.run(&host);
    assert_eq!(host.asked(), ["GET /echo.api/echo-api-cert-12.pem"]);
}

#[test]
fn wrong_routes_methods_and_lengths_are_problems() {
    let host = installation();
    for (request, status, kind) in [
        (simple("GET", "/", b""), 404, "no-route"),
        (simple("POST", "/alexa/", b""), 404, "no-route"),
        (simple("GET", "/alexa", b""), 405, "method"),
        (simple("PUT", "/media/events", b""), 405, "method"),
        (simple("POST", "/health", b""), 405, "method"),
        (
            simple("POST", "/alexa", &vec![b'x'; MAX_BODY + 1]),
            413,
            "too-long",
        ),
        (simple("POST", "/alexa", b"{}"), 400, "refused"),
        (simple("POST", "/media/events?x=1", b"{}"), 401, "unsigned"),
    ] {
        let response = serve(&host, &request).response;
        assert_eq!(
            (response.status, response.content_type()),
            (status, PROBLEM),
            "{request:?}"
        );
        let problem = body(&response);
        assert_eq!(problem["type"], format!("urn:skillcall:problem:{kind}"));
        assert_eq!(problem["status"], status);
        assert_eq!(
            response.headers.iter().any(|(name, _)| *name == "allow"),
            status == 405
        );
    }
}

#[test]
fn missing_settings_are_named_in_the_log_and_nowhere_else() {
    for name in ["plan", "sidecar_keys", "session_key"] {
        let host = installation();
        host.unset(name);
        for request in [
            simple("GET", "/health", b""),
            signed_alexa(&call_request("r", "front desk")),
        ] {
            let response = serve(&host, &request).response;
            assert_eq!((response.status, response.content_type()), (503, PROBLEM));
            assert!(!String::from_utf8_lossy(&response.body).contains(name));
        }
        assert!(host.log_says(&format!("missing settings: {name}")));
    }
    for (name, value) in [
        ("plan", "[skill]"),
        ("sidecar_keys", "k1"),
        ("session_key", "c2hvcnQ="),
        ("api_hosts", "api.amazonalexa.com"),
        ("chain_origin", "https://x/path"),
        ("tolerance_seconds", "soon"),
    ] {
        let host = installation();
        host.set(name, value);
        assert_eq!(
            serve(&host, &simple("GET", "/health", b"")).response.status,
            503
        );
        assert!(host.log_says(&format!("setting {name}: ")), "{name}");
    }
}

#[test]
fn health_says_whom_the_skill_trusts() {
    let host = installation();
    let health = || body(&serve(&host, &simple("GET", "/health", b"")).response);
    assert!(
        health()["trust"]
            .as_str()
            .unwrap()
            .ends_with("because of alexa_roots")
    );
    host.set("chain_origin", "http://127.0.0.1:7090");
    assert!(
        health()["trust"]
            .as_str()
            .unwrap()
            .contains("alexa_roots and chain_origin")
    );
    ask(
        &host,
        &call_request("amzn1.echo-api.request.1", "front desk"),
    );
    assert!(host.log_says("TEST TRUST"));
    host.unset("alexa_roots");
    host.unset("chain_origin");
    assert_eq!(health()["trust"], "amazon");
}

fn incoming_call(csi: &str) -> Value {
    let legs = json!([{"CallId": "leg-a", "ParticipantTag": "LEG-A", "To": "+16075550199", "From": "+12045550100",
        "Direction": "Inbound", "StartTimeInMilliseconds": "1800000000000",
        "SipHeaders": {"user-to-user": format!("{};encoding=hex", hex::encode(format!("csi={csi}")))}}]);
    event(1, "NEW_INBOUND_CALL", Value::Null, Value::Null, legs)
}

#[test]
fn the_call_is_recognised_by_its_session() {
    let host = installation();
    let mut request = call_request("amzn1.echo-api.request.1", "Rezeption");
    request["request"]["locale"] = json!("de-DE");
    ask(&host, &request);
    let csi = sessions_asked(&host)[0]["clientContext"]["clientSessionId"]
        .as_str()
        .unwrap()
        .to_owned();
    let response = serve(&host, &signed_event(&incoming_call(&csi), 1)).response;
    assert_eq!(response.status, 200);
    let reply = body(&response);
    assert_eq!(reply["SchemaVersion"], "1.0");
    assert_eq!(
        reply["Actions"][0]["Parameters"]["Text"],
        "Willkommen im Hotel am Hafen."
    );
    assert_eq!(
        reply["TransactionAttributes"]["skillcall.destination"],
        "FRONT_DESK"
    );
    let lookup = |name: &str| {
        response
            .headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    let signed = SignedReply {
        status: 200,
        nonce: &"01".repeat(16),
        body: &response.body,
    };
    verify_reply(
        &KeyRing::parse(KEYS).unwrap(),
        signed,
        &lookup,
        NOW_S as i64,
    )
    .unwrap();
}

#[test]
fn events_must_be_signed_fresh_and_new() {
    let host = installation();
    let good = signed_event(&incoming_call("abc"), 1);
    assert_eq!(serve(&host, &good).response.status, 200);
    let replayed = serve(&host, &good).response;
    assert_eq!(
        (replayed.status, body(&replayed)["type"].as_str()),
        (401, Some("urn:skillcall:problem:unsigned"))
    );
    let mut tampered = signed_event(&incoming_call("abc"), 2);
    tampered.body.push(b' ');
    assert_eq!(serve(&host, &tampered).response.status, 401);
    let stale = signed_event(&incoming_call("abc"), 3);
    host.pass_seconds(61);
    assert_eq!(serve(&host, &stale).response.status, 401);
    let host = installation();
    let nonsense = serve(&host, &signed_event(&json!({"what": 1}), 4)).response;
    assert_eq!(nonsense.status, 400);
    assert!(
        nonsense
            .headers
            .iter()
            .any(|(name, _)| *name == "Skillcall-Signature"),
        "refusals are signed too"
    );
}

#[test]
fn records_go_to_the_sidecar_after_the_reply_signed_and_redacted() {
    let host = installation();
    host.set("sidecar_url", "http://127.0.0.1:7080/");
    let mut request = signed_alexa(&call_request("amzn1.echo-api.request.1", "front desk"));
    request.headers.push((
        "traceparent".to_owned(),
        b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec(),
    ));
    let served = serve(&host, &request);
    assert!(
        !host.asked().iter().any(|asked| asked.contains("traces")),
        "the reply comes first"
    );
    served.aftermath.run(&host);
    let sent = host.sent.lock().unwrap();
    let post = sent.last().unwrap();
    assert_eq!(post.url, "http://127.0.0.1:7080/v1/traces");
    let lookup = |name: &str| {
        post.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    };
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/v1/traces",
        body: &post.body,
    };
    verify_request(&KeyRing::parse(KEYS).unwrap(), parts, &lookup, NOW_S as i64).unwrap();
    let text = String::from_utf8(post.body.clone()).unwrap();
    assert!(
        !text.contains(TOKEN) && !text.contains("2045550100") && !text.contains("5550100"),
        "{text}"
    );
    let posted: Value = serde_json::from_str(&text).unwrap();
    let records = posted["records"].as_array().unwrap();
    let names: Vec<&str> = records
        .iter()
        .filter_map(|record| record["name"].as_str())
        .collect();
    assert!(
        names.contains(&"POST /alexa IntentRequest") && names.contains(&SESSION),
        "{names:?}"
    );
    for record in records {
        assert_eq!(record["part"], "component");
        let csi = record["ids"]["csi"].as_str().unwrap();
        assert_eq!(
            record["ids"]["trace"],
            TraceParent::of_session(csi, [1; 8]).trace_id()
        );
        assert_eq!(
            record["ids"]["parent"], "0af7651916cd43dd8448eb211c80319c",
            "the trace of a proxy in front leads to the call's"
        );
        assert_eq!(record["ids"]["request"], "amzn1.echo-api.request.1");
        assert_eq!(record["ids"]["session"], "session-1");
    }
    assert!(
        lookup("traceparent")
            .unwrap()
            .contains(records[0]["ids"]["trace"].as_str().unwrap())
    );
}

/// The records that a request leaves.
fn recorded(host: &Memory, request: &Request) -> Vec<Value> {
    host.set("sidecar_url", "http://127.0.0.1:7080");
    serve(host, request).aftermath.run(host);
    let sent = host.sent.lock().unwrap();
    let posted: Value = serde_json::from_slice(&sent.last().unwrap().body).unwrap();
    posted["records"].as_array().unwrap().clone()
}

#[test]
fn an_event_is_in_the_trace_of_its_session_and_else_in_that_of_its_sender() {
    const FOREIGN: &str = "0af7651916cd43dd8448eb211c80319c";
    let from_there = |mut request: Request| {
        let value = format!("00-{FOREIGN}-b7ad6b7169203331-01").into_bytes();
        request.headers.push(("traceparent".to_owned(), value));
        request
    };
    let host = installation();
    let event = from_there(signed_event(&incoming_call("a1-b2"), 1));
    for record in recorded(&host, &event) {
        assert_eq!(record["ids"]["csi"], "a1-b2");
        assert_eq!(record["ids"]["trace"], "05d69c22730e127ae7991996fb65c930");
        assert_eq!(record["ids"]["parent"], FOREIGN);
    }
    let mut without = incoming_call("a1-b2");
    without["CallDetails"]["Participants"][0]["SipHeaders"] = json!({});
    for record in recorded(&host, &from_there(signed_event(&without, 2))) {
        assert_eq!(record["ids"]["trace"], FOREIGN);
        assert_eq!(record["ids"]["parent"], Value::Null);
    }
}

#[test]
fn a_refusal_says_in_the_trace_why() {
    let host = installation();
    host.answers(alexa_api(|path| {
        path.contains("communications").then(|| {
            let refusal = json!({"code": "AccessDenied", "message": "no permission to call"});
            (403, refusal)
        })
    }));
    let request = signed_alexa(&call_request("amzn1.echo-api.request.1", "front desk"));
    let records = recorded(&host, &request);
    let outcome = records
        .iter()
        .find(|record| record["name"] == SESSION)
        .map(|record| record["outcome"].as_str().unwrap());
    assert_eq!(outcome, Some("403 AccessDenied: no permission to call"));
}

#[test]
fn a_sidecar_that_takes_no_records_costs_no_call() {
    for status in [500, 0] {
        let host = installation();
        host.set("sidecar_url", "http://127.0.0.1:7080");
        host.answers(alexa_api(move |path| {
            path.contains("traces").then(|| (status, json!({})))
        }));
        let served = serve(
            &host,
            &signed_alexa(&call_request("amzn1.echo-api.request.1", "front desk")),
        );
        assert_eq!(speech(&served.response), "Calling the front desk.");
        served.aftermath.run(&host);
        assert!(host.log_says("trace: "));
    }
}
