//! A message that came: whose it is, whether it is admitted, and to which worker it goes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_sip::endpoint::{Flow, Transport};
use skillcall_sip::message::{Framing, Message, Method, Request, parse};
use skillcall_sip::peek::{Peek, peek};

use super::admission::{Verdict, opens_dialog};
use super::dispatch::Named;
use super::inbox::FromFront;
use super::running::Running;
use super::{admission, refusal};
use crate::figures::count;
use crate::guard::{Judgement, Offence, Sighting, Standing};
use crate::trace::CallIds;

/// Which process has read a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// This one.
    Here,
    /// The other one of a hand-over: it is ours.
    There,
}

impl Running {
    /// Admits and dispatches one message; what comes back is a reply without any state.
    pub(super) fn message(&mut self, flow: Flow, bytes: Bytes, read: Read) -> Option<Bytes> {
        let now = Instant::now();
        if read == Read::Here {
            count(&self.figures.sip_received);
        }
        let from = flow.remote.ip();
        let standing = self.admission.standing_of(&flow, now);
        if matches!(standing, Standing::Stranger)
            && self
                .strangers
                .is_banned(from, flow.transport.is_reliable(), now)
        {
            count(&self.figures.unheard);
            return None;
        }
        // A second handle of the same bytes: what is looked at outlives what is handed on.
        let wire = bytes.clone();
        let Some(seen) = peek(&wire) else {
            return self.no_sip(flow, bytes, &standing, now);
        };
        // Before it is judged: the one that has the call knows whom it has called.
        if read == Read::Here && self.is_passed(&flow, &bytes, &seen, now) {
            return None;
        }
        self.figures.sip.received(&seen);
        let source = match standing {
            Standing::Known(source) => source,
            Standing::Contacted if belongs_to_call(&seen) => {
                return self.deliver(flow, bytes, &seen, now);
            }
            Standing::Contacted | Standing::Stranger
                if seen.is_request
                    && seen.method == b"REGISTER"
                    && self.phones.may_knock(from, flow.transport.is_reliable()) =>
            {
                return self.may_be_phone(flow, bytes, &seen, now);
            }
            Standing::Contacted | Standing::Stranger => {
                return self.stranger(flow, bytes, &seen, now);
            }
        };
        if !opens_dialog(&seen) {
            return self.deliver(flow, bytes, &seen, now);
        }
        let worker = self.worker_of(&seen);
        let is_full = self
            .workers
            .get(worker)
            .is_none_or(|port| port.is_full(now));
        let key = self.admission.key(&seen);
        let verdict = self.admission.judge_opening(key, &source, now, is_full);
        if verdict != Verdict::Pass {
            return self.refuse(&wire, flow, verdict, None);
        }
        let message = match self.parsed(flow, bytes) {
            Ok(message) => message,
            Err(reply) => return reply,
        };
        if let Message::Request(request) = &message
            && *request.method() == Method::Invite
        {
            let verdict = self.admission.judge_call(key, request, now);
            if verdict != Verdict::Pass {
                return self.refuse(&wire, flow, verdict, Some(request));
            }
        }
        if let Some(begun) = &mut self.begun {
            begun.insert(self.naming.fingerprint(seen.call_id), seen.call_id.into());
        }
        self.push_message(worker, flow, message, now);
        None
    }

    /// A REGISTER of somebody who is not known.
    fn may_be_phone(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        seen: &Peek<'_>,
        now: Instant,
    ) -> Option<Bytes> {
        let wire = bytes.clone();
        let sighting = Sighting::new(&flow, &wire, Some(seen));
        match self.strangers.judge_register(&sighting, now) {
            Judgement::Pass => self.deliver(flow, bytes, seen, now),
            judgement => self.keep_silent(flow, &judgement),
        }
    }

    /// A message of somebody who is not known.
    fn stranger(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        seen: &Peek<'_>,
        now: Instant,
    ) -> Option<Bytes> {
        let wire = bytes.clone();
        let sighting = Sighting {
            names_our_dialog: seen.to_tag.is_some()
                && matches!(self.naming.owner(seen), Named::Own(_)),
            ..Sighting::new(&flow, &wire, Some(seen))
        };
        match self.strangers.judge(&sighting, now) {
            Judgement::Pass => self.deliver(flow, bytes, seen, now),
            Judgement::Answer => {
                count(&self.figures.refused_source);
                let reply = refusal::to_stranger(&wire, flow.remote);
                if reply.is_none() {
                    count(&self.figures.strangers_silenced);
                }
                reply
            }
            judgement => self.keep_silent(flow, &judgement),
        }
    }

