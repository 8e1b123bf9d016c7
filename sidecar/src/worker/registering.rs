//! REGISTERs to trunks that know us by registration. One worker sends them for all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::{FailureCause, Party, SentId};
use skillcall_sip::message::{Response, StatusCode, Uri, escaped_user};
use skillcall_sip::registration::{Outcome, Registration, RegistrationConfig, RegistrationState};

use super::keep_alives::Whose;
use super::{Running, ToWorker};
use crate::leg::Target;
use crate::resolve::{Hop, Search};
use crate::trunks::{Registrar, Standing, Trunk, TrunkTable};

/// The worker that registers.
pub(crate) const REGISTERING: usize = 0;
/// How often it looks for what is due, and for other trunks.
const LOOK: Duration = Duration::from_millis(250);
/// The longest wait after failures, and the one after a refusal (RFC 5626 §4.5).
const LONGEST_WAIT: Duration = Duration::from_secs(1800);

/// What is registered, and when it is renewed.
pub(super) struct Registering {
    table: Arc<TrunkTable>,
    next_look: Instant,
    entries: Vec<Entry>,
    sent: HashMap<SentId, u64>,
    serial: u64,
    off: bool,
}

struct Entry {
    id: u64,
    trunk: Arc<Trunk>,
    registration: Registration,
    /// Where it has not been tried yet.
    places: VecDeque<Target>,
    hops: VecDeque<Hop>,
    /// Where the last REGISTER went.
    current: Option<Hop>,
    /// A name is being looked up.
    looking: bool,
    /// The trunk registers no more: it ends with the answer.
    leaving: bool,
    /// Our address is another one than the REGISTER says that is on its way.
    moved: bool,
}

impl Registering {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            table: Arc::default(),
            next_look: now,
            entries: Vec::new(),
            sent: HashMap::new(),
            serial: 0,
            off: false,
        }
    }

    /// Whether a registration stands.
    pub(super) fn is_registered(&self, id: u64, now: Instant) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| {
            let state = entry.registration.state(now);
            entry.id == id && matches!(state, RegistrationState::Registered { .. })
        })
    }

    fn entry(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }

    /// Takes up other trunks: those whose registration is the same keep it.
    fn take_up(&mut self, table: Arc<TrunkTable>, now: Instant) {
        let mut before = std::mem::take(&mut self.entries);
        for trunk in table.all() {
            let Some(address) = trunk.config.register_address() else {
                continue;
            };
            let same = before.iter().position(|entry| {
                entry.trunk.config == trunk.config
                    && entry.trunk.wallet == trunk.wallet
                    && !entry.leaving
            });
            if let Some(at) = same {
                let mut entry = before.swap_remove(at);
                entry.trunk = Arc::clone(trunk);
                self.entries.push(entry);
                continue;
            }
            // The new one takes the binding of the same address over.
            before.retain(|entry| entry.trunk.config.register_address().as_ref() != Some(&address));
            self.serial += 1;
            if let Some(registration) = registration_of(trunk, address, now) {
                self.entries.push(Entry {
                    id: self.serial,
                    trunk: Arc::clone(trunk),
                    registration,
                    places: VecDeque::new(),
                    hops: VecDeque::new(),
                    current: None,
                    looking: false,
                    leaving: false,
                    moved: false,
                });
            }
        }
        for mut entry in before {
            if !entry.leaving {
                entry.leaving = true;
                entry.registration.unregister(now);
            }
            self.entries.push(entry);
        }
        self.table = table;
    }
}

fn registration_of(trunk: &Trunk, address: Uri, now: Instant) -> Option<Registration> {
    let register = trunk.config.register.as_ref()?;
    let registrar = Uri::parse(&format!("sip:{}", trunk.config.register_domain()?)).ok()?;
    // Each REGISTER is given its way when it is sent.
    let nowhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let mut config = RegistrationConfig::new(registrar, nowhere, Party::new(address));
    config.contact_user = trunk.config.register_contact().map(str::to_owned);
    config.expires = register.expires;
    config.wallet.clone_from(&trunk.wallet);
    config.first_wait = Duration::from_secs(register.retry_seconds.into());
    config.longest_wait = LONGEST_WAIT;
    Some(Registration::new(now, config, rand::random()))
}

impl Running {
    /// When registrations are looked after next.
    pub(super) fn next_registering(&self) -> Option<Instant> {
        (self.index == REGISTERING).then_some(self.registering.next_look)
    }

