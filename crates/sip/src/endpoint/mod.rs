//! The endpoint: datagrams and commands in, messages, events and one next time-out out.
//!
//! One endpoint serves one thread and shares nothing. After each call that takes `&mut self`, drain
//! [`Endpoint::poll_transmit`] and [`Endpoint::poll_event`], then wait until [`Endpoint::next_timeout`] at most and
//! call [`Endpoint::handle_timeout`]. Time is only what the caller says it is.

mod abilities;
mod body;
mod call;
mod calls;
mod cancel;
mod challenge;
mod change;
mod client;
mod config;
mod ending;
mod error;
mod event;
mod flow;
mod ids;
mod in_dialog;
mod outgoing;
mod outside;
mod peer_change;
mod prack;
mod receive;
mod refer;
mod reliable;
mod renewal;
mod reply;
mod requests;
mod saved_invite;
mod serve;
mod server;
mod session_timer;
mod texts;
mod uac;
mod uas;

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Instant;

use bytes::Bytes;
use hashbrown::HashTable;
use slab::Slab;

pub use config::{Advertised, EndpointConfig, Limits, View};
pub use error::CallError;
pub use event::{CallHandle, EndedBy, Event, FailureCause, RequestId, SentId};
pub use flow::{ConnectionId, Destination, Flow, Transmit, TransmitId, Transport};
pub use outgoing::{OutgoingInvite, OutgoingRequest, OwnContact, Party};
pub use refer::{Referral, refer_to_replacing, replaces_of};
pub use saved_invite::SavedInvite;
pub use serve::OwnReply;
pub use session_timer::{RefreshedBy, SessionTimerPolicy};

pub(crate) use reply::{received_via, response_address};

use crate::dialog::{Dialog, next_hop};
use crate::message::{Framing, Message, parse};
use crate::transaction::{Timer, TimerLanes};
use call::{Call, CallState, CallTimer, TxRef};
use client::ClientTx;
use ids::Ids;
use serve::Surfaced;
use server::ServerTx;
use texts::Texts;

/// The methods that we answer, as Allow says it (RFC 3261 §20.5).
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO";

/// A SIP user agent without sockets or clock. See the [module](self).
#[derive(Debug)]
pub struct Endpoint {
    config: EndpointConfig,
    texts: Texts,
    ids: Ids,
    hasher: RandomState,
    serial: u32,
    calls: Slab<Call>,
    servers: Slab<ServerTx>,
    /// Server transactions by the hash of their key.
    server_index: HashTable<u32>,
    /// Hashes of From tag, Call-ID and CSeq of the INVITEs being served (RFC 3261 §8.2.2.2).
    merging: HashSet<u64>,
    /// Requests that wait for the user's answer; as many as server transactions at most.
    surfaced: HashMap<RequestId, Surfaced>,
    sent: u64,
    /// Requests of ours whose outcome the user does not hear of.
    quiet: HashSet<SentId>,
    clients: Slab<ClientTx>,
    /// INVITEs of another endpoint that are given up here, by their branches.
    restored: HashMap<Box<[u8]>, TxRef>,
    /// Dialogs of another endpoint that may have been answered, while their INVITEs are refused here.
    refused: HashMap<u32, Box<Dialog>>,
    timers: TimerLanes<Due>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    scratch: Vec<u8>,
}

/// How full an endpoint's tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls.
    pub calls: usize,
    /// Server transactions, ended ones included until timers I, J or L.
    pub server_transactions: usize,
    /// Client transactions, ended ones included until timers D, K or M.
    pub client_transactions: usize,
    /// Timers, stale ones included.
    pub timers: usize,
    /// Requests of peers that wait for the user's answer, requests of ours whose outcome it does not hear of, and dialogs
    /// whose INVITE is refused for another endpoint.
    pub waiting: usize,
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Server {
        index: u32,
        serial: u32,
        timer: Timer,
    },
    Client {
        index: u32,
        serial: u32,
        timer: Timer,
    },
    Call {
        handle: CallHandle,
        timer: CallTimer,
    },
    Unanswered {
        id: RequestId,
    },
    Restored {
        index: u32,
        serial: u32,
    },
    Unheard {
        index: u32,
        serial: u32,
    },
    Refused {
        serial: u32,
    },
    Reinvite {
        index: u32,
        serial: u32,
    },
}

impl Endpoint {
    /// An endpoint without calls.
    pub fn new(mut config: EndpointConfig) -> Self {
        let timer = |tag: &String| tag.eq_ignore_ascii_case("timer");
        if config.session_timer.is_some() && !config.supported.iter().any(timer) {
            config.supported.push("timer".to_owned());
        }
        Self {
            texts: Texts::new(&config),
            ids: Ids::new(config.seed, &config.id_prefix),
            hasher: RandomState::new(),
            serial: 0,
            calls: Slab::new(),
            servers: Slab::new(),
            server_index: HashTable::new(),
            merging: HashSet::new(),
            surfaced: HashMap::new(),
            sent: 0,
            quiet: HashSet::new(),
            clients: Slab::new(),
            restored: HashMap::new(),
            refused: HashMap::new(),
            timers: TimerLanes::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            scratch: Vec::new(),
            config,
        }
    }

