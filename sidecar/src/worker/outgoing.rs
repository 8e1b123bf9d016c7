//! A leg that goes out: route, trunk, name, ports, INVITE; and the next place when one fails.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use skillcall_protocol::sma::action::BridgeEndpoint;
use skillcall_protocol::sma::{CallId, SipHeaders};
use skillcall_sip::endpoint::{FailureCause, OutgoingInvite, Party, Transport};
use skillcall_sip::headers::UserToUser;
use skillcall_sip::message::{ExtraHeader, Response, StatusCode, Uri};
use skillcall_sip::registration::Binding;

use super::call::{CallKey, LegEntry, LegState};
use super::{Running, ToWorker};
use crate::config::RouteTarget;
use crate::engine::{Input, LegId};
use crate::figures::count;
use crate::guard::{RouteBounds, RouteHeld};
use crate::leg::{LegOffers, Target};
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
    trunk: Option<Arc<Trunk>>,
    /// The Request-URI of each place, and where to send for it.
    places: VecDeque<(Uri, Target)>,
    uri: Option<Uri>,
    hops: VecDeque<Hop>,
    /// Where the last INVITE went.
    current: Option<Hop>,
    /// By TCP, where its size would have it go, it did not get through (RFC 3261 §18.1.1).
    by_udp: bool,
    /// How often it was sent elsewhere by 3xx.
    redirects: u8,
    /// What the last 3xx has for whom it names.
    redirected_with: Vec<UserToUser>,
    /// Where a phone is registered, to be rung at all at once.
    pub(super) bindings: Vec<Binding>,
    /// It goes to a phone.
    pub(super) rings_phone: bool,
    /// What the last one that failed said.
    pub(super) failure: (u16, String),
}

