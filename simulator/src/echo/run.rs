//! A leg's task: its sockets, its clock of 20 ms, and what the peer wants to send.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use skillcall_media::FRAME_MS;
use skillcall_webrtc::{Event, Output, Wire};
use tokio::{
    net::UdpSocket,
    sync::{Notify, watch},
    time::MissedTickBehavior,
};

use super::ear::Ear;

/// What a leg's task shares with its owner.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    /// The owner has changed something.
    pub(super) wake: Notify,
    /// Counts what has happened, so that waiting needs no clock.
    pub(super) changed: watch::Sender<u64>,
}

/// A leg.
#[derive(Debug)]
pub(super) struct State {
    pub(super) wire: Wire,
    pub(super) ear: Option<Ear>,
    /// The present socket, and before it the one of another network.
    pub(super) sockets: Vec<Arc<UdpSocket>>,
    pub(super) connected: bool,
    pub(super) disconnected: Option<String>,
    /// The task ends.
    pub(super) over: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sends by the socket of that address. What does not go at once is lost, as on any network.
    fn send(sockets: &[Arc<UdpSocket>], local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        let socket = sockets
            .iter()
            .find(|socket| socket.local_addr().is_ok_and(|address| address == local));
        if let Some(socket) = socket {
            let _ = socket.try_send_to(bytes, remote);
        }
    }

    fn receive(&mut self, socket: &UdpSocket, remote: SocketAddr, datagram: &mut [u8]) {
        let Ok(local) = socket.local_addr() else {
            return;
        };
        let now = Instant::now();
        let ear = &mut self.ear;
        // What is dropped is counted by the peer.
        let _ = self.wire.receive(now, local, remote, datagram, |packet| {
            if let Some(ear) = ear {
                ear.take(now, packet);
            }
        });
    }

    fn tick(&mut self) {
        let (sockets, wire) = (&self.sockets, &mut self.wire);
        if let Some(ear) = &mut self.ear {
            ear.tick(Instant::now(), wire, |route, bytes| {
                Self::send(sockets, route.local, route.remote, bytes);
            });
        }
    }

    /// Does what the peer wants, and tells when it wants to be asked again.
    pub(super) fn drive(&mut self) -> Instant {
        loop {
            match self.wire.peer_mut().poll(Instant::now()) {
                Output::Transmit(transmit) => {
                    Self::send(
                        &self.sockets,
                        transmit.local,
                        transmit.remote,
                        &transmit.bytes,
                    );
                }
                Output::Event(Event::Connected) => {
                    self.connected = true;
                    self.disconnected = None;
                }
                Output::Event(Event::Disconnected(reason)) => {
                    self.connected = false;
                    self.disconnected = Some(reason.to_string());
                }
                Output::Wait(at) => return at,
            }
        }
    }
}

/// The next datagram of a socket, if there is one at all.
async fn next(socket: Option<&Arc<UdpSocket>>, room: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket {
        // An ICMP error is of one datagram: the next one may arrive.
        Some(socket) => socket.recv_from(room).await.ok(),
        None => std::future::pending().await,
    }
}

pub(super) async fn run(shared: Arc<Shared>) {
    let period = Duration::from_millis(FRAME_MS.into());
    let mut clock = tokio::time::interval(period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut first, mut second) = ([0; 2048], [0; 2048]);
    loop {
        let (due, sockets) = {
            let mut state = shared.lock();
            let due = state.drive();
            if state.over {
                // The ports are free for others when this returns.
                state.sockets.clear();
                break;
            }
            (due, state.sockets.clone())
        };
        shared.changed.send_modify(|count| *count += 1);
        tokio::select! {
            Some((len, from)) = next(sockets.first(), &mut first) => {
                if let (Some(socket), Some(datagram)) = (sockets.first(), first.get_mut(..len)) {
                    shared.lock().receive(socket, from, datagram);
                }
            }
            Some((len, from)) = next(sockets.get(1), &mut second) => {
                if let (Some(socket), Some(datagram)) = (sockets.get(1), second.get_mut(..len)) {
                    shared.lock().receive(socket, from, datagram);
                }
            }
            _ = clock.tick() => shared.lock().tick(),
            () = tokio::time::sleep_until(due.into()) => {}
            () = shared.wake.notified() => {}
        }
    }
    shared.changed.send_modify(|count| *count += 1);
}
