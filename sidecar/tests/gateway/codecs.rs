//! Phones that speak Opus and G.722, which nobody here wrote: baresip and PJSIP.

use crate::support;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use serde_json::{Value, json};
use skillcall_media::encoding::Encoding;
use support::baresip::Baresip;
use support::pjsua::Pjsua;
use support::room::{G711, Room};
use support::skill::{ACCOUNT, Skill};
use support::{Bench, Handler};

const ROOM: f64 = 700.0;
const PHONE: f64 = 1100.0;

/// A gateway whose desk is at this place, and whose phones speak these codecs.
async fn bench(skill: &Skill, place: SocketAddr, codecs: &[&str]) -> Bench {
    let settings = skill.settings(&format!(
        "codecs = {codecs:?}\n[[gateway.route]]\naddress = \"desk\"\nuri = \"sip:desk@{place}\"\n\
         [[gateway.room]]\nnumber = \"201\"\nparticipant = \"room201\"\naccount = \"{ACCOUNT}\"\n"
    ));
    Bench::with(Handler::absent(), None, &settings, |_| {}).await
}

/// What the legs speak, by name.
async fn spoken(bench: &Bench) -> Vec<String> {
    let calls = bench.get("/v1/calls").await;
    let media = calls["calls"][0]["media"].as_array().unwrap();
    let codec = |leg: &Value| leg["codec"].as_str().unwrap().to_owned();
    let mut spoken: Vec<_> = media.iter().map(codec).collect();
    spoken.sort_unstable();
    spoken
}

