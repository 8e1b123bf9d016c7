//! A phone: a SIP endpoint and a media session in a thread, with a tone as its voice.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use skillcall_media::dtmf::{Digit, ToneDetector, audible};
use skillcall_media::jitter::JitterConfig;
use skillcall_media::rtp::{MAX_PACKET, PayloadType};
use skillcall_media::session::{AudioSession, Format, Outgoing, SessionConfig};
use skillcall_media::{FRAME_SAMPLES, Frame, SILENT_FRAME, codec::Codec, tone};
use skillcall_sip::endpoint::{
    CallHandle, Destination, Endpoint, EndpointConfig, Event, Flow, OutgoingInvite, Party,
};
use skillcall_sip::message::{ExtraHeader, StatusCode, Uri};
use skillcall_sip::sdp::{self, Capabilities, MediaSession};

use super::LIMIT;
use super::lossy::{Lossy, Trace};

/// What a phone does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// 180, then 200.
    Answer,
    /// This status at once.
    Refuse(u16),
    /// 180, and nothing more.
    Ring,
}

/// What a phone has seen and heard.
#[derive(Debug, Default, Clone)]
pub(crate) struct State {
    pub(crate) provisional: Vec<u16>,
    pub(crate) answered: bool,
    pub(crate) failed: Option<u16>,
    pub(crate) ended: bool,
    pub(crate) cancelled: bool,
    pub(crate) rung: bool,
    pub(crate) invite: Option<String>,
    /// Responses to its INVITE, and the other side's BYE.
    pub(crate) came: Vec<String>,
    /// Every sample that was heard.
    pub(crate) heard: Vec<i16>,
    pub(crate) digits: String,
    /// Offers within the call, each answered.
    pub(crate) offers: Vec<String>,
    /// Answers to offers of its own within the call.
    pub(crate) answers: Vec<String>,
}

enum Order {
    Call {
        to: SocketAddr,
        user: String,
        headers: Vec<(String, String)>,
    },
    Answer,
    HangUp,
    Cancel,
    Tell(Vec<ExtraHeader>),
    Digit(char),
    Say(Vec<Frame>),
    Mute(bool),
    Direct(sdp::Direction),
    Quit,
}

