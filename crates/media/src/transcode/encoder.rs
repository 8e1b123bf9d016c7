//! Samples, as packets.

use audio_codec::{Encoder as _, g722::G722Encoder};

use super::{ROOM, TranscodeError, half_band::HalfBand};
use crate::{codec::Codec, encoding::Encoding, rtp::MAX_PACKET};

/// Samples of 20 ms at 16 kHz.
const WIDE_FRAME: usize = 320;
/// The most bytes of an Opus packet that are sent: 20 ms at 510 kbit/s.
const OPUS_ROOM: usize = 1_275;

/// How Opus is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusSettings {
    /// 0 (quick) to 10 (good). The default is 5.
    pub complexity: u8,
    /// In bit/s, 6000 to 510000; what the peer wants at most is the caller's to mind. The default is 24000.
    pub bitrate: u32,
    /// Whether packets carry their predecessor again: what the peer's `useinbandfec` allows.
    pub in_band_fec: bool,
    /// The loss in percent that error correction is made for. The default is 10.
    pub expected_loss: u8,
    /// Whether silence is left out: what the peer's `usedtx` allows.
    pub dtx: bool,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self {
            complexity: 5,
            bitrate: 24_000,
            in_band_fec: true,
            expected_loss: 10,
            dtx: false,
        }
    }
}

/// One stream's encoder.
pub(super) enum Encoder {
    G711(Codec),
    /// With what doubles the rate, where 8 kHz come.
    G722(Box<(G722Encoder, Option<HalfBand>)>),
    Opus(Box<OpusFrames>),
}

/// Opus takes frames of certain lengths only: audio waits here until 20 ms are full.
pub(super) struct OpusFrames {
    encoder: opus::Encoder,
    /// Samples of a frame.
    frame: usize,
    /// Ticks of the 48 kHz clock a sample.
    ticks: u32,
    waiting: [i16; WIDE_FRAME],
    len: usize,
    /// Timestamp of the first sample that waits.
    start: u32,
}

impl Encoder {
    pub(super) fn new(
        encoding: Encoding,
        rate: u32,
        settings: OpusSettings,
    ) -> Result<Self, TranscodeError> {
        Ok(match encoding {
            Encoding::Pcmu => Self::G711(Codec::Pcmu),
            Encoding::Pcma => Self::G711(Codec::Pcma),
            Encoding::G722 => Self::G722(Box::new((
                G722Encoder::new(),
                (rate == 8_000).then(HalfBand::default),
            ))),
            Encoding::Opus => Self::Opus(Box::new(
                OpusFrames::new(rate, settings).map_err(|_| TranscodeError::Codec("Opus"))?,
            )),
        })
    }

    /// Takes samples that begin at `timestamp`, and gives the payloads that are full, with their timestamps.
    pub(super) fn push(
        &mut self,
        samples: &[i16],
        timestamp: u32,
        give: &mut impl FnMut(&[u8], u32),
    ) {
        let mut room = [0; MAX_PACKET];
        match self {
            Self::G711(codec) => {
                let len = codec.encode(samples, &mut room);
                give(room.get(..len).unwrap_or_default(), timestamp);
            }
            Self::G722(encoder) => {
                let (encoder, half) = encoder.as_mut();
                let mut doubled = [0; ROOM];
                let wide = match half {
                    Some(half) => {
                        let len = half.double(samples, &mut doubled);
                        doubled.get(..len).unwrap_or_default()
                    }
                    None => samples,
                };
                if let Ok(len) = encoder.encode_into(wide, &mut room) {
                    give(room.get(..len).unwrap_or_default(), timestamp);
                }
            }
            Self::Opus(frames) => frames.push(samples, timestamp, give),
        }
    }

    /// Forgets audio that waits: what follows is not its continuation.
    pub(super) fn drop_rest(&mut self) {
        if let Self::Opus(frames) = self {
            frames.len = 0;
        }
    }
}

impl OpusFrames {
    fn new(rate: u32, settings: OpusSettings) -> opus::Result<Self> {
        let mut encoder = opus::Encoder::new(rate, opus::Channels::Mono, opus::Application::Voip)?;
        encoder.set_complexity(i32::from(settings.complexity.min(10)))?;
        let bitrate = i32::try_from(settings.bitrate.clamp(6_000, 510_000)).unwrap_or(24_000);
        encoder.set_bitrate(opus::Bitrate::Bits(bitrate))?;
        encoder.set_inband_fec(settings.in_band_fec)?;
        encoder.set_packet_loss_perc(i32::from(settings.expected_loss.min(100)))?;
        encoder.set_dtx(settings.dtx)?;
        Ok(Self {
            encoder,
            frame: rate as usize / 50,
            ticks: 48_000 / rate,
            waiting: [0; WIDE_FRAME],
            len: 0,
            start: 0,
        })
    }

    fn push(&mut self, samples: &[i16], timestamp: u32, give: &mut impl FnMut(&[u8], u32)) {
        if self.start.wrapping_add(self.len as u32 * self.ticks) != timestamp {
            self.len = 0;
        }
        if self.len == 0 {
            self.start = timestamp;
        }
        for sample in samples {
            if let Some(place) = self.waiting.get_mut(self.len) {
                *place = *sample;
                self.len += 1;
            }
            if self.len == self.frame {
                self.send(give);
            }
        }
    }

    fn send(&mut self, give: &mut impl FnMut(&[u8], u32)) {
        let mut room = [0; OPUS_ROOM];
        let frame = self.waiting.get(..self.frame).unwrap_or_default();
        if let Ok(len) = self.encoder.encode(frame, &mut room)
            // Up to two bytes: silence that need not be sent.
            && len > 2
        {
            give(room.get(..len).unwrap_or_default(), self.start);
        }
        self.start = self.start.wrapping_add(self.frame as u32 * self.ticks);
        self.len = 0;
    }
}
