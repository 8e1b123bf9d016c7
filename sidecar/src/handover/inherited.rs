//! Listening sockets that another process gave, and whether they are those that the configuration names.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use skillcall_sip::endpoint::Transport;

use super::frame::{Listening, Use};
use crate::config::SidecarConfig;

/// Listening sockets of the process that is taken over from; none where there is no such process.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    generation: u8,
    sockets: HashMap<Use, OwnedFd>,
}

impl Inherited {
    /// The sockets that came, for a process whose ids carry `generation`.
    pub(super) fn new(generation: u8, sockets: HashMap<Use, OwnedFd>) -> Self {
        Self {
            generation,
            sockets,
        }
    }

    /// What this process's ids carry.
    pub(crate) const fn generation(&self) -> u8 {
        self.generation
    }

    /// The UDP socket.
    pub(crate) fn udp(&mut self) -> Option<UdpSocket> {
        self.sockets.remove(&Use::Udp).map(UdpSocket::from)
    }

    /// The listener of a transport that goes over connections.
    pub(crate) fn stream(&mut self, transport: Transport) -> Option<TcpListener> {
        self.sockets
            .remove(&transport.into())
            .map(TcpListener::from)
    }

    /// The control API's listener.
    pub(crate) fn control(&mut self) -> Option<TcpListener> {
        self.sockets.remove(&Use::Control).map(TcpListener::from)
    }

    /// The hand-over's own socket.
    pub(crate) fn hand_over(&mut self) -> Option<UnixListener> {
        self.sockets.remove(&Use::HandOver).map(UnixListener::from)
    }
}

/// The addresses that a configuration names.
pub(super) fn named(config: &SidecarConfig) -> Vec<(Use, SocketAddr)> {
    let sip = config.sip.listen.iter();
    let sip = sip.map(|listen| (Transport::from(listen.transport).into(), listen.address));
    sip.chain([(Use::Control, config.control.listen)]).collect()
}

/// What a configuration names otherwise than the process that runs; empty: nothing.
///
/// A listener more is none of it: it is bound anew. One fewer is, as calls may come and go by it.
pub(super) fn differences(theirs: &[Listening], ours: &[(Use, SocketAddr)]) -> Vec<String> {
    let mut different = Vec::new();
    for listening in theirs {
        let (what, Some(bound)) = (listening.what, listening.bound) else {
            continue;
        };
        let own = ours.iter().find(|(use_of, _)| *use_of == what);
        match own {
            Some((_, address)) if Some(*address) == listening.named || *address == bound => {}
            Some((_, address)) => {
                different.push(format!("{what} is {bound} there and {address} here"))
            }
            None => different.push(format!("{what} is {bound} there and nowhere here")),
        }
    }
    different
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_the_same_or_it_is_said_which_is_not() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let theirs = [
            Listening {
                what: Use::Udp,
                named: Some(at("127.0.0.1:0")),
                bound: Some(at("127.0.0.1:5060")),
            },
            Listening {
                what: Use::Control,
                named: Some(at("127.0.0.1:7080")),
                bound: Some(at("127.0.0.1:7080")),
            },
            Listening {
                what: Use::HandOver,
                named: None,
                bound: None,
            },
        ];
        let control = (Use::Control, at("127.0.0.1:7080"));
        for (ours, expected) in [
            // As it was named there, or as it is bound.
            (vec![(Use::Udp, at("127.0.0.1:0")), control], vec![]),
            (vec![(Use::Udp, at("127.0.0.1:5060")), control], vec![]),
            // One more.
            (
                vec![
                    (Use::Udp, at("127.0.0.1:5060")),
                    (Use::Tcp, at("127.0.0.1:5060")),
                    control,
                ],
                vec![],
            ),
            (
                vec![(Use::Udp, at("127.0.0.1:5070")), control],
                vec!["udp is 127.0.0.1:5060 there and 127.0.0.1:5070 here"],
            ),
            (
                vec![
                    (Use::Tcp, at("127.0.0.1:5060")),
                    (Use::Control, at("[::1]:7080")),
                ],
                vec![
                    "udp is 127.0.0.1:5060 there and nowhere here",
                    "control is 127.0.0.1:7080 there and [::1]:7080 here",
                ],
            ),
        ] {
            assert_eq!(differences(&theirs, &ours), expected);
        }
    }
}
