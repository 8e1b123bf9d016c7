//! A leg that goes out: route, trunk, name, ports; and the next place when one fails.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use skillcall_protocol::sma::action::BridgeEndpoint;
use skillcall_protocol::sma::{CallId, SipHeaders};
use skillcall_sip::endpoint::{FailureCause, Transport};
use skillcall_sip::headers::UserToUser;
use skillcall_sip::message::{StatusCode, Uri};
use skillcall_sip::registration::Binding;

use super::call::{CallKey, LegEntry, LegState};
use super::{Running, ToWorker};
use crate::config::RouteTarget;
use crate::engine::{Input, LegId};
use crate::figures::count;
use crate::guard::{RouteBounds, RouteHeld};
use crate::leg::Target;
use crate::resolve::{Hop, Search};
use crate::trunks::{Fate, Trunk, Way};

/// What an outgoing leg asks for.
pub(super) struct Dial {
    pub(super) leg: LegId,
    pub(super) call_id: CallId,
    pub(super) endpoint: BridgeEndpoint,
    /// A Request-URI instead of what the routes say; whoever gives one has seen to it that it may be called.
    pub(super) uri: Option<String>,
    /// The trunk that it goes by, where it is not the routes that say so.
    pub(super) trunk: Option<String>,
    /// The phone that it rings, where it is not the routes that say so.
    pub(super) phone: Option<String>,
    /// What the way carries, where it is not the routes that say so.
    pub(super) bounds: Option<RouteBounds>,
    pub(super) caller_id: String,
    pub(super) headers: SipHeaders,
}

/// A leg on its way: what it asks for, and where it has not been tried yet.
pub(super) struct Attempt {
    pub(super) dial: Dial,
    /// Whose places these are; none where it goes to a URI by itself.
    pub(super) trunk: Option<Arc<Trunk>>,
    /// The Request-URI of each place, and where to send for it.
    pub(super) places: VecDeque<(Uri, Target)>,
    /// The Request-URI of the place that is tried.
    pub(super) uri: Option<Uri>,
    /// The addresses of that place that were not tried yet.
    pub(super) hops: VecDeque<Hop>,
    /// Where the last INVITE went.
    current: Option<Hop>,
    /// By TCP, where its size would have it go, it did not get through (RFC 3261 §18.1.1).
    pub(super) by_udp: bool,
    /// How often it was sent elsewhere by 3xx.
    pub(super) redirects: u8,
    /// What the last 3xx has for whom it names.
    pub(super) redirected_with: Vec<UserToUser>,
    /// Where a phone is registered, to be rung at all at once.
    pub(super) bindings: Vec<Binding>,
    /// It goes to a phone.
    pub(super) rings_phone: bool,
    /// What the last one that failed said.
    pub(super) failure: (u16, String),
}

pub(super) type Refusal = (u16, String);

impl Running {
    /// Calls another party. Whatever goes wrong is told as a refusal.
    pub(super) fn dial(&mut self, key: CallKey, dial: Dial) {
        let (leg, now) = (dial.leg, Instant::now());
        let held = self.count_leg();
        if let Some(call) = self.call_mut(key) {
            call.ids.add_leg(leg, &dial.call_id);
            call.legs.push(LegEntry::new(
                leg,
                dial.call_id.clone(),
                LegState::Dialing,
                held,
            ));
        }
        match self.plan(key, dial, now) {
            Ok(attempt) => self.try_next(key, leg, Box::new(attempt), now),
            Err(refusal) => self.refused(key, leg, refusal),
        }
    }

    pub(super) fn refused(&mut self, key: CallKey, leg: LegId, (status, reason): Refusal) {
        self.set_state(key, leg, LegState::Gone);
        self.release_leg(key, leg);
        self.input(
            key,
            Input::Refused {
                leg,
                status,
                reason,
            },
        );
    }

