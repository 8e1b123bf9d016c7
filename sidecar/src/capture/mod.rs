//! What went over the wire, for those who look closely: every SIP message to a HEP collector (Homer), and one call with
//! its audio as a pcap file.
//!
//! Both are off unless they are asked for, and cost a look at one flag then. Neither redacts: whoever may read them
//! sees numbers and digits.

mod hep;
mod pcap;
mod single;

pub(crate) use single::{CallCapture, Captures, Wanted};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use crossbeam_channel::{Sender, TrySendError};

use crate::config::HepConfig;
use crate::figures::{Figures, count};

/// Messages that may wait for the collector.
const QUEUE: usize = 8192;

/// A datagram, or a message of a stream, as it went.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    pub(crate) at: SystemTime,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// By a connection, and not as a datagram.
    pub(crate) by_stream: bool,
    pub(crate) bytes: Bytes,
}

enum Job {
    Packet(Captured, Option<Arc<str>>),
    Stop,
}

/// Where SIP messages are told to.
#[derive(Clone)]
pub(crate) struct Tap {
    hep: Option<Sender<Job>>,
    figures: Arc<Figures>,
    /// Captures of single calls.
    pub(crate) single: Arc<Captures>,
}

impl Tap {
    /// With a thread that sends to the collector, where there is one.
    ///
    /// # Errors
    /// The system gives no thread or socket.
    pub(crate) fn start(
        config: &HepConfig,
        figures: Arc<Figures>,
    ) -> std::io::Result<(Self, Option<std::thread::JoinHandle<()>>)> {
        let single = Arc::default();
        let Some(collector) = config.collector else {
            let tap = Self {
                hep: None,
                figures,
                single,
            };
            return Ok((tap, None));
        };
        let any: SocketAddr = if collector.is_ipv4() {
            SocketAddr::from(([0, 0, 0, 0], 0))
        } else {
            SocketAddr::from(([0_u16; 8], 0))
        };
        let socket = std::net::UdpSocket::bind(any)?;
        let agent = config.agent_id;
        let (hep, queue) = crossbeam_channel::bounded(QUEUE);
        let thread = std::thread::Builder::new()
            .name("hep".into())
            .spawn(move || {
                let mut packet = Vec::with_capacity(2048);
                while let Ok(Job::Packet(captured, correlation)) = queue.recv() {
                    packet.clear();
                    hep::encode(&captured, agent, correlation.as_deref(), &mut packet);
                    // A collector that is away misses what happens meanwhile.
                    let _ = socket.send_to(&packet, collector);
                }
            })?;
        let tap = Self {
            hep: Some(hep),
            figures,
            single,
        };
        Ok((tap, Some(thread)))
    }

    /// Whether anybody wants to know whose messages are which call's.
    pub(crate) fn is_on(&self) -> bool {
        self.hep.is_some() || self.single.is_on()
    }

    /// A SIP message. `correlation`: what the messages of all legs of its call have in common.
    pub(crate) fn sip(&self, make: impl FnOnce() -> Captured, correlation: Option<&Arc<str>>) {
        let Some(hep) = &self.hep else { return };
        let job = Job::Packet(make(), correlation.map(Arc::clone));
        if let Err(TrySendError::Full(_)) = hep.try_send(job) {
            count(&self.figures.hep_dropped);
        }
    }

    /// Ends the thread, once what waits is sent.
    pub(crate) fn stop(&self) {
        if let Some(hep) = &self.hep {
            let _ = hep.send(Job::Stop);
        }
    }
}
