//! A request inside a dialog whose next hop is a name: looked up, then sent (RFC 3263).

use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;

use skillcall_sip::endpoint::{Destination, Transmit, Transport};
use skillcall_sip::message::{Host, Uri};

use super::{Running, ToWorker};
use crate::leg::Target;
use crate::resolve::Hop;

/// Names that are looked up at the same time at most; a request to one more is sent again by its transaction.
const MOST_NAMES: usize = 1000;
/// Messages that wait for one name at most.
const MOST_WAITING: usize = 1000;

/// A next hop that is a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NextHop {
    host: Host,
    port: Option<u16>,
    transport: Transport,
    fallback: SocketAddr,
}

impl NextHop {
    fn target(&self) -> Option<Target> {
        let uri = Uri::sip(None, &self.host, self.port).ok()?;
        let transport = match self.transport {
            // What the URI says nothing about is left to the name's records.
            Transport::Udp => String::new(),
            other => format!(";transport={}", other.as_str().to_ascii_lowercase()),
        };
        Target::parse(&format!("{uri}{transport}")).ok()
    }
}

impl Running {
    pub(super) fn look_up_next_hop(&mut self, transmit: Transmit) {
        let Destination::Unresolved {
            host,
            port,
            fallback,
        } = &transmit.destination
        else {
            return;
        };
        let hop = NextHop {
            host: host.clone(),
            port: *port,
            transport: transmit.transport,
            fallback: *fallback,
        };
        let full = self.nameless.len() >= MOST_NAMES;
        match self.nameless.entry(hop.clone()) {
            Entry::Occupied(mut waiting) => {
                if waiting.get().len() < MOST_WAITING {
                    waiting.get_mut().push(transmit);
                }
            }
            Entry::Vacant(vacant) if !full => {
                vacant.insert(vec![transmit]);
                let (names, worker) = (Arc::clone(&self.shared.names), self.handle.clone());
                self.shared.runtime.spawn(async move {
                    let found = match hop.target() {
                        Some(target) => names.find(&target, false).await.ok(),
                        None => None,
                    };
                    // Its Via says by which transport it goes, so no other one will do.
                    let found = found.and_then(|hops| {
                        hops.into_iter()
                            .find(|found| found.transport == hop.transport)
                    });
                    worker.send(ToWorker::NextHop { hop, found });
                });
            }
            Entry::Vacant(_) => {}
        }
    }

    /// A name was looked up, or not: then the message goes where the dialog came from.
    pub(super) fn on_next_hop(&mut self, hop: &NextHop, found: Option<Hop>) {
        let to = found.as_ref().map_or(hop.fallback, |found| found.address);
        if let Some(found) = &found {
            self.expect_peer(found, None);
        }
        for mut transmit in self.nameless.remove(hop).unwrap_or_default() {
            transmit.destination = Destination::Addr(to);
            self.resolved.push_back(transmit);
        }
    }
}
