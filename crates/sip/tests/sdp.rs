//! Offer and answer (RFC 3264), as RFC 3264 §10 and real phones do it.

use std::net::{IpAddr, Ipv4Addr};

use skillcall_sip::sdp::{
    Capabilities, Codec, Direction, MediaSession, OpusWish, SdpError, TelephoneEvent,
};

fn session(port: u16) -> MediaSession {
    MediaSession::new(
        Capabilities::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port),
        1000,
    )
}

fn offer(lines: &str) -> String {
    format!("v=0\r\no=- 5 5 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{lines}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn version(description: &[u8]) -> u64 {
    text(description)
        .lines()
        .nth(1)
        .unwrap()
        .split(' ')
        .nth(2)
        .unwrap()
        .parse()
        .unwrap()
}

#[test]
fn two_of_us_agree() {
    let (mut caller, mut callee) = (session(40000), session(40010));
    let offered = caller.offer();
    assert_eq!(
        text(&offered),
        "v=0\r\no=- 1000 1000 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
    let (answer, at_callee) = callee.answer(&offered).unwrap();
    let at_caller = caller.accept_answer(&answer).unwrap();
    assert_eq!(at_callee.remote, "127.0.0.1:40000".parse().unwrap());
    assert_eq!(at_caller.remote, "127.0.0.1:40010".parse().unwrap());
    assert_eq!(at_caller.rtcp, "127.0.0.1:40011".parse().unwrap());
    for side in [&at_caller, &at_callee] {
        assert_eq!(
            (side.codec, side.send_payload, side.receive_payload),
            (Codec::Pcmu, 0, 0)
        );
        let event = TelephoneEvent {
            send_payload: 101,
            receive_payload: 101,
            clock: 8000,
        };
        assert_eq!(side.telephone_event, Some(event));
        assert_eq!(
            (side.direction, side.held, side.ptime),
            (Direction::SendRecv, false, 20)
        );
    }
}

#[test]
fn the_offerers_order_and_numbers_win() {
    let mut ours = session(40000);
    let (answer, agreed) = ours
        .answer(offer("m=audio 4000 RTP/AVP 9 97 96 0\r\na=rtpmap:9 G722/8000\r\na=rtpmap:97 pcma/8000/1\r\n\
            a=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\na=rtcp:4009 IN IP4 192.0.2.8\r\n").as_bytes())
        .unwrap();
    assert_eq!((agreed.codec, agreed.send_payload), (Codec::Pcma, 97));
    assert_eq!(
        agreed.telephone_event.map(|event| event.send_payload),
        Some(96)
    );
    assert_eq!(
        (agreed.ptime, agreed.rtcp),
        (30, "192.0.2.8:4009".parse().unwrap())
    );
    assert!(
        text(&answer).contains("m=audio 40000 RTP/AVP 97 96\r\na=rtpmap:97 PCMA/8000\r\n"),
        "{}",
        text(&answer)
    );
}

#[test]
fn the_packet_time_is_the_peers_wish_within_its_limit() {
    for (said, expected) in [
        ("", 20),
        ("a=ptime:10\r\n", 10),
        ("a=ptime:30\r\na=maxptime:60\r\n", 30),
        ("a=ptime:60\r\na=maxptime:40\r\n", 40),
        ("a=maxptime:10\r\n", 10),
        ("a=maxptime:240\r\n", 20),
        ("a=ptime:37.5\r\n", 30),
        ("a=ptime:200\r\n", 60),
        ("a=ptime:0\r\n", 10),
        ("a=ptime:soon\r\n", 20),
    ] {
        let offer = offer(&format!("m=audio 4000 RTP/AVP 0\r\n{said}"));
        let (_, agreed) = session(40000).answer(offer.as_bytes()).unwrap();
        assert_eq!(agreed.ptime, expected, "{said}");
    }
}

#[test]
fn an_answer_under_other_numbers_is_understood() {
    let mut ours = session(40000);
    ours.offer();
    let agreed = ours.accept_answer(
        offer("m=audio 4000 RTP/AVP 8 110\r\na=rtpmap:110 telephone-event/8000\r\n").as_bytes(),
    );
    let agreed = agreed.unwrap();
    assert_eq!(
        (agreed.codec, agreed.send_payload, agreed.receive_payload),
        (Codec::Pcma, 8, 8)
    );
    assert_eq!(
        agreed.telephone_event,
        Some(TelephoneEvent {
            send_payload: 110,
            receive_payload: 101,
            clock: 8000
        })
    );
}

#[test]
fn other_media_lines_keep_their_place_at_port_0() {
    let mut ours = session(40000);
    let mixed = offer(
        "m=video 5000 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio 6000 RTP/SAVP 0\r\nm=audio 4000 RTP/AVP 0\r\n\
         m=application 7000 UDP/BFCP *\r\n",
    );
    let (answer, agreed) = ours.answer(mixed.as_bytes()).unwrap();
    let lines = |bytes: &[u8]| -> Vec<String> {
        text(bytes)
            .lines()
            .filter(|line| line.starts_with("m="))
            .map(str::to_owned)
            .collect()
    };
    let expected = [
        "m=video 0 RTP/AVP 31",
        "m=audio 0 RTP/AVP 0",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 40000 RTP/AVP 0",
        "m=application 0 UDP/BFCP *",
    ];
    assert_eq!(lines(&answer), expected);
    assert_eq!(agreed.remote.port(), 4000);
    assert_eq!(
        lines(&ours.offer())[..3],
        expected[..3],
        "a later offer keeps the lines (RFC 3264 §8)"
    );
}

#[test]
fn hold_in_all_its_spellings() {
    let cases = [
        ("a=sendonly\r\n", "", Direction::RecvOnly, true),
        ("a=inactive\r\n", "", Direction::Inactive, true),
        ("a=recvonly\r\n", "", Direction::SendOnly, false),
        ("", "a=sendonly\r\n", Direction::RecvOnly, true),
        (
            "a=sendrecv\r\n",
            "a=sendonly\r\n",
            Direction::SendRecv,
            false,
        ),
        ("c=IN IP4 0.0.0.0\r\n", "", Direction::RecvOnly, true),
        (
            "c=IN IP4 0.0.0.0\r\na=inactive\r\n",
            "",
            Direction::Inactive,
            true,
        ),
        (
            "c=IN IP4 0.0.0.0\r\na=sendonly\r\n",
            "",
            Direction::RecvOnly,
            true,
        ),
    ];
    let mut ours = session(40000);
    for (media, whole, direction, held) in cases {
        let said = offer(&format!("{whole}m=audio 4000 RTP/AVP 0\r\n{media}"));
        let (answer, agreed) = ours.answer(said.as_bytes()).unwrap();
        assert_eq!((agreed.direction, agreed.held), (direction, held), "{said}");
        assert!(
            text(&answer).ends_with(&format!("a={direction}\r\n")),
            "{}",
            text(&answer)
        );
    }
    // And back, by an offer of ours (the peer sent an INVITE without one).
    let resumed = ours.offer();
    assert!(text(&resumed).ends_with("a=sendrecv\r\n"));
    let agreed = ours
        .accept_answer(offer("m=audio 4000 RTP/AVP 0\r\n").as_bytes())
        .unwrap();
    assert_eq!(
        (agreed.direction, agreed.held),
        (Direction::SendRecv, false)
    );
}

#[test]
fn we_put_the_peer_on_hold() {
    let (mut ours, mut theirs) = (session(40000), session(40010));
    let (answer, _) = theirs.answer(&ours.offer()).unwrap();
    ours.accept_answer(&answer).unwrap();
    ours.set_direction(Direction::SendOnly);
    let (answer, at_peer) = theirs.answer(&ours.offer()).unwrap();
    assert_eq!(
        (at_peer.direction, at_peer.held),
        (Direction::RecvOnly, true)
    );
    let agreed = ours.accept_answer(&answer).unwrap();
    assert_eq!(
        (agreed.direction, agreed.held),
        (Direction::SendOnly, false)
    );
}

#[test]
fn the_version_rises_by_one_with_the_text_and_only_then() {
    let mut ours = session(40000);
    let first = ours.offer();
    assert_eq!(ours.offer(), first);
    ours.set_direction(Direction::Inactive);
    let second = ours.offer();
    assert_eq!((version(&first), version(&second)), (1000, 1001));
    assert_eq!(version(&ours.offer()), 1001);
}

#[test]
fn what_cannot_be_agreed_is_refused_by_name_and_changes_nothing() {
    let mut ours = session(40000);
    let (_, before) = ours
        .answer(offer("m=audio 4000 RTP/AVP 0\r\n").as_bytes())
        .unwrap();
    let refused = |ours: &mut MediaSession, text: &str| ours.answer(text.as_bytes()).unwrap_err();
    let codec = refused(&mut ours, &offer("m=audio 4000 RTP/AVP 9 18\r\n"));
    assert_eq!(
        codec,
        SdpError::NoCodec {
            offered: "9 18".into(),
            expected: "PCMU, PCMA".into()
        }
    );
    assert_eq!((codec.status().get(), codec.warning()), (488, 305));
    for lines in [
        "",
        "m=audio 0 RTP/AVP 0\r\n",
        "m=audio 4000 RTP/SAVPF 0\r\n",
        "m=video 4000 RTP/AVP 0\r\n",
    ] {
        assert_eq!(
            refused(&mut ours, &offer(lines)),
            SdpError::NoAudio,
            "{lines}"
        );
    }
    for address in ["pbx.example", "224.2.1.1/127"] {
        let text = offer("m=audio 4000 RTP/AVP 0\r\n")
            .replace("c=IN IP4 192.0.2.7", &format!("c=IN IP4 {address}"));
        assert_eq!(refused(&mut ours, &text), SdpError::Address(address.into()));
    }
    assert_eq!(refused(&mut ours, "hello").status().get(), 400);
    assert_eq!(
        refused(&mut ours, &offer(&"m=audio 0 RTP/AVP 0\r\n".repeat(40)))
            .status()
            .get(),
        400
    );
    assert_eq!(ours.negotiated(), Some(&before));
    let answer = offer("m=audio 4000 RTP/AVP 0\r\n");
    assert_eq!(
        ours.accept_answer(answer.as_bytes()),
        Err(SdpError::NoOffer)
    );
    ours.offer();
    let two = offer("m=audio 4000 RTP/AVP 0\r\nm=video 0 RTP/AVP 31\r\n");
    assert_eq!(
        ours.accept_answer(two.as_bytes()),
        Err(SdpError::MediaCount {
            found: 2,
            expected: 1
        })
    );
    assert!(ours.accept_answer(answer.as_bytes()).is_ok());
}

fn wide(port: u16, codecs: &[Codec]) -> MediaSession {
    let mut capabilities = Capabilities::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    capabilities.codecs = codecs.to_vec();
    MediaSession::new(capabilities, 1000)
}

#[test]
fn wide_codecs_are_offered_with_telephone_events_at_each_clock() {
    let mut ours = wide(40000, &[Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]);
    let offered = text(&ours.offer());
    let media = offered.split_once("m=audio ").unwrap().1;
    assert_eq!(
        media,
        "40000 RTP/AVP 96 9 0 8 101 97\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:9 G722/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/48000\r\na=fmtp:101 0-16\r\n\
         a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

/// What an answer to our offer of all codecs comes to: its codec, the numbers that we send and receive, and those of events.
#[test]
fn answers_choose_a_codec_and_numbers_of_their_own() {
    let all = [Codec::Opus, Codec::G722, Codec::Pcmu];
    for (answer, codec, payloads, events) in [
        (
            "96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/48000",
            Codec::Opus,
            (96, 96),
            Some((101, 101, 48_000)),
        ),
        (
            "111 110 109\r\na=rtpmap:111 OPUS/48000/2\r\na=rtpmap:110 telephone-event/8000\r\na=rtpmap:109 telephone-event/48000",
            Codec::Opus,
            (111, 96),
            Some((109, 101, 48_000)),
        ),
        // Many a phone has no others.
        (
            "96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/8000",
            Codec::Opus,
            (96, 96),
            Some((97, 97, 8_000)),
        ),
        (
            "9 97\r\na=rtpmap:97 telephone-event/8000",
            Codec::G722,
            (9, 9),
            Some((97, 97, 8_000)),
        ),
        ("9\r\na=rtpmap:9 G722/8000", Codec::G722, (9, 9), None),
        (
            "0 97 101\r\na=rtpmap:97 telephone-event/8000\r\na=rtpmap:101 telephone-event/48000",
            Codec::Pcmu,
            (0, 0),
            Some((97, 97, 8_000)),
        ),
    ] {
        let mut ours = wide(40000, &all);
        ours.offer();
        let said = offer(&format!("m=audio 4000 RTP/AVP {answer}\r\n"));
        let agreed = ours.accept_answer(said.as_bytes()).unwrap();
        assert_eq!(agreed.codec, codec, "{answer}");
        assert_eq!(
            (agreed.send_payload, agreed.receive_payload),
            payloads,
            "{answer}"
        );
        let event = agreed
            .telephone_event
            .map(|event| (event.send_payload, event.receive_payload, event.clock));
        assert_eq!(event, events, "{answer}");
        // The next offer has what was agreed on first, under the same numbers.
        let again = text(&ours.offer());
        assert!(
            again.contains(&format!("m=audio 40000 RTP/AVP {} ", payloads.1)),
            "{again}"
        );
        assert!(again.contains("a=rtpmap:96 opus/48000/2"), "{again}");
        assert!(
            again.contains("a=rtpmap:101 telephone-event/48000"),
            "{again}"
        );
        assert!(
            again.contains("a=rtpmap:97 telephone-event/8000"),
            "{again}"
        );
    }
}

#[test]
fn an_offers_numbers_stay_and_ours_go_out_of_their_way() {
    let mut ours = wide(40000, &[Codec::Opus, Codec::G722, Codec::Pcmu]);
    let (answer, agreed) = ours
        .answer(
            offer(
                "m=audio 4000 RTP/AVP 101 96 0\r\na=rtpmap:101 opus/48000/2\r\n\
                 a=fmtp:101 maxplaybackrate=16000; useinbandfec=1;maxaveragebitrate=20000\r\na=rtpmap:96 telephone-event/48000\r\n",
            )
            .as_bytes(),
        )
        .unwrap();
    assert_eq!(
        (agreed.codec, agreed.send_payload, agreed.receive_payload),
        (Codec::Opus, 101, 101)
    );
    let wish = OpusWish {
        in_band_fec: true,
        max_average_bitrate: Some(20_000),
    };
    assert_eq!(agreed.opus, wish);
    assert!(
        text(&answer).contains(
            "RTP/AVP 101 96\r\na=rtpmap:101 opus/48000/2\r\na=fmtp:101 useinbandfec=1\r\n\
             a=rtpmap:96 telephone-event/48000\r\n"
        ),
        "{}",
        text(&answer)
    );
    let again = text(&ours.offer());
    assert!(
        again.contains("RTP/AVP 101 9 0 96 97\r\na=rtpmap:101 opus/48000/2\r\n"),
        "{again}"
    );
    assert!(
        again.contains("a=rtpmap:97 telephone-event/8000\r\n"),
        "{again}"
    );
}

#[test]
fn what_the_settings_do_not_have_is_neither_offered_nor_taken() {
    let offer = offer("m=audio 4000 RTP/AVP 96 9\r\na=rtpmap:96 opus/48000/2\r\n");
    let refused = session(40000).answer(offer.as_bytes());
    assert!(
        matches!(refused, Err(SdpError::NoCodec { .. })),
        "{refused:?}"
    );
    let (_, agreed) = wide(40000, &[Codec::Pcmu, Codec::G722])
        .answer(offer.as_bytes())
        .unwrap();
    assert_eq!(agreed.codec, Codec::G722);
}
