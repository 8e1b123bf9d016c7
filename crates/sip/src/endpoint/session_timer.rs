//! Session timers (RFC 4028): calls whose peer has vanished end by themselves.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::Endpoint;
use super::abilities::{allows, supports};
use super::call::{CallState, CallTimer};
use super::event::{CallHandle, EndedBy};
use super::flow::Flow;
use super::receive::Refusal;
use crate::message::{
    ExtraHeader, HeaderName, Headers, Method, MinSe, Refresher, Request, Response, SessionExpires,
    StatusCode,
};

/// The smallest Session-Expires and Min-SE (RFC 4028 §4, §5), in seconds.
const LEAST: u32 = 90;
/// The most that a 422 may make us ask for: a day.
const MOST: u32 = 86_400;

/// Sessions are looked at this often at least, so that no timer of a call that is over stays for half an hour.
const LOOK: Duration = Duration::from_secs(32);

/// What we want of session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimerPolicy {
    /// The interval that we ask for, in seconds: 90 or more.
    pub expires: u32,
    /// The smallest interval that we take, in seconds: 90 or more. What is smaller gets 422.
    pub min_se: u32,
    /// Who shall refresh where we may choose. `None` leaves it to the caller's side, as RFC 4028 §9 advises.
    pub refresher: Option<RefreshedBy>,
}

/// Who refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshedBy {
    /// We.
    Us,
    /// The peer.
    Peer,
}

impl Default for SessionTimerPolicy {
    /// Half an hour, as RFC 4028 §4 recommends; 90 s at least.
    fn default() -> Self {
        Self {
            expires: 1800,
            min_se: LEAST,
            refresher: None,
        }
    }
}

/// A running session timer.
#[derive(Debug)]
pub(super) struct SessionTimer {
    /// Seconds.
    interval: u32,
    ours: bool,
    serial: u32,
    /// When it is our turn to refresh, if it ever is.
    refresh_at: Option<Instant>,
    /// When the call ends if nobody has refreshed.
    over_at: Instant,
}

/// What is kept of a session for its refreshes.
#[derive(Debug, Default)]
pub(super) struct SessionMemory {
    timer: Option<SessionTimer>,
    /// The largest Min-SE that a peer or proxy named.
    min_se: u32,
    /// The peer takes UPDATE.
    updates: bool,
    /// Our description, for a refresh by re-INVITE.
    described: Option<Bytes>,
}

impl Endpoint {
    /// Session-Expires and Min-SE of an INVITE or UPDATE of ours.
    pub(super) fn session_headers(&self, call: CallHandle) -> Vec<(HeaderName, String)> {
        let Some(policy) = self.config.session_timer else {
            return Vec::new();
        };
        let memory = self.call(call).and_then(|call| call.session.as_ref());
        let timer = memory.and_then(|memory| memory.timer.as_ref());
        let least = policy
            .min_se
            .max(LEAST)
            .max(memory.map_or(0, |memory| memory.min_se));
        let refresher = match timer {
            // In a refresh the roles stay: we are its client (RFC 4028 §7.4).
            Some(timer) if timer.ours => Some(Refresher::Uac),
            Some(_) => Some(Refresher::Uas),
            None => policy.refresher.map(|by| match by {
                RefreshedBy::Us => Refresher::Uac,
                RefreshedBy::Peer => Refresher::Uas,
            }),
        };
        let seconds = timer.map_or(policy.expires, |timer| timer.interval);
        let expires = SessionExpires {
            seconds: seconds.max(least),
            refresher,
        };
        vec![
            (HeaderName::SessionExpires, expires.to_string()),
            (HeaderName::MinSe, least.to_string()),
        ]
    }

    /// 422 for an interval below ours; `true` if the request was refused (RFC 4028 §9). A client that does not know
    /// session timers is not refused: the header is a proxy's.
    pub(super) fn refuse_short_session(&mut self, flow: &Flow, request: &Request) -> bool {
        let Some(policy) = self.config.session_timer else {
            return false;
        };
        let headers = request.headers();
        let short =
            session_expires(headers).is_some_and(|asked| asked.seconds < policy.min_se.max(LEAST));
        if !short || !supports(headers, "timer") {
            return false;
        }
        let least = policy.min_se.max(LEAST).to_string();
        let refusal = Refusal {
            fixed: &[(HeaderName::MinSe, &least)],
            ..Refusal::default()
        };
        let status = StatusCode::SESSION_INTERVAL_TOO_SMALL;
        self.answer_statelessly(flow, request, status, &refusal);
        true
    }

