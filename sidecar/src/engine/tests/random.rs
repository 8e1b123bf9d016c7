//! Any order of actions, events and delays: the invariants hold.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use skillcall_protocol::sma::action::Digit;
use skillcall_protocol::sma::{ErrorType, InvocationEventType};

use super::script::{Stage, config, created, inbound};
use crate::engine::{
    BotAbility, BotMessage, BotOutcome, BotReply, Command, EngineConfig, Failure, HandlerOutcome,
    Input, LegId, PlayId, RecordingEnd, RecordingId, SpeechId, TurnId,
};

/// Actions as handlers send them, good and bad.
const ACTIONS: &[&str] = &[
    r#"{"Type":"Pause","Parameters":{"DurationInMilliseconds":700}}"#,
    r#"{"Type":"Pause","Parameters":{"DurationInMilliseconds":700,"ParticipantTag":"LEG-B"}}"#,
    r#"{"Type":"Speak","Parameters":{"Text":"Hello"}}"#,
    r#"{"Type":"Speak","Parameters":{"Text":"Hello","ParticipantTag":"LEG-B"}}"#,
    r#"{"Type":"Speak","Parameters":{}}"#,
    r##"{"Type":"PlayAudio","Parameters":{"AudioSource":{"BucketName":"b","Key":"k"},"PlaybackTerminators":["#"]}}"##,
    r#"{"Type":"SpeakAndGetDigits","Parameters":{"SpeechParameters":{"Text":"Q"},"FailureSpeechParameters":{"Text":"F"},"Repeat":2,"MaxNumberOfDigits":2,"InputDigitsRegex":"1","RepeatDurationInMilliseconds":900}}"#,
    r#"{"Type":"PlayAudioAndGetDigits","Parameters":{"AudioSource":{"BucketName":"b","Key":"k"},"FailureAudioSource":{"BucketName":"b","Key":"f"},"Repeat":2,"RepeatDurationInMilliseconds":900}}"#,
    r#"{"Type":"ReceiveDigits","Parameters":{"InputDigitsRegex":"1","InBetweenDigitsDurationInMilliseconds":300,"FlushDigitsDurationInMilliseconds":2000}}"#,
    r#"{"Type":"ReceiveDigits","Parameters":{"InputDigitsRegex":"(?=","InBetweenDigitsDurationInMilliseconds":300,"FlushDigitsDurationInMilliseconds":2000}}"#,
    r##"{"Type":"RecordAudio","Parameters":{"RecordingTerminators":["#"],"RecordingDestination":{"BucketName":"b"}}}"##,
    r#"{"Type":"StartCallRecording","Parameters":{"Track":"BOTH","Destination":{"Location":"b"}}}"#,
    r#"{"Type":"StopCallRecording","Parameters":{}}"#,
    r#"{"Type":"CallAndBridge","Parameters":{"CallTimeoutSeconds":3,"CallerIdNumber":"+16075550199","Endpoints":[{"BridgeEndpointType":"AWS","Uri":"1"}]}}"#,
    r#"{"Type":"CallAndBridge","Parameters":{"CallTimeoutSeconds":3,"CallerIdNumber":"+16075550199","Endpoints":[{"BridgeEndpointType":"AWS","Uri":"1"}],"RingbackTone":{"BucketName":"b","Key":"r"}}}"#,
    r#"{"Type":"Hangup","Parameters":{"SipResponseCode":486}}"#,
    r#"{"Type":"Hangup","Parameters":{"ParticipantTag":"LEG-B"}}"#,
    r#"{"Type":"VoiceFocus","Parameters":{"Enable":true}}"#,
    r#"{"Type":"SendDigits","Parameters":{"Digits":"1,2"}}"#,
    r#"{"Type":"PauseCallRecording","Parameters":{}}"#,
    r#"{"Type":"JoinChimeMeeting","Parameters":{"JoinToken":"t","ParticipantTag":"LEG-A"}}"#,
    r#"{"Type":"ModifyChimeMeetingAttendees","Parameters":{"Operation":"Mute","MeetingId":"m","AttendeeList":["x"]}}"#,
    r#"{"Type":"ResumeCallRecording","Parameters":{}}"#,
    r#"{"Type":"StartBotConversation","Parameters":{"BotAliasArn":"ears","Configuration":{"SessionState":{"DialogAction":{"Type":"ElicitIntent"}},"WelcomeMessages":[{"Content":"Hello","ContentType":"PlainText"}]}}}"#,
];

