//! Each action: read from what handlers send, refused by name, written strictly.

use serde_json::{Value, json};

mod refusals;

use super::*;
use crate::sma::ids::ParticipantTag;

fn parse(name: &str, parameters: Value) -> Result<Action, ActionError> {
    Action::parse(0, name, parameters.as_object().unwrap())
}

/// Reads parameters and gives their strict form.
fn strict(name: &str, parameters: Value) -> Value {
    parse(name, parameters)
        .unwrap_or_else(|error| panic!("{error}"))
        .parameters()
}

fn audio() -> Value {
    json!({"Type": "S3", "BucketName": "prompts", "Key": "en/hello.wav"})
}

/// The least that each action takes, as a handler of Amazon's service sends it.
fn least() -> Vec<(&'static str, Value)> {
    vec![
        (
            "CallAndBridge",
            json!({"CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+14255550123"}]}),
        ),
        ("Hangup", json!({"SipResponseCode": 0})),
        ("JoinChimeMeeting", json!({"JoinToken": "t"})),
        (
            "ModifyChimeMeetingAttendees",
            json!({"Operation": "Mute", "MeetingId": "m", "AttendeeList": ["a"]}),
        ),
        ("Pause", json!({"DurationInMilliseconds": 1000})),
        ("PauseCallRecording", json!({"CallId": "c"})),
        ("PlayAudio", json!({"AudioSource": audio()})),
        (
            "PlayAudioAndGetDigits",
            json!({"AudioSource": audio(), "FailureAudioSource": audio(),
            "RepeatDurationInMilliseconds": 3000}),
        ),
        (
            "ReceiveDigits",
            json!({"InputDigitsRegex": "^\\d{2}#$", "InBetweenDigitsDurationInMilliseconds": 1000,
            "FlushDigitsDurationInMilliseconds": 10000}),
        ),
        (
            "RecordAudio",
            json!({"RecordingTerminators": ["#"], "RecordingDestination": {"Type": "S3", "BucketName": "b"}}),
        ),
        ("ResumeCallRecording", json!({"CallId": "c"})),
        ("SendDigits", json!({"Digits": "12,A#*"})),
        ("Speak", json!({"Text": "Hello"})),
        (
            "SpeakAndGetDigits",
            json!({"SpeechParameters": {"Text": "Press 1"}, "RepeatDurationInMilliseconds": 3000}),
        ),
        (
            "StartBotConversation",
            json!({"BotAliasArn": "arn:aws:lex:us-east-1:111122223333:bot-alias/b/a"}),
        ),
        (
            "StartCallRecording",
            json!({"Track": "BOTH", "Destination": {"Type": "S3", "Location": "b/p"}}),
        ),
        ("StopCallRecording", json!({"CallId": "c"})),
        ("VoiceFocus", json!({"Enable": true})),
    ]
}

#[test]
fn the_least_of_each_action_is_read_and_written_the_same() {
    let least = least();
    assert_eq!(
        least.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        Action::TYPES
    );
    for (name, parameters) in least {
        assert_eq!(strict(name, parameters.clone()), parameters, "{name}");
        let action = parse(name, parameters).unwrap();
        assert_eq!(action.name(), name);
        assert_eq!(action.check(), Ok(()));
    }
}

#[test]
fn every_required_parameter_is_missed_by_name() {
    for (name, parameters) in least() {
        for key in parameters.as_object().unwrap().keys() {
            if ["CallId", "SipResponseCode"].contains(&key.as_str()) {
                continue;
            }
            let mut without = parameters.clone();
            without.as_object_mut().unwrap().remove(key);
            let error = parse(name, without).unwrap_err();
            assert_eq!(
                (&error.field, &error.error_type),
                (key, &ErrorType::MissingRequiredActionParameter),
                "{name}"
            );
            assert_eq!(error.found, "nothing");
        }
    }
}

