//! The component over HTTP.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use skillcall_host_tests::alexa::Envelope;
use skillcall_host_tests::{Stage, Staging, logs, plans};
use skillcall_simulator::trouble::{Fault, Place, Trouble};

async fn problem(response: Response, status: StatusCode) -> Value {
    assert_eq!(response.status(), status);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["status"], status.as_u16());
    body
}

async fn post(stage: &Stage, envelope: &Envelope) -> Response {
    let signed = envelope.signed(&stage.simulator.authority().chain());
    let mut request = stage.http.post(stage.component("/alexa"));
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    request.body(signed.body).send().await.expect("an answer")
}

fn launch(stage: &Stage) -> Envelope {
    let mut envelope = Envelope::call_the_front_desk(&stage.simulator);
    envelope.body["request"]["type"] = json!("LaunchRequest");
    envelope
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_served_is_a_problem_with_its_status() {
    let stage = Staging::new(plans::straight()).start().await;
    let send = async |method: Method, path: &str, body: Vec<u8>| {
        stage
            .http
            .request(method, stage.component(path))
            .body(body)
            .send()
            .await
            .expect("an answer")
    };
    problem(
        send(Method::GET, "/nothing", Vec::new()).await,
        StatusCode::NOT_FOUND,
    )
    .await;
    for (method, path) in [
        (Method::GET, "/alexa"),
        (Method::PUT, "/media/events"),
        (Method::POST, "/health"),
    ] {
        let response = send(method, path, Vec::new()).await;
        assert!(response.headers().contains_key("allow"), "RFC 9110 §15.5.6");
        problem(response, StatusCode::METHOD_NOT_ALLOWED).await;
    }
    let long = vec![b' '; 256 * 1024 + 1];
    for path in ["/alexa", "/media/events"] {
        problem(
            send(Method::POST, path, long.clone()).await,
            StatusCode::PAYLOAD_TOO_LARGE,
        )
        .await;
    }
    problem(
        send(Method::POST, "/alexa", b"{}".to_vec()).await,
        StatusCode::BAD_REQUEST,
    )
    .await;
    problem(
        send(Method::POST, "/media/events", b"{}".to_vec()).await,
        StatusCode::UNAUTHORIZED,
    )
    .await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_says_that_a_simulator_is_trusted() {
    let stage = Staging::new(plans::straight()).start().await;
    let health = async || {
        let response = stage
            .http
            .get(stage.component("/health"))
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        response.text().await.expect("its text")
    };
    assert!(health().await.contains("TEST TRUST"));
    stage.settings.remove("alexa_roots");
    assert!(
        health().await.contains("TEST TRUST"),
        "one of the two is enough"
    );
    stage.settings.remove("chain_origin");
    assert!(!health().await.contains("TEST TRUST"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_setting_is_named_in_the_log_and_answered_with_503() {
    logs::keep();
    let stage = Staging::new(plans::straight()).start().await;
    for name in ["plan", "sidecar_keys", "session_key"] {
        let fresh = Staging::new(plans::straight()).start().await;
        fresh.settings.remove(name);
        let body = problem(
            post(&fresh, &launch(&fresh)).await,
            StatusCode::SERVICE_UNAVAILABLE,
        )
        .await;
        assert!(
            !body.to_string().contains(name),
            "strangers are not told: {body}"
        );
        assert!(
            logs::text().contains(&format!("missing settings: {name}")),
            "{name}"
        );
        fresh.end().await;
    }
    stage.settings.remove("plan");
    stage.settings.remove("session_key");
    problem(
        post(&stage, &launch(&stage)).await,
        StatusCode::SERVICE_UNAVAILABLE,
    )
    .await;
    assert!(logs::text().contains("missing settings: plan, session_key"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_plan_holds_from_the_next_request_on() {
    let stage = Staging::new(plans::straight()).start().await;
    let announced = async || {
        let said = stage
            .simulator
            .say("call the front desk")
            .await
            .expect("said");
        let call = said.call.expect("a call");
        stage
            .simulator
            .wait_for_call(&call.id, skillcall_host_tests::PATIENCE, |_| true)
            .await
            .expect("the call");
        // What takes long is preceded by a progressive response (facts A5).
        said.spoken.last().cloned().expect("an answer")
    };
    assert_eq!(announced().await, "Calling the front desk.");
    stage
        .settings
        .set_plan(&plans::straight().replace("Calling the front desk.", "I put you through."));
    assert_eq!(announced().await, "I put you through.");
    for call in stage.device_calls() {
        stage
            .call_is(&call.id, |call| call.answered_at.is_some())
            .await;
        stage.simulator.hang_up(&call.id).await.expect("hung up");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_test_trust_the_simulators_chain_is_refused() {
    let stage = Staging::new(plans::straight())
        .trusting_amazon_alone()
        .start()
        .await;
    stage.refused("a chain of the simulator").await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_is_fetched_once_for_many_requests() {
    let stage = Staging::new(plans::straight()).start().await;
    assert_eq!(post(&stage, &launch(&stage)).await.status(), StatusCode::OK);
    let gone = Fault::Answer {
        status: 500,
        code: None,
        message: None,
    };
    stage
        .simulator
        .trouble(Trouble::always(Place::Chain, gone))
        .expect("ordered");
    for _ in 0..20 {
        assert_eq!(
            post(&stage, &launch(&stage)).await.status(),
            StatusCode::OK,
            "the verified key is kept"
        );
    }
    let other = stage
        .simulator
        .authority()
        .short_lived_chain(std::time::Duration::from_secs(3600))
        .expect("a chain");
    let signed = launch(&stage).signed(&other);
    let mut request = stage.http.post(stage.component("/alexa"));
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let refused = request.body(signed.body).send().await.expect("an answer");
    assert_eq!(
        refused.status(),
        StatusCode::BAD_REQUEST,
        "another chain has to be fetched"
    );
    stage.end().await;
}
