//! H.264 through the gateway: a device by aiortc, a phone by FFmpeg, neither of which anybody here wrote. Each shows a colour, and says
//! which one it sees.

mod support;

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::skill::{ACCOUNT, Skill};
use support::{Bench, Handler};

const LIMIT: Duration = Duration::from_secs(60);
const RED: [u8; 3] = [220, 30, 30];
const GREEN: [u8; 3] = [30, 200, 30];
const BLUE: [u8; 3] = [30, 30, 220];
const WHITE: [u8; 3] = [230, 230, 230];
/// Pictures from one key frame to the next, where they come only when they are asked for.
const NEVER: u32 = 100_000;

/// The interpreter of an environment that has aiortc, and FFmpeg's libraries. Made once, and kept beside the tests.
fn python() -> PathBuf {
    static MADE: Mutex<()> = Mutex::new(());
    let _alone = MADE.lock().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../simulator/tests/aiortc");
    let requirements = root.join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let ready = Path::new(env!("CARGO_TARGET_TMPDIR")).join(wanted.trim().replace("==", "-"));
    let python = ready.join("bin/python");
    if python.exists() {
        return python;
    }
    // Built aside, so that one that was broken off is never taken for ready.
    let folder = ready.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let run = |command: &mut Command| {
        let output = command.stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    run(Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet"])
        .args(["--disable-pip-version-check", "-r"])
        .arg(&requirements));
    // Another process may have been faster; its environment is as good.
    if std::fs::rename(&folder, &ready).is_err() {
        let _ = std::fs::remove_dir_all(&folder);
    }
    python
}

/// A program that is told and tells by lines of JSON.
struct Program {
    child: Child,
    to: Mutex<ChildStdin>,
    said: Arc<(Mutex<VecDeque<Value>>, Condvar)>,
}

impl Program {
    fn start(script: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/peers")
            .join(script);
        let mut child = Command::new(python())
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        let to = Mutex::new(child.stdin.take().unwrap());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Arc<(Mutex<VecDeque<Value>>, Condvar)> = Arc::default();
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str(&line) {
                    heard.0.lock().unwrap().push_back(value);
                    heard.1.notify_all();
                }
            }
        });
        let program = Self { child, to, said };
        program.wait("its start", |said| said["ready"] == true);
        program
    }

    fn order(&self, order: &Value) {
        writeln!(self.to.lock().unwrap(), "{order}").unwrap();
    }

    /// Waits for something that it says from its last answer on.
    fn wait(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        tokio::task::block_in_place(|| {
            let until = Instant::now() + LIMIT;
            let mut said = self.said.0.lock().unwrap();
            let mut last = Value::Null;
            loop {
                while let Some(value) = said.pop_front() {
                    if fits(&value) {
                        return value;
                    }
                    last = value;
                }
                let left = until.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "no {what}; the last was {last}");
                said = self.said.1.wait_timeout(said, left).unwrap().0;
            }
        })
    }

    /// Forgets what it has said.
    fn forget(&self) {
        self.said.0.lock().unwrap().clear();
    }

    fn shows(&self, colour: [u8; 3]) {
        self.order(&json!({"colour": colour}));
    }

    /// Waits for a picture of this colour, from now on.
    fn sees(&self, colour: [u8; 3]) {
        self.forget();
        self.wait(&format!("picture of {colour:?}"), |said| {
            let seen = said["seen"].as_array();
            seen.is_some_and(|seen| {
                let parts = seen.iter().zip(colour);
                parts
                    .map(|(part, wanted)| part.as_i64().unwrap().abs_diff(wanted.into()))
                    .all(|off| off < 40)
            })
        });
    }

    fn describes(&self, kind: &str) -> String {
        let said = self.wait(kind, |said| said["type"] == kind);
        said["sdp"].as_str().unwrap().to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How the phone answers video.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// It takes what it is offered.
    Takes,
    /// The same, and its description speaks of no feedback.
    Mute,
    /// A port of 0.
    Refuses,
    /// It leaves the line out.
    LeavesOut,
}

/// A phone's side of SIP; its voice goes nowhere, its pictures are FFmpeg's.
struct SipPhone {
    socket: UdpSocket,
    here: SocketAddr,
    voice: UdpSocket,
    video: u16,
    seen: Arc<(Mutex<Vec<String>>, Condvar)>,
    answer: Arc<Mutex<Answer>>,
}

