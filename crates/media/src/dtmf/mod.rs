//! DTMF digits: as telephone events (RFC 4733), with their payload, a sender and a receiver; and as tones in the audio.

mod inband;
mod receiver;
mod sender;
mod tones;

pub use inband::ToneDetector;
pub use receiver::{DigitReport, DtmfReceiver, ReceivedDigit};
pub use sender::{DtmfSender, EventPacket, SendStep, TooManyDigits};
pub use tones::{COMMA_MS, audible};

use std::fmt;

/// One of the sixteen digits: `0`–`9`, `*`, `#`, `A`–`D` (RFC 4733 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

impl Digit {
    const CHARS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D',
    ];

    /// The digit of a character; letters in either case.
    pub fn from_char(character: char) -> Option<Self> {
        let wanted = character.to_ascii_uppercase();
        Self::all().find(|digit| digit.as_char() == wanted)
    }

    /// The digit of an event code; `None` for events that are no DTMF digits (16 and above).
    pub const fn from_event(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// The event code, 0 to 15.
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The character on the key.
    pub const fn as_char(self) -> char {
        Self::CHARS[self.0 as usize & 0x0f]
    }

    /// All sixteen, by event code.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// The two tones of the key in Hz, low group first (ITU-T Q.23).
    pub const fn frequencies(self) -> (f32, f32) {
        const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
        const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
        let (row, column) = match self.as_char() {
            '1' => (0, 0),
            '2' => (0, 1),
            '3' => (0, 2),
            'A' => (0, 3),
            '4' => (1, 0),
            '5' => (1, 1),
            '6' => (1, 2),
            'B' => (1, 3),
            '7' => (2, 0),
            '8' => (2, 1),
            '9' => (2, 2),
            'C' => (2, 3),
            '*' => (3, 0),
            '0' => (3, 1),
            '#' => (3, 2),
            _ => (3, 3),
        };
        (LOW[row], HIGH[column])
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digit({})", self.as_char())
    }
}

/// The four bytes of one event report (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    /// Event code; 0 to 15 are digits.
    pub event: u8,
    /// E: the event has ended.
    pub end: bool,
    /// Power of the tone in −dBm0, 0 to 63.
    pub volume: u8,
    /// Samples since the event's timestamp.
    pub duration: u16,
}

impl EventPayload {
    /// Bytes of a report.
    pub const LEN: usize = 4;

    /// The bytes of the wire; the reserved bit is zero.
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        let [d0, d1] = self.duration.to_be_bytes();
        [
            self.event,
            (self.end as u8) << 7 | self.volume & 0x3f,
            d0,
            d1,
        ]
    }

    /// Reads the first report of a payload, ignoring the reserved bit; `None` under four bytes.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&[event, flags, d0, d1], _) = payload.split_first_chunk::<{ Self::LEN }>()?;
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([d0, d1]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_codes_of_rfc_4733() {
        let table: String = (0..16)
            .filter_map(Digit::from_event)
            .map(Digit::as_char)
            .collect();
        assert_eq!(table, "0123456789*#ABCD");
        assert_eq!(Digit::from_event(16), None);
        assert_eq!(Digit::from_char('b').map(Digit::event), Some(13));
        assert_eq!(Digit::from_char('x'), None);
    }

    #[test]
    fn payload_is_the_rfc_layout() {
        let report = EventPayload {
            event: 11,
            end: true,
            volume: 10,
            duration: 0x0640,
        };
        assert_eq!(report.to_bytes(), [11, 0x8a, 0x06, 0x40]);
        assert_eq!(
            EventPayload::parse(&[11, 0xca, 0x06, 0x40, 99]),
            Some(report)
        );
        assert_eq!(EventPayload::parse(&[1, 2, 3]), None);
    }
}
