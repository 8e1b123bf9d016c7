//! Who may call: sources, skills, sessions, and how many calls at a time.
//!
//! Only requests that would open a dialog are judged here. Everything else of a known source passes: a call that was
//! taken is not disturbed by those that are not.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_protocol::user_to_user::decode_csi;
use skillcall_sip::endpoint::Flow;
use skillcall_sip::message::{HeaderName, Request};
use skillcall_sip::peek::Peek;

use super::dispatch::Naming;
use super::sessions::Sessions;
use super::verdicts::Recent;
use crate::applications::Applications;
use crate::config::{SidecarConfig, SipConfig};
use crate::figures::Figures;
use crate::guard::{Known, Source, Standing};
use crate::trunks::Trunks;

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes to its worker.
    Pass,
    /// From an address that is not known: 403.
    Stranger,
    /// Of a skill that is not listed: 403 (facts E1).
    Skill,
    /// Its client session id has made a call already: 482.
    Repeated,
    /// Too many calls: 503 with Retry-After.
    Overload,
    /// Too many calls of its source: 503 with Retry-After.
    Share,
    /// The sidecar goes down: 503.
    Draining,
}

impl Verdict {
    /// For the trace; none where a flood could fill it.
    pub(super) fn note(&self) -> Option<&'static str> {
        match self {
            Self::Pass | Self::Stranger | Self::Overload | Self::Share => None,
            Self::Skill => Some("refused: X-Alexa-LWA-ClientId is not one of [sip] skills"),
            Self::Repeated => Some("refused: another INVITE has made this client session's call"),
            Self::Draining => Some("refused: the sidecar goes down"),
        }
    }
}

/// Whether a request would open a dialog (RFC 3261 §12.1, RFC 6665 §4.1, RFC 3515 §2.4.4).
pub(super) fn opens_dialog(seen: &Peek<'_>) -> bool {
    seen.is_request
        && seen.to_tag.is_none()
        && matches!(seen.method, b"INVITE" | b"SUBSCRIBE" | b"REFER")
}

/// The judge of what known sources want to begin.
pub(super) struct Admission {
    sip: SipConfig,
    figures: Arc<Figures>,
    known: Arc<Known>,
    trunks: Trunks,
    applications: Arc<Applications>,
    naming: Naming,
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
        figures: Arc<Figures>,
        known: Arc<Known>,
        trunks: Trunks,
        applications: Arc<Applications>,
        naming: Naming,
        now: Instant,
    ) -> Self {
        let limits = &config.limits;
        Self {
            sip: config.sip.clone(),
            figures,
            known,
            trunks,
            applications,
            naming,
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

    /// Other rules for calls that begin from now on.
    pub(super) fn reload(&mut self, config: &SidecarConfig) {
        self.sip = config.sip.clone();
        self.most_calls = config.limits.calls;
        self.per_second = config.limits.calls_per_second;
    }

    /// How the sender of an address stands to us.
    pub(super) fn standing(&self, address: IpAddr, now: Instant) -> Standing {
        self.known.standing(address, now)
    }

    /// The same of a path, whose connection may have shown a trunk's certificate.
    pub(super) fn standing_of(&self, flow: &Flow, now: Instant) -> Standing {
        match self.known.standing(flow.remote.ip(), now) {
            Standing::Known(source) => Standing::Known(source),
            other => self
                .trunks
                .of_flow(flow)
                .and_then(|trunk| self.known.named(trunk.name()))
                .map_or(other, Standing::Known),
        }
    }

    /// What an INVITE, and each repetition of it, is remembered by.
    pub(super) fn key(&self, seen: &Peek<'_>) -> u64 {
        let tag = seen.from_tag.unwrap_or_default();
        let branch = seen.branch.unwrap_or_default();
        self.naming
            .fingerprint(&[seen.call_id, b"\n", tag, b"\n", branch].concat())
    }

    /// Judges what would open a dialog, by what a bounded look at it shows.
    pub(super) fn judge_opening(
        &mut self,
        key: u64,
        source: &Source,
        now: Instant,
        worker_is_full: bool,
    ) -> Verdict {
        if let Some(verdict) = self.recent.get(key) {
            return *verdict;
        }
        let verdict = self.judge_new(source, now, worker_is_full);
        self.recent.insert(key, verdict);
        verdict
    }

    fn judge_new(&mut self, source: &Source, now: Instant, worker_is_full: bool) -> Verdict {
        if self.draining {
            return Verdict::Draining;
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
        // Asked last, as it counts.
        if !source.admits(now) {
            return Verdict::Share;
        }
        self.in_second += 1;
        Verdict::Pass
    }

    /// Judges an INVITE that passed so far by its headers.
    pub(super) fn judge_call(&mut self, key: u64, request: &Request, now: Instant) -> Verdict {
        let verdict = self.judge_headers(request, now);
        if verdict != Verdict::Pass {
            self.recent.replace(key, verdict);
        }
        verdict
    }

    fn judge_headers(&mut self, request: &Request, now: Instant) -> Verdict {
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
        if let Some(csi) = client_session_id(request) {
            let call = self.naming.fingerprint(request.headers().call_id());
            if !self.sessions.take(&csi, call, now) {
                return Verdict::Repeated;
            }
        }
        Verdict::Pass
    }

    pub(super) fn count(&self, verdict: &Verdict) {
        let counter = match verdict {
            Verdict::Stranger => &self.figures.refused_source,
            Verdict::Skill => &self.figures.refused_skill,
            Verdict::Repeated => &self.figures.refused_session,
            Verdict::Overload | Verdict::Draining => &self.figures.refused_overload,
            Verdict::Share => &self.figures.refused_share,
            Verdict::Pass => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Client sessions that have made a call, and what is left of their time.
    pub(super) fn client_sessions(&self, now: Instant) -> Vec<(String, Duration)> {
        let list = self.sessions.list(now);
        list.map(|(csi, left)| (csi.to_owned(), left)).collect()
    }

    /// Those of the process that was taken over from.
    pub(super) fn take_over(&mut self, client_sessions: &[(String, Duration)], now: Instant) {
        for (csi, left) in client_sessions {
            self.sessions.take_over(csi, *left, now);
        }
    }

    pub(super) fn release(&mut self, csi: &str) {
        self.sessions.release(csi);
    }

    pub(super) fn drain(&mut self, on: bool) {
        self.draining = on;
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
