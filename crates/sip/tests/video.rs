//! What is offered to phones for video, what their answers come to, and what is answered to their offers.

use skillcall_sip::sdp::{
    Capabilities, CryptoSuite, Direction, MediaSession, Srtp, SrtpPolicy, VideoPlace,
};
use skillcall_video::{Flow, Format, Terms};

const ONE: &str = "packetization-mode=1;profile-level-id=42e01f";
const ZERO: &str = "packetization-mode=0;profile-level-id=42e01f";
const HIGH: &str = "packetization-mode=1;profile-level-id=64001f";
const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn terms(formats: &[&str]) -> Option<Terms> {
    Some(Terms {
        formats: formats
            .iter()
            .map(|it| Format::parse(it).unwrap())
            .collect(),
        flow: Flow::BOTH,
        bandwidth: Some(2500),
    })
}

fn srtp(policy: SrtpPolicy, byte: u8) -> Srtp {
    Srtp::new(policy, [CryptoSuite::AesCm128Sha1_80], |bytes| {
        bytes.fill(byte)
    })
}

fn session(policy: SrtpPolicy, terms: Option<Terms>) -> MediaSession {
    let mut capabilities = Capabilities::new([198, 51, 100, 1].into(), 40_000);
    capabilities.srtp = srtp(policy, 1);
    let mut session = MediaSession::new(capabilities, 1);
    session.set_video_place(VideoPlace {
        port: 40_002,
        srtp: srtp(policy, 2),
    });
    session.set_video(terms);
    session
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8(bytes.as_ref().to_vec()).unwrap()
}

fn video_line(sdp: &str) -> &str {
    sdp.lines()
        .find(|line| line.starts_with("m=video"))
        .unwrap_or("-")
}

fn map(number: u8, parameters: &str) -> String {
    format!("a=rtpmap:{number} H264/90000\r\na=fmtp:{number} {parameters}\r\n")
}

#[test]
fn which_answers_are_taken() {
    let voice = "m=audio 4000 RTP/AVP 0\r\n";
    let line = |port: u16, number: u8, parameters: &str| {
        format!(
            "m=video {port} RTP/AVP {number}\r\n{}",
            map(number, parameters)
        )
    };
    for (answer, agreed) in [
        // By the offer's numbers, or by the phone's own.
        (line(4_002, 99, ONE), Some((99, 99))),
        (line(4_002, 120, ONE), Some((120, 99))),
        (line(4_002, 99, HIGH), Some((99, 96))),
        (
            line(4_002, 120, "profile-level-id=42801f;packetization-mode=1"),
            Some((120, 99)),
        ),
        (line(4_002, 99, ZERO), None),
        (
            line(4_002, 99, "profile-level-id=4d001f;packetization-mode=1"),
            None,
        ),
        (line(0, 99, ONE), None),
        (line(4_002, 99, ONE).replace("H264", "VP8"), None),
        (
            line(4_002, 99, ONE).replace("m=video", "m=application"),
            None,
        ),
        // Left out, which no phone may do.
        (String::new(), None),
    ] {
        let mut session = session(SrtpPolicy::Off, terms(&[ONE, HIGH]));
        let offer = text(session.offer());
        assert_eq!(video_line(&offer), "m=video 40002 RTP/AVP 99 96", "{offer}");
        for wanted in ["b=AS:2500", "a=rtcp-fb:99 nack pli", "a=rtcp-fb:99 ccm fir"] {
            assert!(
                offer.lines().any(|line| line == wanted),
                "{wanted} in {offer}"
            );
        }
        assert!(!offer.contains("nack\r\n"));
        let said = format!("{HEAD}{voice}{answer}");
        let negotiated = session.accept_answer(said.as_bytes()).unwrap();
        let video = negotiated.video.as_ref();
        let numbers = video.map(|video| {
            assert_eq!(video.remote, "192.0.2.1:4002".parse().unwrap());
            let first = &video.formats[0];
            (first.send_payload, first.receive_payload)
        });
        assert_eq!(numbers, agreed, "{answer}");
        assert_eq!(negotiated.video_of_peer.is_some(), agreed.is_some());
        assert_eq!(
            negotiated.direction,
            Direction::SendRecv,
            "the voice goes on"
        );
    }
    // More lines than were offered are no answer.
    let mut session = session(SrtpPolicy::Off, None);
    assert_eq!(video_line(&text(session.offer())), "-");
    let said = format!("{HEAD}{voice}{}", line(4_002, 99, ONE));
    session.accept_answer(said.as_bytes()).unwrap_err();
}

