//! What goes over the wire is told to the trace, to a collector and to a capture.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use skillcall_protocol::trace::Direction;
use skillcall_sip::endpoint::{Flow, Transport};
use skillcall_sip::message::{Message, Method};
use skillcall_sip::peek::peek;

use super::Running;
use super::call::CallKey;
use crate::capture::{CallCapture, Captured};
use crate::engine::LegId;
use crate::trace::CallIds;

impl Running {
    /// A message that came. The INVITE of a new call is told when it is known whose it is.
    pub(super) fn tell_received(&self, flow: &Flow, message: &Message) {
        let owner = self.dialogs.get(message.headers().call_id());
        if let Some((ids, leg)) = owner {
            let trace = &self.shared.trace;
            trace.sip(ids, *leg, Direction::Received, message.wire());
        }
        if !self.shared.tap.is_on() {
            return;
        }
        let begins = matches!(message, Message::Request(request)
            if *request.method() == Method::Invite && request.headers().to_tag().is_none());
        if owner.is_some() || !begins {
            self.tap(owner.map(|(ids, _)| ids), || received(flow, message.wire()));
        }
    }

    /// The INVITE of a new call.
    pub(super) fn tell_invite(&self, ids: &Arc<CallIds>, flow: &Flow, wire: &[u8]) {
        let trace = &self.shared.trace;
        trace.sip(ids, LegId::A, Direction::Received, wire);
        if self.shared.tap.is_on() {
            self.tap(Some(ids), || received(flow, wire));
        }
    }

    /// A message that is sent.
    pub(super) fn tell_sent(&self, transport: Transport, to: SocketAddr, message: &Bytes) {
        let is_tapped = self.shared.tap.is_on();
        if self.dialogs.is_empty() && !is_tapped {
            return;
        }
        let owner = peek(message).and_then(|seen| self.dialogs.get(seen.call_id));
        if let Some((ids, leg)) = owner {
            self.shared.trace.sip(ids, *leg, Direction::Sent, message);
        }
        if is_tapped {
            self.tap(owner.map(|(ids, _)| ids), || Captured {
                at: SystemTime::now(),
                from: self.shared.reachable.sip(to.ip()),
                to,
                by_stream: transport.is_reliable(),
                bytes: message.clone(),
            });
        }
    }

    fn tap(&self, ids: Option<&Arc<CallIds>>, make: impl Fn() -> Captured) {
        let tap = &self.shared.tap;
        tap.sip(&make, ids.and_then(|ids| ids.correlation()));
        if let Some(capture) = ids.and_then(|ids| ids.capture()) {
            capture.put(&make());
        }
    }

    /// Whether it is kept whose messages a call's are.
    pub(super) fn tells_of(&self, key: CallKey) -> bool {
        self.shared.tap.is_on() || self.call(key).is_some_and(|call| call.ids.is_traced())
    }

    /// The call with this id is captured from now on; false when there is none, or another capture has it.
    pub(super) fn capture(&mut self, id: &str, capture: Arc<CallCapture>) -> bool {
        let Some(key) = self.find(id) else {
            return false;
        };
        let Some(call) = self.call(key) else {
            return false;
        };
        if !call.ids.capture_into(capture) {
            return false;
        }
        let legs: Vec<_> = call
            .legs
            .iter()
            .map(|leg| (leg.id, leg.handle, leg.media))
            .collect();
        for (leg, handle, media) in legs {
            if let Some(handle) = handle {
                self.note_dialog(handle, key, leg);
            }
            if let Some(slot) = media {
                self.own_media(slot, key, leg);
            }
        }
        true
    }

    /// Audio of a leg is captured where its call is, with its packets.
    pub(super) fn capture_media(&mut self, slot: usize, key: CallKey) {
        let capture = self
            .call(key)
            .and_then(|call| call.ids.capture())
            .filter(|capture| capture.wants_rtp())
            .map(Arc::clone);
        let address = self.shared.reachable.usual_media();
        if let (Some(capture), Some(media)) = (capture, self.media.get_mut(slot)) {
            let local = SocketAddr::new(address, media.port);
            media.capture = Some(crate::leg::MediaCapture::new(capture, local));
        }
    }

    /// A phone's video is captured with its voice.
    pub(super) fn capture_video(&mut self, slot: usize, key: CallKey) {
        let capture = self
            .call(key)
            .and_then(|call| call.ids.capture())
            .filter(|capture| capture.wants_rtp())
            .map(Arc::clone);
        let address = self.shared.reachable.usual_media();
        let video = self.media.get_mut(slot).and_then(|it| it.video.as_mut());
        if let (Some(capture), Some(ports)) = (capture, video.and_then(|it| it.ports.as_mut())) {
            let local = SocketAddr::new(address, ports.port);
            ports.capture = Some(crate::leg::MediaCapture::new(capture, local));
        }
    }
}

fn received(flow: &Flow, wire: &[u8]) -> Captured {
    Captured {
        at: SystemTime::now(),
        from: flow.remote,
        to: flow.local,
        by_stream: flow.transport.is_reliable(),
        bytes: Bytes::copy_from_slice(wire),
    }
}
