//! The calls that the journal holds, and what a later process finds left of them.

use std::collections::BTreeMap;

use skillcall_protocol::sma::CallDetails;
use skillcall_sip::dialog::SavedDialog;
use skillcall_sip::endpoint::SavedInvite;

use super::line::{DialogText, InviteText, Line};

/// The most places that are kept of one call that rings; beyond, the first ones are forgotten.
pub(super) const PLACES: usize = 32;

/// A call that an earlier process has left.
#[derive(Debug, Clone)]
pub(crate) struct LeftCall {
    /// The `Sequence` of the last event that was sent.
    pub(crate) sequence: u32,
    /// Legs and attributes as that event had them.
    pub(crate) details: CallDetails,
    /// CallIds of legs that had ended.
    pub(crate) ended: Vec<String>,
}

/// A call of the gateway's that an earlier process has left.
#[derive(Debug, Clone)]
pub(crate) struct LeftSession {
    /// Its sessionId.
    pub(crate) session: String,
    /// The account whose device has it.
    pub(crate) account: String,
    /// Where the account's region has its APIs, if that is known.
    pub(crate) api_endpoint: Option<String>,
}

/// A peer that calls, and waits for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitingCaller {
    /// Its INVITE.
    pub(crate) invite: SavedInvite,
    /// The dialog that the answer makes. None in the files of programs that did not write it.
    pub(crate) dialog: Option<SavedDialog>,
}

/// What an earlier process has left: whom to tell, and the legs of all calls, also of one of which nobody had heard yet.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Calls of applications.
    pub(crate) calls: Vec<LeftCall>,
    /// Calls of the gateway's.
    pub(crate) sessions: Vec<LeftSession>,
    /// The answered legs' dialogs.
    pub(crate) dialogs: Vec<SavedDialog>,
    /// Where unanswered legs ring.
    pub(crate) ringing: Vec<SavedInvite>,
    /// Who calls, and was not answered.
    pub(crate) waiting: Vec<WaitingCaller>,
}

impl Left {
    /// What these calls have left. Those whose end is told to nobody are forgotten with that.
    pub(super) fn take(live: &mut BTreeMap<String, Live>) -> Self {
        let mut left = Self::default();
        for call in live.values() {
            left.calls.extend(call.left());
            left.sessions.extend(call.left_session());
            left.dialogs
                .extend(call.dialogs.values().filter_map(DialogText::dialog));
            left.ringing
                .extend(call.ringing.iter().filter_map(|(_, ring)| ring.invite()));
            left.waiting
                .extend(call.waiting.values().filter_map(CallerText::caller));
        }
        live.retain(|_, call| call.details.is_some() || call.signal.is_some());
        left
    }

    /// How many legs there are.
    pub(crate) fn legs(&self) -> usize {
        self.dialogs.len() + self.ringing.len() + self.waiting.len()
    }

    /// Whether there is nothing to end.
    pub(crate) fn is_empty(&self) -> bool {
        self.legs() + self.calls.len() + self.sessions.len() == 0
    }
}

/// What the file holds of one call.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// The line that began it, where it is the gateway's.
    signal: Option<Box<Line>>,
    sequence: u32,
    details: Option<Box<CallDetails>>,
    dialogs: BTreeMap<String, DialogText>,
    /// The INVITEs of legs that are not answered, with the legs' CallIds.
    ringing: Vec<(String, InviteText)>,
    /// Peers that wait for an answer, by their legs' CallIds.
    waiting: BTreeMap<String, CallerText>,
    ended: Vec<String>,
}

/// [`WaitingCaller`], as it is written.
#[derive(Debug)]
struct CallerText {
    invite: Box<InviteText>,
    dialog: Option<Box<DialogText>>,
}

impl CallerText {
    /// None for what this program has not written.
    fn caller(&self) -> Option<WaitingCaller> {
        Some(WaitingCaller {
            invite: self.invite.invite()?,
            dialog: self.dialog.as_deref().and_then(DialogText::dialog),
        })
    }
}

/// Takes a line over into the calls that are live, by their transactions.
pub(super) fn apply(live: &mut BTreeMap<String, Live>, line: Line) {
    match line {
        Line::Asked { sequence, details } => {
            let transaction = details.transaction_id.to_string();
            let call = live.entry(transaction).or_default();
            call.sequence = sequence;
            call.details = Some(details);
        }
        Line::Leg {
            transaction,
            call_id,
            dialog,
        } => {
            let call = live.entry(transaction).or_default();
            call.forget_unanswered(&call_id);
            call.dialogs.insert(call_id, *dialog);
        }
        Line::Ringing {
            transaction,
            call_id,
            invite,
        } => {
            let call = live.entry(transaction).or_default();
            if call.ringing.len() >= PLACES {
                call.ringing.remove(0);
            }
            call.ringing.push((call_id, *invite));
        }
        Line::Waiting {
            transaction,
            call_id,
            invite,
            dialog,
        } => {
            let caller = CallerText { invite, dialog };
            let call = live.entry(transaction).or_default();
            call.waiting.insert(call_id, caller);
        }
        Line::LegEnded {
            transaction,
            call_id,
        } => {
            if let Some(call) = live.get_mut(&transaction) {
                call.dialogs.remove(&call_id);
                call.forget_unanswered(&call_id);
                call.ended.push(call_id);
            }
        }
        Line::Signal {
            ref transaction,
            begins,
            ..
        } => {
            if begins {
                let call = live.entry(transaction.clone()).or_default();
                call.signal.get_or_insert_with(|| Box::new(line));
            }
        }
        Line::Ended { transaction } => {
            live.remove(&transaction);
        }
    }
}

impl Live {
    /// A leg is answered, or gone.
    fn forget_unanswered(&mut self, call_id: &str) {
        self.ringing.retain(|(leg, _)| leg != call_id);
        self.waiting.remove(call_id);
    }

    fn left(&self) -> Option<LeftCall> {
        Some(LeftCall {
            sequence: self.sequence,
            details: self.details.as_deref()?.clone(),
            ended: self.ended.clone(),
        })
    }

    fn left_session(&self) -> Option<LeftSession> {
        let Line::Signal {
            transaction,
            account,
            api_endpoint,
            ..
        } = self.signal.as_deref()?
        else {
            return None;
        };
        Some(LeftSession {
            session: transaction.clone(),
            account: account.clone(),
            api_endpoint: api_endpoint.clone(),
        })
    }

    pub(super) fn lines<'a>(&'a self, transaction: &'a str) -> impl Iterator<Item = Line> + 'a {
        let signal = self.signal.as_deref().cloned();
        let asked = self.details.as_ref().map(|details| Line::Asked {
            sequence: self.sequence,
            details: details.clone(),
        });
        let legs = self.dialogs.iter().map(|(call_id, dialog)| Line::Leg {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
            dialog: Box::new(dialog.clone()),
        });
        let ended = self.ended.iter().map(|call_id| Line::LegEnded {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
        });
        let ringing = self.ringing.iter().map(|(call_id, invite)| Line::Ringing {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
            invite: Box::new(invite.clone()),
        });
        let begun = signal.into_iter().chain(asked);
        let waiting = self.waiting.iter().map(|(call_id, caller)| Line::Waiting {
            transaction: transaction.to_owned(),
            call_id: call_id.clone(),
            invite: caller.invite.clone(),
            dialog: caller.dialog.clone(),
        });
        begun.chain(ringing).chain(waiting).chain(legs).chain(ended)
    }
}
