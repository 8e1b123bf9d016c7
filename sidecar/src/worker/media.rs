//! RTP and RTCP: sockets of legs, packets as they come, the digits in them.

use std::io;
use std::time::{Duration, Instant};

use mio::{Interest, Token};
use skillcall_media::codec::Codec;
use skillcall_media::dtmf;
use skillcall_media::rtcp::NtpTime;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_media::session::{AudioSession, Format, SessionConfig};
use skillcall_protocol::sma::action::Digit;
use skillcall_protocol::trace::Direction;
use skillcall_webrtc::Carrier;

use super::call::CallKey;
use super::{FIRST_LEG, Running};
use crate::engine::{Input, LegId};
use crate::figures::Held;
use crate::leg::LegMedia;

/// Packets of one leg that are taken before others get their turn.
const BURST: usize = 64;
/// Milliseconds of a digit that is sent anew: shorter ones are not taken for digits everywhere (ITU-T Q.24).
const SHORTEST_DIGIT: u32 = 50;
/// Milliseconds of the longest tone that a digit becomes: nobody wants to hear more of it.
const LONGEST_DIGIT: u32 = 2_000;
/// Digits of one leg that the trace is told of: no finger presses more, and a peer must not fill it.
const MOST_TRACED_DIGITS: u32 = 1000;

impl Running {
    /// Ports and a session for a new leg.
    ///
    /// # Errors
    /// In words, when no port is free.
    pub(super) fn take_media(&mut self, now: Instant) -> Result<usize, String> {
        let pair = self.ports.take(now).map_err(|error| error.to_string())?;
        let mut config = SessionConfig::new(Format::new(Codec::Pcmu, None), rand::random());
        let since_1970 = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        config.ntp_at_start = NtpTime::from_unix(since_1970);
        let figures = &self.shared.figures;
        let held = [
            Held::new(figures, |figures| &figures.port_pairs, 1),
            Held::new(figures, |figures| &figures.sockets, 2),
        ];
        let mut media = LegMedia::new(pair, AudioSession::new(config, now), held);
        let slot = self.media.vacant_key();
        let registry = self.poll.registry();
        let registered = registry
            .register(
                &mut media.rtp,
                Token(FIRST_LEG + 2 * slot),
                Interest::READABLE,
            )
            .and_then(|()| {
                registry.register(
                    &mut media.rtcp,
                    Token(FIRST_LEG + 2 * slot + 1),
                    Interest::READABLE,
                )
            });
        if let Err(error) = registered {
            self.ports.release(media.into_ports(), now);
            return Err(format!("RTP sockets: {error}"));
        }
        self.media.insert(media);
        if self.media_owner.len() <= slot {
            self.media_owner.resize(slot + 1, None);
        }
        Ok(slot)
    }

    pub(super) fn own_media(&mut self, slot: usize, key: CallKey, leg: LegId) {
        if let Some(owner) = self.media_owner.get_mut(slot) {
            *owner = Some((key, leg));
        }
        self.capture_media(slot, key);
    }

    pub(super) fn release_media(&mut self, slot: usize, now: Instant) {
        crate::bridge::part(&mut self.media, slot);
        if let Some(media) = self.media.get_mut(slot) {
            media.goodbye(now);
        }
        if self.leave(slot, now) {
            return;
        }
        let Some(mut media) = self.media.try_remove(slot) else {
            return;
        };
        let video = media.video.take().and_then(|video| video.ports);
        if let Some(ports) = video {
            self.ports.release(ports.into_ports(), now);
        }
        // Closing the sockets, which the pool does, takes them out of the poll too.
        if let Some(owner) = self.media_owner.get_mut(slot) {
            *owner = None;
        }
        self.ports.release(media.into_ports(), now);
    }

