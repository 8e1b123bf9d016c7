//! Relay, digits and reports of sessions, packet by packet.

use std::time::{Duration, Instant};

use super::*;
use crate::{FRAME_SAMPLES, rtp::MAX_PACKET};

const EVENTS: Option<PayloadType> = PayloadType::new(101);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn leg(codec: Codec, events: Option<PayloadType>, seed: u64, now: Instant) -> AudioSession {
    AudioSession::new(SessionConfig::new(Format::new(codec, events), seed), now)
}

fn tick(leg: &mut AudioSession, now: Instant, outgoing: Outgoing<'_>) -> Option<Vec<u8>> {
    let mut out = [0; MAX_PACKET];
    leg.tick(now, outgoing, &mut out)
        .map(|len| out[..len].to_vec())
}

/// Lets `from` hear a datagram of its peer, and relays it through `to`.
fn bridge(
    from: &mut AudioSession,
    to: &mut AudioSession,
    now: Instant,
    datagram: &[u8],
) -> Option<Vec<u8>> {
    let mut out = [0; MAX_PACKET];
    let received = from.receive_rtp(now, datagram).unwrap();
    to.relay(now, &received, &mut out)
        .map(|len| out[..len].to_vec())
}

fn header(packet: &[u8]) -> crate::rtp::RtpHeader {
    *RtpPacket::parse(packet).unwrap().header()
}

#[test]
fn numbers_and_timestamps_go_on_over_every_switch() {
    let epoch = Instant::now();
    let mut peer = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let mut a = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let mut b = leg(Codec::Pcma, PayloadType::new(96), 3, epoch);
    let mut sent = Vec::new();
    for frame in 0..500u64 {
        let now = epoch + ms(20 * frame);
        let prompt = [0x55; FRAME_SAMPLES];
        let spoken = tick(&mut peer, now, Outgoing::Pcm(&[1_000; FRAME_SAMPLES])).unwrap();
        match frame {
            0..50 | 150..200 | 300..350 => {
                sent.extend(tick(&mut b, now, Outgoing::Encoded(&prompt)))
            }
            50..100 => sent.extend(tick(&mut b, now, Outgoing::Nothing)),
            200..250 => {
                if frame == 200 {
                    b.send_digit(Digit::from_char('7').unwrap(), 100).unwrap();
                }
                sent.extend(tick(&mut b, now, Outgoing::Silence));
            }
            // The peer's clock has nothing to do with ours: its packets come some milliseconds after the tick.
            _ => {
                assert_eq!(tick(&mut b, now, Outgoing::Nothing), None);
                sent.extend(bridge(&mut a, &mut b, now + ms(7), &spoken));
            }
        }
    }
    let headers: Vec<_> = sent.iter().map(|packet| header(packet)).collect();
    assert!(headers.iter().all(|header| header.ssrc == b.ssrc()));
    for pair in headers.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.plus(1));
        assert!(pair[1].timestamp.since(pair[0].timestamp) >= 0, "{pair:?}");
    }
    // A second of silence is a second of timestamps, and 500 frames are 10 seconds, give or take a frame a switch.
    let whole = headers
        .last()
        .unwrap()
        .timestamp
        .since(headers[0].timestamp);
    assert!((whole - 499 * 160).abs() <= 4 * 160, "{whole}");
    let markers: Vec<usize> = headers
        .iter()
        .enumerate()
        .filter(|(_, header)| header.marker)
        .map(|(at, _)| at)
        .collect();
    // The prompt, the relay, the prompt again, the digit, silence after it, the relay, the prompt, the relay.
    assert_eq!(markers.len(), 8, "{markers:?}");
    // Relayed audio was transcoded.
    let relayed = RtpPacket::parse(&sent[60]).unwrap();
    assert_eq!(relayed.header().payload_type, PayloadType::PCMA);
    assert!(
        relayed
            .payload()
            .iter()
            .all(|&code| (i32::from(Codec::Pcma.decode_sample(code)) - 1_000).abs() < 40)
    );
}

#[test]
fn the_relay_keeps_holes_and_order_and_renumbers_a_new_source() {
    let epoch = Instant::now();
    let mut a = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let mut b = leg(Codec::Pcmu, EVENTS, 3, epoch);
    let mut peer = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let packets: Vec<Vec<u8>> = (0..10)
        .filter_map(|n| tick(&mut peer, epoch + ms(20 * n), Outgoing::Silence))
        .collect();
    let mut out = Vec::new();
    for n in [2usize, 3, 5, 4, 8, 1] {
        out.push(
            bridge(&mut a, &mut b, epoch + ms(20 * n as u64), &packets[n])
                .map(|packet| header(&packet)),
        );
    }
    let first = out[0].unwrap();
    let numbers: Vec<Option<i16>> = out
        .iter()
        .map(|h| h.map(|h| h.sequence.since(first.sequence)))
        .collect();
    assert_eq!(
        numbers,
        [Some(0), Some(1), Some(3), Some(2), Some(6), None],
        "before its beginning nothing is relayed"
    );
    assert_eq!(out[4].unwrap().timestamp.since(first.timestamp), 6 * 160);
    assert!(first.marker && !out[1].unwrap().marker);

    let mut other = leg(Codec::Pcmu, EVENTS, 77, epoch);
    let packet = tick(&mut other, epoch + ms(1_000), Outgoing::Silence).unwrap();
    let switched = header(&bridge(&mut a, &mut b, epoch + ms(1_000), &packet).unwrap());
    assert_eq!(switched.sequence.since(first.sequence), 7);
    assert!(switched.marker);
    assert!(switched.timestamp.since(out[4].unwrap().timestamp) > 0);
    assert_eq!(a.figures().source_changes, 1);
}

