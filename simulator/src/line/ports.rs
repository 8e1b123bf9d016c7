//! The RTP and RTCP sockets of a call.

use std::net::{IpAddr, SocketAddr};

use tokio::net::UdpSocket;

use super::LineError;

/// Attempts to find an even port whose neighbour is free (RFC 3550 §11).
const PORT_ATTEMPTS: usize = 64;

/// The RTP and RTCP sockets of a call.
#[derive(Debug)]
pub(super) struct RtpSockets {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    local: SocketAddr,
}

impl RtpSockets {
    /// Binds an even port for RTP and the next one for RTCP.
    pub(super) async fn bind(ip: IpAddr) -> Result<Self, LineError> {
        let wanted = SocketAddr::new(ip, 0);
        let error = |source| LineError::Socket {
            address: wanted,
            source,
        };
        for _ in 0..PORT_ATTEMPTS {
            let first = UdpSocket::bind(wanted).await.map_err(error)?;
            let port = first.local_addr().map_err(error)?.port();
            let Some(neighbour) = (if port % 2 == 0 {
                port.checked_add(1)
            } else {
                port.checked_sub(1)
            }) else {
                continue;
            };
            let Ok(second) = UdpSocket::bind(SocketAddr::new(ip, neighbour)).await else {
                continue;
            };
            let (rtp, rtcp) = if port % 2 == 0 {
                (first, second)
            } else {
                (second, first)
            };
            let local = rtp.local_addr().map_err(error)?;
            return Ok(Self { rtp, rtcp, local });
        }
        Err(error(std::io::ErrorKind::AddrInUse.into()))
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }
}
