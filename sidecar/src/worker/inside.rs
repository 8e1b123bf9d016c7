//! INFO and MESSAGE in calls, and MESSAGE outside of them.

use std::time::Instant;

use skillcall_protocol::sma::action::Digit;
use skillcall_sip::endpoint::{CallHandle, OwnReply, RequestId};
use skillcall_sip::message::{HeaderName, Method, Request, StatusCode};

use super::Running;
use crate::engine::Input;

/// The longest body of an INFO that is read as a digit.
const LONGEST_SIGNAL: usize = 256;
/// The longest part of a text message that the trace shows.
const LONGEST_TEXT: usize = 200;

impl Running {
    /// An INFO, which is answered already: the digits of phones and gateways that send no telephone events.
    pub(super) fn on_info(&mut self, call: CallHandle, request: &Request) {
        let Some(&(key, leg)) = self.by_handle.get(&call) else {
            return;
        };
        if self.asks_by_info(call, request) {
            return;
        }
        if let Some(digit) = signalled(request) {
            self.press_for_device(key, digit);
            self.input(key, Input::Digit { leg, digit });
        }
    }

    /// A text message. Nobody reads it: in a call it is noted in the call's trace, elsewhere there is nobody to take it.
    pub(super) fn on_message(
        &mut self,
        now: Instant,
        id: RequestId,
        call: Option<CallHandle>,
        request: &Request,
    ) {
        let place = call.and_then(|call| self.by_handle.get(&call).copied());
        let status = match (request.method(), place) {
            (Method::Message, Some((key, _))) => {
                let text = String::from_utf8_lossy(request.body());
                let text: String = text.chars().take(LONGEST_TEXT).collect();
                if let Some(call) = self.call(key) {
                    let line = format!("a text message: {text}");
                    self.shared.trace.note(&call.ids, false, &line);
                }
                StatusCode::OK
            }
            (Method::Message, None) => StatusCode::TEMPORARILY_UNAVAILABLE,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        // Its client may have given up.
        let _ = self.endpoint.respond(now, id, &OwnReply::from(status));
    }
}

/// The digit of an INFO: `application/dtmf-relay` (`Signal=5`, with a duration that is not looked at), or
/// `application/dtmf` (the digit, and nothing else). Both are what the makers of gateways agreed on; no RFC has them.
fn signalled(request: &Request) -> Option<Digit> {
    let kind = request.headers().get(HeaderName::ContentType)?;
    let kind = kind.split(|byte| matches!(byte, b';' | b' ')).next()?;
    let body = std::str::from_utf8(
        request
            .body()
            .get(..)
            .filter(|b| b.len() <= LONGEST_SIGNAL)?,
    );
    let body = body.ok()?;
    let signal = if kind.eq_ignore_ascii_case(b"application/dtmf-relay") {
        body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("signal")
                .then(|| value.trim())
        })?
    } else if kind.eq_ignore_ascii_case(b"application/dtmf") {
        body.trim()
    } else {
        return None;
    };
    // Some gateways write 10 for the star and 11 for the number sign (RFC 4733 §3.2).
    let signal = match signal {
        "10" => "*",
        "11" => "#",
        "12" => "A",
        "13" => "B",
        "14" => "C",
        "15" => "D",
        other => other,
    };
    let mut letters = signal.chars();
    let digit = Digit::new(letters.next()?.to_ascii_uppercase())?;
    letters.next().is_none().then_some(digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use skillcall_sip::message::{Framing, Message, parse};

    fn digit(kind: &str, body: &str) -> Option<char> {
        let text = format!(
            "INFO sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n\
             From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:a@127.0.0.1>;tag=2\r\nCall-ID: 1\r\n\
             CSeq: 2 INFO\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match parse(Bytes::from(text), Framing::Datagram).unwrap() {
            Message::Request(request) => signalled(&request).map(|digit| digit.as_char()),
            Message::Response(_) => unreachable!(),
        }
    }

    #[test]
    fn digits_of_info() {
        let relay = "application/dtmf-relay";
        assert_eq!(digit(relay, "Signal=5\r\nDuration=160\r\n"), Some('5'));
        assert_eq!(digit(relay, "Signal= *\nDuration= 100"), Some('*'));
        assert_eq!(digit(relay, "signal=11\r\n"), Some('#'));
        assert_eq!(digit("Application/DTMF", "7"), Some('7'));
        assert_eq!(digit("application/dtmf; charset=utf-8", "d\r\n"), Some('D'));
        assert_eq!(digit("application/dtmf", "55"), None);
        assert_eq!(digit(relay, "Duration=160"), None);
        assert_eq!(digit("text/plain", "5"), None);
    }
}
