//! Requests that nobody spoke: tasks, events, questions whether the skill could (facts A2, A3, B).

use serde_json::{Value, json};
use skillcall_host_tests::{Stage, Staging, logs, plans};
use skillcall_simulator::Told;
use skillcall_simulator::trouble::{Fault, Place, Trouble};

async fn told(stage: &Stage, request: Value) -> Told {
    stage.simulator.ask(request, None).await.expect("told")
}

/// The answer to a request about calling `name`.
async fn can_call(stage: &Stage, name: &str) -> Value {
    let slot = json!({"name": "destination", "value": name, "confirmationStatus": "NONE"});
    let intent =
        json!({"name": "CallIntent", "confirmationStatus": "NONE", "slots": {"destination": slot}});
    let told = told(
        stage,
        json!({"type": "CanFulfillIntentRequest", "intent": intent}),
    )
    .await;
    assert_eq!((told.status, &told.problem), (200, &None), "{told:?}");
    told.body["response"]["canFulfillIntent"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_whether_it_could_call_and_calls_nobody() {
    let stage = Staging::new(plans::straight()).start().await;
    for (name, sure) in [("front desk", "YES"), ("the moon", "NO")] {
        let answer = can_call(&stage, name).await;
        assert_eq!(answer["canFulfill"], sure, "{name}");
        assert_eq!(answer["slots"]["destination"]["canFulfill"], sure, "{name}");
    }
    let music = json!({"type": "CanFulfillIntentRequest", "intent": {"name": "PlayMusic", "confirmationStatus": "NONE"}});
    let music = told(&stage, music).await;
    assert_eq!(
        music.body["response"]["canFulfillIntent"]["canFulfill"],
        "NO"
    );
    assert!(stage.device_calls().is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_alexa_only_tells_gets_the_empty_response_and_is_noted() {
    logs::keep();
    let stage = Staging::new(plans::straight()).start().await;
    for (request, note) in [
        (
            json!({"type": "Connections.Response", "name": "AskFor", "status": {"code": "200", "message": "OK"}, "token": "t"}),
            "the task \"AskFor\" came back with 200 OK",
        ),
        (
            json!({"type": "SessionResumedRequest", "cause": {"type": "ConnectionCompleted", "token": "t", "status": {"code": "404", "message": "gone"}}}),
            "the session was resumed with 404 gone",
        ),
        (
            json!({"type": "System.ExceptionEncountered", "error": {"type": "INVALID_RESPONSE", "message": "too long"}, "cause": {"requestId": "r-1"}}),
            "Alexa could not carry out the answer to r-1: INVALID_RESPONSE: too long",
        ),
        (
            json!({"type": "Messaging.MessageReceived", "message": {"hello": "x"}}),
            "a message with hello came",
        ),
        (
            json!({"type": "AlexaSkillEvent.SkillPermissionAccepted", "eventCreationTime": "2024-05-01T10:11:12Z",
                "eventPublishingTime": "2024-05-01T10:11:12Z", "body": {"acceptedPermissions": [{"scope": "alexa::profile:mobile_number:read"}]}}),
            "skill event SkillPermissionAccepted: alexa::profile:mobile_number:read",
        ),
        (
            json!({"type": "AudioPlayer.PlaybackStarted", "token": "t", "offsetInMilliseconds": 0}),
            "AudioPlayer.PlaybackStarted is not served",
        ),
        (json!({"type": "Brand.New"}), "Brand.New is not served"),
    ] {
        let told = told(&stage, request.clone()).await;
        assert_eq!((told.status, &told.problem), (200, &None), "{told:?}");
        assert_eq!(
            told.body,
            json!({"version": "1.0", "response": {}}),
            "{request}"
        );
        assert!(logs::text().contains(note), "{note}");
    }
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_may_be_an_hour_old_and_nothing_else_may() {
    let stage = Staging::new(plans::straight()).start().await;
    let events = [
        "AlexaSkillEvent.SkillEnabled",
        "AlexaSkillEvent.SkillDisabled",
        "AlexaSkillEvent.SkillPermissionAccepted",
        "AlexaSkillEvent.SkillPermissionChanged",
        "AlexaSkillEvent.SkillAccountLinked",
    ];
    let others = [
        "Messaging.MessageReceived",
        "AlexaSkillEvent.Unheard",
        "LaunchRequest",
    ];
    for (kind, seconds, status) in events
        .into_iter()
        .flat_map(|kind| [(kind, 3300, 200), (kind, 3700, 400)])
        .chain(others.into_iter().map(|kind| (kind, 200, 400)))
    {
        let old = Trouble::once(Place::Request, Fault::Stale { seconds });
        stage.simulator.trouble(old).expect("ordered");
        let told = told(&stage, json!({"type": kind, "message": {}})).await;
        assert_eq!(told.status, status, "{kind}, {seconds} s old");
    }
    stage.end().await;
}
