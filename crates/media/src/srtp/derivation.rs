//! Session keys from a master key (RFC 3711 §4.3, RFC 6188 §3, RFC 7714 §11).

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};

use super::SrtpError;

/// What a session key is for.
#[derive(Clone, Copy)]
pub(super) enum Label {
    RtpEncryption = 0,
    RtpAuthentication = 1,
    RtpSalt = 2,
    RtcpEncryption = 3,
    RtcpAuthentication = 4,
    RtcpSalt = 5,
}

/// AES of either key length.
#[derive(Clone)]
pub(super) enum Block {
    Short(Aes128),
    Long(Aes256),
}

impl Block {
    pub(super) fn new(key: &[u8]) -> Result<Self, SrtpError> {
        match key.len() {
            16 => Aes128::new_from_slice(key).map(Self::Short),
            _ => Aes256::new_from_slice(key).map(Self::Long),
        }
        .map_err(|_| SrtpError::Key)
    }

    fn encrypt(&self, blocks: &mut [aes::Block]) {
        match self {
            Self::Short(aes) => aes.encrypt_blocks(blocks),
            Self::Long(aes) => aes.encrypt_blocks(blocks),
        }
    }

    /// Adds the key stream that begins with the counter block `iv`, whose last two bytes count (RFC 3711 §4.1.1).
    pub(super) fn add_stream(&self, iv: &[u8; 16], data: &mut [u8]) {
        /// Blocks that are encrypted at a time: what 20 ms of G.711 needs takes two rounds.
        const BATCH: usize = 8;
        let mut counter = u16::from_be_bytes([iv[14], iv[15]]);
        for part in data.chunks_mut(16 * BATCH) {
            let mut blocks = [aes::Block::default(); BATCH];
            let count = part.len().div_ceil(16);
            let blocks = blocks.get_mut(..count).unwrap_or_default();
            for block in blocks.iter_mut() {
                block.copy_from_slice(iv);
                let [high, low] = counter.to_be_bytes();
                block[14] = high;
                block[15] = low;
                counter = counter.wrapping_add(1);
            }
            self.encrypt(blocks);
            for (byte, key) in part.iter_mut().zip(blocks.iter().flatten()) {
                *byte ^= key;
            }
        }
    }
}

/// Fills `out` with the session key for `label`. A salt of 12 bytes counts as one of 14 with zeros behind it.
pub(super) fn derive(
    key: &[u8],
    salt: &[u8],
    label: Label,
    out: &mut [u8],
) -> Result<(), SrtpError> {
    let mut iv = [0; 16];
    for (byte, salt) in iv.iter_mut().zip(salt) {
        *byte = *salt;
    }
    iv[7] ^= label as u8;
    out.fill(0);
    Block::new(key)?.add_stream(&iv, out);
    Ok(())
}
