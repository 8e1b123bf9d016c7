//! A call that is made through the API, and the records that legs leave behind.

use std::sync::Arc;
use std::time::Instant;

use skillcall_protocol::sma::CallId;
use uuid::Uuid;

use super::Running;
use super::call::{CallEntry, CallKey};
use crate::applications::Application;
use crate::cdr::{CallDetail, Cause};
use crate::engine::{Call, LegRecord, Now, OutboundCall};
use crate::trace::CallIds;

impl Running {
    /// Makes a call (facts F10). False while the sidecar goes down, and when there are too many calls.
    pub(super) fn create(&mut self, application: &Arc<Application>, call: OutboundCall) -> bool {
        if self.hanging_up {
            return false;
        }
        let config = Arc::clone(&application.engine);
        let Some(held) = self.take_place() else {
            return false;
        };
        let now = Instant::now();
        let traced = self.takes_trace(now, application);
        let ids = Arc::new(CallIds::new(call.transaction_id.to_string(), None, traced));
        let caller: Box<str> = call.from.as_str().into();
        if let Some(capture) = self.shared.tap.single.claim([&call.from, &call.to]) {
            let _ = ids.capture_into(capture);
        }
        let engine = Call::outbound(
            config,
            call,
            Box::new(|| CallId::new(Uuid::new_v4().to_string())),
            Now::from_system(),
        );
        let key = self.place(now, |serial| {
            let mut entry = CallEntry::new(serial, engine, ids, Arc::clone(application), now, held);
            entry.created = true;
            entry.caller = caller;
            entry
        });
        self.carry_out(key);
        true
    }

    /// A leg has ended: its call detail record, where they are wanted.
    pub(super) fn keep_record(&self, key: CallKey, leg: LegRecord) {
        let Some(records) = &self.shared.call_details else {
            return;
        };
        let Some(call) = self.call(key) else { return };
        let transaction = call.engine.transaction_id();
        let cause = if call.created {
            Cause::Api
        } else {
            Cause::Rule
        };
        records.put(CallDetail::new(
            &call.application.config,
            transaction.as_str(),
            cause,
            &leg,
        ));
    }
}
