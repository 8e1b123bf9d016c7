//! A leg's packets as G.711, whatever its peer speaks: what an [`AudioSession`](skillcall_media::session::AudioSession) takes
//! and gives.
//!
//! Where the peer speaks G.711, packets pass as they are. Else they are transcoded, one by one, in both directions.

use std::{net::SocketAddr, time::Instant};

use skillcall_media::{
    codec::Codec,
    encoding::Encoding,
    rtp::{MAX_PACKET, PayloadType},
    session::{Format, PacketTime},
    srtp::OVERHEAD,
    transcode::{OpusSettings, Side, SideEvents, TranscodeError, Transcoder},
};

use crate::{Audio, Dropped, Peer, Received, ice::Route};

/// What the inside has for telephone events.
const EVENTS: Option<PayloadType> = PayloadType::new(101);
/// The codec of the inside where the peer's is none of G.711.
const INSIDE: Codec = Codec::Pcmu;

/// A packet of the peer's, as the inside takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// RTP.
    Rtp(&'a [u8]),
    /// RTCP.
    Rtcp(&'a [u8]),
}

/// A [`Peer`] with transcoders to G.711 and back.
#[derive(Debug)]
pub struct Wire {
    peer: Peer,
    opus: OpusSettings,
    agreed: Option<Audio>,
    ways: Option<Ways>,
}

#[derive(Debug)]
struct Ways {
    inward: Transcoder,
    outward: Transcoder,
}

impl Wire {
    /// Goes between a leg and the inside. `opus` says how Opus is encoded, within what the peer allows.
    pub const fn new(peer: Peer, opus: OpusSettings) -> Self {
        Self {
            peer,
            opus,
            agreed: None,
            ways: None,
        }
    }

    /// The leg.
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The leg, for all but packets. [`Wire::agree`] is to be called after each description.
    pub const fn peer_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }

    /// Goes by the descriptions: the format that the inside's session gets; `None` until there is one. Transcoders go on
    /// where codec and numbers stayed.
    ///
    /// # Errors
    /// A codec's library refuses.
    pub fn agree(&mut self) -> Result<Option<Format>, TranscodeError> {
        let Some(audio) = self.peer.audio().copied() else {
            return Ok(None);
        };
        let same = self
            .agreed
            .is_some_and(|agreed| !agreed.differs_from(&audio) && agreed.opus == audio.opus);
        if !same {
            self.ways = match audio.encoding.g711() {
                Some(_) => None,
                None => Some(Ways {
                    inward: Transcoder::new(theirs(&audio), inside(&audio), self.opus)?,
                    outward: Transcoder::new(inside(&audio), ours(&audio), self.settings(&audio))?,
                }),
            };
        }
        self.agreed = Some(audio);
        Ok(Some(format(&audio)))
    }

    /// What the peer allows of what we want.
    fn settings(&self, audio: &Audio) -> OpusSettings {
        let peer = &audio.opus;
        OpusSettings {
            bitrate: self
                .opus
                .bitrate
                .min(peer.max_average_bitrate.unwrap_or(u32::MAX)),
            in_band_fec: self.opus.in_band_fec && peer.in_band_fec,
            dtx: self.opus.dtx && peer.dtx,
            ..self.opus
        }
    }

    /// Takes a datagram and gives the packets that it leads to; [`Peer::poll`] has what is to be answered.
    ///
    /// # Errors
    /// It changed nothing, and why.
    pub fn receive(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        datagram: &mut [u8],
        mut give: impl FnMut(Packet<'_>),
    ) -> Result<(), Dropped> {
        match self.peer.receive(now, local, remote, datagram) {
            Received::Handled | Received::Video(_) => {}
            Received::Dropped(why) => return Err(why),
            Received::Rtp(packet) => match &mut self.ways {
                None => give(Packet::Rtp(packet)),
                // What cannot be transcoded is late, or of no agreed type: the inside would refuse it as well.
                Some(ways) => {
                    let _ = ways.inward.push(packet, |packet| give(Packet::Rtp(packet)));
                }
            },
            Received::Rtcp(report) => match &self.ways {
                None => give(Packet::Rtcp(report)),
                Some(ways) => {
                    let mut room = [0; MAX_PACKET];
                    if let Some(room) = room.get_mut(..report.len()) {
                        room.copy_from_slice(report);
                        ways.inward.rewrite_rtcp(room);
                        give(Packet::Rtcp(room));
                    }
                }
            },
        }
        Ok(())
    }

    /// Takes an RTP packet of the inside and gives the datagrams that it leads to. While the leg is not connected there are
    /// none.
    pub fn send_rtp(&mut self, packet: &[u8], mut give: impl FnMut(Route, &[u8])) {
        let peer = &mut self.peer;
        let mut protect = |packet: &[u8]| {
            let mut room = [0; MAX_PACKET + OVERHEAD];
            if let Some(start) = room.get_mut(..packet.len()) {
                start.copy_from_slice(packet);
                if let Ok((route, len)) = peer.send_rtp(&mut room, packet.len()) {
                    give(route, room.get(..len).unwrap_or_default());
                }
            }
        };
        match &mut self.ways {
            None => protect(packet),
            Some(ways) => {
                let _ = ways.outward.push(packet, protect);
            }
        }
    }

    /// Takes a compound RTCP packet of the inside and gives the datagram.
    pub fn send_rtcp(&mut self, report: &[u8], mut give: impl FnMut(Route, &[u8])) {
        let mut room = [0; MAX_PACKET + OVERHEAD];
        if let Some(start) = room.get_mut(..report.len()) {
            start.copy_from_slice(report);
            if let Some(ways) = &self.ways {
                ways.outward.rewrite_rtcp(start);
            }
            if let Ok((route, len)) = self.peer.send_rtcp(&mut room, report.len()) {
                give(route, room.get(..len).unwrap_or_default());
            }
        }
    }
}

/// The peer's packets.
fn theirs(audio: &Audio) -> Side {
    Side {
        encoding: audio.encoding,
        payload_type: audio.receive,
        events: audio.events.map(|events| SideEvents {
            payload_type: events.receive,
            clock: events.clock,
        }),
    }
}

/// What the peer takes.
fn ours(audio: &Audio) -> Side {
    Side {
        encoding: audio.encoding,
        payload_type: audio.send,
        events: audio.events.map(|events| SideEvents {
            payload_type: events.send,
            clock: events.clock,
        }),
    }
}

fn inside(audio: &Audio) -> Side {
    Side {
        encoding: Encoding::from(INSIDE),
        payload_type: INSIDE.static_payload_type(),
        events: audio.events.and(EVENTS).map(|payload_type| SideEvents {
            payload_type,
            clock: Encoding::from(INSIDE).clock(),
        }),
    }
}

fn format(audio: &Audio) -> Format {
    match audio.encoding.g711() {
        Some(codec) => Format {
            codec,
            payload_type: audio.send,
            receive_payload_type: audio.receive,
            events: audio.events.map(|events| events.send),
            receive_events: audio.events.map(|events| events.receive),
            packet_time: PacketTime::from_ms(audio.packet_time_ms),
        },
        None => Format::new(INSIDE, audio.events.and(EVENTS)),
    }
}
