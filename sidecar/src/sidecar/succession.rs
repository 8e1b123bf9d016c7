//! The place in a line of processes: taking over from the one that runs, and waiting for the one that takes over.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use skillcall_sip::endpoint::Transport;

use super::leaving::LeaveTaking;
use super::{Sidecar, StartError, io};
use crate::config::SidecarConfig;
use crate::control::Control;
use crate::figures::Figures;
use crate::front::{Front, Naming, ToFront};
use crate::gateway::{Standing, Switchboard};
use crate::handover::{
    Approach, Elder, End, HandoverError, Listening, Parts, Predecessor, Stands, TakenFrom, Use,
};
use crate::trunks::{Registrar, Trunks};
use crate::worker::ToWorker;

/// How often the end of the last call is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// After the last call its transactions go on for 64·T1 (RFC 3261 §17): what is repeated is still answered.
const LAST_TRANSACTIONS: Duration = Duration::from_secs(35);

/// A process that runs, if there is one and it hands over.
pub(super) async fn approach(config: &SidecarConfig) -> Result<Option<Approach>, StartError> {
    let Some(socket) = &config.handover.socket else {
        return Ok(None);
    };
    let path = config.resolve(socket);
    let asked = tokio::task::spawn_blocking(move || Approach::to(&path)).await;
    Ok(asked.map_err(gone)??)
}

/// Takes over.
pub(super) async fn take(
    approach: Option<Approach>,
    figures: &Arc<Figures>,
) -> Result<Option<TakenFrom>, StartError> {
    let Some(approach) = approach else {
        return Ok(None);
    };
    let figures = Arc::clone(figures);
    let taken = tokio::task::spawn_blocking(move || approach.take(figures)).await;
    Ok(Some(taken.map_err(gone)??))
}

fn gone(error: tokio::task::JoinError) -> StartError {
    HandoverError::BrokenOff(std::io::Error::other(error)).into()
}

/// The nonces that the process has taken that was taken over from.
pub(super) fn used_nonces(taken: Option<&mut TakenFrom>) -> Vec<(i64, String)> {
    taken.map_or_else(Vec::new, |taken| std::mem::take(&mut taken.told.nonces))
}

/// That process as the control API knows it.
pub(super) fn elder(taken: Option<&TakenFrom>) -> Result<Option<Arc<Elder>>, StartError> {
    let elder = taken.map(Elder::new).transpose();
    let elder = elder
        .map_err(std::io::Error::other)
        .map_err(io("the way to the process that was taken over from"))?;
    Ok(elder.map(Arc::new))
}

/// Trunks that know us by registration are known until our own REGISTER is answered.
pub(super) fn tell_trunks(taken: Option<&TakenFrom>, trunks: &Trunks) {
    let registrars = taken.map_or(&[][..], |taken| &taken.told.registrars);
    let table = trunks.now();
    for at in registrars {
        let trunk = table.named(&at.trunk);
        if let (Some(transport), true) = (
            at.by.transport(),
            trunk.is_some_and(|trunk| trunk.config.register.is_some()),
        ) {
            let registrar = Registrar {
                address: at.address,
                transport,
            };
            let registrations = trunks.registrations();
            registrations.take_over(&at.trunk, registrar, at.route.clone());
        }
    }
}

/// What the gateway has taken there is not taken again here.
pub(super) fn tell_gateway(taken: Option<&TakenFrom>, switchboard: Option<&Switchboard>) {
    if let (Some(taken), Some(switchboard)) = (taken, switchboard) {
        let mut seen = switchboard.seen();
        for request in &taken.told.gateway_requests {
            if seen.begin(request) == Standing::New {
                seen.finish(request, true);
            }
        }
    }
}

impl Sidecar {
    /// Other handles of the listening sockets, where a process may take over.
    pub(super) fn duplicates(
        &self,
        front: &Front,
    ) -> Result<Vec<(Listening, OwnedFd)>, StartError> {
        let mut sockets = Vec::new();
        if self.config.handover.socket.is_none() {
            return Ok(sockets);
        }
        for listen in &self.config.sip.listen {
            let transport = Transport::from(listen.transport);
            let bound = match transport {
                Transport::Udp => front.udp_address(),
                other => front.stream_address(other),
            };
            let socket = front
                .duplicate(transport)
                .map_err(io(format!("a second handle of {listen}")))?;
            sockets.extend(socket.map(|socket| {
                let listening = Listening {
                    what: transport.into(),
                    named: Some(listen.address),
                    bound,
                };
                (listening, socket)
            }));
        }
        Ok(sockets)
    }

