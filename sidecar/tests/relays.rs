//! The gateway and a device behind address translations of their own, with coturn between them.

mod support;

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_media::encoding::Encoding;
use skillcall_webrtc::{Gatherer, LocalAddress, Servers};
use support::device::Device;
use support::network::{self, DEVICE, HERE, RELAY};
use support::skill::{ACCOUNT, Skill};
use support::{Behaviour, Bench, Handler, LIMIT, Phone, write_secret};

const TONE: f64 = 700.0;
const PHONE: f64 = 1100.0;
const CODECS: [Encoding; 2] = [Encoding::Pcmu, Encoding::Pcma];
const PASSWORD: &str = "the password of the gateway";

/// coturn on the Internet. Dropping it ends it.
struct Coturn(Child, std::path::PathBuf);

impl Coturn {
    fn start(folder: &Path) -> Self {
        let log = folder.join("turnserver.log");
        let file = |name: &str| folder.join(name).display().to_string();
        let child = Command::new("ip")
            .args(["netns", "exec", "internet", "turnserver", "-n", "-v"])
            .args(["--listening-ip", RELAY, "--relay-ip", RELAY])
            .args(["--lt-cred-mech", "--realm", "skillcall.test"])
            .args(["--user", &format!("gateway:{PASSWORD}")])
            .args(["--no-tls", "--no-dtls", "--no-cli", "--no-multicast-peers"])
            .args(["--userdb", &file("turn.db"), "--pidfile", &file("turn.pid")])
            .args(["--log-file", "stdout", "--simple-log"])
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn();
        Self(
            child.expect("coturn; `tools/setup.sh test` installs it"),
            log,
        )
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.1).unwrap()).into_owned()
    }

    /// Waits until it has said something that often.
    fn says(&self, what: &str, times: usize) {
        let begin = Instant::now();
        while self.log().matches(what).count() < times {
            assert!(begin.elapsed() < LIMIT, "{what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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
        while let Some((to, request)) = gatherer.poll(Instant::now()) {
            socket.send_to(&request, to).unwrap();
        }
        if let Ok((len, from)) = socket.recv_from(&mut room) {
            gatherer.receive(Instant::now(), from, &room[..len]);
        }
    }
    (socket, gatherer.addresses())
}

fn sdp_of(message: &Value) -> &str {
    message["sdpDetails"]["value"].as_str().unwrap()
}

fn sdp(kind: &str, sdp: &str) -> Value {
    json!({"type": kind, "value": sdp})
}

async fn a_call_by_the_relay() {
    let folder = tempfile::tempdir().unwrap();
    let coturn = Coturn::start(folder.path());
    let password = folder.path().join("turn.password");
    write_secret(&password, PASSWORD);
    let skill = Skill::start().await;
    let phone = Phone::start(PHONE, Behaviour::Answer);
    let settings = skill.settings(&format!(
        "stun = [\"{RELAY}:3478\"]\ngathered = 1\n\
         [[gateway.turn]]\nserver = \"{RELAY}:3478\"\nusername = \"gateway\"\npassword-file = \"{}\"\n\
         [[gateway.route]]\naddress = \"*\"\nuri = \"sip:{{number}}@{}\"\n\
         [[gateway.room]]\nnumber = \"101\"\nparticipant = \"room101\"\naccount = \"{ACCOUNT}\"\n",
        password.display(),
        phone.address,
    ));
    let bench = Bench::with(Handler::absent(), None, &settings, |config| {
        config.rtp.address = HERE.parse().unwrap();
        config.limits.workers = 1;
    })
    .await;
    // It is ready before anybody calls.
    tokio::task::block_in_place(|| coturn.says("ALLOCATE processed, success", 1));
    let to = bench.sidecar.control().to_string();

    let (socket, addresses) = tokio::task::block_in_place(|| device_socket("10.2.0.2"));
    let (device, offer) = Device::offering_on(socket, addresses, TONE, &CODECS);
    let call = json!({
        "participants": [
            {"id": {"type": "RAW_ADDRESS", "value": "room101"}, "isOriginator": true},
            {"id": {"type": "RAW_ADDRESS", "value": "frontdesk"}, "isOriginator": false},
        ],
        "sdpDetails": sdp("OFFER", &offer),
    });
    skill.says(&to, "s-1", "InitiateOutboundCall", call).await;
    tokio::task::block_in_place(|| skill.wait("CallRinging", 1));
    skill.says(&to, "s-1", "CallRingingAck", json!({})).await;
    let accepted = tokio::task::block_in_place(|| skill.wait("CallAccepted", 1));
    let answer = sdp_of(&accepted);
    for candidate in [
        format!("{HERE} "),
        "198.51.100.1 ".to_owned(),
        format!("{RELAY} "),
    ] {
        assert!(answer.contains(&candidate), "{candidate}\n{answer}");
    }
    device.take_answer(answer);
    skill.says(&to, "s-1", "CallAcceptedAck", json!({})).await;
    tokio::task::block_in_place(|| {
        device.hears(PHONE);
        phone.hears(TONE);
    });

    let (socket, addresses) = tokio::task::block_in_place(|| device_socket("10.2.0.3"));
    let offer = device.move_to(socket, &addresses);
    let update = json!({"renegotiationType": "CALL_UPDATE", "sdpDetails": sdp("OFFER", &offer)});
    skill.says(&to, "s-1", "CallUpdate", update).await;
    let response = tokio::task::block_in_place(|| skill.wait("CallUpdateResponse", 1));
    device.take_answer(sdp_of(&response));
    skill.says(&to, "s-1", "CallUpdateAck", json!({})).await;
    tokio::task::block_in_place(|| {
        device.forget_heard();
        device.hears(PHONE);
        phone.forget_heard();
        phone.hears(TONE);
    });

    // The next leg was made ready when this one was taken; this one's address is given back.
    tokio::task::block_in_place(|| coturn.says("ALLOCATE processed, success", 2));
    phone.hang_up();
    tokio::task::block_in_place(|| {
        skill.wait("CallEnded", 1);
        coturn.says("lifetime=0", 1);
    });
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hear_each_other_by_a_relay_also_after_another_address() {
    if network::is_own_network("both_hear_each_other_by_a_relay_also_after_another_address") {
        a_call_by_the_relay().await;
    }
}
