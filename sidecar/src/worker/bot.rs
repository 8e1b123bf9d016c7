//! A call that talks to a bot: what it says is heard, and what was said goes to the bot.

use std::sync::Arc;
use std::time::Duration;

use skillcall_media::utterance::{Heard, UtteranceDetector};

use super::call::CallKey;
use super::{Running, ToWorker};
use crate::engine::{BotOutcome, BotTurn, Failure, Input, LegId, TurnId};

impl Running {
    pub(super) fn listen_for_speech(
        &mut self,
        key: CallKey,
        leg: LegId,
        times: Option<(Duration, Duration)>,
    ) {
        if let Some(media) = self.leg_media(key, leg) {
            let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
            media.utterance = times.map(|(end, longest)| {
                Box::new(UtteranceDetector::new(millis(end), millis(longest)))
            });
        }
    }

    /// The leg in a slot has said something, in this tick.
    pub(super) fn hear_utterance(&mut self, slot: usize) {
        let Some(heard) = self.media.get_mut(slot).and_then(|media| {
            let heard = media.heard;
            media.utterance.as_mut()?.push(&heard)
        }) else {
            return;
        };
        let Some(&Some((key, leg))) = self.media_owner.get(slot) else {
            return;
        };
        let input = match heard {
            Heard::Began => Input::SpeechBegan { leg },
            Heard::Ended(audio) => {
                if let Some(media) = self.media.get_mut(slot) {
                    media.utterance = None;
                }
                Input::Said {
                    leg,
                    audio: audio.into(),
                }
            }
        };
        self.input(key, input);
    }

    pub(super) fn ask_bot(&mut self, key: CallKey, turn: TurnId, asked: BotTurn) {
        let (bots, worker) = (Arc::clone(&self.shared.bots), self.handle.clone());
        let task = self.shared.runtime.spawn(async move {
            let result = bots.ask(asked).await;
            worker.send(ToWorker::Bot {
                call: key,
                turn,
                result,
            });
        });
        if let Some(call) = self.call_mut(key) {
            call.talking.insert(turn, task.abort_handle());
        }
    }

    pub(super) fn on_bot(
        &mut self,
        key: CallKey,
        turn: TurnId,
        result: Result<BotOutcome, Failure>,
    ) {
        // Dropped meanwhile.
        if let Some(call) = self.call_mut(key)
            && call.talking.remove(&turn).is_some()
        {
            self.input(key, Input::Bot { turn, result });
        }
    }
}
