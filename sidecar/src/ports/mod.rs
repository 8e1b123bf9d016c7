//! RTP port pairs: an even port for RTP and the odd one above it for RTCP (RFC 3550 §11).
//!
//! Each worker owns a part of the range, so there is no lock. A pair is used again only
//! after it has rested: late packets of the old call would reach the new one.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::PortRange;

/// Pairs that are tried before a leg is refused, when other programs hold ports of the range: a process that was taken over
/// from may hold many that follow each other. A try takes some microseconds.
const ATTEMPTS: usize = 1024;

/// One worker's part of the RTP ports.
#[derive(Debug)]
pub(crate) struct PortPool {
    address: IpAddr,
    rest: Duration,
    free: VecDeque<u16>,
    draining: VecDeque<(Instant, u16)>,
    in_use: HashSet<u16>,
}

/// Two bound sockets, not blocking. Give the pair back by [`PortPool::release`].
#[derive(Debug)]
pub(crate) struct PortPair {
    /// The even port.
    pub rtp: UdpSocket,
    /// The odd port above it.
    pub rtcp: UdpSocket,
    /// Number of the even port.
    pub port: u16,
}

/// No pair could be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PortError {
    /// All are in use or draining.
    #[error("no RTP port is free: {in_use} in use, {draining} draining; widen [rtp] ports")]
    Exhausted {
        /// Pairs in use.
        in_use: usize,
        /// Pairs that rest.
        draining: usize,
    },
    /// The system refused for another reason than a taken port.
    #[error("RTP port {port} on {address}: {error}")]
    Bind {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
}

impl PortPool {
    /// The part of worker `worker` of `workers`.
    pub(crate) fn new(
        address: IpAddr,
        range: PortRange,
        rest: Duration,
        worker: usize,
        workers: usize,
    ) -> Self {
        let first = range.first_even();
        let free = (0..range.pairs())
            .skip(worker)
            .step_by(workers.max(1))
            .map(|pair| first + 2 * pair)
            .collect();
        Self {
            address,
            rest,
            free,
            draining: VecDeque::new(),
            in_use: HashSet::new(),
        }
    }

    /// Begins anywhere in the range: the process that was taken over from holds a stretch of it.
    pub(crate) fn begin_anywhere(&mut self) {
        if !self.free.is_empty() {
            self.free
                .rotate_left(rand::random_range(0..self.free.len()));
        }
    }

    /// Binds a pair. Ports that another program holds are passed over.
    ///
    /// # Errors
    /// [`PortError`].
    pub(crate) fn take(&mut self, now: Instant) -> Result<PortPair, PortError> {
        while let Some(&(ready, port)) = self.draining.front()
            && ready <= now
        {
            self.draining.pop_front();
            self.free.push_back(port);
        }
        for _ in 0..ATTEMPTS.min(self.free.len()) {
            let Some(port) = self.free.pop_front() else {
                break;
            };
            let pair =
                bind(self.address, port).and_then(|rtp| Ok((rtp, bind(self.address, port + 1)?)));
            match pair {
                Ok((rtp, rtcp)) => {
                    self.in_use.insert(port);
                    return Ok(PortPair { rtp, rtcp, port });
                }
                Err(error) => {
                    self.free.push_back(port);
                    if error.kind() != io::ErrorKind::AddrInUse {
                        return Err(PortError::Bind {
                            address: self.address,
                            port,
                            error,
                        });
                    }
                }
            }
        }
        Err(PortError::Exhausted {
            in_use: self.in_use.len(),
            draining: self.draining.len(),
        })
    }

    /// Closes a pair and lets its ports rest.
    pub(crate) fn release(&mut self, pair: PortPair, now: Instant) {
        self.in_use.remove(&pair.port);
        self.draining.push_back((now + self.rest, pair.port));
    }

    /// Lets the ports of all pairs rest whose owners were lost, with their sockets, without giving them back.
    pub(crate) fn reclaim(&mut self, now: Instant) {
        let ready = now + self.rest;
        self.draining
            .extend(self.in_use.drain().map(|port| (ready, port)));
    }

