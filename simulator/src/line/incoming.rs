//! Calls that come in.

use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_protocol::user_to_user::decode_csi;
use skillcall_sip::endpoint::CallHandle;
use skillcall_sip::message::{NameAddr, Request, StatusCode};

use super::book::now_ms;
use super::description::{agreed, session};
use super::driver::{Driver, Live};
use super::media::Tell;
use super::ports::RtpSockets;
use super::{Answering, Call, CallState, EndedBy, Ending, LineError};

impl Driver {
    /// A call comes in: it is refused, or it rings.
    pub(super) async fn on_invite(
        &mut self,
        handle: CallHandle,
        request: &Request,
        offer: Option<Bytes>,
    ) {
        let now = Instant::now();
        let call = self.new_call(request);
        let id = call.id.clone();
        // A line without habits belongs to devices, which nobody calls here.
        let Some((answering, manner)) = self.habits.clone() else {
            let _ = self
                .endpoint
                .reject(now, handle, StatusCode::TEMPORARILY_UNAVAILABLE, "", &[]);
            return;
        };
        self.book.add(call);
        let refusal = match &answering {
            Answering::Refuse { status } => {
                StatusCode::new(*status).filter(|status| status.is_failure())
            }
            _ if self.is_full() => Some(StatusCode::BUSY_HERE),
            _ => None,
        };
        if let Some(status) = refusal {
            self.refuse(handle, &id, status, "");
            return;
        }
        let (live, agreed) = match self.describe(id.clone(), offer).await {
            Ok(described) => described,
            Err(error) => {
                self.refuse(
                    handle,
                    &id,
                    StatusCode::NOT_ACCEPTABLE_HERE,
                    &error.to_string(),
                );
                return;
            }
        };
        let answer_at = match &answering {
            Answering::AfterRinging { milliseconds } => {
                Some(now + Duration::from_millis(*milliseconds))
            }
            _ => None,
        };
        self.calls.insert(
            handle,
            Live {
                manner,
                answer_at,
                ..live
            },
        );
        if self
            .endpoint
            .provisional(now, handle, StatusCode::RINGING, "", &[], None)
            .is_ok()
        {
            self.book
                .update(&id, |call| call.state = CallState::Ringing);
        }
        if let Some(agreed) = agreed
            && let Err(error) = self.begin_media(handle, agreed).await
        {
            self.calls.remove(&handle);
            self.refuse(
                handle,
                &id,
                StatusCode::SERVER_INTERNAL_ERROR,
                &error.to_string(),
            );
        }
    }

