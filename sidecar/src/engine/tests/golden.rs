//! Every event as the facts' sections E and L show it: files that the protocol crate reads and writes too.

use std::path::Path;

use serde_json::Value;

use super::script::{ANSWERED, BRIDGE, Stage, bridged, config, created, inbound, play};

fn is(stage: &Stage, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../crates/protocol/tests/golden/sma")
        .join(name)
        .with_extension("json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let golden: Value = serde_json::from_str(&text).unwrap();
    let event = stage.last_event();
    assert_eq!(event, golden, "{name}\n{event:#}");
}

/// Lets a stage go on, whatever it commands.
fn on(mut stage: Stage, steps: &[&str]) -> Stage {
    for step in steps {
        stage.step(step);
    }
    stage
}

fn answered(steps: &[&str]) -> Stage {
    on(play(ANSWERED), steps)
}

#[test]
fn a_call_comes_in_and_ends() {
    let headers = [
        ("user-to-user", "6373693d61312d6232;encoding=hex"),
        ("Via", "is not shown"),
        (
            "X-Alexa-LWA-ClientId",
            "amzn1.application-oa2-client.00000000000000000000000000000000",
        ),
    ];
    let mut stage = Stage::new(config(), inbound(&headers));
    stage.drain();
    is(&stage, "new-inbound-call");
    let stage = answered(&[]);
    is(&stage, "action-successful-speak");
    is(&on(stage, &["nothing", "hungup A"]), "hangup");
}

#[test]
fn a_call_goes_out() {
    let stage = on(created(), &["call"]);
    is(&stage, "new-outbound-call");
    let called = r#"body {"SchemaVersion":"1.0","Actions":[{"Type":"Hangup"}],"TransactionAttributes":{"step":"called"}}"#;
    let stage = on(stage, &[called, "ringing A", "ringing A"]);
    is(&stage, "ringing");
    is(&on(stage, &["nothing", "answered A"]), "call-answered");
    let busy = on(created(), &["call", "nothing", "refused A 486"]);
    is(&busy, "hangup-not-answered");
}

#[test]
fn a_bridge() {
    let stage = bridged();
    is(&stage, "action-successful-call-and-bridge");
    is(&on(stage, &["nothing", "hungup B"]), "hangup-of-leg-b");
    let failed = answered(&[BRIDGE, "wait 20000"]);
    is(&failed, "action-failed-call-and-bridge");
}

#[test]
fn digits() {
    let asked = answered(&[
        r#"reply {"Type":"PlayAudioAndGetDigits","Parameters":{"AudioSource":{"Type":"S3","BucketName":"b","Key":"ask.wav"},"FailureAudioSource":{"Type":"S3","BucketName":"b","Key":"again.wav"},"MinNumberOfDigits":"4","MaxNumberOfDigits":"4","RepeatDurationInMilliseconds":"5000","ParticipantTag":"","CallId":""}}"#,
        "played 3",
        "digits A 4711",
    ]);
    // The empty CallId of the request becomes the leg's, the rest comes back as it was sent.
    is(&asked, "action-successful-get-digits");
    let failed = answered(&[
        r#"reply {"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"Which?"},"InputDigitsRegex":"[1-2]","MaxNumberOfDigits":1,"RepeatDurationInMilliseconds":5000}}"#,
        "ready 3",
        "digits A 3",
    ]);
    is(&failed, "action-failed-get-digits");
    let armed = answered(&[
        r#"reply {"Type":"ReceiveDigits","Parameters":{"InputDigitsRegex":"^\\d{2}#$","InBetweenDigitsDurationInMilliseconds":900,"FlushDigitsDurationInMilliseconds":8000}}"#,
    ]);
    is(&armed, "action-successful-receive-digits");
    let received = on(armed, &["nothing", "digits A 12#", "wait 900"]);
    is(&received, "digits-received");
    let refused = answered(&[
        r#"reply {"Type":"SendDigits","Parameters":{"CallId":"a","Digits":"1","ToneDurationInMilliseconds":"30"}}"#,
    ]);
    is(&refused, "action-failed-send-digits");
}

#[test]
fn recordings() {
    let recorded = answered(&[
        r##"reply {"Type":"RecordAudio","Parameters":{"DurationInSeconds":"10","RecordingTerminators":["#"],"RecordingDestination":{"Type":"S3","BucketName":"b","Prefix":"p"}}}"##,
        "digits A #",
        "recorded 3 stopped",
    ]);
    is(&recorded, "action-successful-record-audio");
    let start = r#"reply {"Type":"StartCallRecording","Parameters":{"CallId":"a","Track":"BOTH","Destination":{"Type":"S3","Location":"b/desk"}}}"#;
    is(
        &answered(&[start, "recording A"]),
        "action-successful-start-call-recording",
    );
    is(
        &answered(&[start, "no-recording A NoAccessToDestination"]),
        "action-failed-start-call-recording",
    );
}

#[test]
fn updates_and_refusals() {
    let asked = answered(&[
        r#"reply {"Type":"Pause","Parameters":{"DurationInMilliseconds":"3000"}}"#,
        "update",
    ]);
    is(&asked, "call-update-requested");
    let interrupted = on(
        asked,
        &[r#"reply {"Type":"Speak","Parameters":{"Text":"x"}}"#],
    );
    is(&interrupted, "action-interrupted");
    let many: Vec<String> = (0..101).map(|n| format!(r#""{n}":"x""#)).collect();
    let body = format!(
        r#"body {{"SchemaVersion":"1.0","TransactionAttributes":{{{}}}}}"#,
        many.join(",")
    );
    is(&answered(&[&body]), "invalid-lambda-response");
}