/// A pair of ports that is free.
fn pair() -> u16 {
    loop {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        if port.is_multiple_of(2) && UdpSocket::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// The lines of a media line in a description, its own first.
fn section<'a>(sdp: &'a str, kind: &str) -> Vec<&'a str> {
    let begins = format!("m={kind} ");
    let mut lines = sdp.lines().skip_while(|line| !line.starts_with(&begins));
    let first = lines.next();
    let rest = lines.take_while(|line| !line.starts_with("m="));
    first.into_iter().chain(rest).collect()
}

/// The words of a media line.
fn media(sdp: &str, kind: &str) -> Vec<String> {
    let section = section(sdp, kind);
    let line = section.first().copied().unwrap_or_default();
    line.split(' ').map(str::to_owned).collect()
}

fn direction_of(section: &[&str]) -> &'static str {
    let names = ["sendonly", "recvonly", "inactive"];
    let said = |name: &&&str| section.contains(&format!("a={name}").as_str());
    names.iter().find(said).copied().unwrap_or("sendrecv")
}

const fn turned(direction: &'static str) -> &'static str {
    match direction.as_bytes() {
        b"sendonly" => "recvonly",
        b"recvonly" => "sendonly",
        _ => direction,
    }
}

fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

impl SipPhone {
    fn start(answer: Answer, key: Option<&'static str>) -> Self {
        let [socket, voice] = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
        voice.set_read_timeout(Some(LIMIT)).unwrap();
        let phone = Self {
            here: socket.local_addr().unwrap(),
            socket,
            voice,
            video: pair(),
            seen: Arc::default(),
            answer: Arc::new(Mutex::new(answer)),
        };
        let (socket, here) = (phone.socket.try_clone().unwrap(), phone.here);
        let (voice, video) = (phone.voice.local_addr().unwrap().port(), phone.video);
        let (seen, answer) = (Arc::clone(&phone.seen), Arc::clone(&phone.answer));
        std::thread::spawn(move || {
            let mut bytes = [0; 8_192];
            let mut version = 0;
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
                let body = if message.starts_with("INVITE ") {
                    version += 1;
                    described(
                        body(&message),
                        voice,
                        video,
                        version,
                        *answer.lock().unwrap(),
                        key,
                    )
                } else {
                    String::new()
                };
                if !message.starts_with("ACK ") && !message.starts_with("SIP/2.0") {
                    let answer = response(&message, here, &body);
                    socket.send_to(answer.as_bytes(), from).unwrap();
                }
                let ends = message.starts_with("BYE ");
                let mut all = seen.0.lock().unwrap();
                if !all.contains(&message) {
                    all.push(message);
                }
                seen.1.notify_all();
                if ends {
                    return;
                }
            }
        });
        phone
    }

    /// Waits for the `n`th message, from 1, that begins so.
    fn wait(&self, begins: &str, n: usize) -> String {
        tokio::task::block_in_place(|| {
            let until = Instant::now() + LIMIT;
            let mut seen = self.seen.0.lock().unwrap();
            loop {
                let mut fitting = seen.iter().filter(|it| it.starts_with(begins));
                if let Some(found) = fitting.nth(n - 1) {
                    return found.clone();
                }
                let left = until.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "no {begins} {n} in {seen:#?}");
                seen = self.seen.1.wait_timeout(seen, left).unwrap().0;
            }
        })
    }

    fn count(&self, begins: &str) -> usize {
        let seen = self.seen.0.lock().unwrap();
        seen.iter().filter(|it| it.starts_with(begins)).count()
    }

    /// A request of the phone's in the dialog of a call that it was called in, or outside of one.
    fn sends(&self, to: SocketAddr, method: &str, number: u32, dialog: Option<&str>, body: &str) {
        let here = self.here;
        let header = |name: &str| {
            let mut lines = dialog.unwrap_or_default().lines();
            let line = lines.find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_default().to_owned()
        };
        let (from, target, call) = match dialog {
            Some(_) => (
                format!("{};tag=phone", header("To")),
                header("From"),
                header("Call-ID"),
            ),
            None => (
                format!("<sip:desk@{here}>;tag=phone"),
                format!("<sip:201@{to}>"),
                format!("video@{here}"),
            ),
        };
        let uri = match dialog {
            Some(_) => header("Contact").trim_matches(['<', '>']).to_owned(),
            None => format!("sip:201@{to}"),
        };
        let content = match body {
            "" => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        let length = body.len();
        let request = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n\
             From: {from}\r\nTo: {target}\r\nCall-ID: {call}\r\nCSeq: {number} {method}\r\n\
             Contact: <sip:desk@{here}>\r\n{content}Content-Length: {length}\r\n\r\n{body}"
        );
        self.socket.send_to(request.as_bytes(), to).unwrap();
    }

    /// FFmpeg begins: it sends to this port under this number, and what it receives has that number.
    fn pictures(&self, key_frames: u32, number: &str) -> Program {
        let (port, every) = (self.video.to_string(), key_frames.to_string());
        Program::start("video_phone.py", &[&port, number, &every])
    }

    /// Waits for packets of voice that come from now on.
    fn hears_something(&self) {
        tokio::task::block_in_place(|| {
            self.voice.set_nonblocking(true).unwrap();
            let mut bytes = [0; 2_048];
            while self.voice.recv(&mut bytes).is_ok() {}
            self.voice.set_nonblocking(false).unwrap();
            for _ in 0..10 {
                let length = self.voice.recv(&mut bytes).expect("a packet of voice");
                assert!(length > 12);
            }
        });
    }
}

