//! Transfers: REFER, its NOTIFYs, and Replaces (RFC 3515, RFC 4488, RFC 3891, RFC 5589).
//!
//! Nothing is dialled here: a REFER that comes is an event, and the user decides what becomes of it.

use std::time::Instant;

use super::call::CallState;
use super::event::{CallHandle, Event, RequestId, SentId};
use super::flow::Flow;
use super::receive::Refusal;
use super::requests::Inside;
use super::serve::{OwnReply, Purpose};
use super::{CallError, Endpoint};
use crate::message::{
    ExtraHeader, HeaderName, Method, NameAddr, Replaces, Request, Scheme, SipFrag, StatusCode, Uri,
    UriRef, text, trim,
};

/// What a REFER asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referral {
    /// Whom to call: Refer-To without what Replaces and other URI headers add.
    pub target: Uri,
    /// The whole URI of Refer-To.
    pub refer_to: Uri,
    /// The call that the new one takes the place of: an attended transfer.
    pub replaces: Option<Replaces>,
    /// Referred-By as it came (RFC 3892), to be put into the new INVITE.
    pub referred_by: Option<String>,
    /// The referrer wants NOTIFYs; not with `Refer-Sub: false` (RFC 4488).
    pub subscribed: bool,
    /// The CSeq of the REFER, which names its subscription.
    pub id: u32,
}

impl Referral {
    /// Reads a REFER.
    ///
    /// # Errors
    /// The status and reason phrase of the refusal: 400 without exactly one good Refer-To, 416 for a URI that cannot be
    /// called.
    pub fn read(request: &Request) -> Result<Self, (StatusCode, &'static str)> {
        let headers = request.headers();
        let bad = |reason| (StatusCode::BAD_REQUEST, reason);
        let mut all = headers.all(HeaderName::ReferTo);
        let (Some(value), None) = (all.next(), all.next()) else {
            return Err(bad("One Refer-To Is Needed"));
        };
        let address = NameAddr::parse(value).map_err(|_| bad("Malformed Refer-To"))?;
        let uri = address
            .uri()
            .map_err(|_| bad("Malformed URI In Refer-To"))?;
        if matches!(uri.scheme(), Scheme::Other(_)) {
            return Err((StatusCode::UNSUPPORTED_URI_SCHEME, ""));
        }
        if uri
            .param("method")
            .is_some_and(|method| method != "INVITE" && !method.is_empty())
        {
            return Err(bad("Only Calls Can Be Referred To"));
        }
        let replaces = uri
            .headers()
            .find(|(name, _)| name.eq_ignore_ascii_case("Replaces"))
            .map(|(_, value)| Replaces::parse(value.as_bytes()))
            .transpose()
            .map_err(|_| bad("Malformed Replaces In Refer-To"))?;
        let plain = uri.without_headers();
        let refused = headers
            .get(HeaderName::ReferSub)
            .is_some_and(|value| trim(value).eq_ignore_ascii_case(b"false"));
        Ok(Self {
            target: Uri::parse(plain).map_err(|_| bad("Malformed URI In Refer-To"))?,
            refer_to: uri.to_owned(),
            replaces,
            referred_by: headers
                .get(HeaderName::ReferredBy)
                .map(|value| text(value).into_owned()),
            subscribed: !refused,
            id: headers.cseq().number,
        })
    }
}

impl Endpoint {
    pub(super) fn on_refer(
        &mut self,
        now: Instant,
        flow: &Flow,
        call: Option<CallHandle>,
        request: &Request,
    ) {
        let referral = match Referral::read(request) {
            Ok(referral) => referral,
            Err((status, reason)) => {
                let refusal = Refusal {
                    reason,
                    ..Refusal::default()
                };
                return self.answer_statelessly(flow, request, status, &refusal);
            }
        };
        let id = match call {
            Some(call) => {
                let purpose = Purpose::Refer {
                    call,
                    id: referral.id,
                    subscribed: referral.subscribed,
                };
                self.surface_as(now, flow, request, purpose)
            }
            None => self.surface(now, flow, request),
        };
        self.events.push_back(Event::Refer {
            call,
            id,
            referral: Box::new(referral),
            request: request.clone(),
        });
    }

