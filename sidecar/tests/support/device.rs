//! An Alexa device's media: a WebRTC peer on loopback in a thread, with a tone as its voice.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use skillcall_media::dtmf::{Digit, ToneDetector, audible};
use skillcall_media::encoding::Encoding;
use skillcall_media::jitter::JitterConfig;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_media::session::{AudioSession, Format, Outgoing, SessionConfig};
use skillcall_media::transcode::{OpusSettings, Side, Transcoder};
use skillcall_media::{FRAME_SAMPLES, Frame, SILENT_FRAME, codec::Codec, tone};
use skillcall_video::Terms;
use skillcall_webrtc::{
    Audio, Config, Direction, Event, Identity, LocalAddress, Output, Peer, Received, Style,
};

use super::LIMIT;
use super::camera::Camera;
use super::lossy::{Lossy, Trace};

pub(crate) struct Device {
    inner: Arc<(Mutex<Inner>, Condvar)>,
    quit: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    peer: Peer,
    session: AudioSession,
    heard: Vec<i16>,
    digits: String,
    tones: ToneDetector,
    pressed: Vec<Frame>,
    connected: bool,
    lost: Option<String>,
    mute: bool,
    /// Payloads that have come, as they were.
    payloads: Vec<Vec<u8>>,
    /// Another tone that it says from now on.
    another: Option<f64>,
    /// In and out, with a codec that the session does not speak.
    transcoders: Option<(Transcoder, Transcoder)>,
    /// What stands between it and the other side.
    via: Option<Arc<Lossy>>,
    /// The sockets: the one of its network, then the one before.
    sockets: Vec<Arc<UdpSocket>>,
    /// The last protected packets that it sent.
    sent: VecDeque<Vec<u8>>,
    camera: Option<Camera>,
    /// Packets of video that have come, opened.
    seen: Vec<Vec<u8>>,
}

impl Inner {
    /// A packet in G.711. Digits are found in what was sent, not in what is played: a thread that gets no time would hear one twice.
    fn hear(&mut self, now: Instant, packet: &[u8]) {
        let codes = packet.get(12..).unwrap_or_default();
        let mut said = vec![0; codes.len()];
        self.session.format().codec.decode(codes, &mut said);
        self.digits
            .extend(self.tones.push(&said).map(Digit::as_char));
        let _ = self.session.receive_rtp(now, packet);
    }

    /// Sends the next packet of its camera, if it has one that is wanted.
    fn show(&mut self, sockets: &[Arc<UdpSocket>]) {
        let (Some(camera), Some(video)) = (&mut self.camera, self.peer.video()) else {
            return;
        };
        let (Some(format), true) = (video.formats.first(), video.direction.sends()) else {
            return;
        };
        let packet = camera.packet(format.send);
        let mut out = [0; MAX_PACKET];
        out[..packet.len()].copy_from_slice(&packet);
        if let Ok((route, len)) = self.peer.send_rtp(&mut out, packet.len()) {
            send(sockets, route.local, route.remote, &out[..len]);
        }
    }
}

/// Packets that a device remembers, to be played again.
const REMEMBERED: usize = 64;

/// In and out of what was agreed on, where it is not G.711.
fn transcoders(audio: &Audio) -> Option<(Transcoder, Transcoder)> {
    if audio.encoding.g711().is_some() {
        return None;
    }
    let inner = Side {
        encoding: Encoding::Pcmu,
        payload_type: Codec::Pcmu.static_payload_type(),
        events: None,
    };
    let outer = |payload_type| Side {
        encoding: audio.encoding,
        payload_type,
        events: None,
    };
    let opus = OpusSettings::default();
    let inbound = Transcoder::new(outer(audio.receive), inner, opus).unwrap();
    let outbound = Transcoder::new(inner, outer(audio.send), opus).unwrap();
    Some((inbound, outbound))
}

