//! Offers of Alexa, Chromium and aiortc, and what is answered; wrong ones are refused by name.

use std::time::Instant;

use skillcall_media::encoding::Encoding;

use crate::{
    Config, Direction, Identity, LocalAddress, OfferError, Peer, Renegotiated, Style, dtls::Role,
};

/// As facts G9 has them: `c=0.0.0.0`, candidates of both components and of TCP, video beside audio, no telephone-event.
const ALEXA: &str = include_str!("tests/alexa.sdp");
/// Chromium 120 with audio and video, names in place of addresses, and all its codecs.
const CHROMIUM: &str = include_str!("tests/chromium.sdp");
/// aiortc 1.9.
const AIORTC: &str = include_str!("tests/aiortc.sdp");

fn config() -> Config {
    let address = "198.51.100.2:50000".parse().unwrap();
    Config::new(
        Identity::generate().unwrap(),
        vec![LocalAddress::Host(address)],
    )
}

fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn answer(config: Config, offer: &str) -> Result<(Peer, String), OfferError> {
    Peer::answer(config, &crlf(offer), Instant::now())
}

fn has(text: &str, line: &str) -> bool {
    text.split("\r\n").any(|found| found == line)
}

#[test]
fn alexa_s_offer_is_answered_line_by_line() {
    let config = config();
    let fingerprint = config.identity.fingerprint().to_string();
    let (peer, answer) = answer(config, ALEXA).unwrap();
    let lines: Vec<_> = answer.split("\r\n").collect();
    assert!(answer.ends_with("\r\n") && !answer.contains("\n\n"));
    assert_eq!(lines[0], "v=0");
    assert!(lines[1].starts_with("o=- ") && lines[1].ends_with(" 1 IN IP4 127.0.0.1"));
    assert_eq!(
        lines[2..6],
        [
            "s=-",
            "t=0 0",
            "a=group:BUNDLE audio0",
            "m=audio 50000 UDP/TLS/RTP/SAVPF 96"
        ]
    );
    for line in [
        "c=IN IP4 198.51.100.2",
        "a=mid:audio0",
        "a=sendrecv",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 minptime=10;useinbandfec=1",
        "a=ptime:20",
        "a=rtcp-mux",
        "a=setup:active",
        &format!("a=fingerprint:{fingerprint}"),
        "a=end-of-candidates",
        // The video line stays in its place and out of the bundle.
        "m=video 0 UDP/TLS/RTP/SAVPF 99",
        "a=mid:video0",
    ] {
        assert!(has(&answer, line), "{line} in {answer}");
    }
    assert!(answer.find("m=audio").unwrap() < answer.find("m=video").unwrap());
    assert!(!answer.contains("telephone-event") && !answer.contains("a=ice-lite"));
    assert_eq!(answer.matches("a=candidate:").count(), 1);
    let audio = peer.audio().unwrap();
    assert_eq!((audio.encoding, audio.send.number()), (Encoding::Opus, 96));
    assert_eq!(audio.events, None);
    // The unspecified address is no hold.
    assert_eq!(audio.direction, Direction::SendRecv);
    assert!(!audio.is_held());
    assert_eq!(peer.role(), Some(Role::Client));
}

#[test]
fn the_codec_that_we_like_most_is_taken() {
    for (codecs, number) in [
        (vec![Encoding::Pcmu, Encoding::Opus], 0),
        (vec![Encoding::G722, Encoding::Pcma], 8),
    ] {
        let config = Config { codecs, ..config() };
        let (peer, answer) = answer(config, ALEXA).unwrap();
        assert_eq!(peer.audio().unwrap().send.number(), number);
        assert!(has(
            &answer,
            &format!("m=audio 50000 UDP/TLS/RTP/SAVPF {number}")
        ));
    }
}

#[test]
fn the_older_profile_of_alexa_is_kept() {
    let old = ALEXA.replace("UDP/TLS/RTP/SAVPF 96 0 8", "RTP/SAVPF 96 0");
    let (_, answer) = answer(config(), &old).unwrap();
    assert!(has(&answer, "m=audio 50000 RTP/SAVPF 96"));
}

