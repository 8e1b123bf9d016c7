//! What the fuzz targets run: any bytes are read as a reply or as an event, and what was accepted must stay what it is.

use super::event::Event;
use super::reply::{parse_reply, read_reply};

/// Reads `data` as a handler's reply.
///
/// # Panics
/// When an accepted reply is another one after it was written and read again, when the strict form of an action is
/// refused or means something else, or when a refusal says nothing.
pub fn reply(data: &[u8]) {
    let reply = match parse_reply(data) {
        Ok(reply) => reply,
        Err(error) => {
            assert!(!error.to_string().is_empty() && !error.error_type().as_str().is_empty());
            return;
        }
    };
    for requested in reply.requested() {
        match &requested.checked {
            Ok(action) => {
                let parameters = action.parameters();
                let parameters = parameters.as_object().expect("parameters are an object");
                let again = super::Action::parse(0, action.name(), parameters);
                assert_eq!(again.as_ref(), Ok(action), "the strict form means the same");
            }
            Err(error) => assert!(!error.message().is_empty() && !error.field.is_empty()),
        }
    }
    let written = serde_json::to_value(&reply).expect("a reply can be written");
    let again = read_reply(&written).expect("what was written can be read");
    assert_eq!(again, reply);
}

/// Reads `data` as an event.
///
/// # Panics
/// When an accepted event is another one after it was written and read again.
pub fn event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Event>(data) else {
        return;
    };
    let _ = event.triggering_leg();
    let written = serde_json::to_vec(&event).expect("an event can be written");
    let again: Event = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, event);
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: &[&str] = &[
        r#"{"SchemaVersion":"1.0","Actions":null,"TransactionAttributes":{"step":"menu","n":3}}"#,
        r##"{"SchemaVersion":"1.0","Actions":[{"Type":"Speak","Parameters":{"Text":"Hello","CallId":"","Engine":"neural","LanguageCode":"en-US","TextType":"ssml","VoiceId":"Joanna"}},{"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"1?"},"FailureSpeechParameters":{"Text":"No"},"InputDigitsRegex":"^\\d{2}#$","MinNumberOfDigits":"1","MaxNumberOfDigits":2,"TerminatorDigits":["#",1],"InBetweenDigitsDurationInMilliseconds":900,"Repeat":3,"RepeatDurationInMilliseconds":"5000"}}]}"##,
        r##"{"SchemaVersion":1.0,"Actions":[{"Type":"PlayAudio","Parameters":{"AudioSource":{"Type":"S3","BucketName":"b","Key":"p/k.wav"},"Repeat":"2","PlaybackTerminators":["1","#"]}},{"Type":"RecordAudio","Parameters":{"RecordingTerminators":["#"],"RecordingDestination":{"Type":"S3","BucketName":"b","Prefix":"p/"},"SilenceDurationInSeconds":3,"SilenceThreshold":100}}]}"##,
        r#"{"SchemaVersion":"1.0","Actions":[{"Type":"CallAndBridge","Parameters":{"CallTimeoutSeconds":"20","CallerIdNumber":"+16075550199","RingbackTone":{"Type":"S3","BucketName":"b","Key":"k"},"SipHeaders":{"X-Room":"12","User-to-User":"aa;encoding=hex"},"Endpoints":[{"BridgeEndpointType":"AWS","Uri":"100","Arn":"arn:aws:chime:r:a:vc/i"}]}},{"Type":"Hangup","Parameters":{"SipResponseCode":"486","ParticipantTag":"LEG-B"}}]}"#,
        r#"{"SchemaVersion":"1.0","Actions":[{"Type":"StartBotConversation","Parameters":{"BotAliasArn":"arn","Configuration":{"SessionState":{"SessionAttributes":{"k":1},"DialogAction":{"Type":"ElicitIntent"}},"WelcomeMessages":[{"Content":"Hi","ContentType":"PlainText"}]}}},{"Type":"StartCallRecording","Parameters":{"Track":"BOTH","Destination":{"Type":"S3","Location":"b/p/"}}},{"Type":"SendDigits","Parameters":{"Digits":"1,A","ToneDurationInMilliseconds":50}}]}"#,
        r#"{"statusCode":200,"body":"{\"SchemaVersion\":\"1.0\"}"}"#,
    ];
    const EVENTS: &[&str] = &[
        r#"{"SchemaVersion":"1.0","Sequence":3,"InvocationEventType":"HANGUP","ActionData":{"Type":"Hangup","Parameters":{"SipResponseCode":0,"CallId":"b","ParticipantTag":"LEG-B"}},"CallDetails":{"TransactionId":"t","TransactionAttributes":{"k":"v"},"AwsAccountId":"111122223333","AwsRegion":"us-east-1","SipRuleId":"r","SipMediaApplicationId":"m","Participants":[{"CallId":"a","ParticipantTag":"LEG-A","To":"+1","From":"+2","Direction":"Inbound","StartTimeInMilliseconds":"1714558272000","Status":"Connected","SipHeaders":{"X-A":"1"}}]}}"#,
        r#"{"Sequence":"7","InvocationEvent":"ACTION_FAILED","ActionData":{"Type":"RecordAudio","Parameters":null,"ReceivedDigits":"","RecordingDestination":{"Key":"k"},"CallRecordingDestination":{},"IntentResult":{},"ErrorList":[],"ErrorType":"X","Error":"Y: z"},"ErrorType":"SchemaVersionMismatch","ErrorMessage":"m"}"#,
    ];
    const TOKENS: &[&str] = &[
        "null",
        "\"\"",
        "[]",
        "{}",
        "-1",
        "1e9",
        "0",
        "4294967296",
        "1.5",
        "true",
        "\"..\"",
        "\"a/../b\"",
        "\"\\u0000\"",
        "\"+1\"",
        "\"LEG-A\"",
        ",",
        ":",
        "\"Type\":",
        "\"CallId\":",
        "é",
    ];

    /// A sequence that is the same each time (xorshift, after Marsaglia), so that a failure can be looked at again.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % sides.max(1) as u64) as usize
        }
    }

    /// A value of the text is replaced by a token, a piece is cut, doubled or moved, or a byte is changed.
    fn mutate(text: &[u8], dice: &mut Dice) -> Vec<u8> {
        let mut bytes = text.to_vec();
        for _ in 0..=dice.roll(3) {
            let at = dice.roll(bytes.len());
            let to = (at + dice.roll(24)).min(bytes.len());
            match dice.roll(6) {
                0 => drop(bytes.splice(at..to, TOKENS[dice.roll(TOKENS.len())].bytes())),
                1 => drop(bytes.drain(at..to)),
                2 => drop(bytes.splice(
                    at..at,
                    text[at.min(text.len())..to.min(text.len()).max(at.min(text.len()))].to_vec(),
                )),
                3 => bytes[at] = dice.roll(256) as u8,
                // The value after a colon, which keeps the JSON whole more often than not.
                _ => {
                    let colon = bytes
                        .iter()
                        .skip(at)
                        .position(|b| *b == b':')
                        .map(|n| n + at + 1);
                    if let Some(start) = colon {
                        let end = bytes
                            .iter()
                            .skip(start)
                            .position(|b| b",}]".contains(b))
                            .map_or(bytes.len(), |n| n + start);
                        bytes.splice(start..end, TOKENS[dice.roll(TOKENS.len())].bytes());
                    }
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        bytes
    }

    #[test]
    fn known_texts_and_their_mutations_keep_the_rules() {
        let mut dice = Dice(0x5111_ca11_0000_0001);
        let (mut replies, mut events) = (0, 0);
        for (seeds, accepted, target) in [
            (REPLIES, &mut replies, reply as fn(&[u8])),
            (EVENTS, &mut events, event as fn(&[u8])),
        ] {
            for seed in seeds {
                target(seed.as_bytes());
                for _ in 0..3000 {
                    let data = mutate(seed.as_bytes(), &mut dice);
                    target(&data);
                    *accepted += usize::from(
                        parse_reply(&data).is_ok()
                            || serde_json::from_slice::<Event>(&data).is_ok(),
                    );
                }
            }
        }
        assert!(
            replies > 1000 && events > 500,
            "mutations must reach the rules: {replies}, {events}"
        );
    }
}