    /// Hears what the process says that was taken over from, and takes its place when it dies.
    pub(super) fn follow(
        &mut self,
        taken: TakenFrom,
        leave: LeaveTaking,
    ) -> Result<(), StartError> {
        let Some(elder) = self.elder.clone() else {
            return Ok(());
        };
        let figures = Arc::clone(&self.figures);
        figures.predecessors.store(1, Ordering::Relaxed);
        let (front, pid, began) = (self.front.clone(), taken.pid, Instant::now());
        let each = {
            let front = front.clone();
            move |frame| front.send(ToFront::Linked(frame))
        };
        let end = move |how| {
            elder.has_ended();
            figures.predecessors.store(0, Ordering::Relaxed);
            front.send(ToFront::Unlinked);
            if let Some(switchboard) = &leave.switchboard {
                let mut seen = switchboard.seen();
                elder.sessions().for_each(|session| seen.over(session));
            }
            let seconds = began.elapsed().as_secs();
            match how {
                End::Bye => tracing::info!(pid, seconds, "the predecessor is done"),
                End::Gone => {
                    tracing::error!(pid, seconds, "the predecessor died: what it left is ended");
                }
            }
            // One that has ended well may have left what Alexa could not be told.
            match leave.journal.absorb() {
                Ok(left) => leave.take(left),
                Err(error) => tracing::error!(%error, "its journal cannot be read"),
            }
        };
        let threads = taken.open(each, end);
        threads.map_err(io("the way to the process that was taken over from"))?;
        Ok(())
    }

    /// Waits for a process that takes over.
    pub(super) fn await_successor(
        &mut self,
        naming: Naming,
        control: Arc<Control>,
        mut sockets: Vec<(Listening, OwnedFd)>,
        leave: LeaveTaking,
        inherited: Option<UnixListener>,
    ) -> Result<(), StartError> {
        let (Some(path), Some(server)) = (&self.config.handover.socket, &self.control_server)
        else {
            return Ok(());
        };
        let path = self.config.resolve(path);
        let own = server.duplicate();
        let own = own.map_err(io("a second handle of the control API's listener"))?;
        let named: SocketAddr = self.config.control.listen;
        sockets.extend(own.map(|socket| {
            let listening = Listening {
                what: Use::Control,
                named: Some(named),
                bound: Some(self.control),
            };
            (listening, socket)
        }));
        let what = format!("[handover] socket {}", path.display());
        let parts = Parts {
            path,
            generation: naming.generation(),
            sockets,
            front: self.front.clone(),
            workers: self.workers.clone(),
            phones: Arc::clone(&self.phones),
            journal: self.journal.clone(),
            figures: Arc::clone(&self.figures),
            handed_over: Arc::clone(&self.handed_over),
            switchboard: leave.switchboard.clone(),
            control,
            server: Arc::clone(server),
            take_leave: Box::new(move |left| leave.take(left)),
        };
        self.predecessor = Some(Predecessor::start(parts, inherited).map_err(io(what))?);
        Ok(())
    }

    /// Waits until another process has taken over and the last call here is over, or that process is asked to end: then
    /// this one ends by [`Sidecar::shutdown`]. Without `[handover] socket` it never is.
    pub async fn is_over(&self) {
        let Some(predecessor) = &self.predecessor else {
            return std::future::pending().await;
        };
        let mut stands = predecessor.stands();
        loop {
            // Its sender lives as long as `self`.
            let left = |now: &Stands| matches!(now, Stands::HandedOver | Stands::Ending);
            let now = stands.wait_for(left).await;
            if now.is_ok_and(|now| *now == Stands::Ending) {
                return;
            }
            tokio::select! {
                () = self.last_call() => return,
                // The process that took over is gone, or ends.
                _ = stands.changed() => {}
            }
        }
    }

    /// Waits for the end of the last call and its transactions; after `[handover] stay-seconds` calls are ended.
    async fn last_call(&self) {
        let stay = match self.config.handover.stay_seconds {
            0 => None,
            seconds => Some(Instant::now() + Duration::from_secs(seconds.into())),
        };
        let (mut was_ended, mut quiet_since) = (false, None);
        loop {
            let calls = self.figures.calls.load(Ordering::Relaxed);
            let transactions = self.figures.transactions.load(Ordering::Relaxed);
            if calls > 0 {
                quiet_since = None;
                if !was_ended && stay.is_some_and(|until| Instant::now() >= until) {
                    was_ended = true;
                    tracing::warn!(calls, "[handover] stay-seconds are over: calls are ended");
                    for worker in &self.workers {
                        worker.send(ToWorker::HangUpAll);
                    }
                }
            } else {
                let since: Instant = *quiet_since.get_or_insert_with(Instant::now);
                if transactions == 0 || since.elapsed() >= LAST_TRANSACTIONS {
                    tracing::info!("the last call is over");
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether another process reads what comes.
    pub(super) fn has_handed_over(&self) -> bool {
        self.handed_over.load(Ordering::Relaxed)
    }
}
