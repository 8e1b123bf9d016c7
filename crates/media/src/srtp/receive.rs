//! What the peer sends.

use super::replay::Window;
use super::{SrtpError, Suite, Transform, estimate, rtp_header_len, sequence_of, word_at};

/// The sources of one peer that are kept at once: of audio and video, and it may change its own on a transfer, and go back. One more takes the
/// place of the one that was heard of longest ago.
const SOURCES: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
    /// For who was heard of last.
    heard: u64,
}

/// The peer's direction of a leg.
pub struct Inbound {
    suite: Suite,
    rtp: Transform,
    rtcp: Transform,
    sources: [Option<Source>; SOURCES],
    packets: u64,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbound({:?}, keys hidden)", self.suite)
    }
}

impl Inbound {
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
        })
    }

    fn source(&self, ssrc: u32) -> Option<&Source> {
        self.sources
            .iter()
            .flatten()
            .find(|source| source.ssrc == ssrc)
    }

    /// The source whose packet was right; only such a packet makes one.
    fn heard(&mut self, ssrc: u32) -> Option<&mut Source> {
        self.packets += 1;
        let known = self
            .sources
            .iter()
            .position(|source| source.is_some_and(|source| source.ssrc == ssrc));
        let place = known.or_else(|| {
            let oldest = |source: &Option<Source>| source.map_or(0, |source| source.heard);
            let places = self.sources.iter().enumerate();
            places
                .min_by_key(|(_, source)| oldest(source))
                .map(|(place, _)| place)
        })?;
        let slot = self.sources.get_mut(place)?;
        if known.is_none() {
            *slot = Some(Source {
                ssrc,
                rtp: Window::default(),
                rtcp: Window::default(),
                heard: 0,
            });
        }
        let source = slot.as_mut()?;
        source.heard = self.packets;
        Some(source)
    }

    /// Checks and opens an RTP packet; its length then.
    ///
    /// # Errors
    /// It is forged, damaged, received before, or no SRTP packet.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let head = rtp_header_len(packet)?;
        let ssrc = word_at(packet, 8)?;
        let window = self
            .source(ssrc)
            .map_or_else(Window::default, |source| source.rtp);
        let index = estimate(window.highest(), sequence_of(packet)?);
        if !window.may_be_new(index) {
            return Err(SrtpError::Replayed);
        }
        let roll_over = u32::try_from(index >> 16).map_err(|_| SrtpError::UsedUp)?;
        let also = roll_over.to_be_bytes();
        let also: &[u8] = if self.suite.is_aead() { &[] } else { &also };
        let len = self.rtp.open(packet, head, ssrc, index, also)?;
        if let Some(source) = self.heard(ssrc) {
            source.rtp.note(index);
        }
        Ok(len)
    }

    /// Checks and opens a compound RTCP packet; its length then.
    ///
    /// # Errors
    /// It is forged, damaged, received before, not encrypted, or no SRTCP packet.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let tag_len = self.rtcp.tag_len();
        let body = packet
            .len()
            .checked_sub(tag_len + 4)
            .filter(|len| *len >= 8)
            .ok_or(SrtpError::Short)?;
        let at = if self.suite.is_aead() {
            body + tag_len
        } else {
            body
        };
        let word = word_at(packet, at)?;
        if word >> 31 == 0 {
            return Err(SrtpError::Plain);
        }
        let index = word & 0x7fff_ffff;
        let ssrc = word_at(packet, 4)?;
        let window = self
            .source(ssrc)
            .map_or_else(Window::default, |source| source.rtcp);
        if !window.may_be_new(index.into()) {
            return Err(SrtpError::Replayed);
        }
        if !self.suite.is_aead() {
            // The tag moves next to what it covers; the index is given beside it.
            packet
                .get_mut(body..)
                .ok_or(SrtpError::Short)?
                .rotate_left(4);
        }
        let protected = packet.get_mut(..body + tag_len).ok_or(SrtpError::Short)?;
        let len = self
            .rtcp
            .open(protected, 8, ssrc, index.into(), &word.to_be_bytes())?;
        if let Some(source) = self.heard(ssrc) {
            source.rtcp.note(index.into());
        }
        Ok(len)
    }
}
