//! Connections with TURN servers: made for legs that are ready, and read for those and for devices' legs.

use std::time::Instant;

use mio::Token;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_webrtc::Carrier;

use super::super::{FIRST_STREAM, Running, STREAMS_EACH};
use crate::leg::FromStream;

fn token(slot: usize, number: usize) -> Token {
    Token(FIRST_STREAM + STREAMS_EACH * slot + number)
}

impl Running {
    /// Makes the connections that legs which are ready do not have; where one cannot be made, its server counts as failed for a while.
    pub(super) fn open_streams(&mut self, now: Instant) {
        let Some(settings) = self.shared.devices.clone() else {
            return;
        };
        let registry = self.poll.registry();
        let mut failed = Vec::new();
        for leg in self.ready.legs() {
            let Some(media) = self.media.get_mut(leg.slot) else {
                continue;
            };
            for (number, server) in leg.gatherer.streams() {
                if number >= STREAMS_EACH || !leg.gatherer.wants_stream(now, number) {
                    continue;
                }
                let tls = settings.tls.now();
                let token = token(leg.slot, number);
                if let Err(error) = media.streams.open(registry, token, number, server, &tls) {
                    tracing::debug!(%error, server = %server.address, "[gateway]: a TURN server");
                    failed.push((leg.slot, number));
                }
            }
        }
        for (slot, number) in failed {
            self.stream_ended(slot, number, now);
        }
    }

    /// A connection may be written, or has something to read.
    pub(in crate::worker) fn read_stream(&mut self, slot: usize, number: usize, now: Instant) {
        let Some(media) = self.media.get_mut(slot) else {
            return;
        };
        let FromStream {
            messages,
            more,
            ended,
        } = media.streams.read(number);
        if more {
            let registry = self.poll.registry();
            media.streams.rearm(registry, token(slot, number), number);
        }
        let mut out = [0; MAX_PACKET];
        let from = Carrier::Stream(number);
        for message in messages {
            // What does not fit is no media.
            let Some(room) = self.packet.get_mut(..message.len()) else {
                continue;
            };
            room.copy_from_slice(&message);
            if self.media.get(slot).is_some_and(|media| media.is_device()) {
                self.receive_of_device(slot, message.len(), from, now, &mut out);
            } else {
                self.receive_of_gatherer(slot, message.len(), from, now);
            }
        }
        if ended {
            self.stream_ended(slot, number, now);
        }
    }

    fn stream_ended(&mut self, slot: usize, number: usize, now: Instant) {
        let media = self.media.get_mut(slot);
        if let Some(device) = media.and_then(|media| media.device_mut()) {
            device.stream_ended(now, number);
        } else if let Some(leg) = self.ready.leg(slot) {
            leg.gatherer.stream_ended(now, number);
            self.ready.look_again(now);
        }
    }
}
