//! Keep-alives that a peer has asked us for (RFC 6223): binding requests of STUN over UDP, CRLF CRLF or a WebSocket's own ping
//! over connections, for as long as the registration or the call lasts for which it has. A registrar that has answered and
//! answers no more, or that sees us at another address, has lost our flow, and is registered with anew (RFC 5626 §4.4.2).

use std::net::SocketAddr;
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

/// When a request without answer is sent again for the first time (RFC 8489 §6.2.1).
const FIRST: Duration = Duration::from_millis(500);
/// How often a request is sent before its flow has failed, after 15.5 s (our choice; RFC 5626 §4.4.2 takes RFC 8489's seven, 39.5 s).
const TIMES: u32 = 5;

/// In place of that number: a peer that has never answered owes us nothing.
const UNREPEATED: u32 = 0;

/// What a flow is kept alive for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// A registration of ours, by its number.
    Registration(u64),
    /// A call.
    Call(CallHandle),
}

/// A binding request of which the answer is awaited.
#[derive(Debug)]
struct Asked {
    id: [u8; 12],
    /// How often it was sent.
    times: u32,
    /// When it is sent again, or given up.
    next: Instant,
}

/// A flow that is kept alive.
#[derive(Debug)]
struct Kept {
    whose: Whose,
    hop: Hop,
    every: Duration,
    next: Instant,
    asked: Option<Asked>,
    /// Where the peer has last seen us; none if it has never answered.
    seen_at: Option<SocketAddr>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct KeepAlives(Vec<Kept>);

/// What is to be done at a time.
#[derive(Debug, Default)]
struct Due {
    /// Where keep-alives go, and the transaction that each is.
    sent: Vec<(Hop, [u8; 12])>,
    /// Flows whose peer does not answer any more.
    failed: Vec<Whose>,
}

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
                asked: None,
                seen_at: None,
            });
        }
    }

    fn next(&self) -> Option<Instant> {
        let asked = self.0.iter().filter_map(|kept| kept.asked.as_ref());
        let again = asked.map(|asked| asked.next);
        self.0.iter().map(|kept| kept.next).chain(again).min()
    }

    /// Where keep-alives go now; what is not `wanted` any more is forgotten.
    fn due(&mut self, now: Instant, wanted: impl Fn(Whose) -> bool) -> Due {
        let mut due = Due::default();
        if self.next().is_none_or(|next| next > now) {
            return due;
        }
        self.0.retain(|kept| wanted(kept.whose));
        for kept in &mut self.0 {
            if let Some(asked) = kept.asked.take_if(|asked| asked.next <= now) {
                match asked.times {
                    UNREPEATED => {}
                    TIMES => {
                        kept.seen_at = None;
                        due.failed.push(kept.whose);
                    }
                    _ => {
                        due.sent.push((kept.hop.clone(), asked.id));
                        kept.asked = Some(asked.again(now));
                    }
                }
            }
            if kept.next <= now {
                kept.next = now + drawn(kept.every);
                if kept.asked.is_none() {
                    let id = rand::random();
                    due.sent.push((kept.hop.clone(), id));
                    let (times, next) = match kept.seen_at {
                        Some(_) => (1, now + FIRST),
                        None => (UNREPEATED, kept.next),
                    };
                    kept.asked = Some(Asked { id, times, next });
                }
            }
        }
        due
    }

    /// A binding response. Some: the flow is not what it was, as the peer sees us elsewhere now.
    fn answered(&mut self, from: SocketAddr, id: [u8; 12], at: SocketAddr) -> Option<Whose> {
        let mut all = self.0.iter_mut();
        let kept = all.find(|kept| {
            kept.hop.address == from && kept.asked.as_ref().is_some_and(|asked| asked.id == id)
        })?;
        kept.asked = None;
        let before = kept.seen_at.replace(at);
        before
            .is_some_and(|before| before != at)
            .then_some(kept.whose)
    }
}