#[test]
fn chromium_s_offer() {
    let (peer, answer) = answer(config(), CHROMIUM).unwrap();
    assert!(has(&answer, "a=group:BUNDLE 0"), "{answer}");
    assert!(
        has(&answer, "m=audio 50000 UDP/TLS/RTP/SAVPF 111 110"),
        "{answer}"
    );
    assert!(has(&answer, "a=rtpmap:110 telephone-event/48000"));
    assert!(answer.contains("m=video 0 UDP/TLS/RTP/SAVPF "));
    assert!(has(&answer, "a=mid:1"));
    let audio = peer.audio().unwrap();
    assert!(audio.opus.in_band_fec && !audio.opus.stereo);
    assert!(audio.events.is_some_and(|events| events.clock == 48_000));
    let config = Config {
        codecs: vec![Encoding::Pcma],
        ..config()
    };
    let (peer, _) = super::tests::answer(config, CHROMIUM).unwrap();
    assert!(
        peer.audio()
            .unwrap()
            .events
            .is_some_and(|events| events.clock == 8_000 && events.send.number() == 126)
    );
}

#[test]
fn aiortc_s_offer() {
    let (peer, answer) = answer(config(), AIORTC).unwrap();
    assert!(
        has(&answer, "m=audio 50000 UDP/TLS/RTP/SAVPF 96"),
        "{answer}"
    );
    assert_eq!(peer.audio().unwrap().encoding, Encoding::Opus);
}

#[test]
fn who_begins_dtls() {
    for (setup, answered) in [
        ("actpass", "active"),
        ("active", "passive"),
        ("passive", "active"),
    ] {
        let offer = ALEXA.replace("a=setup:actpass", &format!("a=setup:{setup}"));
        let (_, answer) = answer(config(), &offer).unwrap();
        assert!(has(&answer, &format!("a=setup:{answered}")), "{setup}");
    }
}

#[test]
fn directions_are_answered_as_the_rfc_has_it() {
    for (said, wish, answered) in [
        ("sendonly", Direction::SendRecv, "recvonly"),
        ("recvonly", Direction::SendRecv, "sendonly"),
        ("inactive", Direction::SendRecv, "inactive"),
        ("sendrecv", Direction::SendOnly, "sendonly"),
        ("sendonly", Direction::SendOnly, "inactive"),
        ("sendrecv", Direction::Inactive, "inactive"),
    ] {
        let offer = ALEXA.replace("a=sendrecv", &format!("a={said}"));
        let config = Config {
            direction: wish,
            ..config()
        };
        let (peer, answer) = answer(config, &offer).unwrap();
        assert_eq!(
            peer.audio().unwrap().direction.name(),
            answered,
            "{said} {wish}"
        );
        assert!(has(&answer, &format!("a={answered}")));
    }
}

#[test]
fn later_descriptions_have_later_versions_and_the_same_id() {
    let (mut peer, first) = answer(config(), ALEXA).unwrap();
    let origin = |text: &str| -> Vec<u64> {
        let line = text
            .split("\r\n")
            .find(|line| line.starts_with("o="))
            .unwrap();
        line.split(' ')
            .skip(1)
            .take(2)
            .map(|word| word.parse().unwrap())
            .collect()
    };
    let Renegotiated { answer, .. } = peer.answer_again(&crlf(ALEXA), Instant::now()).unwrap();
    let (first, second) = (origin(&first), origin(&answer));
    assert_eq!((first[0], first[1] + 1), (second[0], second[1]));
    let third = peer.offer_again(Direction::SendRecv);
    assert_eq!(origin(&third)[1], second[1] + 1);
    // Our own offer keeps Alexa's lines, names and numbers.
    assert!(has(&third, "m=video 0 UDP/TLS/RTP/SAVPF 99"), "{third}");
    assert!(has(&third, "a=group:BUNDLE audio0") && has(&third, "a=rtpmap:96 opus/48000/2"));
}