/// The one suite that FFmpeg speaks, and the line that offers it.
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

fn crypto_line(sdp: &str) -> Option<&str> {
    let mut lines = sdp.lines();
    lines.find(|line| line.starts_with("a=crypto:") && line.contains(SUITE))
}

/// The phone's description: an answer to `offer`, or an offer where there is none.
fn described(
    offer: &str,
    voice: u16,
    video: u16,
    version: u32,
    how: Answer,
    key: Option<&str>,
) -> String {
    let tag = crypto_line(offer).and_then(|line| line.split([':', ' ']).nth(1));
    let crypto = |tag: Option<&str>| match key {
        Some(key) => format!("a=crypto:{} {SUITE} inline:{key}\r\n", tag.unwrap_or("1")),
        None => String::new(),
    };
    let audio = section(offer, "audio");
    let direction = turned(direction_of(&audio));
    let mut text = format!(
        "v=0\r\no=- 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=audio {voice} RTP/AVP 0\r\na={direction}\r\n{}",
        crypto(tag)
    );
    let offered = media(offer, "video");
    let number = offered.get(3).map_or("107", String::as_str);
    let direction = turned(direction_of(&section(offer, "video")));
    let feedback = match how {
        Answer::Mute => String::new(),
        _ => format!("a=rtcp-fb:{number} nack pli\r\na=rtcp-fb:{number} ccm fir\r\n"),
    };
    let has_line = offer.is_empty() || offered.len() > 1;
    let is_open = offered.get(1).is_none_or(|port| port != "0");
    match how {
        Answer::LeavesOut => {}
        _ if !has_line => {}
        Answer::Takes | Answer::Mute if is_open => {
            text += &format!(
                "m=video {video} RTP/AVP {number}\r\nb=AS:700\r\na=rtpmap:{number} H264/90000\r\n\
                 a=fmtp:{number} profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1\r\n\
                 {feedback}{}a={direction}\r\n",
                crypto(tag)
            );
        }
        _ => text += &format!("m=video 0 RTP/AVP {number}\r\n"),
    }
    text
}

