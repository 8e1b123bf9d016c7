//! The virtual call: its clock, what is to happen, and what the parties do.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use skillcall_protocol::sma::action::Digit;
use skillcall_protocol::sma::{CallId, Event, ParticipantTag, SipHeaders};

use super::file::{Direction, Setting};
use super::legs::{State, VirtualLeg};
use super::log::{Happened, Heard, Log};
use super::speech::Spoken;
use crate::bucket::Buckets;
use crate::engine::{
    Call, EngineConfig, HandlerOutcome, InboundCall, Input, LegId, Now, OutboundCall, PlayId,
    RecordingEnd, RecordingId, SpeechId,
};
use crate::playback::FilePrompts;

/// The wall clock's beginning, the same for every run: 2026-01-01T00:00:00Z.
const BEGINNING: u64 = 1_767_225_600_000;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Coming {
    PlayOver(LegId, PlayId),
    RecordingOver(LegId, RecordingId, RecordingEnd),
    Rings(LegId),
    Answers(LegId),
    Refuses(LegId, u16),
    HangsUp(LegId),
    Outcome(u32, u32, HandlerOutcome),
}

/// An event that the handler is to be asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) sequence: u32,
    pub(super) attempt: u32,
    pub(super) event: Arc<Event>,
}

/// The virtual call.
pub(super) struct Stage<'a> {
    pub(super) setting: &'a Setting,
    pub(super) prompts: FilePrompts,
    pub(super) call: Call,
    pub(super) now: Now,
    pub(super) began: Instant,
    pub(super) legs: BTreeMap<LegId, VirtualLeg>,
    pub(super) speeches: HashMap<SpeechId, Spoken>,
    pub(super) bridged: Option<LegId>,
    pub(super) log: Log,
    pub(super) asked: Option<Asked>,
    pub(super) inbox: VecDeque<Input>,
    coming: BTreeMap<(Instant, u64), Coming>,
    order: u64,
}

/// Ids that are the same in every run.
fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

impl<'a> Stage<'a> {
    /// The call begins.
    pub(super) fn new(setting: &'a Setting, folder: &std::path::Path) -> Self {
        let now = Now {
            instant: Instant::now(),
            unix_millis: BEGINNING,
        };
        let application = &setting.application;
        let config = Arc::new(EngineConfig {
            aws_account_id: application.account.clone(),
            aws_region: application.region.clone(),
            sip_rule_id: Some(application.rule.clone()),
            sip_media_application_id: application.id.clone(),
            own_numbers: application.numbers.clone(),
            ..EngineConfig::default()
        });
        let mut next = 1;
        let ids = Box::new(move || {
            next += 1;
            CallId::new(id(next))
        });
        let plan = &setting.call;
        let (transaction_id, call_id) = (id(0).as_str().into(), CallId::new(id(1)));
        let headers: SipHeaders = plan
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let (to, from) = (plan.to.clone(), plan.from.clone());
        let call = match plan.direction {
            Direction::Inbound => {
                let call = InboundCall {
                    transaction_id,
                    call_id,
                    to,
                    from,
                    headers,
                };
                Call::inbound(config, call, ids, now)
            }
            Direction::Outbound => {
                let call = OutboundCall {
                    transaction_id,
                    call_id,
                    to,
                    from,
                    headers,
                    arguments: plan.arguments.clone(),
                };
                Call::outbound(config, call, ids, now)
            }
        };
        let buckets = setting
            .buckets
            .iter()
            .map(|(name, path)| (name.clone(), folder.join(path)));
        let mut stage = Self {
            setting,
            prompts: FilePrompts::new(Arc::new(Buckets::new(buckets))),
            call,
            now,
            began: now.instant,
            legs: BTreeMap::new(),
            speeches: HashMap::new(),
            bridged: None,
            log: Log::default(),
            asked: None,
            inbox: VecDeque::new(),
            coming: BTreeMap::new(),
            order: 0,
        };
        if plan.direction == Direction::Inbound {
            stage.legs.insert(LegId::A, VirtualLeg::new(None));
        }
        stage.drain();
        stage
    }

    /// How far the call is.
    pub(super) fn elapsed(&self) -> Duration {
        self.now.instant.saturating_duration_since(self.began)
    }

    pub(super) fn note(&mut self, leg: Option<LegId>, what: Happened) {
        self.log.push(self.elapsed(), leg, what);
    }

    /// Something is to happen after a while.
    pub(super) fn later(&mut self, after: Duration, coming: Coming) {
        self.order += 1;
        self.coming
            .insert((self.now.instant + after, self.order), coming);
    }