/// The other side's description, in which the relay stands in its place.
fn through(via: &Lossy, description: &str) -> String {
    let mut lines = String::new();
    for line in description.lines() {
        if let Some(candidate) = line.strip_prefix("a=candidate:") {
            let mut parts: Vec<&str> = candidate.split(' ').collect();
            let (ip, port) = (parts[4].parse().unwrap(), parts[5].parse().unwrap());
            via.leads_to(SocketAddr::new(ip, port));
            let (ip, port) = (via.address.ip().to_string(), via.address.port().to_string());
            (parts[4], parts[5]) = (&ip, &port);
            lines += &format!("a=candidate:{}\r\n", parts.join(" "));
        } else {
            lines += &format!("{line}\r\n");
        }
    }
    lines
}

fn config(addresses: Vec<LocalAddress>, codecs: &[Encoding], ssrc: u32) -> Config {
    let mut config = Config::new(Identity::generate().unwrap(), addresses);
    config.codecs = codecs.to_vec();
    config.style = Style::Echo { video: true };
    config.ssrc = ssrc;
    // Alexa offers none (facts G9).
    config.events = false;
    config
}

fn session(jitter: JitterConfig) -> AudioSession {
    let mut config = SessionConfig::new(Format::new(Codec::Pcmu, None), rand::random());
    config.jitter = jitter;
    let mut session = AudioSession::new(config, Instant::now());
    session.listen(true);
    session
}

