//! Ports for devices whose candidates are gathered before there is a call: nobody waits for STUN and TURN servers then (facts G9, no
//! trickle), and what was gathered is kept fresh.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use skillcall_webrtc::{FromServer, Gatherer, LocalAddress};

use super::super::Running;
use crate::leg::Ways;

/// When ports are asked for again after there were none.
const AGAIN: Duration = Duration::from_secs(1);

/// Ports with what was gathered for them.
#[derive(Debug)]
pub(in crate::worker) struct Prepared {
    slot: usize,
    gatherer: Box<Gatherer>,
}

/// What a worker has ready.
#[derive(Debug, Default)]
pub(in crate::worker) struct Ready {
    legs: Vec<Prepared>,
    /// No ports were free; until then none are asked for.
    wait: Option<Instant>,
    due: Option<Instant>,
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

    /// When something is due for the legs that are ready.
    pub(in crate::worker) fn next_gathering(&self) -> Option<Instant> {
        if self.wanted() == 0 {
            return None;
        }
        let begin = (self.ready.legs.len() < self.wanted())
            .then(|| self.ready.wait.unwrap_or_else(Instant::now));
        [begin, self.ready.due].into_iter().flatten().min()
    }

    /// Makes legs ready, and lets those that are ask their servers.
    pub(in crate::worker) fn gather(&mut self, now: Instant) {
        if self.next_gathering().is_none_or(|due| due > now) {
            return;
        }
        let Some(settings) = self.shared.devices.clone() else {
            return;
        };
        while self.ready.legs.len() < self.wanted()
            && self.ready.wait.is_none_or(|until| until <= now)
        {
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

    fn poll_gatherers(&mut self, now: Instant) {
        let mut due = None;
        for Prepared { slot, gatherer } in &mut self.ready.legs {
            while let Some((to, datagram)) = gatherer.poll(now) {
                if let Some(media) = self.media.get_mut(*slot) {
                    media.send_datagram(&datagram, to);
                }
            }
            due = [due, gatherer.due(now)].into_iter().flatten().min();
        }
        self.ready.due = due;
    }

    /// A datagram in the worker's buffer that came for a leg that is ready. False: the slot is none.
    pub(in crate::worker) fn receive_of_gatherer(
        &mut self,
        slot: usize,
        len: usize,
        from: SocketAddr,
        now: Instant,
    ) -> bool {
        let mut legs = self.ready.legs.iter_mut();
        let Some(leg) = legs.find(|leg| leg.slot == slot) else {
            return false;
        };
        let datagram = self.packet.get(..len).unwrap_or_default();
        if leg.gatherer.receive(now, from, datagram) == FromServer::Handled {
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
                let Prepared { slot, gatherer } = self.ready.legs.remove(at);
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
        for Prepared { slot, mut gatherer } in std::mem::take(&mut self.ready.legs) {
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
