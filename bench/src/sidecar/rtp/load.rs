//! Speaks on all legs at once, evenly over each 20 ms, and listens to what comes out.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::datagrams::{self, BATCH};
use super::packet::{self, LEN, ROOM, Stream};
use super::secret::Secret;
use skillcall_media::srtp::Outbound;

/// Between two packets of a stream.
const FRAME: Duration = Duration::from_millis(20);
/// Parts of a frame: a twentieth of the streams sends in each millisecond.
const SLOTS: u32 = 20;
/// After the last packet: what is on its way arrives.
const TAIL: Duration = Duration::from_millis(300);
/// The longest sleep between two looks at what came.
const NAP: Duration = Duration::from_micros(500);

/// A socket at which all calls of one side have their RTP.
pub(in crate::sidecar) struct Side {
    socket: UdpSocket,
    /// Its address.
    pub(in crate::sidecar) address: SocketAddr,
    /// RTCP comes here, and is not read.
    _rtcp: Option<UdpSocket>,
}

impl Side {
    /// On a free port.
    pub(in crate::sidecar) fn bind() -> anyhow::Result<Self> {
        let socket = datagrams::bind()?;
        let address = socket.local_addr()?;
        let above = SocketAddr::new(address.ip(), address.port().wrapping_add(1));
        Ok(Self {
            socket,
            address,
            _rtcp: UdpSocket::bind(above).ok(),
        })
    }

    /// When the first packet came, in time since 1970, if one comes within the time; what else is there is read and
    /// forgotten.
    pub(in crate::sidecar) fn first_packet(
        &self,
        within: Duration,
    ) -> anyhow::Result<Option<Duration>> {
        let until = Instant::now() + within;
        let mut first = None;
        loop {
            datagrams::receive(&self.socket, |_, _, arrived| {
                first.get_or_insert_with(|| arrived.unwrap_or_else(since_1970));
            })?;
            if first.is_some() || Instant::now() >= until {
                return Ok(first);
            }
            std::thread::sleep(NAP);
        }
    }
}

/// What was sent and what came.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct Heard {
    /// Packets sent.
    pub(in crate::sidecar) sent: u64,
    /// Packets that came and were none of ours: prompts.
    pub(in crate::sidecar) others: u64,
    /// Delays of the packets that came, in microseconds, in rising order.
    delays: Vec<u32>,
    /// The greatest delay of our own: how much later than planned a packet was sent.
    pub(in crate::sidecar) own_lag: Duration,
}

impl Heard {
    /// Packets that never came.
    pub(in crate::sidecar) fn missing(&self) -> u64 {
        self.sent.saturating_sub(self.delays.len() as u64)
    }

    /// Packets that were relayed.
    pub(in crate::sidecar) fn relayed(&self) -> u64 {
        self.delays.len() as u64
    }

    /// Packets that came more than `limit` after they were sent.
    pub(in crate::sidecar) fn later_than(&self, limit: Duration) -> u64 {
        let limit = micros(limit);
        (self.delays.len() - self.delays.partition_point(|delay| *delay <= limit)) as u64
    }

    /// The delay that so many of 1000 packets do not exceed.
    pub(in crate::sidecar) fn delay(&self, per_mille: usize) -> Duration {
        let last = self.delays.len().saturating_sub(1);
        let place = last * per_mille / 1000;
        Duration::from_micros(self.delays.get(place).copied().unwrap_or_default().into())
    }
}

/// Streams to all legs of both sides.
pub(in crate::sidecar) struct Load<'a> {
    sides: [Talk<'a>; 2],
    packets: Vec<[u8; ROOM]>,
}

/// One side's streams.
struct Talk<'a> {
    side: &'a Side,
    legs: &'a [SocketAddr],
    streams: Vec<Stream>,
    /// Their encryption, one for each; none at all where they have none.
    out: Vec<Outbound>,
    /// What the other direction is opened with, by the port that sends it.
    secrets: HashMap<u16, &'a Secret>,
}

