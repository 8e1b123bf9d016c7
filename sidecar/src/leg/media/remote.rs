//! Where a leg's peer is: where its packets come from and may come from, and where ours go.

use std::net::SocketAddr;
use std::time::Instant;

use skillcall_media::rtp::RtpPacket;

use super::{Learned, LegMedia};

impl LegMedia {
    /// Something of the peer's has come.
    pub(crate) fn note_heard(&mut self, now: Instant) {
        self.last_heard = Some(now);
    }

    /// When something of the peer's came last.
    pub(crate) fn last_heard(&self) -> Option<Instant> {
        self.last_heard.max(self.session.last_received())
    }

    /// Where RTP goes; none while the peer takes nothing (hold, or an address of zeros: RFC 3264 §5.1, §8.4).
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        if let Some(device) = &self.device {
            let sends = self.agreed && self.we_send && device.is_connected();
            return device.remote().filter(|_| sends);
        }
        let address = match self.learned {
            Learned::Announced => self.announced,
            Learned::Locked(address) => address,
        };
        (self.agreed
            && self.open
            && self.we_send
            && address.port() != 0
            && !self.announced.ip().is_unspecified())
        .then_some(address)
    }

    pub(super) fn rtcp_destination(&self) -> Option<SocketAddr> {
        if let Some(device) = &self.device {
            return device
                .remote()
                .filter(|_| self.agreed && device.is_connected());
        }
        let address = self.learned_rtcp.unwrap_or(self.announced_rtcp);
        (self.agreed && self.open && address.port() != 0 && !address.ip().is_unspecified())
            .then_some(address)
    }

    /// Whether RTP from this address may be this leg's.
    pub(crate) fn listens_to(&self, from: SocketAddr) -> bool {
        self.agreed
            && self.we_receive
            && match self.learned {
                Learned::Announced => true,
                Learned::Locked(address) => address == from || self.announced == from,
            }
    }

    /// Notes that a valid packet came from this address.
    pub(crate) fn learn(&mut self, from: SocketAddr) {
        if self.learned == Learned::Announced {
            self.learned = Learned::Locked(from);
        }
    }

    /// RTP has come from here: follows the peer to where its SDP says, if others were followed before. They are not listened to any
    /// more, so that the media session takes the peer for its source with the second packet.
    pub(crate) fn return_to_announced(&mut self, from: SocketAddr, datagram: &[u8]) {
        if self.announced == from
            && matches!(self.learned, Learned::Locked(other) if other != from)
            && RtpPacket::parse(datagram).is_ok()
        {
            self.learned = Learned::Locked(from);
        }
    }

    /// Takes an RTCP datagram from the host that RTP comes from.
    pub(crate) fn receive_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        let host = match self.learned {
            Learned::Announced => self.announced_rtcp.ip(),
            Learned::Locked(address) => address.ip(),
        };
        if !self.agreed || from.ip() != host {
            return;
        }
        let len = match &mut self.srtp {
            Some(srtp) => match srtp.inbound.unprotect_rtcp(datagram) {
                Ok(len) => len,
                Err(_) => return,
            },
            None => datagram.len(),
        };
        let opened = datagram.get_mut(..len).unwrap_or_default();
        if let Some(shim) = &self.shim {
            shim.rewrite_inbound_rtcp(opened);
        }
        if self.session.receive_rtcp(now, opened).is_ok() {
            self.last_heard = Some(now);
            self.learned_rtcp = Some(from);
        }
    }

    /// Checks and opens a datagram of the peer's where media are encrypted; none if it is not the peer's.
    pub(crate) fn open_rtp<'d>(&mut self, datagram: &'d mut [u8]) -> Option<&'d [u8]> {
        match &mut self.srtp {
            Some(srtp) => {
                let len = srtp.inbound.unprotect_rtp(datagram).ok()?;
                datagram.get(..len)
            }
            None => Some(datagram),
        }
    }
}
