//! Ports for devices whose candidates are gathered before there is a call: nobody waits for STUN and TURN servers then (facts G9, no
//! trickle), and what was gathered is kept fresh.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_webrtc::{Carrier, FromServer, Gatherer, LocalAddress, ServerKind};

use super::super::Running;
use super::super::call::CallKey;
use crate::leg::Ways;

/// When ports are asked for again after there were none.
const AGAIN: Duration = Duration::from_secs(1);
/// How long ports stay ours after a call until relays have given its addresses back; what is not then runs out by itself.
const FAREWELL: Duration = Duration::from_secs(2);

/// Ports with what was gathered for them.
#[derive(Debug)]
pub(in crate::worker) struct Prepared {
    pub(super) slot: usize,
    pub(super) gatherer: Box<Gatherer>,
}

/// What a worker has ready.
#[derive(Debug, Default)]
pub(in crate::worker) struct Ready {
    legs: Vec<Prepared>,
    /// Of calls that are over: until when relays may take to give their addresses back.
    leaving: Vec<(Prepared, Instant)>,
    /// What was told of each server last.
    told: BTreeMap<(ServerKind, SocketAddr), String>,
    /// No ports were free; until then none are asked for.
    wait: Option<Instant>,
    due: Option<Instant>,
}

impl Ready {
    /// The legs for which no call has begun.
    pub(super) fn legs(&self) -> &[Prepared] {
        &self.legs
    }

    /// Something is due at once.
    pub(super) const fn look_again(&mut self, now: Instant) {
        self.due = Some(now);
    }

    /// A leg that is ready, or leaves.
    pub(super) fn leg(&mut self, slot: usize) -> Option<&mut Prepared> {
        let leaving = self.leaving.iter_mut().map(|(leg, _)| leg);
        let mut legs = self.legs.iter_mut().chain(leaving);
        legs.find(|leg| leg.slot == slot)
    }
}

impl Running {
    /// Whether there are servers to ask, and how many legs are to be ready.
    fn wanted(&self) -> usize {
        let settings = self.shared.devices.as_ref();
        settings.map_or(0, |settings| match settings.servers.is_empty() {
            true => 0,
            false => settings.gathered,
        })
    }

    /// Whether fewer legs are ready than are to be.
    fn lacks_legs(&self) -> bool {
        let handed_over = self.shared.handed_over.load(Ordering::Relaxed);
        !self.hanging_up && !handed_over && self.ready.legs.len() < self.wanted()
    }

    /// When something is due for the legs that are ready.
    pub(in crate::worker) fn next_gathering(&self) -> Option<Instant> {
        let begin = self
            .lacks_legs()
            .then(|| self.ready.wait.unwrap_or_else(Instant::now));
        [begin, self.ready.due].into_iter().flatten().min()
    }

    /// Makes legs ready, and lets those that are ask their servers.
    pub(in crate::worker) fn gather(&mut self, now: Instant) {
        let begins = self.lacks_legs() && self.ready.wait.is_none_or(|until| until <= now);
        if !begins && self.ready.due.is_none_or(|due| due > now) {
            return;
        }
        let Some(settings) = self.shared.devices.clone() else {
            return;
        };
        while self.lacks_legs() && self.ready.wait.is_none_or(|until| until <= now) {
            self.ready.wait = None;
            match self.take_media(now) {
                Ok(slot) => {
                    let host = self.host_of(slot);
                    let gatherer = Gatherer::new(host, &settings.servers, now);
                    self.ready.legs.push(Prepared {
                        slot,
                        gatherer: Box::new(gatherer),
                    });
                }
                Err(_) => self.ready.wait = Some(now + AGAIN),
            }
        }
        self.poll_gatherers(now);
    }

    pub(super) fn poll_gatherers(&mut self, now: Instant) {
        self.open_streams(now);
        let mut due = None;
        let leaving = self.ready.leaving.iter_mut().map(|(leg, _)| leg);
        for Prepared { slot, gatherer } in self.ready.legs.iter_mut().chain(leaving) {
            while let Some((to, datagram)) = gatherer.poll(now) {
                if let Some(media) = self.media.get_mut(*slot) {
                    media.send_datagram(&datagram, to);
                }
            }
            due = [due, gatherer.due(now)].into_iter().flatten().min();
        }
        self.release_left(now);
        let left = self.ready.leaving.iter().map(|(_, until)| *until);
        self.ready.due = left.chain(due).min();
        self.tell_problems(now);
    }

    /// Gives back ports whose addresses at relays are given back.
    fn release_left(&mut self, now: Instant) {
        let mut at = 0;
        while let Some((leg, until)) = self.ready.leaving.get(at) {
            if leg.gatherer.is_closed() || *until <= now {
                let (leg, _) = self.ready.leaving.swap_remove(at);
                self.release_media(leg.slot, now);
            } else {
                at += 1;
            }
        }
    }

