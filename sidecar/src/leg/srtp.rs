//! A leg's SRTP: keys as offer and answer have them, and the counters that go with the keys.

use skillcall_media::srtp::{Inbound, Outbound, SrtpError, Suite};
use skillcall_sip::sdp::{CryptoSuite, NegotiatedSrtp, SrtpKey};

/// Both directions of a leg.
#[derive(Debug)]
pub(crate) struct LegSrtp {
    keys: NegotiatedSrtp,
    pub(crate) out: Outbound,
    pub(crate) inbound: Inbound,
}

impl LegSrtp {
    fn new(keys: &NegotiatedSrtp) -> Result<Self, SrtpError> {
        Ok(Self {
            keys: keys.clone(),
            out: outbound(&keys.send)?,
            inbound: inbound(&keys.receive)?,
        })
    }

    /// What follows from an offer and answer: a direction whose key stays goes on with its counters, or the peer could
    /// not follow after the first roll-over (RFC 3711 §3.3.1).
    ///
    /// # Errors
    /// A key that its suite does not take.
    pub(crate) fn follow(
        old: Option<Box<Self>>,
        keys: Option<&NegotiatedSrtp>,
    ) -> Result<Option<Box<Self>>, SrtpError> {
        let Some(keys) = keys else { return Ok(None) };
        let Some(mut old) = old else {
            return Self::new(keys).map(|new| Some(Box::new(new)));
        };
        if old.keys.send != keys.send {
            old.out = outbound(&keys.send)?;
        }
        if old.keys.receive != keys.receive {
            old.inbound = inbound(&keys.receive)?;
        }
        old.keys = keys.clone();
        Ok(Some(old))
    }

    /// The suite's name in SDP.
    pub(crate) fn suite(&self) -> &'static str {
        self.keys.send.suite().name()
    }
}

fn outbound(key: &SrtpKey) -> Result<Outbound, SrtpError> {
    Outbound::new(suite(key), key.key(), key.salt())
}

fn inbound(key: &SrtpKey) -> Result<Inbound, SrtpError> {
    Inbound::new(suite(key), key.key(), key.salt())
}

const fn suite(key: &SrtpKey) -> Suite {
    match key.suite() {
        CryptoSuite::AesCm128Sha1_80 => Suite::AesCm128Sha1_80,
        CryptoSuite::AesCm128Sha1_32 => Suite::AesCm128Sha1_32,
        CryptoSuite::AesCm256Sha1_80 => Suite::AesCm256Sha1_80,
        CryptoSuite::AeadAes128Gcm => Suite::AeadAes128Gcm,
        CryptoSuite::AeadAes256Gcm => Suite::AeadAes256Gcm,
    }
}
