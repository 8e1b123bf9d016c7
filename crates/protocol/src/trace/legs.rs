//! The SIP legs of a call: when each rang and was answered, how long it lasted, who ended it and why.

use super::{Message, Party, Protocol, StepKind, Trace};

/// One SIP dialog, from its INVITE to its end.
///
/// All times are in microseconds since the trace's first record.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg<'a> {
    /// Who sent the INVITE.
    pub caller: &'a Party,
    /// Who received it.
    pub called: &'a Party,
    /// Its SIP Call-ID.
    pub call_id: &'a str,
    /// The first INVITE.
    pub invited_us: u64,
    /// The first 180 or 183.
    pub ringing_us: Option<u64>,
    /// The 2xx to the INVITE.
    pub answered_us: Option<u64>,
    /// The BYE, the CANCEL or the refusal.
    pub ended: Option<LegEnd<'a>>,
}

/// How a leg ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LegEnd<'a> {
    /// When.
    pub at_us: u64,
    /// Who sent what ended it.
    pub by: &'a Party,
    /// What that was: `BYE`, `CANCEL`, `486 Busy Here`.
    pub name: &'a str,
    /// The reason that it gives, if it gives one.
    pub reason: Option<&'a str>,
}

impl Leg<'_> {
    /// Microseconds from the INVITE to the first ringing.
    #[must_use]
    pub fn rang_after_us(&self) -> Option<u64> {
        self.ringing_us.map(|at| at.saturating_sub(self.invited_us))
    }

    /// Microseconds from the INVITE to the answer.
    #[must_use]
    pub fn answered_after_us(&self) -> Option<u64> {
        self.answered_us
            .map(|at| at.saturating_sub(self.invited_us))
    }

    /// Microseconds from the answer to the end.
    #[must_use]
    pub fn talked_us(&self) -> Option<u64> {
        let (answered, ended) = (self.answered_us?, self.ended.as_ref()?);
        Some(ended.at_us.saturating_sub(answered))
    }
}

impl Trace {
    /// The SIP legs, in the order of their INVITEs.
    #[must_use]
    pub fn legs(&self) -> Vec<Leg<'_>> {
        let mut legs: Vec<Leg<'_>> = Vec::new();
        for step in self.ladder() {
            let (StepKind::Arrow(message), Some(call_id)) = (step.kind, step.dialog()) else {
                continue;
            };
            if message.protocol != Protocol::Sip {
                continue;
            }
            match legs.iter_mut().find(|leg| leg.call_id == call_id) {
                Some(leg) => leg.take(message, step.offset_us),
                None if message.name == "INVITE" => legs.push(Leg {
                    caller: &message.from,
                    called: &message.to,
                    call_id,
                    invited_us: step.offset_us,
                    ringing_us: None,
                    answered_us: None,
                    ended: None,
                }),
                None => {}
            }
        }
        legs
    }
}

impl<'a> Leg<'a> {
    fn take(&mut self, message: &'a Message, at_us: u64) {
        let ends = match message.sip_status() {
            None => matches!(message.name.as_str(), "BYE" | "CANCEL"),
            Some(status) => {
                let is_of_invite = message
                    .cseq_method()
                    .is_none_or(|method| method == "INVITE");
                if !is_of_invite || message.from != *self.called || self.answered_us.is_some() {
                    return;
                }
                match status {
                    180..200 => {
                        self.ringing_us.get_or_insert(at_us);
                    }
                    200..300 => self.answered_us = Some(at_us),
                    _ => {}
                }
                // A challenge is answered by another INVITE of the same dialog.
                status >= 300 && !matches!(status, 401 | 407)
            }
        };
        if ends && self.ended.is_none() {
            self.ended = Some(LegEnd {
                at_us,
                by: &message.from,
                name: message.name.as_str(),
                reason: message.sip_reason(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::trace::{Direction, Ids, Party, Record, find};

    use super::*;

    fn sip(at: u64, call_id: &str, from: Party, to: Party, name: &str, head: &str) -> Record {
        let ids = Ids {
            transaction: Some("t".to_owned()),
            call: vec!["leg".to_owned(), call_id.to_owned()],
            ..Ids::default()
        };
        let message = Message::new(from, to, Direction::Sent, Protocol::Sip, name)
            .body(format!("{name}\r\n{head}\r\n\r\n").as_bytes());
        Record::message(at, Party::Sidecar, ids, message)
    }

    #[test]
    fn each_leg_says_how_it_went() {
        use Party::{Device, Phone, Sidecar};
        let records = [
            sip(10, "a", Device, Sidecar, "INVITE", "CSeq: 1 INVITE"),
            sip(20, "a", Sidecar, Device, "200 OK", "CSeq: 1 INVITE"),
            sip(30, "b", Sidecar, Phone, "INVITE", "CSeq: 1 INVITE"),
            sip(35, "b", Phone, Sidecar, "180 Ringing", "CSeq: 1 INVITE"),
            sip(
                36,
                "b",
                Phone,
                Sidecar,
                "183 Session Progress",
                "CSeq: 1 INVITE",
            ),
            sip(
                40,
                "b",
                Phone,
                Sidecar,
                "486 Busy Here",
                "Reason: Q.850;cause=17",
            ),
            sip(50, "c", Sidecar, Phone, "INVITE", "CSeq: 1 INVITE"),
            sip(60, "c", Sidecar, Phone, "CANCEL", "CSeq: 1 CANCEL"),
            sip(61, "c", Phone, Sidecar, "200 OK", "CSeq: 1 CANCEL"),
            sip(
                62,
                "c",
                Phone,
                Sidecar,
                "487 Request Terminated",
                "CSeq: 1 INVITE",
            ),
            sip(65, "a", Sidecar, Device, "INVITE", "CSeq: 2 INVITE"),
            sip(66, "a", Device, Sidecar, "200 OK", "CSeq: 2 INVITE"),
            sip(90, "a", Device, Sidecar, "BYE", "CSeq: 2 BYE"),
            sip(91, "a", Sidecar, Device, "200 OK", "CSeq: 2 BYE"),
        ];
        let trace = find(&records, "t");
        let legs = trace.legs();
        let [a, b, c] = legs.as_slice() else {
            panic!("{legs:?}")
        };
        assert_eq!((a.caller, a.called), (&Device, &Sidecar));
        assert_eq!((a.answered_after_us(), a.talked_us()), (Some(10), Some(70)));
        assert_eq!(a.rang_after_us(), None);
        let end = a.ended.as_ref().unwrap();
        assert_eq!((end.by, end.name, end.reason), (&Device, "BYE", None));
        assert_eq!((b.rang_after_us(), b.answered_us), (Some(5), None));
        let end = b.ended.as_ref().unwrap();
        assert_eq!(
            (end.name, end.reason),
            ("486 Busy Here", Some("Q.850;cause=17"))
        );
        let end = c.ended.as_ref().unwrap();
        assert_eq!((end.at_us, end.by, end.name), (50, &Sidecar, "CANCEL"));
        assert_eq!((c.answered_us, c.talked_us()), (None, None));
    }
}
