//! RTP packets (RFC 3550 §5): a view over a datagram, a header to write, and the arithmetic of their counters.

use thiserror::Error;

/// Bytes of a header without contributing sources and extension.
pub const HEADER_LEN: usize = 12;

/// The largest datagram that this crate writes or relays: what fits an Ethernet frame with IPv6 and UDP headers.
pub const MAX_PACKET: usize = 1_452;

/// Why a datagram is no RTP packet. The numbers tell the sender's developer where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RtpError {
    /// Less than a header, or less than the header announces.
    #[error("the RTP packet has {have} bytes where its {part} needs {need}")]
    Truncated {
        /// Which part is cut off.
        part: &'static str,
        /// Bytes needed up to the end of that part.
        need: usize,
        /// Bytes received.
        have: usize,
    },
    /// The first two bits are not 2.
    #[error("the RTP version is {0}, and only version 2 is spoken")]
    Version(u8),
    /// The last byte announces no padding, or more than there is.
    #[error("the RTP padding length is {padding}, where 1 to {available} is possible")]
    Padding {
        /// What the last byte says.
        padding: u8,
        /// Bytes behind the header.
        available: usize,
    },
}

/// Whether a datagram on a port shared by RTP and RTCP is RTCP: its second byte is 192 to 223 (RFC 5761 §4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, second, ..] if first >> 6 == 2 && (192..=223).contains(second))
}

/// An RTP sequence number: counts packets modulo 2^16 (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence(pub u16);

impl Sequence {
    /// The number of the packet `count` packets later.
    #[must_use]
    pub const fn plus(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How many packets this one is after `earlier` (negative: before), −32768 to 32767.
    pub const fn since(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0) as i16
    }
}

/// An RTP timestamp: counts samples modulo 2^32 from a random start (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timestamp(pub u32);

impl Timestamp {
    /// The timestamp `samples` later.
    #[must_use]
    pub const fn plus(self, samples: u32) -> Self {
        Self(self.0.wrapping_add(samples))
    }

    /// The timestamp `samples` earlier.
    #[must_use]
    pub const fn minus(self, samples: u32) -> Self {
        Self(self.0.wrapping_sub(samples))
    }

    /// How many samples this one is after `earlier` (negative: before).
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

/// An RTP payload type, 0 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadType(u8);

impl PayloadType {
    /// PCMU, static (RFC 3551 table 4).
    pub const PCMU: Self = Self(0);
    /// PCMA, static (RFC 3551 table 4).
    pub const PCMA: Self = Self(8);
    /// G.722, static (RFC 3551 table 4).
    pub const G722: Self = Self(9);
    /// Comfort noise, static (RFC 3389 §4).
    pub const COMFORT_NOISE: Self = Self(13);

    /// Takes a number of 0 to 127; `None` above.
    pub const fn new(number: u8) -> Option<Self> {
        if number < 128 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number, 0 to 127.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// What this crate writes in front of a payload; it never writes contributing sources, extensions or padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    /// Begins a talk-spurt, or an event (RFC 3551 §4.1, RFC 4733 §2.5.1.2).
    pub marker: bool,
    /// Format of the payload.
    pub payload_type: PayloadType,
    /// Number of the packet.
    pub sequence: Sequence,
    /// Time of the payload's first sample.
    pub timestamp: Timestamp,
    /// Synchronisation source of the sender.
    pub ssrc: u32,
}

impl RtpHeader {
    /// Writes header and payload into `out` and returns the packet's length; `None` when `out` is too short.
    pub fn write(&self, payload: &[u8], out: &mut [u8]) -> Option<usize> {
        self.write_with(payload.len(), out, |body| body.copy_from_slice(payload))
    }