/// The phone's response to a request, with the headers that it copies.
fn response(request: &str, here: SocketAddr, body: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines() {
        if ["Via:", "From:", "Call-ID:", "CSeq:"]
            .iter()
            .any(|name| line.starts_with(name))
        {
            text += &format!("{line}\r\n");
        } else if line.starts_with("To:") {
            let tag = if line.contains(";tag=") {
                ""
            } else {
                ";tag=phone"
            };
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

async fn bench(skill: &Skill, phone: &SipPhone, more: &str, extra: &str) -> Bench {
    let settings = skill.settings(&format!(
        "{more}\n[[gateway.route]]\naddress = \"desk\"\nuri = \"sip:desk@{}\"\n\
         [[gateway.room]]\nnumber = \"201\"\nparticipant = \"room201\"\naccount = \"{ACCOUNT}\"\n{extra}",
        phone.here
    ));
    Bench::with(Handler::absent(), None, &settings, |_| {}).await
}

fn details(kind: &str, sdp: &str) -> Value {
    json!({"sdpDetails": {"type": kind, "value": sdp}})
}

fn sdp_of(message: &Value) -> String {
    message["sdpDetails"]["value"].as_str().unwrap().to_owned()
}

fn hears_of(skill: &Skill, operation: &str, n: usize) -> Value {
    tokio::task::block_in_place(|| skill.wait(operation, n))
}

/// The device calls the desk, which answers; our answer.
async fn gets_through(skill: &Skill, control: &str, offer: &str) -> String {
    let mut begin = details("OFFER", offer);
    begin["participants"] = json!([
        {"id": {"type": "RAW_ADDRESS", "value": "room201"}, "isOriginator": true},
        {"id": {"type": "RAW_ADDRESS", "value": "desk"}, "isOriginator": false},
    ]);
    skill
        .says(control, "s-1", "InitiateOutboundCall", begin)
        .await;
    hears_of(skill, "CallRinging", 1);
    skill
        .says(control, "s-1", "CallRingingAck", json!({}))
        .await;
    let accepted = hears_of(skill, "CallAccepted", 1);
    skill
        .says(control, "s-1", "CallAcceptedAck", json!({}))
        .await;
    sdp_of(&accepted)
}

/// The device offers anew, and takes our answer.
async fn updates(skill: &Skill, control: &str, kind: &str, device: &Program, n: usize) -> String {
    let direction = match kind {
        "CALL_HOLD" => "sendonly",
        _ => "sendrecv",
    };
    device.order(&json!({"offer": direction}));
    let mut update = details("OFFER", &device.describes("offer"));
    update["renegotiationType"] = kind.into();
    skill.says(control, "s-1", "CallUpdate", update).await;
    let answer = sdp_of(&hears_of(skill, "CallUpdateResponse", n));
    device.order(&json!({"type": "answer", "sdp": answer}));
    skill.says(control, "s-1", "CallUpdateAck", json!({})).await;
    answer
}

/// The `n`th CallUpdate comes, and the device answers it.
async fn is_updated(
    skill: &Skill,
    control: &str,
    session: &str,
    device: &Program,
    n: usize,
) -> String {
    let update = hears_of(skill, "CallUpdate", n);
    let offer = sdp_of(&update);
    device.order(&json!({"type": "offer", "sdp": offer}));
    let mut answer = details("ANSWER", &device.describes("answer"));
    answer["renegotiationType"] = update["renegotiationType"].clone();
    skill
        .says(control, session, "CallUpdateResponse", answer)
        .await;
    hears_of(skill, "CallUpdateAck", n);
    offer
}

async fn hangs_up(skill: &Skill, control: &str, bench: &Bench) {
    let result = json!({"callResult": {"code": "SUCCESS"}});
    skill.says(control, "s-1", "CallEnded", result).await;
    bench.nothing_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_pass_both_ways_also_after_a_hold_and_key_frames_are_asked_for() {
    let skill = Skill::start().await;
    let phone = SipPhone::start(Answer::Takes, None);
    let bench = bench(&skill, &phone, "video = \"h264\"", "").await;
    let control = bench.sidecar.control().to_string();
    let device = Program::start("video_device.py", &["VP8,H264"]);
    device.shows(RED);
    device.order(&json!({"offer": "sendrecv"}));
    let offer = device.describes("offer");
    assert!(
        offer.contains("VP8/90000") && offer.contains("rtx/90000"),
        "{offer}"
    );
    let answer = gets_through(&skill, &control, &offer).await;
    // The phone is offered H.264 alone, and nothing that cannot be served.
    let invite = phone.wait("INVITE ", 1);
    let video = section(body(&invite), "video");
    let numbers = &media(body(&invite), "video")[3..];
    assert_eq!(
        numbers.len(),
        2,
        "Baseline and Constrained Baseline: {invite}"
    );
    for wrong in ["VP8", "rtx", "red", "ulpfec"] {
        assert!(
            !video.iter().any(|line| line.contains(wrong)),
            "{wrong} in {invite}"
        );
    }
    assert!(
        !video.iter().any(|line| line.ends_with(" nack")),
        "{invite}"
    );
    // The device gets the one format that the phone has chosen, under its own number, on the voice's way.
    let chosen = section(&answer, "video");
    assert_eq!(media(&answer, "video").len(), 4, "{answer}");
    assert!(
        chosen.contains(&"b=AS:700") && chosen.contains(&"a=sendrecv"),
        "{answer}"
    );
    assert!(
        !chosen.iter().any(|line| line.ends_with(" nack")),
        "{answer}"
    );
    assert!(answer.contains("a=group:BUNDLE 0 1"), "{answer}");
    let ours = media(body(&invite), "video")[1].parse::<u16>().unwrap();
    let pictures = phone.pictures(NEVER, &numbers[0]);
    pictures.shows(BLUE);
    pictures.order(&json!({"to": ours, "number": numbers[0], "send": null, "receive": null}));
    device.order(&json!({"type": "answer", "sdp": answer}));
    // Key frames come only when they are asked for: each side's decoder has begun by a request that has passed, or is ours.
    device.sees(BLUE);
    pictures.sees(RED);
    phone.hears_something();
    for (asker, asked, order) in [
        (&device, &pictures, json!({"ask": "pli"})),
        (&pictures, &device, json!({"ask": "pli"})),
        (&pictures, &device, json!({"ask": "fir"})),
    ] {
        asked.forget();
        // Requests that follow each other closely are one, so it is asked again.
        let begin = Instant::now();
        loop {
            asker.order(&order);
            let said = tokio::task::block_in_place(|| {
                let said = asked.said.0.lock().unwrap();
                let wait = Duration::from_millis(500);
                let is =
                    |said: &mut VecDeque<Value>| !said.iter().any(|it| it["asked"].is_string());
                let (said, _) = asked.said.1.wait_timeout_while(said, wait, is).unwrap();
                said.iter().any(|it| it["asked"] == "pli")
            });
            if said {
                break;
            }
            assert!(begin.elapsed() < LIMIT, "{order} did not pass");
        }
    }
    for round in 0..2 {
        let answer = updates(&skill, &control, "CALL_HOLD", &device, 2 * round + 1).await;
        let held = phone.wait("INVITE ", 2 * round + 2);
        assert_eq!(
            direction_of(&section(body(&held), "video")),
            "inactive",
            "{held}"
        );
        assert!(media(&answer, "video")[1] != "0", "{answer}");
        let (shown, seen) = if round == 0 {
            (GREEN, WHITE)
        } else {
            (RED, BLUE)
        };
        device.shows(shown);
        pictures.shows(seen);
        updates(&skill, &control, "CALL_RESUME", &device, 2 * round + 2).await;
        let resumed = phone.wait("INVITE ", 2 * round + 3);
        assert_eq!(
            direction_of(&section(body(&resumed), "video")),
            "sendrecv",
            "{resumed}"
        );
        pictures.sees(shown);
        device.sees(seen);
    }
    hangs_up(&skill, &control, &bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_pass_encrypted_on_both_sides() {
    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let skill = Skill::start().await;
    let phone = SipPhone::start(Answer::Takes, Some(KEY));
    let more = "video = \"h264\"";
    let bench = bench(&skill, &phone, more, "[dialog]\nsrtp = \"preferred\"\n").await;
    let control = bench.sidecar.control().to_string();
    let device = Program::start("video_device.py", &["H264"]);
    device.shows(RED);
    device.order(&json!({"offer": "sendrecv"}));
    let answer = gets_through(&skill, &control, &device.describes("offer")).await;
    let invite = phone.wait("INVITE ", 1);
    let key_of = |kind: &str| {
        let section = section(body(&invite), kind);
        let line = section.iter().find_map(|line| crypto_line(line));
        line.unwrap().rsplit_once("inline:").unwrap().1.to_owned()
    };
    assert_ne!(
        key_of("audio"),
        key_of("video"),
        "each line has keys of its own"
    );
    let words = media(body(&invite), "video");
    // A phone that does not understand encrypted requests here has key frames by itself.
    let pictures = phone.pictures(10, &words[3]);
    pictures.shows(BLUE);
    let port: u16 = words[1].parse().unwrap();
    let keys = json!({"to": port, "number": words[3], "send": KEY, "receive": key_of("video")});
    pictures.order(&keys);
    device.order(&json!({"type": "answer", "sdp": answer}));
    device.sees(BLUE);
    pictures.sees(RED);
    device.shows(GREEN);
    pictures.sees(GREEN);
    hangs_up(&skill, &control, &bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_without_feedback_is_asked_by_info_and_asks_so() {
    let skill = Skill::start().await;
    let phone = SipPhone::start(Answer::Mute, None);
    let bench = bench(&skill, &phone, "video = \"h264\"", "").await;
    let control = bench.sidecar.control().to_string();
    let device = Program::start("video_device.py", &["H264"]);
    device.shows(RED);
    device.order(&json!({"offer": "sendrecv"}));
    let answer = gets_through(&skill, &control, &device.describes("offer")).await;
    let invite = phone.wait("INVITE ", 1);
    let words = media(body(&invite), "video");
    let pictures = phone.pictures(10, &words[3]);
    pictures.shows(BLUE);
    let port: u16 = words[1].parse().unwrap();
    pictures.order(&json!({"to": port, "number": words[3], "send": null, "receive": null}));
    device.order(&json!({"type": "answer", "sdp": answer}));
    device.sees(BLUE);
    pictures.sees(RED);
    let info = phone.wait("INFO ", 1);
    assert!(info.contains("application/media_control+xml"), "{info}");
    assert!(body(&info).contains("<picture_fast_update/>"), "{info}");
    // And the other way round.
    device.forget();
    let to = bench.sidecar.sip_udp().unwrap();
    let xml = "<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder></vc_primitive></media_control>";
    let here = phone.here;
    let line = |name: &str| {
        let mut lines = invite.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .to_owned()
    };
    let begin = Instant::now();
    for number in 1.. {
        let request = format!(
            "INFO {} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bKinfo{number}\r\nMax-Forwards: 70\r\n\
             From: {};tag=phone\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {number} INFO\r\n\
             Content-Type: application/media_control+xml\r\nContent-Length: {}\r\n\r\n{xml}",
            line("Contact: ").trim_matches(['<', '>']),
            line("To: "),
            line("From: "),
            line("Call-ID: "),
            xml.len()
        );
        phone.socket.send_to(request.as_bytes(), to).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let said = device.said.0.lock().unwrap();
        if said.iter().any(|said| said["asked"] == "pli") {
            break;
        }
        assert!(begin.elapsed() < LIMIT, "the device is not asked");
    }
    hangs_up(&skill, &control, &bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_calls_with_video_and_takes_it_back() {
    let skill = Skill::start().await;
    let phone = SipPhone::start(Answer::Takes, None);
    let bench = bench(&skill, &phone, "video = \"h264\"", "").await;
    let control = bench.sidecar.control().to_string();
    let to = bench.sidecar.sip_udp().unwrap();
    let device = Program::start("video_device.py", &["H264"]);
    device.shows(RED);
    let voice = phone.voice.local_addr().unwrap().port();
    let offer = described("", voice, phone.video, 1, Answer::Takes, None);
    phone.sends(to, "INVITE", 1, None, &offer);
    let call = hears_of(&skill, "InitiateInboundCall", 1);
    let session = call["sessionId"].as_str().unwrap().to_owned();
    let offered = sdp_of(&call);
    assert!(
        section(&offered, "video").contains(&"b=AS:700"),
        "{offered}"
    );
    skill
        .says(&control, &session, "CallRinging", json!({}))
        .await;
    device.order(&json!({"type": "offer", "sdp": offered}));
    let answer = device.describes("answer");
    let accepted = details("ANSWER", &answer);
    skill
        .says(&control, &session, "CallAccepted", accepted)
        .await;
    let ok = phone.wait("SIP/2.0 200", 1);
    phone.sends(to, "ACK", 1, Some(&reversed(&ok)), "");
    let words = media(body(&ok), "video");
    assert_eq!(words[3], "107", "the phone's own number: {ok}");
    let pictures = phone.pictures(NEVER, "107");
    pictures.shows(BLUE);
    let port: u16 = words[1].parse().unwrap();
    pictures.order(&json!({"to": port, "number": "107", "send": null, "receive": null}));
    device.sees(BLUE);
    pictures.sees(RED);
    // The phone takes its video back: the device's line stands still, and the voice goes on.
    let gone = described("", voice, phone.video, 2, Answer::Refuses, None);
    phone.sends(to, "INVITE", 2, Some(&reversed(&ok)), &gone);
    let again = phone.wait("SIP/2.0 200", 2);
    phone.sends(to, "ACK", 2, Some(&reversed(&again)), "");
    assert_eq!(media(body(&again), "video")[1], "0", "{again}");
    let update = is_updated(&skill, &control, &session, &device, 1).await;
    assert_eq!(
        direction_of(&section(&update, "video")),
        "inactive",
        "{update}"
    );
    assert_eq!(
        direction_of(&section(&update, "audio")),
        "sendrecv",
        "{update}"
    );
    phone.hears_something();
    // And begins anew.
    device.shows(GREEN);
    let back = described("", voice, phone.video, 3, Answer::Takes, None);
    phone.sends(to, "INVITE", 3, Some(&reversed(&ok)), &back);
    let once_more = phone.wait("SIP/2.0 200", 3);
    phone.sends(to, "ACK", 3, Some(&reversed(&once_more)), "");
    assert_eq!(media(body(&once_more), "video")[1], words[1], "{once_more}");
    let update = is_updated(&skill, &control, &session, &device, 2).await;
    assert_eq!(
        direction_of(&section(&update, "video")),
        "sendrecv",
        "{update}"
    );
    pictures.sees(GREEN);
    let result = json!({"callResult": {"code": "SUCCESS"}});
    skill.says(&control, &session, "CallEnded", result).await;
    bench.nothing_is_left().await;
}

/// A response to the phone's INVITE, as the dialog's other side would have called: who is called has a tag.
fn reversed(response: &str) -> String {
    let line = |name: &str| {
        let mut lines = response.lines();
        let found = lines.find_map(|line| line.strip_prefix(&format!("{name}: ")));
        found.unwrap_or_default().to_owned()
    };
    let own = line("From");
    let own = own.split(";tag=").next().unwrap();
    format!(
        "To: {own}\r\nFrom: {}\r\nCall-ID: {}\r\nContact: {}\r\n",
        line("To"),
        line("Call-ID"),
        line("Contact")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_side_has_no_video_the_voice_goes_on_without() {
    use skillcall_media::encoding::Encoding;
    use support::device::Device;
    for (setting, answer, offered) in [
        ("", Answer::Takes, false),
        ("video = \"reject\"", Answer::Takes, false),
        ("video = \"h264\"", Answer::Refuses, true),
        ("video = \"h264\"", Answer::LeavesOut, true),
    ] {
        let skill = Skill::start().await;
        let phone = SipPhone::start(answer, None);
        let bench = bench(&skill, &phone, setting, "").await;
        let control = bench.sidecar.control().to_string();
        let (device, offer) = Device::offering(700.0, &[Encoding::Pcmu]);
        let answer = gets_through(&skill, &control, &offer).await;
        let invite = phone.wait("INVITE ", 1);
        assert_eq!(body(&invite).contains("m=video"), offered, "{invite}");
        assert_eq!(media(&answer, "video")[1], "0", "{answer}");
        assert!(answer.find("m=audio").unwrap() < answer.find("m=video").unwrap());
        device.take_answer(&answer);
        phone.hears_something();
        // Nothing more is said of it.
        assert_eq!(phone.count("INVITE "), 1);
        assert_eq!(skill.operations(), ["CallRinging", "CallAccepted"]);
        hangs_up(&skill, &control, &bench).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_on_the_video_port_reaches_nobody() {
    let skill = Skill::start().await;
    let phone = SipPhone::start(Answer::Takes, None);
    let bench = bench(&skill, &phone, "video = \"h264\"", "").await;
    let control = bench.sidecar.control().to_string();
    let device = Program::start("video_device.py", &["H264"]);
    device.shows(RED);
    device.order(&json!({"offer": "sendrecv"}));
    let answer = gets_through(&skill, &control, &device.describes("offer")).await;
    let invite = phone.wait("INVITE ", 1);
    let words = media(body(&invite), "video");
    let (port, number): (u16, u8) = (words[1].parse().unwrap(), words[3].parse().unwrap());
    let pictures = phone.pictures(NEVER, &words[3]);
    pictures.shows(BLUE);
    pictures.order(&json!({"to": port, "number": words[3], "send": null, "receive": null}));
    device.order(&json!({"type": "answer", "sdp": answer}));
    device.sees(BLUE);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let flood = std::thread::spawn(move || {
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut packet = vec![0x80, 0x80 | number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        packet.resize(1_000, 0x65);
        let mut sent = 0_u32;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            packet[2..4].copy_from_slice(&(sent as u16).to_be_bytes());
            // What its own buffer does not take is lost.
            let _ = stranger.send_to(&packet, ("127.0.0.1", port));
            sent += 1;
            if sent.is_multiple_of(100) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        sent
    });
    for (shown, seen) in [(GREEN, WHITE), (RED, BLUE)] {
        device.shows(shown);
        pictures.shows(seen);
        pictures.sees(shown);
        device.sees(seen);
        phone.hears_something();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(flood.join().unwrap() > 1_000);
    hangs_up(&skill, &control, &bench).await;
}
