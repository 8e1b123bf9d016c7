//! Plays a script against a call.
//!
//! A step is a line, and what follows it are the commands in short. Notes and records of legs are left out, and kept in
//! [`Stage::notes`] and [`Stage::records`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use skillcall_protocol::sma::action::Digit;
use skillcall_protocol::sma::{CallId, ErrorType, Event, SipHeaders};

use crate::engine::{
    BotMessage, BotOutcome, BotReply, Call, Command, EngineConfig, Failure, HandlerOutcome,
    InboundCall, Input, LegId, LegRecord, Note, Now, OutboundCall, PlayId, RecordingEnd,
    RecordingId, SpeechId, TurnId,
};

/// The wall clock's beginning: 2024-05-01T10:11:12.000Z.
pub(super) const START: u64 = 1_714_558_272_000;

pub(super) struct Stage {
    pub(super) call: Call,
    pub(super) now: Now,
    /// The latest event and its attempt.
    pub(super) asked: Option<(u32, u32, Arc<Event>)>,
    pub(super) events: Vec<Arc<Event>>,
    pub(super) notes: Vec<Note>,
    pub(super) records: Vec<LegRecord>,
    pub(super) ended: bool,
}

pub(super) fn config() -> EngineConfig {
    EngineConfig {
        aws_account_id: "111122223333".to_owned(),
        aws_region: "us-east-1".to_owned(),
        sip_rule_id: Some("r".to_owned()),
        sip_media_application_id: "m".to_owned(),
        ..EngineConfig::default()
    }
}

pub(super) fn inbound(headers: &[(&str, &str)]) -> InboundCall {
    InboundCall {
        transaction_id: "t".into(),
        call_id: "a".into(),
        to: "+16075550199".to_owned(),
        from: "+12045550100".to_owned(),
        headers: headers.iter().copied().collect::<SipHeaders>(),
    }
}

/// A call that is made through the API, and has not been told to anybody.
pub(super) fn created() -> Stage {
    let call = OutboundCall {
        transaction_id: "t".into(),
        call_id: "a".into(),
        to: "+14255550123".to_owned(),
        from: "+16075550199".to_owned(),
        headers: [("X-Room", "12")].into_iter().collect(),
        arguments: [("say".to_owned(), "hello".to_owned())].into(),
    };
    Stage::with(|ids, now| Call::outbound(Arc::new(config()), call, ids, now))
}

impl Stage {
    pub(super) fn new(config: EngineConfig, inbound: InboundCall) -> Self {
        Self::with(|ids, now| Call::inbound(Arc::new(config), inbound, ids, now))
    }

    fn with(begin: impl FnOnce(crate::engine::CallIds, Now) -> Call) -> Self {
        let now = Now {
            instant: Instant::now(),
            unix_millis: START,
        };
        let mut dialed = 0;
        let ids = move || {
            dialed += 1;
            CallId::new(format!("b{dialed}"))
        };
        let call = begin(Box::new(ids), now);
        Self {
            call,
            now,
            asked: None,
            events: Vec::new(),
            notes: Vec::new(),
            records: Vec::new(),
            ended: false,
        }
    }

    /// Gives an input and returns the commands that follow, in short.
    pub(super) fn give(&mut self, input: Input) -> Vec<String> {
        self.call.handle(input, self.now);
        self.drain()
    }

    /// Lets time pass, with every time-out at its moment.
    pub(super) fn wait(&mut self, time: Duration) -> Vec<String> {
        let until = self.now.instant + time;
        let mut commands = Vec::new();
        while let Some(deadline) = self.call.deadline().filter(|deadline| *deadline <= until) {
            self.advance(deadline);
            self.call.handle_timeout(self.now);
            commands.extend(self.drain());
        }
        self.advance(until);
        commands
    }

    fn advance(&mut self, to: Instant) {
        let passed = to.saturating_duration_since(self.now.instant);
        self.now.instant += passed;
        self.now.unix_millis += u64::try_from(passed.as_millis()).unwrap();
    }

