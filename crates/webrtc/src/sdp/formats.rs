//! What the audio line agrees on: codec, payload types, telephone events, Opus' parameters.

use skillcall_media::{encoding::Encoding, rtp::PayloadType};

use super::Direction;

/// What we can do on the audio line.
#[derive(Clone, Debug)]
pub(crate) struct Capabilities {
    /// The one we like most first: it decides in answers.
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) events: bool,
    pub(crate) packet_time_ms: u32,
    pub(crate) opus: OpusParameters,
}

/// What offer and answer agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio {
    /// The codec.
    pub encoding: Encoding,
    /// The payload type that we send.
    pub send: PayloadType,
    /// The payload type that we receive.
    pub receive: PayloadType,
    /// Telephone events, if both sides have them. Alexa offers none (facts G9).
    pub events: Option<Events>,
    /// Audio of a packet that we send, in milliseconds, 10 to 60.
    pub packet_time_ms: u32,
    /// What we do now.
    pub direction: Direction,
    /// What the peer says that it does: `sendonly` and `inactive` put us on hold.
    pub remote_direction: Direction,
    /// What the peer wants to receive of Opus.
    pub opus: OpusParameters,
}

impl Audio {
    /// Whether the peer has put us on hold. `c=0.0.0.0` is no hold where ICE carries the media (facts G9).
    pub const fn is_held(&self) -> bool {
        !self.remote_direction.receives()
    }

    /// Whether packets look different than under `other`.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        let wire = |audio: &Self| (audio.encoding, audio.send, audio.receive, audio.events);
        wire(self) != wire(other)
    }
}

/// Telephone events (RFC 4733 §2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// The payload type that we send.
    pub send: PayloadType,
    /// The payload type that we receive.
    pub receive: PayloadType,
    /// The clock in Hz; durations count in it. It is the codec's (RFC 4733 §2.1).
    pub clock: u32,
}

/// What one side wants to receive of Opus (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusParameters {
    /// `useinbandfec`: packets may carry their predecessor again.
    pub in_band_fec: bool,
    /// `usedtx`: nothing needs to be sent in silence.
    pub dtx: bool,
    /// `stereo`: two channels are played.
    pub stereo: bool,
    /// `maxplaybackrate` in Hz: more is not heard. 8000 to 48000.
    pub max_playback_rate: u32,
    /// `maxaveragebitrate` in bit/s; `None`: as the sender likes.
    pub max_average_bitrate: Option<u32>,
}

impl Default for OpusParameters {
    /// What RFC 7587 §6.1 has where nothing is written, but with error correction, which costs a sender nothing.
    fn default() -> Self {
        Self {
            in_band_fec: true,
            ..Self::UNSAID
        }
    }
}

impl OpusParameters {
    /// What holds where nothing is written (RFC 7587 §6.1).
    const UNSAID: Self = Self {
        in_band_fec: false,
        dtx: false,
        stereo: false,
        max_playback_rate: 48_000,
        max_average_bitrate: None,
    };

    /// Reads an `a=fmtp` value behind the payload type; what is unknown or absurd counts as unsaid.
    pub(super) fn parse(value: &str) -> Self {
        let mut parameters = Self::UNSAID;
        for part in value.split(';') {
            let Some((name, value)) = part.split_once('=') else {
                continue;
            };
            let number = value.trim().parse::<u32>().ok();
            match (name.trim().to_ascii_lowercase().as_str(), number) {
                ("useinbandfec", Some(flag)) => parameters.in_band_fec = flag == 1,
                ("usedtx", Some(flag)) => parameters.dtx = flag == 1,
                ("stereo", Some(flag)) => parameters.stereo = flag == 1,
                ("maxplaybackrate", Some(rate)) => {
                    parameters.max_playback_rate = rate.clamp(8_000, 48_000);
                }
                ("maxaveragebitrate", Some(rate)) => {
                    parameters.max_average_bitrate = Some(rate.clamp(6_000, 510_000));
                }
                _ => {}
            }
        }
        parameters
    }

    /// Writes the value of `a=fmtp` behind the payload type.
    pub(super) fn write(&self) -> String {
        let mut parts = vec!["minptime=10".to_owned()];
        let flag = |name: &str, on: bool| on.then(|| format!("{name}=1"));
        parts.extend(flag("useinbandfec", self.in_band_fec));
        parts.extend(flag("usedtx", self.dtx));
        parts.extend(flag("stereo", self.stereo));
        if self.max_playback_rate != Self::UNSAID.max_playback_rate {
            parts.push(format!("maxplaybackrate={}", self.max_playback_rate));
        }
        parts.extend(
            self.max_average_bitrate
                .map(|rate| format!("maxaveragebitrate={rate}")),
        );
        parts.join(";")
    }
}

/// One payload type of an audio line, as the line defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) number: PayloadType,
    pub(super) kind: Kind,
    pub(super) parameters: String,
}

/// What a payload type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio(Encoding),
    Events {
        clock: u32,
    },
    /// Video of this mode and profile.
    Video(u8, skillcall_video::Profile),
    /// Comfort noise, retransmissions, codecs that we do not have: its `a=rtpmap`.
    Other(String),
}

impl Kind {
    pub(super) fn from_rtpmap(value: &str) -> Self {
        if let Some(encoding) = Encoding::from_rtpmap(value) {
            return Self::Audio(encoding);
        }
        if let Some((name, clock)) = value.trim().split_once('/')
            && name.eq_ignore_ascii_case("telephone-event")
            && let Ok(clock) = clock.split('/').next().unwrap_or(clock).parse()
        {
            return Self::Events { clock };
        }
        Self::Other(value.trim().to_ascii_lowercase())
    }

    pub(super) fn rtpmap(&self) -> String {
        match self {
            Self::Audio(encoding) => encoding.rtpmap(),
            Self::Events { clock } => format!("telephone-event/{clock}"),
            Self::Video(..) => skillcall_video::Format::ENCODING.to_owned(),
            Self::Other(text) => text.clone(),
        }
    }
}