#[test]
fn numbers_as_strings_and_empty_ids_are_read() {
    assert_eq!(
        strict(
            "CallAndBridge",
            json!({"CallTimeoutSeconds": "20", "CallerIdNumber": "+16075550199", "CallId": "",
            "ParticipantTag": "", "Endpoints": [{"BridgeEndpointType": "AWS", "Uri": "100", "Arn": ""}]})
        ),
        json!({"CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "AWS", "Uri": "100"}]})
    );
    assert_eq!(
        strict(
            "PlayAudio",
            json!({"AudioSource": audio(), "Repeat": "5", "PlaybackTerminators": [1, "#"]})
        ),
        json!({"AudioSource": audio(), "Repeat": 5, "PlaybackTerminators": ["1", "#"]})
    );
    assert_eq!(
        strict(
            "Pause",
            json!({"DurationInMilliseconds": "3000", "ParticipantTag": "leg-b"})
        ),
        json!({"DurationInMilliseconds": 3000, "ParticipantTag": "LEG-B"})
    );
    assert_eq!(
        strict("Hangup", json!({"SipResponseCode": "486", "CallId": null})),
        json!({"SipResponseCode": 486})
    );
    assert_eq!(strict("Hangup", json!({})), json!({"SipResponseCode": 0}));
}

#[test]
fn defaults_are_those_of_facts_f6() {
    let Ok(Action::CallAndBridge(bridge)) = parse("CallAndBridge", least()[0].1.clone()) else {
        panic!()
    };
    assert_eq!(bridge.timeout().as_secs(), 30);
    let Ok(Action::SpeakAndGetDigits(ask)) = parse("SpeakAndGetDigits", least()[13].1.clone())
    else {
        panic!()
    };
    let rules = &ask.rules;
    assert_eq!((rules.min(), rules.max(), rules.attempts()), (0, 128, 1));
    assert_eq!(
        (rules.gap(), rules.attempt_time()),
        (rules.attempt_time(), std::time::Duration::from_secs(3))
    );
    assert!(
        rules.is_terminator(Digit::new('#').unwrap())
            && !rules.is_terminator(Digit::new('*').unwrap())
    );
    assert_eq!(
        (
            ask.speech_parameters.voice(),
            ask.speech_parameters.is_ssml()
        ),
        ("Joanna", false)
    );
    let Ok(Action::RecordAudio(record)) = parse("RecordAudio", least()[9].1.clone()) else {
        panic!()
    };
    assert_eq!((record.silence(), record.limit()), (None, None));
}

#[test]
fn the_failure_speech_is_as_the_main_one_in_what_it_leaves_out() {
    let Ok(Action::SpeakAndGetDigits(ask)) = parse(
        "SpeakAndGetDigits",
        json!({"SpeechParameters": {"Text": "<speak>1?</speak>", "TextType": "ssml", "LanguageCode": "de-DE", "VoiceId": "Vicki"},
            "FailureSpeechParameters": {"Text": "<speak>No</speak>", "VoiceId": "Hans"}, "RepeatDurationInMilliseconds": 1}),
    ) else {
        panic!()
    };
    let failure = ask.failure_speech_parameters.unwrap();
    assert_eq!(
        (
            failure.voice(),
            failure.is_ssml(),
            failure.language_code.as_deref()
        ),
        ("Hans", true, Some("de-DE"))
    );
}

#[test]
fn digit_limits_may_be_equal_but_not_crossed() {
    let ask = |min: u32, max: u32| {
        parse(
            "SpeakAndGetDigits",
            json!({"SpeechParameters": {"Text": "?"}, "RepeatDurationInMilliseconds": 1,
            "MinNumberOfDigits": min, "MaxNumberOfDigits": max}),
        )
    };
    assert!(ask(4, 4).is_ok());
    assert_eq!(ask(5, 4).unwrap_err().field, "MaxNumberOfDigits");
}

#[test]
fn the_message_says_where_what_and_what_would_be_right() {
    let error = Action::parse(2, "Speak", json!({"text": "hi"}).as_object().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "action 3 (Speak): Text is only \"text\", in another case; expected a text of 1 to 1000 characters"
    );
    let (name, mut parameters) = least().remove(0);
    parameters["SipHeaders"] = json!({"X-AMZN": "1"});
    assert_eq!(
        parse(name, parameters).unwrap_err().message(),
        "Invalid SIP header(s) provided: X-AMZN"
    );
}

#[test]
fn bots_and_meetings_are_written_as_read() {
    let bot = json!({"BotAliasArn": "arn", "LocaleId": "de_DE", "ParticipantTag": "LEG-A", "Configuration": {
        "SessionState": {"SessionAttributes": {"k": "v"}, "DialogAction": {"Type": "ElicitIntent"}},
        "WelcomeMessages": [{"Content": "Hi", "ContentType": "PlainText"}, {"Content": "<speak/>", "ContentType": "SSML"}]}});
    assert_eq!(strict("StartBotConversation", bot.clone()), bot);
}

#[test]
fn built_actions_can_be_checked() {
    let good = Action::from(Hangup {
        leg: LegSelector::tag(ParticipantTag::LegB),
        ..Hangup::default()
    });
    assert_eq!(good.check(), Ok(()));
    assert_eq!(
        serde_json::to_value(&good).unwrap(),
        json!({"Type": "Hangup", "Parameters": {"SipResponseCode": 0, "ParticipantTag": "LEG-B"}})
    );
    assert_eq!(
        Action::from(Speak::text("")).check().unwrap_err().field,
        "Text"
    );
}