    /// Finds the route and the places it leads to, and takes ports.
    fn plan(&mut self, key: CallKey, dial: Dial, now: Instant) -> Result<Attempt, Refusal> {
        let wanted = match &dial.endpoint {
            BridgeEndpoint::Pstn { uri } => RouteTarget::Number(uri),
            BridgeEndpoint::Aws { uri, arn } => RouteTarget::VoiceConnector {
                arn: arn.as_deref().unwrap_or_default(),
                user: uri,
            },
        };
        let phone = match &dial.phone {
            None if self.rings_phone(key, &dial.endpoint) => Some(wanted.user().to_owned()),
            other => other.clone(),
        };
        if let Some(phone) = phone {
            let held = match &dial.bounds {
                Some(bounds) => self.take_toll(key, bounds, now)?,
                None => None,
            };
            return self.plan_phone(key, dial, &phone, held, now);
        }
        if let Some(name) = dial.trunk.clone() {
            return self.plan_by(key, dial, &name, now);
        }
        if let Some(uri) = dial.uri.clone() {
            return self.plan_for(key, dial, &uri, now);
        }
        let config = self.shared.live.now();
        let route = wanted.route(&config.route).ok_or_else(|| {
            (
                404,
                format!("no [[route]] leads to {}", dial.endpoint.uri()),
            )
        })?;
        if let Some(phone) = route.phone_for(wanted.user()) {
            let held = self.take_toll(key, &route.into(), now)?;
            return self.plan_phone(key, dial, &phone, held, now);
        }
        let table = self.shared.trunks.now();
        let trunk = match &route.trunk {
            Some(name) => Some(
                table
                    .named(name)
                    .cloned()
                    .ok_or_else(|| (404, format!("there is no [[trunk]] `{name}` any more")))?,
            ),
            None => None,
        };
        let written = route.uri_for(wanted.user());
        let places = match (&trunk, written) {
            (Some(trunk), written) => {
                let first = self.first_hop(trunk).1;
                places_of(trunk, first, written.as_deref(), wanted.user())?
            }
            (None, Some(uri)) => {
                let target = Target::parse(&uri)
                    .map_err(|error| (500, format!("the route's URI {uri}: {error}")))?;
                VecDeque::from([(target.uri.clone(), target)])
            }
            (None, None) => return Err((500, "the route has neither uri nor trunk".into())),
        };
        let held = self.take_toll(key, &route.into(), now)?;
        self.attempt(key, dial, trunk, places, held, now)
    }

    /// A plan by a trunk that is given; its user part is the endpoint's.
    fn plan_by(
        &mut self,
        key: CallKey,
        dial: Dial,
        trunk: &str,
        now: Instant,
    ) -> Result<Attempt, Refusal> {
        let trunk = self.shared.trunks.now().named(trunk).cloned();
        let trunk = trunk.ok_or_else(|| (500, "its [[trunk]] is there no more".to_owned()))?;
        let first = self.first_hop(&trunk).1;
        let places = places_of(&trunk, first, dial.uri.as_deref(), dial.endpoint.uri())?;
        let held = match &dial.bounds {
            Some(bounds) => self.take_toll(key, bounds, now)?,
            None => None,
        };
        self.attempt(key, dial, Some(trunk), places, held, now)
    }

    /// A plan for a Request-URI that is given: by the trunk whose target it names, if it names one.
    fn plan_for(
        &mut self,
        key: CallKey,
        dial: Dial,
        uri: &str,
        now: Instant,
    ) -> Result<Attempt, Refusal> {
        let target = Target::parse(uri).map_err(|error| (500, format!("{uri}: {error}")))?;
        let trunk = self.shared.trunks.now().of_target(&target).cloned();
        let next = trunk.as_ref().and_then(|trunk| self.first_hop(trunk).1);
        // What leads to ourselves takes no route.
        let bounds = dial.bounds.clone();
        let held = match bounds.or_else(|| self.bounds_of_target(key, &target)) {
            Some(bounds) => self.take_toll(key, &bounds, now)?,
            None => None,
        };
        let places = VecDeque::from([(target.uri.clone(), next.unwrap_or(target))]);
        self.attempt(key, dial, trunk, places, held, now)
    }

