//! Requests of ours that are no calls: outside dialogs, and inside them (RFC 3261 §8.1, §12.2.1).

use std::time::Instant;

use bytes::Bytes;

use super::call::TxRef;
use super::challenge::TxAuth;
use super::client::SendPath;
use super::event::{CallHandle, Event, FailureCause, SentId};
use super::outgoing::{OutgoingRequest, OwnContact, party};
use super::{CallError, Endpoint};
use crate::auth::Session;
use crate::dialog::Dialog;
use crate::message::{
    ExtraHeader, HeaderName, MessageWriter, Method, Response, StatusCode, escaped_user,
};

/// A request inside a dialog, in the making.
#[derive(Debug)]
pub(super) struct Inside<'a> {
    pub(super) method: Method,
    pub(super) headers: &'a [ExtraHeader],
    pub(super) fixed: &'a [(HeaderName, String)],
    pub(super) body: Option<(&'a str, &'a [u8])>,
}

impl<'a> Inside<'a> {
    pub(super) const fn bare(method: Method, headers: &'a [ExtraHeader]) -> Self {
        Self {
            method,
            headers,
            fixed: &[],
            body: None,
        }
    }
}

/// Methods whose requests carry a Contact, because they may change where the peer sends (RFC 3261 §12.2.1.1, RFC 3311,
/// RFC 3515 §2.2, RFC 6665 §4.4.1).
const fn refreshes_target(method: &Method) -> bool {
    matches!(
        method,
        Method::Invite | Method::Update | Method::Refer | Method::Subscribe | Method::Notify
    )
}

impl Endpoint {
    /// Sends a request outside calls. `Response` follows with the same id, whatever happens.
    ///
    /// # Errors
    /// A full table; a method that has a way of its own; a Call-ID or CSeq that RFC 3261 does not allow.
    pub fn request(&mut self, now: Instant, request: OutgoingRequest) -> Result<SentId, CallError> {
        if self.clients.len() >= self.config.limits.transactions {
            return Err(CallError::Full("transactions"));
        }
        if matches!(
            request.method,
            Method::Invite | Method::Ack | Method::Cancel | Method::Bye | Method::Prack
        ) {
            return Err(CallError::Invalid {
                field: "method",
                expected: "a method that lives outside calls; `invite`, `cancel` and `bye` do the rest",
            });
        }
        if request.cseq == 0 || request.cseq >= 1 << 31 {
            return Err(CallError::Invalid {
                field: "CSeq",
                expected: "1 to 2147483647 (RFC 3261 §8.1.1.5)",
            });
        }
        let call_id = self.checked_call_id(request.call_id)?;
        let tag = self.ids.unique();
        let contact = match &request.contact {
            OwnContact::None => None,
            OwnContact::All => Some("*".to_owned()),
            OwnContact::Ours(params) => Some(format!(
                "{}{params}",
                self.texts
                    .contact(request.transport, request.destination.known_ip())
            )),
            OwnContact::As { user, params } => {
                let own = self
                    .texts
                    .contact(request.transport, request.destination.known_ip());
                let place = own.split_once('@').map_or(own, |(_, place)| place);
                Some(format!("<sip:{}@{place}{params}", escaped_user(user)))
            }
        };
        let path = SendPath {
            transport: request.transport,
            destination: request.destination,
            connection: request.connection,
            udp_only: request.udp_only,
            keep: request.keep,
        };
        let product = self.config.product.clone();
        let (method, cseq) = (request.method.clone(), request.cseq);
        let tx = self.send_request(now, request.method, path, None, |via| {
            let mut writer = MessageWriter::request(&method, request.target.as_str());
            writer
                .header(HeaderName::Via, via)
                .header(HeaderName::MaxForwards, "70");
            for route in &request.routes {
                writer.header(HeaderName::Route, route);
            }
            writer
                .header(
                    HeaderName::From,
                    format!("{};tag={tag}", party(&request.from)),
                )
                .header(HeaderName::To, party(&request.to))
                .header(HeaderName::CallId, &call_id)
                .header_fmt(HeaderName::CSeq, format_args!("{cseq} {method}"));
            if let Some(contact) = &contact {
                writer.header(HeaderName::Contact, contact);
            }
            if !product.is_empty() {
                writer.header(HeaderName::UserAgent, &product);
            }
            writer.extra(&request.headers);
            match &request.body {
                Some((kind, body)) => writer.finish_with(kind, body),
                None => writer.finish(),
            }
        });
        let id = self.next_sent();
        if let Some(found) = self.client_mut(tx) {
            found.sent = Some(id);
            found.auth = request.wallet.map(|wallet| {
                Box::new(TxAuth {
                    session: Some(Session::new(wallet)),
                    ..TxAuth::default()
                })
            });
        }
        Ok(id)
    }

