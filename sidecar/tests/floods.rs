//! Floods on the media ports of a call: forged STUN, DTLS of a stranger, packets that are played again, packets of nobody
//! and garbage, some ten thousand of each, from a stranger's address and from the device's own. The call and the one
//! beside it go on as if nothing was.

mod support;

use std::io::Read as _;
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use skillcall_media::tone;
use support::device::Device;
use support::process::Process;
use support::room::{G711, Room};
use support::skill::Skill;
use support::steady::undisturbed;
use support::{Behaviour, Bench, Handler, Phone};

const ROOM: f64 = 700.0;
const PHONE: f64 = 1100.0;
/// Packets of each kind, from each place.
const PACKETS: usize = 10_000;
/// So many go out before the next pause: together some 20,000 packets a second where the machine is quick enough.
const BURST: usize = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// A STUN Binding request (RFC 8489 §5) with this user name and a MESSAGE-INTEGRITY that is wrong.
fn binding(user: &str) -> Vec<u8> {
    let attribute = |kind: u16, value: &[u8]| {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let mut attributes = attribute(0x0006, user.as_bytes());
    attributes.extend(attribute(0x0024, &1u32.to_be_bytes()));
    attributes.extend(attribute(0x8029, &7u64.to_be_bytes()));
    attributes.extend(attribute(0x0025, &[]));
    attributes.extend(attribute(0x0008, &[0x5a; 20]));
    let mut message = vec![0x00, 0x01];
    message.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    message.extend(0x2112_A442u32.to_be_bytes());
    message.extend(rand::random::<[u8; 12]>());
    message.extend(attributes);
    message
}

/// A ClientHello of DTLS 1.2 (RFC 6347 §4.2): a stranger begins, whose certificate nobody has announced.
fn client_hello() -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend(rand::random::<[u8; 32]>());
    // No session, no cookie; ECDHE_ECDSA with AES-128-GCM; no compression; secp256r1, use_srtp.
    body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
    let extensions = [
        0, 10, 0, 4, 0, 2, 0, 23, 0, 13, 0, 4, 0, 2, 4, 3, 0, 14, 0, 5, 0, 2, 0, 7, 0,
    ];
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut handshake = vec![1];
    handshake.extend(&length[1..]);
    handshake.extend([0, 0, 0, 0, 0]);
    handshake.extend(&length[1..]);
    handshake.extend(body);
    let mut record = vec![22, 0xfe, 0xff, 0, 0];
    record.extend(rand::random::<[u8; 6]>());
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

/// RTP of G.711 that nobody has protected: a loud noise under another SSRC.
fn bare_rtp(number: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(number.to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(0x0bad_cafe_u32.to_be_bytes());
    packet.extend((0..160).map(|place| if place % 3 == 0 { 0x80u8 } else { 0x00 }));
    packet
}

fn garbage() -> Vec<u8> {
    let length = usize::from(rand::random::<u8>()) * 6;
    (0..length).map(|_| rand::random()).collect()
}

/// Sends so many packets as fast as the pauses let it.
fn flood(socket: &UdpSocket, to: SocketAddr, mut packet: impl FnMut(usize) -> Vec<u8>) {
    for number in 0..PACKETS {
        // The kernel may have no room; then this one is lost.
        let _ = socket.send_to(&packet(number), to);
        if number % BURST == BURST - 1 {
            std::thread::sleep(PAUSE);
        }
    }
}

/// The port of the audio in a description, and the value of an attribute.
fn audio_port(sdp: &str) -> u16 {
    let line = sdp.lines().find_map(|line| line.strip_prefix("m=audio "));
    line.unwrap().split(' ').next().unwrap().parse().unwrap()
}

fn attribute<'a>(sdp: &'a str, name: &str) -> &'a str {
    let start = format!("a={name}:");
    let found = sdp.lines().find_map(|line| line.strip_prefix(&start));
    found.unwrap().trim()
}

/// Which part of what was heard, in pieces of 200 ms, is the tone.
fn share_of_tone(heard: &[i16], hz: f64) -> f64 {
    let pieces: Vec<bool> = heard
        .chunks_exact(1600)
        .map(|piece| tone::power_at(piece, hz) > 0.8)
        .collect();
    let clear = pieces.iter().filter(|clear| **clear).count();
    clear as f64 / pieces.len().max(1) as f64
}

