//! Encryption and authentication of one direction's RTP or RTCP, with its session keys.

use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

use super::derivation::{Block, Label, derive};
use super::{SrtpError, Suite};

/// The session keys of one direction's RTP, or of its RTCP.
pub(super) enum Transform {
    /// Counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1).
    Counter {
        block: Block,
        salt: [u8; 14],
        /// Keyed once: a packet begins with a copy.
        mac: Hmac<Sha1>,
        tag: usize,
    },
    /// Galois counter mode (RFC 7714).
    Galois { key: LessSafeKey, salt: [u8; 12] },
}

impl Transform {
    pub(super) fn rtp(suite: Suite, key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        let labels = [
            Label::RtpEncryption,
            Label::RtpAuthentication,
            Label::RtpSalt,
        ];
        Self::new(suite, key, salt, labels, suite.rtp_tag())
    }

    pub(super) fn rtcp(suite: Suite, key: &[u8], salt: &[u8]) -> Result<Self, SrtpError> {
        let labels = [
            Label::RtcpEncryption,
            Label::RtcpAuthentication,
            Label::RtcpSalt,
        ];
        Self::new(suite, key, salt, labels, suite.rtcp_tag())
    }

    fn new(
        suite: Suite,
        key: &[u8],
        salt: &[u8],
        [encryption, authentication, salting]: [Label; 3],
        tag: usize,
    ) -> Result<Self, SrtpError> {
        if key.len() != suite.key_len() || salt.len() != suite.salt_len() {
            return Err(SrtpError::Key);
        }
        let mut session_key = [0; 32];
        let session_key = session_key
            .get_mut(..suite.key_len())
            .ok_or(SrtpError::Key)?;
        derive(key, salt, encryption, session_key)?;
        if suite.is_aead() {
            let mut session_salt = [0; 12];
            derive(key, salt, salting, &mut session_salt)?;
            return Self::galois(session_key, session_salt);
        }
        let mut session_salt = [0; 14];
        derive(key, salt, salting, &mut session_salt)?;
        let mut mac_key = [0; 20];
        derive(key, salt, authentication, &mut mac_key)?;
        Ok(Self::Counter {
            block: Block::new(session_key)?,
            salt: session_salt,
            mac: Hmac::new_from_slice(&mac_key).map_err(|_| SrtpError::Key)?,
            tag,
        })
    }

    pub(super) fn galois(key: &[u8], salt: [u8; 12]) -> Result<Self, SrtpError> {
        let algorithm = if key.len() == 16 {
            &AES_128_GCM
        } else {
            &AES_256_GCM
        };
        let key = UnboundKey::new(algorithm, key).map_err(|_| SrtpError::Key)?;
        Ok(Self::Galois {
            key: LessSafeKey::new(key),
            salt,
        })
    }

    pub(super) const fn tag_len(&self) -> usize {
        match self {
            Self::Counter { tag, .. } => *tag,
            Self::Galois { .. } => 16,
        }
    }

    /// Adds or takes away counter mode's key stream. `index` is the packet's of 48 bits, or SRTCP's of 31.
    pub(super) fn stream(block: &Block, salt: &[u8; 14], ssrc: u32, index: u64, data: &mut [u8]) {
        let mut iv = [0; 16];
        for (byte, salt) in iv.iter_mut().zip(salt) {
            *byte = *salt;
        }
        for (byte, part) in iv.iter_mut().skip(4).zip(ssrc.to_be_bytes()) {
            *byte ^= part;
        }
        // 48 bits of index stand at bytes 8 to 13.
        for (byte, part) in iv
            .iter_mut()
            .skip(8)
            .zip(index.to_be_bytes().iter().skip(2))
        {
            *byte ^= part;
        }
        block.add_stream(&iv, data);
    }

    fn nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
        let mut iv = *salt;
        for (byte, part) in iv.iter_mut().skip(2).zip(ssrc.to_be_bytes()) {
            *byte ^= part;
        }
        for (byte, part) in iv
            .iter_mut()
            .skip(6)
            .zip(index.to_be_bytes().iter().skip(2))
        {
            *byte ^= part;
        }
        Nonce::assume_unique_for_key(iv)
    }

    /// Protects `data`: encrypts what lies behind `head` and returns the tag, which is as long as [`Transform::tag_len`].
    /// `also` are bytes behind the packet that are authenticated, too: the roll-over counter, or SRTCP's index.
    pub(super) fn seal(
        &self,
        data: &mut [u8],
        head: usize,
        ssrc: u32,
        index: u64,
        also: &[u8],
    ) -> Result<[u8; 20], SrtpError> {
        let mut tag = [0; 20];
        match self {
            Self::Counter {
                block, salt, mac, ..
            } => {
                let body = data.get_mut(head..).ok_or(SrtpError::Short)?;
                Self::stream(block, salt, ssrc, index, body);
                let mut mac = mac.clone();
                mac.update(data);
                mac.update(also);
                tag.copy_from_slice(&mac.finalize().into_bytes());
            }
            Self::Galois { key, salt } => {
                let (header, body) = data.split_at_mut_checked(head).ok_or(SrtpError::Short)?;
                let nonce = Self::nonce(salt, ssrc, index);
                let sealed = with_aad(header, also, |aad| {
                    key.seal_in_place_separate_tag(nonce, Aad::from(aad), body)
                })?
                .map_err(|_| SrtpError::Full)?;
                for (byte, part) in tag.iter_mut().zip(sealed.as_ref()) {
                    *byte = *part;
                }
            }
        }
        Ok(tag)
    }

    /// Checks and opens `data`, at whose end the tag stands. The length of what is left without it.
    pub(super) fn open(
        &self,
        data: &mut [u8],
        head: usize,
        ssrc: u32,
        index: u64,
        also: &[u8],
    ) -> Result<usize, SrtpError> {
        let len = data
            .len()
            .checked_sub(self.tag_len())
            .filter(|len| *len >= head)
            .ok_or(SrtpError::Short)?;
        match self {
            Self::Counter {
                block, salt, mac, ..
            } => {
                let (packet, tag) = data.split_at_mut_checked(len).ok_or(SrtpError::Short)?;
                let mut mac = mac.clone();
                mac.update(packet);
                mac.update(also);
                mac.verify_truncated_left(tag)
                    .map_err(|_| SrtpError::Forged)?;
                let body = packet.get_mut(head..).ok_or(SrtpError::Short)?;
                Self::stream(block, salt, ssrc, index, body);
            }
            Self::Galois { key, salt } => {
                let (header, body) = data.split_at_mut_checked(head).ok_or(SrtpError::Short)?;
                let nonce = Self::nonce(salt, ssrc, index);
                with_aad(header, also, |aad| {
                    key.open_in_place(nonce, Aad::from(aad), body).map(|_| ())
                })?
                .map_err(|_| SrtpError::Forged)?;
            }
        }
        Ok(len)
    }
}

/// The associated data of GCM: the readable beginning of the packet, and of SRTCP the word with its index.
fn with_aad<T>(header: &[u8], also: &[u8], then: impl FnOnce(&[u8]) -> T) -> Result<T, SrtpError> {
    /// The longest header of RTP with sources that is taken together with something else.
    const ROOM: usize = 16;
    if also.is_empty() {
        return Ok(then(header));
    }
    let mut aad = [0; ROOM];
    let len = header.len() + also.len();
    let joined = aad.get_mut(..len).ok_or(SrtpError::Short)?;
    for (byte, part) in joined.iter_mut().zip(header.iter().chain(also)) {
        *byte = *part;
    }
    Ok(then(joined))
}