    /// Writes the header and lets `fill` write the `payload_len` bytes behind it; `None` when `out` is too short.
    pub fn write_with(
        &self,
        payload_len: usize,
        out: &mut [u8],
        fill: impl FnOnce(&mut [u8]),
    ) -> Option<usize> {
        let len = HEADER_LEN + payload_len;
        let (header, body) = out.get_mut(..len)?.split_first_chunk_mut::<HEADER_LEN>()?;
        let [s0, s1] = self.sequence.0.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.0.to_be_bytes();
        let [x0, x1, x2, x3] = self.ssrc.to_be_bytes();
        let second = u8::from(self.marker) << 7 | self.payload_type.0;
        *header = [0x80, second, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3];
        fill(body);
        Some(len)
    }
}

/// A received packet: a view over the datagram, nothing is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    header: RtpHeader,
    csrcs: &'a [u8],
    extension: Option<Extension<'a>>,
    payload: &'a [u8],
}

/// A header extension (RFC 3550 §5.3.1); its content is not interpreted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// What the profile says the extension is.
    pub profile: u16,
    /// Its words, a multiple of four bytes.
    pub data: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram by the checks of RFC 3550 §A.1.
    ///
    /// # Errors
    /// [`RtpError`] when the version is not 2, or a length in the packet does not fit the datagram.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let have = datagram.len();
        let short = |part, need| RtpError::Truncated { part, need, have };
        let (&[first, second, s0, s1, t0, t1, t2, t3, x0, x1, x2, x3], rest) = datagram
            .split_first_chunk::<HEADER_LEN>()
            .ok_or_else(|| short("header", HEADER_LEN))?;
        if first >> 6 != 2 {
            return Err(RtpError::Version(first >> 6));
        }
        let csrc_len = usize::from(first & 0x0f) * 4;
        let (csrcs, mut rest) = rest
            .split_at_checked(csrc_len)
            .ok_or_else(|| short("list of contributing sources", HEADER_LEN + csrc_len))?;
        let mut extension = None;
        if first & 0x10 != 0 {
            let at = HEADER_LEN + csrc_len;
            let (&[p0, p1, l0, l1], words) = rest
                .split_first_chunk::<4>()
                .ok_or_else(|| short("extension header", at + 4))?;
            let len = usize::from(u16::from_be_bytes([l0, l1])) * 4;
            let (data, behind) = words
                .split_at_checked(len)
                .ok_or_else(|| short("extension", at + 4 + len))?;
            extension = Some(Extension {
                profile: u16::from_be_bytes([p0, p1]),
                data,
            });
            rest = behind;
        }
        if first & 0x20 != 0 {
            let padding = rest.last().copied().unwrap_or(0);
            let kept = rest
                .len()
                .checked_sub(usize::from(padding))
                .filter(|_| padding != 0);
            rest = kept
                .and_then(|kept| rest.get(..kept))
                .ok_or(RtpError::Padding {
                    padding,
                    available: rest.len(),
                })?;
        }
        Ok(Self {
            header: RtpHeader {
                marker: second & 0x80 != 0,
                payload_type: PayloadType(second & 0x7f),
                sequence: Sequence(u16::from_be_bytes([s0, s1])),
                timestamp: Timestamp(u32::from_be_bytes([t0, t1, t2, t3])),
                ssrc: u32::from_be_bytes([x0, x1, x2, x3]),
            },
            csrcs,
            extension,
            payload: rest,
        })
    }

    /// The fixed header's fields.
    pub const fn header(&self) -> &RtpHeader {
        &self.header
    }

    /// Contributing sources of a mixer, at most 15.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + 'a {
        self.csrcs
            .chunks_exact(4)
            .map(|word| word.iter().fold(0, |acc, &byte| acc << 8 | u32::from(byte)))
    }

    /// The header extension.
    pub const fn extension(&self) -> Option<Extension<'a>> {
        self.extension
    }

    /// The payload without padding; may be empty.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> RtpHeader {
        RtpHeader {
            marker: true,
            payload_type: PayloadType::PCMA,
            sequence: Sequence(0x1234),
            timestamp: Timestamp(0xdead_beef),
            ssrc: 0x0102_0304,
        }
    }

    #[test]
    fn header_is_written_byte_for_byte() {
        let mut out = [0; 16];
        assert_eq!(header().write(&[9, 8, 7], &mut out), Some(15));
        assert_eq!(
            out,
            [
                0x80, 0x88, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 9, 8, 7, 0
            ]
        );
        assert_eq!(header().write(&[0; 5], &mut out), None);
    }

    #[test]
    fn sources_extension_and_padding_are_skipped() {
        let mut packet = vec![0xb2, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        packet.extend([0, 0, 0, 0x11, 0, 0, 0, 0x22]);
        packet.extend([0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        packet.extend([0xaa, 0xbb, 0, 0, 3]);
        let view = RtpPacket::parse(&packet).unwrap();
        assert_eq!(view.csrcs().collect::<Vec<_>>(), [0x11, 0x22]);
        assert_eq!(
            view.extension(),
            Some(Extension {
                profile: 0xbede,
                data: &[1, 2, 3, 4]
            })
        );
        assert_eq!(view.payload(), [0xaa, 0xbb]);
    }

    #[test]
    fn wrong_lengths_and_versions_are_named() {
        let cases: &[(&[u8], RtpError)] = &[
            (
                &[0x80; 11],
                RtpError::Truncated {
                    part: "header",
                    need: 12,
                    have: 11,
                },
            ),
            (&[0x40; 12], RtpError::Version(1)),
            (
                &[0x81; 12],
                RtpError::Truncated {
                    part: "list of contributing sources",
                    need: 16,
                    have: 12,
                },
            ),
            (
                &[0x90; 12],
                RtpError::Truncated {
                    part: "extension header",
                    need: 16,
                    have: 12,
                },
            ),
            (
                &[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9],
                RtpError::Padding {
                    padding: 9,
                    available: 1,
                },
            ),
            (
                &[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                RtpError::Padding {
                    padding: 0,
                    available: 1,
                },
            ),
            (
                &[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                RtpError::Padding {
                    padding: 0,
                    available: 0,
                },
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(RtpPacket::parse(bytes), Err(*error));
        }
    }

    #[test]
    fn counters_wrap() {
        assert_eq!(Sequence(2).since(Sequence(0xfffe)), 4);
        assert_eq!(Sequence(0xfffe).since(Sequence(2)), -4);
        assert_eq!(Timestamp(80).since(Timestamp(u32::MAX - 79)), 160);
        assert_eq!(Timestamp(5).minus(10).plus(10), Timestamp(5));
    }

    #[test]
    fn rtcp_is_told_apart() {
        assert!(is_rtcp(&[0x80, 200]));
        assert!(!is_rtcp(&[0x80, 0x80 | 8]));
        assert!(!is_rtcp(&[0x80]));
        assert!(!is_rtcp(&[0x00, 200]));
    }
}