    /// The REFER was answered: with 2xx, its subscription begins with a NOTIFY at once (RFC 3515 §2.4.4).
    pub(super) fn on_refer_answered(
        &mut self,
        now: Instant,
        call: CallHandle,
        id: u32,
        subscribed: bool,
    ) {
        if subscribed {
            // Without a dialog there is nobody to notify any more.
            let _ = self.notify(now, call, id, StatusCode::TRYING, "", false);
        }
    }

    /// Tells the referrer how the transfer goes: `status` is what the new call has met with (RFC 3515 §2.4.5). A final
    /// status ends the subscription. Does nothing when the referrer wanted no NOTIFYs.
    ///
    /// # Errors
    /// The call is gone, or the table is full.
    pub fn refer_progress(
        &mut self,
        now: Instant,
        call: CallHandle,
        referral: &Referral,
        status: StatusCode,
        reason: &str,
    ) -> Result<(), CallError> {
        if !referral.subscribed {
            return Ok(());
        }
        self.notify(now, call, referral.id, status, reason, status.is_final())
            .map(drop)
    }

    fn notify(
        &mut self,
        now: Instant,
        call: CallHandle,
        id: u32,
        status: StatusCode,
        reason: &str,
        last: bool,
    ) -> Result<SentId, CallError> {
        let state = if last {
            "terminated;reason=noresource"
        } else {
            "active;expires=180"
        };
        let fixed = [
            (HeaderName::Event, format!("refer;id={id}")),
            (HeaderName::SubscriptionState, state.to_owned()),
        ];
        let frag = SipFrag {
            status,
            reason: reason.to_owned(),
        };
        let body = frag.to_string();
        let inside = Inside {
            fixed: &fixed,
            body: Some(("message/sipfrag;version=2.0", body.as_bytes())),
            ..Inside::bare(Method::Notify, &[])
        };
        let sent = self.request_inside(now, call, &inside)?;
        self.quiet.insert(sent);
        Ok(sent)
    }

    /// Asks the peer to call somebody else. `Response` follows with the same id, then `ReferProgress` with what the
    /// peer's new call meets with, unless `subscribe` is `false` (RFC 4488). `refer_to` is the value of Refer-To:
    /// `<sip:desk@pbx>`, or with [`Endpoint::replaces`] `<sip:desk@pbx?Replaces=…>`.
    ///
    /// # Errors
    /// The call is gone or not answered, Refer-To is malformed, or the table is full.
    pub fn refer(
        &mut self,
        now: Instant,
        call: CallHandle,
        refer_to: &str,
        subscribe: bool,
        headers: &[ExtraHeader],
    ) -> Result<SentId, CallError> {
        let good = NameAddr::parse(refer_to.as_bytes()).is_ok_and(|to| to.uri().is_ok());
        if !good {
            return Err(CallError::Invalid {
                field: "Refer-To",
                expected: "a URI in angle brackets",
            });
        }
        let found = self.call_mut(call).ok_or(CallError::Gone)?;
        if !matches!(found.state, CallState::Established(_)) {
            return Err(CallError::State {
                command: "refer",
                expected: "an answered call",
            });
        }
        found.referring |= subscribe;
        let mut fixed = vec![(HeaderName::ReferTo, refer_to.to_owned())];
        if !subscribe {
            fixed.push((HeaderName::ReferSub, "false".to_owned()));
            fixed.push((HeaderName::Supported, "norefersub".to_owned()));
        }
        let inside = Inside {
            fixed: &fixed,
            ..Inside::bare(Method::Refer, headers)
        };
        self.request_inside(now, call, &inside)
    }

