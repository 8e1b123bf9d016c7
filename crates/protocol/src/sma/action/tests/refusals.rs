//! What each action refuses, and under which name.

use serde_json::json;

use super::{ErrorType, least, parse};

/// Action, key, bad value: refused under that key's name.
#[test]
fn values_out_of_range_are_refused_by_name() {
    let long = "x".repeat(1001);
    let key_out = |key: &str| json!({"Type": "S3", "BucketName": "b", "Key": key});
    let cases = [
        (
            "CallAndBridge",
            "CallTimeoutSeconds",
            json!(0),
            "CallTimeoutSeconds",
        ),
        (
            "CallAndBridge",
            "CallTimeoutSeconds",
            json!("121"),
            "CallTimeoutSeconds",
        ),
        (
            "CallAndBridge",
            "CallerIdNumber",
            json!("16075550199"),
            "CallerIdNumber",
        ),
        ("CallAndBridge", "Endpoints", json!([]), "Endpoints"),
        (
            "CallAndBridge",
            "Endpoints",
            json!([{"BridgeEndpointType": "SIP", "Uri": "1"}]),
            "Endpoints[0].BridgeEndpointType",
        ),
        (
            "CallAndBridge",
            "Endpoints",
            json!([{"BridgeEndpointType": "AWS", "Uri": "a b"}]),
            "Endpoints[0].Uri",
        ),
        (
            "CallAndBridge",
            "Endpoints",
            json!([{"BridgeEndpointType": "PSTN", "Uri": "100"}]),
            "Endpoints[0].Uri",
        ),
        (
            "CallAndBridge",
            "SipHeaders",
            json!({"Via": "x"}),
            "SipHeaders",
        ),
        (
            "CallAndBridge",
            "SipHeaders",
            json!({"X-A": []}),
            "SipHeaders.X-A",
        ),
        (
            "CallAndBridge",
            "ParticipantTag",
            json!("LEG-C"),
            "ParticipantTag",
        ),
        ("Hangup", "SipResponseCode", json!(487), "SipResponseCode"),
        (
            "ModifyChimeMeetingAttendees",
            "Operation",
            json!("Kick"),
            "Operation",
        ),
        (
            "ModifyChimeMeetingAttendees",
            "AttendeeList",
            json!([]),
            "AttendeeList",
        ),
        (
            "Pause",
            "DurationInMilliseconds",
            json!(0),
            "DurationInMilliseconds",
        ),
        (
            "Pause",
            "DurationInMilliseconds",
            json!(-5),
            "DurationInMilliseconds",
        ),
        (
            "Pause",
            "DurationInMilliseconds",
            json!(1.5),
            "DurationInMilliseconds",
        ),
        ("PlayAudio", "AudioSource", json!("s3://b/k"), "AudioSource"),
        (
            "PlayAudio",
            "AudioSource",
            key_out("../etc/passwd"),
            "AudioSource.Key",
        ),
        (
            "PlayAudio",
            "AudioSource",
            key_out("/etc/passwd"),
            "AudioSource.Key",
        ),
        (
            "PlayAudio",
            "AudioSource",
            key_out("a/..\\b"),
            "AudioSource.Key",
        ),
        (
            "PlayAudio",
            "AudioSource",
            json!({"Type": "S3", "BucketName": "..", "Key": "k"}),
            "AudioSource.BucketName",
        ),
        (
            "PlayAudio",
            "AudioSource",
            json!({"Type": "FTP", "BucketName": "b", "Key": "k"}),
            "AudioSource.Type",
        ),
        ("PlayAudio", "Repeat", json!(0), "Repeat"),
        (
            "PlayAudio",
            "PlaybackTerminators",
            json!(["A"]),
            "PlaybackTerminators",
        ),
        (
            "SpeakAndGetDigits",
            "MaxNumberOfDigits",
            json!(129),
            "MaxNumberOfDigits",
        ),
        (
            "SpeakAndGetDigits",
            "RepeatDurationInMilliseconds",
            json!("soon"),
            "RepeatDurationInMilliseconds",
        ),
        (
            "ReceiveDigits",
            "InputDigitsRegex",
            json!("x".repeat(513)),
            "InputDigitsRegex",
        ),
        (
            "RecordAudio",
            "SilenceDurationInSeconds",
            json!(1001),
            "SilenceDurationInSeconds",
        ),
        (
            "RecordAudio",
            "SilenceThreshold",
            json!(0),
            "SilenceThreshold",
        ),
        (
            "RecordAudio",
            "RecordingDestination",
            json!({"BucketName": "b", "Prefix": "a/../b"}),
            "RecordingDestination.Prefix",
        ),
        (
            "SendDigits",
            "ToneDurationInMilliseconds",
            json!(49),
            "ToneDurationInMilliseconds",
        ),
        ("SendDigits", "Digits", json!("1".repeat(51)), "Digits"),
        ("Speak", "Engine", json!("robotic"), "Engine"),
        ("Speak", "TextType", json!("html"), "TextType"),
        ("Speak", "LanguageCode", json!("--help"), "LanguageCode"),
        ("Speak", "VoiceId", json!("../x"), "VoiceId"),
        ("Speak", "Text", json!(long), "Text"),
        (
            "StartBotConversation",
            "Configuration",
            json!({"WelcomeMessages": [{"Content": "x", "ContentType": "SSML"}]}),
            "Configuration.WelcomeMessages",
        ),
        ("StartCallRecording", "Track", json!("LEFT"), "Track"),
        (
            "StartCallRecording",
            "Destination",
            json!({"Type": "S3", "Location": "b/../../x"}),
            "Destination.Location",
        ),
        ("VoiceFocus", "Enable", json!(1), "Enable"),
    ];
    for (name, key, bad, field) in cases {
        let (_, mut parameters) = least()
            .into_iter()
            .find(|(known, _)| *known == name)
            .unwrap();
        parameters[key] = bad;
        let error = parse(name, parameters).unwrap_err();
        assert_eq!(error.field, field, "{error}");
        let expected = if key == "Text" {
            ErrorType::MissingRequiredActionParameter
        } else {
            ErrorType::InvalidActionParameter
        };
        assert_eq!(error.error_type, expected, "{error}");
    }
}
