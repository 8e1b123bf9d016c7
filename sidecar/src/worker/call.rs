//! What a worker keeps of one call.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use skillcall_media::prompt::EncodedPrompt;
use skillcall_protocol::sma::CallId;
use skillcall_sip::endpoint::{CallHandle, TransmitId};
use skillcall_sip::message::ExtraHeader;
use tokio::task::AbortHandle;

use super::brain::Brain;
use super::history::History;
use super::outgoing::Attempt;
use super::ringing::Fork;
use super::transfer::Transfer;
use super::user_to_user::Told;
use crate::applications::Application;
use crate::engine::{LegId, PlayId, RecordingEnd, RecordingId, SpeechId, TurnId};
use crate::figures::Held;
use crate::guard::{RouteHeld, SourceHeld};
use crate::leg::LegOffers;
use crate::trace::CallIds;
use crate::trunks::{Placed, Trunk};

/// A call of a worker: its place, and a serial number that tells it from an earlier call in the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CallKey {
    pub(super) slot: usize,
    pub(super) serial: u64,
}

/// A call.
pub(super) struct CallEntry {
    pub(super) serial: u64,
    pub(super) engine: Brain,
    pub(super) ids: Arc<CallIds>,
    pub(super) application: Arc<Application>,
    /// The other applications of its rule, which are asked when this one cannot be (facts F3).
    pub(super) targets: VecDeque<Arc<Application>>,
    pub(super) legs: Vec<LegEntry>,
    pub(super) speeches: HashMap<SpeechId, Arc<EncodedPrompt>>,
    pub(super) rendering: HashMap<SpeechId, AbortHandle>,
    pub(super) loading: HashSet<PlayId>,
    pub(super) asking: HashMap<(u32, u32), AbortHandle>,
    /// Bots that are being asked.
    pub(super) talking: HashMap<TurnId, AbortHandle>,
    /// Why each RecordAudio recording ended, until its file is complete.
    pub(super) recording_ends: HashMap<RecordingId, RecordingEnd>,
    /// SIP Call-IDs of its legs.
    pub(super) dialogs: Vec<Box<[u8]>>,
    pub(super) csi: Option<Box<str>>,
    pub(super) began: Instant,
    pub(super) answered: bool,
    /// It is answered, for the figures.
    pub(super) up: Option<Held>,
    /// The known source that it came from.
    pub(super) source: Option<SourceHeld>,
    /// Who called: the user part of From.
    pub(super) caller: Box<str>,
    pub(super) _held: Held,
    /// Whether it was made through the API.
    pub(super) created: bool,
    /// The leg that its meeting is.
    pub(super) meeting: Option<LegId>,
    /// The place of the handler that answered last, among those of the application.
    pub(super) handler: Arc<AtomicUsize>,
    /// Transfers under way, and how many there were.
    pub(super) transfers: Vec<Transfer>,
    pub(super) transferred: u32,
}

impl Drop for CallEntry {
    /// Nobody waits any longer for what the cold side does for the call.
    fn drop(&mut self) {
        let lookups = self.legs.iter().filter_map(|leg| leg.lookup.as_ref());
        for task in self
            .asking
            .values()
            .chain(self.rendering.values())
            .chain(self.talking.values())
            .chain(lookups)
        {
            task.abort();
        }
    }
}

/// Where a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LegState {
    /// It called, and waits for an answer.
    Incoming,
    /// It is being called; its name is being looked up, or it rings.
    Dialing,
    /// It is answered.
    Connected,
    /// It is gone; only late messages may come.
    Gone,
}

/// A leg.
pub(super) struct LegEntry {
    pub(super) id: LegId,
    pub(super) call_id: CallId,
    pub(super) handle: Option<CallHandle>,
    pub(super) state: LegState,
    /// The place of its audio.
    pub(super) media: Option<usize>,
    /// Offers and answers.
    pub(super) offers: Option<LegOffers>,
    /// Our answer to the caller's offer, once it is made: 183 and 200 carry the same.
    pub(super) answer: Option<bytes::Bytes>,
    /// Our description went out in a reliable provisional response: the 200 does not say it again (RFC 6337 §3.1).
    pub(super) described_reliably: bool,
    /// The trunk that it came or went by.
    pub(super) trunk: Option<Arc<Trunk>>,
    /// It was placed by that trunk.
    pub(super) placed: Option<Placed>,
    /// What a trusted trunk said of the caller.
    pub(super) vouched: Vec<ExtraHeader>,
    /// What its party tells the other one.
    pub(super) told: Told,
    /// What it asked for, and the way to here.
    pub(super) history: Option<History>,
    /// Where else it may be tried, while it is being called.
    pub(super) attempt: Option<Box<Attempt>>,
    /// The places that it rings at, while there are several.
    pub(super) forks: Vec<Fork>,
    /// Its INVITEs that stand in the journal.
    pub(super) journalled: Vec<TransmitId>,
    /// Looking up the name of the called host.
    pub(super) lookup: Option<AbortHandle>,
    /// Its place on a route that has a limit.
    pub(super) route: Option<RouteHeld>,
    /// Its party has taken another one's place, and its ACK is awaited: nothing can be offered to it before.
    pub(super) takes_place: bool,
    pub(super) _held: Held,
}

impl LegEntry {
    pub(super) fn new(id: LegId, call_id: CallId, state: LegState, held: Held) -> Self {
        Self {
            id,
            call_id,
            handle: None,
            state,
            media: None,
            offers: None,
            answer: None,
            described_reliably: false,
            trunk: None,
            placed: None,
            vouched: Vec::new(),
            told: Told::default(),
            history: None,
            attempt: None,
            forks: Vec::new(),
            journalled: Vec::new(),
            lookup: None,
            route: None,
            takes_place: false,
            _held: held,
        }
    }
}

impl CallEntry {
    /// A call without legs.
    pub(super) fn new(
        serial: u64,
        engine: impl Into<Brain>,
        ids: Arc<CallIds>,
        application: Arc<Application>,
        began: Instant,
        held: Held,
    ) -> Self {
        Self {
            serial,
            engine: engine.into(),
            ids,
            application,
            targets: VecDeque::new(),
            legs: Vec::new(),
            speeches: HashMap::new(),
            rendering: HashMap::new(),
            loading: HashSet::new(),
            asking: HashMap::new(),
            talking: HashMap::new(),
            recording_ends: HashMap::new(),
            dialogs: Vec::new(),
            csi: None,
            began,
            answered: false,
            up: None,
            source: None,
            caller: Box::default(),
            _held: held,
            created: false,
            meeting: None,
            handler: Arc::default(),
            transfers: Vec::new(),
            transferred: 0,
        }
    }

    pub(super) fn leg(&self, id: LegId) -> Option<&LegEntry> {
        self.legs.iter().find(|leg| leg.id == id)
    }

    pub(super) fn leg_mut(&mut self, id: LegId) -> Option<&mut LegEntry> {
        self.legs.iter_mut().find(|leg| leg.id == id)
    }
}
