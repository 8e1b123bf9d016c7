//! The network between two legs: late, lossy and out of order by a seed; time passes as fast as it is reckoned.

use std::{
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use skillcall_media::rtp::{PayloadType, RtpHeader, Sequence, Timestamp};

use crate::{
    Config, Event, IceMode, Identity, LocalAddress, NotReady, Output, Peer, Received, Route,
    Transmit,
};

/// The two legs.
pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

/// A certificate for each leg: made once, as in a process.
pub(super) fn identity(of: usize) -> Identity {
    static IDENTITIES: OnceLock<[Identity; 3]> = OnceLock::new();
    IDENTITIES.get_or_init(|| [(); 3].map(|()| Identity::generate().unwrap()))[of].clone()
}

pub(super) fn address(of: usize) -> SocketAddr {
    [([192, 0, 2, 1], 40_000), ([198, 51, 100, 2], 50_000)][of].into()
}

pub(super) fn config(of: usize) -> Config {
    Config::new(identity(of), vec![LocalAddress::Host(address(of))])
}

pub(super) struct Network {
    pub(super) now: Instant,
    pub(super) peers: [Peer; 2],
    pub(super) events: [Vec<Event>; 2],
    /// RTP and RTCP that came out.
    pub(super) heard: [Vec<Vec<u8>>; 2],
    /// All that was sent, by whom.
    pub(super) sent: Vec<(usize, Transmit)>,
    /// Whose each address is.
    pub(super) addresses: Vec<(SocketAddr, usize)>,
    /// Lost per 1000.
    pub(super) loss: u64,
    /// The most that a datagram takes; the least is a millisecond.
    pub(super) delay: Duration,
    under_way: Vec<(Instant, Transmit)>,
    seed: u64,
    sequence: [u16; 2],
}

impl Network {
    /// A offers, B answers.
    pub(super) fn new(a: Config, b: Config) -> Self {
        let now = Instant::now();
        let (mut a, offer) = Peer::offer(a, now);
        let (b, answer) = Peer::answer(b, &offer, now).unwrap();
        a.take_answer(&answer, now).unwrap();
        Self::of(a, b, now)
    }

    pub(super) fn of(a: Peer, b: Peer, now: Instant) -> Self {
        Self {
            now,
            peers: [a, b],
            events: [Vec::new(), Vec::new()],
            heard: [Vec::new(), Vec::new()],
            sent: Vec::new(),
            addresses: vec![(address(A), A), (address(B), B)],
            loss: 0,
            delay: Duration::from_millis(20),
            under_way: Vec::new(),
            seed: 1,
            sequence: [100, 200],
        }
    }

    pub(super) fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        self
    }

    pub(super) fn connected() -> Self {
        let mut network = Self::new(config(A), config(B));
        network.run(Duration::from_secs(3));
        network.assert_connected();
        network
    }

    pub(super) fn assert_connected(&self) {
        assert_eq!(self.events, [[Event::Connected], [Event::Connected]]);
    }

    fn random(&mut self) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed >> 11
    }

    pub(super) fn put(&mut self, by: usize, transmit: Transmit) {
        self.sent.push((by, transmit.clone()));
        if self.random() % 1_000 < self.loss {
            return;
        }
        let most = u64::try_from(self.delay.as_micros()).unwrap().max(1);
        let delay = Duration::from_micros(1_000 + self.random() % most);
        self.under_way.push((self.now + delay, transmit));
    }

    /// Lets both legs say all, and tells when one wants to come again.
    fn poll(&mut self) -> Instant {
        let mut next = self.now + Duration::from_secs(60);
        for who in [A, B] {
            loop {
                match self.peers[who].poll(self.now) {
                    Output::Transmit(transmit) => self.put(who, transmit),
                    Output::Event(event) => self.events[who].push(event),
                    Output::Wait(at) => {
                        assert!(at >= self.now);
                        // Never at once: the time would not pass.
                        next = next.min(at.max(self.now + Duration::from_millis(1)));
                        break;
                    }
                }
            }
        }
        next
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let wanted = self.poll();
            let arrival = self.under_way.iter().map(|(at, _)| *at).min();
            self.now = arrival.map_or(wanted, |at| at.min(wanted)).min(end);
            let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.under_way)
                .into_iter()
                .partition(|(at, _)| *at <= self.now);
            self.under_way = later;
            for (_, transmit) in due {
                self.arrive(transmit);
            }
        }
    }

    /// Passes a datagram to whose its address is.
    pub(super) fn arrive(&mut self, transmit: Transmit) -> Option<usize> {
        let whose = self
            .addresses
            .iter()
            .find(|(address, _)| *address == transmit.remote)
            .map(|(_, who)| *who)?;
        // What comes from an address that is gone was sent before it went.
        let mut bytes = transmit.bytes;
        match self.peers[whose].receive(self.now, transmit.remote, transmit.local, &mut bytes) {
            Received::Rtp(packet) | Received::Rtcp(packet) => {
                let packet = packet.to_vec();
                self.heard[whose].push(packet);
            }
            Received::Handled | Received::Video(_) | Received::Dropped(_) => {}
        }
        Some(whose)
    }

    /// Sends an RTP packet with this payload.
    pub(super) fn say(&mut self, who: usize, payload: &[u8]) -> Result<Route, NotReady> {
        let mut buffer = [0; 1_500];
        let header = RtpHeader {
            marker: false,
            payload_type: PayloadType::PCMU,
            sequence: Sequence(self.sequence[who]),
            timestamp: Timestamp(7),
            ssrc: 11 + who as u32,
        };
        let len = header.write(payload, &mut buffer).unwrap();
        self.sequence[who] = self.sequence[who].wrapping_add(1);
        let (route, len) = self.peers[who].send_rtp(&mut buffer, len)?;
        self.put(
            who,
            Transmit {
                local: route.local,
                remote: route.remote,
                bytes: buffer[..len].to_vec(),
            },
        );
        Ok(route)
    }

    /// Sends the same word both ways, and checks that it is heard once.
    pub(super) fn assert_talk(&mut self, word: &[u8]) {
        for who in [A, B] {
            self.say(who, word).unwrap();
        }
        self.run(self.delay + Duration::from_millis(100));
        for who in [A, B] {
            let heard = self.heard[who].iter();
            assert_eq!(
                heard.filter(|packet| packet.ends_with(word)).count(),
                1,
                "{who} hears {word:?}"
            );
        }
    }

    /// How many DTLS handshakes the descriptions have led to: ClientHellos that are no repetitions carry the sequence
    /// number 0 of epoch 0.
    pub(super) fn handshakes(&self) -> usize {
        self.sent
            .iter()
            .filter(|(_, transmit)| {
                transmit.bytes.first() == Some(&22)
                    && transmit.bytes.get(3..11) == Some(&[0; 8])
                    && transmit.bytes.get(13) == Some(&1)
            })
            .count()
    }

    pub(super) fn lite(of: usize) -> Config {
        Config {
            mode: IceMode::Lite,
            ..config(of)
        }
    }
}