/// A gateway with a desk for each phone.
async fn bench(skill: &Skill, phones: &[Phone]) -> Bench {
    let routes: String = phones
        .iter()
        .enumerate()
        .map(|(n, phone)| {
            let at = phone.address;
            format!("[[gateway.route]]\naddress = \"desk{n}\"\nuri = \"sip:desk{n}@{at}\"\n")
        })
        .collect();
    Bench::with(Handler::absent(), None, &skill.settings(&routes), |_| {}).await
}

/// The gateway's answer to the call of a session, once somebody has taken it.
async fn accepted(skill: &Skill, room: &Room, session: &str) -> String {
    let of = |message: &Value| message["sessionId"] == session;
    tokio::task::block_in_place(|| skill.wait_in(of, "CallRinging", 1).unwrap());
    room.says("CallRingingAck", serde_json::json!({})).await;
    let accepted = tokio::task::block_in_place(|| skill.wait_in(of, "CallAccepted", 1).unwrap());
    accepted["sdpDetails"]["value"].as_str().unwrap().to_owned()
}

/// A room and the `n`th desk hear each other; the gateway's answer.
async fn talks(skill: &Arc<Skill>, control: SocketAddr, n: usize, phone: &Phone) -> (Room, String) {
    let (session, address) = (format!("s-{n}"), format!("desk{n}"));
    let room = Room::calls(skill, control, &session, &address, (ROOM, &G711)).await;
    let answer = accepted(skill, &room, &session).await;
    room.device.take_answer(&answer);
    room.says("CallAcceptedAck", serde_json::json!({})).await;
    room.hears(PHONE);
    tokio::task::block_in_place(|| phone.hears(ROOM));
    (room, answer)
}

