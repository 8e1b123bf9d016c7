//! Two legs that hear each other: packets of one become packets of the other, without delay, and without decoding
//! where they share a codec.

mod video;

pub(crate) use video::{Passed, deliver_video, receive_video};

use std::net::SocketAddr;
use std::time::Instant;

use skillcall_media::rtp::MAX_PACKET;
use slab::Slab;

use crate::leg::LegMedia;

/// Takes a datagram of the leg in `slot`, and passes it on to the leg that it is bridged with. True when it was taken.
///
/// Nothing is allocated and nothing is locked here.
pub(crate) fn receive(
    legs: &mut Slab<LegMedia>,
    slot: usize,
    now: Instant,
    from: SocketAddr,
    datagram: &mut [u8],
    out: &mut [u8; MAX_PACKET],
) -> bool {
    let Some(leg) = legs.get_mut(slot) else {
        return false;
    };
    if !leg.listens_to(from) {
        return false;
    }
    let Some(datagram) = leg.open_rtp(datagram) else {
        return false;
    };
    leg.return_to_announced(from, datagram);
    if !deliver(legs, slot, now, datagram, out) {
        return false;
    }
    if let Some(leg) = legs.get_mut(slot) {
        leg.learn(from);
    }
    true
}

/// Takes an opened packet of the leg in `slot`, and passes it on like [`receive`]: through the media session's codec where the two legs
/// share none.
pub(crate) fn deliver(
    legs: &mut Slab<LegMedia>,
    slot: usize,
    now: Instant,
    packet: &[u8],
    out: &mut [u8; MAX_PACKET],
) -> bool {
    let Some(leg) = legs.get_mut(slot) else {
        return false;
    };
    let Some(mut inbound) = leg.take_inbound() else {
        return pass_on(legs, slot, now, packet, out, false);
    };
    let passes = legs.get(slot).is_some_and(|leg| {
        let other = leg.bridged.and_then(|other| legs.get(other));
        other.is_some_and(|other| leg.passes_to(other))
    });
    let mut taken = false;
    let give = |packet: &[u8]| taken |= pass_on(legs, slot, now, packet, out, passes);
    // What cannot be transcoded is lost, as packets are.
    let _ = match passes {
        true => inbound.pass(packet, give),
        false => inbound.push(packet, give),
    };
    if let Some(leg) = legs.get_mut(slot) {
        leg.give_inbound(inbound);
    }
    taken
}

fn pass_on(
    legs: &mut Slab<LegMedia>,
    slot: usize,
    now: Instant,
    packet: &[u8],
    out: &mut [u8; MAX_PACKET],
    passes: bool,
) -> bool {
    let Some(leg) = legs.get_mut(slot) else {
        return false;
    };
    let Ok(received) = leg.session.receive_rtp(now, packet) else {
        return false;
    };
    // What VoiceFocus has cleaned goes out with the tick, and digits are sent anew.
    if leg.focus.is_some() {
        return true;
    }
    if let Some(other) = leg.bridged.and_then(|other| legs.get_mut(other))
        && other.takes_bridge()
    {
        if let Some(to) = other.destination() {
            if let Some(len) = other.session.relay(now, &received, out) {
                other.send_relayed(out, len, to, passes);
            }
        } else {
            // The peer holds: what is left out must not be a hole in its numbers when it comes back.
            other.session.end_relay();
        }
    }
    true
}

/// Bridges two legs.
pub(crate) fn join(legs: &mut Slab<LegMedia>, a: usize, b: usize) {
    for (leg, other) in [(a, b), (b, a)] {
        if let Some(leg) = legs.get_mut(leg) {
            leg.bridged = Some(other);
        }
    }
}

/// Ends the bridge that a leg is part of.
pub(crate) fn part(legs: &mut Slab<LegMedia>, slot: usize) {
    let mut leave = |slot: usize| {
        let leg = legs.get_mut(slot)?;
        leg.session.end_relay();
        // Whoever sends next may have the source and the numbers of the one before.
        if let Some(video) = &mut leg.video {
            video.session.pause();
        }
        leg.bridged.take()
    };
    if let Some(other) = leave(slot) {
        leave(other);
    }
}