    /// Tells the engine, and does what it wants.
    pub(super) fn give(&mut self, input: Input) {
        self.call.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            while let Some(command) = self.call.poll() {
                self.carry_out(command);
            }
            let Some(input) = self.inbox.pop_front() else {
                break;
            };
            self.call.handle(input, self.now);
        }
    }

    /// Lets the next thing happen, if it comes until then; says whether one did. Else the time is then.
    pub(super) fn advance(&mut self, until: Instant) -> bool {
        let coming = self.coming.keys().next().map(|(at, _)| *at);
        let deadline = self.call.deadline();
        let next = [coming, deadline].into_iter().flatten().min();
        let Some(at) = next.filter(|at| *at <= until && !self.call.is_over()) else {
            self.set_clock(until);
            return false;
        };
        self.set_clock(at);
        match self
            .coming
            .first_entry()
            .filter(|entry| entry.key().0 <= at)
        {
            Some(entry) => {
                let coming = entry.remove();
                self.happens(coming);
            }
            None => {
                self.call.handle_timeout(self.now);
                self.drain();
            }
        }
        true
    }

    fn set_clock(&mut self, to: Instant) {
        let passed = to.saturating_duration_since(self.now.instant);
        self.now.instant += passed;
        let since = self.now.instant.saturating_duration_since(self.began);
        self.now.unix_millis =
            BEGINNING + u64::try_from(since.as_millis()).unwrap_or(u64::MAX - BEGINNING);
    }

    fn happens(&mut self, coming: Coming) {
        match coming {
            Coming::PlayOver(leg, play) => {
                let is_playing = |leg: &&mut VirtualLeg| leg.playing == Some(play);
                if let Some(playing) = self.legs.get_mut(&leg).filter(is_playing) {
                    playing.playing = None;
                    self.note(Some(leg), Happened::PlayedWhole(play));
                    self.give(Input::PlayEnded { play });
                }
            }
            Coming::RecordingOver(leg, recording, end) => {
                self.recording_may_end(leg, recording, end);
            }
            Coming::Rings(leg) if self.state(leg) == Some(State::Ringing) => {
                self.give(Input::Ringing { leg });
            }
            Coming::Answers(leg) if self.state(leg) == Some(State::Ringing) => {
                if let Some(answering) = self.legs.get_mut(&leg) {
                    answering.state = State::Connected;
                    let party = answering.party.as_ref();
                    if let Some(span) = party.and_then(|party| party.hangs_up_after) {
                        self.later(span.0, Coming::HangsUp(leg));
                    }
                }
                self.note(Some(leg), Happened::Answered);
                self.give(Input::Answered { leg });
            }
            Coming::Refuses(leg, status) if self.state(leg) == Some(State::Ringing) => {
                self.refused(leg, status);
            }
            Coming::HangsUp(leg) => {
                // It may have ended before.
                let _ = self.hang_up(leg);
            }
            Coming::Outcome(sequence, attempt, outcome) => self.give(Input::Handler {
                sequence,
                attempt,
                outcome,
            }),
            Coming::Rings(_) | Coming::Answers(_) | Coming::Refuses(..) => {}
        }
    }

    pub(super) fn refused(&mut self, leg: LegId, status: u16) {
        if let Some(refusing) = self.legs.get_mut(&leg) {
            refusing.state = State::Gone;
        }
        self.note(Some(leg), Happened::Refused(status));
        let reason = "refused".to_owned();
        self.inbox.push_back(Input::Refused {
            leg,
            status,
            reason,
        });
        self.drain();
    }

    pub(super) fn state(&self, leg: LegId) -> Option<State> {
        self.legs.get(&leg).map(|leg| leg.state)
    }

    /// The leg of a role: leg A, or the latest leg B.
    pub(super) fn leg(&self, tag: &ParticipantTag) -> Option<LegId> {
        match tag {
            ParticipantTag::LegA => self.legs.contains_key(&LegId::A).then_some(LegId::A),
            _ => self
                .legs
                .keys()
                .rev()
                .find(|leg| **leg != LegId::A)
                .copied(),
        }
    }

    /// A party hangs up, or the caller gives up before the answer.
    pub(super) fn hang_up(&mut self, leg: LegId) -> Result<(), String> {
        let input = match self.state(leg) {
            Some(State::Connected) => Input::HungUp { leg, code: 0 },
            Some(State::Ringing)
                if leg == LegId::A && self.setting.call.direction == Direction::Inbound =>
            {
                Input::Cancelled { leg }
            }
            Some(State::Ringing) => return Err(format!("{leg} has not answered")),
            _ => return Err(format!("{leg} has ended already")),
        };
        self.note(Some(leg), Happened::HangsUp);
        self.leg_is_gone(leg);
        self.give(input);
        Ok(())
    }

    /// A party presses a key.
    pub(super) fn press(&mut self, leg: LegId, digit: Digit) -> Result<(), String> {
        self.must_be_connected(leg, "press a key")?;
        self.note(Some(leg), Happened::Presses(digit));
        self.give(Input::Digit { leg, digit });
        Ok(())
    }

    /// A party begins to speak; says how long it does.
    pub(super) fn say(&mut self, leg: LegId, words: &str) -> Result<Duration, String> {
        self.must_be_connected(leg, "speak")?;
        let length = self.setting.spoken_for(words);
        self.note(Some(leg), Happened::Says(words.to_owned()));
        let until = self.now.instant + length;
        if let Some(speaking) = self.legs.get_mut(&leg) {
            speaking.voice_until = Some(until);
            speaking.record(words, false);
        }
        let other = match self.bridged {
            Some(b) if leg == LegId::A => Some(b),
            Some(b) if leg == b => Some(LegId::A),
            _ => None,
        };
        if let Some(other) = other {
            if let Some(hearing) = self.legs.get_mut(&other) {
                hearing.record(words, true);
            }
            let heard = Heard::Words(words.to_owned());
            self.note(Some(other), Happened::Hears { play: None, heard });
        }
        Ok(length)
    }

    /// Somebody updates the call.
    pub(super) fn update(&mut self, arguments: BTreeMap<String, String>) {
        self.note(None, Happened::Updates(json!(arguments)));
        self.give(Input::UpdateRequested { arguments });
    }

    fn must_be_connected(&self, leg: LegId, to: &str) -> Result<(), String> {
        match self.state(leg) {
            Some(State::Connected) => Ok(()),
            Some(State::Ringing) => Err(format!("{leg} cannot {to}: it is not answered")),
            _ => Err(format!("{leg} cannot {to}: it has ended")),
        }
    }
}