/// A phone on loopback.
pub(crate) struct Phone {
    pub(crate) address: SocketAddr,
    orders: Sender<Order>,
    state: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Phone {
    /// A phone that says a tone of `frequency` Hz while a call is up.
    pub(crate) fn start(frequency: f64, behaviour: Behaviour) -> Self {
        Self::with("127.0.0.1", frequency, behaviour, |_| {})
    }

    /// The same at another address of loopback.
    pub(crate) fn at(address: &str, frequency: f64, behaviour: Behaviour) -> Self {
        Self::with(address, frequency, behaviour, |_| {})
    }

    /// A phone that knows no telephone events: its digits are tones, and it hears them as tones.
    pub(crate) fn in_band(frequency: f64, behaviour: Behaviour) -> Self {
        Self::with("127.0.0.1", frequency, behaviour, |phone| {
            phone.events = false;
        })
    }

    /// A phone behind a network that loses and delays its media, as the first trace says, and the others', as the second does. What is
    /// late is waited for as `jitter` says. It is silent but for what it is told to say.
    pub(crate) fn over([from, to]: [Trace; 2], jitter: JitterConfig) -> Self {
        Self::with("127.0.0.1", 440.0, Behaviour::Answer, move |phone| {
            let rtp = phone.rtp.local_addr().unwrap();
            phone.via = Some(Lossy::before(rtp, from, to));
            phone.jitter = jitter;
            phone.mute = true;
        })
    }

    fn with(
        at: &str,
        frequency: f64,
        behaviour: Behaviour,
        change: impl FnOnce(&mut Running) + Send + 'static,
    ) -> Self {
        let sip = UdpSocket::bind((at, 0)).unwrap();
        sip.set_read_timeout(Some(Duration::from_millis(2)))
            .unwrap();
        let address = sip.local_addr().unwrap();
        let (orders, queue) = channel();
        let state = Arc::new((Mutex::new(State::default()), Condvar::new()));
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let mut running = Running::new(sip, behaviour, frequency, shared);
            change(&mut running);
            running.run(&queue);
        });
        Self {
            address,
            orders,
            state,
            thread: Some(thread),
        }
    }

    pub(crate) fn call(&self, to: SocketAddr, user: &str, headers: &[(&str, &str)]) {
        // Here, so that nobody waits for what an earlier call has seen.
        *self.state.0.lock().unwrap() = State::default();
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        self.orders
            .send(Order::Call {
                to,
                user: user.to_owned(),
                headers,
            })
            .unwrap();
    }

    /// Answers what rings.
    pub(crate) fn answer(&self) {
        self.orders.send(Order::Answer).unwrap();
    }

    pub(crate) fn hang_up(&self) {
        self.orders.send(Order::HangUp).unwrap();
    }

    pub(crate) fn cancel(&self) {
        self.orders.send(Order::Cancel).unwrap();
    }

    /// From now on its provisional responses, answers, refusals and BYEs carry these headers.
    pub(crate) fn tell(&self, headers: &[(&str, &str)]) {
        let headers = headers.iter();
        let headers = headers.map(|(name, value)| ExtraHeader::new(name, value).unwrap());
        self.orders.send(Order::Tell(headers.collect())).unwrap();
    }

    pub(crate) fn digit(&self, digit: char) {
        self.orders.send(Order::Digit(digit)).unwrap();
    }

    /// Offers anew within the call, with another direction.
    pub(crate) fn direct(&self, direction: sdp::Direction) {
        self.orders.send(Order::Direct(direction)).unwrap();
    }

    /// Says nothing from now on but what it is told to say, or speaks again.
    pub(crate) fn mute(&self, mute: bool) {
        self.orders.send(Order::Mute(mute)).unwrap();
    }

    /// Says this once, in place of its voice.
    pub(crate) fn say(&self, samples: &[i16]) {
        let frames = samples
            .chunks_exact(FRAME_SAMPLES)
            .map(|frame| Frame::try_from(frame).unwrap())
            .collect();
        self.orders.send(Order::Say(frames)).unwrap();
    }

    /// Waits until what the phone has seen fits, and gives it.
    pub(crate) fn wait(&self, what: &str, fits: impl Fn(&State) -> bool) -> State {
        let until = Instant::now() + LIMIT;
        let mut state = self.state.0.lock().unwrap();
        while !fits(&state) {
            let left = until.saturating_duration_since(Instant::now());
            let summary = State {
                heard: Vec::new(),
                ..state.clone()
            };
            assert!(
                !left.is_zero(),
                "{what}: {summary:?}, {} samples heard",
                state.heard.len()
            );
            state = self
                .state
                .1
                .wait_timeout(state, left.min(Duration::from_secs(1)))
                .unwrap()
                .0;
        }
        state.clone()
    }

    /// Waits until the last 200 ms that it heard are mostly this tone.
    pub(crate) fn hears(&self, frequency: f64) {
        self.wait(&format!("a tone of {frequency} Hz"), |state| {
            let heard = &state.heard;
            heard.len() >= 1600 && tone::power_at(&heard[heard.len() - 1600..], frequency) > 0.8
        });
    }

    /// Waits until it has heard 200 ms of silence.
    pub(crate) fn hears_nothing(&self) {
        self.wait("silence", |state| {
            let heard = &state.heard;
            heard.len() >= 1600 && heard[heard.len() - 1600..].iter().all(|s| s.abs() < 200)
        });
    }

    /// Whether what it has seen fits now.
    pub(crate) fn seen(&self, fits: impl Fn(&State) -> bool) -> bool {
        fits(&self.state.0.lock().unwrap())
    }

    /// Forgets all that it has seen.
    pub(crate) fn forget(&self) {
        *self.state.0.lock().unwrap() = State::default();
    }

    pub(crate) fn forget_heard(&self) {
        self.state.0.lock().unwrap().heard.clear();
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Quit);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the phone panicked");
        }
    }
}

struct Running {
    sip: UdpSocket,
    local: SocketAddr,
    rtp: UdpSocket,
    endpoint: Endpoint,
    behaviour: Behaviour,
    told: Vec<ExtraHeader>,
    voice: Vec<Frame>,
    spoken: usize,
    state: Arc<(Mutex<State>, Condvar)>,
    call: Option<CallHandle>,
    /// The offer of a call that rings.
    ringing: Option<bytes::Bytes>,
    sdp: Option<MediaSession>,
    audio: Option<(AudioSession, SocketAddr)>,
    next_tick: Instant,
    events: bool,
    /// Says nothing but what it is told to say.
    mute: bool,
    jitter: JitterConfig,
    /// What stands between its media and the other side.
    via: Option<Lossy>,
    /// Tones of digits that are still to be sent.
    pressed: VecDeque<Frame>,
    tones: ToneDetector,
}

