//! Golden events: facts E2, E3 and L, field order aside.

use serde_json::{Value, json};

use super::*;

/// Reads an event and writes it again: nothing may be lost, added or changed.
fn same(golden: Value) -> Event {
    let event: Event = serde_json::from_value(golden.clone()).unwrap();
    assert_eq!(serde_json::to_value(&event).unwrap(), golden);
    event
}

fn leg_a() -> Value {
    json!({"CallId": "a-leg-uuid", "ParticipantTag": "LEG-A", "To": "+16075550199", "From": "+12045550100",
        "Direction": "Inbound", "StartTimeInMilliseconds": "1714558272000", "Status": "Connected"})
}

fn leg_b(status: &str) -> Value {
    json!({"CallId": "b-leg-uuid", "ParticipantTag": "LEG-B", "To": "+14255550123", "From": "+16075550199",
        "Direction": "Outbound", "StartTimeInMilliseconds": "1714558279000", "Status": status})
}

fn details(participants: Value) -> Value {
    json!({"TransactionId": "t", "AwsAccountId": "111122223333", "AwsRegion": "us-east-1", "SipRuleId": "r",
        "SipMediaApplicationId": "m", "Participants": participants})
}

fn event(kind: &str, action_data: Value) -> Value {
    json!({"SchemaVersion": "1.0", "Sequence": 3, "InvocationEventType": kind, "ActionData": action_data,
        "CallDetails": details(json!([leg_a()]))})
}

#[test]
fn new_inbound_call_of_a_skill() {
    let mut unanswered = leg_a();
    unanswered.as_object_mut().unwrap().remove("Status");
    unanswered["SipHeaders"] = json!({"user-to-user": "6373693d61312d6232;encoding=hex",
        "X-Alexa-LWA-ClientId": "amzn1.application-oa2-client.00000000000000000000000000000000"});
    let read = same(
        json!({"SchemaVersion": "1.0", "Sequence": 1, "InvocationEventType": "NEW_INBOUND_CALL",
        "CallDetails": details(json!([unanswered]))}),
    );
    assert_eq!(
        read.invocation_event_type,
        InvocationEventType::NewInboundCall
    );
    let leg = read.triggering_leg().unwrap();
    assert_eq!(leg.status, None);
    assert_eq!(
        leg.sip_headers.as_ref().unwrap().get("User-To-User"),
        Some("6373693d61312d6232;encoding=hex")
    );
}