    /// A NOTIFY in a call; `false` if it is none of a transfer.
    pub(super) fn on_refer_notify(
        &mut self,
        now: Instant,
        flow: &Flow,
        call: CallHandle,
        request: &Request,
    ) -> bool {
        let headers = request.headers();
        let package = headers.get(HeaderName::Event).unwrap_or_default();
        let mut parts = package.split(|byte| *byte == b';').map(trim);
        let is_refer = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(b"refer"));
        if !is_refer || !self.call(call).is_some_and(|call| call.referring) {
            return false;
        }
        let id = parts
            .find_map(|param| param.strip_prefix(b"id="))
            .and_then(crate::message::decimal)
            .and_then(|id| u32::try_from(id).ok());
        let Ok(frag) = SipFrag::parse(request.body()) else {
            let refusal = Refusal {
                reason: "A Status Line Is Needed In The Fragment",
                ..Refusal::default()
            };
            self.answer_statelessly(flow, request, StatusCode::BAD_REQUEST, &refusal);
            return true;
        };
        let over = headers
            .get(HeaderName::SubscriptionState)
            .is_some_and(|state| state.to_ascii_lowercase().starts_with(b"terminated"));
        self.answer_now(now, flow, request, StatusCode::OK);
        self.events.push_back(Event::ReferProgress {
            call,
            id,
            status: frag.status,
            reason: frag.reason,
            over: over || frag.status.is_final(),
        });
        true
    }

    /// The Replaces that names our call to a third party, who then takes our place in it: for the Refer-To of an
    /// attended transfer (RFC 3891 §3). `None` before the peer has a tag.
    pub fn replaces(&self, call: CallHandle) -> Option<Replaces> {
        let dialog = self.call(call)?.state.dialog()?;
        Some(Replaces {
            call_id: text(dialog.call_id()).into_owned(),
            to_tag: text(dialog.remote_tag()?).into_owned(),
            from_tag: self.tag_of(call)?,
            early_only: false,
        })
    }

    /// Our call that an INVITE with Replaces names. The user accepts the INVITE and ends that call (RFC 3891 §3).
    ///
    /// # Errors
    /// The status of the refusal: 481 if there is no such call, or one that comes in and is not answered; 486 if it is
    /// answered although only an early one may be replaced; 603 if it is over.
    pub fn replaced(&self, replaces: &Replaces) -> Result<CallHandle, StatusCode> {
        let none = StatusCode::CALL_DOES_NOT_EXIST;
        let call = self.call_by_tag(replaces.to_tag.as_bytes()).ok_or(none)?;
        let matches = |dialog: &crate::dialog::Dialog| {
            dialog.call_id() == replaces.call_id.as_bytes()
                && dialog.remote_tag().map_or(replaces.from_tag == "0", |tag| {
                    tag == replaces.from_tag.as_bytes()
                })
        };
        match &self.call(call).ok_or(none)?.state {
            CallState::Established(established) if matches(&established.dialog) => {
                if replaces.early_only {
                    Err(StatusCode::BUSY_HERE)
                } else {
                    Ok(call)
                }
            }
            CallState::Ending { dialog, .. } if matches(dialog) => Err(StatusCode::DECLINE),
            CallState::Calling(calling)
                if *calling.call_id == *replaces.call_id.as_bytes()
                    && calling
                        .early
                        .iter()
                        .any(|early| *early.tag == *replaces.from_tag.as_bytes()) =>
            {
                Ok(call)
            }
            _ => Err(none),
        }
    }
}

/// The Replaces header of an INVITE (RFC 3891 §3).
///
/// # Errors
/// 400 if it is malformed or stands twice.
pub fn replaces_of(request: &Request) -> Result<Option<Replaces>, StatusCode> {
    let mut all = request.headers().all(HeaderName::Replaces);
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Replaces::parse(value)
            .map(Some)
            .map_err(|_| StatusCode::BAD_REQUEST),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

impl Endpoint {
    /// Answers a REFER that came as `Refer`: 202 to take it up, 603 to decline, or any other final status.
    /// With a 2xx, a first NOTIFY goes out at once, unless none is wanted.
    ///
    /// # Errors
    /// As [`Endpoint::respond`].
    pub fn answer_refer(
        &mut self,
        now: Instant,
        id: RequestId,
        status: StatusCode,
    ) -> Result<(), CallError> {
        self.respond(now, id, &OwnReply::from(status))
    }
}

/// The value of Refer-To for an attended transfer, for [`Endpoint::refer`]: `target` with the Replaces in its headers.
pub fn refer_to_replacing(target: &UriRef<'_>, replaces: &Replaces) -> String {
    let replaces = format!("Replaces={}", replaces.in_uri());
    format!("<{}>", target.with_headers(&replaces))
}
