//! ReceiveDigits (facts F6): a listener on a leg, armed until it is replaced or the leg ends.

use regex_lite::Regex;
use serde_json::{Map, Value};
use skillcall_protocol::sma::action::{Digit, MAX_DIGITS, ReceiveDigits};
use skillcall_protocol::sma::{ActionData, InvocationEventType};
use std::time::Duration;

use super::call::Call;
use super::command::LegId;
use super::digits::compile;
use super::handler::ReplyUse;
use super::running::{Origin, Step};
use super::timers::Timer;

/// An armed listener.
#[derive(Debug)]
pub(super) struct Listener {
    regex: Regex,
    gap: Duration,
    flush: Duration,
    digits: String,
    echo: Map<String, Value>,
}

impl Call {
    /// Arms the listener; the action is done at once, with no digits. Digits need media, so an unanswered call is
    /// answered (our choice: facts E4 names media actions only).
    pub(super) fn start_receive_digits(&mut self, origin: Origin, action: &ReceiveDigits) {
        let regex = match compile(&action.input_digits_regex) {
            Ok(regex) => regex,
            Err(failure) => return self.failed(&origin, &failure),
        };
        self.ensure_answered(origin.leg);
        self.disarm(origin.leg);
        let listener = Listener {
            regex,
            gap: Duration::from_millis(action.in_between_digits_duration_in_milliseconds.into()),
            flush: Duration::from_millis(action.flush_digits_duration_in_milliseconds.into()),
            digits: String::new(),
            echo: origin.echo.clone(),
        };
        self.listeners.insert(origin.leg, listener);
        let mut data = origin.data();
        data.received_digits = Some(String::new());
        self.succeeded(&origin, data);
    }

    pub(super) fn disarm(&mut self, leg: LegId) {
        self.listeners.remove(&leg);
        self.timers.clear(Timer::ListenerGap(leg));
        self.timers.clear(Timer::ListenerFlush(leg));
    }

    /// A digit came: the running action may want it, else the listener, else nobody (facts F6: it is discarded).
    pub(super) fn on_digit(&mut self, leg: LegId, digit: Digit) {
        if !self.legs.is_connected(leg) {
            return;
        }
        if let Some(running) = self
            .running
            .as_ref()
            .filter(|running| running.origin.leg == leg)
        {
            match &running.step {
                Step::GettingDigits(_) => return self.on_wanted_digit(digit),
                Step::Conversing(_) => return self.on_bot_digit(digit),
                Step::Playing { play, terminators } if terminators.contains(digit) => {
                    let play = *play;
                    self.stop_play(leg, play);
                    return self.play_done();
                }
                Step::Recording { terminators, .. } if terminators.contains(digit) => {
                    return self.end_recording(digit);
                }
                _ => {}
            }
        }
        self.listen(leg, digit);
    }

    fn listen(&mut self, leg: LegId, digit: Digit) {
        let now = self.now.instant;
        let Some(listener) = self.listeners.get_mut(&leg) else {
            return;
        };
        if listener.digits.is_empty() {
            self.timers
                .set(Timer::ListenerFlush(leg), now + listener.flush);
        }
        listener.digits.push(digit.as_char());
        self.timers.set(Timer::ListenerGap(leg), now + listener.gap);
        if listener.digits.len() >= MAX_DIGITS as usize {
            self.flush(leg);
        }
    }

    /// The time between digits has passed: digits that match go to the handler, others wait for more.
    pub(super) fn on_listener_gap(&mut self, leg: LegId) {
        let matches = |listener: &Listener| listener.regex.is_match(&listener.digits);
        if self.listeners.get(&leg).is_some_and(matches) {
            self.flush(leg);
        }
    }

    /// The digits go to the handler, whatever they are.
    pub(super) fn flush(&mut self, leg: LegId) {
        self.timers.clear(Timer::ListenerGap(leg));
        self.timers.clear(Timer::ListenerFlush(leg));
        let Some(listener) = self.listeners.get_mut(&leg) else {
            return;
        };
        let mut data = ActionData::new("ReceiveDigits", listener.echo.clone());
        data.received_digits = Some(std::mem::take(&mut listener.digits));
        self.report(
            InvocationEventType::DigitsReceived,
            Some(data),
            ReplyUse::Actions,
            leg,
        );
    }
}
