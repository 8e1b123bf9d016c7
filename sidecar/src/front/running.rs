//! What the front does with what comes: reads it, admits it, hands it over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mio::{Events, Token};
use skillcall_sip::endpoint::{Flow, Transport};
use skillcall_sip::message::{Framing, Message, parse};

use super::admission::{Admission, Verdict};
use super::inbox::{FromFront, WorkerPort};
use super::udp::UdpReader;
use super::{Front, TCP, TLS, ToFront, UDP, WAKE, WS, WSS, admission, dispatch, refusal};
use crate::applications::Applications;
use crate::config::SidecarConfig;
use crate::figures::Figures;
use crate::trace::TraceSink;
use crate::trunks::Trunks;

/// How often connections that died and verdicts that expired are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// The front at work, on its thread.
pub(super) struct Running {
    front: Front,
    workers: Vec<WorkerPort>,
    admission: Admission,
    figures: Arc<Figures>,
    trace: TraceSink,
    reader: Option<UdpReader>,
    /// The UDP socket was not read empty.
    udp_unread: bool,
    stopping: bool,
}

impl Running {
    pub(super) fn new(
        front: Front,
        config: &SidecarConfig,
        trunks: Trunks,
        applications: Arc<Applications>,
        workers: Vec<WorkerPort>,
        figures: Arc<Figures>,
        trace: TraceSink,
    ) -> Self {
        Self {
            front,
            workers,
            admission: Admission::new(
                config,
                trunks,
                applications,
                Arc::clone(&figures),
                Instant::now(),
            ),
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
        let Some(udp) = self.front.udp.take() else {
            return;
        };
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        self.udp_unread = udp.receive(&mut reader, |flow, datagram| {
            // Keep-alives of two or four bytes carry nothing (RFC 5626 §4.4).
            (datagram.len() > 4)
                .then(|| self.message(flow, Bytes::copy_from_slice(datagram)))
                .flatten()
        });
        self.reader = Some(reader);
        self.front.udp = Some(udp);
        self.wake_workers();
    }

    fn accept(&mut self, transport: Transport) {
        if let Some(streams) = &mut self.front.streams {
            let admission = &self.admission;
            streams.accept(self.front.poll.registry(), transport, |address| {
                admission.allows_connection(address)
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
                if let Some(reply) = self.message(flow, bytes) {
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
    fn message(&mut self, flow: Flow, bytes: Bytes) -> Option<Bytes> {
        let now = Instant::now();
        let count =
            |counter: &std::sync::atomic::AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        count(&self.figures.sip_received);
        let listed = self.admission.allows_flow(&flow);
        if !listed && self.admission.drops_strangers() {
            count(&self.figures.refused_source);
            return None;
        }
        let framing = match flow.transport {
            // A WebSocket message is a whole SIP message, with Content-Length or without (RFC 7118 §5).
            Transport::Udp | Transport::Ws | Transport::Wss => Framing::Datagram,
            Transport::Tcp | Transport::Tls => Framing::Stream,
        };
        let wire = bytes.clone();
        let message = match parse(bytes, framing) {
            Ok(message) => message,
            Err(error) => {
                count(&self.figures.sip_malformed);
                tracing::debug!(from = %flow.remote, %error, "no SIP message");
                return if listed {
                    refusal::malformed(&wire, flow.remote, &error)
                } else {
                    None
                };
            }
        };
        let request = match message {
            Message::Response(response) => {
                let worker = dispatch::of_response(&response, self.workers.len());
                if let (true, Some(worker)) = (listed, worker) {
                    self.hand_over(
                        worker,
                        FromFront::Message {
                            flow,
                            message: Message::Response(response),
                            came: now,
                        },
                    );
                }
                return None;
            }
            Message::Request(request) => request,
        };
        let worker = dispatch::of_request(&request, self.workers.len());
        let verdict = if listed {
            let port = self.workers.get(worker);
            let is_full = port.is_none_or(|port| port.is_full(now));
            self.admission.judge(&request, now, is_full)
        } else {
            Verdict::Stranger
        };
        match verdict {
            Verdict::Pass => {
                self.hand_over(
                    worker,
                    FromFront::Message {
                        flow,
                        message: Message::Request(request),
                        came: now,
                    },
                );
                None
            }
            refused => {
                let reply = refusal::reply(request.wire(), flow.remote, &refused)?;
                self.admission.count(&refused);
                if let (true, Some(why)) = (listed, refused.note()) {
                    let csi = admission::client_session_id(&request);
                    self.trace.refused_call(request.wire(), &reply, csi, why);
                }
                Some(reply)
            }
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

    fn wake_workers(&mut self) {
        for port in &mut self.workers {
            port.wake_if_needed();
        }
    }

    fn take_requests(&mut self) {
        while let Ok(what) = self.front.queue.try_recv() {
            match what {
                ToFront::Send { to, bytes, from } => {
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
                ToFront::ReleaseSession(csi) => self.admission.release(&csi),
                ToFront::Drain => self.admission.drain(),
                ToFront::Stop => self.stopping = true,
                #[cfg(feature = "injected-panics")]
                ToFront::Panic => panic!("injected"),
            }
        }
    }

    fn report_failed(&mut self, failed: Vec<(usize, skillcall_sip::endpoint::TransmitId)>) {
        for (worker, id) in failed {
            self.hand_over(worker, FromFront::TransmitFailed(id));
        }
        self.wake_workers();
    }

    fn housekeeping(&mut self, now: Instant) {
        self.admission.housekeeping(now);
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
