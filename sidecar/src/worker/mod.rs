//! A media worker: one thread with its own sockets, timers and calls. It shares nothing with others but counters.
//!
//! | file | what |
//! |---|---|
//! | `mod` | what a worker has |
//! | `event_loop` | the loop: what woke it, what is due |
//! | `call`, `calls`, `view` | what is kept of a call, where it is found, and how it is shown |
//! | `inbox` | what the cold side tells it |
//! | `signalling` | the SIP endpoint's events and messages |
//! | `incoming`, `outgoing` | a call that comes in, a leg that goes out |
//! | `answering` | what a caller is told before the answer, and the answer |
//! | `identity` | who calls, as one trunk vouches for it and another one is told |
//! | `user_to_user` | what one party of a call tells the other one |
//! | `next_hop` | a request inside a dialog whose next hop is a name |
//! | `checks` | whether trunks' targets live |
//! | `registering` | our registrations with trunks |
//! | `keep_alives` | flows that peers want to be kept alive |
//! | `phones`, `ringing` | phones that register with us; a leg that rings at all their places |
//! | `brain`, `gateway` | calls between Alexa devices and phones |
//! | `created` | a call that is made through the API; the records of legs |
//! | `commands` | what the action engine wants done |
//! | `cold` | speech, files, handlers, recordings, the control API |
//! | `session` | changes of a session: offers and answers |
//! | `transfer` | REFER and Replaces: another party takes a place in a call |
//! | `inside` | INFO and MESSAGE in calls |
//! | `orders` | what the control API wants of a leg |
//! | `bot` | a call that talks to a bot |
//! | `meeting` | a call that takes part in a meeting |
//! | `media`, `tick` | RTP as it comes, and the tick of 20 ms |
//! | `wire` | what goes over the wire, for trace, collector and capture |
//! | `supervision` | what is left of a worker that panicked, and its new start |

mod answering;
mod bot;
mod brain;
mod call;
mod calls;
mod checks;
mod cold;
mod commands;
mod created;
mod event_loop;
mod gateway;
mod history;
mod identity;
mod inbox;
mod incoming;
mod inside;
mod inviting;
mod journalling;
mod keep_alives;
mod media;
mod meeting;
mod next_hop;
mod orders;
mod outgoing;
mod phones;
mod redirection;
mod registering;
mod replacing;
mod ringing;
mod session;
mod signalling;
mod supervision;
mod tick;
mod transfer;
mod trunk_way;
mod user_to_user;
mod view;
mod wire;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Receiver;
use mio::{Poll, Token, Waker};
use skillcall_sip::endpoint::{
    CallHandle, Endpoint, EndpointConfig, Transmit, TransmitId, Transport,
};
use slab::Slab;

use crate::applications::Applications;
use crate::bot::Bots;
use crate::capture::Tap;
use crate::cdr::CallDetails;
use crate::config::{Live, SidecarConfig};
use crate::datagram::Sender;
use crate::engine::{Input, LegId};
use crate::failure::Failures;
use crate::figures::{Figures, Held};
use crate::front::{FromFront, FrontHandle, Gauge, Waits, WorkerPort};
use crate::gateway::Switchboard;
use crate::guard::{Known, Toll};
use crate::handler::Handlers;
use crate::journal::Journal;
use crate::leg::{DeviceSettings, LegMedia};
use crate::meetings::Meetings;
use crate::phones::Phones;
use crate::playback::FilePrompts;
use crate::ports::PortPool;
use crate::reachable::Reachable;
use crate::recording::RecordingStore;
use crate::resolve::Names;
use crate::speech::SpeechService;
use crate::trace::{CallIds, Sampling, TraceSink};
use crate::trunks::Trunks;
use call::CallEntry;
pub(crate) use call::CallKey;
use checks::Checks;
pub(crate) use inbox::{ToWorker, WorkerHandle};
use keep_alives::KeepAlives;
use next_hop::NextHop;
pub(crate) use orders::LegOrder;
pub(crate) use registering::REGISTERING;
use registering::Registering;
pub(crate) use view::CallView;