#[test]
fn an_echo_s_own_offer_has_the_lines_of_the_facts() {
    let echo = Config {
        codecs: vec![Encoding::Opus, Encoding::Pcmu, Encoding::Pcma],
        events: false,
        style: Style::Echo { video: true },
        ssrc: 1,
        cname: "sim".to_owned(),
        ..config()
    };
    let fingerprint = echo.identity.fingerprint().to_string();
    let (mut peer, offer) = Peer::offer(echo, Instant::now());
    // All but what is new in each call stands in the example.
    let known: Vec<String> = crlf(ALEXA)
        .replace("192.0.2.10 40000 ", "198.51.100.2 50000 ")
        .replace("192.0.2.10 40001 ", "198.51.100.2 50001 ")
        .replace("192.0.2.10 40002 ", "198.51.100.2 50002 ")
        .replace("192.0.2.10 9 ", "198.51.100.2 9 ")
        .split("\r\n")
        .map(str::to_owned)
        .collect();
    let fresh = ["o=", "a=ice-ufrag", "a=ice-pwd", "a=fingerprint"];
    let is_fresh = |line: &str| fresh.iter().any(|start| line.starts_with(start));
    let written: Vec<_> = offer.split("\r\n").filter(|line| !is_fresh(line)).collect();
    let expected: Vec<_> = known.iter().filter(|line| !is_fresh(line)).collect();
    assert_eq!(written, expected);
    assert_eq!(offer.matches(&fingerprint).count(), 2);
    let origin = offer.split("\r\n").nth(1).unwrap();
    let words: Vec<_> = origin.split(' ').collect();
    assert_eq!(words[1], words[2], "{origin}");
    // After the answer the video line is rejected for good.
    let (_, answer) = answer(config(), &offer).unwrap();
    peer.take_answer(&answer, Instant::now()).unwrap();
    let again = peer.offer_again(Direction::SendOnly);
    assert!(has(&again, "m=video 0 UDP/TLS/RTP/SAVPF 99"), "{again}");
    assert!(has(&again, "a=group:BUNDLE audio0") && has(&again, "a=sendonly"));
}

#[test]
fn the_transport_of_a_bundle_may_stand_in_another_line() {
    let text = AIORTC.replace("m=audio 55555", "m=audio 0");
    assert_eq!(answer(config(), &text).err(), Some(OfferError::NoAudio));
    let moved = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v a\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 99\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=rtcp-mux\r\na=rtpmap:99 H264/90000\r\n\
        a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
        a=fingerprint:FP\r\n\
        m=audio 0 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=bundle-only\r\na=mid:a\r\na=rtcp-mux\r\n";
    let moved = moved.replace("FP", &config().identity.fingerprint().to_string());
    let (_, answer) = answer(config(), &moved).unwrap();
    assert!(has(&answer, "a=group:BUNDLE a"), "{answer}");
    let video = answer.find("m=video 0 ").unwrap();
    assert!(video < answer.find("m=audio 50000 ").unwrap(), "{answer}");
}

#[test]
fn what_cannot_be_answered_is_refused_by_name() {
    let without = |start: &str| -> String {
        let kept = ALEXA.lines().filter(|line| !line.starts_with(start));
        kept.map(|line| format!("{line}\r\n")).collect()
    };
    let refused = |text: &str| answer(config(), text).err().unwrap();
    assert!(matches!(refused("hello"), OfferError::Syntax(_)));
    assert!(matches!(
        refused(&"a".repeat(70_000)),
        OfferError::TooLong { .. }
    ));
    assert_eq!(refused(&without("a=rtcp-mux")), OfferError::NoRtcpMux);
    assert_eq!(
        refused(&without("a=ice-ufrag")),
        OfferError::Credentials("a=ice-ufrag")
    );
    assert_eq!(
        refused(&without("a=ice-pwd")),
        OfferError::Credentials("a=ice-pwd")
    );
    assert_eq!(
        refused(&without("a=fingerprint")),
        OfferError::NoFingerprint
    );
    assert_eq!(
        refused(&ALEXA.replace("setup:actpass", "setup:holdconn")),
        OfferError::Setup("holdconn".to_owned())
    );
    assert_eq!(
        refused(&ALEXA.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")),
        OfferError::Profile("RTP/AVP".to_owned())
    );
    assert_eq!(
        refused(&ALEXA.replace("m=audio 1 ", "m=audio 0 ")),
        OfferError::NoAudio
    );
    let many = format!("{ALEXA}{}", "m=audio 9 RTP/AVP 0\r\n".repeat(20));
    assert!(matches!(refused(&many), OfferError::TooManyMedia { .. }));
    let none = ALEXA
        .replace(" 96 0 8", " 101 102")
        .replace("a=rtpmap:96 opus/48000/2", "a=rtpmap:101 AMR-WB/16000");
    let OfferError::NoCodec { offered, spoken } = refused(&none) else {
        panic!("a codec was found");
    };
    assert_eq!(offered, "amr-wb/16000");
    assert!(spoken.starts_with("opus/48000/2, G722/8000"));
}
