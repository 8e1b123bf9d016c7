//! Exactly once: whatever is repeated, one call.

use reqwest::StatusCode;
use serde_json::json;
use skillcall_host_tests::alexa::{Envelope, Signed, timestamp};
use skillcall_host_tests::handler::action;
use skillcall_host_tests::{Handler, Stage, Staging, plans};
use skillcall_simulator::line::CallState;
use skillcall_simulator::trouble::{Fault, Place, Trouble};

async fn post(stage: &Stage, signed: &Signed) -> (StatusCode, Vec<u8>) {
    let mut request = stage
        .http
        .post(stage.component("/alexa"))
        .body(signed.body.clone());
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let response = request.send().await.expect("an answer");
    (
        response.status(),
        response.bytes().await.expect("its body").to_vec(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_100_pairs_of_equal_requests_makes_one_call_and_gets_one_answer() {
    let handler = Handler::playing(vec![action("Hangup", json!({"SipResponseCode": "486"}))]).await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    let chain = stage.simulator.authority().chain();
    for _ in 0..100 {
        let envelope = Envelope::call_the_front_desk(&stage.simulator);
        let signed = envelope.signed(&chain);
        let (first, second) = tokio::join!(post(&stage, &signed), post(&stage, &signed));
        assert_eq!(
            first.0,
            StatusCode::OK,
            "{}",
            String::from_utf8_lossy(&first.1)
        );
        assert_eq!(first, second, "the same answer");
        let calls = stage.device_calls();
        let ordered = calls
            .iter()
            .filter(|call| call.request_id.as_deref() == Some(envelope.request_id.as_str()));
        assert_eq!(ordered.count(), 1, "one StartCommunicationSession");
    }
    stage.quiet().await;
    assert_eq!(stage.device_calls().len(), 100);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulators_repeated_request_makes_one_call() {
    let stage = Staging::new(plans::straight()).start().await;
    stage
        .simulator
        .trouble(Trouble::once(Place::Request, Fault::Repeated { copies: 3 }))
        .expect("ordered");
    let (said, call) = stage.call().await;
    assert_eq!(said.repeats.len(), 3);
    assert!(
        said.repeats
            .iter()
            .all(|(status, body)| *status == 200 && body.contains("Calling the front desk.")),
        "{said:?}"
    );
    stage.phone(CallState::Talking).await;
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    stage.quiet().await;
    assert_eq!(
        (stage.device_calls().len(), stage.phone_calls().len()),
        (1, 1)
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_altered_request_and_one_out_of_time_are_refused() {
    let stage = Staging::new(plans::straight()).start().await;
    let chain = stage.simulator.authority().chain();
    let mut launch = Envelope::call_the_front_desk(&stage.simulator);
    launch.body["request"]["type"] = json!("LaunchRequest");
    let first = post(&stage, &launch.signed(&chain)).await;
    assert_eq!(first.0, StatusCode::OK);
    assert_eq!(
        post(&stage, &launch.signed(&chain)).await,
        first,
        "the stored answer"
    );

    let mut altered = launch.clone();
    altered.body["request"]["locale"] = json!("de-DE");
    assert_eq!(
        post(&stage, &altered.signed(&chain)).await.0,
        StatusCode::BAD_REQUEST,
        "the same requestId, another body"
    );
    assert_eq!(
        post(&stage, &launch.signed(&chain)).await,
        first,
        "which leaves the stored answer as it was"
    );
    for seconds in [-160, 200] {
        let mut late = Envelope::call_the_front_desk(&stage.simulator);
        late.body["request"]["timestamp"] = json!(timestamp(seconds));
        assert_eq!(
            post(&stage, &late.signed(&chain)).await.0,
            StatusCode::BAD_REQUEST,
            "{seconds} s"
        );
    }
    assert!(stage.device_calls().is_empty());
    stage.end().await;
}

/// The service starts the call and answers with `fault`; the skill asks again, and one call comes of it.
async fn one_call_although(fault: Fault) {
    let stage = Staging::new(plans::straight()).start().await;
    stage
        .simulator
        .trouble(Trouble::once(Place::StartSession, fault))
        .expect("ordered");
    let (said, _) = stage.call().await;
    // What takes long is preceded by a progressive response (facts A5).
    assert_eq!(
        said.spoken.last().map(String::as_str),
        Some("Calling the front desk.")
    );
    let phone = stage.phone(CallState::Talking).await;
    let csis: Vec<_> = stage
        .device_calls()
        .iter()
        .map(|call| call.csi.clone().expect("a csi"))
        .collect();
    assert!(
        csis.windows(2).all(|pair| pair[0] == pair[1]),
        "facts D1: the retry carries the same one: {csis:?}"
    );
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    stage.quiet().await;
    assert_eq!(stage.sidecar.figures().calls_total, 1);
    assert_eq!(stage.phone_calls().len(), 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_although_the_service_answers_500_after_it_began() {
    one_call_although(Fault::StartedThenAnswer { status: 500 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_although_the_service_answers_nothing_after_it_began() {
    one_call_although(Fault::StartedThenSilence).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_although_the_service_hangs_up_after_it_began() {
    one_call_although(Fault::StartedThenClose).await;
}
