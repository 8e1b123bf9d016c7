//! What the front does with what comes: reads it, admits it, hands it over.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Token};
use skillcall_sip::endpoint::{Flow, Transport};
use skillcall_sip::message::{Framing, Message, Method, Request, parse};
use skillcall_sip::peek::{Peek, peek};

use super::admission::{Admission, Verdict, opens_dialog};
use super::dispatch::{Named, Naming};
use super::inbox::{FromFront, WorkerPort};
use super::passing::Other;
use super::stream::Welcome;
use super::udp::UdpReader;
use super::verdicts::Recent;
use super::{Front, FrontParts, TCP, TLS, ToFront, UDP, WAKE, WS, WSS, admission, refusal, stun};
use crate::config::{SidecarConfig, UnlistedSource};
use crate::figures::{Figures, count};
use crate::guard::{Judgement, Offence, SharedBans, Sighting, Standing, Strangers, locked};
use crate::phones::Phones;
use crate::trace::{CallIds, TraceSink};
use crate::worker::REGISTERING;

/// How often connections that died and verdicts that expired are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Which process has read a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// This one.
    Here,
    /// The other one of a hand-over: it is ours.
    There,
}

/// The front at work, on its thread.
pub(super) struct Running {
    pub(super) front: Front,
    workers: Vec<WorkerPort>,
    naming: Naming,
    pub(super) admission: Admission,
    strangers: Strangers,
    phones: Arc<Phones>,
    bans: SharedBans,
    figures: Arc<Figures>,
    trace: TraceSink,
    reader: Option<UdpReader>,
    /// The UDP socket was not read empty.
    pub(super) udp_unread: bool,
    /// Another process reads what comes.
    pub(super) stepped_aside: bool,
    /// The other process of a hand-over, while both have calls.
    pub(super) other: Option<Other>,
    /// Call-IDs of what began a short time ago, where a process may take over.
    pub(super) begun: Option<Recent<Vec<u8>>>,
    stopping: bool,
}

impl Running {
    pub(super) fn new(front: Front, config: &SidecarConfig, parts: FrontParts) -> Self {
        let FrontParts {
            workers,
            figures,
            trace,
            applications,
            trunks,
            known,
            phones,
            bans,
            taken_over,
        } = parts;
        let (now, naming) = (Instant::now(), front.naming);
        let silent = config.sip.unlisted_source == UnlistedSource::Drop;
        let mut admission = Admission::new(
            config,
            Arc::clone(&figures),
            known,
            trunks,
            applications,
            naming,
            now,
        );
        let other = taken_over.map(|taken_over| {
            admission.take_over(&taken_over.client_sessions, now);
            Other::of_predecessor(taken_over, naming, now)
        });
        let most_begun = (config.limits.calls_per_second as usize * 64).clamp(1024, 1 << 17);
        Self {
            front,
            workers,
            naming,
            admission,
            other,
            stepped_aside: false,
            begun: (config.handover.socket.is_some()).then(|| Recent::new(most_begun, now)),
            strangers: Strangers::new(
                &config.guard,
                Arc::clone(&bans),
                silent,
                config.phones.strangers_per_second,
                now,
            ),
            phones,
            bans,
            figures,
            trace,
            reader: Some(UdpReader::new()),
            stopping: false,
            udp_unread: false,
        }
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut housekeeping = Instant::now() + HOUSEKEEPING;
        while !self.stopping {
            let mut wait = housekeeping.saturating_duration_since(Instant::now());
            if self.udp_unread {
                wait = Duration::ZERO;
            }
            if let Err(error) = self.front.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            let mut udp = self.udp_unread;
            for event in &events {
                match event.token() {
                    UDP => udp = true,
                    TCP => self.accept(Transport::Tcp),
                    TLS => self.accept(Transport::Tls),
                    WS => self.accept(Transport::Ws),
                    WSS => self.accept(Transport::Wss),
                    WAKE => {}
                    Token(token) => self.connection_event(token, event),
                }
            }
            if udp {
                self.read_udp();
            }
            self.take_requests();
            let now = Instant::now();
            if now >= housekeeping {
                housekeeping = now + HOUSEKEEPING;
                self.housekeeping(now);
            }
        }
        Ok(())
    }

    fn read_udp(&mut self) {
        if self.stepped_aside {
            return;
        }
        let Some(udp) = self.front.udp.take() else {
            return;
        };
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        self.udp_unread = udp.receive(&mut reader, |flow, datagram| {
            // Keep-alives of two or four bytes carry nothing (RFC 5626 §4.4).
            if datagram.len() <= 4 {
                return None;
            }
            if stun::is_stun(datagram) {
                return self.stun(&flow, datagram);
            }
            self.message(flow, Bytes::copy_from_slice(datagram), Read::Here)
        });
        self.reader = Some(reader);
        self.front.udp = Some(udp);
        self.wake_workers();
    }

