//! What an endpoint knows of one call.

use std::time::Duration;

use bytes::Bytes;

use super::change::OwnChange;
use super::event::EndedBy;
use super::event::RequestId;
use super::flow::{Flow, TransmitId};
use super::reliable::Reliable;
use super::reply::ReplyPath;
use super::session_timer::SessionMemory;
use crate::auth::Session;
use crate::dialog::Dialog;
use crate::message::{ExtraHeader, Headers, Request};

/// A transaction in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TxRef {
    pub(super) index: u32,
    pub(super) serial: u32,
}

impl From<TransmitId> for TxRef {
    fn from(id: TransmitId) -> Self {
        Self {
            index: (id.0 >> 32) as u32,
            serial: id.0 as u32,
        }
    }
}

/// Timers of calls, beside those of their transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallTimer {
    /// No answer from the user yet: 100 (RFC 3261 §17.2.1).
    Trying,
    /// A provisional response is repeated each minute, so that proxies do not give up (RFC 3261 §13.3.1.1).
    RepeatProvisional,
    /// The 2xx goes out again (RFC 3261 §13.3.1.4).
    RepeatAnswer { cseq: u32 },
    /// The ACK is overdue (RFC 3261 §13.3.1.4).
    AckOverdue { cseq: u32 },
    /// The cancelled INVITE is still unanswered (RFC 3261 §9.1).
    CancelOverdue,
    /// A reliable provisional response goes out again (RFC 3262 §3).
    RepeatReliable { rseq: u32 },
    /// Its PRACK is overdue (RFC 3262 §3).
    PrackOverdue { rseq: u32 },
    /// A change of ours that met one of the peer's is tried again (RFC 3261 §14.1).
    RetryChange { serial: u32 },
    /// A re-INVITE of ours is unanswered for long.
    ChangeOverdue { serial: u32 },
    /// Is it our turn to refresh the session, or is it over (RFC 4028 §7.2, §10)?
    Session { serial: u32 },
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) serial: u32,
    pub(super) nonce: u64,
    pub(super) state: CallState,
    /// Who asked for credentials in this call, and what answers them.
    pub(super) auth: Option<Box<Session>>,
    /// We made the call, and so its Call-ID.
    pub(super) caller: bool,
    /// The peer takes nothing but UDP.
    pub(super) udp_only: bool,
    /// We have sent a REFER and expect its NOTIFYs.
    pub(super) referring: bool,
    /// A re-INVITE or UPDATE of ours.
    pub(super) change: Option<Box<OwnChange>>,
    /// An UPDATE with an offer that the user has not answered.
    pub(super) peer_update: Option<RequestId>,
    pub(super) session: Option<Box<SessionMemory>>,
}

#[derive(Debug)]
pub(super) enum CallState {
    Incoming(Box<Incoming>),
    Calling(Box<Calling>),
    Established(Box<Established>),
    Ending {
        dialog: Box<Dialog>,
        by: EndedBy,
    },
    /// One method has taken the state out and will put one back before it returns.
    Taken,
}

/// An INVITE that waits for an answer: a call's first, or a later one.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) tx: TxRef,
    pub(super) request: Request,
    pub(super) flow: Flow,
}

#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) invite: Pending,
    pub(super) dialog: Dialog,
    /// The last provisional response above 100.
    pub(super) provisional: Option<Bytes>,
    pub(super) reliable: Option<Box<Reliable>>,
}

/// An early dialog of an outgoing call (RFC 3261 §13.2.2.1).
#[derive(Debug)]
pub(super) struct Early {
    /// The callee's tag.
    pub(super) tag: Box<[u8]>,
    /// Made by the first reliable response.
    pub(super) dialog: Option<Box<Dialog>>,
    /// The last RSeq.
    pub(super) rseq: Option<u32>,
    /// A reliable response carried SDP.
    pub(super) described: bool,
    /// RSeq and CSeq of a response whose offer the user has to answer.
    pub(super) prack: Option<(u32, u32)>,
}

#[derive(Debug)]
pub(super) struct Calling {
    pub(super) tx: TxRef,
    pub(super) call_id: Box<[u8]>,
    pub(super) offered: bool,
    /// A provisional response came, so CANCEL may be sent (RFC 3261 §9.1).
    pub(super) proceeding: bool,
    pub(super) early: Vec<Early>,
    pub(super) cancel: Option<Vec<ExtraHeader>>,
    pub(super) cancel_sent: bool,
}

/// A 2xx of ours that waits for its ACK.
#[derive(Debug)]
pub(super) struct AwaitingAck {
    pub(super) answer: Bytes,
    pub(super) path: ReplyPath,
    pub(super) cseq: u32,
    pub(super) interval: Duration,
}

#[derive(Debug)]
pub(super) struct Established {
    pub(super) dialog: Dialog,
    pub(super) awaiting: Option<AwaitingAck>,
    /// The first ACK came, or we are the caller: BYE may be sent (RFC 3261 §15).
    pub(super) confirmed: bool,
    /// A BYE that waits for the ACK.
    pub(super) bye: Option<Vec<ExtraHeader>>,
    pub(super) reinvite: Option<Pending>,
    /// Our INVITE had no offer: its ACK waits for the user's answer. The transaction and its CSeq.
    pub(super) unacknowledged: Option<(TxRef, u32)>,
}

impl Calling {
    pub(super) fn early_dialog(&mut self, tag: &[u8]) -> Option<&mut Dialog> {
        let early = self.early.iter_mut().find(|early| *early.tag == *tag)?;
        early.dialog.as_deref_mut()
    }
}

impl Established {
    pub(super) const fn new(dialog: Dialog) -> Self {
        Self {
            dialog,
            awaiting: None,
            confirmed: true,
            bye: None,
            reinvite: None,
            unacknowledged: None,
        }
    }
}

impl CallState {
    pub(super) fn dialog(&self) -> Option<&Dialog> {
        match self {
            Self::Incoming(incoming) => Some(&incoming.dialog),
            Self::Calling(_) | Self::Taken => None,
            Self::Established(established) => Some(&established.dialog),
            Self::Ending { dialog, .. } => Some(dialog),
        }
    }

    /// The dialog in which a request of ours with this To tag was sent.
    pub(super) fn dialog_to(&mut self, tag: Option<&[u8]>) -> Option<&mut Dialog> {
        match self {
            Self::Calling(calling) => calling.early_dialog(tag?),
            other => other
                .dialog_mut()
                .filter(|dialog| dialog.remote_tag() == tag),
        }
    }

    /// The dialog that a request of the peer's with our tag belongs to (RFC 3261 §12.2.2).
    pub(super) fn dialog_of(&mut self, headers: Headers<'_>) -> Option<&mut Dialog> {
        match self {
            Self::Calling(calling) => calling.early_dialog(headers.from_tag()?),
            other => other.dialog_mut(),
        }
        .filter(|dialog| dialog.matches(headers))
    }

    /// The dialog in which we may change the session: of an unanswered call of ours its only one.
    pub(super) fn dialog_for_change(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Calling(calling) => calling
                .early
                .iter_mut()
                .find_map(|early| early.dialog.as_deref_mut()),
            other => other.dialog_mut(),
        }
    }

    pub(super) fn dialog_mut(&mut self) -> Option<&mut Dialog> {
        match self {
            Self::Incoming(incoming) => Some(&mut incoming.dialog),
            Self::Calling(_) | Self::Taken => None,
            Self::Established(established) => Some(&mut established.dialog),
            Self::Ending { dialog, .. } => Some(dialog),
        }
    }
}
