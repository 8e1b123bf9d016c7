//! One ICE session: from its credentials to the next restart.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use is::{
    IceAgentEvent, IceConnectionState, IceCreds, Protocol,
    stun::{StunMessage, StunPacket},
};

use super::{IceMode, LocalAddress, LocalCandidate, Route, credentials};
use crate::sdp::RemoteTransport;

/// How long nothing of the peer may be heard by ICE before we stop to send (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(30);
/// The least time between two checks. RFC 8445 §14.2 has 50 ms, and 5 ms at the least; a call has few candidates.
const PACE: Duration = Duration::from_millis(10);
/// The most pairs that are checked: what RFC 8445 §6.1.2.5 names.
const MOST_PAIRS: usize = 100;
/// The most addresses of the peer from which other packets than STUN are taken.
const MOST_SOURCES: usize = 16;

/// What has happened to the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Packets go this way from now on.
    Selected(Route),
    /// No way is left: all checks failed, or consent is gone.
    Lost,
}

/// One ICE session.
#[derive(Debug)]
pub(crate) struct IceAgent {
    agent: is::IceAgent,
    mode: IceMode,
    addresses: Vec<LocalAddress>,
    /// Addresses of the peer that a right password came from.
    sources: Vec<SocketAddr>,
    route: Option<Route>,
    alive: bool,
    /// Answers to our checks so far, and when the last one came.
    answers: u64,
    heard: Instant,
    changes: VecDeque<Change>,
}

impl IceAgent {
    pub(crate) fn new(
        mode: IceMode,
        addresses: &[LocalAddress],
        controlling: bool,
        now: Instant,
    ) -> Self {
        let mut agent = is::IceAgent::new(credentials());
        agent.set_ice_lite(mode == IceMode::Lite);
        agent.set_controlling(controlling && mode == IceMode::Full);
        agent.set_timing_advance(PACE);
        agent.set_max_candidate_pairs(MOST_PAIRS);
        for candidate in addresses
            .iter()
            .flat_map(|address| address.candidates(mode))
        {
            agent.add_local_candidate(candidate);
        }
        agent.handle_timeout(now);
        Self {
            agent,
            mode,
            addresses: addresses.to_vec(),
            sources: Vec::new(),
            route: None,
            alive: false,
            answers: 0,
            heard: now,
            changes: VecDeque::new(),
        }
    }

    pub(crate) fn credentials(&self) -> &IceCreds {
        self.agent.local_credentials()
    }

    pub(crate) fn candidates(&self) -> Vec<LocalCandidate> {
        let agents: Vec<_> = self.agent.local_candidates().collect();
        LocalCandidate::list(&agents, &self.addresses, self.mode)
    }

    pub(crate) fn addresses(&self) -> &[LocalAddress] {
        &self.addresses
    }

    pub(crate) fn is_controlling(&self) -> bool {
        self.agent.controlling()
    }

    /// The peer's user name and password, once known.
    pub(crate) fn remote_credentials(&self) -> Option<&IceCreds> {
        self.agent.remote_credentials()
    }

    /// Begins to check.
    pub(crate) fn set_remote(&mut self, remote: &RemoteTransport, now: Instant) {
        if remote.lite && self.mode == IceMode::Full {
            // RFC 8445 §6.1.1: who has checks of its own controls one who has none.
            self.agent.set_controlling(true);
        }
        self.agent
            .set_remote_credentials(remote.credentials.clone());
        for candidate in &remote.candidates {
            self.agent.add_remote_candidate(candidate.clone());
        }
        self.advance(now);
    }

    /// Takes candidates that a later description of the same session adds.
    pub(crate) fn add_candidates(&mut self, remote: &RemoteTransport, now: Instant) {
        for candidate in &remote.candidates {
            let known = self
                .agent
                .remote_candidates()
                .any(|known| known.addr() == candidate.addr());
            if !known {
                self.agent.add_remote_candidate(candidate.clone());
            }
        }
        self.advance(now);
    }

    /// The way that packets take.
    pub(crate) fn route(&self) -> Option<Route> {
        self.route.filter(|_| self.alive)
    }

    /// Whether the peer has shown its password from this address.
    pub(crate) fn knows(&self, remote: SocketAddr) -> bool {
        self.sources.contains(&remote)
    }

    /// Takes a STUN message. False: it is none, or not of this session's peer.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        datagram: &[u8],
    ) -> bool {
        let Ok(message) = StunMessage::parse(datagram) else {
            return false;
        };
        let taken = self.agent.handle_packet(
            now,
            StunPacket {
                proto: Protocol::Udp,
                source: remote,
                destination: local,
                message,
            },
        );
        if taken {
            // What it leads to, a nomination or the next check, is not to wait for the clock.
            self.agent.handle_timeout(now);
            self.collect(now);
        }
        taken
    }

    /// Lets the time pass.
    pub(crate) fn advance(&mut self, now: Instant) {
        // Each round handles one check or one request that has waited for the peer's password.
        for _ in 0..128 {
            if self.agent.poll_timeout().is_some_and(|at| at > now) {
                break;
            }
            self.agent.handle_timeout(now);
        }
        self.collect(now);
        if self.alive && self.mode == IceMode::Full && now >= self.heard + CONSENT {
            self.lose();
        }
    }

    fn collect(&mut self, now: Instant) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                IceAgentEvent::NominatedSend {
                    source,
                    destination,
                    ..
                } => {
                    let route = Route {
                        local: source,
                        remote: destination,
                    };
                    self.route = Some(route);
                    self.alive = true;
                    self.heard = now;
                    self.changes.push_back(Change::Selected(route));
                }
                IceAgentEvent::DiscoveredRecv { source, .. } => {
                    if !self.sources.contains(&source) {
                        if self.sources.len() >= MOST_SOURCES {
                            self.sources.remove(0);
                        }
                        self.sources.push(source);
                    }
                }
                IceAgentEvent::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                    if self.alive {
                        self.lose();
                    }
                }
                IceAgentEvent::IceConnectionStateChange(_) | IceAgentEvent::IceRestart(_) => {}
            }
        }
        if let Some(answers) = self.agent.nominated_pair_responses_received()
            && answers != self.answers
        {
            self.answers = answers;
            self.heard = now;
            if let Some(route) = self.route
                && !self.alive
            {
                self.alive = true;
                self.changes.push_back(Change::Selected(route));
            }
        }
    }

    fn lose(&mut self) {
        self.alive = false;
        self.changes.push_back(Change::Lost);
    }

    pub(crate) fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// A datagram of ICE.
    pub(crate) fn poll_transmit(&mut self) -> Option<(Route, Vec<u8>)> {
        let transmit = self.agent.poll_transmit()?;
        let route = Route {
            local: transmit.source,
            remote: transmit.destination,
        };
        Some((route, transmit.contents.to_vec()))
    }

    /// When [`IceAgent::advance`] is due.
    pub(crate) fn due(&mut self) -> Option<Instant> {
        let consent = (self.alive && self.mode == IceMode::Full).then(|| self.heard + CONSENT);
        [self.agent.poll_timeout(), consent]
            .into_iter()
            .flatten()
            .min()
    }
}
