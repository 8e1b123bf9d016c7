//! The turns of a conversation: the bot's, and the caller's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use skillcall_protocol::sma::ErrorType;
use skillcall_protocol::sma::action::{BotDialogAction, Digit, StartBotConversation};

use super::conversation::{Conversation, Phase};
use super::{BotOutcome, BotStart, BotTurn, Said, TurnId};
use crate::engine::call::Call;
use crate::engine::command::{Command, LegId, PlayId, PlaySource, SpeechId};
use crate::engine::input::Failure;
use crate::engine::running::{Origin, Running, Step};
use crate::engine::timers::Timer;

/// Turns in a row in which nobody says anything, after which a conversation has failed (ours; Lex's bots have their own
/// number of retries, which counts what they are given).
const MOST_SILENCES: u32 = 3;
/// How long a caller may take to begin to speak, as at Lex.
const START: Duration = Duration::from_secs(4);
/// How long a caller may take to press the first digit where nothing else counts (ours).
const START_DIGITS: Duration = Duration::from_secs(10);
/// How long digits may lie apart (facts F6).
const GAP: Duration = Duration::from_secs(5);
/// Silence that ends an utterance, as at Lex.
const END: Duration = Duration::from_millis(600);
/// The longest utterance, as at Lex.
const LONGEST: Duration = Duration::from_secs(13);
/// Most digits of an input, as at Lex.
const MOST_DIGITS: usize = 1024;
fn is_locale(locale: &str) -> bool {
    (2..=32).contains(&locale.len())
        && locale
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

impl Call {
    /// A bot talks with leg A. The call is answered when the first message is ready, or with the caller's first turn (facts E4).
    pub(in crate::engine) fn start_bot_conversation(
        &mut self,
        origin: Origin,
        action: StartBotConversation,
    ) {
        let locale = action.locale_id.unwrap_or_else(|| "en_US".to_owned());
        if let Err(failure) = self.may_talk_to_a_bot(&origin, &locale) {
            return self.failed(&origin, &failure);
        }
        let Some(ability) = self.config.bots.get(&action.bot_alias_arn).cloned() else {
            let told = format!(
                "BotAliasArn is {}, which is that of no [[bot]] of the configuration",
                action.bot_alias_arn
            );
            let failure = Failure::new(ErrorType::ResourceNotFound, told);
            return self.failed(&origin, &failure);
        };
        let session = self
            .legs
            .get(origin.leg)
            .map_or_else(String::new, |leg| leg.call_id.to_string());
        let configuration = action.configuration.unwrap_or_default();
        let state = configuration.session_state.unwrap_or_default();
        let dialog_action = state.dialog_action.map(|action| match action {
            BotDialogAction::Delegate => "Delegate",
            BotDialogAction::ElicitIntent => "ElicitIntent",
        });
        let start =
            (dialog_action.is_some() || !state.session_attributes.is_empty()).then(|| BotStart {
                session_attributes: state.session_attributes.clone(),
                dialog_action,
            });
        let conversation = Conversation {
            alias_arn: action.bot_alias_arn,
            locale,
            session,
            ability,
            start,
            attributes: state.session_attributes,
            intent: None,
            slot: None,
            said: configuration.welcome_messages.clone(),
            to_say: configuration.welcome_messages.into(),
            digits: String::new(),
            silences: 0,
            listening: false,
            result: None,
            is_over: false,
            phase: Phase::Listening,
        };
        self.run(origin, Step::Conversing(Box::new(conversation)));
        self.say_next();
    }

    fn may_talk_to_a_bot(&self, origin: &Origin, locale: &str) -> Result<(), Failure> {
        let refused = |told: String| Err(Failure::new(ErrorType::InvalidActionParameter, told));
        if origin.leg != LegId::A {
            return refused(format!(
                "the leg is {}; expected LEG-A, which alone can talk to a bot",
                origin.leg.tag()
            ));
        }
        if self.legs.b.as_ref().is_some_and(|leg| leg.is_alive()) {
            return refused(
                "LEG-B is there, and a bridged call or one in a meeting cannot talk to a bot"
                    .to_owned(),
            );
        }
        if !is_locale(locale) {
            return refused(format!(
                "LocaleId is {locale:?}; expected a locale such as en_US"
            ));
        }
        Ok(())
    }

    fn conversation(&mut self) -> Option<(LegId, &mut Conversation)> {
        match self.running.as_mut() {
            Some(Running {
                origin,
                step: Step::Conversing(conversation),
                ..
            }) => Some((origin.leg, conversation)),
            _ => None,
        }
    }

    /// Says the next message; when all are said it is the caller's turn, or all is over.
    fn say_next(&mut self) {
        let (now, render) = (self.now.instant, self.config.limits.render);
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        if let Some(message) = conversation.to_say.pop_front() {
            let parameters = conversation.speech(message);
            let speech = SpeechId(self.number());
            if let Some((_, conversation)) = self.conversation() {
                conversation.phase = Phase::Rendering(speech);
            }
            self.timers.clear(Timer::Gap);
            self.timers.set(Timer::Step, now + render);
            self.push(Command::Render { speech, parameters });
        } else if conversation.is_over {
            let result = conversation.result.take();
            self.conversed(result);
        } else {
            self.callers_turn();
        }
    }

    fn conversed(&mut self, result: Option<Value>) {
        let Some(running) = self.abort_running() else {
            return;
        };
        let mut data = running.origin.data();
        data.intent_result = result;
        self.succeeded(&running.origin, data);
    }

    /// A message is rendered.
    pub(in crate::engine) fn on_message_ready(&mut self, speech: SpeechId) {
        let Some((leg, conversation)) = self.conversation() else {
            return;
        };
        if conversation.phase != Phase::Rendering(speech) {
            return;
        }
        self.timers.clear(Timer::Step);
        let play = self.play(leg, PlaySource::Speech(speech), Some(1));
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        conversation.phase = Phase::Saying(speech, play);
        if conversation.may_interrupt() {
            self.listen_for_speech();
        }
    }

    /// A message cannot be rendered.
    pub(in crate::engine) fn on_message_failed(&mut self, speech: SpeechId, failure: &Failure) {
        if self
            .conversation()
            .is_some_and(|(_, conversation)| conversation.phase == Phase::Rendering(speech))
        {
            self.running_failed(failure);
        }
    }

    /// A message was said.
    pub(in crate::engine) fn on_message_said(&mut self, play: PlayId) {
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        if let Phase::Saying(speech, mine) = conversation.phase
            && mine == play
        {
            conversation.phase = Phase::Listening;
            self.push(Command::DropSpeech { speech });
            self.say_next();
        }
    }

    /// Somebody speaks or presses a digit into the bot's messages: it is silent then, and listens.
    fn interrupt_bot(&mut self) {
        let Some((leg, conversation)) = self.conversation() else {
            return;
        };
        let (speech, play) = (conversation.speeches(), conversation.playing());
        conversation.phase = Phase::Listening;
        conversation.to_say.clear();
        if let Some(play) = play {
            self.stop_play(leg, play);
        }
        if let Some(speech) = speech {
            self.push(Command::DropSpeech { speech });
        }
    }

    fn callers_turn(&mut self) {
        let now = self.now.instant;
        let Some((leg, conversation)) = self.conversation() else {
            return;
        };
        conversation.phase = Phase::Listening;
        let default = if conversation.ability.hears {
            START
        } else {
            START_DIGITS
        };
        let start = conversation.time(&["audio:start-timeout-ms", "start-timeout-ms"], default);
        self.ensure_answered(leg);
        self.timers.clear(Timer::Gap);
        self.timers.set(Timer::Step, now + start);
        self.listen_for_speech();
    }

    fn listen_for_speech(&mut self) {
        let Some((leg, conversation)) = self.conversation() else {
            return;
        };
        if !conversation.ability.hears || conversation.listening {
            return;
        }
        conversation.listening = true;
        let end = conversation.time(&["audio:end-timeout-ms"], END);
        let longest = conversation.time(&["audio:max-length-ms"], LONGEST);
        self.push(Command::ListenSpeech {
            leg,
            times: Some((end, longest)),
        });
    }

    fn stop_listening_for_speech(&mut self) {
        if let Some((leg, conversation)) = self.conversation()
            && std::mem::take(&mut conversation.listening)
        {
            self.push(Command::ListenSpeech { leg, times: None });
        }
    }

    /// A digit for the bot.
    pub(in crate::engine) fn on_bot_digit(&mut self, digit: Digit) {
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        match conversation.phase {
            Phase::Asking(_) => return,
            Phase::Rendering(_) | Phase::Saying(..) if !conversation.may_interrupt() => return,
            Phase::Rendering(_) | Phase::Saying(..) => self.interrupt_bot(),
            Phase::Listening => {}
        }
        self.stop_listening_for_speech();
        let now = self.now.instant;
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        let digit = digit.as_char();
        if digit == conversation.key("dtmf:end-character", '#') {
            if conversation.digits.is_empty() {
                return self.callers_turn();
            }
            return self.submit_digits();
        }
        if digit == conversation.key("dtmf:deletion-character", '*') {
            conversation.digits.clear();
            return self.callers_turn();
        }
        conversation.digits.push(digit);
        let most = conversation
            .setting(&["dtmf:max-length"])
            .and_then(|value| value.trim().parse().ok())
            .map_or(MOST_DIGITS, |most: usize| most.clamp(1, MOST_DIGITS));
        if conversation.digits.len() >= most {
            return self.submit_digits();
        }
        let gap = conversation.time(&["dtmf:end-timeout-ms"], GAP);
        self.timers.clear(Timer::Step);
        self.timers.set(Timer::Gap, now + gap);
    }

    /// The digits are complete: by a key, by their number, or by time.
    pub(in crate::engine) fn submit_digits(&mut self) {
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        let digits = std::mem::take(&mut conversation.digits);
        if digits.is_empty() {
            self.callers_turn();
        } else {
            self.ask_bot(Said::Text(digits));
        }
    }

    /// Somebody begins to speak.
    pub(in crate::engine) fn on_speech_began(&mut self, leg: LegId) {
        let Some((mine, conversation)) = self.conversation() else {
            return;
        };
        if mine != leg || !conversation.listening {
            return;
        }
        if matches!(conversation.phase, Phase::Rendering(_) | Phase::Saying(..)) {
            if !conversation.may_interrupt() {
                return;
            }
            self.interrupt_bot();
        }
        let now = self.now.instant;
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        // The utterance ends by itself; this is the safety net.
        let longest = conversation.time(&["audio:max-length-ms"], LONGEST);
        self.timers
            .set(Timer::Step, now + longest + Duration::from_secs(2));
    }

    /// Somebody has said something.
    pub(in crate::engine) fn on_said(&mut self, leg: LegId, audio: Arc<[i16]>) {
        let Some((mine, conversation)) = self.conversation() else {
            return;
        };
        if mine == leg && conversation.listening {
            conversation.listening = false;
            if conversation.phase == Phase::Listening && conversation.digits.is_empty() {
                self.ask_bot(Said::Audio(audio));
            }
        }
    }

    fn ask_bot(&mut self, said: Said) {
        self.stop_listening_for_speech();
        let turn = TurnId(self.number());
        let (now, limit) = (self.now.instant, self.config.limits.bot);
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        conversation.phase = Phase::Asking(turn);
        let asked = BotTurn {
            alias_arn: conversation.alias_arn.clone(),
            locale: conversation.locale.clone(),
            session: conversation.session.clone(),
            start: conversation.start.clone(),
            said,
        };
        self.timers.clear(Timer::Gap);
        self.timers.set(Timer::Step, now + limit);
        self.info(format!("the bot is told {:?}", asked.said));
        self.push(Command::AskBot {
            turn,
            asked: Box::new(asked),
        });
    }

    /// The bot has answered, or not.
    pub(in crate::engine) fn on_bot(&mut self, turn: TurnId, result: Result<BotOutcome, Failure>) {
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        if conversation.phase != Phase::Asking(turn) {
            return;
        }
        conversation.phase = Phase::Listening;
        self.timers.clear(Timer::Step);
        let reply = match result {
            Ok(BotOutcome::Replied(reply)) => *reply,
            Ok(BotOutcome::NothingSaid) => return self.nobody_spoke(),
            Err(failure) => return self.running_failed(&failure),
        };
        self.info(format!(
            "the bot replies: intent {}, {} messages{}",
            reply.intent.as_deref().unwrap_or("unknown"),
            reply.messages.len(),
            if reply.is_over { ", and is done" } else { "" }
        ));
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        conversation.start = None;
        conversation.silences = 0;
        conversation.attributes = reply.attributes;
        conversation.intent = reply.intent;
        conversation.slot = reply.slot;
        conversation.is_over = reply.is_over;
        conversation.result = Some(reply.result);
        conversation.said.clone_from(&reply.messages);
        conversation.to_say = reply.messages.into();
        self.say_next();
    }

    /// The time of a conversation's step is over.
    pub(in crate::engine) fn conversation_timed_out(&mut self) {
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        match conversation.phase {
            Phase::Rendering(_) => self.render_timed_out(),
            Phase::Asking(_) => {
                let waited = self.config.limits.bot.as_secs_f64();
                let told = format!("the bot did not answer within {waited} s");
                self.running_failed(&Failure::new(ErrorType::SystemException, told));
            }
            Phase::Listening => {
                self.stop_listening_for_speech();
                self.nobody_spoke();
            }
            Phase::Saying(..) => {}
        }
    }

    /// The last messages are said again; after some silences the conversation has failed.
    fn nobody_spoke(&mut self) {
        let Some((_, conversation)) = self.conversation() else {
            return;
        };
        conversation.silences += 1;
        if conversation.silences >= MOST_SILENCES {
            let result = conversation.failed_result();
            self.info(format!(
                "nobody has said anything {MOST_SILENCES} times; the conversation has failed"
            ));
            return self.conversed(Some(result));
        }
        conversation.to_say = conversation.said.clone().into();
        self.say_next();
    }
}
