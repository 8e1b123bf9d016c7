//! A network of endpoints in virtual time: loses, doubles, delays and reorders datagrams by a seed.
#![allow(dead_code, unreachable_pub)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_sip::endpoint::{
    CallHandle, Destination, Endpoint, EndpointConfig, Event, Flow, OutgoingInvite, Party, Transmit,
};
use skillcall_sip::message::Uri;

/// How the network treats datagrams: out of 100.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trouble {
    pub loss: u64,
    pub duplicates: u64,
    /// Longest delay in ms; different delays reorder.
    pub delay: u64,
}

pub struct Peer {
    pub endpoint: Endpoint,
    pub address: SocketAddr,
    pub events: Vec<Event>,
    /// Each message that was sent, with its time.
    pub sent: Vec<(Instant, Bytes)>,
}

struct Flight {
    at: Instant,
    serial: u64,
    from: SocketAddr,
    to: SocketAddr,
    bytes: Bytes,
}

pub struct Network {
    pub start: Instant,
    pub now: Instant,
    pub peers: Vec<Peer>,
    pub trouble: Trouble,
    flights: Vec<Flight>,
    serial: u64,
    random: u64,
}

pub fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Network {
    pub fn new(peers: usize, trouble: Trouble, seed: u64) -> Self {
        Self::with(peers, trouble, seed, |_, _| {})
    }

    pub fn with(
        peers: usize,
        trouble: Trouble,
        seed: u64,
        adjust: impl Fn(usize, &mut EndpointConfig),
    ) -> Self {
        let start = Instant::now();
        let peers = (0..peers)
            .map(|i| {
                let address = address(5060 + i as u16);
                let mut config = EndpointConfig::new(address, [i as u8 + 1; 32]);
                config.id_prefix = format!("w{i}-");
                adjust(i, &mut config);
                Peer {
                    endpoint: Endpoint::new(config),
                    address,
                    events: Vec::new(),
                    sent: Vec::new(),
                }
            })
            .collect();
        Self {
            start,
            now: start,
            peers,
            trouble,
            flights: Vec::new(),
            serial: 0,
            random: seed | 1,
        }
    }

    fn random(&mut self, below: u64) -> u64 {
        // xorshift64*: deterministic, and good enough to shuffle datagrams.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        if below == 0 {
            0
        } else {
            self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) % below
        }
    }

    pub fn call(&mut self, from: usize, to: usize, offer: Option<&str>) -> CallHandle {
        let destination = self.peers[to].address;
        let target = Uri::parse(&format!("sip:desk@{destination}")).unwrap();
        let caller = Party::new(Uri::parse("sip:device@example.com").unwrap()).named("Room \"12\"");
        let offer = offer.map(|sdp| Bytes::copy_from_slice(sdp.as_bytes()));
        let now = self.now;
        let call = self.peers[from]
            .endpoint
            .invite(now, OutgoingInvite::new(target, destination, caller, offer));
        self.collect();
        call.unwrap()
    }

    /// Does something with one endpoint and takes what it sends.
    pub fn act<T>(&mut self, peer: usize, act: impl FnOnce(&mut Endpoint, Instant) -> T) -> T {
        let now = self.now;
        let done = act(&mut self.peers[peer].endpoint, now);
        self.collect();
        done
    }

    /// Puts a datagram on the wire as if `from` had sent it.
    pub fn inject(&mut self, from: SocketAddr, to: usize, bytes: &[u8]) {
        let flow = Flow::udp(self.peers[to].address, from);
        let now = self.now;
        self.peers[to].endpoint.receive(now, &flow, bytes);
        self.collect();
    }

    fn collect(&mut self) {
        for i in 0..self.peers.len() {
            let from = self.peers[i].address;
            while let Some(Transmit {
                destination, bytes, ..
            }) = self.peers[i].endpoint.poll_transmit()
            {
                let Destination::Addr(to) = destination else {
                    panic!("unresolved destination")
                };
                self.peers[i].sent.push((self.now, bytes.clone()));
                let copies = if self.random(100) < self.trouble.duplicates {
                    2
                } else {
                    1
                };
                for _ in 0..copies {
                    if self.random(100) < self.trouble.loss {
                        continue;
                    }
                    let delay = 1 + self.random(self.trouble.delay);
                    self.serial += 1;
                    let at = self.now + Duration::from_millis(delay);
                    self.flights.push(Flight {
                        at,
                        serial: self.serial,
                        from,
                        to,
                        bytes: bytes.clone(),
                    });
                }
            }
            while let Some(event) = self.peers[i].endpoint.poll_event() {
                self.peers[i].events.push(event);
            }
        }
    }

    /// Goes on to the next thing that happens before `until`; `false` if nothing does.
    pub fn step(&mut self, until: Instant) -> bool {
        let timers = self
            .peers
            .iter()
            .filter_map(|peer| peer.endpoint.next_timeout());
        let next = timers
            .chain(self.flights.iter().map(|flight| flight.at))
            .min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(next);
        self.flights
            .sort_by_key(|flight| (flight.at, flight.serial));
        while self
            .flights
            .first()
            .is_some_and(|flight| flight.at <= self.now)
        {
            let flight = self.flights.remove(0);
            let now = self.now;
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == flight.to) {
                let flow = Flow::udp(peer.address, flight.from);
                peer.endpoint.receive(now, &flow, &flight.bytes);
            }
        }
        for peer in &mut self.peers {
            peer.endpoint.handle_timeout(self.now);
        }
        self.collect();
        true
    }

    /// Lets `time` pass.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Runs until `peer` has had an event that `wanted` picks, for at most `limit` of virtual time.
    pub fn wait<T>(
        &mut self,
        peer: usize,
        limit: Duration,
        wanted: impl Fn(&Event) -> Option<T>,
    ) -> T {
        let until = self.now + limit;
        loop {
            if let Some(at) = self.peers[peer]
                .events
                .iter()
                .position(|event| wanted(event).is_some())
            {
                let event = self.peers[peer].events.remove(at);
                return wanted(&event).unwrap();
            }
            assert!(
                self.step(until),
                "event did not come; there are: {:#?}",
                self.peers[peer].events
            );
        }
    }

    /// How many messages of `peer` start with `start`.
    pub fn sent(&self, peer: usize, start: &str) -> usize {
        self.peers[peer]
            .sent
            .iter()
            .filter(|(_, bytes)| bytes.starts_with(start.as_bytes()))
            .count()
    }

    /// The offsets in ms from the start at which `peer` sent messages that start with `start`.
    pub fn times(&self, peer: usize, start: &str) -> Vec<u128> {
        let sent = self.peers[peer]
            .sent
            .iter()
            .filter(|(_, bytes)| bytes.starts_with(start.as_bytes()));
        sent.map(|(at, _)| at.duration_since(self.start).as_millis())
            .collect()
    }

    /// After all timers have run out no endpoint may remember anything.
    pub fn assert_empty(&mut self) {
        self.run(Duration::from_secs(400));
        for peer in &self.peers {
            let counts = peer.endpoint.counts();
            assert_eq!(
                counts,
                skillcall_sip::endpoint::Counts::default(),
                "{} kept state",
                peer.address
            );
        }
    }
}