    /// The headers of our 2xx to an INVITE or UPDATE, and the timer that begins with it (RFC 4028 §9, table 2).
    pub(super) fn answer_session(
        &mut self,
        now: Instant,
        call: CallHandle,
        request: &Request,
    ) -> Vec<(HeaderName, String)> {
        let Some(policy) = self.config.session_timer else {
            return Vec::new();
        };
        let headers = request.headers();
        let able = supports(headers, "timer");
        let least = min_se(headers).unwrap_or(LEAST).clamp(LEAST, MOST);
        let asked = session_expires(headers);
        let seconds = asked
            .map_or(policy.expires, |asked| asked.seconds.min(policy.expires))
            .max(least)
            .max(LEAST);
        let refresher = match asked.and_then(|asked| asked.refresher) {
            _ if !able => Refresher::Uas,
            Some(refresher) => refresher,
            None if policy.refresher == Some(RefreshedBy::Us) => Refresher::Uas,
            None => Refresher::Uac,
        };
        self.remember_peer(call, headers, least);
        self.start_session_timer(now, call, seconds, refresher == Refresher::Uas);
        let expires = SessionExpires {
            seconds,
            refresher: Some(refresher),
        };
        let mut out = vec![(HeaderName::SessionExpires, expires.to_string())];
        if refresher == Refresher::Uac {
            out.push((HeaderName::Require, "timer".to_owned()));
        }
        out
    }

    /// The 2xx to an INVITE or UPDATE of ours: the timer that it begins, or ends (RFC 4028 §7.2).
    pub(super) fn on_session_answer(
        &mut self,
        now: Instant,
        call: CallHandle,
        response: &Response,
    ) {
        if self.config.session_timer.is_none() {
            return;
        }
        let headers = response.headers();
        self.remember_peer(call, headers, 0);
        match session_expires(headers) {
            Some(expires) => {
                let ours = expires.refresher != Some(Refresher::Uas);
                let seconds = expires.seconds.clamp(LEAST, MOST);
                self.start_session_timer(now, call, seconds, ours);
            }
            None => {
                let session = self.call_mut(call).and_then(|call| call.session.as_mut());
                let timer = session.and_then(|session| session.timer.take());
                // A peer that knows no session timers is refreshed by us all the same, if that was agreed: its answers
                // show that it is there (RFC 4028 §4).
                if let Some(timer) = timer.filter(|timer| timer.ours) {
                    self.start_session_timer(now, call, timer.interval, true);
                }
            }
        }
    }

    fn remember_peer(&mut self, call: CallHandle, headers: Headers<'_>, least: u32) {
        let updates = headers
            .get(HeaderName::Allow)
            .map(|_| allows(headers, &Method::Update));
        let Some(found) = self.call_mut(call) else {
            return;
        };
        let session = found.session.get_or_insert_default();
        session.min_se = session.min_se.max(least);
        if let Some(updates) = updates {
            session.updates = updates;
        }
    }

    /// Keeps our description, so that the session can be refreshed without the user.
    pub(super) fn keep_description(&mut self, call: CallHandle, sdp: Option<&Bytes>) {
        if self.config.session_timer.is_some()
            && let Some(found) = self.call_mut(call)
        {
            found.session.get_or_insert_default().described = sdp.cloned();
        }
    }

    fn start_session_timer(&mut self, now: Instant, call: CallHandle, interval: u32, ours: bool) {
        let serial = self.next_serial();
        let Some(found) = self.call_mut(call) else {
            return;
        };
        let seconds = |seconds: u32| now + Duration::from_secs(u64::from(seconds));
        found.session.get_or_insert_default().timer = Some(SessionTimer {
            interval,
            ours,
            serial,
            refresh_at: ours.then(|| seconds(interval / 2)),
            // RFC 4028 §10: the lesser of 32 s and a third of the interval before its end.
            over_at: seconds(interval - (interval / 3).min(32)),
        });
        self.look_later(now, call, serial);
    }

    fn look_later(&mut self, now: Instant, call: CallHandle, serial: u32) {
        let Some(timer) = self
            .session_timer(call, serial)
            .and_then(|session| session.timer.as_ref())
        else {
            return;
        };
        let next = timer
            .refresh_at
            .map_or(timer.over_at, |at| at.min(timer.over_at));
        let after = next.saturating_duration_since(now).min(LOOK);
        self.call_timer(now, call, after, CallTimer::Session { serial });
    }

