//! A leg that is reached by a relay alone: coturn, which nobody here wrote, on loopback.

use std::{
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use skillcall_webrtc::{
    Carrier, Config, Event, FromServer, Gatherer, Identity, LocalAddress, Output, Peer, Received,
    Servers, TurnServer, TurnTransport,
};

/// A call takes milliseconds; a loaded machine is slow.
const LIMIT: Duration = Duration::from_secs(60);
const PASSWORD: &str = "the password of the gateway";

/// Dropping it ends it.
struct Coturn {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Coturn {
    fn start(folder: &Path) -> Self {
        let address = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let (log, port) = (folder.join("turnserver.log"), address.port().to_string());
        let file = |name: &str| folder.join(name).display().to_string();
        let child = Command::new("turnserver")
            .args([
                "-n",
                "-v",
                "--listening-ip",
                "127.0.0.1",
                "--relay-ip",
                "127.0.0.1",
            ])
            .args(["--listening-port", &port, "--allow-loopback-peers"])
            .args(["--lt-cred-mech", "--realm", "skillcall.test"])
            .args(["--user", &format!("gateway:{PASSWORD}")])
            .args(["--no-tls", "--no-dtls", "--no-cli"])
            .args(["--userdb", &file("turn.db"), "--pidfile", &file("turn.pid")])
            .args(["--log-file", "stdout", "--simple-log"])
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn();
        Self {
            child: child.expect("turnserver starts; `tools/setup.sh test` installs it"),
            address,
            log,
        }
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A leg with its socket.
struct Leg {
    peer: Peer,
    socket: UdpSocket,
    gatherer: Option<Gatherer>,
    connected: bool,
    heard: Vec<Vec<u8>>,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    socket
}

impl Leg {
    fn flush(&mut self) {
        while let Some((to, datagram)) = self
            .gatherer
            .as_mut()
            .and_then(|gatherer| gatherer.poll(Instant::now()))
        {
            let Carrier::Socket(to) = to else {
                panic!("there is no connection");
            };
            self.socket.send_to(&datagram, to).unwrap();
        }
    }

    fn put(&mut self, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        match &mut self.gatherer {
            Some(gatherer) if gatherer.is_relay(local) => {
                gatherer.send(Instant::now(), local, remote, bytes);
                self.flush();
            }
            // Nothing but the relay leads anywhere.
            Some(_) => {}
            None => {
                self.socket.send_to(bytes, remote).unwrap();
            }
        }
    }

    fn step(&mut self) {
        loop {
            match self.peer.poll(Instant::now()) {
                Output::Transmit(transmit) => {
                    self.put(transmit.local, transmit.remote, &transmit.bytes);
                }
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(event) => panic!("{event:?}"),
                Output::Wait(_) => break,
            }
        }
        self.flush();
        let mut room = [0; 2_048];
        let Ok((len, from)) = self.socket.recv_from(&mut room) else {
            return;
        };
        let now = Instant::now();
        let local = self.socket.local_addr().unwrap();
        let taken = match &mut self.gatherer {
            None => FromServer::NotOurs,
            Some(gatherer) => gatherer.receive(now, from, &room[..len]),
        };
        let (local, from, mut datagram) = match taken {
            FromServer::Handled => return,
            FromServer::NotOurs => (local, from, room[..len].to_vec()),
            FromServer::Relayed { relay, peer, data } => (relay, peer, data),
        };
        if let Received::Rtp(packet) = self.peer.receive(now, local, from, &mut datagram) {
            self.heard.push(packet.to_vec());
        }
    }

    fn say(&mut self, packet: &[u8]) {
        let mut room = [0; 256];
        room[..packet.len()].copy_from_slice(packet);
        let (route, len) = self.peer.send_rtp(&mut room, packet.len()).unwrap();
        self.put(route.local, route.remote, &room[..len]);
    }
}

/// A packet of the format that the legs agree on first.
fn packet(leg: &Leg, sequence: u8) -> Vec<u8> {
    let number = leg.peer.audio().unwrap().send.number();
    let mut packet = vec![0x80, number, 1, sequence, 0, 0, 0, sequence, 0, 0, 0, 7];
    packet.extend([sequence; 20]);
    packet
}

fn until(legs: &mut [Leg; 2], what: &str, coturn: &Coturn, done: impl Fn(&[Leg; 2]) -> bool) {
    let begin = Instant::now();
    while !done(legs) {
        assert!(begin.elapsed() < LIMIT, "{what}:\n{}", coturn.log());
        legs.iter_mut().for_each(Leg::step);
    }
}

#[test]
fn a_leg_is_reached_by_its_relay_alone() {
    let folder = tempfile::tempdir().unwrap();
    let coturn = Coturn::start(folder.path());
    let servers = Servers {
        stun: vec![coturn.address],
        turn: vec![TurnServer {
            address: coturn.address,
            transport: TurnTransport::Udp,
            username: "gateway".to_owned(),
            password: PASSWORD.to_owned(),
        }],
    };
    let behind = socket();
    let host = LocalAddress::Host(behind.local_addr().unwrap());
    let begin = Instant::now();
    let mut gatherer = Gatherer::new(host, &servers, begin);
    let mut room = [0; 2_048];
    let relay = loop {
        let relay = gatherer
            .addresses()
            .into_iter()
            .find(|address| matches!(address, LocalAddress::Relayed { .. }));
        if let Some(relay) = relay {
            break relay;
        }
        assert!(begin.elapsed() < LIMIT, "{}", coturn.log());
        while let Some((Carrier::Socket(to), request)) = gatherer.poll(Instant::now()) {
            behind.send_to(&request, to).unwrap();
        }
        if let Ok((len, from)) = behind.recv_from(&mut room) {
            gatherer.receive(Instant::now(), from, &room[..len]);
        }
    };

    let now = Instant::now();
    let outside = socket();
    let open = LocalAddress::Host(outside.local_addr().unwrap());
    let identity = Identity::generate().unwrap();
    let (mut caller, offer) = Peer::offer(Config::new(identity.clone(), vec![relay]), now);
    assert!(offer.contains("typ relay"), "{offer}");
    let (callee, answer) = Peer::answer(Config::new(identity, vec![open]), &offer, now).unwrap();
    caller.take_answer(&answer, now).unwrap();
    let leg = |peer, socket, gatherer| Leg {
        peer,
        socket,
        gatherer,
        connected: false,
        heard: Vec::new(),
    };
    let mut legs = [
        leg(caller, behind, Some(gatherer)),
        leg(callee, outside, None),
    ];
    until(&mut legs, "connected", &coturn, |legs| {
        legs.iter().all(|leg| leg.connected)
    });
    // First wrapped in indications, then in a channel: all arrives, as it was.
    for sequence in 0..50 {
        for (by, to) in [(0, 1), (1, 0)] {
            let said = packet(&legs[by], sequence);
            legs[by].say(&said);
            let at = legs[to].heard.len();
            until(&mut legs, "a packet", &coturn, |legs| {
                legs[to].heard.len() > at
            });
            assert_eq!(legs[to].heard[at], said);
        }
    }
    assert!(coturn.log().contains("CHANNEL_BIND processed, success"));

    if let Some(gatherer) = &mut legs[0].gatherer {
        gatherer.close(Instant::now());
    }
    until(&mut legs, "the address is given back", &coturn, |_| {
        coturn.log().contains("lifetime=0")
    });
}
