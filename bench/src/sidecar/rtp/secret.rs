//! One leg's SRTP, as offer and answer agreed on it.

use std::cell::RefCell;

use skillcall_media::srtp::{Inbound, Outbound, Suite};
use skillcall_sip::sdp::{CryptoSuite, NegotiatedSrtp, SrtpKey};

/// Both keys of a leg, and what has come so far.
pub(in crate::sidecar) struct Secret {
    send: SrtpKey,
    inbound: RefCell<Inbound>,
}

impl Secret {
    /// Of these keys.
    pub(in crate::sidecar) fn new(keys: &NegotiatedSrtp) -> anyhow::Result<Self> {
        let receive = &keys.receive;
        let inbound = Inbound::new(suite(receive), receive.key(), receive.salt())?;
        Ok(Self {
            send: keys.send.clone(),
            inbound: RefCell::new(inbound),
        })
    }

    /// For a new stream.
    pub(super) fn outbound(&self) -> anyhow::Result<Outbound> {
        let send = &self.send;
        Ok(Outbound::new(suite(send), send.key(), send.salt())?)
    }

    /// A packet in clear; nothing of one that cannot be opened.
    pub(super) fn open<'p>(&self, packet: &'p mut [u8]) -> &'p [u8] {
        let opened = self.inbound.borrow_mut().unprotect_rtp(packet);
        packet.get(..opened.unwrap_or_default()).unwrap_or_default()
    }
}

fn suite(key: &SrtpKey) -> Suite {
    match key.suite() {
        CryptoSuite::AesCm128Sha1_80 => Suite::AesCm128Sha1_80,
        CryptoSuite::AesCm128Sha1_32 => Suite::AesCm128Sha1_32,
        CryptoSuite::AesCm256Sha1_80 => Suite::AesCm256Sha1_80,
        CryptoSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        CryptoSuite::AeadAes256Gcm => Suite::AeadAes256Gcm,
    }
}
