//! What we send.

use super::{
    OVERHEAD, SrtpError, Suite, Transform, estimate, rtp_header_len, sequence_of, word_at,
};

/// The most RTCP packets of one key: their index has 31 bits (RFC 3711 §9.2).
const MOST_RTCP: u32 = 1 << 31;

/// The sources of ours that are kept at once: audio, and video where they are bundled. One more takes the place of the one that sent
/// longest ago.
const SOURCES: usize = 4;

/// The packets of one source so far.
#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    highest: u64,
    /// For who sent last.
    sent: u64,
}

/// Our direction of a leg.
pub struct Outbound {
    suite: Suite,
    rtp: Transform,
    rtcp: Transform,
    sources: [Option<Source>; SOURCES],
    packets: u64,
    rtcp_index: u32,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbound({:?}, keys hidden)", self.suite)
    }
}

impl Outbound {
    /// Begins with a master key and salt.
    ///
    /// # Errors
    /// They are not as long as the suite has it.
    pub fn new(suite: Suite, key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        Ok(Self {
            suite,
            rtp: Transform::rtp(suite, key, salt)?,
            rtcp: Transform::rtcp(suite, key, salt)?,
            sources: [None; SOURCES],
            packets: 0,
            rtcp_index: 0,
        })
    }

    /// Protects the RTP packet in the first `len` bytes of `buffer`; its length then.
    ///
    /// # Errors
    /// It is no RTP packet, or there is no room for the tag.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let tag_len = self.rtp.tag_len();
        let packet = buffer.get_mut(..len).ok_or(SrtpError::Short)?;
        let head = rtp_header_len(packet)?;
        let ssrc = word_at(packet, 8)?;
        let index = estimate(self.highest(ssrc), sequence_of(packet)?);
        if index >> 48 != 0 {
            return Err(SrtpError::UsedUp);
        }
        let whole = buffer.get_mut(..len + tag_len).ok_or(SrtpError::Full)?;
        let (packet, room) = whole.split_at_mut_checked(len).ok_or(SrtpError::Full)?;
        let roll_over = u32::try_from(index >> 16).map_err(|_| SrtpError::UsedUp)?;
        let also = roll_over.to_be_bytes();
        // GCM has the counter in its nonce (RFC 7714 §9.1), and authenticates the header alone.
        let also: &[u8] = if self.suite.is_aead() { &[] } else { &also };
        let tag = self.rtp.seal(packet, head, ssrc, index, also)?;
        for (byte, part) in room.iter_mut().zip(tag) {
            *byte = part;
        }
        self.note(ssrc, index);
        Ok(len + tag_len)
    }

    fn highest(&self, ssrc: u32) -> Option<u64> {
        let mut sources = self.sources.iter().flatten();
        Some(sources.find(|source| source.ssrc == ssrc)?.highest)
    }

    fn note(&mut self, ssrc: u32, index: u64) {
        self.packets += 1;
        let place = self.sources.iter_mut().min_by_key(|place| match place {
            Some(source) if source.ssrc == ssrc => (0, 0),
            Some(source) => (2, source.sent),
            None => (1, 0),
        });
        if let Some(place) = place {
            let before = place.filter(|source| source.ssrc == ssrc);
            *place = Some(Source {
                ssrc,
                highest: before.map_or(index, |source| source.highest.max(index)),
                sent: self.packets,
            });
        }
    }

    /// Protects the compound RTCP packet in the first `len` bytes of `buffer`; its length then.
    ///
    /// # Errors
    /// It is no RTCP packet, there is no room for tag and index, or the key is used up.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        if len < 8 {
            return Err(SrtpError::Short);
        }
        if self.rtcp_index >= MOST_RTCP {
            return Err(SrtpError::UsedUp);
        }
        let tag_len = self.rtcp.tag_len();
        let whole = buffer.get_mut(..len + tag_len + 4).ok_or(SrtpError::Full)?;
        debug_assert!(tag_len + 4 <= OVERHEAD);
        let index = self.rtcp_index;
        let word = (1 << 31 | index).to_be_bytes();
        let (packet, room) = whole.split_at_mut_checked(len).ok_or(SrtpError::Full)?;
        let ssrc = word_at(packet, 4)?;
        let tag = self.rtcp.seal(packet, 8, ssrc, index.into(), &word)?;
        let tag = tag.iter().take(tag_len).copied();
        // Counter mode has the index before the tag (RFC 3711 §3.4), GCM behind it (RFC 7714 §9.3).
        let trailer: &mut dyn Iterator<Item = u8> = if self.suite.is_aead() {
            &mut tag.chain(word)
        } else {
            &mut word.into_iter().chain(tag)
        };
        for (byte, part) in room.iter_mut().zip(trailer) {
            *byte = part;
        }
        self.rtcp_index += 1;
        Ok(len + tag_len + 4)
    }
}
