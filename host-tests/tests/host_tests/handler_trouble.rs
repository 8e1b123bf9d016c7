//! A handler that is down, slow, silent or talks nonsense (facts F3): the caller hears that the contact is not available.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use skillcall_host_tests::handler::{action, nothing};
use skillcall_host_tests::{Answer, Handler, Stage, Staging, plans};
use skillcall_simulator::CONTACT_NOT_AVAILABLE;
use skillcall_simulator::line::EndedBy;
use url::Url;

async fn contact_is_not_available(stage: Stage) {
    let (said, call) = stage.call().await;
    assert_eq!(
        said.spoken.last().map(String::as_str),
        Some("Calling the front desk.")
    );
    let call = stage.over(&call.id).await;
    let ending = call.ended.expect("an ending");
    assert_eq!(
        (ending.by, ending.status),
        (EndedBy::Refused, 480),
        "facts F3: {ending:?}"
    );
    assert_eq!(call.answered_at, None);
    let id = call.id.clone();
    let call = stage.call_is(&id, |call| call.spoken.is_some()).await;
    assert_eq!(
        call.spoken.as_deref(),
        Some(CONTACT_NOT_AVAILABLE),
        "facts D3"
    );
    assert!(stage.phone_calls().is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let nobody = Url::parse(&format!("http://{free}/events")).expect("a URL");
    contact_is_not_available(
        Staging::new(plans::straight())
            .handled_by(&nobody)
            .start()
            .await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_is_tried_once_more() {
    for status in [500, 403] {
        let handler = Handler::start(move |_| Answer::Status(status)).await;
        contact_is_not_available(
            Staging::new(plans::straight())
                .handled_by(handler.url())
                .start()
                .await,
        )
        .await;
        let tries = handler
            .types()
            .iter()
            .filter(|kind| *kind == "NEW_INBOUND_CALL")
            .count();
        assert_eq!(tries, 2, "facts F3: {:?}", handler.types());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_for_20_seconds() {
    let handler = Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => Answer::Silence,
        _ => nothing(),
    })
    .await;
    contact_is_not_available(
        Staging::new(plans::straight())
            .handled_by(handler.url())
            .start()
            .await,
    )
    .await;
    let sequences: Vec<_> = handler
        .events()
        .iter()
        .filter(|event| event["InvocationEventType"] == "NEW_INBOUND_CALL")
        .map(|event| event["Sequence"].clone())
        .collect();
    assert!(
        sequences.len() > 1,
        "facts F3: asked again after 5 s: {sequences:?}"
    );
    assert!(
        sequences.iter().all(|sequence| sequence == 1),
        "facts K12: the same Sequence: {sequences:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_once_is_asked_again_and_serves() {
    let tries = AtomicUsize::new(0);
    let busy = || vec![action("Hangup", json!({"SipResponseCode": 486}))];
    let handler = Handler::start(move |event| {
        if event["InvocationEventType"] != "NEW_INBOUND_CALL" {
            return nothing();
        }
        match tries.fetch_add(1, Ordering::Relaxed) {
            0 => Answer::Late(
                Duration::from_secs(30),
                vec![action("Hangup", json!({"SipResponseCode": 480}))],
            ),
            _ => Answer::Actions(busy()),
        }
    })
    .await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    let (_, call) = stage.call().await;
    let ending = stage.over(&call.id).await.ended.expect("an ending");
    assert_eq!(
        (ending.by, ending.status),
        (EndedBy::Refused, 486),
        "what the second attempt said"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_named_to_the_handler_and_ends_the_call() {
    let wrapped = json!({"statusCode": 200, "body": "{\"SchemaVersion\":\"1.0\",\"Actions\":[]}"})
        .to_string();
    for nonsense in [
        "<html>no</html>".to_owned(),
        "\"a string\"".to_owned(),
        wrapped,
    ] {
        let text = nonsense.clone();
        let handler = Handler::start(move |_| Answer::Text(text.clone())).await;
        contact_is_not_available(
            Staging::new(plans::straight())
                .handled_by(handler.url())
                .start()
                .await,
        )
        .await;
        let told = handler.event("INVALID_LAMBDA_RESPONSE").await;
        assert!(
            told["ErrorType"].is_string() && told["ErrorMessage"].is_string(),
            "{nonsense}: {told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_with_other_keys_is_not_believed() {
    let stage = Staging::new(plans::straight()).start().await;
    stage.settings.set(
        "sidecar_keys",
        "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    );
    contact_is_not_available(stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skill_that_is_not_listed_is_refused_before_the_handler_is_asked() {
    let handler = Handler::start(|_| nothing()).await;
    let other = "amzn1.application-oa2-client.ffffffffffffffffffffffffffffffff";
    let staging = Staging::new(plans::straight()).handled_by(handler.url());
    let stage = staging
        .simulator(|simulator| simulator.skill.lwa_client_id = other.to_owned())
        .start()
        .await;
    let (_, call) = stage.call().await;
    let ending = stage.over(&call.id).await.ended.expect("an ending");
    assert_eq!((ending.by, ending.status), (EndedBy::Refused, 403));
    assert!(handler.events().is_empty());
    assert_eq!(stage.sidecar.figures().refused_skill, 1);
    stage.end().await;
}