    /// Sends what is due.
    pub(super) fn keep_registered(&mut self, now: Instant) {
        if self.index != REGISTERING || now < self.registering.next_look {
            return;
        }
        self.registering.next_look = now + LOOK;
        // The process that has taken over registers the same address, and takes the binding over.
        if self.shared.handed_over.load(Ordering::Relaxed) {
            return;
        }
        let table = self.shared.trunks.now();
        if !Arc::ptr_eq(&table, &self.registering.table) {
            self.registering.take_up(table, now);
        }
        let off = self.shared.draining.load(Ordering::Relaxed);
        if std::mem::replace(&mut self.registering.off, off) != off {
            let entries = self.registering.entries.iter_mut();
            for entry in entries.filter(|entry| !entry.leaving) {
                if off {
                    entry.registration.unregister(now);
                } else {
                    entry.registration.register(now);
                }
            }
        }
        let mut due = Vec::new();
        for entry in &self.registering.entries {
            self.note_registration(entry, now, None);
            let waits = entry.registration.next_timeout();
            if !entry.looking && waits.is_some_and(|at| at <= now) {
                due.push(entry.id);
            }
        }
        // Whoever never was registered has nothing to take back.
        let over = |entry: &Entry| {
            entry.leaving
                && entry.registration.state(now) == RegistrationState::Off
                && entry.registration.next_timeout().is_none()
                && entry.current.is_none()
        };
        self.registering.entries.retain(|entry| !over(entry));
        for id in due {
            self.register_next(now, id, None);
        }
    }

    fn note_registration(&self, entry: &Entry, now: Instant, answer: Option<String>) {
        let name = entry.trunk.name();
        let registrations = self.shared.trunks.registrations();
        if entry.leaving {
            return registrations.forget(name);
        }
        let (standing, lasts) = match entry.registration.state(now) {
            RegistrationState::Registered { until } => (
                Standing::Registered,
                Some(until.saturating_duration_since(now)),
            ),
            RegistrationState::Trying { .. } => (Standing::Trying, None),
            // The binding is still to be taken back.
            RegistrationState::Off
                if entry.registration.next_timeout().is_some() || entry.current.is_some() =>
            {
                return;
            }
            RegistrationState::Off => (Standing::Off, None),
        };
        if registrations.note(name, standing, lasts, answer.clone()) {
            let answer = answer.unwrap_or_default();
            match standing {
                Standing::Registered => tracing::info!(trunk = name, "registered"),
                Standing::Trying => tracing::warn!(trunk = name, answer, "not registered"),
                Standing::Off => tracing::info!(trunk = name, "the registration is taken back"),
            }
        }
    }

    /// Sends the REGISTER that is due to the next place; `failure` is what the last one met with.
    fn register_next(&mut self, now: Instant, id: u64, mut failure: Option<String>) {
        loop {
            let Some(entry) = self.registering.entry(id) else {
                return;
            };
            if let Some(hop) = entry.hops.pop_front() {
                return self.send_register(now, id, hop);
            }
            if entry.places.is_empty() {
                if let Some(failure) = failure {
                    let _ = entry.registration.poll(now);
                    let status = StatusCode::SERVICE_UNAVAILABLE;
                    return self.on_registered(now, id, status, None, Some(failure));
                }
                entry.places = places_of(&entry.trunk);
                // A second round without a place is over.
                failure = Some("it has no target that a listener can send to".to_owned());
            }
            let Some(target) = entry.places.pop_front() else {
                continue;
            };
            let udp_only = entry.trunk.config.udp_only;
            let names = Arc::clone(&self.shared.names);
            if target.host.ip().is_some() {
                let usable = names.usable();
                let usable = if udp_only { usable.only_udp() } else { usable };
                entry.hops = Search::new(&target, usable).hops().into();
                continue;
            }
            entry.looking = true;
            let worker = self.handle.clone();
            self.shared.runtime.spawn(async move {
                let hops = names.find(&target, udp_only).await;
                worker.send(ToWorker::RegistrarResolved { id, hops });
            });
            return;
        }
    }

    /// A registrar's name was looked up.
    pub(super) fn on_registrar_resolved(
        &mut self,
        now: Instant,
        id: u64,
        hops: Result<Vec<Hop>, String>,
    ) {
        let Some(entry) = self.registering.entry(id) else {
            return;
        };
        entry.looking = false;
        let mut failure = "no listener can send to it".to_owned();
        match hops {
            Ok(hops) => entry.hops = hops.into(),
            Err(error) => failure = error,
        }
        self.register_next(now, id, Some(failure));
    }

