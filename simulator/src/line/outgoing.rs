//! Calls that this side places.

use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_sip::endpoint::{self, CallHandle, OutgoingInvite, Party, Transport};
use skillcall_sip::message::{ExtraHeader, Host, StatusCode, Uri};

use super::book::now_ms;
use super::description::{agreed, session};
use super::driver::{Driver, Live};
use super::media::{Media, MediaStart, Tell};
use super::ports::RtpSockets;
use super::{CallState, Dial, EndedBy, Ending, LineError};
use crate::config::SipTransport;

/// How long a call may ring: the least that RFC 3261 §16.6 (timer C) lets a proxy wait.
const RING_LIMIT: Duration = Duration::from_secs(180);

impl Driver {
    /// Sends an INVITE with an offer.
    pub(super) async fn dial(&mut self, dial: Dial) -> Result<(), LineError> {
        if self.is_full() {
            return Err(LineError::State("too many calls at once"));
        }
        let sip = |error: &dyn std::fmt::Display| LineError::Sip(error.to_string());
        let local = self.address();
        let sockets = RtpSockets::bind(local.ip()).await?;
        let mut session = session(sockets.local());
        let offer = session.offer();
        let target = Uri::sip(
            Some(&dial.to),
            &Host::Ip(dial.target.ip()),
            Some(dial.target.port()),
        )
        .map_err(|error| sip(&error))?;
        let from =
            Uri::sip(Some(&dial.from), &Host::Ip(local.ip()), None).map_err(|error| sip(&error))?;
        let mut invite = OutgoingInvite::new(target, dial.target, Party::new(from), Some(offer));
        invite.call_id = Some(dial.call_id.clone());
        if dial.transport == SipTransport::Tcp {
            invite.transport = Transport::Tcp;
        }
        for (name, value) in &dial.headers {
            invite
                .headers
                .push(ExtraHeader::new(name, value).map_err(|error| sip(&error))?);
        }
        let handle = self
            .endpoint
            .invite(Instant::now(), invite)
            .map_err(|error| sip(&error))?;
        self.book.update(&dial.call_id, |call| {
            call.state = CallState::Calling;
            call.started_at = now_ms();
        });
        self.calls.insert(
            handle,
            Live {
                id: dial.call_id,
                state: CallState::Calling,
                outgoing: true,
                manner: dial.manner,
                sockets: Some(sockets),
                offered: Some(session.clone()),
                session,
                media: None,
                answer: None,
                answer_at: None,
                give_up_at: Some(Instant::now() + RING_LIMIT),
                leaving: false,
            },
        );
        Ok(())
    }

    /// It rings; with a description there is early media, which counts as ringing (facts E4).
    pub(super) async fn on_provisional(&mut self, handle: CallHandle, sdp: Option<Bytes>) {
        let Some(live) = self.calls.get_mut(&handle) else {
            return;
        };
        live.state = CallState::Ringing;
        self.book.update(&live.id, |call| {
            call.state = CallState::Ringing;
            call.early_media |= sdp.is_some();
        });
        if let Some(sdp) = sdp
            && let Err(error) = self.take_answer(handle, &sdp).await
        {
            tracing::warn!(%error, "early media cannot be heard");
        }
    }

    /// The peer has answered, and the ACK is out.
    pub(super) async fn on_answered(&mut self, handle: CallHandle, sdp: Option<Bytes>) {
        let taken = match sdp {
            Some(sdp) => self.take_answer(handle, &sdp).await,
            // RFC 3261 §13.2.1: a reliable 183 may have carried it.
            None if self
                .calls
                .get(&handle)
                .is_some_and(|live| live.media.is_some()) =>
            {
                Ok(())
            }
            None => Err(LineError::Sip(
                "the 200 has no session description".to_owned(),
            )),
        };
        let Some(live) = self.calls.get_mut(&handle) else {
            return;
        };
        live.state = CallState::Talking;
        live.give_up_at = None;
        let leaving = live.leaving;
        let id = live.id.clone();
        if let Some(media) = &live.media {
            media.tell(Tell::Answered);
        }
        self.book.update(&id, |call| {
            call.state = CallState::Talking;
            call.answered_at = Some(now_ms());
        });
        if let Err(error) = &taken {
            tracing::warn!(%error, call = %id, "the answer cannot be used");
        }
        // The CANCEL crossed the 200 (RFC 3261 §15), or there is nothing to be heard.
        if taken.is_err() || leaving {
            let _ = self.endpoint.bye(Instant::now(), handle, &[]);
        }
    }

    async fn take_answer(&mut self, handle: CallHandle, sdp: &[u8]) -> Result<(), LineError> {
        let live = self.calls.get_mut(&handle).ok_or(LineError::NoSuchCall)?;
        let mut session = live
            .offered
            .clone()
            .ok_or(LineError::State("an answer without an offer"))?;
        let negotiated = session
            .accept_answer(sdp)
            .map_err(|error| LineError::Sip(error.to_string()))?;
        live.session = session;
        let agreed =
            agreed(&negotiated).ok_or(LineError::State("payload types that RTP does not have"))?;
        self.begin_media(handle, agreed).await
    }

    /// Starts a call's media, or tells running ones of a new agreement.
    pub(super) async fn begin_media(
        &mut self,
        handle: CallHandle,
        (remote, format): (std::net::SocketAddr, skillcall_media::session::Format),
    ) -> Result<(), LineError> {
        let live = self.calls.get_mut(&handle).ok_or(LineError::NoSuchCall)?;
        if let Some(media) = &mut live.media {
            media.agree(remote, format);
            return Ok(());
        }
        let sockets = live
            .sockets
            .take()
            .ok_or(LineError::State("the call's ports are gone"))?;
        let media = Media::start(MediaStart {
            call_id: live.id.clone(),
            sockets,
            remote,
            format,
            manner: live.manner.clone(),
            book: self.book.clone(),
            hang_ups: self.hang_ups.clone(),
            keyed: self.keyed.clone(),
        })
        .await?;
        live.media = Some(media);
        Ok(())
    }

    /// The INVITE was refused, cancelled, or came to nothing.
    pub(super) async fn on_failed(
        &mut self,
        handle: CallHandle,
        status: StatusCode,
        reason: String,
    ) {
        let here = self.calls.get(&handle).is_some_and(|live| live.leaving);
        let by = if here {
            EndedBy::Here
        } else {
            EndedBy::Refused
        };
        self.forget(
            handle,
            Ending {
                by,
                status: status.get(),
                reason,
            },
        )
        .await;
    }

    /// The call is over.
    pub(super) async fn on_ended(
        &mut self,
        handle: CallHandle,
        by: endpoint::EndedBy,
        reason: Option<String>,
    ) {
        let by = match by {
            endpoint::EndedBy::Peer => EndedBy::Peer,
            endpoint::EndedBy::Local => EndedBy::Here,
            endpoint::EndedBy::AckTimeout
            | endpoint::EndedBy::SessionExpired
            | endpoint::EndedBy::Lost => EndedBy::Failed,
        };
        self.forget(
            handle,
            Ending {
                by,
                status: 0,
                reason: reason.unwrap_or_default(),
            },
        )
        .await;
    }
}
