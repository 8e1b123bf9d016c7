//! One session's offers and answers, from its first to its last.

mod keys;
mod video;

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use skillcall_video::Terms;

use super::crypto::CryptoLine;
use super::numbers::{Meaning, Numbers};
use super::remote::{Format, MediaLine, Remote};
use super::video::{VideoLine, VideoPlace};
use super::{Capabilities, Codec, Direction, Negotiated, OpusWish, SdpError, TelephoneEvent};

/// Packet times that we send with, in ms.
const PTIMES: std::ops::RangeInclusive<u32> = 10..=60;

/// Our side of one session (RFC 3264): makes offers, answers offers, reads answers.
///
/// All our descriptions carry one session id; the version rises by one whenever the text changes and stays when it does
/// not (RFC 3264 §8). Media lines keep their number and order for good: what we cannot do stays at port 0.
#[derive(Debug, Clone)]
pub struct MediaSession {
    capabilities: Capabilities,
    id: u64,
    version: u64,
    /// The last description behind its `o=` line.
    last: String,
    /// The media lines agreed on; empty before the first exchange.
    lines: Vec<MediaLine>,
    /// Which of them is ours.
    audio: usize,
    offered: bool,
    negotiated: Option<Negotiated>,
    numbers: Numbers,
    /// Where video is received; none: it is refused.
    place: Option<VideoPlace>,
    /// What is said of video from the next description on.
    terms: Option<Terms>,
    video_numbers: Numbers,
    /// Video of our open offer.
    offered_video: Option<VideoLine>,
}

impl MediaSession {
    /// A session that nothing was said in yet. `id` is the session id of `o=`: any number, best a random one below 2^63.
    pub fn new(capabilities: Capabilities, id: u64) -> Self {
        Self {
            capabilities,
            id,
            version: id,
            last: String::new(),
            lines: Vec::new(),
            audio: 0,
            offered: false,
            negotiated: None,
            numbers: Numbers::default(),
            place: None,
            terms: None,
            video_numbers: Numbers::default(),
            offered_video: None,
        }
    }

    /// What we can do.
    pub const fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What was agreed on last.
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Says what we want to do from the next offer or answer on: `SendOnly` puts the peer on hold.
    pub const fn set_direction(&mut self, direction: Direction) {
        self.capabilities.direction = direction;
    }

    /// Goes on counting versions where `later` has come to: a description that was sent and refused was sent all the
    /// same, and the next one must not carry its number with another text (RFC 3264 §8).
    pub(crate) fn continue_versions(&mut self, later: &Self) {
        self.version = later.version;
        self.last.clone_from(&later.last);
    }

    /// Makes an offer with all our codecs (RFC 3264 §5, §8). An agreed codec comes first and payload numbers stay.
    pub fn offer(&mut self) -> Bytes {
        let agreed = self.negotiated.as_ref();
        let mut codecs = self.capabilities.codecs.clone();
        if let Some(agreed) = agreed {
            // It was agreed on, so it may be offered, whatever the order is.
            codecs.retain(|codec| *codec != agreed.codec);
            codecs.insert(0, agreed.codec);
        }
        let clock_first = agreed
            .and_then(|agreed| agreed.telephone_event)
            .map(|event| event.clock);
        let mut formats: Vec<(u8, Codec)> = Vec::new();
        for codec in codecs {
            let number = self.numbers.of(Meaning::Audio(codec), codec.payload());
            formats.extend(number.map(|number| (number, codec)));
        }
        let mut events: Vec<(u8, u32)> = Vec::new();
        if let Some(wanted) = self.capabilities.telephone_event {
            let clocks = formats.iter().map(|(_, codec)| codec.clock());
            for clock in clock_first.into_iter().chain(clocks) {
                if !events.iter().any(|(_, known)| *known == clock) {
                    let number = self.numbers.of(Meaning::Event(clock), wanted);
                    events.extend(number.map(|number| (number, clock)));
                }
            }
        }
        if self.lines.is_empty() {
            self.lines.push(MediaLine {
                kind: "audio".into(),
                proto: self.own_proto().into(),
                formats: String::new(),
            });
            self.audio = 0;
        }
        self.offered = true;
        let crypto = self.offered_crypto();
        let video = self.video_offer();
        self.offered_video.clone_from(&video);
        let direction = self.capabilities.direction;
        self.describe(&formats, &events, direction, &crypto, video.as_ref())
    }

