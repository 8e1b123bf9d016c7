//! One call's media, from the descriptions to packets.

mod config;
mod demux;
mod describe;
mod media;
mod output;
mod secure;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use skillcall_media::srtp::{Inbound, Outbound};
use skillcall_video::Terms;

use crate::{
    dtls::{Association, Role},
    fingerprint::Fingerprint,
    ice::{Change, IceAgent, Route},
    identity::Identity,
    sdp::{Audio, Direction, Negotiation, Remote, Video},
};

pub use config::Config;
use demux::Demux;
pub use describe::Renegotiated;
pub use media::{Figures, NotReady, Received};
pub use output::{Disconnected, Dropped, Event, Output, Transmit};

/// Datagrams that wait for [`Peer::poll`]: a handshake's flights and some checks; more is no use to anybody.
const MOST_WAITING: usize = 64;

/// One WebRTC leg.
#[derive(Debug)]
pub struct Peer {
    identity: Identity,
    negotiation: Negotiation,
    ice: IceAgent,
    /// A session that a restart has begun: until it has found a way, the old one carries the packets (RFC 8445 §2.4).
    next_ice: Option<IceAgent>,
    /// The old route of a session that was replaced, which the peer may use a moment longer, is known by its sources.
    old_ice: Option<(IceAgent, Instant)>,
    mode: crate::ice::IceMode,
    dtls: Option<Box<dyn Association>>,
    role: Option<Role>,
    fingerprints: Vec<Fingerprint>,
    tls_id: Option<String>,
    /// Whether the certificate of the association is the one of the description.
    verified: bool,
    dtls_due: Option<Instant>,
    /// Where the peer's DTLS came from, before ICE has decided.
    dtls_route: Option<Route>,
    dtls_over: bool,
    srtp: Option<Box<(Outbound, Inbound)>>,
    connected: bool,
    give_up: Option<Instant>,
    patience: Duration,
    waiting: VecDeque<Transmit>,
    events: VecDeque<Event>,
    figures: Figures,
    demux: Demux,
    /// The peer's first offer, until it is known that the answer was given.
    first_offer: Option<Box<Remote>>,
}

/// How long the session before a restart still answers checks after the new one has found its way.
const LINGER: Duration = Duration::from_secs(3);

impl Peer {
    fn new(config: &Config, controlling: bool, now: Instant) -> Self {
        Self {
            identity: config.identity.clone(),
            negotiation: config.negotiation(),
            ice: IceAgent::new(config.mode, &config.addresses, controlling, now),
            next_ice: None,
            old_ice: None,
            mode: config.mode,
            dtls: None,
            role: None,
            fingerprints: Vec::new(),
            tls_id: None,
            verified: false,
            dtls_due: None,
            dtls_route: None,
            dtls_over: false,
            srtp: None,
            connected: false,
            give_up: None,
            patience: config.connect_timeout,
            waiting: VecDeque::new(),
            events: VecDeque::new(),
            figures: Figures::default(),
            demux: Demux::default(),
            first_offer: None,
        }
    }

    /// What offer and answer agreed on last; `None` until there was an answer.
    pub fn audio(&self) -> Option<&Audio> {
        self.negotiation.agreed()
    }

    /// Whether packets can be sent.
    pub const fn is_connected(&self) -> bool {
        self.connected
    }

    /// The way that packets take.
    pub fn route(&self) -> Option<Route> {
        self.ice.route()
    }

    /// Who began the DTLS handshake, once the descriptions have said it.
    pub const fn role(&self) -> Option<Role> {
        self.role
    }

    /// What was counted since the start.
    pub const fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What we want to do from the next description on: what [`Peer::answer_again`] allows the peer.
    pub fn set_direction(&mut self, direction: Direction) {
        self.negotiation.set_wish(direction);
    }

    /// What was agreed on last for video; none: it is rejected.
    pub fn video(&self) -> Option<&Video> {
        self.negotiation.video()
    }

    /// What the peer's last description says of its video in H.264; none: it has none, or is over.
    pub fn video_of_peer(&self) -> Option<Terms> {
        self.negotiation.video_of_peer()
    }

    /// What an offer says of video in H.264; nothing is changed.
    pub fn video_in(offer: &str) -> Option<Terms> {
        let terms = Remote::parse(offer).ok()?.video?.terms();
        (!terms.formats.is_empty()).then_some(terms)
    }

