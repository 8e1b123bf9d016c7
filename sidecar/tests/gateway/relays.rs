//! The gateway and a device behind address translations of their own; and servers that are of no use.

use crate::support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skillcall_media::encoding::Encoding;
use skillcall_webrtc::{Carrier, Gatherer, LocalAddress, Servers};
use support::coturn::{Coturn, PASSWORD};
use support::device::Device;
use support::network::{self, DEVICE, HERE, Nat, RELAY};
use support::room::{G711, Room};
use support::skill::{ACCOUNT, Skill};
use support::{Behaviour, Bench, Handler, LIMIT, Phone, write_secret};

const TONE: f64 = 700.0;
const PHONE: f64 = 1100.0;
const CODECS: [Encoding; 2] = G711;

/// A socket of the device's, and what the Internet sees of it.
fn device_socket(address: &str) -> (UdpSocket, Vec<LocalAddress>) {
    let socket = network::socket_in(DEVICE, address);
    let host = LocalAddress::Host(socket.local_addr().unwrap());
    let servers = Servers {
        stun: vec![format!("{RELAY}:3478").parse().unwrap()],
        turn: Vec::new(),
    };
    let begin = Instant::now();
    let mut gatherer = Gatherer::new(host, &servers, begin);
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let mut room = [0; 2_048];
    while gatherer.addresses() == [host] {
        assert!(begin.elapsed() < LIMIT, "the STUN server does not answer");
        while let Some((Carrier::Socket(to), request)) = gatherer.poll(Instant::now()) {
            socket.send_to(&request, to).unwrap();
        }
        if let Ok((len, from)) = socket.recv_from(&mut room) {
            gatherer.receive(Instant::now(), from, &room[..len]);
        }
    }
    (socket, gatherer.addresses())
}

/// The settings of a gateway with these servers, whose calls go to a phone.
fn settings(
    skill: &Skill,
    phone: SocketAddr,
    gathered: usize,
    stun: &[String],
    turn: &str,
) -> String {
    skill.settings(&format!(
        "stun = {stun:?}\ngathered = {gathered}\n{turn}\n\
         [[gateway.route]]\naddress = \"*\"\nuri = \"sip:{{number}}@{phone}\"\n\
         [[gateway.room]]\nnumber = \"101\"\nparticipant = \"room101\"\naccount = \"{ACCOUNT}\"\n",
    ))
}

/// How the gateway reaches the relay, where there is one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reached {
    NotNeeded,
    Udp,
    Tcp,
    Tls,
}

fn turn(server: impl std::fmt::Display, password: &std::path::Path) -> String {
    format!(
        "[[gateway.turn]]\nserver = \"{server}\"\nusername = \"gateway\"\npassword-file = \"{}\"\n",
        password.display()
    )
}

