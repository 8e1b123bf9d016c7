//! What the phone hears while the device holds: an Echo sends nothing then.

use std::sync::Arc;

use super::super::Running;
use super::super::call::CallKey;
use crate::engine::{LegId, PlayId};

/// The one playback of a call of the gateway's.
const MUSIC: PlayId = PlayId::MUSIC;

impl Running {
    /// Begins the music on hold for the phone, where there is one, or ends it.
    pub(super) fn hold_music(&mut self, key: CallKey, on: bool) {
        let Some(devices) = &self.shared.devices else {
            return;
        };
        let Some(music) = devices.hold_music.as_ref().map(Arc::clone) else {
            return;
        };
        if on {
            self.start_play(key, MUSIC, LegId::A, music, None);
        } else if let Some(media) = self.leg_media(key, LegId::A) {
            media.stop(MUSIC);
        }
    }
}
