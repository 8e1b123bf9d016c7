//! The signalling thread: SIP listeners, admission, and dispatch to the workers.
//!
//! It reads every message once, decides whether it may come in, and hands it to the worker
//! that owns (or will own) its call. Nothing here knows a dialog: that is the workers'.

mod admission;
mod belonging;
mod dispatch;
mod inbox;
mod messages;
mod passing;
mod pressure;
mod refusal;
mod running;
mod sessions;
mod stream;
mod stun;
mod udp;
mod verdicts;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender};
use mio::{Interest, Poll, Token, Waker};
use skillcall_sip::endpoint::{Destination, Transport};
use tokio::sync::oneshot;

use crate::applications::Applications;
use crate::config::{SidecarConfig, SipTransport};
use crate::figures::Figures;
use crate::guard::{Known, SharedBans};
use crate::handover::{Frame, Inherited, Link};
use crate::phones::Phones;
use crate::tls::Tls;
use crate::trace::TraceSink;
use crate::trunks::Trunks;
pub(crate) use admission::client_session_id;
pub(crate) use belonging::TheirCalls;
pub(crate) use dispatch::Naming;
pub(crate) use inbox::{FromFront, WorkerPort};
pub(crate) use passing::{Stepped, TakenOver};
pub(crate) use pressure::{Gauge, Waits};
use running::Running;
pub(crate) use stream::StreamTarget;
use stream::Streams;
pub(crate) use stun::binding_request;
use udp::UdpListener;

const UDP: Token = Token(0);
const TCP: Token = Token(1);
const TLS: Token = Token(3);
const WS: Token = Token(4);
const WSS: Token = Token(5);
const WAKE: Token = Token(2);
/// The first token of a connection.
const FIRST_CONNECTION: usize = 16;

/// What others ask of the front.
#[derive(Debug)]
pub(crate) enum ToFront {
    /// A message for a stream; UDP the workers send themselves.
    Send {
        /// The connection, and where to open one.
        to: StreamTarget,
        /// The message.
        bytes: Bytes,
        /// Whom to tell when it cannot be sent.
        from: Option<(usize, skillcall_sip::endpoint::TransmitId)>,
    },
    /// The call was refused by its worker before anything was done for it: its session may be used again.
    ReleaseSession(Box<str>),
    /// Whether new calls are refused from now on: 503.
    Drain {
        /// Whether they are.
        on: bool,
        /// Told when that holds.
        holds: oneshot::Sender<()>,
    },
    /// Other rules for what begins from now on.
    Reload {
        /// The rules.
        config: Arc<SidecarConfig>,
        /// Told when they hold.
        holds: oneshot::Sender<()>,
    },
    /// Somebody gave wrong credentials; a known source is never banned for it.
    Suspect {
        /// Who.
        from: std::net::IpAddr,
        /// Whether that address is proven by a connection.
        reliable: bool,
    },
    /// A phone has registered over this connection: it stays, even without traffic, until then.
    Keep {
        /// Which.
        connection: skillcall_sip::endpoint::ConnectionId,
        /// When the registration ends.
        until: std::time::Instant,
    },
    /// Show that a connection of ours lives, if it is open (RFC 6223).
    KeepAlive(StreamTarget),
    /// Another process reads what comes from now on; what it has read and is this one's comes by [`ToFront::Linked`].
    StepAside {
        /// The way to it.
        link: Link,
        /// What is remembered of what began.
        reply: Sender<Stepped>,
    },
    /// Which calls stay after [`ToFront::StepAside`].
    Counted(TheirCalls),
    /// The process that took over is gone: what comes is read here again.
    TakeBack,
    /// The other process says something.
    Linked(Frame),
    /// The process that was taken over from is gone.
    Unlinked,
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

    /// Hands something to the front and waits until it holds for whatever comes: who has ordered it, and is told that
    /// it is done, must not see it pass a call by the old rules. After the front's end nothing is waited for.
    pub(crate) async fn order(&self, what: impl FnOnce(oneshot::Sender<()>) -> ToFront) {
        let (holds, held) = oneshot::channel();
        self.send(what(holds));
        let _ = held.await;
    }
}

