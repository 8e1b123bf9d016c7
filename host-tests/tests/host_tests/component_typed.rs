//! The component through its typed exports.

use serde_json::{Value, json};
use skillcall_host::call_flow::{
    Action, ActionSuccess, CallDetails, Direction, Endpoint, Event, Happening, LegEnd, Outcome,
    Pair, Participant, ParticipantTag, Status,
};
use skillcall_host_tests::alexa::{Envelope, timestamp};
use skillcall_host_tests::{Staging, plans};

fn json_of(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handle_verifies_and_answers() {
    let stage = Staging::new(plans::straight()).start().await;
    let mut envelope = Envelope::call_the_front_desk(&stage.simulator);
    envelope.body["request"]["type"] = json!("LaunchRequest");
    let signed = envelope.signed(&stage.simulator.authority().chain());
    let skill = stage.server.skill();

    let reply = skill
        .handle(&signed.typed_headers(), &signed.body)
        .await
        .expect("an answer");
    assert_eq!(
        (reply.status, reply.content_type.as_str()),
        (200, "application/json")
    );
    assert_eq!(
        json_of(&reply.body)["response"]["outputSpeech"]["text"],
        "Whom would you like to call?"
    );

    let unsigned = skill.handle(&[], &signed.body).await.expect("an answer");
    assert_eq!(
        (unsigned.status, unsigned.content_type.as_str()),
        (400, "application/problem+json")
    );
    let mut tampered = signed.body.clone();
    tampered.push(b' ');
    assert_eq!(
        skill
            .handle(&signed.typed_headers(), &tampered)
            .await
            .expect("an answer")
            .status,
        400
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handle_trusted_asks_for_no_signature_but_for_all_else() {
    let stage = Staging::new(plans::straight()).start().await;
    let skill = stage.server.skill();
    let mut envelope = Envelope::call_the_front_desk(&stage.simulator);
    envelope.body["request"]["type"] = json!("LaunchRequest");
    let status = async |body: &Value| {
        skill
            .handle_trusted(body.to_string().as_bytes())
            .await
            .expect("an answer")
            .status
    };
    assert_eq!(status(&envelope.body).await, 200);
    assert_eq!(
        status(&envelope.body).await,
        200,
        "a repetition gets the stored answer"
    );

    let mut altered = envelope.body.clone();
    altered["session"]["new"] = json!(false);
    assert_eq!(
        status(&altered).await,
        400,
        "the same requestId with another body"
    );
    let mut fresh = Envelope::call_the_front_desk(&stage.simulator).body;
    fresh["request"]["timestamp"] = json!(timestamp(-200));
    assert_eq!(status(&fresh).await, 400, "too old");
    let mut fresh = Envelope::call_the_front_desk(&stage.simulator).body;
    fresh["context"]["System"]["application"]["applicationId"] = json!("amzn1.ask.skill.other");
    assert_eq!(status(&fresh).await, 400, "another skill's");
    stage.end().await;
}

fn leg(tag: ParticipantTag, id: &str, status: Option<Status>) -> Participant {
    Participant {
        call_id: id.to_owned(),
        tag,
        called: plans::DESK.to_owned(),
        caller: "+12045550100".to_owned(),
        direction: Direction::Inbound,
        start_ms: Some(1_714_558_272_000),
        status,
        sip_headers: vec![Pair {
            name: "x-alexa-lwa-clientid".to_owned(),
            value: plans::LWA_CLIENT_ID.to_owned(),
        }],
    }
}

fn event(
    sequence: u32,
    attributes: Vec<Pair>,
    participants: Vec<Participant>,
    what: Happening,
) -> Event {
    let call = CallDetails {
        transaction_id: "t-1".to_owned(),
        transaction_attributes: attributes,
        account_id: None,
        region: None,
        sip_rule_id: None,
        sip_media_application_id: None,
        participants,
    };
    Event {
        sequence,
        call,
        what,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decide_leads_a_call_through_the_plan_in_types() {
    let stage = Staging::new(plans::menu()).start().await;
    let skill = stage.server.skill();
    let decide = async |event: Event| {
        skill
            .decide(&event)
            .await
            .expect("it runs")
            .expect("a decision")
    };

    let a = || leg(ParticipantTag::LegA, "a", Some(Status::Connected));
    let begun = decide(event(
        1,
        Vec::new(),
        vec![leg(ParticipantTag::LegA, "a", None)],
        Happening::NewInboundCall,
    ))
    .await;
    // Steps that only follow one another are one list: Speak reports nothing of its own (facts F2).
    let [Action::Speak(welcome), Action::SpeakAndGetDigits(get)] =
        begun.actions.as_deref().expect("actions")
    else {
        panic!("{begun:?}");
    };
    assert_eq!(welcome.speech.text, "Welcome.");
    assert_eq!(get.digits.repeat, Some(3));
    let position = begun.transaction_attributes.clone().expect("the position");

    let chosen = ActionSuccess {
        action: Action::SpeakAndGetDigits(get.clone()),
        outcome: Outcome::Digits("1".to_owned()),
    };
    let desk = decide(event(
        3,
        position,
        vec![a()],
        Happening::ActionSuccessful(chosen),
    ))
    .await;
    let [
        Action::StartCallRecording(recording),
        Action::CallAndBridge(bridge),
    ] = desk.actions.as_deref().expect("actions")
    else {
        panic!("{desk:?}");
    };
    assert_eq!(recording.call_id, "a");
    assert!(matches!(&bridge.endpoints[..], [Endpoint::Pstn(number)] if number == plans::PHONE));
    assert_ne!(
        bridge.caller_id_number, "+12045550100",
        "facts F6: the caller's own number is not allowed"
    );
    let position = desk.transaction_attributes.expect("the position");

    let b = leg(ParticipantTag::LegB, "b", Some(Status::Disconnected));
    let end = LegEnd {
        call_id: "b".to_owned(),
        tag: ParticipantTag::LegB,
        sip_response_code: Some(0),
    };
    let over = decide(event(4, position, vec![a(), b], Happening::Hangup(end))).await;
    let [Action::Hangup(_)] = over.actions.as_deref().expect("actions") else {
        panic!("{over:?}");
    };
    stage.end().await;
}