    /// Takes a datagram, or one message that [`StreamFramer`](crate::message::StreamFramer) cut out of a stream.
    ///
    /// What is no SIP message is answered with the status that fits, if it is a request that can be answered at all.
    pub fn receive(&mut self, now: Instant, flow: &Flow, datagram: &[u8]) {
        let framing = if flow.transport.is_reliable() {
            Framing::Stream
        } else {
            Framing::Datagram
        };
        match parse(Bytes::copy_from_slice(datagram), framing) {
            Ok(message) => self.receive_message(now, flow, message),
            Err(error) => {
                let Some(status) = error.status() else { return };
                if let Some((bytes, address)) = crate::peek::stateless_response(
                    datagram,
                    flow.remote,
                    status,
                    error.reason(),
                    &[],
                ) {
                    let address = if flow.transport.is_reliable() {
                        flow.remote
                    } else {
                        address
                    };
                    let connection = flow.connection;
                    self.transmits.push_back(
                        reply::ReplyPath {
                            transport: flow.transport,
                            address,
                            connection,
                        }
                        .transmit(bytes),
                    );
                }
            }
        }
    }

    /// Takes a message that is already parsed.
    pub fn receive_message(&mut self, now: Instant, flow: &Flow, message: Message) {
        match message {
            Message::Request(request) => self.on_request(now, flow, &request),
            Message::Response(response) => self.on_response(now, flow, &response),
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Endpoint::handle_timeout`] has to be called at the latest. It may find nothing to do then.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(due) = self.timers.take(now) {
            match due {
                Due::Server {
                    index,
                    serial,
                    timer,
                } => self.on_server_timer(now, index, serial, timer),
                Due::Client {
                    index,
                    serial,
                    timer,
                } => self.on_client_timer(now, index, serial, timer),
                Due::Call { handle, timer } => self.on_call_timer(now, handle, timer),
                Due::Unanswered { id } => self.on_unanswered(id),
                Due::Restored { index, serial } => self.forget_restored(index, serial),
                Due::Unheard { index, serial } => self.end_unheard(now, TxRef { index, serial }),
                Due::Refused { serial } => self.end_refused(now, serial),
                Due::Reinvite { index, serial } => self.forget_reinvite(TxRef { index, serial }),
            }
        }
    }

    /// How full the tables are.
    pub fn counts(&self) -> Counts {
        Counts {
            calls: self.calls.len(),
            server_transactions: self.servers.len(),
            client_transactions: self.clients.len(),
            timers: self.timers.len(),
            waiting: self.surfaced.len() + self.quiet.len() + self.refused.len(),
        }
    }

    /// The call's Call-ID; `None` for a call that is over.
    pub fn call_id(&self, call: CallHandle) -> Option<&[u8]> {
        match &self.call(call)?.state {
            CallState::Calling(calling) => Some(&calling.call_id),
            other => other.dialog().map(|dialog| dialog.call_id()),
        }
    }

    /// The Call-IDs of all calls, those that ring among them.
    pub fn call_ids(&self) -> impl Iterator<Item = &[u8]> {
        self.calls.iter().filter_map(|(_, call)| match &call.state {
            CallState::Calling(calling) => Some(&*calling.call_id),
            other => other.dialog().map(|dialog| dialog.call_id()),
        })
    }

    /// Our Contact for a peer over a transport, as it is written: a URI in angle brackets.
    pub fn contact(&self, transport: Transport, peer: IpAddr) -> &str {
        self.texts.contact(transport, peer)
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }

    /// Names other addresses of ours from now on: those of the transports and of the views of `config`, of which nothing else is
    /// taken. What was sent already keeps the old ones.
    pub fn advertise(&mut self, config: &EndpointConfig) {
        let EndpointConfig {
            udp,
            tcp,
            tls,
            ws,
            wss,
            views,
            ..
        } = config.clone();
        let own = &mut self.config;
        (own.udp, own.tcp, own.tls) = (udp, tcp, tls);
        (own.ws, own.wss, own.views) = (ws, wss, views);
        self.texts = Texts::new(&self.config);
    }

    /// The peer of a call that came in takes nothing but UDP: see [`OutgoingInvite::udp_only`].
    pub fn set_udp_only(&mut self, call: CallHandle) {
        if let Some(found) = self.call_mut(call) {
            found.udp_only = true;
        }
    }

    /// The way of the next request inside a dialog.
    fn next_hop_of(&self, dialog: &Dialog) -> (Transport, Destination, Option<ConnectionId>) {
        next_hop(
            dialog.next_hop_uri(),
            &dialog.flow(),
            self.config.resolves_names,
            self.config.correct_contacts,
            dialog.behind(),
        )
    }

    fn hash_of(&self, bytes: &[u8]) -> u64 {
        self.hasher.hash_one(bytes)
    }

    /// A Via for a message that no transaction waits for.
    fn passing_via(&mut self, transport: Transport, peer: IpAddr) -> String {
        let unique = self.ids.unique();
        format!("{}{unique}", self.texts.via(transport, peer))
    }
}
