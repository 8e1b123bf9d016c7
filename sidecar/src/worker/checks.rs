//! OPTIONS that ask trunks' targets whether they live. One worker sends them for all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::{FailureCause, OutgoingRequest, Party, SentId};
use skillcall_sip::message::{Host, Method, StatusCode, Uri};

use super::{Running, ToWorker};
use crate::resolve::{Hop, Search};
use crate::trunks::{Reach, Trunk, TrunkTable};

/// The worker that asks.
const ASKING: usize = 0;
/// How often it looks for what is due, and for other trunks.
const LOOK: Duration = Duration::from_secs(1);

/// What is asked, and when.
pub(super) struct Checks {
    table: Arc<TrunkTable>,
    next_look: Instant,
    due: Vec<Due>,
    asked: HashMap<SentId, Asked>,
}

struct Due {
    at: Instant,
    trunk: Arc<Trunk>,
    place: usize,
}

struct Asked {
    trunk: Arc<Trunk>,
    place: usize,
    left: VecDeque<Hop>,
}

impl Checks {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            table: Arc::default(),
            next_look: now,
            due: Vec::new(),
            asked: HashMap::new(),
        }
    }

    fn take_up(&mut self, table: Arc<TrunkTable>, now: Instant) {
        self.due.clear();
        for trunk in table.all().iter().filter(|t| t.config.check_seconds > 0) {
            for place in 0..trunk.places.len() {
                self.due.push(Due {
                    at: now,
                    trunk: Arc::clone(trunk),
                    place,
                });
            }
        }
        self.table = table;
    }
}

impl Running {
    /// When trunks are looked after next.
    pub(super) fn next_check(&self) -> Option<Instant> {
        (self.index == ASKING).then_some(self.checks.next_look)
    }

    /// Asks those that are due.
    pub(super) fn check_trunks(&mut self, now: Instant) {
        if self.index != ASKING || now < self.checks.next_look {
            return;
        }
        self.checks.next_look = now + LOOK;
        if self.shared.handed_over.load(Ordering::Relaxed) {
            return;
        }
        let table = self.shared.trunks.now();
        if !Arc::ptr_eq(&table, &self.checks.table) {
            self.checks.take_up(table, now);
        }
        let mut begun = Vec::new();
        for due in self.checks.due.iter_mut().filter(|due| due.at <= now) {
            due.at = now + Duration::from_secs(due.trunk.config.check_seconds.into());
            begun.push((Arc::clone(&due.trunk), due.place));
        }
        for (trunk, place) in begun {
            self.begin_check(now, trunk, place);
        }
    }

    fn begin_check(&mut self, now: Instant, trunk: Arc<Trunk>, place: usize) {
        let Some(target) = trunk.places.get(place).map(|place| &place.target) else {
            return;
        };
        let target = trunk.proxy.as_ref().unwrap_or(target).clone();
        let udp_only = trunk.config.udp_only;
        let names = Arc::clone(&self.shared.names);
        if target.host.ip().is_some() {
            let usable = names.usable();
            let usable = if udp_only { usable.only_udp() } else { usable };
            let hops = Search::new(&target, usable).hops();
            return self.on_check_resolved(now, trunk, place, Ok(hops));
        }
        let worker = self.handle.clone();
        self.shared.runtime.spawn(async move {
            let hops = names.find(&target, udp_only).await;
            worker.send(ToWorker::CheckResolved { trunk, place, hops });
        });
    }

    /// The name of a target that is asked was looked up.
    pub(super) fn on_check_resolved(
        &mut self,
        now: Instant,
        trunk: Arc<Trunk>,
        place: usize,
        hops: Result<Vec<Hop>, String>,
    ) {
        match hops {
            Ok(hops) => self.ask_hop(now, trunk, place, hops.into(), "no listener can send to it"),
            Err(error) => note(&trunk, place, Reach::Down, error),
        }
    }

    fn ask_hop(
        &mut self,
        now: Instant,
        trunk: Arc<Trunk>,
        place: usize,
        mut left: VecDeque<Hop>,
        otherwise: &str,
    ) {
        let Some(hop) = left.pop_front() else {
            return note(&trunk, place, Reach::Down, otherwise.to_owned());
        };
        let Some(target) = trunk
            .places
            .get(place)
            .map(|place| place.target.uri.clone())
        else {
            return;
        };
        let ours = self.shared.reachable.sip(hop.address.ip());
        let Ok(from) = Uri::sip(None, &Host::Ip(ours.ip()), Some(ours.port())) else {
            return;
        };
        self.expect_peer(&hop, Some(&trunk));
        let mut options =
            OutgoingRequest::new(Method::Options, target, hop.address, Party::new(from));
        options.transport = hop.transport;
        options.udp_only = trunk.config.udp_only;
        options.routes.extend(trunk.route());
        match self.endpoint.request(now, options) {
            Ok(id) => {
                self.checks.asked.insert(id, Asked { trunk, place, left });
            }
            Err(error) => tracing::warn!(trunk = trunk.name(), %error, "OPTIONS"),
        }
    }

    /// An answer to one of ours. False: it is none.
    pub(super) fn on_check_answer(
        &mut self,
        now: Instant,
        id: SentId,
        status: StatusCode,
        cause: Option<FailureCause>,
    ) -> bool {
        let Some(Asked { trunk, place, left }) = self.checks.asked.remove(&id) else {
            return false;
        };
        let reach = Reach::of_answer(status, cause);
        let answer = match cause {
            Some(FailureCause::Transport) => "it cannot be reached".to_owned(),
            Some(_) => "no answer".to_owned(),
            None => format!("{} {}", status.get(), status.phrase()),
        };
        if reach == Reach::Down && !left.is_empty() {
            self.ask_hop(now, trunk, place, left, &answer);
        } else {
            note(&trunk, place, reach, answer);
        }
        true
    }
}

fn note(trunk: &Trunk, place: usize, reach: Reach, answer: String) {
    if let Some(place) = trunk.places.get(place)
        && place.health.note(reach, answer.clone())
    {
        let (name, target) = (trunk.name(), &place.config.address);
        match reach {
            Reach::Down => tracing::warn!(trunk = name, target, answer, "the target is down"),
            Reach::Up | Reach::Unknown => {
                tracing::info!(trunk = name, target, answer, "the target is up");
            }
        }
    }
}
