//! Answering 401 and 407 (RFC 3261 §22.2, §22.3; RFC 8760).

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::call::{CallState, TxRef};
use super::client::SendPath;
use super::event::{CallHandle, SentId};
use super::{CallError, Endpoint};
use crate::auth::{Attempts, Session, Wallet};
use crate::message::{
    Framing, HeaderName, Message, MessageWriter, Method, Request, Response, StatusCode, parse, text,
};

/// How often a request is sent again for the sake of a 422: each hop may want a longer interval (RFC 4028 §7.3).
const MAX_LONGER: u8 = 4;

/// What a transaction knows of challenges.
#[derive(Debug, Default)]
pub(super) struct TxAuth {
    pub(super) attempts: Attempts,
    /// How often a 422 has made the request longer-lived.
    pub(super) longer: u8,
    /// For requests outside calls; a call has its own.
    pub(super) session: Option<Session>,
}

/// What is left of a transaction whose request may be sent again.
#[derive(Debug)]
pub(super) struct Repeatable {
    pub(super) method: Method,
    pub(super) request: Bytes,
    pub(super) path: SendPath,
    pub(super) call: Option<CallHandle>,
    pub(super) sent: Option<SentId>,
    pub(super) auth: Option<Box<TxAuth>>,
}

impl Endpoint {
    /// Takes out of a transaction what [`Endpoint::answer_challenge`] and its like need; the transaction may end
    /// before they are called.
    pub(super) fn repeatable(&mut self, tx: TxRef) -> Option<Repeatable> {
        let found = self.client_mut(tx)?;
        Some(Repeatable {
            method: found.method.clone(),
            request: found.request.clone(),
            path: found.path.clone(),
            call: found.call,
            sent: found.sent,
            auth: found.auth.take(),
        })
    }

    /// Gives a call the logins that later requests of ours answer challenges with: some trunks ask for credentials even
    /// for the BYE of a call that they have sent.
    ///
    /// # Errors
    /// The call is gone.
    pub fn set_wallet(&mut self, call: CallHandle, wallet: Arc<Wallet>) -> Result<(), CallError> {
        let call = self.call_mut(call).ok_or(CallError::Gone)?;
        call.auth = Some(Box::new(Session::new(wallet)));
        Ok(())
    }

    /// Sends a request again that was refused for what we can mend: 401, 407, 422.
    pub(super) fn send_better(
        &mut self,
        now: Instant,
        old: TxRef,
        mut again: Repeatable,
        response: &Response,
    ) -> bool {
        if response.status() != StatusCode::SESSION_INTERVAL_TOO_SMALL {
            return self.answer_challenge(now, old, again, response);
        }
        let mut auth = again.auth.take().unwrap_or_default();
        auth.longer = auth.longer.saturating_add(1);
        let Ok(Message::Request(request)) = parse(again.request.clone(), Framing::Datagram) else {
            return false;
        };
        match self.longer_session(again.call, &request, response) {
            Some(mut headers) if auth.longer <= MAX_LONGER => {
                let uri = request.raw_uri();
                let (method, body) = (request.method(), request.body());
                headers.extend(self.answers_of_call(again.call, method, uri, body));
                self.send_again(now, old, again, auth, &request, &headers)
            }
            _ => false,
        }
    }

    /// Sends the request again with an answer to the challenge; `false` if there is none to give. The outcome then is
    /// that of the new transaction, and the CSeq is one higher (RFC 3261 §22.2).
    pub(super) fn answer_challenge(
        &mut self,
        now: Instant,
        old: TxRef,
        mut again: Repeatable,
        response: &Response,
    ) -> bool {
        let mut auth = again.auth.take().unwrap_or_default();
        let mut session = match again.call {
            Some(call) => self.call_mut(call).and_then(|call| call.auth.take()),
            None => auth.session.take().map(Box::new),
        };
        let headers = session.as_mut().and_then(|session| {
            if !session.take(&mut auth.attempts, response) {
                return None;
            }
            let Ok(Message::Request(request)) = parse(again.request.clone(), Framing::Datagram)
            else {
                return None;
            };
            let headers = session.answers_for(&request, || self.ids.cnonce());
            Some((request, headers))
        });
        match again.call {
            Some(call) => {
                if let Some(call) = self.call_mut(call) {
                    call.auth = session;
                }
            }
            None => auth.session = session.map(|session| *session),
        }
        let Some((request, headers)) = headers.filter(|(_, headers)| !headers.is_empty()) else {
            return false;
        };
        self.send_again(now, old, again, auth, &request, &headers)
    }

