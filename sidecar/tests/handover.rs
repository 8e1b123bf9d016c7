//! A newer sidecar takes the place of the one that runs: no call is lost, none is refused, and the older one ends by itself.

mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_sip::sdp::Direction;
use support::crowd::{Crowd, End, Met};
use support::process::{Process, wait};
use support::{Behaviour, Handler, LIMIT, NUMBER, Phone, TOKEN, hang_up_all};
use tempfile::TempDir;

/// Calls that go on while the process changes.
const CALLS: u32 = 40;
/// Packets that reach each end while something happens: two seconds' worth.
const HEARD: u64 = 100;
/// What the application plays, and phones say.
const PROMPT: f64 = 500.0;
/// A process ends with its last call's last transaction: 64·T1, and what a busy machine takes.
const ENDS: Duration = Duration::from_secs(100);

/// One at a time: each of them waits for what has to be there within seconds. Not while nothing but an end is waited for.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Plays to a caller; whoever says so, and all of a crowd, are put through to somebody.
async fn handler() -> Handler {
    Handler::start(|event| {
        let from = event["CallDetails"]["Participants"][0]["From"].as_str();
        let to_desk = event["CallDetails"]["Participants"][0]["SipHeaders"]["X-To"] == "desk";
        match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") if to_desk || from.unwrap() != "+12045550100" => {
                let from = from.unwrap();
                let number = &from[from.len() - 3..];
                json!([{"Type": "CallAndBridge", "Parameters": {
                    "CallTimeoutSeconds": 60, "CallerIdNumber": "+16075550199",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": format!("+16075551{number}")}]}}])
            }
            Some("NEW_INBOUND_CALL") => json!([{"Type": "PlayAudio", "Parameters": {"Repeat": 600,
                "AudioSource": {"Type": "S3", "BucketName": "prompts", "Key": "a.wav"}}}]),
            Some("ACTION_FAILED") => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "486"}}]),
            Some("HANGUP") => hang_up_all(event),
            _ => json!([]),
        }
    })
    .await
}

