//! Pictures pass, and what happens where they do not.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::call::{bench, details, gets_through, hangs_up, hears_of, is_updated, sdp_of, updates};
use crate::program::Program;
use crate::sip_phone::{
    Answer, SipPhone, body, crypto_line, described, direction_of, media, reversed, section,
};
use crate::support::device::Device;
use crate::support::skill::Skill;
use crate::{BLUE, GREEN, LIMIT, NEVER, RED, WHITE};

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
        let begin = Instant::now();
        loop {
            asker.order(&order);
            if asked.was_asked() {
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
        if device.was_asked() {
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

#[tokio::test(flavor = "multi_thread")]
async fn where_a_side_has_no_video_the_voice_goes_on_without() {
    use skillcall_media::encoding::Encoding;
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
        for side in [&device, &pictures] {
            side.forget();
        }
        device.shows(shown);
        pictures.shows(seen);
        // What the machine does not read in time is lost, their packets among it.
        pictures.asks_until_it_sees(shown);
        device.asks_until_it_sees(seen);
        phone.hears_something();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(flood.join().unwrap() > 1_000);
    hangs_up(&skill, &control, &bench).await;
}