    /// Gives back what a leg holds, and tells its figures to the trace.
    pub(super) fn release_leg(&mut self, key: CallKey, leg: LegId) {
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
            entry.attempt = None;
        }
        let Some(slot) = self
            .call_mut(key)
            .and_then(|call| call.leg_mut(leg)?.media.take())
        else {
            return;
        };
        self.read_sent_digits(slot);
        if let (Some(media), Some(call)) = (self.media.get(slot), self.call(key)) {
            let figures = media.session.figures();
            self.shared
                .trace
                .media(&call.ids, leg, media.codec_name(), &figures);
            self.shared.figures.leg_ended(&figures);
        }
        self.release_media(slot, Instant::now());
    }

    pub(super) fn media_slot(&self, key: CallKey, leg: LegId) -> Option<usize> {
        self.call(key).and_then(|call| call.leg(leg)?.media)
    }

    pub(super) fn leg_media(&mut self, key: CallKey, leg: LegId) -> Option<&mut LegMedia> {
        let slot = self.media_slot(key, leg)?;
        self.media.get_mut(slot)
    }

    /// The peer may hear something from now on.
    pub(super) fn open_media(&mut self, key: CallKey, leg: LegId) {
        if let Some(media) = self.leg_media(key, leg) {
            media.open = true;
        }
    }

    pub(super) fn read_rtp(&mut self, slot: usize, now: Instant) {
        let mut out = [0; MAX_PACKET];
        let mut taken = false;
        for _ in 0..BURST {
            let Some(media) = self.media.get(slot) else {
                return;
            };
            match media.rtp.recv_from(&mut self.packet[..]) {
                Ok((len, from)) => {
                    let datagram = self.packet.get_mut(..len).unwrap_or_default();
                    if let Some(capture) = &media.capture {
                        capture.received(from, datagram);
                    }
                    let carrier = Carrier::Socket(from);
                    if media.is_device() {
                        taken |= self.receive_of_device(slot, len, carrier, now, &mut out);
                        continue;
                    }
                    if self.receive_of_gatherer(slot, len, carrier, now) {
                        continue;
                    }
                    let datagram = self.packet.get_mut(..len).unwrap_or_default();
                    taken |= crate::bridge::receive(
                        &mut self.media,
                        slot,
                        now,
                        from,
                        datagram,
                        &mut out,
                    );
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if taken {
                        self.read_digits(slot);
                    }
                    return;
                }
                // ICMP's answer to a packet sent earlier: the peer's port is closed (yet).
                Err(_) => {}
            }
        }
        self.unread.push(slot);
        self.read_digits(slot);
    }

    pub(super) fn read_rtcp(&mut self, slot: usize, now: Instant) {
        for _ in 0..BURST {
            let Some(media) = self.media.get_mut(slot) else {
                return;
            };
            match media.rtcp.recv_from(&mut self.packet[..]) {
                Ok((len, from)) => {
                    media.receive_rtcp(now, from, self.packet.get_mut(..len).unwrap_or_default())
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    pub(super) fn read_digits(&mut self, slot: usize) {
        let Some(&Some((key, leg))) = self.media_owner.get(slot) else {
            return;
        };
        while let Some(received) = self
            .media
            .get_mut(slot)
            .and_then(|media| media.session.poll_digit())
        {
            self.trace_digit(
                slot,
                Direction::Received,
                received.digit,
                received.duration_ms,
            );
            let from = self
                .media
                .get(slot)
                .map(|media| (media.focus.is_some(), media.bridged));
            if let Some((cleaned, Some(other))) = from
                && let Some(other) = self.media.get_mut(other)
            {
                let duration_ms = received.duration_ms.clamp(SHORTEST_DIGIT, LONGEST_DIGIT);
                if other.has_digits_in_audio() {
                    other.press(received.digit.as_char(), duration_ms);
                } else if cleaned {
                    // Too many that wait are no news to the peer.
                    let _ = other.session.send_digit(received.digit, duration_ms);
                }
            }
            if let Some(digit) = Digit::new(received.digit.as_char()) {
                self.input(key, Input::Digit { leg, digit });
            }
        }
    }

    /// Digits that went out to the leg in a slot, its own and those of the leg that it is bridged with.
    pub(super) fn read_sent_digits(&mut self, slot: usize) {
        while let Some(sent) = self
            .media
            .get_mut(slot)
            .and_then(|media| media.session.poll_sent_digit())
        {
            self.trace_digit(slot, Direction::Sent, sent.digit, sent.duration_ms);
        }
    }

    /// Tells the trace of a digit of the leg in a slot: which one only if `[trace] digits` says so.
    pub(super) fn trace_digit(
        &mut self,
        slot: usize,
        direction: Direction,
        digit: dtmf::Digit,
        ms: u32,
    ) {
        let (Some(media), Some(&Some((key, leg)))) =
            (self.media.get_mut(slot), self.media_owner.get(slot))
        else {
            return;
        };
        if media.traced_digits >= MOST_TRACED_DIGITS {
            return;
        }
        media.traced_digits += 1;
        if let Some(call) = self.call(key) {
            let shown = self.shared.config.trace.digits.then(|| digit.as_char());
            let sounded = Duration::from_millis(ms.into());
            self.shared
                .trace
                .digit(&call.ids, leg, direction, sounded, shown);
        }
    }
}