/// The folder of a sidecar that hands over, and its file.
fn installation(handler: &Handler, desk: Option<SocketAddr>, extra: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let extra = format!(
        "[limits]\ncalls-per-second = 1000\n[handover]\nsocket = \"handover.sock\"\n{extra}"
    );
    let text = support::config_text(folder.path(), &handler.url, desk, &extra);
    let tone = skillcall_media::tone::sine(PROMPT, -10.0, 8000);
    let tone = skillcall_media::wav::to_bytes(&tone, 1).unwrap();
    std::fs::write(folder.path().join("prompts/a.wav"), tone).unwrap();
    let file = folder.path().join("sidecar.toml");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

/// A sidecar as a process, with its addresses.
struct Running {
    process: Process,
    sip: SocketAddr,
    control: SocketAddr,
}

impl Running {
    fn start(file: &Path) -> Self {
        let (process, sip, control) = Process::sidecar_with_control(file);
        Self {
            process,
            sip,
            control,
        }
    }

    /// A newer one in its place: the addresses stay.
    fn hands_over(&self, file: &Path) -> Self {
        let next = Self::start(file);
        assert_eq!((next.sip, next.control), (self.sip, self.control));
        next
    }

    fn kill(&mut self) -> Instant {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
        Instant::now()
    }

    fn ends_by_itself(mut self) {
        self.process.succeeds("the older process", ENDS);
    }

    fn runs(&mut self) {
        assert!(self.process.0.try_wait().unwrap().is_none());
    }
}

/// One that does not start, and what it says.
fn does_not_start(file: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_skillcall-sidecar"))
        .arg("--config")
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

struct Api {
    client: reqwest::Client,
    control: SocketAddr,
}

impl Api {
    fn new(control: SocketAddr) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            client: reqwest::Client::new(),
            control,
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.ask_with(TOKEN, method, path, body).await
    }

    async fn ask_with(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = format!("http://{}{path}", self.control);
        let request = self
            .client
            .request(method.parse().unwrap(), url)
            .bearer_auth(token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn calls(&self) -> Vec<Value> {
        let (status, calls) = self.ask("GET", "/v1/calls", None).await;
        assert_eq!(status, 200);
        calls["calls"].as_array().unwrap().clone()
    }

    /// How many processes it has taken over from.
    async fn predecessors(&self) -> u64 {
        let (_, figures) = self.ask("GET", "/v1/figures", None).await;
        figures["predecessors"].as_u64().unwrap()
    }
}

/// What each of the crowds has heard so far.
fn mark(crowds: [&Crowd; 2]) -> [BTreeMap<u32, Met>; 2] {
    crowds.map(|crowd| crowd.met(0..CALLS))
}

/// Each end goes on to hear its tone, and has heard nothing else since the mark.
fn went_on(what: &str, crowds: [&Crowd; 2], before: &[BTreeMap<u32, Met>; 2]) {
    let after = mark(crowds);
    for (crowd, after) in crowds.iter().zip(&after) {
        crowd.wait(what, 0..CALLS, |number, met| {
            met.packets >= after[&number].packets + HEARD
        });
    }
    let (mut packets, mut lost) = (0, 0);
    for (before, now) in before.iter().zip(&mark(crowds)) {
        for number in 0..CALLS {
            let (before, now) = (&before[&number], &now[&number]);
            assert!(
                !now.ended && now.failed.is_none(),
                "{what}: {number}: {now:?}"
            );
            assert_eq!(now.wrong, before.wrong, "{what}: {number}: {now:?}");
            packets += now.packets - before.packets;
            lost += now.lost - before.lost;
        }
    }
    eprintln!("{what}: {packets} packets heard, {lost} lost");
    // A machine whose two cores have more to do drops some.
    assert!(lost <= packets / 50, "{what}: {lost} lost of {packets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_hear_each_other_while_the_process_changes_and_end_from_either_side() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let callers = Crowd::start("127.0.0.1", End::Caller);
    let desk = Crowd::start("127.0.0.1", End::Called);
    let (_folder, file) = installation(&handler, Some(desk.address), "");
    let crowds = [&callers, &desk];
    let api = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        for begin in (0..CALLS).step_by(10) {
            callers.call(first.sip, NUMBER, begin..begin + 10);
            callers.wait("answers", begin..begin + 10, |_, met| met.answered);
        }
        for crowd in crowds {
            crowd.wait("tones", 0..CALLS, |_, met| met.packets >= HEARD);
        }
        let before = mark(crowds);
        let next = first.hands_over(&file);
        went_on("the hand-over", crowds, &before);
        (first, next)
    });
    let (first, mut next) = api;
    let api = Api::new(next.control);
    assert_eq!(api.predecessors().await, 1);
    assert!(api.calls().await.is_empty(), "what was there stays there");

    // What is new is the newer one's.
    let new = CALLS..CALLS + 5;
    tokio::task::block_in_place(|| {
        callers.call(next.sip, NUMBER, new.clone());
        callers.wait("new calls", new.clone(), |_, met| met.packets >= HEARD);
    });
    assert_eq!(api.calls().await.len(), new.len());

    // What was there ends from either side.
    tokio::task::block_in_place(|| {
        callers.hang_up(0..CALLS / 2);
        desk.hang_up(CALLS / 2..CALLS);
        for crowd in crowds {
            crowd.wait("their ends", 0..CALLS, |_, met| met.ended);
        }
        let ended = Instant::now();
        drop(one);
        first.ends_by_itself();
        eprintln!(
            "the older one ended {:?} after its last call",
            ended.elapsed()
        );
        next.runs();
        let met = callers.met(new.clone());
        callers.wait("new calls go on", new.clone(), |number, now| {
            now.packets >= met[&number].packets + HEARD && !now.ended
        });
        callers.hang_up(new.clone());
        desk.wait("the last ends", new, |_, met| met.ended);
    });
    assert_eq!(api.predecessors().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rings_is_cancelled_after_it() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let desk = Phone::start(600.0, Behaviour::Ring);
    let (_folder, file) = installation(&handler, Some(desk.address), "");
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let caller = Phone::start(400.0, Behaviour::Ring);
        caller.call(first.sip, NUMBER, &[("X-To", "desk")]);
        desk.wait("the INVITE", |state| state.rung);
        let next = first.hands_over(&file);
        caller.cancel();
        let failed = caller.wait("487", |state| state.failed.is_some());
        assert_eq!(failed.failed, Some(487));
        desk.wait("CANCEL", |state| state.cancelled);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rings_is_answered_after_it() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let desk = Phone::start(600.0, Behaviour::Ring);
    let (_folder, file) = installation(&handler, Some(desk.address), "");
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let caller = Phone::start(450.0, Behaviour::Ring);
        caller.call(first.sip, NUMBER, &[("X-To", "desk")]);
        desk.wait("the INVITE", |state| state.rung);
        let next = first.hands_over(&file);
        desk.answer();
        caller.wait("200", |state| state.answered);
        caller.hears(600.0);
        desk.hears(450.0);
        desk.hang_up();
        caller.wait("BYE", |state| state.ended);
        assert_eq!(handler.events("NEW_INBOUND_CALL").len(), 1);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}

/// A caller whose messages are written by hand.
struct ByHand {
    way: Way,
    local: SocketAddr,
    to: SocketAddr,
    rtp: UdpSocket,
    name: String,
}

enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream, Vec<u8>),
}

impl Way {
    fn udp() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        Self::Udp(socket)
    }

    fn tcp(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self::Tcp(stream, Vec::new())
    }

    fn local(&self) -> SocketAddr {
        match self {
            Self::Udp(socket) => socket.local_addr().unwrap(),
            Self::Tcp(stream, _) => stream.local_addr().unwrap(),
        }
    }
}

fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let mut lines = message.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {message}"))
}

impl ByHand {
    fn new(way: Way, to: SocketAddr, name: &str) -> Self {
        Self {
            local: way.local(),
            way,
            to,
            rtp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            name: name.to_owned(),
        }
    }

    fn send(&mut self, message: &str) {
        match &mut self.way {
            Way::Udp(socket) => drop(socket.send_to(message.as_bytes(), self.to).unwrap()),
            Way::Tcp(stream, _) => stream.write_all(message.as_bytes()).unwrap(),
        }
    }

    fn next(&mut self) -> String {
        let mut buffer = [0; 65_535];
        match &mut self.way {
            Way::Udp(socket) => {
                let len = socket.recv(&mut buffer).unwrap();
                String::from_utf8_lossy(&buffer[..len]).into_owned()
            }
            Way::Tcp(stream, read) => loop {
                let text = String::from_utf8_lossy(read).into_owned();
                if let Some(end) = text.find("\r\n\r\n") {
                    let body: usize = header(&text, "Content-Length").parse().unwrap();
                    let whole = end + 4 + body;
                    if read.len() >= whole {
                        read.drain(..whole);
                        return text[..whole].to_owned();
                    }
                }
                let len = stream.read(&mut buffer).unwrap();
                assert_ne!(len, 0, "the connection was closed");
                read.extend(&buffer[..len]);
            },
        }
    }

    /// The next response with this status to this method; others are passed over.
    fn hears(&mut self, status: u16, method: &str) -> String {
        loop {
            let message = self.next();
            let is = message.starts_with(&format!("SIP/2.0 {status} "));
            if is && header(&message, "CSeq").ends_with(method) {
                return message;
            }
            assert!(
                message.starts_with("SIP/2.0 1")
                    || message.starts_with("SIP/2.0 200 ")
                    || message.starts_with("OPTIONS"),
                "waiting for {status} to {method}: {message}"
            );
        }
    }

