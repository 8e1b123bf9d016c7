//! Who decides what a call does: the action engine, or the gateway's state machine.

use std::time::Instant;

use skillcall_protocol::sma::TransactionId;

use super::gateway::GatewayCall;
use crate::engine::{Call, Snapshot};

/// What decides a call.
pub(super) enum Brain {
    /// A SIP media application's call.
    Engine(Box<Call>),
    /// A call between an Alexa device and a phone.
    Gateway(Box<GatewayCall>),
}

impl From<Call> for Brain {
    fn from(call: Call) -> Self {
        Self::Engine(Box::new(call))
    }
}

impl From<GatewayCall> for Brain {
    fn from(call: GatewayCall) -> Self {
        Self::Gateway(Box::new(call))
    }
}

impl Brain {
    /// The name of the whole call.
    pub(super) fn transaction_id(&self) -> &TransactionId {
        match self {
            Self::Engine(call) => call.transaction_id(),
            Self::Gateway(call) => &call.transaction,
        }
    }

    /// The call as the control API shows it.
    pub(super) fn snapshot(&self) -> Snapshot {
        match self {
            Self::Engine(call) => call.snapshot(),
            Self::Gateway(call) => call.snapshot(),
        }
    }

    /// Until when it wants to be left alone.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Engine(call) => call.deadline(),
            Self::Gateway(call) => call.session.deadline(),
        }
    }

    pub(super) fn engine(&mut self) -> Option<&mut Call> {
        match self {
            Self::Engine(call) => Some(call),
            Self::Gateway(_) => None,
        }
    }

    pub(super) fn gateway(&mut self) -> Option<&mut GatewayCall> {
        match self {
            Self::Engine(_) => None,
            Self::Gateway(call) => Some(call),
        }
    }

    pub(super) fn as_gateway(&self) -> Option<&GatewayCall> {
        match self {
            Self::Engine(_) => None,
            Self::Gateway(call) => Some(call),
        }
    }
}