/// A handshake of DTLS by OpenSSL's own program, with a certificate that nobody has announced. Dropping it ends it.
fn openssl_begins(to: SocketAddr, folder: &std::path::Path) -> Process {
    let made = rcgen::generate_simple_self_signed(vec!["stranger".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("stranger.pem"), folder.join("stranger.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let child = Command::new("openssl")
        .args([
            "s_client",
            "-dtls1_2",
            "-use_srtp",
            "SRTP_AES128_CM_SHA1_80",
        ])
        .args(["-connect", &to.to_string()])
        .arg("-cert")
        .arg(certificate)
        .arg("-key")
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    Process(child.expect("openssl; `tools/setup.sh test` installs it"))
}

/// Who has the keys of ICE but another certificate than its description says goes through the whole handshake, and no further; a
/// stranger does not even get an answer. The call beside them goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_costs_its_own_call_alone() {
    undisturbed(async || {
        let skill = Arc::new(Skill::start().await);
        let phones = [
            Phone::start(PHONE, Behaviour::Answer),
            Phone::start(PHONE, Behaviour::Answer),
        ];
        let bench = bench(&skill, &phones).await;
        let control = bench.sidecar.control();
        let (room, _) = talks(&skill, control, 0, &phones[0]).await;
        room.device.forget_heard();
        phones[0].forget_heard();

        let folder = tempfile::tempdir().unwrap();
        let (_, port) = room.device.route();
        let mut strangers: Vec<Process> = (0..3)
            .map(|_| openssl_begins(port, folder.path()))
            .collect();

        let (device, offer) = Device::offering(ROOM, &G711);
        let (_, foreign) = Device::offering(ROOM, &G711);
        let said = attribute(&offer, "fingerprint").to_owned();
        let offer = offer.replace(&said, attribute(&foreign, "fingerprint"));
        let liar = Room::calls_with(&skill, control, "s-1", "desk1", (device, offer)).await;
        let answer = accepted(&skill, &liar, "s-1").await;
        liar.device.take_answer(&answer);
        liar.says("CallAcceptedAck", serde_json::json!({})).await;
        let of = |message: &Value| message["sessionId"] == "s-1";
        let end = tokio::task::block_in_place(|| skill.wait_in(of, "CallEnded", 1).unwrap());
        assert_eq!(end["callResult"]["code"], "INTERNAL_ERROR");
        tokio::task::block_in_place(|| phones[1].wait("the call's end", |state| state.ended));
        // Nobody there has heard anything.
        let heard = phones[1].wait("what it has heard", |_| true).heard;
        assert!(heard.iter().all(|sample| sample.abs() < 200));
        assert!(liar.device.heard().iter().all(|sample| sample.abs() < 200));

        // Long enough for a good part of OpenSSL's repetitions.
        tokio::task::block_in_place(|| {
            phones[0].wait("four seconds", |state| state.heard.len() > 32_000);
        });
        let share = share_of_tone(&room.device.heard(), PHONE);
        assert!(share > 0.8, "the room: {share}");
        let heard = phones[0].wait("what it has heard", |_| true).heard;
        let share = share_of_tone(&heard, ROOM);
        assert!(share > 0.8, "the phone: {share}");
        room.hears(PHONE);
        tokio::task::block_in_place(|| phones[0].hears(ROOM));
        for stranger in &mut strangers {
            stranger.0.kill().unwrap();
            let mut said = String::new();
            let output = stranger.0.stdout.take().unwrap();
            std::io::BufReader::new(output)
                .read_to_string(&mut said)
                .unwrap();
            assert!(!said.contains("BEGIN CERTIFICATE"), "{said}");
        }
        room.hangs_up("SUCCESS").await;
        bench.nothing_is_left().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_change_nothing_for_a_call_and_its_neighbour() {
    undisturbed(async || {
        let skill = Arc::new(Skill::start().await);
        let phones = [
            Phone::start(PHONE, Behaviour::Answer),
            Phone::start(PHONE, Behaviour::Answer),
        ];
        let bench = bench(&skill, &phones).await;
        let control = bench.sidecar.control();
        let mut rooms = Vec::new();
        let mut answers = Vec::new();
        for (n, phone) in phones.iter().enumerate() {
            let (room, answer) = talks(&skill, control, n, phone).await;
            rooms.push(room);
            answers.push(answer);
        }
        for room in &rooms {
            room.device.forget_heard();
        }
        phones.iter().for_each(Phone::forget_heard);

        let (own, device_port) = rooms[0].device.route();
        let invite = phones[0].wait("the INVITE", |state| state.invite.is_some());
        let phone_port = SocketAddr::from(([127, 0, 0, 1], audio_port(&invite.invite.unwrap())));
        let ufrag = attribute(&answers[0], "ice-ufrag").to_owned();
        let replayed = rooms[0].device.sent();
        assert!(replayed.len() > 10);
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        tokio::task::block_in_place(|| {
            for socket in [&stranger, &*own] {
                flood(socket, device_port, |_| binding(&format!("{ufrag}:abcd")));
                flood(socket, device_port, |_| binding("nobody:abcd"));
                flood(socket, device_port, |_| client_hello());
                flood(socket, device_port, |n| {
                    replayed[n % replayed.len()].clone()
                });
                flood(socket, device_port, |n| bare_rtp(n as u16));
                flood(socket, device_port, |_| garbage());
            }
            flood(&stranger, phone_port, |n| bare_rtp(n as u16));
            flood(&stranger, phone_port, |_| garbage());
        });

        for (room, phone) in rooms.iter().zip(&phones) {
            let heard = room.device.heard();
            let share = share_of_tone(&heard, PHONE);
            assert!(share > 0.8, "the room: {share} of {}", heard.len());
            let heard = phone.wait("what it has heard", |_| true).heard;
            let share = share_of_tone(&heard, ROOM);
            assert!(share > 0.8, "the phone: {share} of {}", heard.len());
            room.hears(PHONE);
            tokio::task::block_in_place(|| phone.hears(ROOM));
        }
        let said = skill.operations();
        assert!(!said.iter().any(|name| name == "CallEnded"), "{said:?}");
        let figures = bench.sidecar.figures();
        assert_eq!((figures.calls, figures.gateway_calls), (2, 2));
        for room in &rooms {
            room.hangs_up("SUCCESS").await;
        }
        bench.nothing_is_left().await;
    })
    .await;
}