    fn request(&self, method: &str, cseq: u32, to: &str, body: &str) -> String {
        let (local, name) = (self.local, &self.name);
        let transport = match self.way {
            Way::Udp(_) => "UDP",
            Way::Tcp(..) => "TCP",
        };
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/sdp\r\n"
        };
        let way = transport.to_ascii_lowercase();
        format!(
            "{method} sip:{NUMBER}@{};transport={way} SIP/2.0\r\n\
             Via: SIP/2.0/{transport} {local};rport;branch=z9hG4bK{name}{cseq}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+12045550100@{local}>;tag={name}\r\nTo: {to}\r\n\
             Call-ID: {name}@{local}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:+12045550100@{local};transport={way}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.to,
            body.len()
        )
    }

    fn sdp(&self, direction: &str) -> String {
        let port = self.rtp.local_addr().unwrap().port();
        let version = if direction == "sendrecv" { 1 } else { 2 };
        format!(
            "v=0\r\no=h 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP 0\r\na={direction}\r\n"
        )
    }

    fn invite(&self) -> String {
        let to = format!("<sip:{NUMBER}@{}>", self.to);
        self.request("INVITE", 1, &to, &self.sdp("sendrecv"))
    }

    /// Packets of audio reach it.
    fn is_spoken_to(&self) {
        self.rtp.set_read_timeout(Some(LIMIT)).unwrap();
        let mut packet = [0; 2048];
        self.rtp.recv(&mut packet).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_that_is_repeated_across_it_makes_one_call() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (_folder, file) = installation(&handler, None, "");
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let mut caller = ByHand::new(Way::udp(), first.sip, "repeats");
        let invite = caller.invite();
        caller.send(&invite);
        let answer = caller.hears(200, "INVITE");
        let next = first.hands_over(&file);
        // What was sent before, and not acknowledged, may have come more than once.
        caller.send(&invite);
        let again = caller.hears(200, "INVITE");
        assert_eq!(header(&again, "To"), header(&answer, "To"));
        let ack = caller.request("ACK", 1, header(&answer, "To"), "");
        caller.send(&ack);
        // On hold, and off again, as if nothing had happened.
        for (cseq, direction, answered) in
            [(2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")]
        {
            let to = header(&answer, "To");
            let change = caller.request("INVITE", cseq, to, &caller.sdp(direction));
            caller.send(&change);
            let changed = loop {
                let changed = caller.hears(200, "INVITE");
                if header(&changed, "CSeq").starts_with(&cseq.to_string()) {
                    break changed;
                }
            };
            assert!(changed.contains(&format!("a={answered}")), "{changed}");
            let ack = caller.request("ACK", cseq, to, "");
            caller.send(&ack);
        }
        caller.is_spoken_to();
        let bye = caller.request("BYE", 4, header(&answer, "To"), "");
        caller.send(&bye);
        caller.hears(200, "BYE");
        handler.wait("HANGUP", 1);
        assert_eq!(handler.events("NEW_INBOUND_CALL").len(), 1);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_stays_and_serves_both_and_a_call_goes_on_over_another_one() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (_folder, file) = installation(&handler, None, "");
    let text = std::fs::read_to_string(&file).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = port.local_addr().unwrap();
    drop(port);
    std::fs::write(
        &file,
        text.replace("tcp:127.0.0.1:0", &format!("tcp:{tcp}")),
    )
    .unwrap();
    let (first, next, mut old, answer) = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let mut old = ByHand::new(Way::tcp(tcp), tcp, "old");
        let invite = old.invite();
        old.send(&invite);
        let answer = old.hears(200, "INVITE");
        let ack = old.request("ACK", 1, header(&answer, "To"), "");
        old.send(&ack);
        let next = first.hands_over(&file);
        (first, next, old, answer)
    });
    let api = Api::new(next.control);
    // What is new is the newer one's, though it comes over the older one's connection.
    let new_answer = tokio::task::block_in_place(|| {
        old.name = "new".to_owned();
        let invite = old.invite();
        old.send(&invite);
        let answer = old.hears(200, "INVITE");
        let ack = old.request("ACK", 1, header(&answer, "To"), "");
        old.send(&ack);
        answer
    });
    assert_eq!(api.calls().await.len(), 1);
    tokio::task::block_in_place(|| {
        let bye = old.request("BYE", 2, header(&new_answer, "To"), "");
        old.send(&bye);
        old.hears(200, "BYE");
        handler.wait("HANGUP", 1);
        // And what is old is the older one's, over whichever connection.
        let mut again = ByHand::new(Way::tcp(tcp), tcp, "old");
        again.local = old.local;
        let bye = again.request("BYE", 2, header(&answer, "To"), "");
        again.send(&bye);
        again.hears(200, "BYE");
        handler.wait("HANGUP", 2);
        drop(one);
        first.ends_by_itself();
        // Over the newer one's connection calls go on.
        again.name = "newest".to_owned();
        let invite = again.invite();
        again.send(&invite);
        again.hears(200, "INVITE");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_reaches_the_older_one_s_calls() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (folder, file) = installation(&handler, None, "");
    let phone = Phone::start(400.0, Behaviour::Answer);
    let first = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        phone.call(first.sip, NUMBER, &[]);
        phone.hears(PROMPT);
        first
    });
    let api = Api::new(first.control);
    let calls = api.calls().await;
    let event = tokio::task::block_in_place(|| handler.wait("NEW_INBOUND_CALL", 1));
    let details = &event["CallDetails"];
    let id = details["TransactionId"].as_str().unwrap();
    let leg = details["Participants"][0]["CallId"].as_str().unwrap();
    assert_eq!(calls.len(), 1);
    let (_, shown) = api.ask("GET", &format!("/v1/calls/{id}"), None).await;

    let next = tokio::task::block_in_place(|| first.hands_over(&file));
    let (status, again) = api.ask("GET", &format!("/v1/calls/{id}"), None).await;
    assert_eq!(status, 200);
    assert_eq!(again["transactionId"], shown["transactionId"], "{again}");
    let path = format!("/v1/calls/{id}");
    let (status, _) = api.ask_with("wrong", "GET", &path, None).await;
    assert_eq!(status, 401, "the token is wanted as before");
    for unknown in ["/v1/calls/none", "/v1/captures/none", "/v1/traces/none"] {
        assert_eq!(api.ask("GET", unknown, None).await.0, 404, "{unknown}");
    }

    // Hold and off, asked for by the phone and by the API.
    tokio::task::block_in_place(|| {
        phone.direct(Direction::SendOnly);
        phone.wait("the answer to hold", |state| state.answers.len() == 1);
        phone.direct(Direction::SendRecv);
        phone.wait("the answer to off", |state| state.answers.len() == 2);
    });
    let hold = format!("/v1/legs/{leg}/hold");
    for (on, offers) in [(true, 1), (false, 2)] {
        // The ACK of the change before may be on its way.
        let until = Instant::now() + LIMIT;
        loop {
            let (status, told) = api.ask("POST", &hold, Some(json!({"on": on}))).await;
            if status == 202 {
                break;
            }
            assert!(status == 409 && Instant::now() < until, "{told}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::task::block_in_place(|| {
            phone.wait("the offer", |state| state.offers.len() == offers);
        });
    }
    tokio::task::block_in_place(|| {
        phone.forget_heard();
        phone.hears(PROMPT);
    });
    // A capture of it, and the trace that both write.
    let (status, begun) = api
        .ask("POST", "/v1/captures", Some(json!({"call": id})))
        .await;
    assert_eq!(status, 201, "{begun}");
    let capture = format!("/v1/captures/{}", begun["id"].as_str().unwrap());
    assert_eq!(api.ask("GET", &capture, None).await.0, 200);
    assert_eq!(api.ask("DELETE", &capture, None).await.0, 204);
    let (status, trace) = api.ask("GET", &format!("/v1/traces/{id}"), None).await;
    assert_eq!(status, 200);
    assert!(!trace["records"].as_array().unwrap().is_empty());

    let (status, _) = api.ask("DELETE", &path, None).await;
    assert_eq!(status, 202);
    tokio::task::block_in_place(|| {
        phone.wait("BYE", |state| state.ended);
        drop(one);
        first.ends_by_itself();
    });
    assert_eq!(api.ask("GET", &path, None).await.0, 404);
    // Nothing is left of the older one but what both share.
    let sockets: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("handover"))
        .collect();
    assert_eq!(sockets, ["handover.sock"]);
    assert!(!folder.path().join("journal/calls-before.jsonl").exists());
    drop(next);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_older_one_is_killed_its_calls_are_ended() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let desk = Phone::start(600.0, Behaviour::Ring);
    let (folder, file) = installation(&handler, Some(desk.address), "");
    tokio::task::block_in_place(|| {
        let mut first = Running::start(&file);
        let (talks, waits) = (
            Phone::start(400.0, Behaviour::Answer),
            Phone::start(450.0, Behaviour::Answer),
        );
        talks.call(first.sip, NUMBER, &[]);
        talks.hears(PROMPT);
        waits.call(first.sip, NUMBER, &[("X-To", "desk")]);
        desk.wait("the INVITE", |state| state.rung);
        let journal = |name: &str| {
            std::fs::read_to_string(folder.path().join("journal").join(name)).unwrap_or_default()
        };
        wait("the journal's lines", || {
            let text = journal("calls.jsonl");
            (text.contains("\"what\":\"ringing\"") && text.contains("\"what\":\"leg\""))
                .then_some(())
        });
        let mut next = first.hands_over(&file);
        talks.forget_heard();
        talks.hears(PROMPT);
        assert!(!talks.seen(|state| state.ended));
        assert!(handler.events("HANGUP").is_empty());

        let killed = first.kill();
        talks.wait("BYE", |state| state.ended);
        desk.wait("CANCEL", |state| state.cancelled);
        let took = killed.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        handler.wait("HANGUP", 2);
        wait("the journal's end", || {
            let ended = journal("calls.jsonl").matches("\"what\":\"ended\"").count();
            (ended >= 2 || journal("calls.jsonl").is_empty()).then_some(())
        });
        next.runs();
        // It takes calls as before, and may be taken over from.
        let new = Phone::start(420.0, Behaviour::Answer);
        new.call(next.sip, NUMBER, &[]);
        new.hears(PROMPT);
        let last = next.hands_over(&file);
        new.hang_up();
        new.wait("the end", |state| state.ended);
        drop(one);
        next.ends_by_itself();
        drop(last);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_newer_one_is_killed_the_older_one_goes_on_as_before() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (_folder, file) = installation(&handler, None, "");
    let (first, old) = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let (old, new) = (
            Phone::start(400.0, Behaviour::Answer),
            Phone::start(450.0, Behaviour::Answer),
        );
        old.call(first.sip, NUMBER, &[]);
        old.hears(PROMPT);
        let mut next = first.hands_over(&file);
        new.call(next.sip, NUMBER, &[]);
        new.hears(PROMPT);
        next.kill();
        // The calls of the one that died are ended, its own go on, and what is new is its own again.
        new.wait("BYE", |state| state.ended);
        old.forget_heard();
        old.hears(PROMPT);
        new.call(first.sip, NUMBER, &[]);
        new.hears(PROMPT);
        new.hang_up();
        new.wait("the end", |state| state.ended);
        (first, old)
    });
    let api = Api::new(first.control);
    assert_eq!(api.calls().await.len(), 1);
    tokio::task::block_in_place(|| {
        let next = first.hands_over(&file);
        old.hang_up();
        old.wait("the end", |state| state.ended);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_must_not_take_over_is_told_why_and_nothing_changes() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (folder, file) = installation(&handler, None, "");
    let phone = Phone::start(400.0, Behaviour::Answer);
    tokio::task::block_in_place(|| {
        let mut first = Running::start(&file);
        phone.call(first.sip, NUMBER, &[]);
        phone.hears(PROMPT);

        // Another address.
        let text = std::fs::read_to_string(&file).unwrap();
        let other = folder.path().join("other.toml");
        std::fs::write(
            &other,
            text.replace("udp:127.0.0.1:0", "udp:127.0.0.9:5999"),
        )
        .unwrap();
        let told = does_not_start(&other);
        let expected = format!("udp is {} there and udp", first.sip);
        let expected = expected.trim_end_matches(" and udp");
        assert!(
            told.contains(expected) && told.contains("127.0.0.9:5999"),
            "{told}"
        );
        first.runs();
        phone.forget_heard();
        phone.hears(PROMPT);

        // A second one, while the first still has calls.
        let mut next = first.hands_over(&file);
        let told = does_not_start(&file);
        assert!(told.contains("still has calls"), "{told}");
        let pid = first.process.0.id().to_string();
        assert!(told.contains(&pid), "{told}");
        next.runs();
        phone.hang_up();
        phone.wait("the end", |state| state.ended);
        drop(one);
        first.ends_by_itself();
        let mut third = next.hands_over(&file);
        next.ends_by_itself();

        // A socket that a dead process has left.
        third.kill();
        assert!(folder.path().join("handover.sock").exists());
        let mut fourth = Running::start(&file);
        phone.call(fourth.sip, NUMBER, &[]);
        phone.hears(PROMPT);
        fourth.kill();

        // Another program.
        let socket = folder.path().join("handover.sock");
        std::fs::remove_file(&socket).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap();
            let _ = stream.read(&mut [0; 64]);
        });
        let told = does_not_start(&file);
        assert!(told.contains("no sidecar of this user"), "{told}");
        serving.join().unwrap();
        assert!(socket.exists(), "it is not taken from it");

        // A file that is no socket.
        std::fs::remove_file(&socket).unwrap();
        std::fs::write(&socket, "precious").unwrap();
        let told = does_not_start(&file);
        assert!(told.contains("handover.sock"), "{told}");
        assert_eq!(std::fs::read(&socket).unwrap(), b"precious");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_stay_no_longer_than_they_may() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (_folder, file) = installation(&handler, None, "stay-seconds = 3\n");
    let phone = Phone::start(400.0, Behaviour::Answer);
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        phone.call(first.sip, NUMBER, &[]);
        phone.hears(PROMPT);
        let began = Instant::now();
        let next = first.hands_over(&file);
        phone.wait("BYE", |state| state.ended);
        assert!(began.elapsed() >= Duration::from_secs(3));
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}