    fn new_call(&self, request: &Request) -> Call {
        let headers = request.headers();
        let mut id = String::from_utf8_lossy(headers.call_id()).into_owned();
        // When a device of this simulator calls its phone, both sides have the same Call-ID.
        if self.book.get(&id).is_some() {
            id.push_str(";incoming");
        }
        let mut call = Call::new(id, self.side);
        let user = |address: Option<NameAddr<'_>>| {
            address
                .and_then(|address| address.uri().ok())
                .and_then(|uri| uri.user().map(std::borrow::Cow::into_owned))
                .unwrap_or_default()
        };
        call.from = user(headers.from().ok());
        call.to = user(headers.to().ok());
        call.csi = headers
            .user_to_user()
            .and_then(|value| decode_csi([value.as_ref()]))
            .map(|csi| csi.as_str().to_owned());
        call.state = CallState::Calling;
        call
    }

    fn refuse(&mut self, handle: CallHandle, id: &str, status: StatusCode, reason: &str) {
        let _ = self
            .endpoint
            .reject(Instant::now(), handle, status, "", &[]);
        let ending = Ending {
            by: EndedBy::RefusedHere,
            status: status.get(),
            reason: reason.to_owned(),
        };
        self.book.end(id, ending);
    }

    /// Binds the call's ports and makes the description that its 200 will carry.
    async fn describe(
        &mut self,
        id: String,
        offer: Option<Bytes>,
    ) -> Result<
        (
            Live,
            Option<(std::net::SocketAddr, skillcall_media::session::Format)>,
        ),
        LineError,
    > {
        let sockets = RtpSockets::bind(self.address().ip()).await?;
        let mut session = session(sockets.local());
        let (answer, agreed, offered) = match offer {
            Some(offer) => {
                let (answer, negotiated) = session
                    .answer(&offer)
                    .map_err(|error| LineError::Sip(error.to_string()))?;
                let agreed = agreed(&negotiated)
                    .ok_or(LineError::State("payload types that RTP does not have"))?;
                (answer, Some(agreed), None)
            }
            // The 200 carries the offer, and the ACK the answer (RFC 3261 §13.2.1).
            None => {
                let offer = session.offer();
                (offer, None, Some(session.clone()))
            }
        };
        let live = Live {
            id,
            state: CallState::Ringing,
            outgoing: false,
            manner: super::Manner::default(),
            sockets: Some(sockets),
            session,
            offered,
            media: None,
            answer: Some(answer),
            answer_at: None,
            give_up_at: None,
            leaving: false,
        };
        Ok((live, agreed))
    }

    /// Answers a call on order.
    pub(super) async fn answer(&mut self, call_id: &str) -> Result<(), LineError> {
        let (handle, live) = self.live(call_id)?;
        if live.outgoing || live.state != CallState::Ringing {
            return Err(LineError::State(
                "only a call that rings here can be answered",
            ));
        }
        self.accept(handle).await;
        Ok(())
    }

    /// Sends the 200.
    pub(super) async fn accept(&mut self, handle: CallHandle) {
        let Some(live) = self.calls.get_mut(&handle) else {
            return;
        };
        live.answer_at = None;
        let (id, answer) = (live.id.clone(), live.answer.take());
        if let Err(error) = self.endpoint.accept(Instant::now(), handle, &[], answer) {
            tracing::debug!(%error, "a call could not be answered");
            return;
        }
        live.state = CallState::Talking;
        if let Some(media) = &live.media {
            media.tell(Tell::Answered);
        }
        self.book.update(&id, |call| {
            call.state = CallState::Talking;
            call.answered_at = Some(now_ms());
        });
    }

    /// The ACK has come; it carries the answer if the 200 carried the offer.
    pub(super) async fn on_acknowledged(&mut self, handle: CallHandle, sdp: Option<Bytes>) {
        let Some(live) = self.calls.get_mut(&handle) else {
            return;
        };
        let (Some(sdp), Some(mut session)) = (sdp, live.offered.take()) else {
            return;
        };
        let agreed = session
            .accept_answer(&sdp)
            .ok()
            .and_then(|negotiated| agreed(&negotiated));
        live.session = session;
        if let Some(agreed) = agreed
            && self.begin_media(handle, agreed).await.is_ok()
            && let Some(media) = self.calls.get(&handle).and_then(|live| live.media.as_ref())
        {
            media.tell(Tell::Answered);
        }
    }

    /// The caller gave up.
    pub(super) async fn on_cancelled(&mut self, handle: CallHandle) {
        let ending = Ending {
            by: EndedBy::Peer,
            status: StatusCode::REQUEST_TERMINATED.get(),
            reason: "the caller gave up".to_owned(),
        };
        self.forget(handle, ending).await;
    }

    /// The peer changes the session: hold, another address, another codec.
    pub(super) fn on_reinvite(&mut self, handle: CallHandle, offer: Option<Bytes>) {
        let now = Instant::now();
        let Some(live) = self.calls.get_mut(&handle) else {
            return;
        };
        let description = match offer {
            None => {
                let offer = live.session.offer();
                live.offered = Some(live.session.clone());
                Ok(offer)
            }
            Some(offer) => live.session.answer(&offer).map(|(answer, negotiated)| {
                if let (Some(media), Some((remote, format))) =
                    (&mut live.media, agreed(&negotiated))
                {
                    media.agree(remote, format);
                }
                answer
            }),
        };
        let answered = match description {
            Ok(description) => self.endpoint.accept(now, handle, &[], Some(description)),
            Err(_) => self
                .endpoint
                .reject(now, handle, StatusCode::NOT_ACCEPTABLE_HERE, "", &[]),
        };
        if let Err(error) = answered {
            tracing::debug!(%error, "a re-INVITE could not be answered");
        }
    }
}
