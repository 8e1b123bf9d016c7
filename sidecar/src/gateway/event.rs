//! What a session is told, and what it wants done.

use skillcall_protocol::signaling::{Operation, RenegotiationKind};

use super::exceptions::Outcome;
use super::outbox::Post;

/// Which leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The device's.
    Alexa,
    /// The SIP dialog's.
    Phone,
}

/// Our answer to a new offer of Alexa's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reanswered {
    /// The answer.
    pub(crate) sdp: String,
    /// Whether the device takes nothing now: it holds.
    pub(crate) held: bool,
}

/// Something that happened to a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// A message of Alexa's, each requestId once; offers of CallUpdate come as [`Input::AlexaOffers`].
    Alexa(Operation),
    /// CallUpdate, with our answer; or why there is none.
    AlexaOffers {
        kind: RenegotiationKind,
        answer: Result<Reanswered, String>,
    },
    /// An attempt to post a message has ended.
    Posted { number: u64, outcome: Outcome },
    /// 180, or another provisional response.
    Ringing,
    /// A provisional response described media.
    EarlyMedia,
    /// 200.
    Answered,
    /// The INVITE failed, or was cancelled.
    Refused { status: u16, reason: String },
    /// CANCEL of the caller's.
    Cancelled,
    /// The answered dialog has ended; 0: by BYE, else a status that says how.
    HungUp { code: u16 },
    /// The phone holds, or holds no more.
    PhoneHolds(bool),
    /// Another party has taken the phone's place (a transfer, or Replaces): it is held by nobody, and holds nobody.
    PhoneReplaced,
    /// What [`Action::HoldPhone`] has asked of the phone is agreed to, or refused.
    PhoneChanged,
    /// ICE and DTLS are done on Alexa's leg.
    Connected,
    /// ICE or DTLS failed, or consent was lost (RFC 7675).
    Disconnected { reason: String },
    /// Alexa's description cannot be used.
    Unusable { reason: String },
    /// Nothing has come on a leg for [`super::timers::Times::silence`].
    Silent(Side),
    /// Whether a side has to be told of the other one's video by an offer of ours.
    VideoDue { alexa: bool, phone: bool },
    /// Our new offer to Alexa, or why there is none.
    Reoffered {
        kind: RenegotiationKind,
        offer: Result<String, String>,
    },
    /// A person, or the end of the sidecar, ends the call.
    Terminate,
}

/// One thing to do. They are to be done in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// Post a message to Alexa; [`Input::Posted`] follows.
    Post(Post),
    /// Call the phone.
    Dial,
    /// Give up calling the phone; [`Input::Refused`] follows, or [`Input::Answered`] if it crossed.
    CancelDial,
    /// 180.
    Ring,
    /// 183 with media.
    Progress,
    /// 200.
    Answer,
    /// Refuse the caller.
    Reject(u16),
    /// BYE. Nothing need be reported.
    HangUp,
    /// Let both sides hear each other.
    Bridge,
    /// Alexa's answer to our offer; [`Input::Unusable`] follows if it is none.
    TakeAnswer(String),
    /// Make a new offer for Alexa; [`Input::Reoffered`] follows.
    Reoffer { kind: RenegotiationKind, held: bool },
    /// Put the phone on hold, or take it off; [`Input::PhoneChanged`] follows.
    HoldPhone(bool),
    /// Make the phone a new offer, for video; [`Input::PhoneChanged`] follows.
    OfferPhone,
    /// A line for the trace.
    Note { problem: bool, text: String },
    /// The session is over. The last one.
    End,
}
