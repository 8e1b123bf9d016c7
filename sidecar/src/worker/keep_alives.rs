//! Keep-alives that a peer has asked us for (RFC 6223): binding requests of STUN over UDP, CRLF CRLF or a WebSocket's own ping
//! over connections, for as long as the registration or the call lasts for which it has.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::{CallHandle, Transport};
use skillcall_sip::message::{Keep, Response};

use super::Running;
use crate::front::{StreamTarget, ToFront, binding_request};
use crate::resolve::Hop;

/// The part of the time that a peer has named after which the next one goes: 80 to 100 % of it (RFC 6223 §4.2.3), less what
/// the way takes.
const PART: std::ops::Range<f64> = 0.80..0.98;
/// The shortest time between two, whatever a peer asks for (our choice).
const SHORTEST: Duration = Duration::from_secs(1);
/// Where a peer asks for them and names no time, over UDP (our choice; RFC 5626 §4.4.2 has 24 to 29 s).
const USUAL: Duration = Duration::from_secs(28);

/// What a flow is kept alive for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A registration of ours, by its number.
    Registration(u64),
    /// A call.
    Call(CallHandle),
}

/// A flow that is kept alive.
#[derive(Debug)]
struct Kept {
    whose: Whose,
    hop: Hop,
    every: Duration,
    next: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct KeepAlives(Vec<Kept>);

impl KeepAlives {
    /// What an answer says of the flow that it came by: the one for the same purpose is no longer wanted.
    fn note(&mut self, whose: Whose, hop: &Hop, every: Option<Duration>, now: Instant) {
        self.0.retain(|kept| kept.whose != whose);
        if let Some(every) = every {
            let every = every.max(SHORTEST);
            self.0.push(Kept {
                whose,
                hop: hop.clone(),
                every,
                next: now + drawn(every),
            });
        }
    }

    fn next(&self) -> Option<Instant> {
        self.0.iter().map(|kept| kept.next).min()
    }

    /// Where keep-alives go now; what is not `wanted` any more is forgotten.
    fn due(&mut self, now: Instant, wanted: impl Fn(Whose) -> bool) -> Vec<Hop> {
        if self.next().is_none_or(|next| next > now) {
            return Vec::new();
        }
        self.0.retain(|kept| wanted(kept.whose));
        let due = self.0.iter_mut().filter(|kept| kept.next <= now);
        due.map(|kept| {
            kept.next = now + drawn(kept.every);
            kept.hop.clone()
        })
        .collect()
    }
}

fn drawn(every: Duration) -> Duration {
    every.mul_f64(rand::random_range(PART))
}

impl Running {
    /// Whether requests offer keep-alives.
    pub(super) fn offers_keep_alives(&self) -> bool {
        self.shared.config.sip.keep_alive_seconds > 0
    }

    /// Takes up what the answer to an offer asks for.
    pub(super) fn note_keep(&mut self, whose: Whose, hop: &Hop, response: &Response, now: Instant) {
        let seconds = self.shared.config.sip.keep_alive_seconds;
        let keep = response.headers().via().ok().and_then(|via| via.keep());
        let every = match keep.filter(|_| self.offers_keep_alives()) {
            Some(Keep::Wanted(0)) if hop.transport == Transport::Udp => Some(USUAL),
            Some(Keep::Wanted(0)) => Some(Duration::from_secs(seconds.into())),
            Some(Keep::Wanted(seconds)) => Some(Duration::from_secs(seconds.into())),
            Some(Keep::Offered) | None => None,
        };
        self.keep_alives.note(whose, hop, every, now);
    }

    /// When the next one goes.
    pub(super) fn next_keep_alive(&self) -> Option<Instant> {
        self.keep_alives.next()
    }

    /// Sends those that are due.
    pub(super) fn send_keep_alives(&mut self, now: Instant) {
        let handed_over = self.shared.handed_over.load(Ordering::Relaxed);
        let mut keep_alives = std::mem::take(&mut self.keep_alives);
        let due = keep_alives.due(now, |whose| match whose {
            Whose::Registration(id) => !handed_over && self.registering.is_registered(id, now),
            Whose::Call(call) => self.by_handle.contains_key(&call),
        });
        self.keep_alives = keep_alives;
        for hop in due {
            if hop.transport != Transport::Udp {
                let name = self.peer_names.get(&(hop.transport, hop.address)).cloned();
                self.shared.front.send(ToFront::KeepAlive(StreamTarget {
                    transport: hop.transport,
                    connection: None,
                    to: hop.address,
                    name,
                }));
            } else if let Some(udp) = &self.udp {
                // One that is lost is followed by the next.
                let _ = udp.send_to(&binding_request(rand::random()), hop.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goes_within_its_time_and_for_as_long_as_it_is_wanted() {
        let hop = Hop {
            address: "192.0.2.1:5060".parse().unwrap(),
            transport: Transport::Udp,
            name: "pbx.example".into(),
        };
        let (begin, every) = (Instant::now(), Duration::from_secs(30));
        let mut kept = KeepAlives::default();
        kept.note(Whose::Registration(1), &hop, Some(every), begin);
        kept.note(Whose::Registration(2), &hop, Some(Duration::ZERO), begin);
        kept.note(Whose::Registration(2), &hop, None, begin);
        let mut now = begin;
        for _ in 0..100 {
            assert!(kept.due(now, |_| true).is_empty());
            let next = kept.next().unwrap();
            let part = (next - now).as_secs_f64() / every.as_secs_f64();
            assert!((0.8..=1.0).contains(&part), "{part}");
            now = next;
            assert_eq!(
                kept.due(now, |whose| whose == Whose::Registration(1)).len(),
                1
            );
        }
        now = kept.next().unwrap();
        assert!(kept.due(now, |_| false).is_empty());
        assert_eq!(kept.next(), None);
        // A peer does not make us flood it.
        kept.note(Whose::Registration(3), &hop, Some(Duration::ZERO), now);
        assert!(kept.next().unwrap() >= now + SHORTEST.mul_f64(0.8));
    }
}