impl Device {
    /// A device that offers a call with these codecs.
    pub(crate) fn offering(frequency: f64, codecs: &[Encoding]) -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let host = LocalAddress::Host(socket.local_addr().unwrap());
        Self::offering_on(socket, vec![host], frequency, codecs)
    }

    /// A device that offers a call with video, too, and shows this.
    pub(crate) fn offering_video(
        frequency: f64,
        codecs: &[Encoding],
        terms: Terms,
        shows: &[u8],
    ) -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let session = session(JitterConfig::default());
        let host = LocalAddress::Host(socket.local_addr().unwrap());
        let mut config = config(vec![host], codecs, session.ssrc());
        config.video = Some(terms);
        let ssrc = config.video_ssrc;
        let (peer, offer) = Peer::offer(config, Instant::now());
        let device = Self::start(socket, peer, session, frequency);
        device.lock().camera = Some(Camera::new(ssrc, shows));
        (device, offer)
    }

    /// Waits until it has seen this from now on; all packets of video that came until then.
    pub(crate) fn sees(&self, shown: &[u8]) -> Vec<Vec<u8>> {
        self.lock().seen.clear();
        let is_shown = |packet: &Vec<u8>| packet.get(12..) == Some(shown);
        self.wait("picture", |inner| inner.seen.iter().any(is_shown));
        self.lock().seen.clone()
    }

    /// The same on a socket that is reached by these addresses.
    pub(crate) fn offering_on(
        socket: UdpSocket,
        addresses: Vec<LocalAddress>,
        frequency: f64,
        codecs: &[Encoding],
    ) -> (Self, String) {
        Self::offering_with(
            socket,
            addresses,
            frequency,
            codecs,
            JitterConfig::default(),
        )
    }

    fn offering_with(
        socket: UdpSocket,
        addresses: Vec<LocalAddress>,
        frequency: f64,
        codecs: &[Encoding],
        jitter: JitterConfig,
    ) -> (Self, String) {
        let session = session(jitter);
        let config = config(addresses, codecs, session.ssrc());
        let (peer, offer) = Peer::offer(config, Instant::now());
        (Self::start(socket, peer, session, frequency), offer)
    }

    /// A device that is called.
    pub(crate) fn answering(frequency: f64, offer: &str) -> (Self, String) {
        Self::answering_with(frequency, &[Encoding::Pcmu, Encoding::Pcma], offer)
    }

    /// A device that is called, with these codecs.
    pub(crate) fn answering_with(
        frequency: f64,
        codecs: &[Encoding],
        offer: &str,
    ) -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let session = session(JitterConfig::default());
        let host = LocalAddress::Host(socket.local_addr().unwrap());
        let config = config(vec![host], codecs, session.ssrc());
        let (peer, answer) = Peer::answer(config, offer, Instant::now()).unwrap();
        (Self::start(socket, peer, session, frequency), answer)
    }

    fn start(socket: UdpSocket, peer: Peer, session: AudioSession, frequency: f64) -> Self {
        socket
            .set_read_timeout(Some(Duration::from_millis(2)))
            .unwrap();
        let inner = Inner {
            peer,
            session,
            heard: Vec::new(),
            digits: String::new(),
            tones: ToneDetector::new(),
            pressed: Vec::new(),
            connected: false,
            lost: None,
            mute: false,
            payloads: Vec::new(),
            another: None,
            transcoders: None,
            via: None,
            sockets: vec![Arc::new(socket)],
            sent: VecDeque::new(),
            camera: None,
            seen: Vec::new(),
        };
        let inner = Arc::new((Mutex::new(inner), Condvar::new()));
        let quit = Arc::new(AtomicBool::new(false));
        let (shared, stop) = (Arc::clone(&inner), Arc::clone(&quit));
        let thread = std::thread::spawn(move || run(&shared, &stop, frequency));
        Self {
            inner,
            quit,
            thread: Some(thread),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.0.lock().unwrap()
    }

    /// A device behind a network that loses and delays its media, as the first trace says, and the others', as the second does. What
    /// is late is waited for as `jitter` says. It is silent but for what it is told to say.
    pub(crate) fn offering_over(
        codecs: &[Encoding],
        [from, to]: [Trace; 2],
        jitter: JitterConfig,
    ) -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let lossy = Lossy::before(local, from, to);
        // It knows nobody but the relay, and nobody knows it but by the relay.
        let public = LocalAddress::Public {
            socket: local,
            public: lossy.address,
        };
        let (device, offer) = Self::offering_with(socket, vec![public], 440.0, codecs, jitter);
        device.lock().via = Some(Arc::new(lossy));
        device.mute(true);
        (device, offer)
    }

    pub(crate) fn take_answer(&self, answer: &str) {
        let mut inner = self.lock();
        let answer = match &inner.via {
            Some(via) => through(via, answer),
            None => answer.to_owned(),
        };
        let taken = inner.peer.take_answer(&answer, Instant::now());
        taken.unwrap();
    }

    /// Says this once, in place of its voice.
    pub(crate) fn say(&self, samples: &[i16]) {
        let frames = samples
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| Frame::try_from(frame).unwrap());
        self.lock().pressed.extend(frames);
    }

    pub(crate) fn offer_again(&self, direction: Direction) -> String {
        self.lock().peer.offer_again(direction)
    }

    /// Changes its network: an offer that begins ICE anew, from another socket.
    pub(crate) fn moves(&self) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        self.move_to(socket, &[LocalAddress::Host(address)])
    }

    /// Changes to this socket, with what is known of its addresses.
    pub(crate) fn move_to(&self, socket: UdpSocket, addresses: &[LocalAddress]) -> String {
        socket
            .set_read_timeout(Some(Duration::from_millis(2)))
            .unwrap();
        let mut inner = self.lock();
        for old in &inner.sockets {
            old.set_nonblocking(true).unwrap();
        }
        inner.sockets.insert(0, Arc::new(socket));
        inner.sockets.truncate(2);
        inner.peer.offer_restart(addresses, Instant::now())
    }

    /// Takes an offer back that got no answer.
    pub(crate) fn withdraw_offer(&self) {
        self.lock().peer.withdraw_offer();
    }

    /// Its own socket and the other side's address: whoever sends by it has the device's address.
    pub(crate) fn route(&self) -> (Arc<UdpSocket>, SocketAddr) {
        let inner = self.lock();
        let route = inner.peer.route().expect("a device that is connected");
        let of = |socket: &&Arc<UdpSocket>| socket.local_addr().unwrap() == route.local;
        let socket = inner.sockets.iter().find(of).expect("its socket");
        (Arc::clone(socket), route.remote)
    }

    /// The last protected packets that it sent.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        self.lock().sent.iter().cloned().collect()
    }

    /// All that it has heard since it last forgot.
    pub(crate) fn heard(&self) -> Vec<i16> {
        self.lock().heard.clone()
    }

    pub(crate) fn answer_again(&self, offer: &str) -> String {
        let again = self.lock().peer.answer_again(offer, Instant::now());
        again.unwrap().answer
    }

    /// Whether the other side holds.
    pub(crate) fn is_held(&self) -> bool {
        self.lock()
            .peer
            .audio()
            .is_some_and(|audio| audio.is_held())
    }

    /// No packets from now on, as a device that died.
    pub(crate) fn die(&self) {
        self.quit.store(true, Ordering::Relaxed);
    }

    /// Sends no audio from now on but what it is told to say, or sends again; ICE goes on.
    pub(crate) fn mute(&self, mute: bool) {
        self.lock().mute = mute;
    }

    /// Says another tone from now on.
    pub(crate) fn says(&self, frequency: f64) {
        self.lock().another = Some(frequency);
    }

    /// Presses a key, whose tones are in the audio (facts G9: there are no telephone events).
    pub(crate) fn digit(&self, digit: char) {
        let tones = audible(&digit.to_string(), 100);
        let frames = tones
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| Frame::try_from(frame).unwrap());
        self.lock().pressed.extend(frames);
    }

    /// As [`Device::digit`], one after the other.
    pub(crate) fn digits(&self, digits: &str) {
        let tones = audible(digits, 100);
        let frames = tones
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| Frame::try_from(frame).unwrap());
        self.lock().pressed.extend(frames);
    }

    /// Waits until packets flow.
    pub(crate) fn is_connected(&self) {
        self.wait("connected", |inner| inner.connected);
    }

    fn wait(&self, what: &str, fits: impl Fn(&Inner) -> bool) {
        let until = Instant::now() + LIMIT;
        let mut inner = self.lock();
        while !fits(&inner) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "the device: {what}; connected {}, {:?}, {} samples heard, digits {:?}, {:?}",
                inner.connected,
                inner.lost,
                inner.heard.len(),
                inner.digits,
                inner.peer.figures(),
            );
            inner = self
                .inner
                .1
                .wait_timeout(inner, left.min(Duration::from_secs(1)))
                .unwrap()
                .0;
        }
    }

    /// Waits until the last 200 ms that it heard are mostly this tone.
    pub(crate) fn hears(&self, frequency: f64) {
        self.wait(&format!("a tone of {frequency} Hz"), |inner| {
            let heard = &inner.heard;
            heard.len() >= 1600 && tone::power_at(&heard[heard.len() - 1600..], frequency) > 0.8
        });
    }

    /// Waits until it has heard 200 ms of silence.
    pub(crate) fn hears_nothing(&self) {
        self.wait("silence", |inner| {
            let heard = &inner.heard;
            heard.len() >= 1600 && heard[heard.len() - 1600..].iter().all(|s| s.abs() < 200)
        });
    }

    pub(crate) fn forget_heard(&self) {
        self.lock().heard.clear();
    }

    /// Payloads of all packets that have come, as they were.
    pub(crate) fn payloads(&self) -> Vec<Vec<u8>> {
        self.lock().payloads.clone()
    }

    /// Waits for digits in what it hears.
    pub(crate) fn hears_digits(&self, digits: &str) {
        self.wait(&format!("the digits {digits}"), |inner| {
            inner.digits == digits
        });
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.lock();
        write!(
            f,
            "connected {}, {:?}, {} samples heard, {:?}, {:?}",
            inner.connected,
            inner.lost,
            inner.heard.len(),
            inner.peer.figures(),
            inner.session.figures(),
        )
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.quit.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the device panicked");
        }
    }
}

