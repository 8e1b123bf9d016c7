//! Call detail records of the gateway's calls: one for the phone's leg, one for the device's.

use std::time::Duration;

use skillcall_protocol::sma::event::Direction;

use super::super::Running;
use super::super::call::CallEntry;
use super::GatewayCall;
use crate::cdr::{CallDetail, Cause};
use crate::engine::{LegId, LegRecord, Now};
use crate::gateway::{Caller, Session};

/// When a call was answered and ended, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CallRecord {
    answered: Option<u64>,
    ended: Option<u64>,
}

impl CallRecord {
    /// Notes how far the call is by now.
    pub(super) fn look(&mut self, session: &Session) {
        let now = || Some(Now::from_system().unix_millis);
        if self.answered.is_none() && session.is_up() {
            self.answered = now();
        }
        if self.ended.is_none() && session.is_leaving() {
            self.ended = now();
        }
    }
}

impl Running {
    /// A call is over: the records of its legs, where they are wanted.
    pub(super) fn keep_gateway_records(&self, call: &CallEntry, gateway: &GatewayCall) {
        let Some(records) = &self.shared.call_details else {
            return;
        };
        let (phone, device) = match gateway.caller {
            Caller::Alexa => (Direction::Outbound, Direction::Inbound),
            Caller::Phone => (Direction::Inbound, Direction::Outbound),
        };
        let ended = gateway.record.ended;
        let ended = ended.unwrap_or_else(|| Now::from_system().unix_millis);
        for leg in &call.legs {
            let direction = if leg.id == LegId::A { phone } else { device };
            let record = LegRecord {
                leg: leg.id,
                call_id: leg.call_id.clone(),
                from: gateway.people.0.clone(),
                to: gateway.people.1.clone(),
                direction,
                voice_connector: None,
                is_meeting: false,
                began: gateway.began_unix_millis,
                answered: gateway.record.answered,
                ended,
                code: 0,
                voice_focus: Duration::ZERO,
            };
            let application = &call.application.config;
            let transaction = gateway.transaction.as_str();
            let cause = Cause::Signaling;
            records.put(CallDetail::new(application, transaction, cause, &record));
        }
    }
}
