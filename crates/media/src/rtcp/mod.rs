//! RTCP: sender and receiver reports, source descriptions and goodbyes (RFC 3550 §6), read and written.

mod interval;
mod write;

#[cfg(test)]
mod tests;

pub use interval::report_interval;
pub use write::write_compound;

use std::time::Duration;

use thiserror::Error;

/// Report blocks that fit a report (RFC 3550 §6.4.1: a count of five bits).
pub const MAX_REPORT_BLOCKS: usize = 31;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const PAYLOAD_FEEDBACK: u8 = 206;

/// Why a datagram is no compound RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtcpError {
    /// No header, or a length beyond the datagram.
    #[error("the RTCP packet at byte {at} needs {need} bytes, and {have} are left")]
    Truncated {
        /// Where the packet begins.
        at: usize,
        /// Bytes that it needs.
        need: usize,
        /// Bytes from there to the end.
        have: usize,
    },
    /// The first two bits are not 2.
    #[error("the RTCP version at byte {at} is {version}, and only version 2 is spoken")]
    Version {
        /// Where the packet begins.
        at: usize,
        /// The version found.
        version: u8,
    },
}

/// Seconds since 1900 as a 32.32 fixed-point number (RFC 3550 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From the time since 1970-01-01T00:00:00Z.
    pub fn from_unix(since_1970: Duration) -> Self {
        Self(2_208_988_800 << 32).plus(since_1970)
    }

    /// The time `later`; wraps in 2036, as the format does.
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        let fraction = (u64::from(later.subsec_nanos()) << 32) / 1_000_000_000;
        Self(
            self.0
                .wrapping_add(later.as_secs() << 32)
                .wrapping_add(fraction),
        )
    }

    /// The middle 32 bits: 16.16 seconds, as reports refer to it.
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a sender says of itself (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent.
    pub ntp: NtpTime,
    /// The same instant on the RTP clock.
    pub rtp: u32,
    /// Packets sent, modulo 2^32.
    pub packets: u32,
    /// Bytes of payload sent, modulo 2^32.
    pub bytes: u32,
}

/// What a receiver says of a source (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all; negative when duplicates outnumber losses. 24 bits.
    pub lost: i32,
    /// Highest sequence number, with cycles in the upper half.
    pub highest: u32,
    /// Interarrival jitter in samples.
    pub jitter: u32,
    /// Middle of the source's last sender report's time; 0: none was received.
    pub last_report: u32,
    /// Time since then in 1/65536 seconds.
    pub delay_since_last: u32,
}

impl ReportBlock {
    const LEN: usize = 24;

    fn parse(bytes: &[u8; Self::LEN]) -> Self {
        let word = |at: usize| {
            bytes[at..at + 4]
                .iter()
                .fold(0u32, |acc, &byte| acc << 8 | u32::from(byte))
        };
        Self {
            ssrc: word(0),
            fraction_lost: bytes[4],
            // The shift brings the sign of the 24 bits along.
            lost: (word(4) << 8) as i32 >> 8,
            highest: word(8),
            jitter: word(12),
            last_report: word(16),
            delay_since_last: word(20),
        }
    }

    fn to_words(self) -> [u32; 6] {
        let lost = self.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest,
            self.jitter,
            self.last_report,
            self.delay_since_last,
        ]
    }

    /// The round trip that this block shows, when it arrived at `now` (RFC 3550 §6.4.1).
    pub fn round_trip(&self, now: NtpTime) -> Option<Duration> {
        if self.last_report == 0 {
            return None;
        }
        let units = now
            .middle()
            .wrapping_sub(self.last_report)
            .wrapping_sub(self.delay_since_last);
        // Clocks that disagree by a hair give a tiny negative number.
        let units = if units > u32::MAX / 2 { 0 } else { units };
        Some(Duration::from_secs_f64(f64::from(units) / 65_536.0))
    }
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcpPacket<'a> {
    /// SR or RR.
    Report {
        /// Who reports.
        ssrc: u32,
        /// Present in an SR.
        sender: Option<SenderInfo>,
        /// What it reports.
        blocks: ReportBlocks<'a>,
    },
    /// SDES: chunks, uninterpreted but for [`canonical_name`].
    Description(&'a [u8]),
    /// BYE: the sources that leave, four bytes each.
    Goodbye(Sources<'a>),
    /// Feedback on a payload (RFC 4585 §6.3, RFC 5104 §4.3), uninterpreted.
    Feedback {
        /// What it is: 1 is a Picture Loss Indication, 4 a Full Intra Request.
        format: u8,
        /// The source that it is about; 0 where the information says it.
        media: u32,
        /// What follows.
        information: &'a [u8],
    },
    /// APP, feedback on transport (RFC 4585 §6.2), extended reports (RFC 3611) and what may come: skipped.
    Other {
        /// The packet type, 192 to 223.
        packet_type: u8,
    },
}

/// The report blocks of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlocks<'a>(&'a [u8]);

impl ReportBlocks<'_> {
    /// Each block, at most 31.
    pub fn iter(&self) -> impl Iterator<Item = ReportBlock> + '_ {
        self.0
            .as_chunks::<{ ReportBlock::LEN }>()
            .0
            .iter()
            .map(ReportBlock::parse)
    }
}

