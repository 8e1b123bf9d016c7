//! Peers behind address translation, and what is said to whom of our own addresses.

use crate::support;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_media::rtp::{MAX_PACKET, RtpPacket};
use support::{Bench, Handler, LIMIT, NUMBER, SKILL};

/// A peer that writes what it likes.
struct Peer {
    sip: UdpSocket,
    rtp: UdpSocket,
    call_id: String,
    /// What its SDP says of its address; not where it is.
    claims: &'static str,
    sequence: u16,
    ssrc: u32,
}

impl Peer {
    fn at(address: &str, claims: &'static str) -> Self {
        let ip: IpAddr = address.parse().unwrap();
        let bind = || {
            let socket = UdpSocket::bind((ip, 0)).unwrap();
            socket
                .set_read_timeout(Some(Duration::from_millis(20)))
                .unwrap();
            socket
        };
        Self {
            sip: bind(),
            rtp: bind(),
            call_id: format!("{:016x}@peer", rand::random::<u64>()),
            claims,
            sequence: rand::random(),
            ssrc: rand::random(),
        }
    }

    fn sdp(&self) -> String {
        let (claims, port) = (self.claims, self.rtp.local_addr().unwrap().port());
        format!(
            "v=0\r\no=- 1 1 IN IP4 {claims}\r\ns=-\r\nc=IN IP4 {claims}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
        )
    }

    fn send(&self, to: SocketAddr, method: &str, cseq: u32, to_tag: &str, body: &str) {
        let port = self.sip.local_addr().unwrap().port();
        let (claims, call_id) = (self.claims, &self.call_id);
        let content = if body.is_empty() {
            String::new()
        } else {
            "Content-Type: application/sdp\r\n".to_owned()
        };
        let text = format!(
            "{method} sip:{NUMBER}@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {claims}:{port};rport;branch=z9hG4bK{method}{cseq}{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+12045550100@{claims}>;tag=p\r\nTo: <sip:{NUMBER}@{to}>{to_tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:peer@{claims}:{port}>\r\nX-Alexa-LWA-ClientId: {SKILL}\r\n{content}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.sip.send_to(text.as_bytes(), to).unwrap();
    }

    /// The next message that begins so.
    fn message(&self, begins: &str) -> String {
        let until = Instant::now() + LIMIT;
        let mut bytes = [0; 4096];
        while Instant::now() < until {
            if let Ok((length, _)) = self.sip.recv_from(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if text.starts_with(begins) {
                    return text;
                }
            }
        }
        panic!("no {begins}")
    }

    /// Calls, and acknowledges the answer: the answer, and where it wants media.
    fn call(&self, to: SocketAddr) -> (String, SocketAddr) {
        self.send(to, "INVITE", 1, "", &self.sdp());
        let answer = self.message("SIP/2.0 200");
        self.send(to, "ACK", 1, &tag_of(&answer), "");
        let media = SocketAddr::new(to.ip(), port_of(&answer));
        (answer, media)
    }

    fn packet(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = vec![0x80, payload_type | u8::from(marker) << 7];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// 20 ms of audio.
    fn speak(&mut self, to: SocketAddr, timestamp: u32) {
        let packet = self.packet(0, false, timestamp, &[0x7f; 160]);
        self.rtp.send_to(&packet, to).unwrap();
    }

    /// A digit of 100 ms (RFC 4733).
    fn press(&mut self, to: SocketAddr, digit: u8, timestamp: u32) {
        for (index, duration) in [160u16, 320, 480, 640, 800, 800, 800]
            .into_iter()
            .enumerate()
        {
            let end = if index >= 4 { 0x80 } else { 0 };
            let [high, low] = duration.to_be_bytes();
            let packet = self.packet(101, index == 0, timestamp, &[digit, end | 10, high, low]);
            self.rtp.send_to(&packet, to).unwrap();
        }
    }

    /// Packets that came, until now.
    fn heard(&self) -> usize {
        let mut bytes = [0; MAX_PACKET];
        let mut packets = 0;
        while let Ok((length, _)) = self.rtp.recv_from(&mut bytes) {
            RtpPacket::parse(&bytes[..length]).expect("RTP");
            packets += 1;
        }
        packets
    }

    fn hears(&self) {
        let until = Instant::now() + LIMIT;
        let mut bytes = [0; MAX_PACKET];
        while self.rtp.recv_from(&mut bytes).is_err() {
            assert!(Instant::now() < until, "nothing is heard");
        }
    }
}

fn line<'a>(message: &'a str, name: &str) -> &'a str {
    let found = message.lines().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no {name} in {message}"))
}