impl Asked {
    /// Sent once more: the wait doubles, and after the last it is sixteen times the first (RFC 8489 §6.2.1).
    fn again(self, now: Instant) -> Self {
        let times = self.times + 1;
        let wait = if times == TIMES { 16 } else { 1 << (times - 1) };
        Self {
            id: self.id,
            times,
            next: now + FIRST * wait,
        }
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
        for whose in due.failed {
            self.flow_failed(whose, "it does not answer keep-alives any more", now);
        }
        for (hop, id) in due.sent {
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
                let _ = udp.send_to(&binding_request(id), hop.address);
            }
        }
    }

    /// A peer has answered a binding request, and says where it sees us.
    pub(super) fn on_binding(
        &mut self,
        now: Instant,
        from: SocketAddr,
        id: [u8; 12],
        at: SocketAddr,
    ) {
        if let Some(whose) = self.keep_alives.answered(from, id, at) {
            self.flow_failed(whose, "it sees us at another address", now);
        }
    }

    /// A call has nothing that could be done anew; what a registrar remembers is.
    fn flow_failed(&mut self, whose: Whose, why: &str, now: Instant) {
        if let Whose::Registration(id) = whose {
            self.register_anew(now, id, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 5060);

    /// What happens until a flow has failed or nothing is asked any more: the seconds at which requests go.
    fn unanswered(kept: &mut KeepAlives, begin: Instant) -> (Vec<f64>, Vec<Whose>) {
        let mut times = Vec::new();
        loop {
            let now = kept.next().unwrap();
            let due = kept.due(now, |_| true);
            if times.len() > 8 || !due.failed.is_empty() {
                return (times, due.failed);
            }
            times.extend(due.sent.iter().map(|_| (now - begin).as_secs_f64()));
        }
    }

    #[test]
    fn a_flow_fails_when_a_peer_that_answered_is_silent_or_sees_us_elsewhere() {
        let hop = Hop {
            address: "192.0.2.1:5060".parse().unwrap(),
            transport: Transport::Udp,
            name: "pbx.example".into(),
        };
        let (begin, every) = (Instant::now(), Duration::from_secs(60));
        let mut kept = KeepAlives::default();
        kept.note(Whose::Registration(1), &hop, Some(every), begin);
        let now = kept.next().unwrap();
        let (_, id) = kept.due(now, |_| true).sent.remove(0);
        // Neither another's answer nor one to something else counts.
        let stranger = "192.0.2.2:5060".parse().unwrap();
        assert_eq!(kept.answered(stranger, id, AT), None);
        assert_eq!(kept.answered(hop.address, [0; 12], AT), None);
        assert!(kept.0[0].seen_at.is_none());
        assert_eq!(kept.answered(hop.address, id, AT), None);

        let now = kept.next().unwrap();
        let (_, id) = kept.due(now, |_| true).sent.remove(0);
        assert_eq!(
            kept.answered(hop.address, id, "198.51.100.8:5060".parse().unwrap()),
            Some(Whose::Registration(1))
        );

        let asked = kept.next().unwrap();
        let (times, failed) = unanswered(&mut kept, asked);
        let rounded: Vec<f64> = times.iter().map(|at| (at * 2.0).round() / 2.0).collect();
        assert_eq!(rounded, [0.0, 0.5, 1.5, 3.5, 7.5]);
        assert_eq!(failed, [Whose::Registration(1)]);
    }

    #[test]
    fn a_peer_that_never_answers_is_asked_in_its_time_and_keeps_its_flow() {
        let hop = Hop {
            address: "192.0.2.1:5060".parse().unwrap(),
            transport: Transport::Udp,
            name: "pbx.example".into(),
        };
        let (begin, every) = (Instant::now(), Duration::from_secs(60));
        let mut kept = KeepAlives::default();
        kept.note(Whose::Registration(1), &hop, Some(every), begin);
        let (times, failed) = unanswered(&mut kept, begin);
        assert!(failed.is_empty());
        assert!(
            times.windows(2).all(|pair| pair[1] - pair[0] >= 40.0),
            "{times:?}"
        );
    }

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
            assert!(kept.due(now, |_| true).sent.is_empty());
            let next = kept.next().unwrap();
            let part = (next - now).as_secs_f64() / every.as_secs_f64();
            assert!((0.8..=1.0).contains(&part), "{part}");
            now = next;
            let due = kept.due(now, |whose| whose == Whose::Registration(1));
            let &[(_, id)] = due.sent.as_slice() else {
                panic!("{due:?}")
            };
            assert_eq!(kept.answered(hop.address, id, AT), None);
        }
        now = kept.next().unwrap();
        assert!(kept.due(now, |_| false).sent.is_empty());
        assert_eq!(kept.next(), None);
        // A peer does not make us flood it.
        kept.note(Whose::Registration(3), &hop, Some(Duration::ZERO), now);
        assert!(kept.next().unwrap() >= now + SHORTEST.mul_f64(0.8));
    }
}
