//! Calls between Alexa devices and phones: what CallSignaling and SIP say, for the gateway's state machine.
//!
//! The phone is leg A, the device leg B, whoever called.
//!
//! | file | what |
//! |---|---|
//! | `mod` | what is kept of a call; inputs |
//! | `begin` | a call of a device's, or of a phone's |
//! | `carry_out` | what the state machine wants done |
//! | `device` | media of the device's leg |
//! | `prepared` | its candidates, gathered ahead |
//! | `codecs` | what the phone's side may speak |
//! | `record` | what call detail records say of it |
//! | `music` | what the phone hears while the device holds |
//! | `video` | H.264 that passes through |

mod begin;
mod carry_out;
mod codecs;
mod device;
mod music;
mod prepared;
mod record;
mod streams;
mod video;

pub(super) use self::codecs::G711;
pub(super) use self::prepared::Ready;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_protocol::ids::SessionId;
use skillcall_protocol::signaling::{Forward, Operation, OperationName};
use skillcall_protocol::sma::event::{Direction, ParticipantStatus};
use skillcall_protocol::sma::{CallId, Participant, ParticipantTag, TransactionId};

use super::Running;
use super::call::{CallEntry, CallKey};
use crate::engine::{self, LegId, Snapshot};
use crate::figures::count;
use crate::gateway::{Account, Caller, Input, Session, Side, Video};
use crate::guard::RouteBounds;
use crate::trace::CallIds;
use record::CallRecord;

/// How often it is looked whether media still come.
const LOOK: Duration = Duration::from_secs(1);

/// Where a device's call goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    pub(super) uri: Option<String>,
    pub(super) trunk: Option<String>,
    pub(super) phone: Option<String>,
    /// What is called, as it may stand in a URI.
    pub(super) user: String,
    pub(super) caller_id: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) bounds: RouteBounds,
}

/// A call of the gateway's.
pub(super) struct GatewayCall {
    pub(super) session: Session,
    /// The sessionId, which is the call's name here too.
    pub(super) transaction: TransactionId,
    pub(super) session_id: SessionId,
    pub(super) account: Account,
    pub(super) caller: Caller,
    pub(super) phone: CallId,
    pub(super) device: CallId,
    /// From whom, and to whom.
    pub(super) people: (String, String),
    pub(super) way: Option<Way>,
    pub(super) began_unix_millis: u64,
    pub(super) up_since: Option<Instant>,
    pub(super) looked: Instant,
    record: CallRecord,
    /// What each side is told of the other one's video.
    pub(super) video: Video,
    /// The phone's first offer, until it is answered for good.
    pub(super) phone_offer: Option<Bytes>,
}

impl GatewayCall {
    /// What a party that is called in the phone's place sees as the caller: the device.
    pub(super) fn name_of_device(&self) -> String {
        match (self.caller, &self.way) {
            (Caller::Alexa, Some(way)) => way.caller_id.clone(),
            (Caller::Alexa, None) => self.people.0.clone(),
            (Caller::Phone, _) => self.people.1.clone(),
        }
    }

    /// The call as the control API shows it.
    pub(super) fn snapshot(&self) -> Snapshot {
        let is_up = self.session.is_up();
        let leg = |call_id: &CallId, participant_tag, direction| Participant {
            call_id: call_id.clone(),
            participant_tag,
            to: self.people.1.clone(),
            from: self.people.0.clone(),
            direction,
            start_time_in_milliseconds: self.began_unix_millis.to_string(),
            status: is_up.then_some(ParticipantStatus::Connected),
            sip_headers: None,
        };
        let (phone, device) = match self.caller {
            Caller::Alexa => (Direction::Outbound, Direction::Inbound),
            Caller::Phone => (Direction::Inbound, Direction::Outbound),
        };
        Snapshot {
            transaction_id: self.transaction.clone(),
            participants: vec![
                leg(&self.phone, ParticipantTag::LegA, phone),
                leg(&self.device, ParticipantTag::LegB, device),
            ],
            bridged: is_up,
            running: None,
            pending: Vec::new(),
            listening: Vec::new(),
            asking: None,
            sequence: 0,
            transaction_attributes: None,
        }
    }
}

impl Running {
    /// A message of Alexa's.
    pub(in crate::worker) fn on_signal(&mut self, forward: Forward) {
        let now = Instant::now();
        let name = forward.message.operation.name();
        let known = self
            .sessions
            .get(forward.message.session_id.as_str())
            .copied();
        let Some(key) = known else {
            return self.on_unknown(forward, now);
        };
        self.note(key, false, &format!("from Alexa: {name}"));
        match forward.message.operation {
            Operation::InitiateOutboundCall { .. } => {}
            Operation::CallUpdate { kind, sdp } => {
                let answer = self.answer_device(key, &sdp.value, now);
                self.gateway_input(key, Input::AlexaOffers { kind, answer });
                self.settle_video(key);
            }
            operation => self.gateway_input(key, Input::Alexa(operation)),
        }
    }

