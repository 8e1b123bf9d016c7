//! Asking STUN servers what the outside sees of us (RFC 8489): at start, and again now and then.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skillcall_webrtc::{Gatherer, LocalAddress, Servers};
use tokio::net::UdpSocket;

use super::Reachable;

/// How long the look-up of a server's name may take.
const LOOK_UP: Duration = Duration::from_secs(5);
/// How long an answer is waited for at most before it is looked whether the server had its time.
const LOOK: Duration = Duration::from_millis(100);

/// What asks.
#[derive(Debug)]
pub(crate) struct Asking {
    reachable: Arc<Reachable>,
    /// From where: what the translation makes of another address of ours may be another one.
    from: IpAddr,
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    name: String,
    /// It did not answer when it was asked last, and the log has said so.
    failed: bool,
}

impl Asking {
    /// Asks the servers of the configuration from an address of ours.
    pub(crate) fn new(reachable: Arc<Reachable>, from: IpAddr) -> Self {
        let servers = reachable.servers().into_iter();
        let servers = servers.map(|name| Server {
            name,
            failed: false,
        });
        Self {
            servers: servers.collect(),
            reachable,
            from,
        }
    }

    /// Whether there is anybody to ask.
    pub(crate) fn is_needed(&self) -> bool {
        !self.servers.is_empty()
    }

    /// Asks all servers once. True: one of them sees us at another address than before.
    pub(crate) async fn ask(&mut self) -> bool {
        let mut changed = false;
        for server in &mut self.servers {
            let before = self.reachable.told(&server.name);
            let name = server.name.as_str();
            match seen_by(name, self.from).await {
                Ok(seen) => {
                    let other = self.reachable.note(name, Some(seen));
                    if other || server.failed {
                        tracing::info!(server = name, address = %seen, "[sip] public-address");
                    }
                    changed |= other;
                    server.failed = false;
                }
                Err(error) => {
                    self.reachable.note(name, None);
                    if !server.failed {
                        let named = before.map_or_else(
                            || "the listener's own address is named".to_owned(),
                            |before| format!("{before} is named as before"),
                        );
                        tracing::error!(server = name, error, "[sip] public-address: {named}");
                    }
                    server.failed = true;
                }
            }
        }
        changed
    }

    /// Asks again and again, and tells of each change.
    pub(crate) async fn keep_asking(mut self, every: Duration, changed: impl Fn() + Send) {
        loop {
            tokio::time::sleep(every).await;
            if self.ask().await {
                changed();
            }
        }
    }
}

/// The address at which a server sees us.
async fn seen_by(server: &str, from: IpAddr) -> Result<IpAddr, String> {
    let lookup = tokio::net::lookup_host(server);
    let found = tokio::time::timeout(LOOK_UP, lookup).await;
    let mut found = found
        .map_err(|_| "nobody has told the address of its name".to_owned())?
        .map_err(|error| format!("its name is not resolved: {error}"))?;
    let address = found
        .find(|address| address.is_ipv4() == from.is_ipv4())
        .ok_or("it has no address of the listener's family")?;
    // Each time another port: what the translation remembers of an earlier one says nothing of now.
    let failed = |error: std::io::Error| error.to_string();
    let socket = UdpSocket::bind(SocketAddr::new(from, 0)).await;
    let socket = socket.map_err(failed)?;
    socket.connect(address).await.map_err(failed)?;
    let local = socket.local_addr().map_err(failed)?;
    let servers = Servers {
        stun: vec![address],
        turn: Vec::new(),
    };
    let mut gatherer = Gatherer::new(LocalAddress::Host(local), &servers, Instant::now());
    let mut buffer = [0; 1500];
    loop {
        let now = Instant::now();
        while let Some((_, datagram)) = gatherer.poll(now) {
            // A server that is not there may say so, and be there the next time.
            let _ = socket.send(&datagram).await;
        }
        if gatherer.is_done(now) {
            return match gatherer.problems(now).into_iter().next() {
                Some(problem) => Err(problem.to_string()),
                None => Ok(seen(&gatherer, local)),
            };
        }
        let received = tokio::time::timeout(LOOK, socket.recv(&mut buffer)).await;
        if let Ok(Ok(length)) = received {
            let datagram = buffer.get(..length).unwrap_or_default();
            let _ = gatherer.receive(Instant::now(), address, datagram);
        }
    }
}

fn seen(gatherer: &Gatherer, local: SocketAddr) -> IpAddr {
    let mut addresses = gatherer.addresses().into_iter();
    let public = addresses.find_map(|address| match address {
        LocalAddress::Public { public, .. } => Some(public.ip()),
        LocalAddress::Host(_) | LocalAddress::Relayed { .. } => None,
    });
    // Who is not translated is seen where it is.
    public.unwrap_or_else(|| local.ip())
}
