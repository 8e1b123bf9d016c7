//! What arrives, as samples.

use audio_codec::{Decoder as _, g722::G722Decoder};

use super::{ROOM, TranscodeError, half_band::HalfBand};
use crate::{codec::Codec, encoding::Encoding, plc::Concealment};

/// One stream's decoder.
pub(super) enum Decoder {
    G711(Codec, Box<Concealment>),
    /// With what halves its rate, where 8 kHz are wanted: the library's own way to 8 kHz gives no audio.
    G722(Box<(G722Decoder, Option<HalfBand>)>),
    Opus(opus::Decoder),
}

impl Decoder {
    pub(super) fn new(encoding: Encoding, rate: u32) -> Result<Self, TranscodeError> {
        Ok(match encoding {
            Encoding::Pcmu => Self::G711(Codec::Pcmu, Box::default()),
            Encoding::Pcma => Self::G711(Codec::Pcma, Box::default()),
            Encoding::G722 => Self::G722(Box::new((
                G722Decoder::new(),
                (rate == 8_000).then(HalfBand::default),
            ))),
            Encoding::Opus => Self::Opus(
                // A stereo packet is mixed down by the library.
                opus::Decoder::new(rate, opus::Channels::Mono)
                    .map_err(|_| TranscodeError::Codec("Opus"))?,
            ),
        })
    }

    /// The samples of a packet, in as much of `room` as they need.
    pub(super) fn decode<'r>(
        &mut self,
        payload: &[u8],
        room: &'r mut [i16],
    ) -> Result<&'r [i16], TranscodeError> {
        let len = match self {
            Self::G711(codec, concealment) => {
                let len = codec.decode(payload, room);
                concealment.good(room.get_mut(..len).unwrap_or_default());
                len
            }
            Self::G722(decoder) => {
                let (decoder, half) = decoder.as_mut();
                let len = decoder
                    .decode_into(payload, room)
                    .map_err(|_| TranscodeError::Payload("G.722 of at most 120 ms"))?;
                match (half, room.get_mut(..len)) {
                    (Some(half), Some(wide)) => half.halve(wide),
                    _ => len,
                }
            }
            // An empty packet is one that was lost, for the library; here it is none at all.
            Self::Opus(_) if payload.is_empty() => return Err(TranscodeError::Payload("Opus")),
            Self::Opus(decoder) => decoder
                .decode(payload, room, false)
                .map_err(|_| TranscodeError::Payload("Opus"))?,
        };
        Ok(room.get(..len).unwrap_or_default())
    }

    /// Fills `room` in place of a lost packet: from the next one, if it is there and carries it, else by a guess that leads to
    /// the next one. False: this decoder cannot.
    pub(super) fn make_up(&mut self, next: Option<&[u8]>, room: &mut [i16]) -> bool {
        match self {
            Self::G711(codec, concealment) => {
                let mut samples = [0; ROOM];
                let len = next.map_or(0, |next| codec.decode(next, &mut samples));
                concealment.lost(room, samples.get(..len).unwrap_or_default());
                true
            }
            Self::G722(_) => false,
            Self::Opus(decoder) => {
                let again = next.is_some_and(|next| decoder.decode(next, room, true).is_ok());
                again || decoder.decode(&[], room, false).is_ok()
            }
        }
    }

    /// What follows does not continue what was heard: nothing of it is blended in.
    pub(super) fn begin_spurt(&mut self) {
        if let Self::G711(_, concealment) = self {
            concealment.silent();
        }
    }
}
