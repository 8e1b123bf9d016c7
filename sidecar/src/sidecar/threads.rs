//! The workers' threads and the front's.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use skillcall_sip::endpoint::{Advertised, EndpointConfig, Limits as SipLimits, Transport};
use skillcall_sip::message::Method;

use super::{Sidecar, StartError, io};
use crate::failure::said;
use crate::front::{Front, FrontParts, TakenOver, ToFront};
use crate::phones::FLOW_TIMER;
use crate::ports::PortPool;
use crate::resolve::Usable;
use crate::worker::{Shared, ToWorker, Worker};

impl Sidecar {
    pub(super) fn start_threads(
        &mut self,
        front: Front,
        shared: &Arc<Shared>,
        taken_over: Option<TakenOver>,
    ) -> Result<(), StartError> {
        let config = Arc::clone(&self.config);
        let count = config.limits.worker_count();
        let queue = config.limits.queue as usize;
        let rest = Duration::from_secs(config.rtp.drain_seconds.into());
        let mut ports = Vec::with_capacity(count);
        for index in 0..count {
            let mut endpoint =
                EndpointConfig::new(self.advertised(self.any_listener()), rand::random());
            let at = |bound: Option<SocketAddr>| {
                bound.map(|bound| Advertised::from(self.advertised(Some(bound))))
            };
            endpoint.tcp = at(self.sip_tcp);
            endpoint.tls = at(self.sip_tls);
            endpoint.ws = at(self.sip_ws);
            endpoint.wss = at(self.sip_wss);
            shared.reachable.name(&mut endpoint);
            endpoint.resolves_names = true;
            endpoint.correct_contacts = config.sip.correct_contacts;
            // Who shows a certificate of its own may be sent requests over the connections that it opens.
            endpoint.alias = config.tls.certificate.is_some();
            let asked = config.sip.peer_keep_alive_seconds;
            endpoint.keep_datagrams = (asked > 0).then_some(asked.into());
            endpoint.keep_connections = (asked > 0).then_some(FLOW_TIMER);
            endpoint.id_prefix = front.naming().prefix(index);
            if let Some(product) = &config.sip.product {
                endpoint.product.clone_from(product);
            }
            endpoint.limits = SipLimits {
                calls: 2 * config.limits.calls as usize + 64,
                ..SipLimits::default()
            };
            config.dialog.apply(&mut endpoint);
            if !config.phone.is_empty() {
                endpoint.methods.push(Method::Register);
            }
            let udp = front.udp_sender().map_err(io("UDP socket"))?;
            let mut pool = PortPool::new(config.rtp.address, config.rtp.ports, rest, index, count);
            if taken_over.is_some() {
                pool.begin_anywhere();
            }
            let (worker, port) =
                Worker::new(index, queue, endpoint, udp, pool).map_err(io("worker"))?;
            self.workers.push(worker.handle());
            ports.push(port);
            let shared = Arc::clone(shared);
            let thread = std::thread::Builder::new()
                .name(format!("worker-{index}"))
                .spawn(move || worker.run(shared))
                .map_err(io("worker"))?;
            self.threads.push(thread);
        }
        let parts = FrontParts {
            workers: ports,
            figures: Arc::clone(&self.figures),
            trace: self.trace.clone(),
            applications: Arc::clone(&shared.applications),
            trunks: shared.trunks.clone(),
            known: Arc::clone(&shared.known),
            phones: Arc::clone(&shared.phones),
            bans: Arc::clone(&self.bans),
            taken_over,
        };
        let failures = self.failures.clone();
        let thread = std::thread::Builder::new()
            .name("front".into())
            .spawn(move || {
                // Every call's messages pass it, and its state is all calls': nothing can take its place.
                let ran = catch_unwind(AssertUnwindSafe(|| front.run(config, parts)));
                match ran {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let why = format!("it cannot wait for its sockets: {error}");
                        failures.report("front", &why);
                    }
                    Err(panic) => failures.report("front", &format!("panic: {}", said(&*panic))),
                }
            })
            .map_err(io("front"))?;
        self.threads.push(thread);
        Ok(())
    }

    fn advertised(&self, bound: Option<SocketAddr>) -> SocketAddr {
        let bound = bound.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 5060)));
        self.reachable.at(bound)
    }

    fn any_listener(&self) -> Option<SocketAddr> {
        [
            self.sip_udp,
            self.sip_tcp,
            self.sip_tls,
            self.sip_ws,
            self.sip_wss,
        ]
        .into_iter()
        .flatten()
        .next()
    }

    pub(super) fn stop_threads(&self) {
        self.front.send(ToFront::Stop);
        for worker in &self.workers {
            worker.send(ToWorker::Stop);
        }
    }
}

pub(super) fn join(threads: Vec<JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the sidecar panicked");
        }
    }
}

/// What the listeners can send by.
pub(super) fn usable(udp: Option<SocketAddr>) -> Usable {
    // Connections can be made without a listener; their peers answer on them.
    let transports: Vec<Transport> = Transport::ALL
        .into_iter()
        .filter(|transport| *transport != Transport::Udp || udp.is_some())
        .collect();
    Usable::new(&transports, udp.is_some_and(|udp| udp.is_ipv6()))
}