    /// Answers a keep-alive of a known source, and takes its answer to one of ours.
    fn stun(&mut self, flow: &Flow, datagram: &[u8]) -> Option<Bytes> {
        let standing = self.admission.standing_of(flow, Instant::now());
        if !matches!(standing, Standing::Known(_)) {
            return None;
        }
        if let Some((id, seen_at)) = stun::answered(datagram) {
            let from = flow.remote;
            self.hand_over(REGISTERING, FromFront::Binding { from, id, seen_at });
        }
        stun::answer(datagram, flow.remote)
    }

    fn accept(&mut self, transport: Transport) {
        if self.stepped_aside {
            return;
        }
        if let Some(streams) = &mut self.front.streams {
            let (admission, strangers, now) = (&self.admission, &self.strangers, Instant::now());
            let phones = &self.phones;
            streams.accept(self.front.poll.registry(), transport, |address| {
                if !matches!(admission.standing(address, now), Standing::Stranger) {
                    Welcome::Known
                } else if phones.may_knock(address, true)
                    && !strangers.is_banned(address, true, now)
                {
                    Welcome::Guest
                } else {
                    Welcome::No
                }
            });
            self.figures
                .connections
                .store(streams.count(), Ordering::Relaxed);
        }
    }

    fn connection_event(&mut self, token: usize, event: &mio::event::Event) {
        let Some(mut streams) = self.front.streams.take() else {
            return;
        };
        if event.is_writable() {
            streams.flush(self.front.poll.registry(), token);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            for (flow, bytes) in streams.read(self.front.poll.registry(), token) {
                if let Some(reply) = self.message(flow, bytes, Read::Here) {
                    streams.send(self.front.poll.registry(), &flow, reply);
                }
            }
        }
        let failed = streams.take_failed();
        self.figures
            .connections
            .store(streams.count(), Ordering::Relaxed);
        self.front.streams = Some(streams);
        self.report_failed(failed);
        self.wake_workers();
    }

    /// Admits and dispatches one message; what comes back is a reply without any state.
    pub(super) fn message(&mut self, flow: Flow, bytes: Bytes, read: Read) -> Option<Bytes> {
        let now = Instant::now();
        if read == Read::Here {
            count(&self.figures.sip_received);
        }
        let from = flow.remote.ip();
        let standing = self.admission.standing_of(&flow, now);
        if matches!(standing, Standing::Stranger)
            && self
                .strangers
                .is_banned(from, flow.transport.is_reliable(), now)
        {
            count(&self.figures.unheard);
            return None;
        }
        // A second handle of the same bytes: what is looked at outlives what is handed on.
        let wire = bytes.clone();
        let Some(seen) = peek(&wire) else {
            return self.no_sip(flow, bytes, &standing, now);
        };
        // Before it is judged: the one that has the call knows whom it has called.
        if read == Read::Here && self.is_passed(&flow, &bytes, &seen, now) {
            return None;
        }
        self.figures.sip.received(&seen);
        let source = match standing {
            Standing::Known(source) => source,
            Standing::Contacted if belongs_to_call(&seen) => {
                return self.deliver(flow, bytes, &seen, now);
            }
            Standing::Contacted | Standing::Stranger
                if seen.is_request
                    && seen.method == b"REGISTER"
                    && self.phones.may_knock(from, flow.transport.is_reliable()) =>
            {
                return self.may_be_phone(flow, bytes, &seen, now);
            }
            Standing::Contacted | Standing::Stranger => {
                return self.stranger(flow, bytes, &seen, now);
            }
        };
        if !opens_dialog(&seen) {
            return self.deliver(flow, bytes, &seen, now);
        }
        let worker = self.worker_of(&seen);
        let is_full = self
            .workers
            .get(worker)
            .is_none_or(|port| port.is_full(now));
        let key = self.admission.key(&seen);
        let verdict = self.admission.judge_opening(key, &source, now, is_full);
        if verdict != Verdict::Pass {
            return self.refuse(&wire, flow, verdict, None);
        }
        let message = match self.parsed(flow, bytes) {
            Ok(message) => message,
            Err(reply) => return reply,
        };
        if let Message::Request(request) = &message
            && *request.method() == Method::Invite
        {
            let verdict = self.admission.judge_call(key, request, now);
            if verdict != Verdict::Pass {
                return self.refuse(&wire, flow, verdict, Some(request));
            }
        }
        if let Some(begun) = &mut self.begun {
            begun.insert(self.naming.fingerprint(seen.call_id), seen.call_id.into());
        }
        self.push_message(worker, flow, message, now);
        None
    }

