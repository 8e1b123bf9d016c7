//! Who and what is refused, and that a refusal costs nothing.

use crate::support;

use serde_json::{Value, json};
use support::{Behaviour, Bench, Handler, Phone, SKILL, TOKEN, skill_headers};

async fn silent() -> Handler {
    Handler::start(
        |event: &Value| match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => json!([
                {"Type": "Speak", "Parameters": {"Text": "Hello."}},
                {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 20000}},
            ]),
            _ => json!([]),
        },
    )
    .await
}

fn refused(bench: &Bench, headers: &[(&str, &str)]) -> u16 {
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, headers);
    phone
        .wait("a refusal", |state| state.failed.is_some())
        .failed
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_foreign_skills() {
    let bench = Bench::with(silent().await, None, "sources = [\"192.0.2.0/24\"]", |_| {}).await;
    assert_eq!(refused(&bench, &[("X-Alexa-LWA-ClientId", SKILL)]), 403);
    assert_eq!(bench.sidecar.figures().calls_total, 0);
    assert!(bench.sidecar.figures().refused_source >= 1);
    bench.sidecar.shutdown().await;

    let bench = Bench::start(silent().await, None).await;
    let foreign = "amzn1.application-oa2-client.ffffffffffffffffffffffffffffffff";
    assert_eq!(refused(&bench, &[("X-Alexa-LWA-ClientId", foreign)]), 403);
    assert!(bench.sidecar.figures().refused_skill >= 1);
    assert!(bench.handler.kinds().is_empty(), "the handler was asked");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_makes_one_call() {
    let bench = Bench::start(silent().await, None).await;
    let headers = skill_headers("one");
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &headers);
    phone.wait("an answer", |state| state.answered);
    assert_eq!(refused(&bench, &headers), 482);
    assert_eq!(bench.sidecar.figures().calls_total, 1);
    let trace = bench.get("/v1/traces/one").await;
    assert!(
        trace.to_string().contains("another INVITE has made"),
        "{trace}"
    );
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_shed_and_goes_by() {
    let bench = Bench::with(silent().await, None, "", |config| config.limits.calls = 1).await;
    let skill = [("X-Alexa-LWA-ClientId", SKILL)];
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &skill);
    phone.wait("an answer", |state| state.answered);
    assert_eq!(refused(&bench, &skill), 503);
    phone.hang_up();
    phone.wait("the end", |state| state.ended);
    bench.figures_become("no call", |now| now.calls == 0).await;
    bench.call(&phone, &skill);
    phone.wait("an answer", |state| state.answered);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_numbers_and_full_ports() {
    let bench = Bench::with(silent().await, None, "", |config| {
        config.application[0].numbers = vec!["+16075550000".into()];
    })
    .await;
    assert_eq!(refused(&bench, &[("X-Alexa-LWA-ClientId", SKILL)]), 404);
    bench.sidecar.shutdown().await;

    let bench = Bench::with(silent().await, None, "", |config| {
        config.limits.workers = 1;
        config.rtp.ports = skillcall_sidecar::config::PortRange::new(44_800, 44_801).unwrap();
    })
    .await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.wait("an answer", |state| state.answered);
    assert_eq!(refused(&bench, &[]), 503);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_is_down_or_unsigned_ends_with_480() {
    let bench = Bench::start(Handler::absent(), None).await;
    assert_eq!(refused(&bench, &[]), 480);
    bench
        .figures_become("no call", |now| (now.calls, now.port_pairs) == (0, 0))
        .await;
    bench.sidecar.shutdown().await;

    let handler = Handler::signing(
        false,
        |_| json!([{"Type": "Speak", "Parameters": {"Text": "Forged."}}]),
    )
    .await;
    let bench = Bench::start(handler, None).await;
    assert_eq!(refused(&bench, &[]), 480);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_speech_is_told_and_never_silence() {
    let handler = Handler::start(
        |event: &Value| match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => {
                json!([{"Type": "Speak", "Parameters": {"Text": "Hello."}}])
            }
            Some("ACTION_FAILED") => {
                json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": 480}}])
            }
            _ => json!([]),
        },
    )
    .await;
    let bench = Bench::with(handler, None, "", |config| {
        config.speech.command = "/nonexistent/espeak-ng".into()
    })
    .await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    let failed = bench.handler.wait("ACTION_FAILED", 1);
    assert_eq!(failed["ActionData"]["ErrorType"], "SystemException");
    assert!(
        failed["ActionData"]["ErrorMessage"]
            .as_str()
            .unwrap()
            .contains("apt-get install espeak-ng")
    );
    phone.wait("the end", |state| state.ended || state.failed.is_some());
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_wants_its_token_and_no_page() {
    let bench = Bench::start(silent().await, None).await;
    let get = |path: &str| bench.client.get(bench.url(path));
    let status = |request: reqwest::RequestBuilder| async {
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(get("/health")).await, 200);
    for path in [
        "/v1/calls",
        "/v1/figures",
        "/v1/traces/x",
        "/openapi.json",
        "/v1/calls/x",
    ] {
        assert_eq!(status(get(path)).await, 401, "{path}");
        assert_eq!(status(get(path).bearer_auth("wrong")).await, 401, "{path}");
    }
    assert_eq!(status(get("/v1/figures").bearer_auth(TOKEN)).await, 200);
    assert_eq!(
        status(
            get("/v1/figures")
                .bearer_auth(TOKEN)
                .header("origin", "https://evil.example")
        )
        .await,
        403
    );
    assert_eq!(
        status(
            get("/v1/figures")
                .bearer_auth(TOKEN)
                .header("host", "evil.example")
        )
        .await,
        421
    );
    assert_eq!(
        status(get("/health").header("host", "evil.example")).await,
        421
    );
    assert_eq!(status(get("/nowhere").bearer_auth(TOKEN)).await, 404);
    assert_eq!(status(bench.client.put(bench.url("/health"))).await, 405);
    assert_eq!(status(get("/v1/traces/none").bearer_auth(TOKEN)).await, 404);
    let document = bench.get("/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_other_parts_are_taken_signed_once_and_redacted() {
    use skillcall_protocol::signing::{KeyRing, RequestParts, sign_request};
    let bench = Bench::start(silent().await, None).await;
    let record = json!({"v": 1, "at": 1, "part": "component", "ids": {"csi": "posted-csi"},
        "kind": "note", "level": "info", "text": "calling +16075550123 with Bearer abcdefghijkl"});
    let body = json!({"records": [record]}).to_string();
    let keys = KeyRing::parse(support::KEYS).unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/v1/traces",
        body: body.as_bytes(),
    };
    let signed = sign_request(&keys, parts, i64::try_from(now).unwrap(), [7; 16]);
    let post = |body: &str, signed: bool, headers: &[(&'static str, String)]| {
        let mut request = bench
            .client
            .post(bench.url("/v1/traces"))
            .body(body.to_owned());
        if signed {
            for (name, value) in headers {
                request = request.header(*name, value);
            }
        }
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(post(&body, false, &signed).await, 401);
    assert_eq!(
        post(&format!("{body} "), true, &signed).await,
        401,
        "another body"
    );
    assert_eq!(post(&body, true, &signed).await, 204);
    assert_eq!(post(&body, true, &signed).await, 401, "the nonce again");
    let trace = bench.get("/v1/traces/posted-csi").await.to_string();
    assert!(trace.contains("***0123"), "{trace}");
    assert!(
        !trace.contains("6075550123") && !trace.contains("abcdefghijkl"),
        "{trace}"
    );
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_bind_without_sources_and_secrets_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = support::config(folder.path(), "http://127.0.0.1:9/", None, "");
    config.sip.listen = vec!["udp:0.0.0.0:0".parse().unwrap()];
    let Err(error) = skillcall_sidecar::Sidecar::start(config.clone()).await else {
        panic!("it started")
    };
    assert!(error.to_string().contains("sources"), "{error}");
    let findings = skillcall_sidecar::check(&config);
    assert!(
        findings
            .iter()
            .any(|finding| finding.what.contains("sources") && finding.line > 1),
        "{findings:?}"
    );
    config.sip.sources = Some(vec!["192.0.2.0/24".parse().unwrap()]);
    config.sip.public_address = Some("192.0.2.1".parse().unwrap());
    config.application[0].keys_file = None;
    let Err(error) = skillcall_sidecar::Sidecar::start(config).await else {
        panic!("it started")
    };
    assert!(error.to_string().contains("keys"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaks_over_many_calls() {
    let handler = Handler::start(
        |event: &Value| match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => json!([
                {"Type": "Speak", "Parameters": {"Text": "Bye."}},
                {"Type": "Hangup", "Parameters": {}},
            ]),
            _ => json!([]),
        },
    )
    .await;
    let bench = Bench::start(handler, None).await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    let mut files = None;
    for round in 0..6 {
        bench.call(&phone, &[]);
        phone.wait("the end", |state| state.ended);
        bench
            .figures_become("everything is given back", |now| {
                (
                    now.calls,
                    now.legs,
                    now.port_pairs,
                    now.sockets,
                    now.asking,
                    now.recordings,
                ) == (0, 0, 0, 0, 0, 0)
            })
            .await;
        // After the first call the connections that are kept open are there.
        match files {
            None => files = Some(bench.sidecar.figures().open_files),
            Some(files) => {
                let now = bench.sidecar.figures().open_files;
                assert!(
                    now <= files + 2,
                    "round {round}: {now} open files, {files} after the first"
                );
            }
        }
    }
    assert_eq!(bench.sidecar.figures().calls_total, 6);
    bench.sidecar.shutdown().await;
}
