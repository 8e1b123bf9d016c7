//! A network that loses and delays: which packets, and by how much, is a matter of their numbers, not of the clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a network does to packets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trace {
    pub(crate) name: &'static str,
    /// Packets lost of a hundred.
    pub(crate) loss: u64,
    /// The most milliseconds by which a packet is delayed; each is by another time, so that later ones overtake.
    pub(crate) jitter: u64,
    pub(crate) seed: u64,
}

impl Trace {
    /// By how much a packet is delayed; none: it is lost.
    pub(crate) fn delay(&self, packet: usize) -> Option<Duration> {
        let chance = self.random(2 * packet as u64);
        if chance % 10_000 < 100 * self.loss {
            return None;
        }
        let delay = match self.jitter {
            0 => 0,
            most => self.random(2 * packet as u64 + 1) % (1_000 * most),
        };
        Some(Duration::from_micros(delay))
    }

    /// SplitMix64.
    fn random(&self, at: u64) -> u64 {
        let mut z = (self.seed << 32)
            .wrapping_add(at + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// When packets that are sent every 20 ms arrive, and which ones, in the order of their arrival.
    pub(crate) fn arrivals(&self, packets: usize) -> Vec<(Duration, usize)> {
        let mut arrivals: Vec<_> = (0..packets)
            .filter_map(|packet| {
                let sent = Duration::from_millis(20 * packet as u64);
                Some((sent + self.delay(packet)?, packet))
            })
            .collect();
        arrivals.sort_unstable();
        arrivals
    }
}

/// Whether a datagram carries media: RTP, or what protects it. ICE, DTLS and RTCP are left in peace.
fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(192..=223).contains(kind))
}

/// A socket for RTP, and the one above it: RTCP goes there (RFC 3550 §11), which in no other program's socket must be taken for something
/// else.
pub(crate) fn rtp_pair() -> [UdpSocket; 2] {
    loop {
        let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let above = rtp.local_addr().unwrap().port().checked_add(1);
        if let Some(Ok(rtcp)) = above.map(|port| UdpSocket::bind(("127.0.0.1", port))) {
            return [rtp, rtcp];
        }
    }
}

/// Whether a packet begins a talk-spurt (RFC 3550 §5.1, RFC 3551 §4.1): encryption leaves that to be seen.
fn begins(datagram: &[u8]) -> bool {
    matches!(datagram, [_, kind, ..] if kind & 0x80 != 0)
}

/// A relay between one peer, known from the start, and another one; media pass it as the traces say, which begin anew with each
/// talk-spurt.
pub(crate) struct Lossy {
    pub(crate) address: SocketAddr,
    _rtcp: UdpSocket,
    other: Arc<Mutex<Option<SocketAddr>>>,
    passed: Arc<[AtomicUsize; 2]>,
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Waiting = BinaryHeap<Reverse<(Instant, usize, Vec<u8>, SocketAddr)>>;

impl Lossy {
    /// A relay for `peer`; `from` is what becomes of its packets, `to` of those for it.
    pub(crate) fn before(peer: SocketAddr, from: Trace, to: Trace) -> Self {
        let [socket, rtcp] = rtp_pair();
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        let address = socket.local_addr().unwrap();
        let other = Arc::new(Mutex::new(None));
        let passed = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let quit = Arc::new(AtomicBool::new(false));
        let (far, stop, count) = (Arc::clone(&other), Arc::clone(&quit), Arc::clone(&passed));
        let thread = std::thread::spawn(move || {
            let mut room = [0; 2_048];
            let mut waiting = Waiting::new();
            let (mut numbers, mut order) = ([0; 2], 0);
            while !stop.load(Ordering::Relaxed) {
                let came = socket.recv_from(&mut room).ok();
                let now = Instant::now();
                if let Some((len, source)) = came {
                    let datagram = &room[..len];
                    let inward = source != peer;
                    let goes_to = match inward {
                        true => Some(peer),
                        false => *far.lock().unwrap(),
                    };
                    let trace = if inward { to } else { from };
                    let delay = match is_media(datagram) {
                        true => {
                            let number = &mut numbers[usize::from(inward)];
                            if begins(datagram) {
                                *number = 0;
                            }
                            *number += 1;
                            trace.delay(*number - 1)
                        }
                        false => Some(Duration::ZERO),
                    };
                    if let (Some(goes_to), Some(delay)) = (goes_to, delay) {
                        count[usize::from(inward)].fetch_add(1, Ordering::Relaxed);
                        order += 1;
                        waiting.push(Reverse((now + delay, order, datagram.to_vec(), goes_to)));
                    }
                }
                while let Some(Reverse((due, ..))) = waiting.peek()
                    && *due <= now
                    && let Some(Reverse((_, _, datagram, goes_to))) = waiting.pop()
                {
                    let _ = socket.send_to(&datagram, goes_to);
                }
            }
        });
        Self {
            address,
            _rtcp: rtcp,
            other,
            passed,
            quit,
            thread: Some(thread),
        }
    }

    /// Where packets of the peer go on to.
    pub(crate) fn leads_to(&self, other: SocketAddr) {
        *self.other.lock().unwrap() = Some(other);
    }

    /// Datagrams that went on from the peer, and to it.
    pub(crate) fn passed(&self) -> [usize; 2] {
        [0, 1].map(|way| self.passed[way].load(Ordering::Relaxed))
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
