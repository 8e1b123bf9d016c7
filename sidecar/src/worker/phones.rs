//! Phones of ours: their REGISTERs, and who calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use skillcall_protocol::sma::action::{Action, BridgeEndpoint, CallAndBridge, LegSelector};
use skillcall_protocol::sma::{Reply, SipHeaders};
use skillcall_sip::endpoint::{Flow, RequestId};
use skillcall_sip::message::{ExtraHeader, Request};

use super::Running;
use super::call::{CallEntry, CallKey};
use crate::applications::Application;
use crate::config::PhoneMayCall;
use crate::figures::count;
use crate::front::ToFront;
use crate::phones::{Account, Caller, from_user};

/// The worker that writes registrations down.
const KEEPING: usize = 0;
/// How often it looks whether there are any.
const LOOK: Duration = Duration::from_secs(1);

impl Running {
    /// A REGISTER: carried out if its sender proves to be a phone.
    pub(super) fn on_register(
        &mut self,
        now: Instant,
        id: RequestId,
        request: &Request,
        flow: &Flow,
    ) {
        let outcome = self.shared.phones.register(now, request, flow);
        if outcome.suspect {
            self.suspect(flow);
        }
        if let Some(lasts) = outcome.registered {
            count(&self.shared.figures.registrations);
            let address = flow.remote.ip();
            if !self.shared.known.registered(address, now + lasts, now) {
                tracing::warn!(%address, "[guard] table is full: the phone is not known");
            }
            if let Some(connection) = flow.connection {
                let until = now + lasts;
                self.shared.front.send(ToFront::Keep { connection, until });
            }
        }
        // Its client may have given up.
        let _ = self.endpoint.respond(now, id, &outcome.reply);
    }

    fn suspect(&self, flow: &Flow) {
        count(&self.shared.figures.wrong_credentials);
        self.shared.front.send(ToFront::Suspect {
            from: flow.remote.ip(),
            reliable: flow.transport.is_reliable(),
        });
    }

    /// Which phone calls; none: it is no phone's call. The error is the challenge that it has to answer first: who calls
    /// as a phone has to prove it, and so has whoever is known by a registration alone.
    pub(super) fn calling_phone(
        &self,
        now: Instant,
        request: &Request,
        flow: &Flow,
    ) -> Result<Option<Arc<Account>>, Vec<ExtraHeader>> {
        let phones = &self.shared.phones;
        if !phones.are_there() || self.shared.trunks.of_flow(flow).is_some() {
            return Ok(None);
        }
        let listed = self.shared.known.is_listed(flow.remote.ip());
        let named = from_user(request).is_some_and(|user| phones.accounts().named(&user).is_some());
        if listed && !named {
            return Ok(None);
        }
        match phones.caller(now, request, flow) {
            Caller::Phone(account) => Ok(Some(account)),
            Caller::Asked { headers, suspect } => {
                if suspect {
                    self.suspect(flow);
                }
                Err(headers)
            }
        }
    }

    /// Who decides a phone's call, of what it may call: another phone goes before applications, and these before routes.
    pub(super) fn reached_by_phone(
        &self,
        phone: &Account,
        called: &str,
        host: &str,
    ) -> VecDeque<Arc<Application>> {
        let is_phone = self.shared.phones.accounts().named(called).is_some();
        if !is_phone && phone.may_call(PhoneMayCall::Applications) {
            let reached = self.shared.applications.reached_by(called, host);
            if !reached.is_empty() {
                return reached.into();
            }
        }
        let own = self.bridging_application(phone, called);
        own.map(Arc::new).into_iter().collect()
    }

    /// Another phone is rung, or a route taken.
    fn bridging_application(&self, phone: &Account, called: &str) -> Option<Application> {
        let is_phone = self.shared.phones.accounts().named(called).is_some();
        let endpoint = if is_phone && phone.may_call(PhoneMayCall::Phones) {
            BridgeEndpoint::Aws {
                uri: called.to_owned(),
                arn: None,
            }
        } else if !is_phone && phone.may_call(PhoneMayCall::Routes) {
            BridgeEndpoint::Pstn {
                uri: called.to_owned(),
            }
        } else {
            return None;
        };
        let action = CallAndBridge {
            call_timeout_seconds: Some(120),
            caller_id_number: phone.shown().to_owned(),
            endpoints: vec![endpoint],
            ringback_tone: None,
            sip_headers: SipHeaders::new(),
            leg: LegSelector::default(),
        };
        let reply = Reply {
            actions: Some(vec![Action::CallAndBridge(action).into()]),
            ..Reply::default()
        };
        Some(Application::of_phones(&self.shared.config, reply))
    }

    /// Whether a leg is a phone's call that phones or routes decide.
    pub(super) fn rings_phone(&self, key: CallKey, endpoint: &BridgeEndpoint) -> bool {
        let of_phones = |call: &CallEntry| call.application.is_of_phones();
        matches!(endpoint, BridgeEndpoint::Aws { arn: None, .. })
            && self.call(key).is_some_and(of_phones)
    }

    /// When registrations are written down next.
    pub(super) fn next_keeping(&self) -> Option<Instant> {
        (self.index == KEEPING && self.shared.phones.are_there()).then_some(self.next_keeping)
    }

    /// Writes registrations down if there is something new; on another thread, as the disk may be slow.
    pub(super) fn keep_registrations(&mut self, now: Instant) {
        if self.index != KEEPING || now < self.next_keeping {
            return;
        }
        self.next_keeping = now + LOOK;
        if let Some(bindings) = self.shared.phones.due() {
            // The more there is to write, the rarer.
            let thousands = u32::try_from(bindings.len() / 1000).unwrap_or(u32::MAX);
            self.next_keeping = now + LOOK * thousands.saturating_add(1).min(60);
            let phones = Arc::clone(&self.shared.phones);
            self.shared
                .runtime
                .spawn_blocking(move || phones.write(&bindings));
        }
    }
}
