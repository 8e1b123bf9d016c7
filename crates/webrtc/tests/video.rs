//! What is offered and answered for video beside the voice: which formats, under which numbers, in which line, and who sends.

use std::time::Instant;

use skillcall_video::{Flow, Format, Terms};
use skillcall_webrtc::{Config, Direction, Identity, LocalAddress, Peer, Style};

const ONE: &str = "packetization-mode=1;profile-level-id=42e01f";
const ZERO: &str = "packetization-mode=0;profile-level-id=42e01f";
const HIGH: &str = "packetization-mode=1;profile-level-id=64001f";

fn config(port: u16) -> Config {
    let address = ([198, 51, 100, 2], port).into();
    Config::new(
        Identity::generate().unwrap(),
        vec![LocalAddress::Host(address)],
    )
}

fn terms(formats: &[&str], flow: Flow) -> Terms {
    Terms {
        formats: formats
            .iter()
            .map(|it| Format::parse(it).unwrap())
            .collect(),
        flow,
        bandwidth: Some(700),
    }
}

/// A device's offer of voice, with this behind it.
fn offer(more: &str, bundle: &str) -> String {
    let (_, offer) = Peer::offer(config(4_000), Instant::now());
    offer.replace("a=group:BUNDLE 0", &format!("a=group:BUNDLE {bundle}")) + more
}

fn video(numbers: &str, more: &str) -> String {
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF {numbers}\r\nc=IN IP4 0.0.0.0\r\nb=AS:2500\r\na=mid:v\r\na=rtcp-mux\r\n{more}"
    )
}

fn section(sdp: &str) -> Vec<&str> {
    let lines = sdp.lines().skip_while(|line| !line.starts_with("m=video"));
    lines.collect()
}

/// What an offer of such a line is answered with: the numbers of the answer's line, `-` if it is rejected.
fn numbers(ours: Option<Terms>, line: &str) -> String {
    let offered = offer(line, "0 v");
    let mut config = config(5_000);
    config.video = ours;
    let (peer, answer) = Peer::answer(config, &offered, Instant::now()).unwrap();
    assert!(answer.find("m=audio").unwrap() < answer.find("m=video").unwrap());
    let line = section(&answer)[0];
    let mut words = line.split(' ');
    let open = words.nth(1) != Some("0");
    assert_eq!(peer.video().is_some(), open, "{answer}");
    assert_eq!(answer.contains("a=group:BUNDLE 0 v"), open, "{answer}");
    if open {
        words.skip(1).collect::<Vec<_>>().join(" ")
    } else {
        "-".to_owned()
    }
}

#[test]
fn which_formats_are_answered() {
    let map = |number: u8, name: &str, parameters: &str| {
        format!("a=rtpmap:{number} {name}/90000\r\na=fmtp:{number} {parameters}\r\n")
    };
    let of = |formats: &[&str]| Some(terms(formats, Flow::BOTH));
    let chrome = map(96, "VP8", "x=1")
        + &map(97, "rtx", "apt=96")
        + &map(
            102,
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
        )
        + &map(103, "rtx", "apt=102")
        + &map(
            104,
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f",
        )
        + &map(
            106,
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        )
        + &map(
            108,
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f",
        )
        + &map(
            112,
            "H264",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=64001f",
        )
        + &map(116, "red", "x=1")
        + &map(117, "ulpfec", "x=1");
    let chrome = video("96 97 102 103 104 106 108 112 116 117", &chrome);
    let echo = video("99", "a=rtpmap:99 H264/90000\r\n");
    for (ours, line, answered) in [
        (of(&[ONE]), &chrome, "106"),
        (of(&[ZERO]), &chrome, "108"),
        (of(&[HIGH]), &chrome, "112"),
        (of(&[HIGH, ONE]), &chrome, "112 106"),
        (
            of(&["packetization-mode=1;profile-level-id=4d001f"]),
            &chrome,
            "-",
        ),
        (of(&[]), &chrome, "-"),
        (None, &chrome, "-"),
        // Without parameters: one unit a packet, Constrained Baseline.
        (of(&[ZERO]), &echo, "99"),
        (of(&[ONE]), &echo, "-"),
        (of(&[ONE]), &video("96", &map(96, "VP8", "x=1")), "-"),
        (
            of(&[ONE]),
            &video(
                "96",
                &map(96, "H264", "packetization-mode=2;profile-level-id=42e01f"),
            ),
            "-",
        ),
        // A number of the voice's.
        (of(&[ONE]), &video("0", &map(0, "H264", ONE)), "0"),
        // What cannot go the voice's way, or is refused already.
        (of(&[ONE]), &chrome.replace("a=mid:v", "a=mid:w"), "-"),
        (of(&[ONE]), &chrome.replace("a=rtcp-mux\r\n", ""), "-"),
        (of(&[ONE]), &chrome.replace("m=video 9", "m=video 0"), "-"),
        (
            of(&[ONE]),
            &chrome.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
            "-",
        ),
    ] {
        assert_eq!(numbers(ours.clone(), line), answered, "{ours:?} {line}");
    }
}