fn tag_of(answer: &str) -> String {
    let to = line(answer, "To: ");
    format!(";tag={}", to.split(";tag=").nth(1).expect("a tag"))
}

fn port_of(message: &str) -> u16 {
    let media = line(message, "m=audio ");
    media.split(' ').next().unwrap().parse().unwrap()
}

fn asks_for_digits(event: &Value) -> Value {
    match event["InvocationEventType"].as_str().unwrap() {
        "NEW_INBOUND_CALL" => json!([
            {"Type": "ReceiveDigits", "Parameters": {"InputDigitsRegex": "^[0-9]{2}$", "InBetweenDigitsDurationInMilliseconds": 10000,
             "FlushDigitsDurationInMilliseconds": 20000}},
            {"Type": "Speak", "Parameters": {"Text": "A long sentence, so that there is something to hear for a while. ".repeat(8)}},
            {"Type": "Pause", "Parameters": {"DurationInMilliseconds": "60000"}},
        ]),
        _ => json!([]),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn media_follow_the_peer_and_nobody_else() {
    let bench = Bench::start(Handler::start(asks_for_digits).await, None).await;
    let to = bench.sidecar.sip_udp().unwrap();
    // Its description names an address behind a translation that nobody here reaches.
    let mut peer = Peer::at("127.0.0.2", "10.99.0.7");
    let (answer, media) = peer.call(to);
    assert!(
        line(&answer, "Via: ").contains("received=127.0.0.2"),
        "RFC 3581"
    );
    peer.speak(media, 0);
    peer.hears();

    // A stranger who guesses the port gets nothing, and is not heard: with a source of its own, or with the peer's.
    let mut stranger = Peer::at("127.0.0.3", "127.0.0.3");
    for ssrc in [stranger.ssrc, peer.ssrc] {
        stranger.ssrc = ssrc;
        stranger.sequence = peer.sequence;
        for packet in 0..60 {
            stranger.speak(media, 160 * packet);
        }
        stranger.press(media, 9, 10_000);
    }
    peer.press(media, 1, 20_000);
    peer.press(media, 2, 40_000);
    let event = bench.handler.wait("DIGITS_RECEIVED", 1);
    assert_eq!(event["ActionData"]["ReceivedDigits"], "12", "{event}");
    assert_eq!(stranger.heard(), 0, "nothing bleeds");
    peer.heard();
    peer.hears();

    // A new offer from elsewhere: the first valid packet is followed again, and then nobody else's.
    let old = std::mem::replace(&mut peer.rtp, Peer::at("127.0.0.4", "").rtp);
    peer.send(to, "INVITE", 2, &tag_of(&answer), &peer.sdp());
    let again = peer.message("SIP/2.0 200");
    assert_eq!(port_of(&again), media.port(), "the port stays");
    peer.send(to, "ACK", 2, &tag_of(&answer), "");
    peer.speak(media, 60_000);
    peer.hears();
    stranger.speak(media, 60_000);
    old.send_to(&peer.packet(0, false, 61_000, &[0x7f; 160]), media)
        .unwrap();
    peer.heard();
    peer.hears();
    assert_eq!(stranger.heard(), 0, "nothing bleeds");

    // BYE reaches it where it is, not where its Contact says.
    let calls = bench.get("/v1/calls").await;
    let id = calls["calls"][0]["transactionId"].as_str().unwrap();
    let url = bench.url(&format!("/v1/calls/{id}"));
    let request = bench.client.delete(url).bearer_auth(support::TOKEN);
    assert!(request.send().await.unwrap().status().is_success());
    peer.message("BYE ");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_network_is_told_the_address_at_which_it_reaches_us() {
    let inside = Peer::at("127.0.0.2", "127.0.0.2");
    let outside = Peer::at("127.0.0.1", "127.0.0.1");
    let desk = UdpSocket::bind("127.0.0.2:0").unwrap();
    desk.set_read_timeout(Some(LIMIT)).unwrap();
    let handler = Handler::start(|event| {
        match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([
                {"Type": "Speak", "Parameters": {"Text": "One moment."}},
                {"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
                 "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550101"}]}},
            ]),
            _ => json!([]),
        }
    })
    .await;
    let route = desk.local_addr().unwrap();
    let networks = "public-address = \"203.0.113.9\"\n[[sip.network]]\npeers = [\"127.0.0.2\"]\npublic-address = \"10.0.0.9\"\n";
    let bench = Bench::with(handler, Some(route), networks, |_| {}).await;
    let to = bench.sidecar.sip_udp().unwrap();
    for (peer, address) in [(&inside, "10.0.0.9"), (&outside, "203.0.113.9")] {
        let (answer, _) = peer.call(to);
        let contact = format!("<sip:skillcall@{address}:{}>", to.port());
        assert_eq!(line(&answer, "Contact: "), contact, "{answer}");
        assert_eq!(line(&answer, "c="), format!("IN IP4 {address}"), "{answer}");

        // Who is called is inside, whoever calls.
        let mut bytes = [0; 4096];
        let length = desk.recv(&mut bytes).unwrap();
        let invite = String::from_utf8_lossy(&bytes[..length]).into_owned();
        assert!(invite.starts_with("INVITE "), "{invite}");
        let ours = format!("10.0.0.9:{}", to.port());
        for name in ["Via: ", "Contact: ", "From: "] {
            assert!(line(&invite, name).contains(&ours), "{invite}");
        }
        assert_eq!(line(&invite, "c="), "IN IP4 10.0.0.9", "{invite}");
        // It is not there: its Via brings the refusal to the sender.
        let mut reply = String::from("SIP/2.0 486 Busy Here\r\n");
        for name in ["Via: ", "From: ", "Call-ID: ", "CSeq: "] {
            reply.push_str(&format!("{name}{}\r\n", line(&invite, name)));
        }
        reply.push_str(&format!(
            "To: {};tag=d\r\nContent-Length: 0\r\n\r\n",
            line(&invite, "To: ")
        ));
        desk.send_to(reply.as_bytes(), to).unwrap();
        let length = desk.recv(&mut bytes).unwrap();
        assert!(bytes[..length].starts_with(b"ACK "));
    }
    bench.sidecar.shutdown().await;
}