    /// Something that is no SIP message.
    fn no_sip(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        standing: &Standing,
        now: Instant,
    ) -> Option<Bytes> {
        if let Standing::Known(_) = standing {
            return self.parsed(flow, bytes).err().flatten();
        }
        count(&self.figures.sip_malformed);
        if let Standing::Contacted = standing {
            return None;
        }
        let sighting = Sighting::new(&flow, &bytes, None);
        let judgement = self.strangers.judge(&sighting, now);
        self.keep_silent(flow, &judgement)
    }

    fn keep_silent(&mut self, flow: Flow, judgement: &Judgement) -> Option<Bytes> {
        count(&self.figures.refused_source);
        count(&self.figures.strangers_silenced);
        if let Judgement::Banned { lasts, why } = judgement {
            self.tell_ban(flow.remote.ip(), *lasts, why);
        }
        None
    }

    pub(super) fn tell_ban(&self, from: IpAddr, lasts: Duration, why: &Offence) {
        count(&self.figures.bans_total);
        let seconds = lasts.as_secs();
        tracing::warn!(%from, seconds, "banned: {why}");
        let told = format!("{from} is banned for {seconds} s: {why}");
        self.trace
            .note(&Arc::new(CallIds::refused(None)), true, &told);
    }

    /// Hands a message on that no rule of admission is about.
    fn deliver(
        &mut self,
        flow: Flow,
        bytes: Bytes,
        seen: &Peek<'_>,
        now: Instant,
    ) -> Option<Bytes> {
        let worker = if seen.is_request {
            self.worker_of(seen)
        } else {
            // What is nobody's answers nothing of ours.
            self.naming.of_branch(seen.branch?)?
        };
        match self.parsed(flow, bytes) {
            Ok(message) => {
                self.push_message(worker, flow, message, now);
                None
            }
            Err(reply) => reply,
        }
    }

    fn worker_of(&self, seen: &Peek<'_>) -> usize {
        match self.naming.owner(seen) {
            Named::Own(worker) => worker,
            Named::Other | Named::Nobody => self.naming.by_call_id(seen.call_id),
        }
    }

    /// The whole message, or the answer to one that cannot be read.
    fn parsed(&self, flow: Flow, bytes: Bytes) -> Result<Message, Option<Bytes>> {
        let framing = match flow.transport {
            // A WebSocket message is a whole SIP message, with Content-Length or without (RFC 7118 §5).
            Transport::Udp | Transport::Ws | Transport::Wss => Framing::Datagram,
            Transport::Tcp | Transport::Tls => Framing::Stream,
        };
        let wire = bytes.clone();
        parse(bytes, framing).map_err(|error| {
            count(&self.figures.sip_malformed);
            tracing::debug!(from = %flow.remote, %error, "no SIP message");
            refusal::malformed(&wire, flow.remote, &error)
        })
    }

    fn push_message(&mut self, worker: usize, flow: Flow, message: Message, came: Instant) {
        self.hand_over(
            worker,
            FromFront::Message {
                flow,
                message,
                came,
            },
        );
    }

    fn refuse(
        &mut self,
        wire: &Bytes,
        flow: Flow,
        verdict: Verdict,
        request: Option<&Request>,
    ) -> Option<Bytes> {
        let reply = refusal::reply(wire, flow.remote, &verdict)?;
        self.admission.count(&verdict);
        if let Some(why) = verdict.note() {
            let csi = request.and_then(admission::client_session_id);
            self.trace.refused_call(wire, &reply, csi, why);
        }
        Some(reply)
    }
}

/// Whether whom we called may send it: a response, or a request within a dialog.
fn belongs_to_call(seen: &Peek<'_>) -> bool {
    !seen.is_request || seen.to_tag.is_some() || matches!(seen.method, b"ACK" | b"CANCEL")
}
