//! A call that was made through the API (facts E3, F10): NEW_OUTBOUND_CALL, RINGING, CALL_ANSWERED.
//!
//! The handler hears of it first; its actions are not used, its attributes are. Then leg A is called: that it is called
//! only after that reply is our choice, so that a handler which cannot be reached makes nobody's telephone ring. From
//! the answer on the call is like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use skillcall_protocol::sma::action::BridgeEndpoint;
use skillcall_protocol::sma::event::Direction;
use skillcall_protocol::sma::{ActionData, CallId, InvocationEventType, SipHeaders, TransactionId};

use super::call::{Call, CallIds};
use super::command::{Command, LegId};
use super::config::EngineConfig;
use super::handler::ReplyUse;
use super::input::Now;
use super::leg::{Leg, LegState};
use super::timers::Timer;

/// A call that is to be made (CreateSipMediaApplicationCall, facts F10).
#[derive(Debug, Clone, PartialEq)]
pub struct OutboundCall {
    /// A new id for the whole call.
    pub transaction_id: TransactionId,
    /// A new id for leg A.
    pub call_id: CallId,
    /// `ToPhoneNumber`.
    pub to: String,
    /// `FromPhoneNumber`.
    pub from: String,
    /// `SipHeaders` of the INVITE.
    pub headers: SipHeaders,
    /// `ArgumentsMap`: what NEW_OUTBOUND_CALL tells the handler.
    pub arguments: BTreeMap<String, String>,
}

/// How far leg A is.
#[derive(Debug)]
pub(super) enum Created {
    /// The handler has not replied to NEW_OUTBOUND_CALL.
    Announced {
        /// For the INVITE.
        headers: SipHeaders,
    },
    /// It is being called.
    Called {
        /// Whether RINGING was told.
        rang: bool,
    },
    /// It has answered.
    Answered,
}

/// `Parameters` of NEW_OUTBOUND_CALL and CALL_UPDATE_REQUESTED (facts L).
pub(super) fn arguments(arguments: BTreeMap<String, String>) -> Map<String, Value> {
    let arguments = arguments
        .into_iter()
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    Map::from_iter([("Arguments".to_owned(), Value::Object(arguments))])
}

impl Call {
    /// A call is to be made: the handler is told, NEW_OUTBOUND_CALL (facts E3). `ids` makes the CallIds of further legs.
    pub fn outbound(config: Arc<EngineConfig>, call: OutboundCall, ids: CallIds, now: Now) -> Self {
        let leg = Leg::new(
            LegId::A,
            call.call_id,
            Direction::Outbound,
            (call.from, call.to),
            now.unix_millis,
        );
        let mut engine = Self::begin(config, call.transaction_id, leg, ids, now);
        engine.created = Some(Created::Announced {
            headers: call.headers,
        });
        let data = ActionData::new("CallCreateRequest", arguments(call.arguments));
        engine.report(
            InvocationEventType::NewOutboundCall,
            Some(data),
            ReplyUse::Attributes,
            LegId::A,
        );
        engine.settle();
        engine
    }

    /// Whether leg A has been made through the API and not answered.
    pub(super) fn awaits_answer(&self) -> bool {
        self.created.is_some() && self.legs.a.state == LegState::Unanswered
    }

    /// The handler has heard of the call: leg A is called.
    pub(super) fn call_created(&mut self) {
        if !self.awaits_answer() {
            return;
        }
        let Some(Created::Announced { headers }) = &mut self.created else {
            return;
        };
        let headers = std::mem::take(headers);
        self.created = Some(Created::Called { rang: false });
        let leg = &self.legs.a;
        let command = Command::Dial {
            leg: LegId::A,
            call_id: leg.call_id.clone(),
            endpoint: BridgeEndpoint::Pstn {
                uri: leg.to.clone(),
            },
            caller_id: leg.from.clone(),
            headers,
        };
        self.push(command);
        self.timers
            .set(Timer::Ring, self.now.instant + self.config.limits.ring);
    }

    /// A called leg rings: RINGING, once, for leg A alone (facts E3).
    pub(super) fn on_ringing(&mut self, leg: LegId) {
        self.info(format!("{leg} rings"));
        if leg != LegId::A || !self.awaits_answer() {
            return;
        }
        if let Some(Created::Called { rang: rang @ false }) = &mut self.created {
            *rang = true;
            self.report(
                InvocationEventType::Ringing,
                None,
                ReplyUse::Attributes,
                LegId::A,
            );
        }
    }

    /// Leg A answered: CALL_ANSWERED (facts E3).
    pub(super) fn on_created_answered(&mut self) {
        if !self.awaits_answer() || !matches!(self.created, Some(Created::Called { .. })) {
            return;
        }
        self.created = Some(Created::Answered);
        self.timers.clear(Timer::Ring);
        self.legs.a.connect(self.now.unix_millis);
        self.report(
            InvocationEventType::CallAnswered,
            None,
            ReplyUse::Actions,
            LegId::A,
        );
    }

    /// Leg A refused, or could not be reached: HANGUP with 486 when it is busy, 480 when nobody answered (facts E3), else
    /// the status itself.
    pub(super) fn on_created_refused(&mut self, status: u16, reason: &str) {
        if !self.awaits_answer() {
            return;
        }
        self.problem(format!("leg A was refused with {status} {reason}"));
        let code = match status {
            486 | 600 => 486,
            408 | 480 | 487 => 480,
            other => other,
        };
        self.gone(LegId::A, code);
    }

    pub(super) fn created_rang_too_long(&mut self) {
        let waited = self.config.limits.ring.as_secs_f64();
        self.problem(format!("leg A did not answer within {waited} s"));
        self.dismiss(LegId::A, 480, 480);
    }
}