/// The front before it runs: bound, and known to the workers.
pub(crate) struct Front {
    poll: Poll,
    udp: Option<UdpListener>,
    streams: Option<Streams>,
    queue: Receiver<ToFront>,
    handle: FrontHandle,
    naming: Naming,
    trunks: Trunks,
}

/// What a front works with.
pub(crate) struct FrontParts {
    /// The ways to the workers, in their order.
    pub(crate) workers: Vec<WorkerPort>,
    /// Counters.
    pub(crate) figures: Arc<Figures>,
    /// The trace.
    pub(crate) trace: TraceSink,
    /// What answers calls.
    pub(crate) applications: Arc<Applications>,
    /// The trunks of now.
    pub(crate) trunks: Trunks,
    /// Whom it knows.
    pub(crate) known: Arc<Known>,
    /// The phones that may register.
    pub(crate) phones: Arc<Phones>,
    /// Whom it does not hear.
    pub(crate) bans: SharedBans,
    /// What the process that was taken over from has told.
    pub(crate) taken_over: Option<TakenOver>,
}

impl Front {
    /// Binds the listeners, those that were not inherited.
    pub(crate) fn bind(
        config: &SidecarConfig,
        tls: Tls,
        trunks: Trunks,
        inherited: &mut Inherited,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let udp = match (inherited.udp(), config.sip.listener(SipTransport::Udp)) {
            (Some(socket), _) => Some(UdpListener::inherit(socket)?),
            (None, address) => address.map(UdpListener::bind).transpose()?,
        };
        let keep_alive = match config.sip.keep_alive_seconds {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        };
        let limit = config.limits.connections as usize;
        let mut streams = Streams::new(tls, trunks.clone(), limit, keep_alive);
        for (transport, token) in [
            (SipTransport::Tcp, TCP),
            (SipTransport::Tls, TLS),
            (SipTransport::Ws, WS),
            (SipTransport::Wss, WSS),
        ] {
            if let Some(socket) = inherited.stream(transport.into()) {
                streams.inherit(poll.registry(), token, transport.into(), socket)?;
            } else if let Some(address) = config.sip.listener(transport) {
                streams.bind(poll.registry(), token, transport.into(), address)?;
            }
        }
        let (sender, queue) = crossbeam_channel::unbounded();
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let mut front = Self {
            poll,
            udp,
            streams: Some(streams),
            queue,
            handle: FrontHandle {
                queue: sender,
                waker,
            },
            naming: Naming::new(config.limits.worker_count(), inherited.generation()),
            trunks,
        };
        if let Some(udp) = &mut front.udp {
            front
                .poll
                .registry()
                .register(udp.source(), UDP, Interest::READABLE)?;
        }
        Ok(front)
    }

    /// The bound UDP address.
    pub(crate) fn udp_address(&self) -> Option<SocketAddr> {
        self.udp.as_ref().map(UdpListener::local)
    }

    /// The bound address of a transport that goes over connections.
    pub(crate) fn stream_address(&self, transport: Transport) -> Option<SocketAddr> {
        self.streams.as_ref()?.local(transport)
    }

    /// Another handle of a transport's listening socket, for a process that takes over.
    pub(crate) fn duplicate(&self, transport: Transport) -> io::Result<Option<OwnedFd>> {
        match (transport, &self.streams) {
            (Transport::Udp, _) => Ok(self.udp_sender()?.map(OwnedFd::from)),
            (_, Some(streams)) => streams.duplicate(transport),
            (_, None) => Ok(None),
        }
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
    pub(crate) fn run(self, config: Arc<SidecarConfig>, parts: FrontParts) -> io::Result<()> {
        Running::new(self, &config, parts).run()
    }

    /// The names of this process's workers.
    pub(crate) fn naming(&self) -> Naming {
        self.naming
    }
}

/// Whether a destination can be sent to as it is.
pub(crate) fn address_of(destination: &Destination) -> Option<SocketAddr> {
    match destination {
        Destination::Addr(address) => Some(*address),
        Destination::Unresolved { .. } => None,
    }
}