#[test]
fn call_and_bridge_succeeded() {
    let mut golden = event(
        "ACTION_SUCCESSFUL",
        json!({"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 25, "CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+14255550123"}], "CallId": "a-leg-uuid"}}),
    );
    golden["CallDetails"]["Participants"] = json!([leg_a(), leg_b("Connected")]);
    let read = same(golden);
    assert_eq!(
        read.triggering_leg().unwrap().call_id.as_str(),
        "a-leg-uuid"
    );
    assert_eq!(
        read.call_details
            .participant(&ParticipantTag::LegB)
            .unwrap()
            .direction,
        Direction::Outbound
    );
}

#[test]
fn an_action_failed() {
    let read = same(event(
        "ACTION_FAILED",
        json!({"Type": "SpeakAndGetDigits", "Parameters": {"CallId": "a-leg-uuid", "Repeat": "3"},
            "ErrorType": "InvalidDigitsReceived", "ErrorMessage": "no"}),
    ));
    assert_eq!(
        read.action_data.unwrap().failure(),
        Some((ErrorType::InvalidDigitsReceived, "no"))
    );
    let joined = same(event(
        "ACTION_FAILED",
        json!({"Type": "JoinChimeMeeting", "Parameters": {}, "Error": "ErrorJoiningMeeting: no such meeting"}),
    ));
    assert_eq!(
        joined.action_data.unwrap().failure(),
        Some((ErrorType::ErrorJoiningMeeting, "no such meeting"))
    );
}

#[test]
fn results_of_actions() {
    for data in [
        json!({"Type": "RecordAudio", "Parameters": {}, "RecordingTerminatorUsed": "#",
            "RecordingDestination": {"Type": "S3", "BucketName": "b", "Key": "p/x.wav"}}),
        json!({"Type": "PlayAudioAndGetDigits", "Parameters": {}, "ReceivedDigits": "4711"}),
        json!({"Type": "StartCallRecording", "Parameters": {},
            "CallRecordingDestination": {"Type": "S3", "Location": "b/p/f.wav"}}),
        json!({"Type": "StartBotConversation", "Parameters": {}, "IntentResult": {"SessionId": "a-leg-uuid"}}),
        json!({"Type": "ModifyChimeMeetingAttendees", "Parameters": {}, "ErrorList": []}),
    ] {
        same(event("ACTION_SUCCESSFUL", data));
    }
}

#[test]
fn digits_updates_and_interruptions() {
    let read = same(event(
        "DIGITS_RECEIVED",
        json!({"Type": "ReceiveDigits", "ReceivedDigits": "12#", "Parameters": {"CallId": "a-leg-uuid",
            "InputDigitsRegex": "^\\d{2}#$", "InBetweenDigitsDurationInMilliseconds": 900,
            "FlushDigitsDurationInMilliseconds": 8000}}),
    ));
    assert_eq!(
        read.action_data.unwrap().received_digits.as_deref(),
        Some("12#")
    );
    same(event(
        "CALL_UPDATE_REQUESTED",
        json!({"Type": "CallUpdateRequest", "Parameters": {"Arguments": {"say": "hello"}}}),
    ));
    same(event(
        "NEW_OUTBOUND_CALL",
        json!({"Type": "CallCreateRequest", "Parameters": {"Arguments": {"say": "hello"}}}),
    ));
    same(event(
        "ACTION_INTERRUPTED",
        json!({"Type": "Pause", "Parameters": {"DurationInMilliseconds": "3000"}}),
    ));
}

#[test]
fn a_leg_hung_up_and_the_other_stays() {
    let mut golden = event(
        "HANGUP",
        json!({"Type": "Hangup", "Parameters": {"SipResponseCode": 0, "CallId": "b-leg-uuid", "ParticipantTag": "LEG-B"}}),
    );
    golden["CallDetails"]["Participants"] = json!([leg_a(), leg_b("Disconnected")]);
    let read = same(golden);
    let gone = read.triggering_leg().unwrap();
    assert_eq!(
        (gone.participant_tag.clone(), gone.status),
        (ParticipantTag::LegB, Some(ParticipantStatus::Disconnected))
    );
}

#[test]
fn an_invalid_reply_is_told_at_the_top() {
    let read = same(
        json!({"SchemaVersion": "1.0", "Sequence": 2, "InvocationEventType": "INVALID_LAMBDA_RESPONSE",
        "CallDetails": details(json!([leg_a()])), "ErrorType": "TransactionAttributesInvalidMapSize", "ErrorMessage": "…"}),
    );
    assert_eq!(
        read.error_type,
        Some(ErrorType::TransactionAttributesInvalidMapSize)
    );
}

#[test]
fn ringing_answered_and_attributes() {
    for kind in ["RINGING", "CALL_ANSWERED", "SOMETHING_NEW"] {
        let mut golden = json!({"SchemaVersion": "1.0", "Sequence": 2, "InvocationEventType": kind,
            "CallDetails": details(json!([leg_a()]))});
        golden["CallDetails"]["TransactionAttributes"] = json!({"step": "menu"});
        golden["CallDetails"]
            .as_object_mut()
            .unwrap()
            .remove("SipRuleId");
        same(golden);
    }
}

#[test]
fn other_spellings_are_read() {
    let read: Event = serde_json::from_value(json!({"Sequence": "7", "InvocationEvent": "HANGUP", "Extra": 1,
        "ActionData": {"Type": "Hangup", "Parameters": null},
        "CallDetails": {"TransactionId": "t", "AwsAccountId": 111122223333u64, "SipApplicationId": "old",
            "Participants": [{"CallId": "c", "ParticipantTag": "Leg-B", "To": 5, "StartTimeInMilliseconds": 1714558272000u64}]}}))
    .unwrap();
    assert_eq!((read.sequence, read.schema_version.as_str()), (7, "1.0"));
    assert_eq!(read.call_details.sip_media_application_id, "old");
    assert_eq!(read.call_details.aws_account_id, "111122223333");
    let leg = &read.call_details.participants[0];
    assert_eq!(
        (
            &leg.participant_tag,
            leg.start_time_in_milliseconds.as_str()
        ),
        (&ParticipantTag::LegB, "1714558272000")
    );
    assert!(serde_json::from_value::<Event>(json!({"Sequence": 1})).is_err());
}
