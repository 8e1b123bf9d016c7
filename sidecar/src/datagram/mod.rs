//! Datagrams many at a time: a busy listener spends most of its time in system calls, and one call
//! that takes 32 datagrams costs little more than one that takes a single one.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod one_by_one;

#[cfg(target_os = "linux")]
pub(crate) use linux::{Receiver, Sender};
#[cfg(not(target_os = "linux"))]
pub(crate) use one_by_one::{Receiver, Sender};

/// The largest datagram.
const LARGEST: usize = 65_535;
/// Datagrams of one system call.
pub(crate) const BATCH: usize = 32;

/// How a batch was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// There may be more.
    Some,
    /// Nothing is left.
    Empty,
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};

    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_is_sent_arrives_whole_in_order_and_from_its_sender() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Not every machine has IPv6.
            let (Ok(from), Ok(to)) = (UdpSocket::bind(address), UdpSocket::bind(address)) else {
                continue;
            };
            to.set_nonblocking(true).unwrap();
            let target = to.local_addr().unwrap();
            let mut receiver = Receiver::new();
            assert_eq!(
                receiver
                    .receive(&to, |_, _| panic!("nothing was sent"))
                    .unwrap(),
                Received::Empty
            );
            let sent: Vec<(SocketAddr, Bytes)> = (0..3 * BATCH + 5)
                .map(|n| (target, Bytes::from(vec![(n % 251) as u8; 1 + n * 13])))
                .collect();
            let mut sender = Sender::new();
            sender.send(&from, &sent, |place, error| panic!("{place}: {error}"));
            let mut got = Vec::new();
            while receiver
                .receive(&to, |source, bytes| {
                    assert_eq!(source, from.local_addr().unwrap());
                    got.push(bytes.to_vec());
                })
                .unwrap()
                == Received::Some
            {}
            let wanted: Vec<Vec<u8>> = sent.iter().map(|(_, bytes)| bytes.to_vec()).collect();
            assert_eq!(got, wanted);
        }
    }

    #[test]
    fn one_that_cannot_be_sent_holds_up_no_other() {
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = to.local_addr().unwrap();
        // A socket of IPv4 reaches no address of IPv6.
        let bad: SocketAddr = "[::1]:9".parse().unwrap();
        let batch: Vec<(SocketAddr, Bytes)> = [bad, good, bad, good]
            .into_iter()
            .map(|to| (to, Bytes::from_static(b"x")))
            .collect();
        let mut failed = Vec::new();
        Sender::new().send(&from, &batch, |place, error: io::Error| {
            assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
            failed.push(place);
        });
        assert_eq!(failed, [0, 2]);
        let mut buffer = [0; 8];
        for _ in 0..2 {
            assert_eq!(to.recv(&mut buffer).unwrap(), 1);
        }
    }
}
