//! Datagrams in, packets out (RFC 7983, RFC 5761).

use std::{net::SocketAddr, time::Instant};

use skillcall_media::{rtp::is_rtcp, srtp::SrtpError};
use thiserror::Error;

use super::{Dropped, Peer};
use crate::ice::Route;

/// What a datagram was.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// An RTP packet, opened.
    Rtp(&'a [u8]),
    /// An RTP packet of the video line's, opened.
    Video(&'a [u8]),
    /// A compound RTCP packet, opened.
    Rtcp(&'a [u8]),
    /// ICE or DTLS: [`Peer::poll`] has the answer.
    Handled,
    /// It changed nothing.
    Dropped(Dropped),
}

/// Why a packet cannot be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotReady {
    /// The handshake is not over, or consent is lost.
    #[error("the leg is not connected")]
    NotConnected,
    /// The packet is none, or the buffer has no room for the tag ([`skillcall_media::srtp::OVERHEAD`]).
    #[error(transparent)]
    Srtp(#[from] SrtpError),
}

/// Counters since the start. What is dropped is harmless, and of interest when a call is silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Messages of ICE that were of the peer.
    pub stun: u64,
    /// Messages of ICE that were not.
    pub stun_dropped: u64,
    /// Datagrams from addresses that ICE does not know.
    pub strangers: u64,
    /// RTP and RTCP packets that were opened.
    pub opened: u64,
    /// RTP and RTCP packets that were forged or damaged.
    pub forged: u64,
    /// RTP and RTCP packets that were received before.
    pub replayed: u64,
    /// Packets that came before the keys.
    pub early: u64,
    /// Datagrams of no known kind.
    pub unknown: u64,
    /// Datagrams of ICE and DTLS that nobody fetched.
    pub not_sent: u64,
}

impl Peer {
    /// Takes a datagram that came from `remote` to our address `local`. RTP and RTCP are opened in place and handed out.
    pub fn receive<'a>(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Received<'a> {
        let taken = match datagram.first() {
            Some(0..=3) => self.take_stun(now, local, remote, datagram),
            Some(20..=63) => self.take_dtls(now, Route { local, remote }, datagram),
            Some(128..=191) => return self.take_media(remote, datagram),
            _ => Err(Dropped::Unknown),
        };
        match taken {
            Ok(()) => Received::Handled,
            Err(dropped) => {
                self.count(dropped);
                Received::Dropped(dropped)
            }
        }
    }

    fn count(&mut self, dropped: Dropped) {
        let figures = &mut self.figures;
        *match dropped {
            Dropped::Stun => &mut figures.stun_dropped,
            Dropped::Stranger => &mut figures.strangers,
            Dropped::Early => &mut figures.early,
            Dropped::Srtp(SrtpError::Replayed) => &mut figures.replayed,
            Dropped::Srtp(_) => &mut figures.forged,
            Dropped::Unknown => &mut figures.unknown,
        } += 1;
    }

    fn take_stun(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        datagram: &[u8],
    ) -> Result<(), Dropped> {
        let agents = [
            Some(&mut self.ice),
            self.next_ice.as_mut(),
            self.old_ice.as_mut().map(|(old, _)| old),
        ];
        let taken = agents
            .into_iter()
            .flatten()
            .any(|agent| agent.receive(now, local, remote, datagram));
        if !taken {
            return Err(Dropped::Stun);
        }
        self.figures.stun += 1;
        self.follow_ice(now);
        Ok(())
    }

    pub(super) fn knows(&self, remote: SocketAddr) -> bool {
        let agents = [
            Some(&self.ice),
            self.next_ice.as_ref(),
            self.old_ice.as_ref().map(|(old, _)| old),
        ];
        agents
            .into_iter()
            .flatten()
            .any(|agent| agent.knows(remote))
    }

    fn take_media<'a>(&mut self, remote: SocketAddr, datagram: &'a mut [u8]) -> Received<'a> {
        match self.open(remote, datagram) {
            Ok((false, len)) => {
                let packet = datagram.get(..len).unwrap_or_default();
                match self.demux.is_video(packet) {
                    true => Received::Video(packet),
                    false => Received::Rtp(packet),
                }
            }
            Ok((true, len)) => Received::Rtcp(datagram.get(..len).unwrap_or_default()),
            Err(dropped) => {
                self.count(dropped);
                Received::Dropped(dropped)
            }
        }
    }

    /// Whether it is RTCP, and its length.
    fn open(&mut self, remote: SocketAddr, datagram: &mut [u8]) -> Result<(bool, usize), Dropped> {
        if !self.knows(remote) {
            return Err(Dropped::Stranger);
        }
        let (_, inbound) = &mut **self.srtp.as_mut().ok_or(Dropped::Early)?;
        let control = is_rtcp(datagram);
        let len = if control {
            inbound.unprotect_rtcp(datagram)?
        } else {
            inbound.unprotect_rtp(datagram)?
        };
        self.figures.opened += 1;
        Ok((control, len))
    }

    /// Protects the RTP packet in the first `len` bytes of `buffer` in place. Which way it goes, and its length then.
    ///
    /// # Errors
    /// The leg is not connected, or the buffer holds no packet or has no room for the tag.
    pub fn send_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<(Route, usize), NotReady> {
        let route = self.way()?;
        let (outbound, _) = &mut **self.srtp.as_mut().ok_or(NotReady::NotConnected)?;
        Ok((route, outbound.protect_rtp(buffer, len)?))
    }

    /// Protects the compound RTCP packet in the first `len` bytes of `buffer` in place. Which way it goes, and its length
    /// then.
    ///
    /// # Errors
    /// The leg is not connected, or the buffer holds no packet or has no room for the tag.
    pub fn send_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<(Route, usize), NotReady> {
        let route = self.way()?;
        let (outbound, _) = &mut **self.srtp.as_mut().ok_or(NotReady::NotConnected)?;
        Ok((route, outbound.protect_rtcp(buffer, len)?))
    }

    fn way(&self) -> Result<Route, NotReady> {
        self.ice
            .route()
            .filter(|_| self.connected)
            .ok_or(NotReady::NotConnected)
    }
}
