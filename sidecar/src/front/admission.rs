//! Who may call: source addresses, skills, sessions, and how many calls at a time.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_protocol::user_to_user::decode_csi;
use skillcall_sip::endpoint::Flow;
use skillcall_sip::message::{HeaderName, Method, Request};

use super::dispatch::fingerprint;
use super::sessions::Sessions;
use super::verdicts::Recent;
use crate::applications::Applications;
use crate::config::{SidecarConfig, SipConfig, UnlistedSource};
use crate::figures::Figures;
use crate::trunks::Trunks;

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes to its worker.
    Pass,
    /// From an address that is not listed: 403.
    Stranger,
    /// Of a skill that is not listed: 403 (facts E1).
    Skill,
    /// Its client session id has made a call already: 482.
    Repeated,
    /// Too many calls: 503 with Retry-After.
    Overload,
    /// The sidecar goes down: 503.
    Draining,
}

impl Verdict {
    /// For the trace; none where a stranger could fill it.
    pub(super) fn note(&self) -> Option<&'static str> {
        match self {
            Self::Pass | Self::Stranger | Self::Overload => None,
            Self::Skill => Some("refused: X-Alexa-LWA-ClientId is not one of [sip] skills"),
            Self::Repeated => Some("refused: another INVITE has made this client session's call"),
            Self::Draining => Some("refused: the sidecar goes down"),
        }
    }
}

/// The judge of all that comes in.
pub(super) struct Admission {
    sip: SipConfig,
    trunks: Trunks,
    applications: Arc<Applications>,
    figures: Arc<Figures>,
    sessions: Sessions,
    recent: Recent<Verdict>,
    most_calls: u32,
    per_second: u32,
    second_began: Instant,
    in_second: u32,
    draining: bool,
}

impl Admission {
    pub(super) fn new(
        config: &SidecarConfig,
        trunks: Trunks,
        applications: Arc<Applications>,
        figures: Arc<Figures>,
        now: Instant,
    ) -> Self {
        let limits = &config.limits;
        Self {
            sip: config.sip.clone(),
            trunks,
            applications,
            figures,
            sessions: Sessions::new(
                limits.sessions as usize,
                Duration::from_secs(limits.session_seconds.into()),
            ),
            // Two lifetimes of the busiest second, doubled for refusals.
            recent: Recent::new(
                (limits.calls_per_second as usize * 64).clamp(1024, 1 << 20),
                now,
            ),
            most_calls: limits.calls,
            per_second: limits.calls_per_second,
            second_began: now,
            in_second: 0,
            draining: false,
        }
    }

    /// Whether SIP from this address is taken: it is listed, or a trunk's.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        self.sip.allows(address) || self.trunks.now().of_source(address).is_some()
    }

    /// Whether a message on this path is taken: as [`Admission::allows`], or its connection has shown a trunk's certificate.
    pub(super) fn allows_flow(&self, flow: &Flow) -> bool {
        self.sip.allows(flow.remote.ip()) || self.trunks.of_flow(flow).is_some()
    }

    /// Whether a connection is taken at all: a stranger's would hold a place that a trunk needs.
    pub(super) fn allows_connection(&self, address: IpAddr) -> bool {
        self.allows(address)
    }

    pub(super) fn drops_strangers(&self) -> bool {
        self.sip.unlisted_source == UnlistedSource::Drop
    }

    /// Judges a request from a listed address.
    pub(super) fn judge(
        &mut self,
        request: &Request,
        now: Instant,
        worker_is_full: bool,
    ) -> Verdict {
        let headers = request.headers();
        // The ACK of a refusal goes to the worker too, which knows no such transaction and forgets it.
        if *request.method() != Method::Invite || headers.to_tag().is_some() {
            return Verdict::Pass;
        }
        let mut key = headers.call_id().to_vec();
        key.extend(headers.cseq().number.to_be_bytes());
        key.extend(headers.from_tag().unwrap_or_default());
        let key = fingerprint(&key);
        if let Some(verdict) = self.recent.get(key) {
            return *verdict;
        }
        let verdict = self.judge_new(request, now, worker_is_full);
        self.recent.insert(key, verdict);
        verdict
    }

    fn judge_new(&mut self, request: &Request, now: Instant, worker_is_full: bool) -> Verdict {
        if self.draining {
            return Verdict::Draining;
        }
        let skill = request.headers().named("X-Alexa-LWA-ClientId");
        let allowed = match skill.as_deref().map(str::trim) {
            Some(skill) => {
                self.sip.skills.iter().any(|allowed| allowed == skill)
                    || self.applications.knows_skill(skill)
            }
            None => !self.sip.require_skill,
        };
        if !allowed {
            return Verdict::Skill;
        }
        if now.saturating_duration_since(self.second_began) >= Duration::from_secs(1) {
            self.second_began = now;
            self.in_second = 0;
        }
        let calls = self.figures.calls.load(Ordering::Relaxed);
        if worker_is_full || calls >= self.most_calls as usize || self.in_second >= self.per_second
        {
            return Verdict::Overload;
        }
        if let Some(csi) = client_session_id(request) {
            let call = fingerprint(request.headers().call_id());
            if !self.sessions.take(&csi, call, now) {
                return Verdict::Repeated;
            }
        }
        self.in_second += 1;
        Verdict::Pass
    }

    pub(super) fn count(&self, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Stranger => &self.figures.refused_source,
            Verdict::Skill => &self.figures.refused_skill,
            Verdict::Repeated => &self.figures.refused_session,
            Verdict::Overload | Verdict::Draining => &self.figures.refused_overload,
            Verdict::Pass => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn release(&mut self, csi: &str) {
        self.sessions.release(csi);
    }

    pub(super) fn drain(&mut self) {
        self.draining = true;
    }

    pub(super) fn housekeeping(&mut self, now: Instant) {
        self.sessions.expire(now);
        self.recent.turn(now);
    }
}

/// The client session id of an INVITE, if it has one (facts E1).
pub(crate) fn client_session_id(request: &Request) -> Option<String> {
    let values: Vec<String> = request
        .headers()
        .iter()
        .filter(|field| field.name == HeaderName::UserToUser)
        .map(|field| field.text().into_owned())
        .collect();
    decode_csi(values.iter().map(String::as_str)).map(|csi| csi.as_str().to_owned())
}