    /// Tells of servers that give nothing, once, and when they do again.
    fn tell_problems(&mut self, now: Instant) {
        let done = self
            .ready
            .legs
            .iter()
            .rfind(|leg| leg.gatherer.is_done(now));
        let Some(leg) = done else {
            return;
        };
        let mut told = BTreeMap::new();
        for problem in leg.gatherer.problems(now) {
            let words = problem.to_string();
            let place = (problem.kind, problem.server);
            if self.ready.told.get(&place) != Some(&words) {
                tracing::warn!("[gateway]: {words}; devices get candidates without it");
            }
            told.insert(place, words);
        }
        for (kind, server) in self.ready.told.keys() {
            if !told.contains_key(&(*kind, *server)) {
                tracing::info!("[gateway]: the {kind} {server} is of use again");
            }
        }
        self.ready.told = told;
    }

    /// Keeps the ports of a leg that ends until relays have given back what they held for it. True: they are released later.
    pub(in crate::worker) fn leave(&mut self, slot: usize, now: Instant) -> bool {
        let device = self
            .media
            .get_mut(slot)
            .and_then(|media| media.take_device());
        let Some(mut gatherer) = device.and_then(|device| device.into_gatherer()) else {
            return false;
        };
        gatherer.close(now);
        if gatherer.is_closed() {
            return false;
        }
        if let Some(owner) = self.media_owner.get_mut(slot) {
            *owner = None;
        }
        let leg = Prepared { slot, gatherer };
        self.ready.leaving.push((leg, now + FAREWELL));
        self.poll_gatherers(now);
        true
    }

    /// Writes into a call's trace by what the device may reach us, and which server has given nothing.
    pub(super) fn note_ways(&self, key: CallKey, slot: usize, now: Instant) {
        let ways = self.media.get(slot).and_then(|media| media.device());
        if let (Some(device), Some(call)) = (ways, self.call(key)) {
            let text = device.ways().to_words(now);
            self.shared.trace.note(&call.ids, false, &text);
        }
    }

    /// A datagram, or a message of a connection, in the worker's buffer that came for a leg that is ready. False: the slot is none.
    pub(in crate::worker) fn receive_of_gatherer(
        &mut self,
        slot: usize,
        len: usize,
        from: Carrier,
        now: Instant,
    ) -> bool {
        let datagram = self.packet.get(..len).unwrap_or_default();
        let Some(leg) = self.ready.leg(slot) else {
            return false;
        };
        let taken = match from {
            Carrier::Socket(from) => leg.gatherer.receive(now, from, datagram),
            Carrier::Stream(number) => leg.gatherer.receive_by_stream(now, number, datagram),
        };
        if taken == FromServer::Handled {
            self.poll_gatherers(now);
        }
        true
    }

    /// Ports for a device's leg: some that are ready, else new ones, which have what needs no asking.
    pub(super) fn take_device_media(&mut self, now: Instant) -> Result<(usize, Ways, u32), String> {
        let legs = &self.ready.legs;
        let done = legs.iter().position(|leg| leg.gatherer.is_done(now));
        let (slot, ways) = match done.or((!legs.is_empty()).then_some(0)) {
            Some(at) => {
                let Prepared { slot, mut gatherer } = self.ready.legs.remove(at);
                gatherer.begin();
                (slot, Ways::Gathered(gatherer))
            }
            None => {
                let slot = self.take_media(now)?;
                (slot, Ways::Host(self.host_of(slot)))
            }
        };
        let ssrc = self.media.get(slot).map_or(1, |media| media.session.ssrc());
        Ok((slot, ways, ssrc))
    }

    /// Gives back all that is ready: the worker stops.
    pub(in crate::worker) fn forget_ready(&mut self, now: Instant) {
        let leaving = std::mem::take(&mut self.ready.leaving).into_iter();
        let ready = std::mem::take(&mut self.ready.legs).into_iter();
        for Prepared { slot, mut gatherer } in ready.chain(leaving.map(|(leg, _)| leg)) {
            gatherer.close(now);
            while let Some((to, datagram)) = gatherer.poll(now) {
                if let Some(media) = self.media.get_mut(slot) {
                    media.send_datagram(&datagram, to);
                }
            }
            self.release_media(slot, now);
        }
    }

    /// What devices reach a slot's socket by, where nobody is asked.
    fn host_of(&self, slot: usize) -> LocalAddress {
        let port = self.media.get(slot).map_or(0, |media| media.port);
        let gateway = &self.shared.config.gateway;
        let bound = self.shared.config.rtp.address;
        let outside = gateway
            .external_address
            .unwrap_or_else(|| self.shared.reachable.usual_media());
        let public = SocketAddr::new(outside, port);
        if bound.is_unspecified() || bound == public.ip() {
            LocalAddress::Host(public)
        } else {
            // Its administrator has made a rule that leads from there to us.
            let socket = SocketAddr::new(bound, port);
            LocalAddress::Public { socket, public }
        }
    }
}