    /// A message of a session that this worker does not have.
    fn on_unknown(&mut self, forward: Forward, now: Instant) {
        let Some(switchboard) = self.shared.switchboard.clone() else {
            return;
        };
        let session = forward.message.session_id.clone();
        let name = forward.message.operation.name();
        let is_over = switchboard.seen().is_over(session.as_str());
        if name == OperationName::InitiateOutboundCall && !is_over {
            return self.begin_from_device(forward, now);
        }
        let ids = Arc::new(CallIds::new(session.to_string(), None, true));
        let told = if is_over {
            format!("from Alexa: {name}, after the call")
        } else {
            format!("from Alexa: {name}, and nobody knows the session")
        };
        self.shared.trace.note(&ids, true, &told);
        let is_end = name == OperationName::CallEnded;
        if is_over || is_end {
            // What began it may come yet.
            switchboard.seen().over(session.as_str());
            if name == OperationName::InitiateOutboundCall {
                self.shared.journal.ended(session.as_str());
            }
            return;
        }
        let account = Account {
            user: forward.account,
            api_endpoint: Some(forward.api_endpoint),
        };
        self.shared.runtime.spawn(async move {
            let why = "the gateway does not know the session";
            switchboard.farewell(ids, account, session, why).await;
        });
    }

    /// Tells a call's state machine something, later in this turn.
    pub(in crate::worker) fn gateway_input(&mut self, key: CallKey, input: Input) {
        self.inputs.push_back(super::Pending {
            call: key,
            input: super::Told::Gateway(input),
        });
    }

    /// What SIP's side says of leg A, in the words of the gateway.
    pub(in crate::worker) fn translated(input: engine::Input) -> Option<Input> {
        match input {
            engine::Input::Ringing { leg: LegId::A } => Some(Input::Ringing),
            engine::Input::EarlyMedia { leg: LegId::A } => Some(Input::EarlyMedia),
            engine::Input::Answered { leg: LegId::A } => Some(Input::Answered),
            engine::Input::Refused {
                leg: LegId::A,
                status,
                reason,
            } => Some(Input::Refused { status, reason }),
            engine::Input::Cancelled { leg: LegId::A } => Some(Input::Cancelled),
            engine::Input::HungUp {
                leg: LegId::A,
                code,
            } => Some(Input::HungUp { code }),
            engine::Input::Terminate | engine::Input::Shutdown => Some(Input::Terminate),
            _ => None,
        }
    }

    /// Looks whether media still come on both legs of a call.
    pub(in crate::worker) fn look_for_silence(&mut self, now: Instant) {
        let Some(silence) = self
            .shared
            .switchboard
            .as_ref()
            .map(|switchboard| switchboard.times.silence)
            .filter(|silence| !silence.is_zero())
        else {
            return;
        };
        let mut silent = Vec::new();
        for (slot, call) in &mut self.calls {
            let serial = call.serial;
            let Some(gateway) = call.engine.gateway() else {
                continue;
            };
            if now.saturating_duration_since(gateway.looked) < LOOK {
                continue;
            }
            gateway.looked = now;
            for (side, leg) in [(Side::Phone, LegId::A), (Side::Alexa, LegId::B)] {
                if gateway.session.expects_media(side)
                    && let Some(since) = gateway.up_since
                {
                    silent.push((CallKey { slot, serial }, side, leg, since));
                } else {
                    // It begins anew when it ends to be silent on purpose.
                    gateway.up_since = gateway.session.is_up().then_some(now);
                }
            }
        }
        for (key, side, leg, since) in silent {
            let last = self
                .leg_media(key, leg)
                .and_then(|media| media.last_heard());
            let last = last.map_or(since, |last| last.max(since));
            if now.saturating_duration_since(last) >= silence {
                self.gateway_input(key, Input::Silent(side));
            }
        }
    }

    /// A call of the gateway's is gone.
    pub(in crate::worker) fn forget_session(&mut self, call: &CallEntry) {
        if let Some(gateway) = call.engine.as_gateway() {
            self.sessions.remove(gateway.session_id.as_str());
            self.keep_gateway_records(call, gateway);
            if let Some(switchboard) = &self.shared.switchboard {
                switchboard.seen().over(gateway.session_id.as_str());
            }
            count(&self.shared.figures.gateway_ended);
        }
    }

    /// The worker panicked: Alexa is told of the end of a call.
    pub(in crate::worker) fn tell_lost(&self, call: &CallEntry) {
        let (Some(gateway), Some(switchboard)) =
            (call.engine.as_gateway(), self.shared.switchboard.clone())
        else {
            return;
        };
        let (ids, account) = (Arc::clone(&call.ids), gateway.account.clone());
        let session = gateway.session_id.clone();
        self.shared.runtime.spawn(async move {
            let why = "the gateway lost the call";
            switchboard.farewell(ids, account, session, why).await;
        });
    }
}
