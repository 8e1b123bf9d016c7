//! The SIP endpoint: messages in and out, and what its events mean for a call.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use skillcall_protocol::trace::Direction;
use skillcall_sip::endpoint::{CallHandle, EndedBy, Event, Flow, TransmitId, Transport};
use skillcall_sip::message::{Message, StatusCode};
use skillcall_sip::peek::peek;
use skillcall_sip::sdp::SdpError;

use super::Running;
use super::call::{CallKey, LegState};
use crate::engine::{Input, LegId};
use crate::figures::Held;
use crate::front::{ToFront, address_of};
use crate::leg::Agreed;

impl Running {
    /// A message that the front has let in.
    pub(super) fn receive(&mut self, now: Instant, flow: Flow, message: Message) {
        if let Some((ids, leg)) = self.dialogs.get(message.headers().call_id()) {
            self.shared
                .trace
                .sip(ids, *leg, Direction::Received, message.wire());
        }
        self.endpoint.receive_message(now, &flow, message);
    }

    /// Sends what the endpoint wants sent.
    pub(super) fn transmit(&mut self) {
        let mut batch = std::mem::take(&mut self.datagrams);
        let mut senders = std::mem::take(&mut self.datagram_ids);
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.trace_sent(&transmit.bytes);
            let Some(to) = address_of(&transmit.destination) else {
                // Names are looked up before the INVITE; one in a Contact or Route is a peer's that
                // cannot be reached by its address.
                tracing::debug!(destination = ?transmit.destination, "a SIP message to a name is not sent");
                if let Some(id) = transmit.id {
                    self.endpoint.transmit_failed(Instant::now(), id);
                }
                continue;
            };
            match transmit.transport {
                Transport::Udp => {
                    batch.push((to, transmit.bytes));
                    senders.push(transmit.id);
                }
                Transport::Tcp | Transport::Tls => self.shared.front.send(ToFront::Send {
                    connection: transmit.connection,
                    to,
                    bytes: transmit.bytes,
                    from: transmit.id.map(|id| (self.index, id)),
                }),
            }
        }
        self.send_datagrams(&batch, &senders);
        batch.clear();
        senders.clear();
        self.datagrams = batch;
        self.datagram_ids = senders;
    }

    fn trace_sent(&self, message: &Bytes) {
        if self.dialogs.is_empty() {
            return;
        }
        if let Some((ids, leg)) = peek(message).and_then(|seen| self.dialogs.get(seen.call_id)) {
            self.shared.trace.sip(ids, *leg, Direction::Sent, message);
        }
    }

    fn send_datagrams(&mut self, batch: &[(SocketAddr, Bytes)], senders: &[Option<TransmitId>]) {
        let endpoint = &mut self.endpoint;
        let mut fail = |place: usize| {
            if let Some(id) = senders.get(place).copied().flatten() {
                endpoint.transmit_failed(Instant::now(), id);
            }
        };
        let Some(udp) = &self.udp else {
            (0..batch.len()).for_each(fail);
            return;
        };
        self.sender.send(udp, batch, |place, error| {
            // A full buffer is like a lost datagram: it is sent again.
            if error.kind() != io::ErrorKind::WouldBlock {
                fail(place);
            }
        });
    }

    pub(super) fn on_sip(&mut self, now: Instant, event: Event) {
        match event {
            Event::Invite {
                call,
                request,
                flow,
                offer,
            } => self.on_invite(now, call, &request, flow, offer),
            Event::Cancelled { call, .. } => {
                if let Some((key, leg)) = self.by_handle.remove(&call) {
                    self.set_state(key, leg, LegState::Gone);
                    self.input(key, Input::Cancelled { leg });
                }
            }
            Event::Acknowledged { call, sdp, .. } => self.on_acknowledged(now, call, sdp),
            Event::AckTimeout { call } => {
                if let Some(&(key, leg)) = self.by_handle.get(&call) {
                    self.input(key, Input::AckTimeout { leg });
                }
            }
            Event::Provisional {
                call, status, sdp, ..
            } => {
                if let Some(&(key, leg)) = self.by_handle.get(&call) {
                    // What cannot be heard early may be heard later.
                    let _ = self.read_leg_answer(key, leg, sdp, false);
                    if status.get() >= 180 {
                        self.input(key, Input::Ringing { leg });
                    }
                }
            }
            Event::Answered { call, sdp, .. } => self.on_answered(now, call, sdp),
            Event::Failed {
                call,
                status,
                reason,
                ..
            } => {
                if let Some((key, leg)) = self.by_handle.remove(&call) {
                    self.set_state(key, leg, LegState::Gone);
                    self.release_leg(key, leg);
                    self.input(
                        key,
                        Input::Refused {
                            leg,
                            status: status.get(),
                            reason,
                        },
                    );
                }
            }
            Event::Reinvite { call, offer, .. } => self.on_reinvite(now, call, offer),
            Event::Ended { call, by, .. } => {
                if let Some((key, leg)) = self.by_handle.remove(&call) {
                    self.set_state(key, leg, LegState::Gone);
                    self.release_leg(key, leg);
                    let code = match by {
                        EndedBy::AckTimeout | EndedBy::SessionExpired | EndedBy::Lost => 408,
                        EndedBy::Peer | EndedBy::Local => 0,
                    };
                    self.input(key, Input::HungUp { leg, code });
                }
            }
            // A withdrawn re-INVITE leaves all as it was; INFO digits are not telephone events (facts I2).
            _ => {}
        }
    }

    /// The ACK carries the answer when our 200 carried the offer; without one nothing could be heard.
    fn on_acknowledged(&mut self, now: Instant, call: CallHandle, sdp: Option<Bytes>) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        let never_agreed = self
            .call(key)
            .and_then(|call| call.leg(leg)?.sdp.as_ref())
            .is_some_and(|session| session.negotiated().is_none());
        if (never_agreed || sdp.is_some())
            && let Err(error) = self.read_leg_answer(key, leg, sdp, true)
        {
            if let Some(call) = self.call(key) {
                self.shared.trace.note(
                    &call.ids,
                    true,
                    &format!("the ACK's answer: {error}; the leg is ended"),
                );
            }
            let _ = self.endpoint.bye(now, call, &[]);
            self.by_handle.remove(&call);
            self.set_state(key, leg, LegState::Gone);
            self.release_leg(key, leg);
            self.input(key, Input::HungUp { leg, code: 488 });
        }
    }

    fn on_answered(&mut self, now: Instant, call: CallHandle, sdp: Option<Bytes>) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        if let Err(error) = self.read_leg_answer(key, leg, sdp, true) {
            // It was answered with what cannot be heard: the call is ended, and the action fails.
            let _ = self.endpoint.bye(now, call, &[]);
            self.by_handle.remove(&call);
            self.set_state(key, leg, LegState::Gone);
            self.release_leg(key, leg);
            let reason = format!("its answer: {error}");
            self.input(
                key,
                Input::Refused {
                    leg,
                    status: 488,
                    reason,
                },
            );
            return;
        }
        self.set_state(key, leg, LegState::Connected);
        self.input(key, Input::Answered { leg });
    }

    /// Follows the answer to our offer. `last`: nothing better will come.
    fn read_leg_answer(
        &mut self,
        key: CallKey,
        leg: LegId,
        sdp: Option<Bytes>,
        last: bool,
    ) -> Result<(), SdpError> {
        let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) else {
            return Ok(());
        };
        let Some(session) = &mut entry.sdp else {
            return Ok(());
        };
        let negotiated = match (sdp, last) {
            // Early media may be answered once more, and differently, by the 200: the offer stays open for it.
            (Some(sdp), false) => {
                let negotiated = session.clone().accept_answer(&sdp)?;
                entry.early_answer = Some(sdp);
                negotiated
            }
            (Some(sdp), true) => session.accept_answer(&sdp)?,
            (None, false) => return Ok(()),
            // A reliable provisional response may have carried the answer (RFC 3261 §13.2.1).
            (None, true) => {
                session.accept_answer(entry.early_answer.as_deref().unwrap_or_default())?
            }
        };
        if let Some(media) = entry.media.and_then(|slot| self.media.get_mut(slot)) {
            media.agree(&Agreed::from(&negotiated));
        }
        Ok(())
    }

    fn on_reinvite(&mut self, now: Instant, call: CallHandle, offer: Option<Bytes>) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            let _ = self
                .endpoint
                .reject(now, call, StatusCode::CALL_DOES_NOT_EXIST, "", &[]);
            return;
        };
        let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) else {
            return;
        };
        let (Some(session), slot) = (&mut entry.sdp, entry.media) else {
            return;
        };
        let Some(offer) = offer else {
            // It asks for our offer (RFC 3261 §14.2): the one that we would make now.
            let sdp = session.offer();
            let _ = self.endpoint.accept(now, call, &[], Some(sdp));
            return;
        };
        match session.answer(&offer) {
            Ok((answer, negotiated)) => {
                if let Some(media) = slot.and_then(|slot| self.media.get_mut(slot)) {
                    media.agree(&Agreed::from(&negotiated));
                }
                let _ = self.endpoint.accept(now, call, &[], Some(answer));
            }
            Err(error) => {
                let text = format!("a re-INVITE's offer was refused: {error}");
                if let Some(call) = self.call(key) {
                    self.shared.trace.note(&call.ids, true, &text);
                }
                let _ = self.endpoint.reject(now, call, error.status(), "", &[]);
            }
        }
    }

    pub(super) fn set_state(&mut self, key: CallKey, leg: LegId, state: LegState) {
        if state == LegState::Connected {
            self.open_media(key, leg);
        }
        if let Some(call) = self.call_mut(key) {
            let first_answer =
                state == LegState::Connected && !std::mem::replace(&mut call.answered, true);
            if let Some(entry) = call.leg_mut(leg) {
                entry.state = state;
                if state == LegState::Gone {
                    entry.handle = None;
                }
            }
            if first_answer {
                self.shared
                    .figures
                    .calls_answered
                    .fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Remembers whose a SIP dialog is, and for the trace whose its messages are.
    pub(super) fn note_dialog(&mut self, handle: CallHandle, key: CallKey, leg: LegId) {
        self.by_handle.insert(handle, (key, leg));
        if !self.call(key).is_some_and(|call| call.ids.is_traced()) {
            return;
        }
        let Some(call_id) = self.endpoint.call_id(handle).map(Box::<[u8]>::from) else {
            return;
        };
        let Some(call) = self.call_mut(key) else {
            return;
        };
        call.dialogs.push(call_id.clone());
        let ids = Arc::clone(&call.ids);
        self.dialogs.insert(call_id, (ids, leg));
    }

    /// Counts a leg for as long as it is kept.
    pub(super) fn count_leg(&self) -> Held {
        Held::new(&self.shared.figures, |figures| &figures.legs, 1)
    }
}