#[test]
fn relayed_digits_get_the_other_legs_payload_type_or_are_left_out() {
    let epoch = Instant::now();
    let mut peer = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let mut a = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let mut b = leg(Codec::Pcma, PayloadType::new(96), 3, epoch);
    let mut c = leg(Codec::Pcma, None, 4, epoch);
    let mut far = leg(Codec::Pcma, PayloadType::new(96), 5, epoch);
    let mut out = [0; MAX_PACKET];
    let mut numbers = Vec::new();
    for frame in 0..40 {
        let now = epoch + ms(20 * frame);
        if frame == 10 {
            peer.send_digit(Digit::from_char('#').unwrap(), 100)
                .unwrap();
        }
        let Some(packet) = tick(&mut peer, now, Outgoing::Silence) else {
            continue;
        };
        let received = a.receive_rtp(now, &packet).unwrap();
        let relayed = c.relay(now, &received, &mut out);
        assert_eq!(relayed.is_none(), received.media == Media::Event);
        numbers.extend(relayed.map(|len| header(&out[..len]).sequence));
        let len = b.relay(now, &received, &mut out).unwrap();
        far.receive_rtp(now, &out[..len]).unwrap();
    }
    assert!(numbers.len() > 20, "{numbers:?}");
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0].plus(1)),
        "{numbers:?}"
    );
    for leg in [&mut a, &mut far] {
        assert_eq!(
            leg.poll_digit()
                .map(|got| (got.digit.as_char(), got.duration_ms)),
            Some(('#', 100))
        );
        assert_eq!(leg.poll_digit(), None);
    }
    assert_eq!(
        c.send_digit(Digit::from_char('1').unwrap(), 100),
        Err(DigitError::NoEvents)
    );
}

#[test]
fn a_long_press_is_relayed_as_one_press() {
    let epoch = Instant::now();
    let mut peer = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let mut a = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let mut b = leg(Codec::Pcmu, PayloadType::new(96), 3, epoch);
    let mut far = leg(Codec::Pcmu, PayloadType::new(96), 5, epoch);
    peer.send_digit(Digit::from_char('0').unwrap(), 12_000)
        .unwrap();
    for frame in 0..700 {
        let now = epoch + ms(20 * frame);
        tick(&mut b, now, Outgoing::Nothing);
        if let Some(packet) = tick(&mut peer, now, Outgoing::Silence) {
            let relayed = bridge(&mut a, &mut b, now, &packet).unwrap();
            far.receive_rtp(now, &relayed).unwrap();
        }
    }
    assert_eq!(far.poll_digit().map(|got| got.duration_ms), Some(12_000));
    assert_eq!(far.poll_digit(), None);
}

#[test]
fn after_a_relay_that_ran_ahead_timestamps_do_not_go_back() {
    let epoch = Instant::now();
    let mut peer = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let mut a = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let mut b = leg(Codec::Pcmu, EVENTS, 3, epoch);
    let mut last = None;
    for frame in 0..100u64 {
        // The peer sends 12 frames where ours has 10.
        let now = epoch + ms(20 * frame);
        tick(&mut b, now, Outgoing::Nothing);
        for _ in 0..if frame % 10 == 0 { 3 } else { 1 } {
            let packet = tick(&mut peer, now, Outgoing::Silence).unwrap();
            last = bridge(&mut a, &mut b, now, &packet).map(|packet| header(&packet));
        }
    }
    let prompt = header(&tick(&mut b, epoch + ms(2_000), Outgoing::Silence).unwrap());
    let last = last.unwrap();
    assert_eq!(prompt.timestamp.since(last.timestamp), 160);
    assert_eq!(prompt.sequence.since(last.sequence), 1);
}

