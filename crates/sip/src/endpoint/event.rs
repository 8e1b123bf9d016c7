//! What an endpoint tells its user.

use bytes::Bytes;

use super::flow::Flow;
use super::refer::Referral;
use crate::message::{Request, Response, StatusCode};

/// A call of one [`Endpoint`](super::Endpoint). Never reused: a handle whose call is gone stays invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallHandle {
    pub(crate) index: u32,
    pub(crate) serial: u32,
}

/// A request of the peer's that waits for the user's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(crate) u64);

/// A request of ours that was sent by [`Endpoint::request`](super::Endpoint::request) or its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SentId(pub(crate) u64);

/// Why an outgoing call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCause {
    /// The peer answered with a status of 300 or above.
    Refused,
    /// Nobody answered (timer B): status 408.
    Timeout,
    /// The message could not be sent: status 503.
    Transport,
    /// We cancelled it: status 487, unless the peer refused it in the meantime.
    Cancelled,
    /// It was answered, but no dialog can be made of the answer: status 502.
    BadAnswer,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The peer's BYE.
    Peer,
    /// Our BYE, now answered or given up.
    Local,
    /// No ACK came for our 200 within 64·T1 (RFC 3261 §13.3.1.4).
    AckTimeout,
    /// Nobody refreshed the session in time (RFC 4028 §10).
    SessionExpired,
    /// The peer did not answer a request inside the call, or did not know the call any more (RFC 3261 §12.2.1.2).
    Lost,
}

/// Something the user has to know. Events of one call come in the order in which they happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A call comes in. Answer with `provisional`, `accept` or `reject`.
    Invite {
        /// The new call.
        call: CallHandle,
        /// The INVITE.
        request: Request,
        /// How it came.
        flow: Flow,
        /// The SDP offer; `None` if the INVITE has none: then `accept` carries the offer and `Acknowledged` the answer.
        offer: Option<Bytes>,
    },
    /// The caller gave up before we answered; 487 is sent, the handle is no longer valid.
    Cancelled {
        /// The call.
        call: CallHandle,
        /// The CANCEL, for its Reason header; `None` when a BYE ended the early dialog.
        request: Option<Request>,
    },
    /// The ACK for our 200 came.
    Acknowledged {
        /// The call.
        call: CallHandle,
        /// The ACK.
        request: Request,
        /// Its SDP: the answer, when our 200 carried the offer.
        sdp: Option<Bytes>,
    },
    /// No ACK came for our 200 within 64·T1; a BYE goes out, `Ended` follows (RFC 3261 §13.3.1.4).
    AckTimeout {
        /// The call.
        call: CallHandle,
    },
    /// A 1xx other than 100 came for our INVITE.
    Provisional {
        /// The call.
        call: CallHandle,
        /// 101 to 199.
        status: StatusCode,
        /// The response.
        response: Response,
        /// Its SDP: early media.
        sdp: Option<Bytes>,
    },
    /// Our INVITE was answered; the ACK is sent, except for an INVITE without offer, which `acknowledge` completes.
    Answered {
        /// The call.
        call: CallHandle,
        /// The response.
        response: Response,
        /// Its SDP: the answer, or the offer when our INVITE had none.
        sdp: Option<Bytes>,
    },
    /// Our INVITE failed; the handle is no longer valid. A 3xx is not followed:
    /// [`redirect_targets`](crate::message::Headers::redirect_targets) of the response says where to.
    Failed {
        /// The call.
        call: CallHandle,
        /// The status that came or that stands for the failure.
        status: StatusCode,
        /// The reason phrase.
        reason: String,
        /// Why.
        cause: FailureCause,
        /// The response, if one came.
        response: Option<Response>,
    },
    /// The peer wants to change the session. Answer with `accept` or `reject`; the call goes on either way.
    Reinvite {
        /// The call.
        call: CallHandle,
        /// The re-INVITE.
        request: Request,
        /// The SDP offer; `None` asks us for one.
        offer: Option<Bytes>,
    },
    /// The peer withdrew its re-INVITE; 487 is sent, the call goes on as before.
    ReinviteCancelled {
        /// The call.
        call: CallHandle,
    },
    /// An INFO came and was answered 200 (RFC 6086; legacy DTMF).
    Info {
        /// The call.
        call: CallHandle,
        /// The INFO.
        request: Request,
    },
    /// The caller has acknowledged a reliable provisional response (RFC 3262).
    Pracked {
        /// The call.
        call: CallHandle,
        /// The PRACK.
        request: Request,
        /// Its SDP: the answer to the response's offer, or a new offer.
        sdp: Option<Bytes>,
        /// The PRACK carries an offer, and `respond` with this name answers both; otherwise 200 is sent.
        answer_with: Option<RequestId>,
    },
    /// The peer offers to change the session by UPDATE. Answer with `respond`: 200 with SDP, or a refusal (488).
    Update {
        /// The call.
        call: CallHandle,
        /// Its name.
        id: RequestId,
        /// The UPDATE.
        request: Request,
        /// The offer.
        offer: Option<Bytes>,
    },
    /// Our re-INVITE or UPDATE was agreed to.
    Changed {
        /// The call.
        call: CallHandle,
        /// The 2xx.
        response: Response,
        /// Its SDP: the answer; or the offer, if our re-INVITE had none: then `acknowledge` answers it.
        sdp: Option<Bytes>,
    },
    /// Our re-INVITE or UPDATE was refused; the session stays as it was. On 408 and 481 the call is over: `Ended` follows.
    ChangeFailed {
        /// The call.
        call: CallHandle,
        /// The status that came or that stands for the failure.
        status: StatusCode,
        /// Why.
        cause: FailureCause,
        /// The response, if one came.
        response: Option<Response>,
    },
    /// The peer asks us to call somebody else. Answer with `respond` (202 or a refusal), then tell by `refer_progress`
    /// what the new call meets with.
    Refer {
        /// The call it came in. `None` outside calls: there no NOTIFY can be sent, so one that is `subscribed` is best
        /// refused with 403.
        call: Option<CallHandle>,
        /// Its name.
        id: RequestId,
        /// What is asked for.
        referral: Box<Referral>,
        /// The REFER.
        request: Request,
    },
    /// What the peer's new call has met with, after our REFER (RFC 3515 §2.4.5).
    ReferProgress {
        /// The call.
        call: CallHandle,
        /// The CSeq of the REFER, if the NOTIFY names it.
        id: Option<u32>,
        /// The status.
        status: StatusCode,
        /// Its reason phrase.
        reason: String,
        /// No more follows.
        over: bool,
    },
    /// A request of a method that the configuration leaves to the user. Answer with `respond`.
    Request {
        /// Its name.
        id: RequestId,
        /// The call it came in, if it did.
        call: Option<CallHandle>,
        /// The request.
        request: Request,
        /// How it came.
        flow: Flow,
    },
    /// The outcome of a request of ours.
    Response {
        /// Its name.
        id: SentId,
        /// The call it was sent in, if it was.
        call: Option<CallHandle>,
        /// The status that came or that stands for the failure: 408 when nobody answered, 503 when it could not be sent.
        status: StatusCode,
        /// Why there is no response.
        cause: Option<FailureCause>,
        /// The response, if one came.
        response: Option<Response>,
    },
    /// The call is over; the handle is no longer valid.
    Ended {
        /// The call.
        call: CallHandle,
        /// Who ended it.
        by: EndedBy,
        /// The Reason header of the peer's BYE (RFC 3326).
        reason: Option<String>,
        /// The peer's BYE.
        request: Option<Request>,
    },
}