    pub(super) fn drain(&mut self) -> Vec<String> {
        let mut commands = Vec::new();
        while let Some(command) = self.call.poll() {
            assert!(!self.ended, "{command:?} after the end");
            match &command {
                Command::Note(note) => {
                    self.notes.push(note.clone());
                    continue;
                }
                Command::LegEnded(record) => {
                    self.records.push((**record).clone());
                    continue;
                }
                Command::Ask {
                    sequence,
                    attempt,
                    event,
                } => {
                    assert_eq!(event.sequence, *sequence);
                    if *attempt == 1 {
                        self.events.push(Arc::clone(event));
                    }
                    self.asked = Some((*sequence, *attempt, Arc::clone(event)));
                }
                Command::End => self.ended = true,
                _ => {}
            }
            commands.push(super::shorthand::short(&command));
        }
        commands
    }

    pub(super) fn reply(&mut self, status: u16, body: &str) -> Vec<String> {
        let (sequence, attempt, _) = self.asked.clone().expect("an event to reply to");
        self.give(Input::Handler {
            sequence,
            attempt,
            outcome: HandlerOutcome::from_http(status, body.as_bytes()),
        })
    }

    /// Carries out one line of a script.
    pub(super) fn step(&mut self, line: &str) -> Vec<String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse::<u32>().unwrap();
        let first_number = || rest.split(' ').next().unwrap().parse::<u32>().unwrap();
        let failure = || Failure::new(ErrorType::from(rest.split(' ').nth(1).unwrap()), "why");
        let leg = || {
            LegId(
                rest.split(' ')
                    .next()
                    .unwrap()
                    .strip_prefix('B')
                    .map_or(0, |n| n.parse().unwrap_or(1)),
            )
        };
        let input = match word {
            "call" => return self.drain(),
            "reply" => {
                return self.reply(
                    200,
                    &format!(r#"{{"SchemaVersion":"1.0","Actions":[{rest}]}}"#),
                );
            }
            "nothing" => return self.reply(200, r#"{"SchemaVersion":"1.0"}"#),
            "body" => return self.reply(200, rest),
            "status" => return self.reply(rest.parse().unwrap(), "no"),
            "wait" => return self.wait(Duration::from_millis(rest.parse().unwrap())),
            "unreachable" => {
                let (sequence, attempt, _) = self.asked.clone().unwrap();
                Input::Handler {
                    sequence,
                    attempt,
                    outcome: HandlerOutcome::Unreachable {
                        reason: "refused".to_owned(),
                    },
                }
            }
            "late" => {
                let (sequence, attempt) = rest.split_once('.').unwrap();
                let outcome = HandlerOutcome::from_http(
                    200,
                    br#"{"SchemaVersion":"1.0","Actions":[{"Type":"Hangup"}]}"#,
                );
                Input::Handler {
                    sequence: sequence.parse().unwrap(),
                    attempt: attempt.parse().unwrap(),
                    outcome,
                }
            }
            "ready" => Input::SpeechReady {
                speech: SpeechId(number()),
            },
            "unspeakable" => Input::SpeechFailed {
                speech: SpeechId(first_number()),
                failure: failure(),
            },
            "played" => Input::PlayEnded {
                play: PlayId(number()),
            },
            "unplayable" => Input::PlayFailed {
                play: PlayId(first_number()),
                failure: failure(),
            },
            "digits" => {
                let digits = rest.split(' ').nth(1).unwrap();
                let mut commands = Vec::new();
                for digit in digits.chars() {
                    commands.extend(self.give(Input::Digit {
                        leg: leg(),
                        digit: Digit::new(digit).unwrap(),
                    }));
                }
                return commands;
            }
            "recorded" => Input::RecordingEnded {
                recording: RecordingId(first_number()),
                length: Duration::from_secs(3),
                end: match rest.split(' ').nth(1).unwrap() {
                    "silence" => RecordingEnd::Silence,
                    "limit" => RecordingEnd::Limit,
                    _ => RecordingEnd::Stopped,
                },
            },
            "unrecordable" => Input::RecordingFailed {
                recording: RecordingId(first_number()),
                failure: failure(),
            },
            "recording" => Input::CallRecordingStarted { leg: leg() },
            "no-recording" => Input::CallRecordingFailed {
                leg: leg(),
                failure: failure(),
            },
            "ringing" => Input::Ringing { leg: leg() },
            "early" => Input::EarlyMedia { leg: leg() },
            "answered" => Input::Answered { leg: leg() },
            "refused" => Input::Refused {
                leg: leg(),
                status: rest.split(' ').nth(1).unwrap().parse().unwrap(),
                reason: "no".to_owned(),
            },
            "hungup" => Input::HungUp {
                leg: leg(),
                code: 0,
            },
            "cancelled" => Input::Cancelled { leg: LegId::A },
            "no-ack" => Input::AckTimeout { leg: LegId::A },
            "joined" => Input::MeetingJoined { leg: leg() },
            "not-joined" => Input::MeetingRefused {
                leg: leg(),
                failure: failure(),
            },
            "modified" => Input::AttendeesModified { result: Ok(()) },
            "foreign" => Input::AttendeesModified {
                result: Err(("strangers".to_owned(), vec![rest.to_owned()])),
            },
            "update" => Input::UpdateRequested {
                arguments: [("say".to_owned(), "hello".to_owned())].into(),
            },
            "speaks" => Input::SpeechBegan { leg: leg() },
            "said" => Input::Said {
                leg: leg(),
                audio: [7; 160].into(),
            },
            "bot" => {
                let mut words = rest.splitn(3, ' ').skip(1);
                let (what, text) = (words.next().unwrap(), words.next().unwrap_or_default());
                let turn = TurnId(first_number());
                let result = match what {
                    "nothing" => Ok(BotOutcome::NothingSaid),
                    "fail" => Err(Failure::new(ErrorType::from(text), "why")),
                    _ => Ok(BotOutcome::Replied(Box::new(BotReply {
                        messages: vec![BotMessage::PlainText(text.to_owned())],
                        is_over: what == "close",
                        intent: Some("Order".to_owned()),
                        slot: None,
                        attributes: Default::default(),
                        result: serde_json::json!({
                            "SessionState": {"Intent": {"Name": "Order", "State": "Fulfilled"}},
                        }),
                    }))),
                };
                Input::Bot { turn, result }
            }
            "terminate" => Input::Terminate,
            "shutdown" => Input::Shutdown,
            other => panic!("no such step: {other}"),
        };
        self.give(input)
    }

    pub(super) fn last_event(&self) -> serde_json::Value {
        serde_json::to_value(self.events.last().unwrap().as_ref()).unwrap()
    }
}

/// Plays a script: each step with the commands that must follow, no more and no fewer.
pub(super) fn play(steps: &[(&str, &[&str])]) -> Stage {
    play_on(Stage::new(config(), inbound(&[])), steps)
}

pub(super) fn play_on(mut stage: Stage, steps: &[(&str, &[&str])]) -> Stage {
    for (step, expected) in steps {
        let commands = stage.step(step);
        assert_eq!(
            commands, *expected,
            "after {step:?}; notes: {:#?}",
            stage.notes
        );
    }
    stage
}

/// A call that has been answered and waits for a reply, by way of a Speak.
pub(super) const ANSWERED: &[(&str, &[&str])] = &[
    ("call", &["ask 1.1 NEW_INBOUND_CALL"]),
    (
        r#"reply {"Type":"Speak","Parameters":{"Text":"Hello"}}"#,
        &["render 1 Hello"],
    ),
    ("ready 1", &["answer A", "play 2 A speech 1 x1"]),
    ("played 2", &["drop 1", "ask 2.1 ACTION_SUCCESSFUL Speak"]),
];

/// The same, bridged, waiting for a reply.
pub(super) fn bridged() -> Stage {
    let stage = play(ANSWERED);
    play_on(
        stage,
        &[
            (
                BRIDGE,
                &[
                    "dial B b1 +14255550123 from +16075550199 +0 headers",
                    "play 3 A ringing for ever",
                ],
            ),
            (
                "answered B",
                &[
                    "stop-play 3 A",
                    "bridge A B",
                    "ask 3.1 ACTION_SUCCESSFUL CallAndBridge",
                ],
            ),
        ],
    )
}

pub(super) const BRIDGE: &str = r#"reply {"Type":"CallAndBridge","Parameters":{"CallTimeoutSeconds":"20","CallerIdNumber":"+16075550199","Endpoints":[{"BridgeEndpointType":"PSTN","Uri":"+14255550123"}]}}"#;
