//! Many parties of calls in one thread, each with a tone of its own, which look at every packet that reaches them.
//!
//! A party is one end of a call. Its number names the tone that it says and the one that it has to hear: those of the two
//! ends of a call are different, and so are those of calls that follow each other.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use skillcall_media::{FRAME_SAMPLES, Frame, codec::Codec, tone};
use skillcall_sip::endpoint::{
    CallHandle, Destination, Endpoint, EndpointConfig, Event, Flow, OutgoingInvite, Party,
};
use skillcall_sip::message::{StatusCode, Uri};
use skillcall_sip::sdp::{self, Capabilities, MediaSession};

/// The longest that a crowd has for what is waited for; each of its calls does something meanwhile.
const LIMIT: Duration = Duration::from_secs(120);
const FRAME: Duration = Duration::from_millis(20);
/// Bytes of an RTP header without extension (RFC 3550 §5.1).
const RTP_HEADER: usize = 12;

/// Which end of its call a party is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Caller,
    Called,
}

/// What one party has met with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Met {
    pub(crate) answered: bool,
    pub(crate) ended: bool,
    pub(crate) failed: Option<u16>,
    /// Packets since the tone was heard first.
    pub(crate) packets: u64,
    /// Of those, the ones that were not the tone.
    pub(crate) wrong: u64,
    /// Sequence numbers that were left out meanwhile.
    pub(crate) lost: u64,
}

type Seen = Arc<(Mutex<BTreeMap<u32, Met>>, Condvar)>;

enum Order {
    Call {
        to: SocketAddr,
        user: String,
        numbers: Vec<u32>,
    },
    HangUp(u32),
    Quit,
}

/// Parties at one address.
pub(crate) struct Crowd {
    pub(crate) address: SocketAddr,
    orders: Sender<Order>,
    seen: Seen,
    thread: Option<JoinHandle<()>>,
}

/// A tone with a whole number of periods in a frame; the two ends of a call have neighbours.
fn frequency(number: u32, end: End) -> f64 {
    let step = number * 2 + u32::from(end == End::Called);
    400.0 + 50.0 * f64::from(step % 58)
}

impl Crowd {
    /// Parties that call, or that answer whoever calls: the number is the last three digits of who calls, or is called.
    pub(crate) fn start(at: &str, end: End) -> Self {
        let sip = UdpSocket::bind((at, 0)).unwrap();
        sip.set_nonblocking(true).unwrap();
        let address = sip.local_addr().unwrap();
        let (orders, queue) = channel();
        let seen = Seen::default();
        let shared = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let seed = std::array::from_fn(|_| rand::random());
            let running = Running {
                endpoint: Endpoint::new(EndpointConfig::new(address, seed)),
                sip,
                address,
                end,
                parties: BTreeMap::new(),
                numbers: BTreeMap::new(),
                seen: shared,
            };
            running.run(&queue);
        });
        Self {
            address,
            orders,
            seen,
            thread: Some(thread),
        }
    }

    /// Each of these calls.
    pub(crate) fn call(&self, to: SocketAddr, user: &str, numbers: impl Iterator<Item = u32>) {
        let numbers: Vec<u32> = numbers.collect();
        let mut seen = self.seen.0.lock().unwrap();
        seen.extend(numbers.iter().map(|number| (*number, Met::default())));
        let user = user.to_owned();
        self.orders.send(Order::Call { to, user, numbers }).unwrap();
    }

    /// Each of these hangs up.
    pub(crate) fn hang_up(&self, numbers: impl Iterator<Item = u32>) {
        numbers.for_each(|number| self.orders.send(Order::HangUp(number)).unwrap());
    }

    /// Waits until so many parties are there, and each fits.
    pub(crate) fn wait(
        &self,
        what: &str,
        numbers: impl Iterator<Item = u32> + Clone,
        fits: impl Fn(u32, &Met) -> bool,
    ) -> BTreeMap<u32, Met> {
        let until = Instant::now() + LIMIT;
        let mut seen = self.seen.0.lock().unwrap();
        loop {
            let unfit: Vec<_> = numbers
                .clone()
                .filter(|number| !seen.get(number).is_some_and(|met| fits(*number, met)))
                .collect();
            let Some(first) = unfit.first() else {
                return seen.clone();
            };
            assert!(
                Instant::now() < until,
                "{what}: {} parties do not, such as {first}: {:?}",
                unfit.len(),
                seen.get(first)
            );
            seen = (self.seen.1)
                .wait_timeout(seen, Duration::from_millis(100))
                .unwrap()
                .0;
        }
    }

    /// What all of these have met with so far.
    pub(crate) fn met(&self, numbers: impl Iterator<Item = u32> + Clone) -> BTreeMap<u32, Met> {
        self.wait("are there", numbers, |_, _| true)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Quit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the crowd panicked");
        }
    }
}

