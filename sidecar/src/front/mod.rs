//! The signalling thread: SIP listeners, admission, and dispatch to the workers.
//!
//! It reads every message once, decides whether it may come in, and hands it to the worker
//! that owns (or will own) its call. Nothing here knows a dialog: that is the workers'.

mod admission;
mod dispatch;
mod inbox;
mod pressure;
mod refusal;
mod sessions;
mod tcp;
mod udp;
mod verdicts;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use mio::{Events, Interest, Poll, Token, Waker};
use skillcall_sip::endpoint::{ConnectionId, Destination, Flow, Transport};
use skillcall_sip::message::{Framing, Message, parse};

use crate::config::{SidecarConfig, SipTransport};
use crate::figures::Figures;
use crate::trace::TraceSink;
pub(crate) use admission::client_session_id;
use admission::{Admission, Verdict};
pub(crate) use dispatch::worker_prefix;
pub(crate) use inbox::{FromFront, WorkerPort};
pub(crate) use pressure::{Gauge, Waits};
use tcp::Connections;
use udp::{UdpListener, UdpReader};

const UDP: Token = Token(0);
const TCP: Token = Token(1);
const WAKE: Token = Token(2);
/// The first token of a connection.
const FIRST_CONNECTION: usize = 16;
/// How often connections that died and verdicts that expired are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// What others ask of the front.
#[derive(Debug)]
pub(crate) enum ToFront {
    /// A message for a stream; UDP the workers send themselves.
    Send {
        /// The connection to use while it is open.
        connection: Option<ConnectionId>,
        /// Where to open one otherwise.
        to: SocketAddr,
        /// The message.
        bytes: Bytes,
        /// Whom to tell when it cannot be sent.
        from: Option<(usize, skillcall_sip::endpoint::TransmitId)>,
    },
    /// The call was refused by its worker before anything was done for it: its session may be used again.
    ReleaseSession(Box<str>),
    /// No new calls from now on: 503.
    Drain,
    /// End the thread.
    Stop,
    /// Panic, as a mistake would.
    #[cfg(feature = "injected-panics")]
    Panic,
}

/// The way to the front's thread.
#[derive(Clone)]
pub(crate) struct FrontHandle {
    queue: Sender<ToFront>,
    waker: Arc<Waker>,
}

impl FrontHandle {
    /// Hands something to the front; after its end it goes nowhere.
    pub(crate) fn send(&self, what: ToFront) {
        if self.queue.send(what).is_ok() {
            // A waker that cannot wake means that the thread is gone.
            let _ = self.waker.wake();
        }
    }
}

/// The front before it runs: bound, and known to the workers.
pub(crate) struct Front {
    poll: Poll,
    udp: Option<UdpListener>,
    tcp: Option<Connections>,
    queue: Receiver<ToFront>,
    handle: FrontHandle,
}

impl Front {
    /// Binds the listeners.
    pub(crate) fn bind(config: &SidecarConfig) -> io::Result<Self> {
        let poll = Poll::new()?;
        let udp = config
            .sip
            .listener(SipTransport::Udp)
            .map(UdpListener::bind)
            .transpose()?;
        let tcp = config
            .sip
            .listener(SipTransport::Tcp)
            .map(|address| Connections::bind(address, config.limits.connections as usize))
            .transpose()?;
        let (sender, queue) = crossbeam_channel::unbounded();
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut front = Self {
            poll,
            udp,
            tcp,
            queue,
            handle: FrontHandle {
                queue: sender,
                waker,
            },
        };
        if let Some(udp) = &mut front.udp {
            front
                .poll
                .registry()
                .register(udp.source(), UDP, Interest::READABLE)?;
        }
        if let Some(tcp) = &mut front.tcp {
            front
                .poll
                .registry()
                .register(tcp.source(), TCP, Interest::READABLE)?;
        }
        Ok(front)
    }

    /// The bound UDP address.
    pub(crate) fn udp_address(&self) -> Option<SocketAddr> {
        self.udp.as_ref().map(UdpListener::local)
    }