const BODIES: &[&str] = &[
    r#"{"SchemaVersion":"1.0"}"#,
    r#"{"SchemaVersion":"1.0","Actions":[]}"#,
    "null",
    "",
    r#"{"SchemaVersion":"1.0","Actions":[{"Type":"Dance"}]}"#,
];

#[derive(Debug, Clone)]
enum Move {
    Reply(Vec<usize>),
    Body(usize),
    Status(u16),
    Late,
    Wait(u64),
    Speech(u32, bool),
    Play(u32, bool),
    Recording(u32, bool),
    CallRecording(u32, bool),
    Digit(u32, usize),
    Answered(u32),
    Ringing(u32),
    EarlyMedia(u32),
    Joined(u32, bool),
    Modified(bool),
    Speaks(u32, bool),
    Bot(u32, u8),
    Refused(u32),
    HungUp(u32),
    Cancelled,
    NoAck,
    Update,
    Shutdown,
}

/// Ids lie near those in use: now and then they hit, now and then they miss.
fn moves() -> impl Strategy<Value = Vec<Move>> {
    let id = 0..40u32;
    // Leg A, the latest leg B, and the one before.
    let leg = prop_oneof![4 => Just(0u32), 4 => Just(1u32), 1 => Just(2u32)];
    let good = proptest::bool::weighted(0.85);
    let recent = prop_oneof![8 => Just(0u32), 1 => 1..4u32];
    // What ends a call is rare, or no call would come far.
    let one = prop_oneof![
        60 => proptest::collection::vec(0..ACTIONS.len(), 1..5).prop_map(Move::Reply),
        4 => (0..BODIES.len()).prop_map(Move::Body),
        2 => prop_oneof![Just(404), Just(500)].prop_map(Move::Status),
        4 => Just(Move::Late),
        40 => prop_oneof![20 => 0..1000u64, 1 => 0..40_000u64].prop_map(Move::Wait),
        60 => (recent.clone(), good).prop_map(|(id, good)| Move::Speech(id, good)),
        60 => (recent.clone(), good).prop_map(|(id, good)| Move::Play(id, good)),
        20 => (recent, good).prop_map(|(id, good)| Move::Recording(id, good)),
        4 => (id, good).prop_map(|(id, good)| Move::Play(id + 4, good)),
        20 => (leg.clone(), good).prop_map(|(leg, good)| Move::CallRecording(leg, good)),
        40 => (leg.clone(), 0..4usize).prop_map(|(leg, digit)| Move::Digit(leg, digit)),
        30 => leg.clone().prop_map(Move::Answered),
        8 => leg.clone().prop_map(Move::Ringing),
        4 => leg.clone().prop_map(Move::EarlyMedia),
        20 => (leg.clone(), proptest::bool::weighted(0.8)).prop_map(|(leg, good)| Move::Joined(leg, good)),
        8 => proptest::bool::weighted(0.8).prop_map(Move::Modified),
        12 => (leg.clone(), proptest::bool::ANY).prop_map(|(leg, begins)| Move::Speaks(leg, begins)),
        20 => (0..3u32, 0..4u8).prop_map(|(back, what)| Move::Bot(back, what)),
        4 => leg.clone().prop_map(Move::Refused),
        3 => leg.prop_map(Move::HungUp),
        1 => Just(Move::Cancelled),
        1 => Just(Move::NoAck),
        8 => Just(Move::Update),
        1 => Just(Move::Shutdown),
    ];
    proptest::collection::vec(one, 1..120)
}

fn with_a_bot() -> EngineConfig {
    let ability = BotAbility {
        hears: true,
        voice: None,
    };
    EngineConfig {
        bots: std::sync::Arc::new([("ears".to_owned(), ability)].into()),
        ..config()
    }
}

