//! What a line writes into the trace.

use skillcall_protocol::trace::{
    Direction, MediaFigures as MediaRecord, Message, Party, Protocol, Text,
};
use skillcall_sip::endpoint::Transmit;
use skillcall_sip::message::{self, Framing};

use super::Call;
use super::driver::Driver;
use super::media::Keyed;
use crate::trace::Known;

impl Driver {
    /// Records a message that goes out.
    pub(super) fn note_sent(&self, transmit: &Transmit) {
        let framing = if transmit.transport.is_reliable() {
            Framing::Stream
        } else {
            Framing::Datagram
        };
        if let Ok(parsed) = message::parse(transmit.bytes.clone(), framing) {
            self.note(&parsed, Direction::Sent);
        }
    }

    /// Records a message.
    pub(super) fn note(&self, parsed: &message::Message, direction: Direction) {
        let (name, headers, wire) = match parsed {
            message::Message::Request(request) => (
                request.method().to_string(),
                request.headers(),
                request.wire(),
            ),
            message::Message::Response(response) => {
                let name = format!("{} {}", response.status().get(), response.reason());
                (name, response.headers(), response.wire())
            }
        };
        let call_id = String::from_utf8_lossy(headers.call_id()).into_owned();
        let (from, to) = match direction {
            Direction::Sent => (self.party.clone(), Party::Sidecar),
            Direction::Received => (Party::Sidecar, self.party.clone()),
        };
        let message = Message::new(from, to, direction, Protocol::Sip, &name).body(wire);
        self.trace
            .message(self.party.clone(), &self.known(&call_id), message);
    }

    /// Records a digit, where it began. Which one it was stands nowhere: the sidecar's `[trace] digits` decides over that.
    pub(super) fn note_digit(&self, keyed: &Keyed) {
        let (from, to) = match keyed.direction {
            Direction::Sent => (self.party.clone(), Party::Sidecar),
            Direction::Received => (Party::Sidecar, self.party.clone()),
        };
        let sounded = u64::try_from(keyed.sounded.as_micros()).unwrap_or(u64::MAX);
        let message = Message::digit(from, to, keyed.direction, sounded, None);
        let known = self.known(&keyed.call_id);
        let began = keyed.at.checked_sub(keyed.sounded).unwrap_or(keyed.at);
        self.trace
            .message_at(began, self.party.clone(), &known, message);
    }

    /// The ids of a call, as far as they are known.
    fn known(&self, call_id: &str) -> Known {
        let known = Known::default().call(call_id);
        match self.book.get(call_id) {
            Some(Call {
                session_id,
                csi,
                request_id,
                ..
            }) => known
                .session(session_id.as_deref())
                .csi(csi.as_deref())
                .request(request_id.as_deref()),
            None => known,
        }
    }

    /// Records the figures and the recording of a call that has ended.
    pub(super) fn note_media(&self, call_id: &str) {
        let Some(call) = self.book.get(call_id) else {
            return;
        };
        let known = self.known(call_id);
        let figures = MediaRecord {
            leg: Text::line(self.party.name()),
            codec: Text::line(&call.media.codec),
            sent: call.media.sent,
            received: call.media.received,
            lost: call.media.lost,
            late: call.media.late,
            jitter_ms: call.media.jitter_ms,
            mos: call.media.mos.unwrap_or_default(),
        };
        self.trace.media(self.party.clone(), &known, figures);
        if let Some(name) = call.recording.as_ref().and_then(|path| path.file_name()) {
            let seconds = self
                .book
                .audio(call_id)
                .map_or(0.0, |audio| audio.len() as f64 / 8000.0);
            self.trace
                .recording(self.party.clone(), &known, &name.to_string_lossy(), seconds);
        }
    }
}
