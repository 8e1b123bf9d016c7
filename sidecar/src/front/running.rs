//! The front at work: what it reads, and what workers and the program want of it.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Token};
use skillcall_sip::endpoint::{Flow, Transport};

use super::admission::Admission;
use super::dispatch::Naming;
use super::inbox::{FromFront, WorkerPort};
use super::messages::Read;
use super::passing::Other;
use super::stream::Welcome;
use super::udp::UdpReader;
use super::verdicts::Recent;
use super::{Front, FrontParts, TCP, TLS, ToFront, UDP, WAKE, WS, WSS, stun};
use crate::config::{SidecarConfig, UnlistedSource};
use crate::figures::Figures;
use crate::guard::{Judgement, Offence, SharedBans, Standing, Strangers, locked};
use crate::phones::Phones;
use crate::trace::TraceSink;
use crate::worker::REGISTERING;

/// How often connections that died and verdicts that expired are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// The front at work, on its thread.
pub(super) struct Running {
    pub(super) front: Front,
    pub(super) workers: Vec<WorkerPort>,
    pub(super) naming: Naming,
    pub(super) admission: Admission,
    pub(super) strangers: Strangers,
    pub(super) phones: Arc<Phones>,
    bans: SharedBans,
    pub(super) figures: Arc<Figures>,
    pub(super) trace: TraceSink,
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

    pub(super) fn hand_over(&mut self, worker: usize, what: FromFront) {
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
                ToFront::Drain { on, holds } => {
                    self.admission.drain(on);
                    let _ = holds.send(());
                }
                ToFront::Reload { config, holds } => {
                    self.reload(&config);
                    let _ = holds.send(());
                }
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
