//! Pictures where a call goes elsewhere: another phone, another place of a fork, another network, a relay.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use skillcall_media::rtp::{PayloadType, RtpPacket};
use skillcall_video::{Flow, Format, Terms};
use skillcall_webrtc::LocalAddress;

use crate::call::{bench, gets_through, hangs_up, hears_of, is_updated, outbound, sdp_of};
use crate::program::{Program, python};
use crate::sip_phone::{
    Answer, SipPhone, body, described, direction_of, media, response, reversed, section,
};
use crate::support::camera::Camera;
use crate::support::coturn::{Coturn, PASSWORD};
use crate::support::device::Device;
use crate::support::network::{self, DEVICE, HERE, Nat, RELAY};
use crate::support::room::{G711, Room};
use crate::support::skill::Skill;
use crate::support::{Bench, Handler, write_secret};
use crate::{BLUE, GREEN, LIMIT, NEVER, RED, WHITE};

const VIDEO: &str = "video = \"h264\"\n";

/// A phone's camera and screen, for what the gateway has described to it.
fn pictures_of(phone: &SipPhone, description: &str, shows: [u8; 3]) -> Program {
    let words = media(description, "video");
    let address = description
        .lines()
        .find_map(|line| line.strip_prefix("c=IN IP4 "));
    let pictures = phone.pictures(NEVER, &words[3]);
    pictures.shows(shows);
    pictures.order(
        &json!({"to": words[1].parse::<u16>().unwrap(), "at": address.unwrap(),
        "number": words[3], "send": null, "receive": null}),
    );
    pictures
}

