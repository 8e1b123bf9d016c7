//! A leg's packets on their way out: in the codec of the wire, encrypted, captured, by a socket or a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::UdpSocket;
use skillcall_media::rtp::MAX_PACKET;
use skillcall_webrtc::Carrier;

use super::LegMedia;
use crate::leg::streams::Streams;

impl LegMedia {
    /// Sends what is neither RTP nor RTCP.
    pub(crate) fn send_datagram(&mut self, datagram: &[u8], to: Carrier) {
        carry(&self.rtp, &mut self.streams, datagram, to);
    }

    /// Sends the RTP packet in the first `len` bytes of `out`.
    pub(crate) fn send_rtp(&mut self, out: &mut [u8; MAX_PACKET], len: usize, to: SocketAddr) {
        self.send_relayed(out, len, to, false);
    }

    /// As [`LegMedia::send_rtp`]; `passes`: its payload is in the peer's codec already.
    pub(crate) fn send_relayed(
        &mut self,
        out: &mut [u8; MAX_PACKET],
        len: usize,
        to: SocketAddr,
        passes: bool,
    ) {
        if let Some(device) = &mut self.device {
            let (socket, capture, streams) = (&self.rtp, &self.capture, &mut self.streams);
            device.send_rtp(out, len, passes, |to, packet| {
                carry(socket, streams, packet, to);
                if let (Some(capture), Carrier::Socket(to)) = (capture, to) {
                    capture.sent(to, packet);
                }
            });
            return;
        }
        let Some(mut shim) = self.shim.take() else {
            return self.put_rtp(out, len, to);
        };
        let packet = out.get(..len).unwrap_or_default();
        shim.outbound(packet, passes, |out, len| self.put_rtp(out, len, to));
        self.shim = Some(shim);
    }

    pub(super) fn put_rtp(&mut self, out: &mut [u8; MAX_PACKET], len: usize, to: SocketAddr) {
        let len = match &mut self.srtp {
            Some(srtp) => srtp.out.protect_rtp(out, len).ok(),
            None => Some(len),
        };
        if let Some(packet) = len.and_then(|len| out.get(..len)) {
            send(&self.rtp, packet, to);
            // As it is on the wire: what is encrypted stays so in a capture.
            if let Some(capture) = &self.capture {
                capture.sent(to, packet);
            }
        }
    }

    pub(super) fn send_rtcp(&mut self, out: &mut [u8; MAX_PACKET], len: usize, to: SocketAddr) {
        if let Some(device) = &mut self.device {
            // Both go one way (RFC 5761).
            let (socket, streams) = (&self.rtp, &mut self.streams);
            device.send_rtcp(out, len, |to, packet| carry(socket, streams, packet, to));
            return;
        }
        if let Some(shim) = &self.shim {
            shim.rewrite_outbound_rtcp(out.get_mut(..len).unwrap_or_default());
        }
        let len = match &mut self.srtp {
            Some(srtp) => srtp.out.protect_rtcp(out, len).ok(),
            None => Some(len),
        };
        if let Some(packet) = len.and_then(|len| out.get(..len)) {
            send(&self.rtcp, packet, to);
        }
    }

    /// Sends a last report: the leg ends.
    pub(crate) fn goodbye(&mut self, now: Instant) {
        let mut out = [0; 2_048];
        if let Some(video) = self.video.as_mut().filter(|video| video.is_agreed())
            && let Some(len) = video.session.goodbye(now, &mut out)
        {
            self.send_video_rtcp(&mut out, len);
        }
        let mut out = [0; MAX_PACKET];
        if let Some(to) = self.rtcp_destination()
            && let Some(len) = self.session.goodbye(now, &mut out)
        {
            self.send_rtcp(&mut out, len, to);
        }
    }
}

/// Sends to an address, or by a connection.
pub(super) fn carry(socket: &UdpSocket, streams: &mut Streams, packet: &[u8], to: Carrier) {
    match to {
        Carrier::Socket(to) => send(socket, packet, to),
        Carrier::Stream(number) => streams.send(number, packet),
    }
}

/// A packet that cannot be sent is lost, as packets are.
pub(in crate::leg) fn send(socket: &UdpSocket, packet: &[u8], to: SocketAddr) {
    if let Err(error) = socket.send_to(packet, to)
        && error.kind() != io::ErrorKind::WouldBlock
        && error.kind() != io::ErrorKind::ConnectionRefused
    {
        tracing::trace!(%to, %error, "RTP send");
    }
}