    fn send_register(&mut self, now: Instant, id: u64, hop: Hop) {
        let own = self
            .endpoint
            .contact(hop.transport, hop.address.ip())
            .to_owned();
        let Some(entry) = self.registering.entry(id) else {
            return;
        };
        let trunk = Arc::clone(&entry.trunk);
        let user = trunk.config.register_contact().map(escaped_user);
        let place = own.split_once('@').map(|(_, place)| place);
        let contact = user.zip(place).and_then(|(user, place)| {
            Uri::parse(&format!("sip:{user}@{}", place.trim_end_matches('>'))).ok()
        });
        entry.registration.set_contact(contact);
        let Some(mut request) = entry.registration.poll(now) else {
            // Nothing is due any more; the place stays the next one.
            entry.hops.push_front(hop);
            return;
        };
        entry.current = Some(hop.clone());
        request.destination = hop.address.into();
        request.transport = hop.transport;
        request.udp_only = trunk.config.udp_only;
        request.keep = self.offers_keep_alives();
        request.routes.extend(trunk.route());
        self.expect_peer(&hop, Some(&trunk));
        match self.endpoint.request(now, request) {
            Ok(sent) => {
                self.registering.sent.insert(sent, id);
            }
            Err(error) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                self.on_registered(now, id, status, None, Some(error.to_string()));
            }
        }
    }

    /// Peers reach us at another address: new calls say so, and registrars are told at once.
    pub(super) fn readdress(&mut self, now: Instant) {
        self.shared.reachable.name(&mut self.sip);
        self.endpoint.advertise(&self.sip);
        if self.registering.off {
            return;
        }
        let entries = self.registering.entries.iter_mut();
        for entry in entries.filter(|entry| !entry.leaving) {
            entry.moved = entry.current.is_some();
            entry.registration.register(now);
        }
        self.registering.next_look = now;
    }

    /// A registrar has lost the flow by which it reaches us, if the registration still stands.
    pub(super) fn register_anew(&mut self, now: Instant, id: u64, why: &str) {
        if self.registering.off {
            return;
        }
        let Some(entry) = self.registering.entry(id).filter(|entry| !entry.leaving) else {
            return;
        };
        tracing::warn!(trunk = entry.trunk.name(), why, "registering anew");
        entry.moved = entry.current.is_some();
        entry.registration.register(now);
        self.registering.next_look = now;
    }

    /// An answer to one of ours. False: it is none.
    pub(super) fn on_register_answer(
        &mut self,
        now: Instant,
        sent: SentId,
        status: StatusCode,
        cause: Option<FailureCause>,
        response: Option<&Response>,
    ) -> bool {
        let Some(id) = self.registering.sent.remove(&sent) else {
            return false;
        };
        let failure = match cause {
            Some(FailureCause::Transport) => Some("it cannot be reached".to_owned()),
            Some(_) => Some("no answer".to_owned()),
            None => None,
        };
        self.on_registered(now, id, status, response, failure);
        true
    }

    /// `failure`: why there is no answer.
    fn on_registered(
        &mut self,
        now: Instant,
        id: u64,
        status: StatusCode,
        response: Option<&Response>,
        failure: Option<String>,
    ) {
        let Some(at) = self.registering.entries.iter().position(|e| e.id == id) else {
            return;
        };
        let mut entry = self.registering.entries.swap_remove(at);
        let outcome = entry.registration.on_response(now, status, response);
        let answer = failure.unwrap_or_else(|| format!("{} {}", status.get(), status.phrase()));
        let current = entry.current.take();
        let mut elsewhere = false;
        match outcome {
            // Where it has worked it is renewed, over the same connection.
            Outcome::Registered { .. } | Outcome::Again | Outcome::Unregistered => {
                if let Some(hop) = current.clone() {
                    entry.hops.push_front(hop);
                }
            }
            Outcome::Failed { status, .. } => {
                let unreachable = response.is_none() || status == StatusCode::SERVICE_UNAVAILABLE;
                elsewhere = unreachable && !(entry.hops.is_empty() && entry.places.is_empty());
                if elsewhere {
                    entry.registration.register(now);
                } else if !unreachable {
                    entry.hops.extend(current.clone());
                }
                let name = entry.trunk.name();
                tracing::warn!(trunk = name, answer, elsewhere, "REGISTER failed");
            }
        }
        if std::mem::take(&mut entry.moved) && !entry.leaving && !self.registering.off {
            entry.registration.register(now);
        }
        self.note_registration(&entry, now, Some(answer.clone()));
        if let (Outcome::Registered { .. }, Some(hop)) = (outcome, &current) {
            if let Some(response) = response {
                self.note_keep(Whose::Registration(id), hop, response, now);
            }
            self.shared.trunks.registrations().note_way(
                entry.trunk.name(),
                entry.registration.service_route(),
                Registrar {
                    address: hop.address,
                    transport: hop.transport,
                },
            );
        }
        self.registering.entries.push(entry);
        if elsewhere || outcome == Outcome::Again {
            self.register_next(now, id, Some(answer));
        }
    }
}

/// The places of a trunk in the order to try them.
fn places_of(trunk: &Trunk) -> VecDeque<Target> {
    if let Some(proxy) = &trunk.proxy {
        return VecDeque::from([proxy.clone()]);
    }
    let tried = trunk.tried(|most| rand::random_range(0..=most));
    tried.iter().map(|place| place.target.clone()).collect()
}
