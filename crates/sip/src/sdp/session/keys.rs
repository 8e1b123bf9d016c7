//! SRTP's keys in a session's descriptions (RFC 4568).

use super::super::crypto::CryptoLine;
use super::super::remote::{AVP, Remote, SAVP};
use super::super::{NegotiatedSrtp, SdpError, SrtpPolicy};
use super::MediaSession;

impl MediaSession {
    /// The profile of a first offer.
    pub(super) fn own_proto(&self) -> &'static str {
        let srtp = &self.capabilities.srtp;
        if srtp.is_on() && srtp.policy == SrtpPolicy::Required {
            SAVP
        } else {
            AVP
        }
    }

    /// Our keys as an offer lists them; not on a plain line that was agreed on without them.
    pub(super) fn offered_crypto(&self) -> Vec<CryptoLine> {
        let srtp = &self.capabilities.srtp;
        let plain = self
            .negotiated
            .as_ref()
            .is_some_and(|agreed| agreed.srtp.is_none());
        if !srtp.is_on() || plain {
            return Vec::new();
        }
        let mut lines: Vec<CryptoLine> = srtp.offered().collect();
        // The key that is in use comes first, as an agreed codec does.
        let in_use = self
            .negotiated
            .as_ref()
            .and_then(|agreed| agreed.srtp.as_ref());
        if let Some(in_use) = in_use {
            lines.sort_by_key(|line| line.key != in_use.send);
        }
        lines
    }

    /// What an offer's keys come to.
    pub(super) fn agreed_keys(&self, offered: &[CryptoLine]) -> Option<NegotiatedSrtp> {
        let (theirs, ours) = self.capabilities.srtp.choose(offered)?;
        Some(NegotiatedSrtp {
            send: ours.clone(),
            receive: theirs.key.clone(),
            tag: theirs.tag,
        })
    }

    /// What an answer's keys come to (RFC 4568 §5.1.3): one line with a tag and suite of the offer, on the same profile.
    pub(super) fn answered_keys(
        &self,
        remote: &Remote,
    ) -> Result<Option<NegotiatedSrtp>, SdpError> {
        let offered = self
            .lines
            .get(self.audio)
            .map_or(AVP, |line| line.proto.as_str());
        let mismatch = || SdpError::SrtpMismatch {
            offered: offered.to_owned(),
        };
        if !remote.audio.proto.eq_ignore_ascii_case(offered) {
            return Err(mismatch());
        }
        let Some(theirs) = remote.audio.crypto.first() else {
            return if offered.eq_ignore_ascii_case(SAVP) {
                Err(mismatch())
            } else {
                Ok(None)
            };
        };
        let lines = self.offered_crypto();
        let ours = lines
            .iter()
            .find(|line| line.tag == theirs.tag && line.key.suite() == theirs.key.suite());
        match ours {
            Some(ours) => Ok(Some(NegotiatedSrtp {
                send: ours.key.clone(),
                receive: theirs.key.clone(),
                tag: ours.tag,
            })),
            // Keys that nobody offered, on a plain line: passed over.
            None if lines.is_empty() && offered.eq_ignore_ascii_case(AVP) => Ok(None),
            None => Err(mismatch()),
        }
    }
}
