//! What a worker is told by the cold side: handlers, speech, files, recordings, the control API.

use std::sync::Arc;

use crossbeam_channel::Sender;
use mio::Waker;
use skillcall_media::prompt::EncodedPrompt;
use skillcall_protocol::signaling::Forward;
use skillcall_sip::dialog::SavedDialog;
use skillcall_sip::endpoint::SavedInvite;
use tokio::sync::oneshot;

use super::call::CallKey;
use super::next_hop::NextHop;
use super::orders::{LegOrder, LegReply};
use super::view::CallView;
use crate::applications::Application;
use crate::capture::CallCapture;
use crate::engine::{BotOutcome, TurnId};
use crate::engine::{Failure, HandlerOutcome, LegId, OutboundCall, PlayId, RecordingId, SpeechId};
use crate::journal::WaitingCaller;
use crate::recording::Report;
use crate::resolve::Hop;
use crate::trunks::Trunk;

/// Something for a worker. Its amount is bounded by the number of calls.
pub(crate) enum ToWorker {
    /// A handler's outcome.
    Handler {
        call: CallKey,
        sequence: u32,
        attempt: u32,
        outcome: HandlerOutcome,
    },
    /// A text was rendered, or not.
    Speech {
        call: CallKey,
        speech: SpeechId,
        result: Result<Arc<EncodedPrompt>, Failure>,
    },
    /// A file was read, or not.
    File {
        call: CallKey,
        play: PlayId,
        leg: LegId,
        times: Option<u32>,
        result: Result<Arc<EncodedPrompt>, Failure>,
    },
    /// A RecordAudio recording.
    Recording {
        call: CallKey,
        leg: LegId,
        recording: RecordingId,
        report: Report,
    },
    /// A call recording.
    CallRecording {
        call: CallKey,
        leg: LegId,
        report: Report,
    },
    /// Where the called host is reached, or why it is not.
    Resolved {
        call: CallKey,
        leg: LegId,
        hops: Result<Vec<Hop>, String>,
    },
    /// Where a trunk's target that is asked is reached, or why it is not.
    CheckResolved {
        trunk: Arc<Trunk>,
        place: usize,
        hops: Result<Vec<Hop>, String>,
    },
    /// Where a trunk's registrar is reached, or why it is not.
    RegistrarResolved {
        id: u64,
        hops: Result<Vec<Hop>, String>,
    },
    /// Where a request inside a dialog goes whose next hop is a name.
    NextHop { hop: NextHop, found: Option<Hop> },
    /// A bot's answer, or why there is none.
    Bot {
        call: CallKey,
        turn: TurnId,
        result: Result<BotOutcome, Failure>,
    },
    /// A message of Alexa's for a call of the gateway's.
    Signal(Box<Forward>),
    /// What came of something that the gateway wanted done.
    Gateway {
        call: CallKey,
        input: crate::gateway::Input,
    },
    /// All calls, for the control API.
    List {
        reply: oneshot::Sender<Vec<CallView>>,
    },
    /// End the call with this id (TransactionId, a CallId, or csi); replies whether there was one.
    Terminate {
        id: String,
        reply: oneshot::Sender<bool>,
    },
    /// Update the call with this TransactionId (facts F8); replies whether there was one.
    Update {
        id: String,
        arguments: std::collections::BTreeMap<String, String>,
        reply: oneshot::Sender<bool>,
    },
    /// Do something with the leg that has this CallId.
    Leg {
        call_id: String,
        order: LegOrder,
        reply: LegReply,
    },
    /// Capture the call with this id; replies whether there was one without a capture.
    Capture {
        id: String,
        capture: Arc<CallCapture>,
        reply: oneshot::Sender<bool>,
    },
    /// Make a call (facts F10); replies whether it is made.
    Create {
        application: Arc<Application>,
        call: Box<OutboundCall>,
        reply: oneshot::Sender<bool>,
    },
    /// Peers reach us at another address from now on.
    Readdress,
    /// End dialogs that an earlier process has left.
    TakeLeave(Vec<SavedDialog>),
    /// Give up INVITEs that an earlier process has left.
    GiveUp(Vec<SavedInvite>),
    /// Refuse peers whose calls an earlier process has left.
    Refuse(Vec<WaitingCaller>),
    /// Another process takes over: all that has come is taken in, and the reply is which calls stay.
    CountUp { reply: Sender<Stays> },
    /// End all calls; replies when none is left.
    HangUpAll,
    /// End the thread.
    Stop,
    /// Panic, as a mistake would.
    #[cfg(feature = "injected-panics")]
    Panic,
}

/// What stays of a worker when another process takes over.
#[derive(Debug, Default)]
pub(crate) struct Stays {
    /// SIP Call-IDs of its calls.
    pub(crate) call_ids: Vec<Vec<u8>>,
    /// The gateway's sessions.
    pub(crate) sessions: Vec<String>,
}

/// The way to a worker's thread.
#[derive(Clone)]
pub(crate) struct WorkerHandle {
    pub(super) queue: Sender<ToWorker>,
    pub(super) waker: Arc<Waker>,
}

impl WorkerHandle {
    /// Hands something to the worker; after its end it goes nowhere.
    pub(crate) fn send(&self, what: ToWorker) {
        if self.queue.send(what).is_ok() {
            // A waker that cannot wake means that the thread is gone.
            let _ = self.waker.wake();
        }
    }
}