impl<'a> Load<'a> {
    /// From each side to its legs.
    pub(in crate::sidecar) fn new(sides: [(&'a Side, &'a [SocketAddr]); 2]) -> Self {
        Self {
            sides: sides.map(|(side, legs)| Talk {
                side,
                legs,
                streams: legs.iter().map(|_| Stream::new()).collect(),
                out: Vec::new(),
                secrets: HashMap::new(),
            }),
            packets: vec![[0; ROOM]; BATCH],
        }
    }

    /// The first side's legs are encrypted so, if there are any secrets.
    pub(in crate::sidecar) fn encrypted(mut self, secrets: &'a [Secret]) -> anyhow::Result<Self> {
        let [talk, _] = &mut self.sides;
        for (leg, secret) in talk.legs.iter().zip(secrets) {
            talk.out.push(secret.outbound()?);
            talk.secrets.insert(leg.port(), secret);
        }
        Ok(self)
    }

    /// Speaks for so long. Each stream's first packet may teach the sidecar its address, so `warm_up` is not counted.
    pub(in crate::sidecar) fn run(
        &mut self,
        warm_up: Duration,
        time: Duration,
        mut at_the_start: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Heard> {
        self.speak(warm_up)?;
        at_the_start()?;
        self.speak(time)
    }

    fn speak(&mut self, time: Duration) -> anyhow::Result<Heard> {
        let mut heard = Heard::default();
        let streams: usize = self.sides.iter().map(|talk| talk.legs.len()).sum();
        let frames = (time.as_micros() / FRAME.as_micros()) as u32;
        heard.delays.reserve(streams * frames as usize);
        let begun = Instant::now();
        for frame in 0..frames {
            for slot in 0..SLOTS {
                let due = begun + FRAME * frame + FRAME / SLOTS * slot;
                self.listen_until(due, &mut heard)?;
                heard.own_lag = heard.own_lag.max(due.elapsed());
                self.send(slot as usize, &mut heard)?;
            }
        }
        self.listen_until(Instant::now() + TAIL, &mut heard)?;
        heard.delays.sort_unstable();
        Ok(heard)
    }

    /// Sends a packet of every stream whose turn it is.
    fn send(&mut self, slot: usize, heard: &mut Heard) -> anyhow::Result<()> {
        for talk in &mut self.sides {
            let (from, to) = (
                talk.legs.len() * slot / SLOTS as usize,
                talk.legs.len() * (slot + 1) / SLOTS as usize,
            );
            let mut begin = from;
            while begin < to {
                let end = to.min(begin + BATCH);
                let legs = &talk.legs[begin..end];
                let now = since_1970();
                for (stream, packet) in talk.streams[begin..end].iter_mut().zip(&mut self.packets) {
                    stream.write(now, packet);
                }
                let mut len = LEN;
                if let Some(out) = talk.out.get_mut(begin..end) {
                    for (out, packet) in out.iter_mut().zip(&mut self.packets) {
                        len = out.protect_rtp(packet, LEN)?;
                    }
                }
                datagrams::send(
                    &talk.side.socket,
                    &mut self.packets[..legs.len()],
                    len,
                    legs,
                )?;
                heard.sent += legs.len() as u64;
                begin = end;
            }
        }
        Ok(())
    }

    fn listen_until(&self, until: Instant, heard: &mut Heard) -> anyhow::Result<()> {
        loop {
            for talk in &self.sides {
                datagrams::receive(&talk.side.socket, |packet, from, arrived| {
                    let packet: &[u8] = match talk.secrets.get(&from) {
                        // What cannot be opened counts as none of ours.
                        Some(secret) => secret.open(packet),
                        None => packet,
                    };
                    if let Some(sent) = packet::sent_at(packet) {
                        let arrived = arrived.unwrap_or_else(since_1970);
                        heard.delays.push(micros(arrived.saturating_sub(sent)));
                    } else {
                        heard.others += 1;
                    }
                })?;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// By the clock that the kernel stamps datagrams with.
fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