/// The sources of a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources<'a>(&'a [u8]);

impl Sources<'_> {
    /// Each source, at most 31.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| u32::from_be_bytes(*bytes))
    }
}

/// Walks over the packets of a datagram; ends after the first error.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Compound<'a> {
    /// Packets of `datagram`. Reduced-size compounds (RFC 5506) are taken too: nothing has to be a report.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self {
            bytes: datagram,
            at: 0,
        }
    }

    fn read(&mut self) -> Result<RtcpPacket<'a>, RtcpError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let short = |need| RtcpError::Truncated {
            at: self.at,
            need,
            have: rest.len(),
        };
        let (&[first, packet_type, l0, l1], _) =
            rest.split_first_chunk::<4>().ok_or_else(|| short(4))?;
        if first >> 6 != 2 {
            return Err(RtcpError::Version {
                at: self.at,
                version: first >> 6,
            });
        }
        let len = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let mut body = rest.get(4..len).ok_or_else(|| short(len))?;
        if first & 0x20 != 0 {
            let padding = body.last().copied().unwrap_or(0);
            let kept = body.len().saturating_sub(usize::from(padding));
            body = body.get(..kept).unwrap_or_default();
        }
        let count = usize::from(first & 0x1f);
        let word = |at: usize| {
            body.get(at..at + 4)?
                .try_into()
                .ok()
                .map(u32::from_be_bytes)
        };
        let packet = match packet_type {
            SENDER_REPORT | RECEIVER_REPORT => {
                let ssrc = word(0).ok_or_else(|| short(8))?;
                let (sender, blocks_at) = if packet_type == SENDER_REPORT {
                    let info = |at| word(at).ok_or_else(|| short(28));
                    let ntp = NtpTime(u64::from(info(4)?) << 32 | u64::from(info(8)?));
                    (
                        Some(SenderInfo {
                            ntp,
                            rtp: info(12)?,
                            packets: info(16)?,
                            bytes: info(20)?,
                        }),
                        24,
                    )
                } else {
                    (None, 4)
                };
                let blocks = body.get(blocks_at..blocks_at + count * ReportBlock::LEN);
                let blocks =
                    blocks.ok_or_else(|| short(4 + blocks_at + count * ReportBlock::LEN))?;
                RtcpPacket::Report {
                    ssrc,
                    sender,
                    blocks: ReportBlocks(blocks),
                }
            }
            SOURCE_DESCRIPTION => RtcpPacket::Description(body),
            GOODBYE => RtcpPacket::Goodbye(Sources(
                body.get(..count * 4).ok_or_else(|| short(4 + count * 4))?,
            )),
            PAYLOAD_FEEDBACK => RtcpPacket::Feedback {
                format: first & 0x1f,
                media: word(4).ok_or_else(|| short(12))?,
                information: body.get(8..).unwrap_or_default(),
            },
            packet_type => RtcpPacket::Other { packet_type },
        };
        self.at += len;
        Ok(packet)
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<RtcpPacket<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let packet = self.read();
        if packet.is_err() {
            self.at = self.bytes.len();
        }
        Some(packet)
    }
}

/// The canonical name in the first chunk of a source description, when it is UTF-8.
pub fn canonical_name(description: &[u8]) -> Option<&str> {
    let mut items = description.get(4..)?;
    loop {
        let (&[kind, len], rest) = items.split_first_chunk::<2>()?;
        let (text, behind) = rest.split_at_checked(len.into())?;
        match kind {
            0 => return None,
            1 => return std::str::from_utf8(text).ok(),
            _ => items = behind,
        }
    }
}
