//! What is heard of a leg: its digits, its voice without noise, as long as somebody listens.

use skillcall_media::dtmf::Digit;

use super::LegMedia;
use crate::recording::Tap;

impl LegMedia {
    /// Whether somebody wants the leg's digits: those in the audio count when the peer has agreed on no telephone events.
    pub(crate) fn want_digits(&mut self, on: bool) {
        self.tones = on.then(Box::default);
    }

    /// Whether the peer has agreed on no telephone events.
    pub(crate) fn has_digits_in_audio(&self) -> bool {
        self.agreed && self.session.format().events.is_none()
    }

    /// VoiceFocus, on or off.
    pub(crate) fn set_focus(&mut self, on: bool) {
        if !on {
            self.focus = None;
        } else if self.focus.is_none() {
            self.focus = Some(Box::default());
        }
    }

    /// Hears what the peer said in this tick, into `heard`, without its noise while VoiceFocus is on. Gives a digit that
    /// was in it.
    pub(crate) fn hear(&mut self) -> Option<Digit> {
        if !self.session.is_listening() {
            return None;
        }
        self.session.hear(&mut self.heard);
        let in_audio = self.has_digits_in_audio();
        let digit = self
            .tones
            .as_mut()
            .filter(|_| in_audio)
            .and_then(|tones| tones.push(&self.heard));
        if let Some(focus) = &mut self.focus {
            focus.clean(&mut self.heard);
        }
        digit
    }

    /// Listens exactly while a recording, VoiceFocus or somebody who wants digits needs what the peer says.
    pub(crate) fn settle_listening(&mut self, wanted_by_other: bool) {
        let wanted = wanted_by_other
            || self.focus.is_some()
            || self.seat.is_some()
            || self.utterance.is_some()
            || (self.tones.is_some() && self.has_digits_in_audio())
            || self.recording.is_some()
            || self
                .call_recording
                .as_ref()
                .is_some_and(Tap::wants_incoming);
        if wanted != self.session.is_listening() {
            self.session.listen(wanted);
        }
    }
}