#[test]
fn an_answer_says_what_the_other_side_says() {
    let extension = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";
    let line = video(
        "99",
        &format!("a=rtpmap:99 H264/90000\r\na=fmtp:99 {ONE}\r\n{extension}"),
    );
    let offered = offer(&line, "0 v").replace("a=mid:0\r\n", &format!("a=mid:0\r\n{extension}"));
    let mut config = config(5_000);
    let own = "packetization-mode=1;profile-level-id=42e034;max-fs=8160";
    config.video = Some(terms(
        &[own],
        Flow {
            sends: false,
            receives: true,
        },
    ));
    let (peer, answer) = Peer::answer(config, &offered, Instant::now()).unwrap();
    let video = section(&answer);
    for line in [
        "b=AS:700",
        "a=mid:v",
        "a=recvonly",
        "a=rtpmap:99 H264/90000",
        // No higher than the offer's.
        "a=fmtp:99 packetization-mode=1;profile-level-id=42e01f;max-fs=8160",
        "a=rtcp-fb:99 nack pli",
        "a=rtcp-fb:99 ccm fir",
        "a=rtcp-mux",
        "a=setup:active",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
    ] {
        assert!(video.contains(&line), "{line} in {answer}");
    }
    assert!(!answer.contains("a=rtcp-fb:99 nack\r\n"));
    assert_eq!(answer.matches("sdes:mid").count(), 2, "{answer}");
    assert_eq!(peer.video().unwrap().direction, Direction::RecvOnly);
    let said = peer.video_of_peer().unwrap();
    assert_eq!((said.flow, said.bandwidth), (Flow::BOTH, Some(2500)));
}

#[test]
fn an_answer_that_nobody_has_seen_is_written_anew() {
    let line = video(
        "99",
        &format!("a=rtpmap:99 H264/90000\r\na=fmtp:99 {ONE}\r\n"),
    );
    let (mut peer, first) =
        Peer::answer(config(5_000), &offer(&line, "0 v"), Instant::now()).unwrap();
    assert!(section(&first)[0].starts_with("m=video 0 "), "{first}");
    peer.set_video(Some(terms(&[ONE], Flow::BOTH)));
    let second = peer.answer_anew().unwrap();
    assert!(section(&second)[0].ends_with(" 99"), "{second}");
    let head = |answer: &str| {
        let lines: Vec<String> = answer
            .lines()
            .take_while(|it| !it.starts_with("a=group"))
            .map(str::to_owned)
            .collect();
        lines
    };
    assert_eq!(
        head(&first),
        head(&second),
        "the same version, as only one is given"
    );
    peer.set_video(None);
    assert_eq!(peer.answer_anew().unwrap(), first);
    peer.offer_again(Direction::SendRecv);
    assert_eq!(peer.answer_anew(), None);
}

/// A gateway offers, and a device answers; then video stands still, ends and begins again.
#[test]
fn offers_and_their_answers() {
    for style in [Style::Standard, Style::Echo { video: true }] {
        let now = Instant::now();
        let mut ours = config(5_000);
        ours.video = Some(terms(&[HIGH, ONE], Flow::BOTH));
        let (mut gateway, offer) = Peer::offer(ours, now);
        assert!(offer.contains("a=group:BUNDLE 0 1"), "{offer}");
        let mut theirs = config(4_000);
        theirs.style = style;
        theirs.video = Some(terms(&[ONE], Flow::BOTH));
        let (mut device, answer) = Peer::answer(theirs, &offer, now).unwrap();
        gateway.take_answer(&answer, now).unwrap();
        let agreed = gateway.video().unwrap();
        assert_eq!(agreed.formats.len(), 1);
        assert_eq!(agreed.direction, Direction::SendRecv);
        assert_eq!(
            agreed.formats[0].send,
            device.video().unwrap().formats[0].receive
        );
        assert!(agreed.picture_loss && agreed.full_intra);
        let number = agreed.formats[0].receive;
        // It stands still where nothing is to be said of it any more.
        gateway.set_video(None);
        let offer = gateway.offer_again(Direction::SendRecv);
        assert!(section(&offer).contains(&"a=inactive"), "{offer}");
        let again = device.answer_again(&offer, now).unwrap();
        gateway.take_answer(&again.answer, now).unwrap();
        assert_eq!(gateway.video().unwrap().direction, Direction::Inactive);
        gateway.set_video(Some(terms(&[ONE], Flow::BOTH)));
        let offer = gateway.offer_again(Direction::SendRecv);
        let again = device.answer_again(&offer, now).unwrap();
        gateway.take_answer(&again.answer, now).unwrap();
        let agreed = gateway.video().unwrap();
        assert_eq!(agreed.direction, Direction::SendRecv);
        assert_eq!(
            agreed.formats[0].receive, number,
            "a number keeps its meaning"
        );
        // The device ends it, and begins it again.
        device.set_video(None);
        let offer = gateway.offer_again(Direction::SendRecv);
        let again = device.answer_again(&offer, now).unwrap();
        gateway.take_answer(&again.answer, now).unwrap();
        assert_eq!(gateway.video(), None);
        assert!(gateway.audio().is_some());
        device.set_video(Some(terms(&[ONE], Flow::BOTH)));
        let offer = device.offer_again(Direction::SendRecv);
        assert_eq!(Peer::video_in(&offer).unwrap().formats.len(), 1, "{offer}");
        let again = gateway.answer_again(&offer, now).unwrap();
        device.take_answer(&again.answer, now).unwrap();
        assert_eq!(device.video().unwrap().direction, Direction::SendRecv);
    }
}