    pub(super) fn attempt(
        &mut self,
        key: CallKey,
        dial: Dial,
        trunk: Option<Arc<Trunk>>,
        places: VecDeque<(Uri, Target)>,
        held: Option<RouteHeld>,
        now: Instant,
    ) -> Result<Attempt, Refusal> {
        let slot = self.take_media(now).map_err(|error| (503, error))?;
        self.own_media(slot, key, dial.leg);
        let placed = self.placed_by(trunk.as_deref());
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(dial.leg)) {
            entry.media = Some(slot);
            entry.trunk = trunk.clone();
            entry.placed = placed;
            entry.route = held;
        }
        Ok(Attempt {
            dial,
            trunk,
            places,
            uri: None,
            hops: VecDeque::new(),
            current: None,
            by_udp: false,
            redirects: 0,
            redirected_with: Vec::new(),
            bindings: Vec::new(),
            rings_phone: false,
            failure: (503, "no target is left".into()),
        })
    }

    /// Sends the INVITE to the next place, or looks its name up first.
    pub(super) fn try_next(
        &mut self,
        key: CallKey,
        leg: LegId,
        mut attempt: Box<Attempt>,
        now: Instant,
    ) {
        if !attempt.bindings.is_empty() {
            return self.ring_everywhere(key, leg, attempt, now);
        }
        loop {
            if let Some(hop) = attempt.hops.pop_front() {
                attempt.current = Some(hop.clone());
                match self.invite(key, &attempt, &hop, now) {
                    Ok(()) => return self.keep_attempt(key, leg, attempt),
                    Err(refusal) => attempt.failure = refusal,
                }
                continue;
            }
            let Some((uri, target)) = attempt.places.pop_front() else {
                return self.refused(key, leg, attempt.failure);
            };
            attempt.uri = Some(uri);
            let udp_only = attempt.udp_only();
            if target.host.ip().is_some() {
                let names = &self.shared.names;
                let usable = names.usable();
                let usable = if udp_only { usable.only_udp() } else { usable };
                attempt.hops = Search::new(&target, usable).hops().into();
                if attempt.hops.is_empty() {
                    attempt.failure = (503, format!("{}: no listener can send to it", target.uri));
                }
                continue;
            }
            let (worker, names) = (self.handle.clone(), Arc::clone(&self.shared.names));
            let task = self.shared.runtime.spawn(async move {
                let hops = names.find(&target, udp_only).await;
                worker.send(ToWorker::Resolved {
                    call: key,
                    leg,
                    hops,
                });
            });
            if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
                entry.lookup = Some(task.abort_handle());
            }
            return self.keep_attempt(key, leg, attempt);
        }
    }

    fn keep_attempt(&mut self, key: CallKey, leg: LegId, attempt: Box<Attempt>) {
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
            entry.attempt = Some(attempt);
        }
    }

    pub(super) fn take_attempt(&mut self, key: CallKey, leg: LegId) -> Option<Box<Attempt>> {
        self.call_mut(key)?.leg_mut(leg)?.attempt.take()
    }

    /// Counts the outgoing call for whoever caused it.
    pub(super) fn take_toll(
        &self,
        key: CallKey,
        route: &RouteBounds,
        now: Instant,
    ) -> Result<Option<RouteHeld>, (u16, String)> {
        let Some(call) = self.call(key) else {
            return Ok(None);
        };
        let config = self.shared.live.now();
        let source = match &call.source {
            Some(source) => source.name(),
            None => call.application.config.id.as_str(),
        };
        let taken = self
            .shared
            .toll
            .take(&config.toll, source, &call.caller, route, now);
        taken.map_err(|limit| {
            count(&self.shared.figures.refused_toll);
            let told = format!("the outgoing call is refused: {limit}");
            self.shared.trace.note(&call.ids, true, &told);
            (403, told)
        })
    }

    /// The name of the called host was looked up.
    pub(super) fn on_resolved(&mut self, key: CallKey, leg: LegId, hops: Result<Vec<Hop>, String>) {
        let Some(mut attempt) = self.take_attempt(key, leg) else {
            return;
        };
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
            entry.lookup = None;
        }
        match hops {
            Ok(hops) => attempt.hops = hops.into(),
            Err(reason) => {
                self.count_call(key, leg, Way::Out, Fate::Unreachable);
                attempt.failure = (503, reason);
            }
        }
        self.try_next(key, leg, attempt, Instant::now());
    }

    /// An INVITE failed. True: another place is tried (RFC 3263 §4.3), because this one did not answer, could not be
    /// reached, or said 503.
    pub(super) fn try_elsewhere(
        &mut self,
        key: CallKey,
        leg: LegId,
        status: StatusCode,
        reason: &str,
        cause: FailureCause,
    ) -> bool {
        let unreachable = match cause {
            FailureCause::Timeout | FailureCause::Transport => true,
            FailureCause::Refused => status == StatusCode::SERVICE_UNAVAILABLE,
            FailureCause::Cancelled | FailureCause::BadAnswer => false,
        };
        let Some(mut attempt) = self.take_attempt(key, leg) else {
            return false;
        };
        let current = attempt.current.take();
        match current.filter(|hop| hop.transport == Transport::Udp) {
            Some(hop) if cause == FailureCause::Transport && !attempt.by_udp => {
                attempt.by_udp = true;
                attempt.hops.push_front(hop);
            }
            _ => attempt.by_udp = false,
        }
        if !unreachable || (attempt.hops.is_empty() && attempt.places.is_empty()) {
            return false;
        }
        if let Some(call) = self.call(key) {
            let text = format!("{} {reason}: the next target is tried", status.get());
            self.shared.trace.note(&call.ids, false, &text);
        }
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
            entry.handle = None;
        }
        attempt.failure = (status.get(), reason.to_owned());
        self.try_next(key, leg, attempt, Instant::now());
        true
    }

    /// Gives up calling.
    pub(super) fn cancel_dial(&mut self, key: CallKey, leg: LegId) {
        let now = Instant::now();
        if self.cancel_forks(key, leg, now) {
            return;
        }
        // Wherever it has not been tried yet, it is not tried any more.
        let _ = self.take_attempt(key, leg);
        let entry = self.call_mut(key).and_then(|call| call.leg_mut(leg));
        let (handle, lookup) = entry.map_or((None, None), |e| (e.handle, e.lookup.take()));
        let was_looked_up = lookup.is_some();
        if let Some(task) = lookup {
            task.abort();
        }
        let cancelled = handle.is_some_and(|handle| self.endpoint.cancel(now, handle, &[]).is_ok());
        if !cancelled && (was_looked_up || handle.is_none()) {
            // Still at its name: nobody was called.
            self.refused(key, leg, (487, "cancelled".into()));
        }
    }
}

impl Attempt {
    /// Where the last INVITE went.
    pub(super) const fn current(&self) -> Option<&Hop> {
        self.current.as_ref()
    }

    pub(super) fn udp_only(&self) -> bool {
        self.trunk
            .as_ref()
            .is_some_and(|trunk| trunk.config.udp_only)
    }
}

/// A trunk's places in the order to try them: Request-URI, and where to send for it.
fn places_of(
    trunk: &Trunk,
    first: Option<Target>,
    written: Option<&str>,
    user: &str,
) -> Result<VecDeque<(Uri, Target)>, Refusal> {
    let mut places = VecDeque::new();
    for place in trunk.tried(|most| rand::random_range(0..=most)) {
        let text = match written {
            Some(uri) => uri.to_owned(),
            None => place.config.uri_text(Some(user)),
        };
        let uri = Uri::parse(&text).map_err(|error| (500, format!("{text}: {error}")))?;
        // All its requests pass the proxy first (RFC 3261 §8.1.2).
        let next = first.as_ref().unwrap_or(&place.target).clone();
        places.push_back((uri, next));
    }
    Ok(places)
}
