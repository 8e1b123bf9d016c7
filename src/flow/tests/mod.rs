//! The demo's call event by event, and what else can happen in one.

mod hotel;

use serde_json::{Value, json};
use skillcall_plan::Plan;
use skillcall_protocol::sma::action::Action;

use super::*;
use crate::testing::{event, plan};

const DESK: &str = "+16075550199";

fn leg(tag: &str, status: Option<&str>) -> Value {
    let (id, to, from, direction) = match tag {
        "LEG-A" => ("leg-a", DESK, "+12045550100", "Inbound"),
        _ => ("leg-b", "+14255550123", DESK, "Outbound"),
    };
    let mut leg = json!({"CallId": id, "ParticipantTag": tag, "To": to, "From": from, "Direction": direction,
        "StartTimeInMilliseconds": "1800000000000"});
    if let Some(status) = status {
        leg["Status"] = json!(status);
    }
    leg
}

/// A Friday, 8:00 UTC.
const NOW: i64 = 1_800_000_000;

fn skill_leg() -> Value {
    let mut leg = leg("LEG-A", None);
    leg["SipHeaders"] = json!({
        "user-to-user": format!("{};encoding=hex", hex::encode("csi=abc")),
        "X-Alexa-LWA-ClientId": "amzn1.application-oa2-client.00000000000000000000000000000000"
    });
    leg
}

fn known(locale: &str) -> KnownSession {
    KnownSession {
        destination: "FRONT_DESK".to_owned(),
        locale: locale.to_owned(),
    }
}

/// Runs one event through the example's plan.
fn decided(
    sequence: u32,
    kind: &str,
    data: Value,
    attributes: &Value,
    legs: Value,
    session: Option<KnownSession>,
) -> Decision {
    let bytes = plan();
    let plan = Plan::decode(&bytes).unwrap();
    let event: Event =
        serde_json::from_value(event(sequence, kind, data, attributes.clone(), legs)).unwrap();
    let decision = decide(&plan, &event, NOW, |_| session).unwrap();
    for action in decision.reply.requested() {
        action.checked.as_ref().unwrap();
    }
    decision
}

fn attributes(decision: &Decision) -> Value {
    match &decision.reply.transaction_attributes {
        AttributeUpdate::Set(attributes) => {
            assert!(attributes.len() <= 10, "facts F4");
            json!(attributes)
        }
        AttributeUpdate::Keep => panic!("{decision:?} sets no attributes"),
    }
}

fn types(decision: &Decision) -> Vec<&str> {
    decision
        .reply
        .requested()
        .iter()
        .map(|action| action.name.as_str())
        .collect()
}

fn begun(locale: &str) -> Decision {
    decided(
        1,
        "NEW_INBOUND_CALL",
        json!(null),
        &json!(null),
        json!([skill_leg()]),
        Some(known(locale)),
    )
}

fn connected() -> Value {
    json!([leg("LEG-A", Some("Connected"))])
}

fn bridged() -> Value {
    json!([
        leg("LEG-A", Some("Connected")),
        leg("LEG-B", Some("Connected"))
    ])
}

fn digits(received: &str) -> Value {
    json!({"Type": "SpeakAndGetDigits", "ReceivedDigits": received, "Parameters": {"CallId": "leg-a"}})
}

#[test]
fn the_demo_call_runs_as_the_plan_says() {
    let start = begun("en-US");
    assert_eq!(types(&start), ["Speak", "SpeakAndGetDigits"]);
    assert_eq!(start.csi.as_ref().unwrap().as_str(), "abc");
    let attributes = attributes(&start);
    assert_eq!(attributes["skillcall.step"], "greet");
    assert_eq!(attributes["skillcall.destination"], "FRONT_DESK");

    let desk = decided(
        2,
        "ACTION_SUCCESSFUL",
        digits("1"),
        &attributes,
        connected(),
        None,
    );
    assert_eq!(types(&desk), ["StartCallRecording", "CallAndBridge"]);
    assert_eq!(
        desk.csi.as_ref().unwrap().as_str(),
        "abc",
        "the position carries the session"
    );
    let Ok(Action::StartCallRecording(recording)) = &desk.reply.requested()[0].checked else {
        panic!()
    };
    assert_eq!(recording.leg.call_id.as_ref().unwrap().as_str(), "leg-a");
    let Ok(Action::CallAndBridge(bridge)) = &desk.reply.requested()[1].checked else {
        panic!()
    };
    assert_eq!(
        bridge.caller_id_number, DESK,
        "facts F6: not the caller's own"
    );
    let attributes = self::attributes(&desk);

    let recording = json!({"Type": "StartCallRecording", "Parameters": {"CallId": "leg-a"}});
    let during = decided(
        3,
        "ACTION_SUCCESSFUL",
        recording,
        &attributes,
        connected(),
        None,
    );
    assert_eq!(during.reply, Reply::default(), "the list goes on");

    let bridge = json!({"Type": "CallAndBridge", "Parameters": {"CallId": "leg-a"}});
    let talking = decided(4, "ACTION_SUCCESSFUL", bridge, &attributes, bridged(), None);
    assert_eq!(talking.reply.actions, None, "the call goes on");
    let attributes = self::attributes(&talking);

    let end = json!({"Type": "Hangup", "Parameters": {"SipResponseCode": 0, "CallId": "leg-b", "ParticipantTag": "LEG-B"}});
    let legs = json!([
        leg("LEG-A", Some("Connected")),
        leg("LEG-B", Some("Disconnected"))
    ]);
    let over = decided(5, "HANGUP", end, &attributes, legs, None);
    assert_eq!(types(&over), ["Hangup"]);
    let Ok(Action::Hangup(hangup)) = &over.reply.requested()[0].checked else {
        panic!()
    };
    assert_eq!(hangup.leg.participant_tag, Some(ParticipantTag::LegA));
    let attributes = self::attributes(&over);

    let end = json!({"Type": "Hangup", "Parameters": {"SipResponseCode": 0, "CallId": "leg-a", "ParticipantTag": "LEG-A"}});
    let legs = json!([
        leg("LEG-A", Some("Disconnected")),
        leg("LEG-B", Some("Disconnected"))
    ]);
    assert_eq!(
        decided(6, "HANGUP", end, &attributes, legs, None).reply,
        Reply::default()
    );
}