/// A party's audio.
struct Audio {
    socket: UdpSocket,
    sdp: MediaSession,
    remote: Option<SocketAddr>,
    says: [u8; FRAME_SAMPLES],
    hears: f64,
    sequence: u16,
    next: Instant,
    /// Source and sequence number of what came last.
    last: Option<([u8; 4], u16)>,
    settled: bool,
}

impl Audio {
    fn new(number: u32, end: End) -> Self {
        let other = match end {
            End::Caller => End::Called,
            End::Called => End::Caller,
        };
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let local = socket.local_addr().unwrap();
        let voice = tone::sine(frequency(number, end), -10.0, FRAME_SAMPLES);
        let voice = Frame::try_from(voice).unwrap();
        let mut capabilities = Capabilities::new(local.ip(), local.port());
        capabilities.telephone_event = None;
        Self {
            socket,
            sdp: MediaSession::new(capabilities, 1),
            remote: None,
            says: Codec::Pcmu.encode_frame(&voice),
            hears: frequency(number, other),
            sequence: 0,
            next: Instant::now(),
            last: None,
            settled: false,
        }
    }

    fn negotiated(&mut self, negotiated: &sdp::Negotiated) {
        assert_eq!(negotiated.codec, sdp::Codec::Pcmu);
        self.remote = Some(negotiated.remote);
        self.next = Instant::now();
    }

    /// Says what is due.
    fn speak(&mut self, number: u32, now: Instant) {
        let Some(remote) = self.remote else { return };
        // Whoever was held up for a second does not say all that was missed.
        if now > self.next + Duration::from_secs(1) {
            self.next = now;
        }
        while self.next <= now {
            self.next += FRAME;
            self.sequence = self.sequence.wrapping_add(1);
            let mut packet = vec![0x80, 0];
            packet.extend(self.sequence.to_be_bytes());
            packet.extend((u32::from(self.sequence) * FRAME_SAMPLES as u32).to_be_bytes());
            packet.extend((0x0c00_0000 + number).to_be_bytes());
            packet.extend(self.says);
            let _ = self.socket.send_to(&packet, remote);
        }
    }

    /// Takes what has come.
    fn listen(&mut self, met: &mut Met) {
        let mut packet = [0; 2048];
        while let Ok((len, from)) = self.socket.recv_from(&mut packet) {
            if Some(from) != self.remote || len < RTP_HEADER || packet[0] != 0x80 {
                continue;
            }
            let source = [packet[8], packet[9], packet[10], packet[11]];
            let sequence = u16::from_be_bytes([packet[2], packet[3]]);
            let mut samples = [0; FRAME_SAMPLES];
            let decoded = Codec::Pcmu.decode(&packet[RTP_HEADER..len], &mut samples);
            let is_tone = packet[1] & 0x7f == 0
                && decoded == FRAME_SAMPLES
                && tone::power_at(&samples, self.hears) > 0.8;
            if !self.settled {
                // The other end may not be connected yet.
                self.settled = is_tone;
                self.last = Some((source, sequence));
                continue;
            }
            met.packets += 1;
            met.wrong += u64::from(!is_tone);
            if let Some((before, last)) = self.last
                && before == source
            {
                met.lost += u64::from(sequence.wrapping_sub(last).wrapping_sub(1));
            }
            self.last = Some((source, sequence));
        }
    }
}

struct Running {
    endpoint: Endpoint,
    sip: UdpSocket,
    address: SocketAddr,
    end: End,
    parties: BTreeMap<u32, (CallHandle, Audio)>,
    numbers: BTreeMap<CallHandle, u32>,
    seen: Seen,
}