    fn refresh_later(&mut self, now: Instant, call: CallHandle, after: Duration) {
        if let Some(timer) = self
            .call_mut(call)
            .and_then(|call| call.session.as_mut()?.timer.as_mut())
        {
            timer.refresh_at = Some(now + after);
            let serial = timer.serial;
            self.look_later(now, call, serial);
        }
    }

    /// Looks whether a session is due to be refreshed, or over.
    pub(super) fn on_session_timer(&mut self, now: Instant, call: CallHandle, serial: u32) {
        let Some(timer) = self
            .session_timer(call, serial)
            .and_then(|session| session.timer.as_ref())
        else {
            return;
        };
        if timer.over_at <= now {
            return self.on_session_over(now, call);
        }
        if timer.refresh_at.is_some_and(|at| at <= now) {
            if let Some(timer) = self
                .call_mut(call)
                .and_then(|call| call.session.as_mut()?.timer.as_mut())
            {
                timer.refresh_at = None;
            }
            self.refresh(now, call);
        }
        self.look_later(now, call, serial);
    }

    fn session_timer(&self, call: CallHandle, serial: u32) -> Option<&SessionMemory> {
        let session = self.call(call)?.session.as_deref()?;
        session
            .timer
            .as_ref()
            .filter(|timer| timer.serial == serial)
            .map(|_| session)
    }

    /// Half of the interval is over: an UPDATE without SDP, or a re-INVITE with our last description.
    fn refresh(&mut self, now: Instant, call: CallHandle) {
        let Some(session) = self.call(call).and_then(|call| call.session.as_deref()) else {
            return;
        };
        let (method, sdp) = if session.updates {
            (Method::Update, None)
        } else {
            (Method::Invite, session.described.clone())
        };
        if method == Method::Invite && sdp.is_none() {
            // An offerless re-INVITE would ask the user for an answer; without our description nothing can be sent.
            return;
        }
        if self
            .begin_change(now, call, method, sdp, &[], true)
            .is_err()
        {
            // A change is under way, which refreshes the session as well; if it fails, we are here again.
            self.refresh_later(now, call, Duration::from_secs(2));
        }
    }

    /// A refresh was refused, and the call is not lost: another way, or later again, until the session is over.
    pub(super) fn on_refresh_failed(
        &mut self,
        now: Instant,
        call: CallHandle,
        method: &Method,
        status: StatusCode,
    ) {
        let Some(session) = self.call_mut(call).and_then(|call| call.session.as_mut()) else {
            return;
        };
        let not_known = matches!(
            status,
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
        );
        if *method == Method::Update && not_known {
            session.updates = false;
            return self.refresh(now, call);
        }
        self.refresh_later(now, call, Duration::from_secs(10));
    }

    /// Nobody has refreshed the session (RFC 4028 §10).
    fn on_session_over(&mut self, now: Instant, call: CallHandle) {
        let confirmed = match self.call(call).map(|call| &call.state) {
            Some(CallState::Established(established)) => established.confirmed,
            _ => return,
        };
        if confirmed {
            let reason = ExtraHeader::new("Reason", "SIP;cause=408;text=\"Session Expired\"");
            let headers: Vec<ExtraHeader> = reason.into_iter().collect();
            self.end_call(now, call, EndedBy::SessionExpired, &headers);
        }
    }

    /// What a 422 makes of our request: the larger interval that it wants (RFC 4028 §7.3); `None` if it is no reason to
    /// try again.
    pub(super) fn longer_session(
        &mut self,
        call: Option<CallHandle>,
        request: &Request,
        response: &Response,
    ) -> Option<Vec<(HeaderName, String)>> {
        self.config.session_timer?;
        let asked = session_expires(request.headers())?;
        let least = min_se(response.headers())?;
        if least <= asked.seconds || least > MOST {
            return None;
        }
        if let Some(found) = call.and_then(|call| self.call_mut(call)) {
            let session = found.session.get_or_insert_default();
            session.min_se = session.min_se.max(least);
        }
        let expires = SessionExpires {
            seconds: least,
            ..asked
        };
        Some(vec![
            (HeaderName::SessionExpires, expires.to_string()),
            (HeaderName::MinSe, least.to_string()),
        ])
    }
}

fn session_expires(headers: Headers<'_>) -> Option<SessionExpires> {
    SessionExpires::parse(headers.get(HeaderName::SessionExpires)?).ok()
}

fn min_se(headers: Headers<'_>) -> Option<u32> {
    MinSe::parse(headers.get(HeaderName::MinSe)?)
        .ok()
        .map(|MinSe(seconds)| seconds)
}
