//! Video of one leg becomes video of the other, packet by packet.

use std::net::SocketAddr;
use std::time::Instant;

use slab::Slab;

use crate::leg::{LegMedia, VideoPacket};

/// What a packet of video has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Nothing.
    Dropped,
    /// It was the peer's.
    Taken,
    /// It was passed on, and who receives it has seen nothing of its source for a while: the leg that it came from is to be asked for a
    /// key frame.
    Begins,
}

/// Takes a datagram of the phone's video in `slot`, and passes it on.
///
/// Nothing is allocated and nothing is locked here.
pub(crate) fn receive_video(
    legs: &mut Slab<LegMedia>,
    slot: usize,
    now: Instant,
    from: SocketAddr,
    datagram: &mut [u8],
    out: &mut VideoPacket,
) -> Passed {
    let video = legs.get_mut(slot).and_then(|leg| leg.video.as_mut());
    let Some(packet) = video.and_then(|video| video.open_rtp(from, datagram)) else {
        return Passed::Dropped;
    };
    let passed = deliver_video(legs, slot, now, packet, out);
    if passed != Passed::Dropped
        && let Some(leg) = legs.get_mut(slot)
        && let Some(video) = &mut leg.video
    {
        video.learn(from);
        leg.note_heard(now);
    }
    passed
}

/// Takes an opened packet of the video of the leg in `slot`, and passes it on: as it is, under the other leg's numbers.
pub(crate) fn deliver_video(
    legs: &mut Slab<LegMedia>,
    slot: usize,
    now: Instant,
    packet: &[u8],
    out: &mut VideoPacket,
) -> Passed {
    let bridged = legs.get(slot).and_then(|leg| leg.bridged);
    let Some((leg, other)) = bridged.and_then(|other| legs.get2_mut(slot, other)) else {
        return Passed::Dropped;
    };
    let received = leg.video.as_mut().and_then(|it| it.receive(now, packet));
    let Some((received, format)) = received else {
        return Passed::Dropped;
    };
    let holding = other.holding;
    let Some(video) = &mut other.video else {
        return Passed::Taken;
    };
    let Some(number) = video.number_of(format).filter(|_| !holding) else {
        video.session.pause();
        return Passed::Taken;
    };
    let Some((len, begins)) = video.session.relay(now, &received, number, out) else {
        return Passed::Taken;
    };
    other.send_video(out, len);
    match begins {
        true => Passed::Begins,
        false => Passed::Taken,
    }
}