impl Running {
    fn run(mut self, orders: &Receiver<Order>) {
        let mut buffer = vec![0; 65_535];
        loop {
            while let Ok(order) = orders.try_recv() {
                match order {
                    Order::Call { to, user, numbers } => {
                        for number in numbers {
                            self.dial(to, &user, number);
                        }
                    }
                    Order::HangUp(number) => {
                        if let Some((call, _)) = self.parties.get(&number) {
                            // Whoever was hung up on meanwhile has nothing to end.
                            let _ = self.endpoint.bye(Instant::now(), *call, &[]);
                        }
                    }
                    Order::Quit => return,
                }
            }
            loop {
                match self.sip.recv_from(&mut buffer) {
                    Ok((len, from)) => {
                        let flow = Flow::udp(self.address, from);
                        (self.endpoint).receive(Instant::now(), &flow, &buffer[..len]);
                    }
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            self.endpoint.handle_timeout(Instant::now());
            while let Some(event) = self.endpoint.poll_event() {
                self.on_event(event);
            }
            while let Some(transmit) = self.endpoint.poll_transmit() {
                let Destination::Addr(to) = transmit.destination else {
                    panic!("no address")
                };
                let _ = self.sip.send_to(&transmit.bytes, to);
            }
            let now = Instant::now();
            {
                let mut seen = self.seen.0.lock().unwrap();
                for (number, (_, audio)) in &mut self.parties {
                    audio.speak(*number, now);
                    audio.listen(seen.entry(*number).or_default());
                }
            }
            self.seen.1.notify_all();
            // Half a frame: nobody depends on how exact this is.
            std::thread::sleep(FRAME / 2);
        }
    }

    fn change(&self, number: u32, change: impl FnOnce(&mut Met)) {
        change(self.seen.0.lock().unwrap().entry(number).or_default());
        self.seen.1.notify_all();
    }

    fn dial(&mut self, to: SocketAddr, user: &str, number: u32) {
        let mut audio = Audio::new(number, self.end);
        let target = Uri::parse(&format!("sip:{user}@{to}")).unwrap();
        let from = Uri::parse(&format!("sip:+12045550{number:03}@{}", self.address)).unwrap();
        let offer = audio.sdp.offer();
        let invite = OutgoingInvite::new(target, to, Party::new(from), Some(offer));
        let call = self.endpoint.invite(Instant::now(), invite).unwrap();
        self.numbers.insert(call, number);
        self.parties.insert(number, (call, audio));
    }

    fn on_event(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Invite {
                call,
                request,
                offer,
                ..
            } => {
                let called = request.uri().user().unwrap().into_owned();
                let number = called[called.len() - 3..].parse().unwrap();
                let mut audio = Audio::new(number, self.end);
                let (answer, negotiated) = audio.sdp.answer(&offer.unwrap()).unwrap();
                audio.negotiated(&negotiated);
                (self.endpoint)
                    .provisional(now, call, StatusCode::RINGING, "", &[], None)
                    .unwrap();
                self.endpoint.accept(now, call, &[], Some(answer)).unwrap();
                self.numbers.insert(call, number);
                self.parties.insert(number, (call, audio));
                self.change(number, |met| {
                    *met = Met::default();
                    met.answered = true;
                });
            }
            Event::Answered { call, sdp, .. } => {
                let number = self.numbers[&call];
                let (_, audio) = self.parties.get_mut(&number).unwrap();
                let negotiated = audio.sdp.accept_answer(&sdp.unwrap()).unwrap();
                audio.negotiated(&negotiated);
                self.change(number, |met| met.answered = true);
            }
            Event::Failed { call, status, .. } => {
                self.over(call, |met| met.failed = Some(status.get()));
            }
            Event::Ended { call, .. } => self.over(call, |met| met.ended = true),
            _ => {}
        }
    }

    fn over(&mut self, call: CallHandle, change: impl FnOnce(&mut Met)) {
        if let Some(number) = self.numbers.remove(&call) {
            self.parties.remove(&number);
            self.change(number, change);
        }
    }
}