/// A device calls through both translations; it changes its address; the phone hangs up.
async fn a_call_between_networks(reached: Reached) {
    let by_relay = reached != Reached::NotNeeded;
    let folder = tempfile::tempdir().unwrap();
    let coturn = Coturn::on_the_internet(folder.path());
    let password = folder.path().join("turn.password");
    write_secret(&password, PASSWORD);
    let skill = Arc::new(Skill::start().await);
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let relay = match reached {
        Reached::NotNeeded => String::new(),
        Reached::Udp => turn(coturn.address, &password),
        Reached::Tcp => turn(format!("turn:{}?transport=tcp", coturn.address), &password),
        Reached::Tls => turn(format!("turns:{RELAY}"), &password),
    };
    let by_stream = matches!(reached, Reached::Tcp | Reached::Tls);
    if by_stream {
        network::loses_udp_to(RELAY);
    }
    let stun = match by_stream {
        true => Vec::new(),
        false => vec![coturn.address.to_string()],
    };
    let settings = settings(&skill, phone.address, 1, &stun, &relay);
    let bench = Bench::with(Handler::absent(), None, &settings, |config| {
        config.rtp.address = HERE.parse().unwrap();
        config.limits.workers = 1;
        if reached == Reached::Tls {
            config.tls.trusted = Some(folder.path().join("turn.pem"));
        }
    })
    .await;
    // It is ready before anybody calls.
    let allocated = "ALLOCATE processed, success";
    if by_relay {
        tokio::task::block_in_place(|| coturn.says(allocated, 1));
    }

    let (socket, addresses) = tokio::task::block_in_place(|| device_socket("10.2.0.2"));
    let device = Device::offering_on(socket, addresses, TONE, &CODECS);
    let sidecar = bench.sidecar.control();
    let mut room = Room::calls_with(&skill, sidecar, "s-1", "frontdesk", device).await;
    room.gets_through().await;
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1)).to_string();
    for (candidate, there) in [
        (format!(" {HERE} "), true),
        (" 198.51.100.1 ".to_owned(), !by_stream),
        (format!(" {RELAY} "), by_relay),
    ] {
        assert_eq!(
            accepted.contains(&candidate),
            there,
            "{candidate}\n{accepted}"
        );
    }
    room.hears(PHONE);
    tokio::task::block_in_place(|| phone.hears(TONE));

    let (socket, addresses) = tokio::task::block_in_place(|| device_socket("10.2.0.3"));
    room.moves(socket, &addresses).await;
    room.hears(PHONE);
    phone.forget_heard();
    tokio::task::block_in_place(|| phone.hears(TONE));
    if by_relay {
        assert!(coturn.said("CHANNEL_BIND processed, success") > 0);
        // The next leg was made ready when this one was taken.
        tokio::task::block_in_place(|| coturn.says(allocated, 2));
    }

    phone.hang_up();
    assert_eq!(room.ended(), "SUCCESS");
    // The leg that is ready holds its ports; this one's are given back, and its address at the relay.
    bench
        .figures_become("the leg that is ready is left", |now| {
            (now.calls, now.legs, now.port_pairs, now.sockets) == (0, 0, 1, 2)
        })
        .await;
    if by_relay {
        tokio::task::block_in_place(|| coturn.says("lifetime=0", 1));
    }
    bench.sidecar.shutdown().await;
    if by_relay {
        tokio::task::block_in_place(|| coturn.says("lifetime=0", 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hear_each_other_through_two_translations_also_after_another_address() {
    let test = "both_hear_each_other_through_two_translations_also_after_another_address";
    if network::is_own_network(test, Nat::Same) {
        a_call_between_networks(Reached::NotNeeded).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hear_each_other_by_a_relay_also_after_another_address() {
    let test = "both_hear_each_other_by_a_relay_also_after_another_address";
    if network::is_own_network(test, Nat::Each) {
        a_call_between_networks(Reached::Udp).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hear_each_other_by_a_relay_that_takes_tcp_alone() {
    let test = "both_hear_each_other_by_a_relay_that_takes_tcp_alone";
    if network::is_own_network(test, Nat::Each) {
        a_call_between_networks(Reached::Tcp).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hear_each_other_by_a_relay_that_takes_tls_alone() {
    let test = "both_hear_each_other_by_a_relay_that_takes_tls_alone";
    if network::is_own_network(test, Nat::Each) {
        a_call_between_networks(Reached::Tls).await;
    }
}

/// Who has asked a server, the first one first, and how often.
type Asked = Arc<Mutex<Vec<(SocketAddr, usize)>>>;

/// A server that takes what comes and answers with this.
fn server(answer: Option<&'static [u8]>) -> (SocketAddr, Asked) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Asked::default();
    let count = Arc::clone(&asked);
    // It ends with the test's process.
    std::thread::spawn(move || {
        let mut room = [0; 2_048];
        while let Ok((_, from)) = socket.recv_from(&mut room) {
            let mut asked = count.lock().unwrap();
            match asked.iter_mut().find(|(who, _)| *who == from) {
                Some((_, times)) => *times += 1,
                None => asked.push((from, 1)),
            }
            if let Some(answer) = answer {
                let _ = socket.send_to(answer, from);
            }
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_are_of_no_use_hold_up_no_call() {
    let folder = tempfile::tempdir().unwrap();
    let coturn = Coturn::on_loopback(folder.path());
    let password = folder.path().join("turn.password");
    write_secret(&password, "not the password of the gateway");
    let (silent, asked) = server(None);
    let (wrong, _) = server(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let skill = Arc::new(Skill::start().await);
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let servers = format!(
        "{}{}",
        turn(coturn.address, &password),
        turn(wrong, &password)
    );
    let settings = settings(&skill, phone.address, 1, &[silent.to_string()], &servers);
    let bench = Bench::with(Handler::absent(), None, &settings, |config| {
        config.limits.workers = 1;
    })
    .await;

    let device = Device::offering(TONE, &CODECS);
    let sidecar = bench.sidecar.control();
    let room = Room::calls_with(&skill, sidecar, "s-1", "frontdesk", device).await;
    room.gets_through().await;
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1)).to_string();
    assert_eq!(accepted.matches("a=candidate").count(), 1, "{accepted}");
    room.hears(PHONE);
    tokio::task::block_in_place(|| phone.hears(TONE));
    room.hangs_up("SUCCESS").await;

    // The leg that is ready by now asks the fourth time after 3.5 s: by then each server had its time to answer.
    let begin = Instant::now();
    while asked
        .lock()
        .unwrap()
        .get(1)
        .is_none_or(|(_, times)| *times < 4)
    {
        assert!(begin.elapsed() < LIMIT, "{asked:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let device = Device::offering(TONE, &CODECS);
    let room = Room::calls_with(&skill, sidecar, "s-2", "frontdesk", device).await;
    tokio::task::block_in_place(|| skill.wait("CallAccepted", 2));
    let trace = bench.get("/v1/traces/s-2").await.to_string();
    for (server, why) in [
        (silent, "does not answer"),
        (wrong, "does not answer"),
        (
            coturn.address,
            "does not take our username and password (401 Unauthorized)",
        ),
    ] {
        assert!(
            trace.contains(&format!("{server} {why}")),
            "{server}\n{trace}"
        );
    }
    room.hangs_up("SUCCESS").await;
    bench
        .figures_become("the leg that is ready is left", |now| {
            (now.calls, now.legs, now.port_pairs, now.sockets) == (0, 0, 1, 2)
        })
        .await;
    bench.sidecar.shutdown().await;
}