/// Names of TLS peers that are remembered; beyond that all are learnt anew.
const MOST_PEER_NAMES: usize = 10_000;

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

    /// Tries the targets of a 3xx that may be called, preferred first. False: there are none, or too many in a row.
    pub(super) fn follow_redirect(
        &mut self,
        key: CallKey,
        leg: LegId,
        response: &Response,
    ) -> bool {
        let status = response.status().get();
        if !(300..400).contains(&status) {
            return false;
        }
        let targets = response.headers().redirect_targets();
        let permitted = targets
            .iter()
            .find_map(|target| Some((self.redirected(key, &target.uri)?, &target.uri)));
        let most = self.shared.config.dialog.redirects;
        let now = Instant::now();
        let Some(mut attempt) = self.take_attempt(key, leg) else {
            return false;
        };
        let (Some(((uri, target, bounds), named)), true) = (permitted, attempt.redirects < most)
        else {
            self.note(
                key,
                true,
                &format!("{status}: none of its targets is followed"),
            );
            return false;
        };
        // The other route has limits of its own.
        let Ok(held) = self.take_toll(key, &bounds, now) else {
            return false;
        };
        // Its credentials, its proxy and what it is trusted with stay behind with the trunk that sends the call elsewhere.
        let trunk = self.shared.trunks.now().of_target(&target).cloned();
        let next = trunk.as_ref().and_then(|trunk| self.first_hop(trunk).1);
        let placed = self.placed_by(trunk.as_deref());
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
            entry.handle = None;
            entry.route = held;
            entry.placed = placed;
            entry.trunk.clone_from(&trunk);
        }
        attempt.trunk = trunk;
        self.note(key, false, &format!("{status}: its target is called"));
        attempt.redirects += 1;
        attempt.redirected_with = self.redirected_with(key, named);
        attempt.hops.clear();
        attempt.places = VecDeque::from([(uri, next.unwrap_or(target))]);
        attempt.failure = (status, response.reason().into_owned());
        self.try_next(key, leg, attempt, now);
        true
    }

    /// The place of a redirection's target: as it stands where a route leads there, else by the number's route. Never to
    /// ourselves.
    fn redirected(&self, key: CallKey, uri: &Uri) -> Option<(Uri, Target, RouteBounds)> {
        let (endpoint, direct) = self.permitted(key, &uri.as_ref())?;
        let config = self.shared.live.now();
        let (text, bounds) = match direct {
            Some(_) => {
                // What stands behind `?` is no part of a Request-URI (RFC 3261 §19.1.5).
                let text = uri.as_ref().without_headers().to_owned();
                let target = Target::parse(&text).ok()?;
                (text, self.bounds_of_target(key, &target)?)
            }
            None => {
                let route = RouteTarget::Number(endpoint.uri()).route(&config.route)?;
                (route.uri_for(endpoint.uri())?, route.into())
            }
        };
        let target = Target::parse(&text).ok()?;
        Some((target.uri.clone(), target, bounds))
    }

    /// What the route carries that leads to this host and port, by its own URI or by its trunk's targets. The gateway's
    /// calls have its routes, too.
    pub(super) fn bounds_of_target(&self, key: CallKey, target: &Target) -> Option<RouteBounds> {
        let config = self.shared.live.now();
        let trunks = self.shared.trunks.now();
        let same = |known: &Target| known.host == target.host && known.port == target.port;
        let leads = |trunk: &Option<String>, uri: Option<String>| {
            let trunk = trunk.as_ref().and_then(|name| trunks.named(name));
            trunk.is_some_and(|trunk| trunk.places.iter().any(|place| same(&place.target)))
                || uri
                    .and_then(|uri| Target::parse(&uri).ok())
                    .is_some_and(|known| same(&known))
        };
        let mut routes = config.route.iter();
        if let Some(route) = routes.find(|route| leads(&route.trunk, route.uri_for("0"))) {
            return Some(route.into());
        }
        let mut routes = (config.gateway.route.iter()).filter(|_| self.is_gateway(key));
        routes
            .find(|route| leads(&route.trunk, route.uri_for("0")))
            .map(RouteBounds::from)
    }

    /// Sends the INVITE to the next place, or looks its name up first.
    fn try_next(&mut self, key: CallKey, leg: LegId, mut attempt: Box<Attempt>, now: Instant) {
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

    fn take_attempt(&mut self, key: CallKey, leg: LegId) -> Option<Box<Attempt>> {
        self.call_mut(key)?.leg_mut(leg)?.attempt.take()
    }

    /// Counts the outgoing call for whoever caused it.
    fn take_toll(
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

    fn invite(
        &mut self,
        key: CallKey,
        attempt: &Attempt,
        hop: &Hop,
        now: Instant,
    ) -> Result<(), Refusal> {
        let dial = &attempt.dial;
        let Some(slot) = self.call(key).and_then(|call| call.leg(dial.leg)?.media) else {
            return Err((500, "the leg has no RTP ports".into()));
        };
        let uri = attempt.uri.clone().ok_or((500, String::new()))?;
        let mut offers = LegOffers::new(self.media_session(
            slot,
            hop.address.ip(),
            attempt.trunk.as_deref(),
            self.codecs_of(key),
        ));
        self.offer_video(key, dial.leg, slot, attempt.trunk.as_deref(), &mut offers);
        let offer = offers
            .offer(None)
            .map_err(|error| (500, error.to_string()))?;
        let from = self
            .caller_uri(attempt.trunk.as_deref(), &dial.caller_id, hop.address.ip())
            .map_err(|error| (500, error))?;
        let mut invite = OutgoingInvite::new(uri, hop.address, Party::new(from), Some(offer));
        invite.transport = hop.transport;
        invite.udp_only = attempt.udp_only() || attempt.by_udp;
        let translated = self.shared.reachable.is_translated(hop.address.ip());
        invite.keep = translated && self.offers_keep_alives();
        self.expect_peer(hop, attempt.trunk.as_deref());
        invite.wallet = attempt
            .trunk
            .as_ref()
            .and_then(|trunk| trunk.wallet.clone());
        if let Some(trunk) = &attempt.trunk {
            invite.routes = self.first_hop(trunk).0;
        }
        let trusted = attempt
            .trunk
            .as_ref()
            .is_some_and(|trunk| trunk.config.trusted);
        if trusted {
            let caller = self.call(key).and_then(|call| call.leg(LegId::A));
            if let Some(leg) = caller {
                invite.headers.extend(leg.vouched.iter().cloned());
                let history = leg.history.iter();
                let added = history.flat_map(|history| history.led_to(&invite.target));
                invite.headers.extend(added.collect::<Vec<_>>());
            }
        }
        // What the handler says stands in the caller's words' place.
        let caller_speaks = trusted && dial.headers.get("User-to-User").is_none();
        let told = self.uui_of_invite(key, caller_speaks, &attempt.redirected_with);
        invite.headers.extend(told);
        for (name, value) in dial.headers.iter() {
            let header = ExtraHeader::new(name, value).map_err(|error| (500, error.to_string()))?;
            invite.headers.push(header);
        }
        let handle = self
            .endpoint
            .invite(now, invite)
            .map_err(|error| (503, error.to_string()))?;
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(dial.leg)) {
            entry.handle = Some(handle);
            entry.offers = Some(offers);
        }
        self.note_dialog(handle, key, dial.leg);
        Ok(())
    }

    /// Remembers what a peer on TLS has to prove.
    pub(super) fn expect_peer(&mut self, hop: &Hop, trunk: Option<&Trunk>) {
        if !hop.transport.is_secure() {
            return;
        }
        if self.peer_names.len() >= MOST_PEER_NAMES {
            self.peer_names.clear();
        }
        let set = trunk.and_then(|trunk| trunk.config.tls_name.as_deref());
        let name = set.map_or_else(|| Arc::clone(&hop.name), Into::into);
        self.peer_names.insert((hop.transport, hop.address), name);
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

    fn udp_only(&self) -> bool {
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