    /// Our source of video.
    pub const fn video_ssrc(&self) -> u32 {
        self.negotiation.video_ssrc()
    }

    /// What is said of video from the next description on; none: it is rejected, or stands still where it was agreed on.
    pub fn set_video(&mut self, terms: Option<Terms>) {
        self.negotiation.set_video(terms);
    }

    /// Which codecs the next description names, the one we like most first.
    pub fn set_codecs(&mut self, codecs: Vec<skillcall_media::encoding::Encoding>) {
        self.negotiation.set_encodings(codecs);
    }

    /// What is next: datagrams to send, events, and at last when to come again. To be called after each other method that
    /// takes the time, until it is [`Output::Wait`].
    pub fn poll(&mut self, now: Instant) -> Output {
        self.advance(now);
        if let Some(transmit) = self.waiting.pop_front() {
            return Output::Transmit(transmit);
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        Output::Wait(self.due(now))
    }

    fn advance(&mut self, now: Instant) {
        self.ice.advance(now);
        if let Some(next) = &mut self.next_ice {
            next.advance(now);
        }
        if let Some((old, until)) = &mut self.old_ice {
            old.advance(now);
            if now >= *until {
                self.old_ice = None;
            }
        }
        self.follow_ice(now);
        self.drive_dtls(now);
        if self.give_up.is_some_and(|at| now >= at) {
            self.give_up = None;
            self.disconnect(Disconnected::NeverConnected);
        }
    }

    /// Takes what the ICE sessions have to say and to send.
    fn follow_ice(&mut self, now: Instant) {
        let restarted = self.next_ice.as_mut().and_then(|next| {
            let mut selected = false;
            while let Some(change) = next.poll_change() {
                selected |= matches!(change, Change::Selected(_));
            }
            selected.then_some(())
        });
        if restarted.is_some()
            && let Some(next) = self.next_ice.take()
        {
            let old = std::mem::replace(&mut self.ice, next);
            self.old_ice = Some((old, now + LINGER));
            self.way_found(now);
        }
        while let Some(change) = self.ice.poll_change() {
            match change {
                Change::Selected(_) => self.way_found(now),
                // Before it was found the descriptions' time decides: the peer's own checks may still arrive.
                Change::Lost if self.connected => self.disconnect(Disconnected::ConsentLost),
                Change::Lost => {}
            }
        }
        let agents = [
            Some(&mut self.ice),
            self.next_ice.as_mut(),
            self.old_ice.as_mut().map(|(old, _)| old),
        ];
        for agent in agents.into_iter().flatten() {
            while let Some((route, bytes)) = agent.poll_transmit() {
                put(&mut self.waiting, &mut self.figures, route, bytes);
            }
        }
    }

    fn way_found(&mut self, now: Instant) {
        self.start_dtls(now);
        self.check_connected();
    }

    /// Says that packets flow, if they do and this was not said.
    fn check_connected(&mut self) {
        if self.srtp.is_some() && self.ice.route().is_some() && !self.connected {
            self.connected = true;
            self.give_up = None;
            self.events.push_back(Event::Connected);
        }
    }

    fn disconnect(&mut self, reason: Disconnected) {
        self.connected = false;
        self.events.push_back(Event::Disconnected(reason));
    }

    fn due(&mut self, now: Instant) -> Instant {
        let agents = [
            Some(&mut self.ice),
            self.next_ice.as_mut(),
            self.old_ice.as_mut().map(|(old, _)| old),
        ];
        let ice = agents.into_iter().flatten().filter_map(IceAgent::due).min();
        let old = self.old_ice.as_ref().map(|(_, until)| *until);
        [ice, old, self.dtls_due, self.give_up]
            .into_iter()
            .flatten()
            .min()
            // Nothing is due; who comes all the same loses nothing.
            .unwrap_or(now + Duration::from_secs(1))
            .max(now)
    }
}

/// Lets a datagram wait. Where too many wait, the newest is left out: its sender repeats it.
fn put(waiting: &mut VecDeque<Transmit>, figures: &mut Figures, route: Route, bytes: Vec<u8>) {
    if waiting.len() < MOST_WAITING {
        waiting.push_back(Transmit {
            local: route.local,
            remote: route.remote,
            bytes,
        });
    } else {
        figures.not_sent += 1;
    }
}