const WAKE: Token = Token(0);
/// The first token of a leg: RTP of the leg in slot 0; its RTCP is the next.
const FIRST_LEG: usize = 1;
/// Tokens of connections with TURN servers, beyond those of all legs' sockets: so many for each leg.
const FIRST_STREAM: usize = usize::MAX / 2;
const STREAMS_EACH: usize = 8;
/// Tokens of phones' video, between both: RTP of the leg in slot 0, RTCP, and so on.
const FIRST_VIDEO: usize = usize::MAX / 4;
/// The packet time of all audio.
const TICK: Duration = Duration::from_millis(20);
/// After a pause as long as this the ticks that were missed are left out.
const MOST_BEHIND: Duration = Duration::from_millis(200);
/// A tick that comes later than this is counted.
const LATE: Duration = Duration::from_millis(10);
/// Messages of the front that are handled before RTP gets its turn.
const BATCH: usize = 64;
/// How long messages of an ended call are still told to be its: 64·T1 and a little.
const AFTERLIFE: Duration = Duration::from_secs(35);

/// What all workers share, and never change.
pub(crate) struct Shared {
    pub(crate) config: Arc<SidecarConfig>,
    pub(crate) applications: Arc<Applications>,
    pub(crate) front: FrontHandle,
    pub(crate) figures: Arc<Figures>,
    pub(crate) failures: Failures,
    pub(crate) trace: TraceSink,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) speech: Arc<SpeechService>,
    pub(crate) files: Arc<FilePrompts>,
    pub(crate) recordings: RecordingStore,
    pub(crate) journal: Journal,
    /// Call detail records, if they are wanted.
    pub(crate) call_details: Option<CallDetails>,
    pub(crate) meetings: Arc<Meetings>,
    pub(crate) known: Arc<Known>,
    pub(crate) tap: Tap,
    pub(crate) live: Live,
    pub(crate) toll: Toll,
    pub(crate) bots: Arc<Bots>,
    pub(crate) runtime: tokio::runtime::Handle,
    /// The trunks of now.
    pub(crate) trunks: Trunks,
    /// No new calls are taken.
    pub(crate) draining: Arc<AtomicBool>,
    /// Another process has taken over: what is not a call's is its.
    pub(crate) handed_over: Arc<AtomicBool>,
    /// The phones that register with us.
    pub(crate) phones: Arc<Phones>,
    /// Who looks names up.
    pub(crate) names: Arc<Names>,
    /// The gateway, if there is one.
    pub(crate) switchboard: Option<Arc<Switchboard>>,
    /// How the gateway speaks with devices; none without one.
    pub(crate) devices: Option<Arc<DeviceSettings>>,
    /// Where peers reach us.
    pub(crate) reachable: Arc<Reachable>,
}

/// A worker before it runs.
pub(crate) struct Worker {
    index: usize,
    poll: Poll,
    front_queue: Receiver<FromFront>,
    queue: Receiver<ToWorker>,
    handle: WorkerHandle,
    sip: EndpointConfig,
    udp: Option<UdpSocket>,
    ports: PortPool,
    gauge: Gauge,
}

impl Worker {
    /// A worker with its queues; the other ends go to the front and to the cold side.
    pub(crate) fn new(
        index: usize,
        queue_capacity: usize,
        sip: EndpointConfig,
        udp: Option<UdpSocket>,
        ports: PortPool,
    ) -> io::Result<(Self, WorkerPort)> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (front_sender, front_queue) = crossbeam_channel::bounded(queue_capacity);
        let (sender, queue) = crossbeam_channel::unbounded();
        let gauge = Gauge::new(Instant::now());
        let port = WorkerPort::new(
            front_sender,
            Arc::clone(&waker),
            queue_capacity,
            gauge.clone(),
        );
        let handle = WorkerHandle {
            queue: sender,
            waker,
        };
        Ok((
            Self {
                index,
                poll,
                front_queue,
                queue,
                handle,
                sip,
                udp,
                ports,
                gauge,
            },
            port,
        ))
    }

    /// The way to it.
    pub(crate) fn handle(&self) -> WorkerHandle {
        self.handle.clone()
    }

    /// Runs until [`ToWorker::Stop`], with a new start after each panic.
    pub(crate) fn run(self, shared: Arc<Shared>) {
        let endpoint = Endpoint::new(self.sip.clone());
        supervision::supervise(Running::new(self, endpoint, shared));
    }
}

/// Something for what decides a call.
struct Pending {
    call: CallKey,
    input: Told,
}

