//! Two processes at the same listeners: what one has read and the other one owns is passed on, and so is what one sends
//! over a connection of the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossbeam_channel::Sender;
use skillcall_sip::endpoint::{ConnectionId, Flow, Transport};
use skillcall_sip::peek::{Peek, peek};

use mio::Interest;

use super::UDP;
use super::belonging::{Belonging, Side, TheirCalls};
use super::dispatch::Naming;
use super::messages::Read;
use super::running::Running;
use super::stream::StreamTarget;
use crate::handover::{Frame, Link, Passed, Posted};

/// What marks the number of a connection that the other process has.
const BORROWED: u64 = 1 << 63;

/// What a front remembers of what began, when it steps aside.
#[derive(Debug, Default)]
pub(crate) struct Stepped {
    /// Call-IDs of what began a short time ago.
    pub(crate) recent: Vec<Vec<u8>>,
    /// Client session ids that have made a call, and what is left of their time.
    pub(crate) client_sessions: Vec<(String, Duration)>,
}

/// What a front begins with that takes over.
#[derive(Debug)]
pub(crate) struct TakenOver {
    /// The way to the process that was taken over from.
    pub(crate) link: Link,
    /// What that process's ids carry.
    pub(crate) generation: u8,
    /// Its calls.
    pub(crate) calls: TheirCalls,
    /// Client session ids that have made a call, and what is left of their time.
    pub(crate) client_sessions: Vec<(String, Duration)>,
}

/// The other process.
#[derive(Debug)]
pub(super) struct Other {
    link: Link,
    belonging: Belonging,
}

impl Other {
    pub(super) fn of_predecessor(taken_over: TakenOver, naming: Naming, now: Instant) -> Self {
        let TakenOver {
            link,
            generation,
            calls,
            ..
        } = taken_over;
        Self {
            link,
            belonging: Belonging::told(generation, naming.generation(), calls, now),
        }
    }
}

/// The other process's connection that a number means.
fn borrowed(connection: Option<ConnectionId>) -> Option<u64> {
    let number = connection?.0;
    (number & BORROWED != 0).then_some(number & !BORROWED)
}

impl Running {
    /// Passes a message on that is the other process's. False: it is none, and to be taken here.
    pub(super) fn is_passed(
        &mut self,
        flow: &Flow,
        bytes: &Bytes,
        seen: &Peek<'_>,
        now: Instant,
    ) -> bool {
        let Some(other) = &mut self.other else {
            return false;
        };
        if !other.belonging.is_others(seen, now) {
            return false;
        }
        let trunk = flow
            .connection
            .and_then(|id| self.front.trunks.of_connection(id))
            .map(|trunk| trunk.name().to_owned());
        // What is lost here is as lost as a datagram.
        other.link.send(Frame::Message(Passed {
            by: flow.transport.into(),
            remote: flow.remote,
            local: flow.local,
            connection: flow.connection.map(|id| id.0),
            trunk,
            bytes: bytes.to_vec(),
        }));
        true
    }

    /// Sends over the other process's connection what goes there; gives back what goes over an own one.
    pub(super) fn post(&mut self, to: &StreamTarget, bytes: Bytes) -> Option<Bytes> {
        let (Some(connection), Some(other)) = (borrowed(to.connection), &self.other) else {
            return Some(bytes);
        };
        other.link.send(Frame::Send(Posted {
            by: to.transport.into(),
            connection,
            to: to.to,
            name: to.name.as_deref().map(str::to_owned),
            bytes: bytes.to_vec(),
        }));
        None
    }

    /// A phone has registered over a connection: whether the other process has that, and is told.
    pub(super) fn keeps_others(&mut self, connection: ConnectionId, until: Instant) -> bool {
        let Some(connection) = borrowed(Some(connection)) else {
            return false;
        };
        if let Some(other) = &self.other {
            let left = until.saturating_duration_since(Instant::now()).as_secs();
            let seconds = u32::try_from(left).unwrap_or(u32::MAX);
            other.link.send(Frame::Keep {
                connection,
                seconds,
            });
        }
        true
    }

    /// The successor judges what begins: it is told when a client session may make a call again.
    pub(super) fn tell_release(&mut self, csi: &str) {
        if let Some(other) = &self.other
            && other.belonging.side() == Side::Predecessor
        {
            other.link.send(Frame::Release(csi.to_owned()));
        }
    }

    /// Stops reading what comes to the listeners; connections stay, and are read on.
    pub(super) fn step_aside(&mut self, link: Link, reply: &Sender<Stepped>) {
        let now = Instant::now();
        self.listens(false);
        let own = self.front.naming.generation();
        let belonging = Belonging::counting(own, Naming::generation_after(own), now);
        self.other = Some(Other { link, belonging });
        let recent = self.begun.iter().flat_map(|begun| begun.values());
        let stepped = Stepped {
            recent: recent.cloned().collect(),
            client_sessions: self.admission.client_sessions(now),
        };
        // Whoever asked has given up, and says so by `TakeBack`.
        let _ = reply.send(stepped);
    }