    /// Sends a request again under the next CSeq with some headers replaced; `false` if its call has no use for that
    /// any more.
    pub(super) fn send_again(
        &mut self,
        now: Instant,
        old: TxRef,
        again: Repeatable,
        auth: Box<TxAuth>,
        request: &Request,
        replaced: &[(HeaderName, String)],
    ) -> bool {
        let Repeatable {
            method,
            path,
            call,
            sent,
            ..
        } = again;
        let Some(cseq) = self.cseq_of_repeat(old, call, request) else {
            return false;
        };
        let tx = self.send_request(now, method, path, call, |via| {
            rewrite(request, via, cseq, replaced)
        });
        if let Some(found) = self.client_mut(tx) {
            found.auth = Some(auth);
            found.sent = sent;
        }
        if let Some(call) = call {
            self.replace_transaction(call, old, tx);
        }
        true
    }

    /// What waited for `old` waits for `new`.
    fn replace_transaction(&mut self, call: CallHandle, old: TxRef, new: TxRef) {
        self.replace_change(call, old, new);
        if let Some(CallState::Calling(calling)) = self.call_mut(call).map(|call| &mut call.state)
            && calling.tx == old
        {
            calling.tx = new;
            calling.proceeding = false;
            calling.early.clear();
        }
    }

    /// The CSeq under which a request is repeated: the next one of its dialog.
    fn cseq_of_repeat(
        &mut self,
        old: TxRef,
        call: Option<CallHandle>,
        request: &Request,
    ) -> Option<u32> {
        let next = request.head().core.cseq.checked_add(1)?;
        let Some(call) = call else { return Some(next) };
        match &mut self.call_mut(call)?.state {
            CallState::Calling(calling) if *request.method() == Method::Invite => {
                (calling.tx == old && calling.cancel.is_none()).then_some(next)
            }
            state => {
                let dialog = state.dialog_to(request.headers().to_tag())?;
                Some(dialog.next_cseq())
            }
        }
    }

    /// The answers that a new request of a call carries at once.
    pub(super) fn answers_of_call(
        &mut self,
        call: Option<CallHandle>,
        method: &Method,
        uri: &[u8],
        body: &[u8],
    ) -> Vec<(HeaderName, String)> {
        let Some(mut session) = call
            .and_then(|call| self.call_mut(call))
            .and_then(|call| call.auth.take())
        else {
            return Vec::new();
        };
        let uri = text(uri);
        let answers = session.answers(method.as_str(), &uri, body, || self.ids.cnonce());
        if let Some(call) = call.and_then(|call| self.call_mut(call)) {
            call.auth = Some(session);
        }
        answers
    }
}

/// The request again: another Via and CSeq, the headers in `replaced` instead of those of the same name.
fn rewrite(request: &Request, via: &str, cseq: u32, replaced: &[(HeaderName, String)]) -> Bytes {
    let method = request.method();
    let mut writer = MessageWriter::request(method, request.raw_uri());
    writer.header(HeaderName::Via, via);
    for field in request.headers().iter() {
        match field.name {
            HeaderName::Via | HeaderName::ContentLength | HeaderName::ContentType => {}
            HeaderName::CSeq => {
                writer.header_fmt(HeaderName::CSeq, format_args!("{cseq} {method}"));
            }
            name if name != HeaderName::Other && replaced.iter().any(|(new, _)| *new == name) => {}
            _ => {
                writer.raw_header(field.raw_name, field.value);
            }
        }
    }
    for (name, value) in replaced {
        writer.header(*name, value);
    }
    match request.headers().get(HeaderName::ContentType) {
        Some(kind) => writer.finish_with(&text(kind), request.body()),
        None => writer.finish(),
    }
}