/// The leg that a command needs alive.
fn used_leg(command: &Command) -> Option<LegId> {
    match command {
        Command::Ring { leg, .. }
        | Command::Answer { leg }
        | Command::Reject { leg, .. }
        | Command::Play { leg, .. }
        | Command::StopPlay { leg, .. }
        | Command::ListenDigits { leg, .. }
        | Command::StartRecording { leg, .. }
        | Command::StartCallRecording { leg, .. }
        | Command::StopCallRecording { leg }
        | Command::PauseCallRecording { leg }
        | Command::ResumeCallRecording { leg }
        | Command::VoiceFocus { leg, .. }
        | Command::JoinMeeting { leg, .. }
        | Command::LeaveMeeting { leg }
        | Command::MuteAttendees { leg, .. }
        | Command::ListenSpeech { leg, .. }
        | Command::HangUp { leg } => Some(*leg),
        Command::Bridge { b, .. } => Some(*b),
        _ => None,
    }
}

/// The media and SIP side as the engine's commands describe it, and what was reported.
#[derive(Default)]
struct World {
    asked: Option<(u32, u32)>,
    events: u32,
    /// Each action of a reply carries a number that its events give back.
    markers: u32,
    reported: BTreeSet<u64>,
    hangups: BTreeMap<String, u32>,
    speeches: Vec<u32>,
    dropped: BTreeSet<u32>,
    plays: Vec<u32>,
    recordings: Vec<u32>,
    turns: Vec<u32>,
    dialed: Vec<u32>,
    answered: bool,
    /// Legs that were ended by either side.
    gone: BTreeSet<u32>,
    /// Legs that have a record.
    records: BTreeSet<String>,
    /// Calls of RINGING and CALL_ANSWERED.
    progress: Vec<InvocationEventType>,
    ended: bool,
}

impl World {
    fn see(&mut self, command: Command) {
        assert!(!self.ended, "{command:?} after the end");
        if let Some(leg) = used_leg(&command) {
            assert!(
                !self.gone.contains(&leg.number()),
                "{command:?} for a leg that is gone"
            );
        }
        match command {
            Command::Ask {
                sequence,
                attempt,
                event,
            } => {
                if attempt == 1 {
                    self.events += 1;
                    assert_eq!(
                        sequence, self.events,
                        "events are numbered without gaps, one at a time"
                    );
                    match &event.invocation_event_type {
                        InvocationEventType::Hangup => {
                            let data = event.action_data.as_ref().unwrap();
                            let call = data.parameters["CallId"].as_str().unwrap().to_owned();
                            let count = self.hangups.entry(call).or_default();
                            *count += 1;
                            assert_eq!(*count, 1, "one HANGUP a leg");
                        }
                        kind @ (InvocationEventType::Ringing
                        | InvocationEventType::CallAnswered) => {
                            assert!(!self.progress.contains(kind), "{kind} twice");
                            self.progress.push(kind.clone());
                        }
                        InvocationEventType::ActionSuccessful
                        | InvocationEventType::ActionFailed
                        | InvocationEventType::ActionInterrupted => {
                            let data = event.action_data.as_ref().unwrap();
                            let marker = data.parameters["Marker"].as_u64().unwrap();
                            assert!(self.reported.insert(marker), "{data:?} was reported before");
                        }
                        _ => {}
                    }
                }
                self.asked = Some((sequence, attempt));
            }
            Command::Render { speech, .. } => self.speeches.push(speech.number()),
            Command::DropSpeech { speech } => {
                assert!(self.dropped.insert(speech.number()), "dropped twice")
            }
            Command::Play { play, source, .. } => {
                if let crate::engine::PlaySource::Speech(speech) = source {
                    assert!(
                        !self.dropped.contains(&speech.number()),
                        "played after it was dropped"
                    );
                }
                self.plays.push(play.number());
            }
            Command::StartRecording { recording, .. } => self.recordings.push(recording.number()),
            Command::AskBot { turn, .. } => self.turns.push(turn.number()),
            Command::Dial { leg, .. } => self.dialed.push(leg.number()),
            Command::JoinMeeting { meeting, .. } => self.dialed.push(meeting.number()),
            Command::Answer { leg } => {
                assert_eq!(leg, LegId::A);
                assert!(!self.answered, "answered twice");
                self.answered = true;
            }
            Command::Reject { leg, .. } => {
                assert!(!self.answered, "rejected after the answer");
                self.gone.insert(leg.number());
            }
            Command::HangUp { leg } => assert!(self.gone.insert(leg.number()), "hung up twice"),
            Command::Ring { .. } => assert!(!self.answered, "rings after the answer"),
            Command::LegEnded(record) => {
                let known = self.records.insert(record.call_id.to_string());
                assert!(known, "two records of {record:?}");
                assert!(record.answered.is_none_or(|at| at <= record.ended));
            }
            Command::End => self.ended = true,
            _ => {}
        }
    }