#[test]
fn a_retried_event_gets_the_same_reply() {
    let start = begun("en-US");
    let again = || {
        decided(
            2,
            "ACTION_SUCCESSFUL",
            digits("1"),
            &attributes(&start),
            connected(),
            None,
        )
    };
    assert_eq!(again(), again());
}

#[test]
fn the_caller_hanging_up_ends_the_other_leg() {
    let start = begun("en-US");
    let desk = decided(
        2,
        "ACTION_SUCCESSFUL",
        digits("1"),
        &attributes(&start),
        connected(),
        None,
    );
    let end = json!({"Type": "Hangup", "Parameters": {"SipResponseCode": 0, "CallId": "leg-a", "ParticipantTag": "LEG-A"}});
    let legs = json!([
        leg("LEG-A", Some("Disconnected")),
        leg("LEG-B", Some("Connected"))
    ]);
    let over = decided(3, "HANGUP", end, &attributes(&desk), legs, None);
    let Ok(Action::Hangup(hangup)) = &over.reply.requested()[0].checked else {
        panic!()
    };
    assert_eq!(hangup.leg.participant_tag, Some(ParticipantTag::LegB));
}

#[test]
fn the_session_s_locale_is_spoken() {
    let start = begun("de-AT");
    let Ok(Action::Speak(speak)) = &start.reply.requested()[0].checked else {
        panic!()
    };
    assert_eq!(speak.speech.text, "Willkommen im Hotel am Hafen.");
    assert_eq!(speak.speech.voice(), "Vicki");
    assert_eq!(attributes(&start)["skillcall.locale"], "de-DE");
    let unknown = decided(
        1,
        "NEW_INBOUND_CALL",
        json!(null),
        &json!(null),
        json!([skill_leg()]),
        None,
    );
    let Ok(Action::Speak(speak)) = &unknown.reply.requested()[0].checked else {
        panic!()
    };
    assert_eq!(
        speak.speech.text, "Welcome to the Harbour Hotel.",
        "a session that nobody knows is served in the default locale"
    );
}

#[test]
fn failures_follow_the_plan_and_never_for_ever() {
    let start = begun("en-US");
    let failed = |kind: &str| json!({"Type": kind, "Parameters": {"CallId": "leg-a"}, "ErrorType": "SystemException", "ErrorMessage": "x"});
    let mut decision = decided(
        2,
        "ACTION_FAILED",
        failed("SpeakAndGetDigits"),
        &attributes(&start),
        connected(),
        None,
    );
    assert_eq!(types(&decision), ["Speak", "Hangup"], "goodbye");
    assert_eq!(attributes(&decision)["skillcall.step"], "goodbye");
    decision = decided(
        3,
        "ACTION_FAILED",
        failed("Speak"),
        &attributes(&decision),
        connected(),
        None,
    );
    assert_eq!(types(&decision), ["Hangup"], "goodbye leads to the end");

    let digits_wrong = decided(
        2,
        "ACTION_SUCCESSFUL",
        digits("9"),
        &attributes(&start),
        connected(),
        None,
    );
    assert_eq!(
        attributes(&digits_wrong)["skillcall.step"],
        "goodbye",
        "digits that lead nowhere are a failure"
    );

    let mut position = attributes(&start);
    position["skillcall.failures"] = json!("5");
    let enough = decided(
        9,
        "ACTION_FAILED",
        failed("SpeakAndGetDigits"),
        &position,
        connected(),
        None,
    );
    assert_eq!(types(&enough), ["Hangup"]);
}