    /// Sends a request inside a call: INFO, MESSAGE, NOTIFY, OPTIONS. `Response` follows with the same id, even if the
    /// call has ended by then.
    ///
    /// # Errors
    /// The call is gone or has no dialog yet, the table is full, or the method has a way of its own.
    pub fn request_in_call(
        &mut self,
        now: Instant,
        call: CallHandle,
        method: Method,
        headers: &[ExtraHeader],
        body: Option<(&str, Bytes)>,
    ) -> Result<SentId, CallError> {
        if matches!(
            method,
            Method::Invite
                | Method::Ack
                | Method::Cancel
                | Method::Bye
                | Method::Prack
                | Method::Update
                | Method::Register
        ) {
            return Err(CallError::Invalid {
                field: "method",
                expected: "a method that lives inside calls and has no function of its own",
            });
        }
        let body = body.as_ref().map(|(kind, body)| (*kind, body.as_ref()));
        self.request_inside(
            now,
            call,
            &Inside {
                method,
                headers,
                fixed: &[],
                body,
            },
        )
    }

    pub(super) fn request_inside(
        &mut self,
        now: Instant,
        call: CallHandle,
        inside: &Inside<'_>,
    ) -> Result<SentId, CallError> {
        if self.clients.len() >= self.config.limits.transactions {
            return Err(CallError::Full("transactions"));
        }
        let mut state = self.take_state(call).ok_or(CallError::Gone)?;
        let sent = state
            .dialog_mut()
            .map(|dialog| self.send_inside(now, dialog, Some(call), inside));
        self.put_state(call, state);
        let tx = sent.ok_or(CallError::State {
            command: "a request inside a call",
            expected: "a call with a dialog: answered, or coming in",
        })?;
        let id = self.next_sent();
        if let Some(found) = self.client_mut(tx) {
            found.sent = Some(id);
        }
        Ok(id)
    }

    /// Writes and sends a request inside a dialog, with the credentials that the call's peers have asked for.
    pub(super) fn send_inside(
        &mut self,
        now: Instant,
        dialog: &mut Dialog,
        call: Option<CallHandle>,
        inside: &Inside<'_>,
    ) -> TxRef {
        let (transport, destination, connection) = self.next_hop_of(dialog);
        let peer = destination.known_ip();
        let path = SendPath {
            transport,
            destination,
            connection,
            udp_only: call
                .and_then(|call| self.call(call))
                .is_some_and(|call| call.udp_only),
            keep: false,
        };
        let cseq = dialog.next_cseq();
        let body = inside.body.map_or(&b""[..], |(_, body)| body);
        let answers = self.answers_of_call(call, &inside.method, dialog.request_uri(), body);
        let product = self.config.product.clone();
        let contact = refreshes_target(&inside.method)
            .then(|| self.texts.contact(transport, peer).to_owned());
        let abilities = matches!(inside.method, Method::Invite | Method::Update)
            .then(|| (self.texts.allow.clone(), self.texts.supported.clone()));
        self.send_request(now, inside.method.clone(), path, call, |via| {
            let mut writer = dialog.begin(&inside.method, via, cseq);
            if let Some(contact) = &contact {
                writer.header(HeaderName::Contact, contact);
            }
            if let Some((allow, supported)) = &abilities {
                writer.header(HeaderName::Allow, &**allow);
                if !supported.is_empty() {
                    writer.header(HeaderName::Supported, supported);
                }
            }
            for (name, value) in answers.iter().chain(inside.fixed) {
                writer.header(*name, value);
            }
            if !product.is_empty() {
                writer.header(HeaderName::UserAgent, &product);
            }
            writer.extra(inside.headers);
            match inside.body {
                Some((kind, body)) => writer.finish_with(kind, body),
                None => writer.finish(),
            }
        })
    }

    fn next_sent(&mut self) -> SentId {
        self.sent = self.sent.wrapping_add(1);
        SentId(self.sent)
    }

    pub(super) fn checked_call_id(&mut self, given: Option<String>) -> Result<String, CallError> {
        match given {
            Some(call_id)
                if call_id.is_empty() || !call_id.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                Err(CallError::Invalid {
                    field: "Call-ID",
                    expected: "printable ASCII without blanks",
                })
            }
            Some(call_id) => Ok(call_id),
            None => Ok(self.ids.unique()),
        }
    }

    pub(super) fn on_request_over(
        &mut self,
        id: SentId,
        call: Option<CallHandle>,
        status: StatusCode,
        cause: Option<FailureCause>,
        response: Option<&Response>,
    ) {
        self.events.push_back(Event::Response {
            id,
            call,
            status,
            cause,
            response: response.cloned(),
        });
    }
}