#[test]
fn which_offers_are_answered() {
    let voice = "m=audio 4000 RTP/AVP 0\r\n";
    let line = format!(
        "m=video 4002 RTP/AVP 31 97 98\r\nb=TIAS:700000\r\n{}{}a=rtcp-fb:* nack pli\r\n",
        map(97, ZERO),
        map(98, ONE)
    );
    for (ours, offer, answered) in [
        (
            terms(&[ONE]),
            format!("{voice}{line}"),
            "m=video 40002 RTP/AVP 98",
        ),
        (
            terms(&[ONE, ZERO]),
            format!("{voice}{line}"),
            "m=video 40002 RTP/AVP 98 97",
        ),
        (
            terms(&[ONE]),
            format!("{line}{voice}"),
            "m=video 40002 RTP/AVP 98",
        ),
        (
            terms(&[ONE]),
            format!("{voice}{}", line.replace("RTP/AVP", "RTP/AVPF")),
            "m=video 40002 RTP/AVPF 98",
        ),
        (
            terms(&[HIGH]),
            format!("{voice}{line}"),
            "m=video 0 RTP/AVP 31 97 98",
        ),
        (None, format!("{voice}{line}"), "m=video 0 RTP/AVP 31 97 98"),
        (
            terms(&[ONE]),
            format!("{voice}{}", line.replace("4002", "0")),
            "m=video 0 RTP/AVP 31 97 98",
        ),
        // The first that can be used.
        (
            terms(&[ONE]),
            format!("{voice}m=video 5000 RTP/AVP 31\r\n{line}"),
            "m=video 0 RTP/AVP 31",
        ),
        (
            terms(&[ONE]),
            format!("{voice}{}", line.replace("RTP/AVP", "RTP/SAVP")),
            "m=video 0 RTP/SAVP 31 97 98",
        ),
    ] {
        let mut session = session(SrtpPolicy::Off, ours);
        let offer = format!("{HEAD}{offer}");
        let (answer, negotiated) = session.answer(offer.as_bytes()).unwrap();
        let answer = text(answer);
        assert_eq!(video_line(&answer), answered, "{offer}");
        let first = offer.find("m=audio") < offer.find("m=video");
        assert_eq!(
            answer.find("m=audio") < answer.find("m=video"),
            first,
            "{answer}"
        );
        if let Some(video) = &negotiated.video {
            assert_eq!(video.formats[0].receive_payload, 98);
            assert!(video.picture_loss && !video.full_intra);
            // What the phone did not speak of is not spoken of to it.
            assert!(answer.contains("a=rtcp-fb:98 nack pli") && !answer.contains("ccm fir"));
        }
    }
    let session = session(SrtpPolicy::Off, None);
    let said = session
        .video_in(format!("{HEAD}{voice}{line}").as_bytes())
        .unwrap();
    assert_eq!((said.formats.len(), said.bandwidth), (2, Some(700)));
}

#[test]
fn a_hold_stops_it_and_a_removed_line_is_used_again() {
    let mut session = session(SrtpPolicy::Off, terms(&[ONE]));
    session.offer();
    let voice = "m=audio 4000 RTP/AVP 0\r\n";
    let line = format!("m=video 4002 RTP/AVP 99\r\n{}", map(99, ONE));
    let answer = format!("{HEAD}{voice}{line}");
    session.accept_answer(answer.as_bytes()).unwrap();
    let direction = |sdp: &str| {
        let mut lines = sdp.lines().skip_while(|line| !line.starts_with("m=video"));
        lines
            .find(|line| line.ends_with("ive") || line.ends_with("recv"))
            .unwrap()
            .to_owned()
    };
    session.set_direction(Direction::SendOnly);
    assert_eq!(direction(&text(session.offer())), "a=inactive");
    session.accept_answer(answer.as_bytes()).unwrap();
    session.set_direction(Direction::SendRecv);
    assert_eq!(direction(&text(session.offer())), "a=sendrecv");
    session.accept_answer(answer.as_bytes()).unwrap();
    session.set_video(None);
    assert_eq!(video_line(&text(session.offer())), "m=video 0 RTP/AVP 99");
    let without = answer.replace("m=video 4002", "m=video 0");
    assert_eq!(
        session.accept_answer(without.as_bytes()).unwrap().video,
        None
    );
    session.set_video(terms(&[ONE]));
    assert_eq!(
        video_line(&text(session.offer())),
        "m=video 40002 RTP/AVP 99"
    );
    assert!(
        session
            .accept_answer(answer.as_bytes())
            .unwrap()
            .video
            .is_some()
    );
}

#[test]
fn a_picture_is_encrypted_where_the_voice_is() {
    let crypto =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD\r\n";
    let other =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\r\n";
    for policy in [SrtpPolicy::Preferred, SrtpPolicy::Required] {
        let proto = match policy {
            SrtpPolicy::Required => "RTP/SAVP",
            _ => "RTP/AVP",
        };
        let voice = format!("m=audio 4000 {proto} 0\r\n{crypto}");
        let line = format!("m=video 4002 {proto} 99\r\n{}", map(99, ONE));
        for (answer, taken) in [
            (format!("{HEAD}{voice}{line}{other}"), true),
            (format!("{HEAD}{voice}{line}"), false),
        ] {
            let mut session = session(policy, terms(&[ONE]));
            let offer = text(session.offer());
            assert!(video_line(&offer).contains(proto), "{offer}");
            let keys: Vec<&str> = offer
                .lines()
                .filter(|it| it.starts_with("a=crypto:1"))
                .collect();
            assert_eq!(keys.len(), 2, "{offer}");
            assert_ne!(keys[0], keys[1]);
            let negotiated = session.accept_answer(answer.as_bytes()).unwrap();
            assert!(negotiated.srtp.is_some());
            assert_eq!(negotiated.video.is_some(), taken, "{answer}");
            if let Some(video) = negotiated.video {
                let keys = video.srtp.unwrap();
                assert_eq!(keys.receive.key(), [4; 16]);
                assert_eq!(keys.send.key(), [2; 16]);
            }
            let mut session = session_of(policy);
            let (answered, negotiated) = session.answer(answer.as_bytes()).unwrap();
            assert_eq!(negotiated.video.is_some(), taken, "{}", text(answered));
        }
    }
}

fn session_of(policy: SrtpPolicy) -> MediaSession {
    session(policy, terms(&[ONE]))
}