    /// A REGISTER of somebody who is not known.
    fn may_be_phone(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        seen: &Peek<'_>,
        now: Instant,
    ) -> Option<Bytes> {
        let wire = bytes.clone();
        let sighting = Sighting::new(&flow, &wire, Some(seen));
        match self.strangers.judge_register(&sighting, now) {
            Judgement::Pass => self.deliver(flow, bytes, seen, now),
            judgement => self.keep_silent(flow, &judgement),
        }
    }

    /// A message of somebody who is not known.
    fn stranger(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        seen: &Peek<'_>,
        now: Instant,
    ) -> Option<Bytes> {
        let wire = bytes.clone();
        let sighting = Sighting {
            names_our_dialog: seen.to_tag.is_some()
                && matches!(self.naming.owner(seen), Named::Own(_)),
            ..Sighting::new(&flow, &wire, Some(seen))
        };
        match self.strangers.judge(&sighting, now) {
            Judgement::Pass => self.deliver(flow, bytes, seen, now),
            Judgement::Answer => {
                count(&self.figures.refused_source);
                let reply = refusal::to_stranger(&wire, flow.remote);
                if reply.is_none() {
                    count(&self.figures.strangers_silenced);
                }
                reply
            }
            judgement => self.keep_silent(flow, &judgement),
        }
    }

    /// Something that is no SIP message.
    fn no_sip(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        standing: &Standing,
        now: Instant,
    ) -> Option<Bytes> {
        if let Standing::Known(_) = standing {
            return self.parsed(flow, bytes).err().flatten();
        }
        count(&self.figures.sip_malformed);
        if let Standing::Contacted = standing {
            return None;
        }
        let sighting = Sighting::new(&flow, &bytes, None);
        let judgement = self.strangers.judge(&sighting, now);
        self.keep_silent(flow, &judgement)
    }

    fn keep_silent(&mut self, flow: Flow, judgement: &Judgement) -> Option<Bytes> {
        count(&self.figures.refused_source);
        count(&self.figures.strangers_silenced);
        if let Judgement::Banned { lasts, why } = judgement {
            self.tell_ban(flow.remote.ip(), *lasts, why);
        }
        None
    }

    fn tell_ban(&self, from: IpAddr, lasts: Duration, why: &Offence) {
        count(&self.figures.bans_total);
        let seconds = lasts.as_secs();
        tracing::warn!(%from, seconds, "banned: {why}");
        let told = format!("{from} is banned for {seconds} s: {why}");
        self.trace
            .note(&Arc::new(CallIds::refused(None)), true, &told);
    }

    /// Hands a message on that no rule of admission is about.
    fn deliver(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        seen: &Peek<'_>,
        now: Instant,
    ) -> Option<Bytes> {
        let worker = if seen.is_request {
            self.worker_of(seen)
        } else {
            // What is nobody's answers nothing of ours.
            self.naming.of_branch(seen.branch?)?
        };
        match self.parsed(flow, bytes) {
            Ok(message) => {
                self.push_message(worker, flow, message, now);
                None
            }
            Err(reply) => reply,
        }
    }

    fn worker_of(&self, seen: &Peek<'_>) -> usize {
        match self.naming.owner(seen) {
            Named::Own(worker) => worker,
            Named::Other | Named::Nobody => self.naming.by_call_id(seen.call_id),
        }
    }

    /// The whole message, or the answer to one that cannot be read.
    fn parsed(&self, flow: Flow, bytes: Bytes) -> Result<Message, Option<Bytes>> {
        let framing = match flow.transport {
            // A WebSocket message is a whole SIP message, with Content-Length or without (RFC 7118 §5).
            Transport::Udp | Transport::Ws | Transport::Wss => Framing::Datagram,
            Transport::Tcp | Transport::Tls => Framing::Stream,
        };
        let wire = bytes.clone();
        parse(bytes, framing).map_err(|error| {
            count(&self.figures.sip_malformed);
            tracing::debug!(from = %flow.remote, %error, "no SIP message");
            refusal::malformed(&wire, flow.remote, &error)
        })
    }

    fn push_message(&mut self, worker: usize, flow: Flow, message: Message, came: Instant) {
        self.hand_over(
            worker,
            FromFront::Message {
                flow,
                message,
                came,
            },
        );
    }

