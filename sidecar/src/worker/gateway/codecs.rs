//! What the phone's side of a call may speak.

use skillcall_media::encoding::Encoding;
use skillcall_sip::sdp::Codec;

use super::super::Running;
use super::super::call::CallKey;
use crate::engine::LegId;
use crate::leg::codec;

/// What calls of applications speak: prompts are encoded for it once, and recordings heard without decoding.
pub(in crate::worker) const G711: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

impl Running {
    /// What a phone of this call may speak, best first.
    pub(in crate::worker) fn codecs_of(&self, key: CallKey) -> Vec<Codec> {
        let call = self.call(key);
        if call.is_none_or(|call| call.engine.as_gateway().is_none()) {
            return G711.to_vec();
        }
        let slot = self.media_slot(key, LegId::B);
        let device = slot.and_then(|slot| self.media.get(slot)?.device()?.encoding());
        self.phone_codecs(device)
    }

    /// What phones of the gateway may speak, best first: what the device speaks already passes unchanged.
    pub(super) fn phone_codecs(&self, device: Option<Encoding>) -> Vec<Codec> {
        let Some(settings) = &self.shared.devices else {
            return G711.to_vec();
        };
        let mut codecs = settings.codecs.clone();
        codecs.sort_by_key(|codec| Some(*codec) != device);
        codecs.into_iter().map(codec).collect()
    }
}