    #[cfg(test)]
    fn in_use(&self) -> usize {
        self.in_use.len()
    }

    #[cfg(test)]
    fn draining(&self, now: Instant) -> usize {
        self.draining
            .iter()
            .filter(|(ready, _)| *ready > now)
            .count()
    }
}

fn bind(address: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let address = SocketAddr::new(address, port);
    let (domain, protocol) = (Domain::for_address(address), Some(Protocol::UDP));
    // One system call fewer, where the system can: a leg needs two sockets.
    #[cfg(target_os = "linux")]
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), protocol)?;
    #[cfg(not(target_os = "linux"))]
    let socket = {
        let socket = Socket::new(domain, Type::DGRAM, protocol)?;
        socket.set_nonblocking(true)?;
        socket
    };
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_pair_rests_before_it_is_used_again() {
        let range = PortRange::new(46_000, 46_003).unwrap();
        let mut pool = PortPool::new(HERE, range, Duration::from_secs(4), 0, 1);
        let now = Instant::now();
        let first = pool.take(now).unwrap();
        let second = pool.take(now).unwrap();
        assert_ne!(first.port, second.port);
        assert_eq!(first.port % 2, 0);
        assert_eq!(first.rtcp.local_addr().unwrap().port(), first.port + 1);
        assert!(matches!(
            pool.take(now),
            Err(PortError::Exhausted {
                in_use: 2,
                draining: 0
            })
        ));
        let port = first.port;
        pool.release(first, now);
        assert!(pool.take(now + Duration::from_secs(3)).is_err());
        assert_eq!((pool.in_use(), pool.draining(now)), (1, 1));
        assert_eq!(pool.take(now + Duration::from_secs(4)).unwrap().port, port);
    }

    #[test]
    fn a_stretch_that_another_process_holds_is_passed_over() {
        let range = PortRange::new(46_300, 46_699).unwrap();
        let rest = Duration::from_secs(4);
        let mut before = PortPool::new(HERE, range, rest, 0, 1);
        let mut after = PortPool::new(HERE, range, rest, 0, 1);
        after.begin_anywhere();
        let now = Instant::now();
        let held: Vec<PortPair> = (0..150).map(|_| before.take(now).unwrap()).collect();
        let taken: Vec<PortPair> = std::iter::from_fn(|| after.take(now).ok()).collect();
        // There are 200, of which other programs may have some.
        assert!((40..=50).contains(&taken.len()), "{}", taken.len());
        assert!(
            taken
                .iter()
                .all(|pair| held.iter().all(|other| other.port != pair.port))
        );
    }

    #[test]
    fn pairs_whose_owner_was_lost_rest_as_if_given_back() {
        let range = PortRange::new(46_200, 46_203).unwrap();
        let mut pool = PortPool::new(HERE, range, Duration::from_secs(4), 0, 1);
        let now = Instant::now();
        drop([pool.take(now).unwrap(), pool.take(now).unwrap()]);
        assert!(pool.take(now).is_err(), "the pool cannot know");
        pool.reclaim(now);
        assert_eq!((pool.in_use(), pool.draining(now)), (0, 2));
        assert!(pool.take(now + Duration::from_secs(3)).is_err());
        let later = now + Duration::from_secs(4);
        assert_ne!(
            pool.take(later).unwrap().port,
            pool.take(later).unwrap().port
        );
    }

    #[test]
    fn workers_share_no_port_and_taken_ports_are_passed_over() {
        let range = PortRange::new(46_100, 46_107).unwrap();
        let rest = Duration::from_secs(1);
        let mut one = PortPool::new(HERE, range, rest, 0, 2);
        let mut two = PortPool::new(HERE, range, rest, 1, 2);
        let stranger = UdpSocket::bind((HERE, 46_101)).unwrap();
        let now = Instant::now();
        let ports: Vec<u16> = [one.take(now), two.take(now), two.take(now)]
            .into_iter()
            .map(|pair| pair.unwrap().port)
            .collect();
        assert_eq!(ports, [46_104, 46_102, 46_106]);
        drop(stranger);
        assert_eq!(one.take(now).unwrap().port, 46_100);
    }
}