/// RTP that a former user of the port still gets comes first: the peer is heard, and followed, all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_stray_packet_that_comes_first_does_not_take_the_peer_s_place() {
    let bench = Bench::start(Handler::start(asks_for_digits).await, None).await;
    let to = bench.sidecar.sip_udp().unwrap();
    let mut peer = Peer::at("127.0.0.2", "127.0.0.2");
    let mut stray = Peer::at("127.0.0.3", "127.0.0.3");
    let (_, media) = peer.call(to);
    for packet in 0..9 {
        stray.speak(media, 160 * packet);
    }
    // What goes out follows the stray one, as if the peer were behind a translation.
    stray.hears();
    for packet in 0..9 {
        peer.speak(media, 160 * packet);
        stray.speak(media, 160 * (9 + packet));
    }
    peer.press(media, 1, 20_000);
    stray.press(media, 9, 20_000);
    peer.press(media, 2, 40_000);
    let event = bench.handler.wait("DIGITS_RECEIVED", 1);
    assert_eq!(event["ActionData"]["ReceivedDigits"], "12", "{event}");
    peer.hears();
    stray.heard();
    stray.speak(media, 160 * 20);
    peer.heard();
    peer.hears();
    assert_eq!(stray.heard(), 0, "nothing bleeds");
    bench.sidecar.shutdown().await;
}
