//! A mouth that says a tone again and again, and an ear that hears where each begins.

use std::time::{Duration, Instant};

use skillcall_media::codec::Codec;

use super::since_1970;

/// Samples of 20 ms.
pub(super) const FRAME: usize = 160;
/// Between two packets.
const TICK: Duration = Duration::from_millis(20);
/// Packets of a tone, and of the silence before it.
const TONE: u32 = 8;
/// Louder is a tone: a quarter of what is said.
const LOUD: u16 = 3_000;
/// Silent packets that have to come before a tone, for its beginning to be known.
const SILENT: u32 = 3;
/// Bytes of RTP's header.
const HEADER: usize = 12;

/// Says PCMU.
pub(super) struct Mouth {
    next: Instant,
    packets: u32,
    ssrc: u32,
    /// When tones began, in time since 1970.
    begun: Vec<Duration>,
}

impl Mouth {
    pub(super) fn new(ssrc: u32) -> Self {
        Self {
            next: Instant::now(),
            packets: 0,
            ssrc,
            begun: Vec::new(),
        }
    }

    /// The next packet, if it is time for it. The first ones are loud, until `heard`.
    pub(super) fn say(&mut self, heard: bool) -> Option<[u8; HEADER + FRAME]> {
        let now = Instant::now();
        if now < self.next {
            return None;
        }
        // What was missed while nothing could be said is not made up for.
        self.next = (self.next + TICK).max(now);
        let place = self.packets % (2 * TONE);
        let loud = !heard || place >= TONE;
        if heard && place == TONE {
            self.begun.push(since_1970());
        }
        let mut packet = [0; HEADER + FRAME];
        packet[0] = 0x80;
        packet[2..4].copy_from_slice(&(self.packets as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(self.packets * FRAME as u32).to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        let mut samples = [0i16; FRAME];
        if loud {
            for (n, sample) in samples.iter_mut().enumerate() {
                // 1 kHz.
                *sample = if n / 4 % 2 == 0 { 12_000 } else { -12_000 };
            }
        }
        Codec::Pcmu.encode(&samples, &mut packet[HEADER..]);
        self.packets += 1;
        Some(packet)
    }
}

/// Hears PCMU.
#[derive(Default)]
pub(super) struct Ear {
    first: Option<Duration>,
    silent: u32,
    /// When tones began, in time since 1970.
    begun: Vec<Duration>,
}

impl Ear {
    /// A packet that arrived at this time since 1970.
    pub(super) fn hear(&mut self, packet: &[u8], arrived: Duration) {
        let codes = packet.get(HEADER..).unwrap_or_default();
        let loud = codes
            .iter()
            .any(|code| Codec::Pcmu.decode_sample(*code).unsigned_abs() > LOUD);
        if !loud {
            self.silent += 1;
            return;
        }
        if self.first.is_some() && self.silent >= SILENT {
            self.begun.push(arrived);
        }
        self.first.get_or_insert(arrived);
        self.silent = 0;
    }

    /// When the first voice came.
    pub(super) fn first(&self) -> Option<Duration> {
        self.first
    }

    /// How long tones took from a mouth to here.
    pub(super) fn delays(&self, mouth: &Mouth) -> Vec<Duration> {
        let delay = |heard: &Duration| {
            let said = mouth.begun.iter().rev().find(|said| *said <= heard)?;
            Some(heard.saturating_sub(*said))
        };
        self.begun.iter().filter_map(delay).collect()
    }
}