fn send(sockets: &[Arc<UdpSocket>], local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
    // What it has no socket for any more is lost.
    if let Some(socket) = sockets
        .iter()
        .find(|socket| socket.local_addr().unwrap() == local)
    {
        let _ = socket.send_to(bytes, remote);
    }
}

fn voice_of(frequency: f64) -> Vec<Frame> {
    tone::sine(frequency, -10.0, 8000)
        .chunks_exact(FRAME_SAMPLES)
        .map(|chunk| chunk.try_into().unwrap())
        .collect()
}

fn run(inner: &(Mutex<Inner>, Condvar), quit: &AtomicBool, frequency: f64) {
    let mut voice = voice_of(frequency);
    let (mut spoken, mut next_tick) = (0, Instant::now());
    let mut buffer = [0; 2048];
    while !quit.load(Ordering::Relaxed) {
        let sockets = inner.0.lock().unwrap().sockets.clone();
        // The one before only has what is already there.
        let received = sockets.iter().rev().find_map(|socket| {
            let (len, from) = socket.recv_from(&mut buffer).ok()?;
            Some((len, from, socket.local_addr().unwrap()))
        });
        let mut inner_ = inner.0.lock().unwrap();
        let state = &mut *inner_;
        let now = Instant::now();
        let received = received.map(|(len, from, local)| {
            let datagram = &mut buffer[..len];
            state.peer.receive(now, local, from, datagram)
        });
        match received {
            Some(Received::Rtp(packet)) => {
                state
                    .payloads
                    .push(packet.get(12..).unwrap_or_default().to_vec());
                match state.transcoders.take() {
                    None => state.hear(now, packet),
                    Some((mut inbound, outbound)) => {
                        let _ = inbound.push(packet, |packet| state.hear(now, packet));
                        state.transcoders = Some((inbound, outbound));
                    }
                }
            }
            Some(Received::Video(packet)) => state.seen.push(packet.to_vec()),
            _ => {}
        }
        loop {
            match state.peer.poll(now) {
                Output::Transmit(transmit) => {
                    send(&sockets, transmit.local, transmit.remote, &transmit.bytes);
                }
                Output::Event(Event::Connected) => state.connected = true,
                Output::Event(Event::Disconnected(why)) => state.lost = Some(why.to_string()),
                Output::Wait(_) => break,
            }
        }
        if let Some(frequency) = state.another.take() {
            voice = voice_of(frequency);
        }
        if let Some(audio) = state.peer.audio().copied() {
            let mut format = Format::new(audio.encoding.g711().unwrap_or(Codec::Pcmu), None);
            if audio.encoding.g711().is_some() {
                format.payload_type = audio.send;
                format.receive_payload_type = audio.receive;
            } else if state.transcoders.is_none() {
                state.transcoders = transcoders(&audio);
            }
            if state.session.format() != format {
                state.session.set_format(format);
            }
            let may_send = audio.direction.sends() && state.peer.is_connected();
            while next_tick <= now {
                next_tick += Duration::from_millis(20);
                state.show(&sockets);
                let said = voice[spoken % voice.len()];
                let sends = may_send && !(state.mute && state.pressed.is_empty());
                let frame = if state.pressed.is_empty() {
                    spoken += 1;
                    said
                } else {
                    state.pressed.remove(0)
                };
                let mut out = [0; MAX_PACKET];
                let outgoing = if sends {
                    Outgoing::Pcm(&frame)
                } else {
                    Outgoing::Nothing
                };
                if let Some(len) = state.session.tick(now, outgoing, &mut out) {
                    let (peer, sent) = (&mut state.peer, &mut state.sent);
                    let mut say = |packet: &[u8]| {
                        let mut out = [0; MAX_PACKET];
                        out[..packet.len()].copy_from_slice(packet);
                        if let Ok((route, len)) = peer.send_rtp(&mut out, packet.len()) {
                            send(&sockets, route.local, route.remote, &out[..len]);
                            if sent.len() == REMEMBERED {
                                sent.pop_front();
                            }
                            sent.push_back(out[..len].to_vec());
                        }
                    };
                    match &mut state.transcoders {
                        None => say(&out[..len]),
                        Some((_, outbound)) => outbound.push(&out[..len], say).unwrap(),
                    }
                }
                let mut frame = SILENT_FRAME;
                state.session.hear(&mut frame);
                state.heard.extend(frame);
            }
        }
        drop(inner_);
        inner.1.notify_all();
    }
}