#[tokio::test(flavor = "multi_thread")]
async fn opus_on_both_sides_passes_and_is_heard_also_after_a_hold() {
    for room_calls in [true, false] {
        let skill = Arc::new(Skill::start().await);
        let (phone, place) = Baresip::alone("opus/48000/2", PHONE);
        phone.logs("baresip is ready");
        let bench = bench(&skill, place, &["opus", "PCMU"]).await;
        let control = bench.sidecar.control();
        let device = (ROOM, &[Encoding::Opus, Encoding::Pcmu][..]);
        let mut room = match room_calls {
            true => {
                let room = Room::calls(&skill, control, "s-1", "desk", device).await;
                room.gets_through().await;
                room
            }
            false => {
                let to = bench.sidecar.sip_udp().unwrap();
                phone.order(&format!("/dial sip:201@{to}"));
                Room::answers(&skill, control, device).await
            }
        };
        room.hears(PHONE);
        assert_eq!(spoken(&bench).await, ["opus", "opus"]);
        // Long enough to be found in what baresip writes down.
        bench.sends(100).await;
        // How a phone hears a room after a hold, FFmpeg shows below: baresip writes down only what comes before one.
        room.holds(true).await;
        room.holds(false).await;
        room.hears(PHONE);
        room.hangs_up("SUCCESS").await;
        tokio::task::block_in_place(|| phone.has_heard(ROOM));
        bench.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_with_g722_and_a_room_with_any_codec() {
    for (codecs, names) in [
        (&[Encoding::G722][..], ["G722", "G722"]),
        (&[Encoding::Opus][..], ["G722", "opus"]),
        (&G711[..], ["G722", "PCMU"]),
    ] {
        let skill = Arc::new(Skill::start().await);
        let mut phone = tokio::task::block_in_place(|| {
            Pjsua::start(&json!({"tone": PHONE, "answers": 200, "codecs": ["G722/"]}))
        });
        let bench = bench(&skill, phone.address, &["PCMU", "PCMA", "G722"]).await;
        let control = bench.sidecar.control();
        let mut room = Room::calls(&skill, control, "s-1", "desk", (ROOM, codecs)).await;
        room.gets_through().await;
        let both_hear = |room: &Room, phone: &mut Pjsua| {
            room.hears(PHONE);
            tokio::task::block_in_place(|| phone.hears_tone("1", ROOM));
        };
        both_hear(&room, &mut phone);
        assert_eq!(spoken(&bench).await, names);
        room.holds(true).await;
        room.holds(false).await;
        both_hear(&room, &mut phone);
        phone.order("hangup 1");
        assert_eq!(room.ended(), "SUCCESS");
        bench.nothing_is_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_with_g722_calls_a_room() {
    let skill = Arc::new(Skill::start().await);
    let mut phone = tokio::task::block_in_place(|| {
        Pjsua::start(&json!({"tone": PHONE, "codecs": ["G722/", "PCMU/"]}))
    });
    let bench = bench(&skill, phone.address, &["G722", "PCMU"]).await;
    let to = bench.sidecar.sip_udp().unwrap();
    phone.order(&format!("call sip:201@{to}"));
    let device = (ROOM, &[Encoding::G722, Encoding::Pcmu][..]);
    let room = Room::answers(&skill, bench.sidecar.control(), device).await;
    room.hears(PHONE);
    tokio::task::block_in_place(|| phone.hears_tone("1", ROOM));
    assert_eq!(spoken(&bench).await, ["G722", "G722"]);
    // Digits of the phone beside its audio are tones for the room.
    phone.order("dial 1 42");
    tokio::task::block_in_place(|| room.device.hears_digits("42"));
    phone.order("hangup 1");
    assert_eq!(room.ended(), "SUCCESS");
    bench.nothing_is_left().await;
}

/// The next message that begins so.
fn message(socket: &UdpSocket, begins: &str) -> String {
    let mut bytes = [0; 4_096];
    loop {
        let (length, _) = socket.recv_from(&mut bytes).expect(begins);
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if text.starts_with(begins) {
            return text;
        }
    }
}

/// FFmpeg, which nobody here wrote, hears Opus that comes to this port; its program says what it has heard, line by line.
struct Ffmpeg {
    child: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Ffmpeg {
    fn listens(port: u16, payload_type: u8) -> Self {
        let program = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/hear.py");
        let mut child = std::process::Command::new(support::recogniser::python())
            .arg(program)
            .args([port.to_string(), payload_type.to_string(), ROOM.to_string()])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("Python runs");
        let output = child.stdout.take().unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(output));
        assert_eq!(lines.next().unwrap().unwrap(), "listening");
        Self { child, lines }
    }

    /// Waits for so many fifths of a second in a row with the room's tone and without a gap.
    fn hears_the_room(&mut self, fifths: usize) {
        let begin = std::time::Instant::now();
        let mut row = 0;
        while row < fifths {
            assert!(begin.elapsed() < support::LIMIT, "the room is not heard");
            let line = self.lines.next().expect("FFmpeg goes on").unwrap();
            let heard: Value = serde_json::from_str(&line).unwrap();
            let clear = heard["power"].as_f64().unwrap() > 0.8;
            row = if clear { row + 1 } else { 0 };
        }
    }
}

impl Drop for Ffmpeg {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer of a phone to a request, with the headers that it copies.
fn response(request: &str, here: SocketAddr, tag: &str, body: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines() {
        if ["Via:", "From:", "Call-ID:", "CSeq:"]
            .iter()
            .any(|name| line.starts_with(name))
        {
            text += &format!("{line}\r\n");
        } else if line.starts_with("To:") {
            let tag = if line.contains(";tag=") { "" } else { tag };
            text += &format!("{line}{tag}\r\n");
        }
    }
    let content = match body {
        "" => "",
        _ => "Content-Type: application/sdp\r\n",
    };
    let length = body.len();
    text + &format!("Contact: <sip:desk@{here}>\r\n{content}Content-Length: {length}\r\n\r\n{body}")
}

/// What a phone hears of a room, before and after a hold: the packets are one stream to it, and FFmpeg finds the tone in them.
#[tokio::test(flavor = "multi_thread")]
async fn opus_is_heard_by_a_phone_also_after_a_hold() {
    let skill = Arc::new(Skill::start().await);
    let [sip, taken] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    sip.set_read_timeout(Some(support::LIMIT)).unwrap();
    let (here, media) = (
        sip.local_addr().unwrap(),
        taken.local_addr().unwrap().port(),
    );
    drop(taken);
    let mut ffmpeg = tokio::task::block_in_place(|| Ffmpeg::listens(media, 111));
    let bench = bench(&skill, here, &["opus"]).await;
    let described = move |version: u8, direction: &str| {
        format!(
            "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {media} RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\na={direction}\r\n"
        )
    };
    // The phone answers what it is asked, as it is asked.
    let asked = Arc::new(std::sync::Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&asked);
    let phone = sip.try_clone().unwrap();
    let thread = std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        let mut version = 0;
        loop {
            let (length, from) = phone.recv_from(&mut bytes).expect("a request");
            let request = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let body = if request.starts_with("INVITE ") {
                let mut seen = seen.lock().unwrap();
                // What is repeated is answered as before.
                if !seen.contains(&request) {
                    version += 1;
                    seen.push(request.clone());
                }
                let direction = match () {
                    () if request.contains("a=sendonly") => "recvonly",
                    () if request.contains("a=inactive") => "inactive",
                    () => "sendrecv",
                };
                described(version, direction)
            } else {
                String::new()
            };
            if !request.starts_with("ACK ") && !request.starts_with("SIP/2.0") {
                let answer = response(&request, here, ";tag=phone", &body);
                phone.send_to(answer.as_bytes(), from).unwrap();
            }
            if request.starts_with("BYE ") {
                return;
            }
        }
    });
    let control = bench.sidecar.control();
    let device = (ROOM, &[Encoding::Opus][..]);
    let mut room = Room::calls(&skill, control, "s-1", "desk", device).await;
    room.gets_through().await;
    tokio::task::block_in_place(|| ffmpeg.hears_the_room(10));
    for _ in 0..2 {
        room.holds(true).await;
        room.holds(false).await;
        tokio::task::block_in_place(|| ffmpeg.hears_the_room(10));
    }
    let directions: Vec<bool> = asked
        .lock()
        .unwrap()
        .iter()
        .map(|invite| invite.contains("a=sendrecv") || !invite.contains("a=sendonly"))
        .collect();
    assert_eq!(directions, [true, false, true, false, true]);
    room.hangs_up("SUCCESS").await;
    thread.join().unwrap();
    bench.nothing_is_left().await;
}

/// Packets are not decoded on their way: what is in them need not even be Opus.
#[tokio::test(flavor = "multi_thread")]
async fn what_both_speak_passes_byte_by_byte() {
    let skill = Arc::new(Skill::start().await);
    let [sip, rtp] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    sip.set_read_timeout(Some(support::LIMIT)).unwrap();
    let (here, media) = (sip.local_addr().unwrap(), rtp.local_addr().unwrap().port());
    let bench = bench(&skill, here, &["opus"]).await;
    let to = bench.sidecar.sip_udp().unwrap();
    let body = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {media} RTP/AVP 111\r\n\
         a=rtpmap:111 opus/48000/2\r\n"
    );
    let request = |method: &str, tag: &str, body: &str| {
        let content = match body {
            "" => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        let length = body.len();
        format!(
            "{method} sip:201@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bK{method}\r\nMax-Forwards: 70\r\n\
             From: <sip:desk@{here}>;tag=p\r\nTo: <sip:201@{to}>{tag}\r\nCall-ID: bytes@{here}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:desk@{here}>\r\n{content}Content-Length: {length}\r\n\r\n{body}"
        )
    };
    sip.send_to(request("INVITE", "", &body).as_bytes(), to)
        .unwrap();
    let device = (ROOM, &[Encoding::Opus][..]);
    let room = Room::answers(&skill, bench.sidecar.control(), device).await;
    let answer = tokio::task::block_in_place(|| message(&sip, "SIP/2.0 200"));
    let line = |begins: &str| {
        let mut lines = answer.lines();
        lines.find_map(|line| line.strip_prefix(begins)).unwrap()
    };
    let tag = line("To: ").rsplit_once(";tag=").unwrap().1;
    sip.send_to(request("ACK", &format!(";tag={tag}"), "").as_bytes(), to)
        .unwrap();
    assert!(line("a=rtpmap:").starts_with("111 opus/48000/2"));
    let port: u16 = line("m=audio ").split(' ').next().unwrap().parse().unwrap();
    tokio::task::block_in_place(|| room.device.is_connected());
    // What comes before the bridge is up is lost.
    let is_ours =
        |payload: &Vec<u8>| payload.len() == 40 && payload.iter().all(|it| *it == payload[0]);
    let begin = std::time::Instant::now();
    for number in 0_u32.. {
        let sequence = (number as u16).to_be_bytes();
        let mut packet = vec![0x80, 111, sequence[0], sequence[1]];
        packet.extend((960 * number).to_be_bytes());
        packet.extend([0, 0, 0, 7]);
        packet.extend([sequence[1]; 40]);
        rtp.send_to(&packet, (to.ip(), port)).unwrap();
        let came = room.device.payloads();
        if came.iter().filter(|payload| is_ours(payload)).count() >= 10 {
            break;
        }
        assert!(
            begin.elapsed() < support::LIMIT,
            "{} packets came",
            came.len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    room.hangs_up("SUCCESS").await;
    bench.nothing_is_left().await;
}