    /// The calls that stay are known.
    pub(super) fn counted(&mut self, calls: TheirCalls) {
        if let Some(other) = &mut self.other {
            other.belonging.counted(calls);
        }
    }

    /// The process that took over is gone.
    pub(super) fn take_back(&mut self) {
        self.unlinked();
        if self.stepped_aside {
            self.listens(true);
        }
    }

    /// The other process is gone: all that comes is for this one.
    pub(super) fn unlinked(&mut self) {
        self.other = None;
        let trunks = &self.front.trunks;
        trunks.forget_connections(|id| borrowed(Some(id)).is_some());
    }

    fn listens(&mut self, on: bool) {
        let registry = self.front.poll.registry();
        let mut done = Ok(());
        if let Some(udp) = &mut self.front.udp {
            done = if on {
                registry.register(udp.source(), UDP, Interest::READABLE)
            } else {
                registry.deregister(udp.source())
            };
        }
        if let Some(streams) = &mut self.front.streams {
            done = done.and(streams.accepts(registry, on));
        }
        if let Err(error) = done {
            tracing::error!(%error, on, "the SIP listeners");
        }
        self.stepped_aside = !on;
        self.udp_unread = on;
    }

    /// The other process says something.
    pub(super) fn on_frame(&mut self, frame: Frame) {
        match frame {
            Frame::Message(passed) => self.on_passed(passed),
            Frame::Send(posted) => self.on_posted(posted),
            Frame::Keep {
                connection,
                seconds,
            } => {
                if let Some(streams) = &mut self.front.streams {
                    let until = Instant::now() + Duration::from_secs(seconds.into());
                    streams.keep(ConnectionId(connection), until);
                }
            }
            Frame::Release(csi) => self.admission.release(&csi),
            other => tracing::debug!(?other, "not for the front"),
        }
    }

    fn on_passed(&mut self, passed: Passed) {
        let Some(flow) = flow_of(&passed) else {
            return;
        };
        if let (Some(id), Some(name)) = (flow.connection, &passed.trunk) {
            let trunk = self.front.trunks.now().named(name).cloned();
            if let Some(trunk) = trunk {
                self.front.trunks.note_connection(id, trunk);
            }
        }
        let bytes = Bytes::from(passed.bytes);
        if let (Some(other), Some(seen)) = (&mut self.other, peek(&bytes))
            && other.belonging.side() == Side::Predecessor
        {
            other.belonging.note(&seen);
        }
        if let Some(reply) = self.message(flow, bytes, Read::There) {
            self.reply(&flow, reply);
        }
        self.wake_workers();
    }

    fn reply(&mut self, flow: &Flow, reply: Bytes) {
        if flow.transport == Transport::Udp {
            if let Some(udp) = &self.front.udp {
                udp.answer(flow.remote, &reply);
            }
            return;
        }
        let target = StreamTarget {
            transport: flow.transport,
            connection: flow.connection,
            to: flow.remote,
            name: None,
        };
        self.post(&target, reply);
    }

    fn on_posted(&mut self, posted: Posted) {
        let (Some(transport), Some(streams)) = (posted.by.transport(), &mut self.front.streams)
        else {
            return;
        };
        let target = StreamTarget {
            transport,
            connection: Some(ConnectionId(posted.connection)),
            to: posted.to,
            name: posted.name.map(Into::into),
        };
        let registry = self.front.poll.registry();
        if !streams.send_or_connect(registry, &target, posted.bytes.into(), None) {
            tracing::debug!(to = %posted.to, "cannot be sent for the other process");
        }
        let failed = streams.take_failed();
        self.report_failed(failed);
    }
}

/// The path of a message that the other process has read; its connections are told apart from own ones.
fn flow_of(passed: &Passed) -> Option<Flow> {
    let transport = passed.by.transport()?;
    let (local, remote): (SocketAddr, SocketAddr) = (passed.local, passed.remote);
    if transport == Transport::Udp {
        return Some(Flow::udp(local, remote));
    }
    let connection = ConnectionId(passed.connection? | BORROWED);
    Some(Flow::stream(transport, local, remote, connection))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handover::Use;

    #[test]
    fn connections_of_the_other_process_are_told_apart() {
        let passed = |by, connection| Passed {
            by,
            remote: "192.0.2.1:5060".parse().unwrap(),
            local: "192.0.2.2:5060".parse().unwrap(),
            connection,
            trunk: None,
            bytes: Vec::new(),
        };
        let flow = flow_of(&passed(Use::Tls, Some(17))).unwrap();
        assert_eq!(flow.transport, Transport::Tls);
        assert_ne!(flow.connection, Some(ConnectionId(17)));
        assert_eq!(borrowed(flow.connection), Some(17));
        assert_eq!(borrowed(Some(ConnectionId(17))), None);
        let flow = flow_of(&passed(Use::Udp, None)).unwrap();
        assert_eq!((flow.connection, borrowed(None)), (None, None));
        for nonsense in [
            passed(Use::Tcp, None),
            passed(Use::Control, Some(1)),
            passed(Use::HandOver, None),
        ] {
            assert_eq!(flow_of(&nonsense), None);
        }
    }
}
