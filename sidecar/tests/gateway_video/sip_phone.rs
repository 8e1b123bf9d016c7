//! A phone's side of SIP, and its descriptions.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::LIMIT;
use crate::program::Program;

/// How the phone answers video.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    /// It takes what it is offered.
    Takes,
    /// The same, and its description speaks of no feedback.
    Mute,
    /// A port of 0.
    Refuses,
    /// It leaves the line out.
    LeavesOut,
    /// It takes it while it rings, and is not answered by itself.
    Rings,
}

/// A phone's side of SIP; its voice goes nowhere, its pictures are FFmpeg's.
pub(crate) struct SipPhone {
    pub(crate) socket: UdpSocket,
    pub(crate) here: SocketAddr,
    pub(crate) voice: UdpSocket,
    pub(crate) video: u16,
    pub(crate) seen: Arc<(Mutex<Vec<String>>, Condvar)>,
    pub(crate) answer: Arc<Mutex<Answer>>,
}

/// A pair of ports that is free, below those that the system gives away by itself: FFmpeg takes them later.
pub(crate) fn pair() -> u16 {
    loop {
        let port = 28_000 + 2 * (rand::random::<u16>() % 2_000);
        let both = [port, port + 1].map(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok());
        if both == [true, true] {
            return port;
        }
    }
}

/// The lines of a media line in a description, its own first.
pub(crate) fn section<'a>(sdp: &'a str, kind: &str) -> Vec<&'a str> {
    let begins = format!("m={kind} ");
    let mut lines = sdp.lines().skip_while(|line| !line.starts_with(&begins));
    let first = lines.next();
    let rest = lines.take_while(|line| !line.starts_with("m="));
    first.into_iter().chain(rest).collect()
}

/// The words of a media line.
pub(crate) fn media(sdp: &str, kind: &str) -> Vec<String> {
    let section = section(sdp, kind);
    let line = section.first().copied().unwrap_or_default();
    line.split(' ').map(str::to_owned).collect()
}

pub(crate) fn direction_of(section: &[&str]) -> &'static str {
    let names = ["sendonly", "recvonly", "inactive"];
    let said = |name: &&&str| section.contains(&format!("a={name}").as_str());
    names.iter().find(said).copied().unwrap_or("sendrecv")
}

pub(crate) const fn turned(direction: &'static str) -> &'static str {
    match direction.as_bytes() {
        b"sendonly" => "recvonly",
        b"recvonly" => "sendonly",
        _ => direction,
    }
}

pub(crate) fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

impl SipPhone {
    pub(crate) fn start(answer: Answer, key: Option<&'static str>) -> Self {
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
                let how = *answer.lock().unwrap();
                let (mut status, mut tag, mut says) = ("200 OK", "phone", String::new());
                if message.starts_with("INVITE ") {
                    version += 1;
                    says = described(body(&message), voice, video, version, how, key);
                    if how == Answer::Rings {
                        (status, tag) = ("183 Session Progress", "early");
                    }
                }
                if !message.starts_with("ACK ") && !message.starts_with("SIP/2.0") {
                    let answer = response(&message, status, tag, here, &says);
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
    pub(crate) fn wait(&self, begins: &str, n: usize) -> String {
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

    pub(crate) fn count(&self, begins: &str) -> usize {
        let seen = self.seen.0.lock().unwrap();
        seen.iter().filter(|it| it.starts_with(begins)).count()
    }

    /// A request of the phone's in the dialog of a call that it was called in, or outside of one.
    pub(crate) fn sends(
        &self,
        to: SocketAddr,
        method: &str,
        number: u32,
        dialog: Option<&str>,
        body: &str,
    ) {
        self.sends_with(to, method, number, dialog, "", body);
    }

    /// The same with these header fields.
    pub(crate) fn sends_with(
        &self,
        to: SocketAddr,
        method: &str,
        number: u32,
        dialog: Option<&str>,
        fields: &str,
        body: &str,
    ) {
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
             Contact: <sip:desk@{here}>\r\n{fields}{content}Content-Length: {length}\r\n\r\n{body}"
        );
        self.socket.send_to(request.as_bytes(), to).unwrap();
    }

    /// FFmpeg begins: it sends to this port under this number, and what it receives has that number.
    pub(crate) fn pictures(&self, key_frames: u32, number: &str) -> Program {
        let (port, every) = (self.video.to_string(), key_frames.to_string());
        Program::start("video_phone.py", &[&port, number, &every])
    }

    /// Waits for packets of voice that come from now on.
    pub(crate) fn hears_something(&self) {
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
pub(crate) const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";

pub(crate) fn crypto_line(sdp: &str) -> Option<&str> {
    let mut lines = sdp.lines();
    lines.find(|line| line.starts_with("a=crypto:") && line.contains(SUITE))
}

/// The phone's description: an answer to `offer`, or an offer where there is none.
pub(crate) fn described(
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
        Answer::Takes | Answer::Mute | Answer::Rings if is_open => {
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
pub(crate) fn response(
    request: &str,
    status: &str,
    tag: &str,
    here: SocketAddr,
    body: &str,
) -> String {
    let mut text = format!("SIP/2.0 {status}\r\n");
    for line in request.lines() {
        if ["Via:", "From:", "Call-ID:", "CSeq:"]
            .iter()
            .any(|name| line.starts_with(name))
        {
            text += &format!("{line}\r\n");
        } else if line.starts_with("To:") {
            let tag = match line.contains(";tag=") {
                true => String::new(),
                false => format!(";tag={tag}"),
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

/// A response to the phone's INVITE, as the dialog's other side would have called: who is called has a tag.
pub(crate) fn reversed(response: &str) -> String {
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