/// A device with a camera calls the desk, and both see each other.
async fn seen(skill: &Skill, control: &str, phone: &SipPhone, device: &Program) -> Program {
    device.shows(RED);
    device.order(&json!({"offer": "sendrecv"}));
    let answer = gets_through(skill, control, &device.describes("offer")).await;
    let pictures = pictures_of(phone, body(&phone.wait("INVITE ", 1)), BLUE);
    device.order(&json!({"type": "answer", "sdp": answer}));
    device.sees(BLUE);
    pictures.sees(RED);
    pictures
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_follow_a_guest_who_is_sent_on() {
    let skill = Skill::start().await;
    let [phone, other] = [0; 2].map(|_| SipPhone::start(Answer::Takes, None));
    let kitchen = format!("sip:kitchen@{}", other.here);
    let route = format!("[[gateway.route]]\naddress = \"kitchen\"\nuri = \"{kitchen}\"");
    let bench = bench(&skill, &phone, &format!("{VIDEO}{route}"), "").await;
    let control = bench.sidecar.control().to_string();
    let device = Program::start("video_device.py", &["H264"]);
    let before = seen(&skill, &control, &phone, &device).await;
    let to = bench.sidecar.sip_udp().unwrap();
    let invite = phone.wait("INVITE ", 1);
    let refer = format!("Refer-To: <{kitchen}>\r\n");
    phone.sends_with(to, "REFER", 1, Some(&invite), &refer, "");
    let after = pictures_of(&other, body(&other.wait("INVITE ", 1)), WHITE);
    phone.wait("BYE ", 1);
    drop(before);
    // Nobody has key frames by itself, and aiortc does not ask for what it cannot decode.
    after.sees(RED);
    device.asks_until_it_sees(WHITE);
    device.shows(GREEN);
    after.sees(GREEN);
    other.hears_something();
    hangs_up(&skill, &control, &bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_follow_whoever_takes_the_phone_s_place() {
    let skill = Skill::start().await;
    let [phone, other] = [0; 2].map(|_| SipPhone::start(Answer::Takes, None));
    let bench = bench(&skill, &phone, VIDEO, "").await;
    let control = bench.sidecar.control().to_string();
    let device = Program::start("video_device.py", &["H264"]);
    let before = seen(&skill, &control, &phone, &device).await;
    let invite = phone.wait("INVITE ", 1);
    let of = |name: &str| {
        let mut lines = invite.lines();
        lines.find_map(|line| line.strip_prefix(name)).unwrap()
    };
    let (_, tag) = of("From: ").split_once(";tag=").unwrap();
    let replaces = format!(
        "Replaces: {};to-tag={tag};from-tag=phone\r\n",
        of("Call-ID: ")
    );
    let to = bench.sidecar.sip_udp().unwrap();
    let voice = other.voice.local_addr().unwrap().port();
    let offer = described("", voice, other.video, 1, Answer::Takes, None);
    other.sends_with(to, "INVITE", 1, None, &replaces, &offer);
    let ok = other.wait("SIP/2.0 200", 1);
    other.sends(to, "ACK", 1, Some(&reversed(&ok)), "");
    phone.wait("BYE ", 1);
    drop(before);
    // It is answered before anybody knows whose place it takes, so its video begins by an offer of ours.
    let offered = other.wait("INVITE ", 1);
    let after = pictures_of(&other, body(&offered), WHITE);
    device.asks_until_it_sees(WHITE);
    after.sees(RED);
    hangs_up(&skill, &control, &bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_without_video_answers_after_one_that_had_it() {
    let skill = Skill::start().await;
    let phone = SipPhone::start(Answer::Rings, None);
    let bench = bench(&skill, &phone, VIDEO, "").await;
    let control = bench.sidecar.control().to_string();
    let device = Program::start("video_device.py", &["H264"]);
    device.shows(RED);
    device.order(&json!({"offer": "sendrecv"}));
    let begin = outbound(&device.describes("offer"));
    let says = async |operation: &str, members| {
        skill.says(&control, "s-1", operation, members).await;
    };
    says("InitiateOutboundCall", begin).await;
    hears_of(&skill, "CallRinging", 1);
    says("CallRingingAck", json!({})).await;
    let early = sdp_of(&hears_of(&skill, "CallInProgress", 1));
    says("CallInProgressAck", json!({})).await;
    assert_eq!(direction_of(&section(&early, "video")), "sendrecv");
    device.order(&json!({"type": "answer", "sdp": early}));
    let invite = phone.wait("INVITE ", 1);
    let pictures = pictures_of(&phone, body(&invite), BLUE);
    device.sees(BLUE);
    pictures.sees(RED);
    // Another place of the fork answers.
    *phone.answer.lock().unwrap() = Answer::Refuses;
    let voice = phone.voice.local_addr().unwrap().port();
    let answer = described(body(&invite), voice, phone.video, 9, Answer::Refuses, None);
    let ok = response(&invite, "200 OK", "phone", phone.here, &answer);
    let to = bench.sidecar.sip_udp().unwrap();
    phone.socket.send_to(ok.as_bytes(), to).unwrap();
    hears_of(&skill, "CallAccepted", 1);
    says("CallAcceptedAck", json!({})).await;
    let update = is_updated(&skill, &control, "s-1", &device, 1).await;
    assert_eq!(
        direction_of(&section(&update, "video")),
        "inactive",
        "{update}"
    );
    phone.hears_something();
    hangs_up(&skill, &control, &bench).await;
}

/// A phone's video as it goes over the wire.
struct Wire {
    socket: UdpSocket,
    stop: Arc<AtomicBool>,
}

impl Wire {
    fn starts(phone: &SipPhone, to: SocketAddr, number: PayloadType, shows: &'static [u8]) -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", phone.video)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let (sends, stop) = (socket.try_clone().unwrap(), Arc::<AtomicBool>::default());
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            let mut camera = Camera::new(9, shows);
            while !stopped.load(Ordering::Relaxed) {
                sends.send_to(&camera.packet(number), to).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { socket, stop }
    }

    /// Waits for a packet with this payload; its source and number.
    fn sees(&self, shown: &[u8]) -> (u32, u16) {
        let begin = Instant::now();
        let mut room = [0; 2_048];
        loop {
            assert!(begin.elapsed() < LIMIT, "no picture");
            let length = self.socket.recv(&mut room).expect("a packet of video");
            let packet = RtpPacket::parse(&room[..length]).unwrap();
            if packet.payload() == shown {
                return (packet.header().ssrc, packet.header().sequence.0);
            }
        }
    }

    /// What has come so far is not looked at.
    fn forget(&self) {
        let mut room = [0; 2_048];
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut room).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_go_on_where_the_device_changes_its_network() {
    const SHOWN: &[u8] = b"\x65device";
    const SEEN: &[u8] = b"\x65phone";
    let skill = Arc::new(Skill::start().await);
    let phone = SipPhone::start(Answer::Takes, None);
    let bench = bench(&skill, &phone, VIDEO, "").await;
    let format = "packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1";
    let terms = Terms {
        formats: vec![Format::parse(format).unwrap()],
        flow: Flow::BOTH,
        bandwidth: None,
    };
    let offering = Device::offering_video(700.0, &G711, terms, SHOWN);
    let control = bench.sidecar.control();
    let mut room = Room::calls_with(&skill, control, "s-1", "desk", offering).await;
    room.gets_through().await;
    let invite = phone.wait("INVITE ", 1);
    let words = media(body(&invite), "video");
    let port: u16 = words[1].parse().unwrap();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let sees = |room: &Room| tokio::task::block_in_place(|| room.device.sees(SEEN));
    let source = |packets: &[Vec<u8>]| packets[0][8..12].to_vec();
    let number = PayloadType::new(words[3].parse().unwrap()).unwrap();
    let wire = Wire::starts(&phone, to, number, SEEN);
    let (ours, first) = wire.sees(SHOWN);
    let before = source(&sees(&room));
    for _ in 0..2 {
        let socket_of_before = room.device.route().0.local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let host = LocalAddress::Host(socket.local_addr().unwrap());
        room.moves(socket, &[host]).await;
        let until = Instant::now() + LIMIT;
        while room.device.route().0.local_addr().unwrap() == socket_of_before {
            assert!(Instant::now() < until, "it stays where it was");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        wire.forget();
        // One source, and one row of numbers.
        let (still, later) = wire.sees(SHOWN);
        assert_eq!(still, ours);
        assert!(later.wrapping_sub(first) < 0x8000, "{first} {later}");
        assert_eq!(source(&sees(&room)), before);
    }
    phone.hears_something();
    assert_eq!(phone.count("INVITE "), 1, "the phone hears nothing of it");
    hangs_up(&skill, &control.to_string(), &bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_pass_by_a_relay() {
    // Nothing is installed from inside.
    python();
    if network::is_own_network("pictures_pass_by_a_relay", Nat::Each) {
        by_a_relay().await;
    }
}

async fn by_a_relay() {
    let folder = tempfile::tempdir().unwrap();
    let coturn = Coturn::on_the_internet(folder.path());
    let password = folder.path().join("turn.password");
    write_secret(&password, PASSWORD);
    let skill = Skill::start().await;
    let phone = SipPhone::start(Answer::Takes, None);
    let settings = skill.settings(&format!(
        "{VIDEO}gathered = 1\n[[gateway.turn]]\nserver = \"{}\"\nusername = \"gateway\"\npassword-file = \"{}\"\n\
         [[gateway.route]]\naddress = \"desk\"\nuri = \"sip:desk@{}\"\n",
        coturn.address,
        password.display(),
        phone.here
    ));
    let bench = Bench::with(Handler::absent(), None, &settings, |config| {
        config.rtp.address = HERE.parse().unwrap();
        config.limits.workers = 1;
    })
    .await;
    tokio::task::block_in_place(|| coturn.says("ALLOCATE processed, success", 1));
    let control = bench.sidecar.control().to_string();
    let stun = format!("{RELAY}:3478");
    let device = Program::start_in(DEVICE, "video_device.py", &["H264", "10.2.0.2", &stun]);
    let pictures = seen(&skill, &control, &phone, &device).await;
    device.shows(GREEN);
    pictures.shows(WHITE);
    pictures.sees(GREEN);
    device.sees(WHITE);
    phone.hears_something();
    let result = json!({"callResult": {"code": "SUCCESS"}});
    skill.says(&control, "s-1", "CallEnded", result).await;
    bench
        .figures_become("the leg that is ready is left", |now| {
            (now.calls, now.legs) == (0, 0)
        })
        .await;
}
