//! A call of somebody who sends packets as they are, each when it is told: no media session, no clock of its own.

use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use super::LIMIT;
use super::lossy::{Trace, rtp_pair};

/// A call that was answered.
pub(crate) struct PlainCall {
    sip: UdpSocket,
    rtp: UdpSocket,
    _rtcp: UdpSocket,
    place: SocketAddr,
    id: String,
    to: String,
    media: SocketAddr,
}

impl PlainCall {
    /// Calls the desk at this place with one codec: its payload type, and its name as SDP has it.
    pub(crate) fn dials(place: SocketAddr, (payload_type, name): (u8, &str)) -> Self {
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap();
        let [rtp, rtcp] = rtp_pair();
        sip.set_read_timeout(Some(LIMIT)).unwrap();
        let port = rtp.local_addr().unwrap().port();
        let mut call = Self {
            sip,
            rtp,
            _rtcp: rtcp,
            place,
            id: format!("{:016x}@plain", rand::random::<u64>()),
            to: format!("<sip:desk@{place}>"),
            media: place,
        };
        let description = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP {payload_type}\r\n\
             a=rtpmap:{payload_type} {name}\r\na=fmtp:{payload_type} useinbandfec=1\r\na=ptime:20\r\n"
        );
        call.sends_request("INVITE", 1, &description);
        let answer = call.answer("INVITE");
        let line = |begins: &str| {
            let mut lines = answer.lines();
            lines.find_map(|line| line.strip_prefix(begins)).unwrap()
        };
        line("To: ").clone_into(&mut call.to);
        let port = line("m=audio ").split(' ').next().unwrap();
        call.media.set_port(port.parse().unwrap());
        call.sends_request("ACK", 1, "");
        call
    }

    fn sends_request(&self, method: &str, cseq: u32, body: &str) {
        let (here, place) = (self.sip.local_addr().unwrap(), self.place);
        let (id, to) = (&self.id, &self.to);
        let content = match body {
            "" => "",
            _ => "Content-Type: application/sdp\r\n",
        };
        let length = body.len();
        let text = format!(
            "{method} sip:desk@{place} SIP/2.0\r\nVia: SIP/2.0/UDP {here};rport;branch=z9hG4bK{method}{id}\r\nMax-Forwards: 70\r\n\
             From: <sip:plain@{here}>;tag=p\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:plain@{here}>\r\n\
             {content}Content-Length: {length}\r\n\r\n{body}"
        );
        self.sip.send_to(text.as_bytes(), place).unwrap();
    }

    /// The final answer to a request, which must be a good one.
    fn answer(&self, method: &str) -> String {
        let mut bytes = [0; 4_096];
        loop {
            let (length, _) = self.sip.recv_from(&mut bytes).expect(method);
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let provisional = text.starts_with("SIP/2.0 1");
            if provisional || !text.contains(&format!(" {method}\r\n")) {
                continue;
            }
            assert!(text.starts_with("SIP/2.0 200"), "{text}");
            return text;
        }
    }

    /// Sends packets of 20 ms each, as they come through a network of this kind.
    pub(crate) fn sends(&self, packets: &[Vec<u8>], trace: &Trace) {
        let begin = Instant::now();
        for (due, packet) in trace.arrivals(packets.len()) {
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            self.rtp.send_to(&packets[packet], self.media).unwrap();
        }
    }

    /// Ends it.
    pub(crate) fn hangs_up(self) {
        self.sends_request("BYE", 2, "");
        self.answer("BYE");
    }
}