impl Running {
    fn new(
        sip: UdpSocket,
        behaviour: Behaviour,
        frequency: f64,
        state: Arc<(Mutex<State>, Condvar)>,
    ) -> Self {
        let local = sip.local_addr().unwrap();
        // An IPv4 phone's audio is elsewhere than its SIP, wherever that is.
        let rtp = match local {
            SocketAddr::V4(_) => UdpSocket::bind("127.0.0.1:0"),
            SocketAddr::V6(_) => UdpSocket::bind("[::1]:0"),
        };
        let rtp = rtp.unwrap();
        rtp.set_nonblocking(true).unwrap();
        // A second of the tone: a whole number of periods for every whole frequency.
        let samples = tone::sine(frequency, -10.0, 8000);
        let voice = samples
            .chunks_exact(FRAME_SAMPLES)
            .map(|chunk| chunk.try_into().unwrap())
            .collect();
        let seed = std::array::from_fn(|_| rand::random());
        Self {
            sip,
            local,
            rtp,
            endpoint: Endpoint::new(EndpointConfig::new(local, seed)),
            behaviour,
            told: Vec::new(),
            voice,
            spoken: 0,
            state,
            call: None,
            ringing: None,
            sdp: None,
            audio: None,
            next_tick: Instant::now(),
            events: true,
            mute: false,
            jitter: JitterConfig::default(),
            via: None,
            pressed: VecDeque::new(),
            tones: ToneDetector::new(),
        }
    }