    /// The bound TCP address.
    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().map(Connections::local)
    }

    /// A socket that sends from the UDP listener's address.
    pub(crate) fn udp_sender(&self) -> io::Result<Option<std::net::UdpSocket>> {
        self.udp.as_ref().map(UdpListener::sender).transpose()
    }

    /// The way to this front.
    pub(crate) fn handle(&self) -> FrontHandle {
        self.handle.clone()
    }

    /// Runs until [`ToFront::Stop`].
    ///
    /// # Errors
    /// The system does not let it wait for its sockets.
    pub(crate) fn run(
        self,
        config: Arc<SidecarConfig>,
        workers: Vec<WorkerPort>,
        figures: Arc<Figures>,
        trace: TraceSink,
    ) -> io::Result<()> {
        let now = Instant::now();
        let admission = Admission::new(&config, Arc::clone(&figures), now);
        let mut running = Running {
            front: self,
            workers,
            admission,
            figures,
            trace,
            reader: Some(UdpReader::new()),
            stopping: false,
            udp_unread: false,
        };
        let mut events = Events::with_capacity(256);
        let mut housekeeping = now + HOUSEKEEPING;
        while !running.stopping {
            let mut wait = housekeeping.saturating_duration_since(Instant::now());
            if running.udp_unread {
                wait = Duration::ZERO;
            }
            if let Err(error) = running.front.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            let mut udp = running.udp_unread;
            for event in &events {
                match event.token() {
                    UDP => udp = true,
                    TCP => running.accept(),
                    WAKE => {}
                    Token(token) => running.connection_event(token, event),
                }
            }
            if udp {
                running.read_udp();
            }
            running.take_requests();
            let now = Instant::now();
            if now >= housekeeping {
                housekeeping = now + HOUSEKEEPING;
                running.housekeeping(now);
            }
        }
        Ok(())
    }
}

struct Running {
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

    fn accept(&mut self) {
        if let Some(tcp) = &mut self.front.tcp {
            let admission = &self.admission;
            tcp.accept(self.front.poll.registry(), |address| {
                admission.allows_connection(address)
            });
            self.figures
                .connections
                .store(tcp.count(), Ordering::Relaxed);
        }
    }

    fn connection_event(&mut self, token: usize, event: &mio::event::Event) {
        let Some(mut tcp) = self.front.tcp.take() else {
            return;
        };
        if event.is_writable() {
            tcp.flush(self.front.poll.registry(), token);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            for (flow, bytes) in tcp.read(self.front.poll.registry(), token) {
                if let Some(reply) = self.message(flow, bytes) {
                    tcp.send(
                        self.front.poll.registry(),
                        flow.connection,
                        flow.remote,
                        reply,
                    );
                }
            }
        }
        let failed = tcp.take_failed();
        self.figures
            .connections
            .store(tcp.count(), Ordering::Relaxed);
        self.front.tcp = Some(tcp);
        self.report_failed(failed);
        self.wake_workers();
    }

    /// Admits and dispatches one message; what comes back is a reply without any state.
    fn message(&mut self, flow: Flow, bytes: Bytes) -> Option<Bytes> {
        let now = Instant::now();
        let count =
            |counter: &std::sync::atomic::AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        count(&self.figures.sip_received);
        let listed = self.admission.allows(flow.remote.ip());
        if !listed && self.admission.drops_strangers() {
            count(&self.figures.refused_source);
            return None;
        }
        let framing = match flow.transport {
            Transport::Udp => Framing::Datagram,
            _ => Framing::Stream,
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
        let verdict = if listed {
            let depth = |worker: usize| {
                let port = self.workers.get(worker);
                port.is_none_or(|port| port.is_full(now))
            };
            let worker = dispatch::of_request(&request, self.workers.len());
            self.admission.judge(&request, now, depth(worker))
        } else {
            Verdict::Stranger
        };
        match verdict {
            Verdict::Pass => {
                let worker = dispatch::of_request(&request, self.workers.len());
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
                ToFront::Send {
                    connection,
                    to,
                    bytes,
                    from,
                } => {
                    let Some(tcp) = &mut self.front.tcp else {
                        self.report_failed(from.into_iter().collect());
                        continue;
                    };
                    let sent = tcp.send_or_connect(
                        self.front.poll.registry(),
                        connection,
                        to,
                        bytes,
                        from,
                    );
                    if !sent {
                        self.report_failed(from.into_iter().collect());
                    }
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
        if let Some(tcp) = &mut self.front.tcp {
            tcp.close_idle(self.front.poll.registry(), now);
            self.figures
                .connections
                .store(tcp.count(), Ordering::Relaxed);
        }
        self.wake_workers();
    }
}

/// Whether a destination can be sent to as it is.
pub(crate) fn address_of(destination: &Destination) -> Option<SocketAddr> {
    match destination {
        Destination::Addr(address) => Some(*address),
        Destination::Unresolved { .. } => None,
    }
}