#[test]
fn strangers_and_strays_are_refused_and_counted() {
    let epoch = Instant::now();
    let mut a = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let mut peer = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let mut stranger = leg(Codec::Pcmu, EVENTS, 9, epoch);
    let first = tick(&mut peer, epoch, Outgoing::Silence).unwrap();
    a.receive_rtp(epoch, &first).unwrap();
    assert_eq!(
        a.receive_rtp(epoch, &first).unwrap_err(),
        Rejected::Duplicate(header(&first).sequence)
    );
    tick(&mut stranger, epoch, Outgoing::Silence);
    let stray = tick(&mut stranger, epoch, Outgoing::Silence).unwrap();
    assert_eq!(
        a.receive_rtp(epoch, &stray).unwrap_err(),
        Rejected::OtherSource {
            ssrc: stranger.ssrc()
        }
    );
    let mut foreign = first.clone();
    foreign[1] = 99;
    assert!(matches!(
        a.receive_rtp(epoch, &foreign),
        Err(Rejected::PayloadType(_))
    ));
    assert!(matches!(
        a.receive_rtp(epoch, b"hello"),
        Err(Rejected::Malformed(_))
    ));
    assert_eq!(a.figures().packets_rejected, 4);
    assert_eq!(a.remote_ssrc(), Some(peer.ssrc()));
    // When the stranger goes on, the peer has moved.
    let goes_on = tick(&mut stranger, epoch, Outgoing::Silence).unwrap();
    a.receive_rtp(epoch, &stray).unwrap_err();
    a.receive_rtp(epoch, &goes_on).unwrap();
    assert_eq!(a.remote_ssrc(), Some(stranger.ssrc()));
}

#[test]
fn reports_tell_round_trip_and_loss() {
    let epoch = Instant::now();
    let mut a = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let mut b = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let delay = ms(30);
    let mut reports = 0;
    for frame in 0..1_500u64 {
        let now = epoch + ms(20 * frame);
        for from_a in [true, false] {
            let (from, to) = if from_a {
                (&mut a, &mut b)
            } else {
                (&mut b, &mut a)
            };
            if let Some(packet) = tick(from, now, Outgoing::Silence)
                && (from_a || frame % 4 != 0)
            {
                to.receive_rtp(now + delay, &packet).unwrap();
            }
            let mut out = [0; MAX_PACKET];
            if let Some(len) = from.poll_rtcp(now, &mut out) {
                assert!(crate::rtp::is_rtcp(&out[..len]));
                to.receive_rtcp(now + delay, &out[..len]).unwrap();
                reports += 1;
            }
        }
    }
    assert!((8..=30).contains(&reports), "{reports}");
    let (a_figures, b_figures) = (a.figures(), b.figures());
    for figures in [a_figures, b_figures] {
        assert!(
            (figures.round_trip_ms.unwrap() - 60.0).abs() < 1.0,
            "{figures:?}"
        );
        assert!(figures.jitter_ms < 0.1);
    }
    assert!((a_figures.loss() - 0.25).abs() < 0.01);
    assert!((b_figures.remote_loss.unwrap() - 0.25).abs() < 0.03);
    let mut out = [0; MAX_PACKET];
    let len = a.goodbye(epoch + ms(30_000), &mut out).unwrap();
    assert!(!b.has_left());
    b.receive_rtcp(epoch + ms(30_000), &out[..len]).unwrap();
    assert!(b.has_left());
}

#[test]
fn a_buffer_too_short_is_no_packet() {
    let now = Instant::now();
    let mut a = leg(Codec::Pcmu, EVENTS, 1, now);
    let mut short = [0; 100];
    assert_eq!(a.tick(now, Outgoing::Silence, &mut short), None);
    assert_eq!(a.poll_rtcp(now + ms(9_000), &mut short[..8]), None);
}

#[test]
fn each_digit_that_went_out_is_told_once_sent_or_relayed() {
    let epoch = Instant::now();
    let mut peer = leg(Codec::Pcmu, EVENTS, 1, epoch);
    let mut a = leg(Codec::Pcmu, EVENTS, 2, epoch);
    let mut b = leg(Codec::Pcmu, EVENTS, 3, epoch);
    let mut c = leg(Codec::Pcmu, None, 4, epoch);
    for digit in ['4', '4', '7'] {
        let digit = Digit::from_char(digit).unwrap();
        peer.send_digit(digit, 100).unwrap();
    }
    let told = |leg: &mut AudioSession| -> Vec<(char, u32)> {
        std::iter::from_fn(|| leg.poll_sent_digit())
            .map(|sent| (sent.digit.as_char(), sent.duration_ms))
            .collect()
    };
    for frame in 0..60u64 {
        let now = epoch + ms(20 * frame);
        let Some(packet) = tick(&mut peer, now, Outgoing::Silence) else {
            continue;
        };
        let mut out = [0; MAX_PACKET];
        let received = a.receive_rtp(now, &packet).unwrap();
        b.relay(now, &received, &mut out);
        c.relay(now, &received, &mut out);
    }
    let pressed = vec![('4', 100), ('4', 100), ('7', 100)];
    assert_eq!(told(&mut peer), pressed, "its own");
    assert_eq!(told(&mut b), pressed, "relayed");
    assert_eq!(told(&mut a), [], "it received them");
    assert_eq!(told(&mut c), [], "its peer takes none");
    assert_eq!(told(&mut b), [], "once");
}