    fn watch(&mut self, stage: &mut Stage) {
        while let Some(command) = stage.call.poll() {
            self.see(command);
        }
    }

    /// One of the latest ids, if there is one, else one that is not in use.
    fn recent(ids: &[u32], back: u32) -> u32 {
        ids.iter()
            .rev()
            .nth(back as usize)
            .copied()
            .unwrap_or(1000 + back)
    }
}

fn play(stage: &mut Stage, world: &mut World, step: Move) {
    let leg = |n: u32, world: &World| {
        if n == 0 {
            LegId::A
        } else {
            LegId(World::recent(&world.dialed, n - 1))
        }
    };
    let failure = || Failure::new(ErrorType::SystemException, "why");
    let handler = |world: &World, outcome| {
        let (sequence, attempt) = world.asked.unwrap_or((0, 0));
        Input::Handler {
            sequence,
            attempt,
            outcome,
        }
    };
    let body = |text: &str| HandlerOutcome::from_http(200, text.as_bytes());
    let input = match step {
        Move::Reply(actions) => {
            let mark = |n: usize| {
                world.markers += 1;
                ACTIONS[n].replacen(
                    r#""Parameters":{"#,
                    &format!(r#""Parameters":{{"Marker":{},"#, world.markers),
                    1,
                )
            };
            let actions: Vec<String> = actions.into_iter().map(mark).collect();
            let actions = actions.join(",").replace(",}", "}");
            handler(
                world,
                body(&format!(
                    r#"{{"SchemaVersion":"1.0","Actions":[{actions}]}}"#
                )),
            )
        }
        Move::Body(n) => handler(world, body(BODIES[n])),
        Move::Status(status) => handler(world, HandlerOutcome::from_http(status, b"no")),
        Move::Late => Input::Handler {
            sequence: 1,
            attempt: 1,
            outcome: body(BODIES[0]),
        },
        Move::Wait(millis) => {
            let until = stage.now.instant + Duration::from_millis(millis);
            while let Some(deadline) = stage.call.deadline().filter(|deadline| *deadline <= until) {
                stage.now.instant = stage.now.instant.max(deadline);
                stage.call.handle_timeout(stage.now);
                world.watch(stage);
            }
            stage.now.instant = until;
            return;
        }
        Move::Speech(back, true) => Input::SpeechReady {
            speech: SpeechId(World::recent(&world.speeches, back)),
        },
        Move::Speech(back, false) => Input::SpeechFailed {
            speech: SpeechId(World::recent(&world.speeches, back)),
            failure: failure(),
        },
        Move::Play(back, true) => Input::PlayEnded {
            play: PlayId(World::recent(&world.plays, back)),
        },
        Move::Play(back, false) => Input::PlayFailed {
            play: PlayId(World::recent(&world.plays, back)),
            failure: failure(),
        },
        Move::Recording(back, true) => Input::RecordingEnded {
            recording: RecordingId(World::recent(&world.recordings, back)),
            length: Duration::from_secs(1),
            end: RecordingEnd::Silence,
        },
        Move::Recording(back, false) => Input::RecordingFailed {
            recording: RecordingId(World::recent(&world.recordings, back)),
            failure: failure(),
        },
        Move::CallRecording(n, true) => Input::CallRecordingStarted { leg: leg(n, world) },
        Move::CallRecording(n, false) => Input::CallRecordingFailed {
            leg: leg(n, world),
            failure: failure(),
        },
        Move::Digit(n, digit) => Input::Digit {
            leg: leg(n, world),
            digit: ['1', '2', '#', '*']
                .get(digit)
                .and_then(|digit| Digit::new(*digit))
                .unwrap(),
        },
        Move::Answered(n) => Input::Answered { leg: leg(n, world) },
        Move::Joined(n, true) => Input::MeetingJoined { leg: leg(n, world) },
        Move::Joined(n, false) => Input::MeetingRefused {
            leg: leg(n, world),
            failure: Failure::new(ErrorType::ErrorJoiningMeeting, "why"),
        },
        Move::Modified(true) => Input::AttendeesModified { result: Ok(()) },
        Move::Modified(false) => Input::AttendeesModified {
            result: Err(("why".to_owned(), Vec::new())),
        },
        Move::Speaks(n, true) => Input::SpeechBegan { leg: leg(n, world) },
        Move::Speaks(n, false) => Input::Said {
            leg: leg(n, world),
            audio: [7; 160].into(),
        },
        Move::Bot(back, what) => Input::Bot {
            turn: TurnId(World::recent(&world.turns, back)),
            result: match what {
                0 => Ok(BotOutcome::NothingSaid),
                1 => Err(failure()),
                _ => Ok(BotOutcome::Replied(Box::new(BotReply {
                    messages: vec![BotMessage::PlainText("More".to_owned())],
                    is_over: what == 2,
                    intent: None,
                    slot: None,
                    attributes: BTreeMap::new(),
                    result: serde_json::Value::Null,
                }))),
            },
        },
        Move::Ringing(n) => Input::Ringing { leg: leg(n, world) },
        Move::EarlyMedia(n) => Input::EarlyMedia { leg: leg(n, world) },
        Move::Refused(n) => Input::Refused {
            leg: leg(n, world),
            status: 486,
            reason: "Busy".to_owned(),
        },
        Move::HungUp(n) => Input::HungUp {
            leg: leg(n, world),
            code: 0,
        },
        Move::Cancelled => Input::Cancelled { leg: LegId::A },
        Move::NoAck => Input::AckTimeout { leg: LegId::A },
        Move::Update => Input::UpdateRequested {
            arguments: BTreeMap::new(),
        },
        Move::Shutdown => Input::Shutdown,
    };
    stage.call.handle(input, stage.now);
    world.watch(stage);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_things_keeps_the_rules(moves in moves(), made in proptest::bool::weighted(0.3)) {
        let mut stage = if made { created() } else { Stage::new(with_a_bot(), inbound(&[])) };
        let mut world = World::default();
        world.watch(&mut stage);
        for step in moves {
            play(&mut stage, &mut world, step);
            prop_assert_eq!(stage.call.deadline().is_none(), world.ended, "a call waits for something until its end");
        }
        // Whatever happened, it ends when it is told to, by itself.
        play(&mut stage, &mut world, Move::Shutdown);
        for _ in 0..200 {
            play(&mut stage, &mut world, Move::Wait(20_000));
        }
        prop_assert!(world.ended && stage.call.is_over(), "{:?}", stage.call);
        prop_assert_eq!(stage.call.deadline(), None);
        prop_assert_eq!(world.hangups.get("a"), Some(&1));
        prop_assert_eq!(world.records.len(), 1 + world.dialed.iter().filter(|leg| **leg > 0).count(), "a record for each leg");
        let speeches: BTreeSet<u32> = world.speeches.iter().copied().collect();
        prop_assert_eq!(&speeches, &world.dropped, "every speech is dropped");
        play(&mut stage, &mut world, Move::Reply(vec![2]));
        play(&mut stage, &mut world, Move::Digit(0, 0));
    }
}
