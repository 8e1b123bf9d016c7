//! What an endpoint knows of one call.

use std::time::Duration;

use bytes::Bytes;

use super::event::EndedBy;
use super::flow::Flow;
use super::reply::ReplyPath;
use crate::auth::Session;
use crate::dialog::Dialog;
use crate::message::{ExtraHeader, Request};

/// A transaction in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TxRef {
    pub(super) index: u32,
    pub(super) serial: u32,
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
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) serial: u32,
    pub(super) nonce: u64,
    pub(super) state: CallState,
    /// Who asked for credentials in this call, and what answers them.
    pub(super) auth: Option<Box<Session>>,
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
}

#[derive(Debug)]
pub(super) struct Calling {
    pub(super) tx: TxRef,
    pub(super) call_id: Box<[u8]>,
    pub(super) offered: bool,
    /// A provisional response came, so CANCEL may be sent (RFC 3261 §9.1).
    pub(super) proceeding: bool,
    /// The To tags of the early dialogs.
    pub(super) early: Vec<Box<[u8]>>,
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
    /// Our INVITE had no offer: its ACK waits for the user's answer.
    pub(super) unacknowledged: Option<TxRef>,
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
        self.dialog_mut()
            .filter(|dialog| dialog.remote_tag() == tag)
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
