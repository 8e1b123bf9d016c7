//! How a message is named on a ladder: what somebody who reads SIP wants to see at a glance.

use super::{Message, Protocol};

impl Message {
    /// The name, and what the message itself adds to it: of a SIP response the method that it answers, of a request within a
    /// dialog that it is one, whether there is a session description, and the reason that a refusal or a BYE gives.
    #[must_use]
    pub fn label(&self) -> String {
        if self.protocol != Protocol::Sip {
            return self.name.to_string();
        }
        let mut label = self.name.to_string();
        match self.sip_status() {
            Some(_) => {
                if let Some(method) = self.cseq_method() {
                    label = format!("{label} ({method})");
                }
            }
            // RFC 3261 §14: an INVITE with a tag in To changes a session that is there.
            None if label == "INVITE"
                && self
                    .sip_header("To", Some("t"))
                    .is_some_and(|to| to.contains("tag=")) =>
            {
                label = "re-INVITE".to_owned();
            }
            None => {}
        }
        if self.has_session_description() {
            label.push_str(" with SDP");
        }
        if let Some(reason) = self.sip_reason() {
            label = format!("{label}: {reason}");
        }
        label
    }

    /// Whether it failed or tells a failure: a SIP response from 300 on, an HTTP status from 400 on, or no answer at all.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        match self.protocol {
            Protocol::Sip => self.sip_status().is_some_and(|status| status >= 300),
            Protocol::Http => self.outcome.as_deref().is_some_and(|outcome| {
                outcome
                    .split(' ')
                    .next()
                    .and_then(|word| word.parse::<u16>().ok())
                    .is_none_or(|status| status >= 400)
            }),
            Protocol::Rtp | Protocol::Voice => false,
        }
    }

    /// The status of a SIP response.
    pub(super) fn sip_status(&self) -> Option<u16> {
        let first = self.name.split(' ').next()?;
        first
            .parse()
            .ok()
            .filter(|status| (100..700).contains(status))
    }

    /// The method in CSeq: what a response answers (RFC 3261 §8.1.1.5).
    pub(super) fn cseq_method(&self) -> Option<&str> {
        self.sip_header("CSeq", None)?.split_whitespace().nth(1)
    }

    /// Why: the Reason of a BYE, CANCEL or refusal (RFC 3326), or a refusal's Warning (RFC 3261 §20.43).
    pub(super) fn sip_reason(&self) -> Option<&str> {
        self.sip_header("Reason", None)
            .or_else(|| self.sip_header("Warning", None))
            .filter(|reason| !reason.is_empty())
    }

    fn has_session_description(&self) -> bool {
        self.sip_header("Content-Type", Some("c"))
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/sdp"))
    }

    /// The first value of a header, without blanks around it; folded lines are left out.
    fn sip_header(&self, name: &str, compact: Option<&str>) -> Option<&str> {
        self.body
            .as_deref()?
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| {
                let found = found.trim();
                found.eq_ignore_ascii_case(name)
                    || compact.is_some_and(|compact| found.eq_ignore_ascii_case(compact))
            })
            .map(|(_, value)| value.trim())
    }
}

#[cfg(test)]
mod tests {
    use crate::trace::{Direction, Message, Party, Protocol};

    fn sip(name: &str, wire: &str) -> Message {
        Message::new(
            Party::Sidecar,
            Party::Phone,
            Direction::Sent,
            Protocol::Sip,
            name,
        )
        .body(wire.as_bytes())
    }

    #[test]
    fn what_a_sip_message_is_stands_in_its_label() {
        let sdp = "Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n";
        for (name, head, label, failed) in [
            ("INVITE", "To: <sip:x@y>\r\n", "INVITE with SDP", false),
            (
                "INVITE",
                "t: <sip:x@y>;tag=1\r\n",
                "re-INVITE with SDP",
                false,
            ),
            (
                "200 OK",
                "CSeq: 1 INVITE\r\n",
                "200 OK (INVITE) with SDP",
                false,
            ),
            (
                "486 Busy Here",
                "CSeq: 2 INVITE\r\nReason: Q.850;cause=17\r\n",
                "486 Busy Here (INVITE) with SDP: Q.850;cause=17",
                true,
            ),
            (
                "488 Not Acceptable Here",
                "Warning: 305 pbx \"Incompatible media format\"\r\n",
                "488 Not Acceptable Here with SDP: 305 pbx \"Incompatible media format\"",
                true,
            ),
        ] {
            let message = sip(name, &format!("first line\r\n{head}{sdp}"));
            assert_eq!(message.label(), label);
            assert_eq!(message.is_failure(), failed, "{label}");
        }
        assert_eq!(
            sip("BYE", "BYE sip:x SIP/2.0\r\n\r\nCSeq: 1 X").label(),
            "BYE"
        );
        assert_eq!(sip("180 Ringing", "").label(), "180 Ringing");
    }

    #[test]
    fn failures_of_http_are_told_from_answers() {
        let http = |outcome: &str| {
            Message::new(
                Party::Sidecar,
                Party::Component,
                Direction::Sent,
                Protocol::Http,
                "POST /media/events HANGUP",
            )
            .outcome(outcome)
        };
        assert!(!http("200 Speak, Hangup").is_failure());
        for outcome in ["503", "401 BadToken", "no answer", "the connection failed"] {
            assert!(http(outcome).is_failure(), "{outcome}");
        }
        assert_eq!(http("200").label(), "POST /media/events HANGUP");
    }
}