    fn refuse(
        &mut self,
        wire: &Bytes,
        flow: Flow,
        verdict: Verdict,
        request: Option<&Request>,
    ) -> Option<Bytes> {
        let reply = refusal::reply(wire, flow.remote, &verdict)?;
        self.admission.count(&verdict);
        if let Some(why) = verdict.note() {
            let csi = request.and_then(admission::client_session_id);
            self.trace.refused_call(wire, &reply, csi, why);
        }
        Some(reply)
    }

    fn reload(&mut self, config: &SidecarConfig) {
        self.admission.reload(config);
        let silent = config.sip.unlisted_source == UnlistedSource::Drop;
        let registers = config.phones.strangers_per_second;
        self.strangers
            .reload(&config.guard, silent, registers, Instant::now());
    }

    /// Somebody gave wrong credentials.
    fn suspect(&mut self, from: IpAddr, reliable: bool) {
        let now = Instant::now();
        if !matches!(self.admission.standing(from, now), Standing::Known(_))
            && let Judgement::Banned { lasts, why } =
                self.strangers
                    .offend(from, reliable, Offence::WrongCredentials, now)
        {
            self.tell_ban(from, lasts, &why);
        }
    }

    fn hand_over(&mut self, worker: usize, what: FromFront) {
        let Some(port) = self.workers.get_mut(worker) else {
            return;
        };
        if !port.push(what) {
            self.figures.sip_dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn wake_workers(&mut self) {
        for port in &mut self.workers {
            port.wake_if_needed();
        }
    }

    fn take_requests(&mut self) {
        while let Ok(what) = self.front.queue.try_recv() {
            match what {
                ToFront::Send { to, bytes, from } => {
                    let Some(bytes) = self.post(&to, bytes) else {
                        continue;
                    };
                    let Some(streams) = &mut self.front.streams else {
                        self.report_failed(from.into_iter().collect());
                        continue;
                    };
                    let registry = self.front.poll.registry();
                    let sent = streams.send_or_connect(registry, &to, bytes, from);
                    // Writing may have shown that the connection is gone, with all that waited for it.
                    let mut failed = streams.take_failed();
                    failed.extend(from.filter(|_| !sent));
                    self.report_failed(failed);
                }
                ToFront::ReleaseSession(csi) => {
                    self.admission.release(&csi);
                    self.tell_release(&csi);
                }
                ToFront::Drain(on) => self.admission.drain(on),
                ToFront::Reload(config) => self.reload(&config),
                ToFront::Suspect { from, reliable } => self.suspect(from, reliable),
                ToFront::Keep { connection, until } => {
                    if self.keeps_others(connection, until) {
                        continue;
                    }
                    if let Some(streams) = &mut self.front.streams {
                        streams.keep(connection, until);
                    }
                }
                ToFront::KeepAlive(to) => {
                    if let Some(streams) = &mut self.front.streams {
                        streams.ping(self.front.poll.registry(), &to);
                        let failed = streams.take_failed();
                        self.report_failed(failed);
                    }
                }
                ToFront::StepAside { link, reply } => self.step_aside(link, &reply),
                ToFront::Counted(calls) => self.counted(calls),
                ToFront::TakeBack => self.take_back(),
                ToFront::Linked(frame) => self.on_frame(frame),
                ToFront::Unlinked => self.unlinked(),
                ToFront::Stop => self.stopping = true,
                #[cfg(feature = "injected-panics")]
                ToFront::Panic => panic!("injected"),
            }
        }
    }

    pub(super) fn report_failed(
        &mut self,
        failed: Vec<(usize, skillcall_sip::endpoint::TransmitId)>,
    ) {
        for (worker, id) in failed {
            self.hand_over(worker, FromFront::TransmitFailed(id));
        }
        self.wake_workers();
    }

    fn housekeeping(&mut self, now: Instant) {
        self.admission.housekeeping(now);
        if let Some(begun) = &mut self.begun {
            begun.turn(now);
        }
        self.strangers.housekeeping(now);
        let banned = locked(&self.bans).count(now);
        self.figures.bans.store(banned, Ordering::Relaxed);
        let mut failed = Vec::new();
        if let Some(streams) = &mut self.front.streams {
            streams.housekeeping(self.front.poll.registry(), now);
            failed = streams.take_failed();
            self.figures
                .connections
                .store(streams.count(), Ordering::Relaxed);
        }
        self.report_failed(failed);
    }
}

/// Whether whom we called may send it: a response, or a request within a dialog.
fn belongs_to_call(seen: &Peek<'_>) -> bool {
    !seen.is_request || seen.to_tag.is_some() || matches!(seen.method, b"ACK" | b"CANCEL")
}