#[test]
fn a_failure_that_no_step_takes_is_apologised_for() {
    let bytes = skillcall_plan::compile(
        "[skill]\nid = \"amzn1.ask.skill.1\"\n[[flow]]\nnumber = \"+16075550199\"\nstart = \"a\"\n\
         [flow.step.a]\nactions = [{ Type = \"CallAndBridge\", Number = \"+14255550123\" }]\n",
    )
    .unwrap()
    .0;
    let plan = Plan::decode(&bytes).unwrap();
    let run = |value: Value| {
        decide(&plan, &serde_json::from_value(value).unwrap(), NOW, |_| {
            None
        })
        .unwrap()
    };
    let start = run(event(
        1,
        "NEW_INBOUND_CALL",
        json!(null),
        json!(null),
        json!([leg("LEG-A", None)]),
    ));
    let data = json!({"Type": "CallAndBridge", "Parameters": {"CallId": "leg-a"}, "ErrorType": "CallNotAnswered", "ErrorMessage": "x"});
    let sorry = run(event(
        2,
        "ACTION_FAILED",
        data,
        attributes(&start),
        connected(),
    ));
    assert_eq!(types(&sorry), ["Speak", "Hangup"]);
    let data = json!({"Type": "Speak", "Parameters": {}, "ErrorType": "SystemException", "ErrorMessage": "x"});
    let end = run(event(
        3,
        "ACTION_FAILED",
        data,
        attributes(&sorry),
        connected(),
    ));
    assert_eq!(
        types(&end),
        ["Hangup"],
        "who can not speak can not apologise"
    );
}

#[test]
fn calls_for_nobody_and_of_another_skill_are_turned_away() {
    let code = |decision: &Decision| match &decision.reply.requested()[0].checked {
        Ok(Action::Hangup(hangup)) => hangup.sip_response_code.code(),
        other => panic!("{other:?}"),
    };
    let mut foreign = skill_leg();
    foreign["SipHeaders"]["X-Alexa-LWA-ClientId"] =
        json!("amzn1.application-oa2-client.ffffffffffffffffffffffffffffffff");
    let refused = decided(
        1,
        "NEW_INBOUND_CALL",
        json!(null),
        &json!(null),
        json!([foreign]),
        Some(known("en-US")),
    );
    assert_eq!(code(&refused), 480);
    let mut elsewhere = leg("LEG-A", None);
    elsewhere["To"] = json!("+16075550111");
    let refused = decided(
        1,
        "NEW_INBOUND_CALL",
        json!(null),
        &json!(null),
        json!([elsewhere]),
        None,
    );
    assert_eq!(code(&refused), 480);
}

#[test]
fn events_that_want_no_decision_get_none() {
    let start = begun("en-US");
    for kind in [
        "NEW_OUTBOUND_CALL",
        "RINGING",
        "ACTION_INTERRUPTED",
        "INVALID_LAMBDA_RESPONSE",
        "SOMETHING_NEW",
    ] {
        let decision = decided(2, kind, json!(null), &attributes(&start), connected(), None);
        assert_eq!(decision.reply, Reply::default(), "{kind}");
    }
    let stranger = decided(
        2,
        "ACTION_SUCCESSFUL",
        digits("1"),
        &json!({"theirs": "1"}),
        connected(),
        None,
    );
    assert_eq!(stranger.reply, Reply::default(), "a call without position");
}

#[test]
fn an_update_may_ask_for_a_step_by_name() {
    let start = begun("en-US");
    let data = |step: &str| json!({"Type": "CallUpdateRequest", "Parameters": {"Arguments": {"step": step}}});
    let jumped = decided(
        2,
        "CALL_UPDATE_REQUESTED",
        data("message"),
        &attributes(&start),
        connected(),
        None,
    );
    assert_eq!(types(&jumped), ["Speak", "RecordAudio"]);
    let nowhere = decided(
        2,
        "CALL_UPDATE_REQUESTED",
        data("attic"),
        &attributes(&start),
        connected(),
        None,
    );
    assert_eq!(nowhere.reply, Reply::default());
}

#[test]
fn events_without_a_first_leg_are_refused_by_name() {
    let bytes = plan();
    let plan = Plan::decode(&bytes).unwrap();
    let event: Event = serde_json::from_value(event(
        1,
        "NEW_INBOUND_CALL",
        json!(null),
        json!(null),
        json!([]),
    ))
    .unwrap();
    assert_eq!(
        decide(&plan, &event, NOW, |_| None),
        Err(FlowError::Event("it has no participant LEG-A".to_owned()))
    );
}
