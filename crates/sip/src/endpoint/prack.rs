//! Acknowledging reliable provisional responses: the calling side (RFC 3262 §4).

use std::time::Instant;

use bytes::Bytes;

use super::abilities::requires;
use super::call::{CallState, Early};
use super::event::CallHandle;
use super::flow::Flow;
use super::requests::Inside;
use super::{CallError, Endpoint};
use crate::message::{HeaderName, Method, Response, decimal};

impl Endpoint {
    /// Takes note of a reliable response and acknowledges it; `false` if it is not to be looked at: a repetition, or one
    /// out of order (RFC 3262 §4).
    pub(super) fn take_reliable(
        &mut self,
        now: Instant,
        flow: &Flow,
        call: CallHandle,
        response: &Response,
        has_sdp: bool,
    ) -> bool {
        if !self.has_100rel() || !requires(response.headers(), "100rel") {
            return true;
        }
        let rseq = response
            .headers()
            .get(HeaderName::RSeq)
            .and_then(decimal)
            .and_then(|rseq| u32::try_from(rseq).ok());
        let (Some(rseq), Some(tag)) = (rseq, response.headers().to_tag()) else {
            return true;
        };
        let Some(CallState::Calling(calling)) = self.call(call).map(|call| &call.state) else {
            return false;
        };
        let (tx, offered) = (calling.tx, calling.offered);
        let Some(early) = calling.early.iter().position(|early| *early.tag == *tag) else {
            return false;
        };
        let known = calling
            .early
            .get(early)
            .is_some_and(|early| early.dialog.is_some());
        let made = if known {
            None
        } else {
            match self.early_dialog(tx, flow, response) {
                Some(dialog) => Some(Box::new(dialog)),
                None => return true,
            }
        };
        let Some(CallState::Calling(calling)) = self.call_mut(call).map(|call| &mut call.state)
        else {
            return false;
        };
        let Some(early) = calling.early.get_mut(early) else {
            return false;
        };
        if made.is_some() {
            early.dialog = made;
        }
        if early.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
            return false;
        }
        early.rseq = Some(rseq);
        let cseq = response.head().core.cseq;
        if has_sdp && !offered && !early.described {
            // The response carries the offer: the PRACK carries the user's answer (RFC 3262 §5).
            early.prack = Some((rseq, cseq));
            early.described = true;
            return true;
        }
        early.described |= has_sdp;
        let tag = early.tag.clone();
        self.send_prack(now, call, &tag, (rseq, cseq), None);
        true
    }

    fn send_prack(
        &mut self,
        now: Instant,
        call: CallHandle,
        tag: &[u8],
        (rseq, cseq): (u32, u32),
        sdp: Option<&[u8]>,
    ) {
        if self.clients.len() >= self.config.limits.transactions {
            // The callee repeats its response, and is answered when there is room.
            return self.forget_reliable(call, tag);
        }
        let Some(mut state) = self.take_state(call) else {
            return;
        };
        if let CallState::Calling(calling) = &mut state
            && let Some(dialog) = calling.early_dialog(tag)
        {
            let fixed = [(HeaderName::RAck, format!("{rseq} {cseq} INVITE"))];
            let inside = Inside {
                fixed: &fixed,
                body: sdp.map(|sdp| ("application/sdp", sdp)),
                ..Inside::bare(Method::Prack, &[])
            };
            self.send_inside(now, dialog, Some(call), &inside);
        }
        self.put_state(call, state);
    }

    /// Takes back that a response was seen, so that its repetition is looked at.
    fn forget_reliable(&mut self, call: CallHandle, tag: &[u8]) {
        if let Some(CallState::Calling(calling)) = self.call_mut(call).map(|call| &mut call.state)
            && let Some(early) = calling.early.iter_mut().find(|early| *early.tag == *tag)
        {
            early.rseq = early.rseq.map(|rseq| rseq.wrapping_sub(1));
        }
    }

    /// Answers the offer of a reliable provisional response to an INVITE that had none: the PRACK carries the answer.
    /// `tag` is the response's To tag.
    ///
    /// # Errors
    /// The call is gone, or no such response waits for an answer.
    pub fn prack(
        &mut self,
        now: Instant,
        call: CallHandle,
        tag: &[u8],
        answer: Bytes,
    ) -> Result<(), CallError> {
        let found = self.call_mut(call).ok_or(CallError::Gone)?;
        let waiting = match &mut found.state {
            CallState::Calling(calling) => calling
                .early
                .iter_mut()
                .find(|early| *early.tag == *tag)
                .and_then(|early| early.prack.take()),
            _ => None,
        };
        let numbers = waiting.ok_or(CallError::State {
            command: "prack",
            expected: "a reliable provisional response with an offer that is not answered yet",
        })?;
        self.send_prack(now, call, tag, numbers, Some(&answer));
        Ok(())
    }
}

impl Early {
    pub(super) fn new(tag: &[u8]) -> Self {
        Self {
            tag: tag.into(),
            dialog: None,
            rseq: None,
            described: false,
            prack: None,
        }
    }
}