    /// Answers an offer (RFC 3264 §6): the first of its codecs that we have, under the offer's payload numbers, and
    /// telephone events if it has them. Media lines but the first audio line over RTP/AVP are refused with port 0.
    ///
    /// # Errors
    /// See [`SdpError`]; [`SdpError::status`] is the response that fits. The session stays as it was.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, Negotiated), SdpError> {
        let remote = Remote::parse(offer, &self.capabilities.srtp)?;
        let (payload, codec, opus) = self.choose(&remote)?;
        let event =
            remote_event(&remote, codec).filter(|_| self.capabilities.telephone_event.is_some());
        let direction = self.capabilities.direction.against(remote.audio.direction);
        let negotiated = Negotiated {
            remote: remote.audio.remote,
            rtcp: remote.audio.rtcp,
            codec,
            send_payload: payload,
            receive_payload: payload,
            opus,
            telephone_event: event.map(|(payload, clock)| TelephoneEvent {
                send_payload: payload,
                receive_payload: payload,
                clock,
            }),
            ptime: self.ptime(&remote),
            direction,
            held: is_hold(&remote),
            srtp: self.agreed_keys(&remote.audio.crypto),
            video: None,
            video_of_peer: remote.video.as_ref().map(|video| video.terms()),
        };
        let (video, video_line) = self
            .answered_video(&remote, negotiated.srtp.is_some())
            .unzip();
        let negotiated = Negotiated {
            video,
            ..negotiated
        };
        let crypto: Vec<CryptoLine> = negotiated
            .srtp
            .iter()
            .map(|srtp| CryptoLine {
                tag: srtp.tag,
                key: srtp.send.clone(),
            })
            .collect();
        self.audio = remote.audio.index;
        self.lines = remote.lines;
        self.offered = false;
        self.offered_video = None;
        self.numbers.note(payload, Meaning::Audio(codec));
        if let Some((payload, clock)) = event {
            self.numbers.note(payload, Meaning::Event(clock));
        }
        let events: Vec<(u8, u32)> = event.into_iter().collect();
        let formats = [(payload, codec)];
        let answer = self.describe(&formats, &events, direction, &crypto, video_line.as_ref());
        self.negotiated = Some(negotiated.clone());
        Ok((answer, negotiated))
    }

    /// Reads the answer to our last offer (RFC 3264 §7).
    ///
    /// # Errors
    /// See [`SdpError`]; the session stays as it was.
    pub fn accept_answer(&mut self, answer: &[u8]) -> Result<Negotiated, SdpError> {
        if !self.offered {
            return Err(SdpError::NoOffer);
        }
        let remote = Remote::parse(answer, &self.capabilities.srtp)?;
        // Some phones leave a video line out that they do not know; what they say of the voice counts all the same.
        let short = self.offered_video.is_some() && remote.lines.len() < self.lines.len();
        if remote.lines.len() != self.lines.len() && !short {
            return Err(SdpError::MediaCount {
                found: remote.lines.len(),
                expected: self.lines.len(),
            });
        }
        if remote.audio.index != self.audio {
            return Err(SdpError::NoAudio);
        }
        let srtp = self.answered_keys(&remote)?;
        let (payload, codec, opus) = self.choose(&remote)?;
        let receive = self.numbers.of(Meaning::Audio(codec), codec.payload());
        let receive = receive.unwrap_or(payload);
        let event = remote_event(&remote, codec)
            .zip(self.capabilities.telephone_event)
            .and_then(|((send_payload, clock), wanted)| {
                Some(TelephoneEvent {
                    send_payload,
                    receive_payload: self.numbers.of(Meaning::Event(clock), wanted)?,
                    clock,
                })
            });
        let video = self.video_of_answer(&remote, srtp.is_some());
        let negotiated = Negotiated {
            remote: remote.audio.remote,
            rtcp: remote.audio.rtcp,
            codec,
            send_payload: payload,
            receive_payload: receive,
            opus,
            telephone_event: event,
            ptime: self.ptime(&remote),
            direction: self.capabilities.direction.against(remote.audio.direction),
            held: is_hold(&remote),
            video_of_peer: video
                .as_ref()
                .and(remote.video.as_ref())
                .map(|video| video.terms()),
            video,
            srtp,
        };
        self.offered_video = None;
        self.offered = false;
        self.negotiated = Some(negotiated.clone());
        Ok(negotiated)
    }

    fn choose(&self, remote: &Remote) -> Result<(u8, Codec, OpusWish), SdpError> {
        let found = remote.audio.formats.iter().find_map(|format| match format {
            Format::Audio {
                payload,
                codec,
                opus,
            } if self.capabilities.codecs.contains(codec) => Some((*payload, *codec, *opus)),
            _ => None,
        });
        found.ok_or_else(|| SdpError::NoCodec {
            offered: remote
                .lines
                .get(remote.audio.index)
                .map(|line| line.formats.clone())
                .unwrap_or_default(),
            expected: self
                .capabilities
                .codecs
                .iter()
                .map(|codec| codec.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// What the peer asks for, and no more than it can take (RFC 8866 §6.4, §6.5).
    fn ptime(&self, remote: &Remote) -> u32 {
        remote
            .audio
            .ptime
            .unwrap_or(self.capabilities.ptime)
            .min(remote.audio.max_ptime.unwrap_or(u32::MAX))
            .clamp(*PTIMES.start(), *PTIMES.end())
            / 10
            * 10
    }

    fn describe(
        &mut self,
        formats: &[(u8, Codec)],
        events: &[(u8, u32)],
        direction: Direction,
        crypto: &[CryptoLine],
        video: Option<&VideoLine>,
    ) -> Bytes {
        let Capabilities {
            address,
            port,
            ptime,
            ..
        } = &self.capabilities;
        let kind = network(*address);
        let mut text = format!("s=-\r\nc=IN {kind} {address}\r\nt=0 0\r\n");
        for (index, line) in self.lines.iter().enumerate() {
            let MediaLine {
                kind,
                proto,
                formats: old,
            } = line;
            if let Some(video) = video.filter(|video| video.index == index) {
                video.write(&mut text, line);
                continue;
            }
            // Writing to a String cannot fail.
            if index != self.audio {
                let _ = write!(text, "m={kind} 0 {proto} {old}\r\n");
                continue;
            }
            let _ = write!(text, "m=audio {port} {proto}");

            for (payload, _) in formats {
                let _ = write!(text, " {payload}");
            }
            for (payload, _) in events {
                let _ = write!(text, " {payload}");
            }
            text.push_str("\r\n");
            for (payload, codec) in formats {
                let _ = write!(text, "a=rtpmap:{payload} {}\r\n", codec.encoding());
                if *codec == Codec::Opus {
                    let _ = write!(text, "a=fmtp:{payload} {}\r\n", OpusWish::OURS);
                }
            }
            for (payload, clock) in events {
                let _ = write!(
                    text,
                    "a=rtpmap:{payload} telephone-event/{clock}\r\na=fmtp:{payload} 0-16\r\n"
                );
            }
            for line in crypto {
                let _ = write!(text, "a=crypto:{line}\r\n");
            }
            let _ = write!(text, "a=ptime:{ptime}\r\na={direction}\r\n");
        }
        if self.last != text {
            if !self.last.is_empty() {
                self.version = self.version.wrapping_add(1);
            }
            self.last = text;
        }
        let origin = format!(
            "v=0\r\no=- {} {} IN {kind} {address}\r\n",
            self.id, self.version
        );
        Bytes::from(origin + &self.last)
    }
}

const fn network(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

/// The telephone event with the audio's clock, or else the first (RFC 4733 §2.1).
fn remote_event(remote: &Remote, codec: Codec) -> Option<(u8, u32)> {
    let events = || {
        remote
            .audio
            .formats
            .iter()
            .filter_map(|format| match format {
                Format::Event { payload, clock } => Some((*payload, *clock)),
                Format::Audio { .. } => None,
            })
    };
    events()
        .find(|(_, clock)| *clock == codec.clock())
        .or_else(|| events().next())
}

/// The peer does not want to hear us (RFC 3264 §8.4).
const fn is_hold(remote: &Remote) -> bool {
    !remote.audio.direction.receives()
}

/// Where the session receives, for those who have to open sockets.
impl From<&Capabilities> for SocketAddr {
    fn from(capabilities: &Capabilities) -> Self {
        Self::new(capabilities.address, capabilities.port)
    }
}