    fn run(mut self, orders: &Receiver<Order>) {
        let mut buffer = [0; 65_535];
        loop {
            while let Ok(order) = orders.try_recv() {
                match order {
                    Order::Call { to, user, headers } => self.dial(to, &user, &headers),
                    Order::Answer => {
                        if let (Some(call), Some(offer)) = (self.call, self.ringing.take()) {
                            self.answer(call, &offer);
                        }
                    }
                    Order::HangUp => {
                        if let Some(call) = self.call {
                            let told = &self.told;
                            self.endpoint.bye(Instant::now(), call, told).unwrap();
                        }
                    }
                    Order::Cancel => {
                        if let Some(call) = self.call {
                            self.endpoint.cancel(Instant::now(), call, &[]).unwrap();
                        }
                    }
                    Order::Tell(headers) => self.told = headers,
                    Order::Digit(digit) if !self.events => {
                        let tones = audible(&digit.to_string(), 100);
                        self.pressed.extend(
                            tones
                                .chunks_exact(FRAME_SAMPLES)
                                .map(|frame| Frame::try_from(frame).unwrap()),
                        );
                    }
                    Order::Digit(digit) => {
                        if let Some((audio, _)) = &mut self.audio {
                            audio
                                .send_digit(Digit::from_char(digit).unwrap(), 100)
                                .unwrap();
                        }
                    }
                    Order::Say(frames) => self.pressed.extend(frames),
                    Order::Mute(mute) => self.mute = mute,
                    Order::Direct(direction) => {
                        let sdp = self.sdp.as_mut().unwrap();
                        sdp.set_direction(direction);
                        let offer = sdp.offer();
                        let (now, call) = (Instant::now(), self.call.unwrap());
                        let begun = self.endpoint.reinvite(now, call, Some(offer), &[]);
                        begun.unwrap();
                    }
                    Order::Quit => return,
                }
            }
            match self.sip.recv_from(&mut buffer) {
                Ok((len, from)) => {
                    let flow = Flow::udp(self.local, from);
                    self.endpoint.receive(Instant::now(), &flow, &buffer[..len]);
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                    ) => {}
                Err(error) => panic!("{error}"),
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
            self.media();
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.0.lock().unwrap());
        self.state.1.notify_all();
    }

    fn note(&self, message: &[u8]) {
        let message = String::from_utf8_lossy(message).into_owned();
        self.change(|state| state.came.push(message));
    }

    fn session(&self) -> MediaSession {
        let rtp = match &self.via {
            Some(via) => via.address,
            None => self.rtp.local_addr().unwrap(),
        };
        let mut capabilities = Capabilities::new(rtp.ip(), rtp.port());
        if !self.events {
            capabilities.telephone_event = None;
        }
        MediaSession::new(capabilities, 1)
    }

    fn dial(&mut self, to: SocketAddr, user: &str, headers: &[(String, String)]) {
        let mut sdp = self.session();
        let offer = sdp.offer();
        let target = Uri::parse(&format!("sip:{user}@{to}")).unwrap();
        let from = Uri::parse(&format!("sip:+12045550100@{}", self.local)).unwrap();
        let mut invite = OutgoingInvite::new(target, to, Party::new(from), Some(offer));
        invite.headers = headers
            .iter()
            .map(|(name, value)| ExtraHeader::new(name, value).unwrap())
            .collect();
        self.sdp = Some(sdp);
        self.call = Some(self.endpoint.invite(Instant::now(), invite).unwrap());
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
                self.change(|state| {
                    state.rung = true;
                    state.invite = Some(String::from_utf8_lossy(request.wire()).into_owned());
                });
                if let Behaviour::Refuse(status) = self.behaviour {
                    self.endpoint
                        .reject(now, call, StatusCode::new(status).unwrap(), "", &self.told)
                        .unwrap();
                    return;
                }
                self.call = Some(call);
                self.endpoint
                    .provisional(now, call, StatusCode::RINGING, "", &self.told, None)
                    .unwrap();
                if self.behaviour == Behaviour::Answer {
                    self.answer(call, &offer.unwrap());
                } else {
                    self.ringing = offer;
                }
            }
            Event::Provisional {
                status,
                sdp,
                response,
                ..
            } => {
                self.note(response.wire());
                if let Some(answer) = sdp {
                    let negotiated = self.sdp.clone().unwrap().accept_answer(&answer).unwrap();
                    self.begin_audio(&negotiated);
                }
                self.change(|state| state.provisional.push(status.get()));
            }
            Event::Answered { sdp, response, .. } => {
                self.note(response.wire());
                let negotiated = self
                    .sdp
                    .as_mut()
                    .unwrap()
                    .accept_answer(&sdp.unwrap())
                    .unwrap();
                self.begin_audio(&negotiated);
                self.change(|state| state.answered = true);
            }
            Event::Reinvite {
                call,
                offer: Some(offer),
                ..
            } => {
                let (answer, _) = self.sdp.as_mut().unwrap().answer(&offer).unwrap();
                self.endpoint.accept(now, call, &[], Some(answer)).unwrap();
                let offer = String::from_utf8_lossy(&offer).into_owned();
                self.change(|state| state.offers.push(offer));
            }
            Event::Changed { sdp: Some(sdp), .. } => {
                self.sdp.as_mut().unwrap().accept_answer(&sdp).unwrap();
                let answer = String::from_utf8_lossy(&sdp).into_owned();
                self.change(|state| state.answers.push(answer));
            }
            Event::Failed {
                status, response, ..
            } => {
                if let Some(response) = response {
                    self.note(response.wire());
                }
                self.call = None;
                self.change(|state| state.failed = Some(status.get()));
            }
            Event::Cancelled { .. } => {
                self.call = None;
                self.change(|state| state.cancelled = true);
            }
            Event::Ended { request, .. } => {
                if let Some(bye) = request {
                    self.note(bye.wire());
                }
                self.call = None;
                self.audio = None;
                self.change(|state| state.ended = true);
            }
            _ => {}
        }
    }

    fn answer(&mut self, call: CallHandle, offer: &[u8]) {
        let mut sdp = self.session();
        let (answer, negotiated) = sdp.answer(offer).unwrap();
        self.sdp = Some(sdp);
        self.begin_audio(&negotiated);
        self.endpoint
            .accept(Instant::now(), call, &self.told, Some(answer))
            .unwrap();
        self.change(|state| state.answered = true);
    }

    fn begin_audio(&mut self, negotiated: &sdp::Negotiated) {
        let codec = match negotiated.codec {
            sdp::Codec::Pcmu => Codec::Pcmu,
            sdp::Codec::Pcma => Codec::Pcma,
            other => panic!("{other} was not offered"),
        };
        let events = negotiated
            .telephone_event
            .and_then(|event| PayloadType::new(event.send_payload));
        if self.audio.is_some() {
            return;
        }
        let now = Instant::now();
        let mut config = SessionConfig::new(Format::new(codec, events), rand::random());
        config.jitter = self.jitter;
        let mut session = AudioSession::new(config, now);
        session.listen(true);
        let remote = match &self.via {
            Some(via) => {
                via.leads_to(negotiated.remote);
                via.address
            }
            None => negotiated.remote,
        };
        self.audio = Some((session, remote));
        self.next_tick = now;
    }

    fn media(&mut self) {
        let Some((session, remote)) = &mut self.audio else {
            return;
        };
        let mut packet = [0; 2048];
        let now = Instant::now();
        while let Ok((len, from)) = self.rtp.recv_from(&mut packet) {
            if from == *remote {
                let _ = session.receive_rtp(now, &packet[..len]);
            }
        }
        let mut digits = String::new();
        let mut heard = Vec::new();
        while self.next_tick <= now {
            self.next_tick += Duration::from_millis(20);
            let mut out = [0; MAX_PACKET];
            let voice = self.voice[self.spoken % self.voice.len()];
            self.spoken += 1;
            let frame = self.pressed.pop_front().or((!self.mute).then_some(voice));
            let outgoing = frame.as_ref().map_or(Outgoing::Nothing, Outgoing::Pcm);
            if let Some(len) = session.tick(now, outgoing, &mut out) {
                let _ = self.rtp.send_to(&out[..len], *remote);
            }
            let mut frame = SILENT_FRAME;
            session.hear(&mut frame);
            if !self.events {
                digits.extend(self.tones.push(&frame).map(Digit::as_char));
            }
            heard.extend(frame);
        }
        while let Some(received) = session.poll_digit() {
            digits.push(received.digit.as_char());
        }
        if !heard.is_empty() || !digits.is_empty() {
            self.change(|state| {
                state.heard.extend(heard);
                state.digits.push_str(&digits);
            });
        }
    }
}