/// In whose words it is.
enum Told {
    /// The action engine's; SIP's side speaks so in all calls.
    Engine(Input),
    /// The gateway's.
    Gateway(crate::gateway::Input),
}

struct Running {
    index: usize,
    shared: Arc<Shared>,
    poll: Poll,
    front_queue: Receiver<FromFront>,
    queue: Receiver<ToWorker>,
    handle: WorkerHandle,
    sip: EndpointConfig,
    endpoint: Endpoint,
    udp: Option<UdpSocket>,
    ports: PortPool,
    calls: Slab<CallEntry>,
    media: Slab<LegMedia>,
    /// Whose audio a slot of `media` is.
    media_owner: Vec<Option<(CallKey, LegId)>>,
    by_handle: HashMap<CallHandle, (CallKey, LegId)>,
    /// The gateway's calls by their sessionIds.
    sessions: HashMap<Box<str>, CallKey>,
    /// SIP Call-ID → whose messages they are, for the trace.
    dialogs: HashMap<Box<[u8]>, (Arc<CallIds>, LegId)>,
    ended_dialogs: VecDeque<(Instant, Box<[u8]>)>,
    /// Legs for devices whose candidates are gathered.
    ready: gateway::Ready,
    inputs: VecDeque<Pending>,
    /// What certificates of peers that were called over TLS have to prove, for their pooled connections.
    peer_names: HashMap<(Transport, SocketAddr), Arc<str>>,
    /// Messages whose next hop's name is being looked up.
    nameless: HashMap<NextHop, Vec<Transmit>>,
    /// Messages whose next hop is known now.
    resolved: VecDeque<Transmit>,
    checks: Checks,
    registering: Registering,
    keep_alives: KeepAlives,
    next_keeping: Instant,
    serial: u64,
    next_tick: Instant,
    /// Legs that are to say something for the first time.
    beginning: Vec<usize>,
    /// Legs whose sockets were not read empty.
    unread: Vec<usize>,
    /// The same for phones' video.
    unread_video: Vec<usize>,
    packet: Box<[u8; 2048]>,
    waits: Waits,
    sampling: Sampling,
    sender: Sender,
    /// SIP datagrams of this turn, and which transactions they are of.
    datagrams: Vec<(SocketAddr, Bytes)>,
    datagram_ids: Vec<Option<TransmitId>>,
    /// The endpoint's transactions, as the figures show them.
    transactions: Option<Held>,
    hanging_up: bool,
    stopping: bool,
    /// When it panicked last.
    panicked: Option<Instant>,
}

impl Running {
    fn new(worker: Worker, endpoint: Endpoint, shared: Arc<Shared>) -> Self {
        let Worker {
            index,
            poll,
            front_queue,
            queue,
            handle,
            sip,
            udp,
            ports,
            gauge,
        } = worker;
        // Each worker has its part.
        let workers = shared.config.limits.worker_count().max(1) as u32;
        let traced = shared.config.trace.calls_per_second.div_ceil(workers);
        let sampling = Sampling::new(traced, Instant::now());
        Self {
            index,
            shared,
            poll,
            front_queue,
            queue,
            handle,
            sip,
            endpoint,
            udp,
            ports,
            calls: Slab::new(),
            media: Slab::new(),
            media_owner: Vec::new(),
            by_handle: HashMap::new(),
            sessions: HashMap::new(),
            dialogs: HashMap::new(),
            ended_dialogs: VecDeque::new(),
            ready: gateway::Ready::default(),
            inputs: VecDeque::new(),
            peer_names: HashMap::new(),
            nameless: HashMap::new(),
            resolved: VecDeque::new(),
            checks: Checks::new(Instant::now()),
            registering: Registering::new(Instant::now()),
            keep_alives: KeepAlives::default(),
            next_keeping: Instant::now(),
            serial: 0,
            next_tick: Instant::now(),
            beginning: Vec::new(),
            unread: Vec::new(),
            unread_video: Vec::new(),
            packet: Box::new([0; 2048]),
            waits: Waits::new(gauge),
            sampling,
            sender: Sender::new(),
            datagrams: Vec::new(),
            datagram_ids: Vec::new(),
            transactions: None,
            hanging_up: false,
            stopping: false,
            panicked: None,
        }
    }
}
