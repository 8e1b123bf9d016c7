//! Packets of other lengths than 20 ms, and payload numbers that differ by direction.

use std::time::{Duration, Instant};

use skillcall_media::{
    FRAME_SAMPLES, SILENT_FRAME,
    codec::Codec,
    dtmf::Digit,
    rtp::{MAX_PACKET, PayloadType, RtpPacket},
    session::{AudioSession, Format, Heard, Media, Outgoing, PacketTime, Rejected, SessionConfig},
    tone::{power_at, sine},
};

const TIMES: [u32; 6] = [10, 20, 30, 40, 50, 60];

fn at(epoch: Instant, tick: u64) -> Instant {
    epoch + Duration::from_millis(tick * 20)
}

fn format(ms: u32) -> Format {
    let mut format = Format::new(Codec::Pcma, PayloadType::new(101));
    format.packet_time = PacketTime::from_ms(ms);
    format
}

fn leg(format: Format, seed: u64, now: Instant) -> AudioSession {
    AudioSession::new(SessionConfig::new(format, seed), now)
}

/// All packets of a tick.
fn tick(leg: &mut AudioSession, now: Instant, outgoing: Outgoing<'_>) -> Vec<Vec<u8>> {
    let mut out = [0; MAX_PACKET];
    let mut packets = Vec::new();
    let mut due = leg.tick(now, outgoing, &mut out);
    while let Some(len) = due {
        packets.push(out[..len].to_vec());
        due = leg.poll_audio(&mut out);
    }
    packets
}

#[test]
fn times_are_rounded_down_into_their_bounds() {
    for (ms, rounded) in [
        (0, 10),
        (9, 10),
        (19, 10),
        (20, 20),
        (37, 30),
        (60, 60),
        (200, 60),
    ] {
        assert_eq!(PacketTime::from_ms(ms).ms(), rounded, "{ms}");
    }
    assert_eq!(PacketTime::default().samples(), FRAME_SAMPLES);
}

#[test]
fn each_packet_time_is_sent_whole_and_heard_whole() {
    for ms in TIMES {
        let epoch = Instant::now();
        let mut a = leg(format(ms), 1, epoch);
        // What we send has nothing to do with what we receive.
        let mut b = leg(format(20), 2, epoch);
        b.listen(true);
        let tone = sine(620.0, -20.0, 10 * 8_000);
        let (mut heard, mut kinds) = (Vec::new(), Vec::new());
        let mut next = None;
        for (number, frame) in tone.as_chunks::<FRAME_SAMPLES>().0.iter().enumerate() {
            let now = at(epoch, number as u64);
            for packet in tick(&mut a, now, Outgoing::Pcm(frame)) {
                let parsed = RtpPacket::parse(&packet).unwrap();
                assert_eq!(parsed.payload().len() as u32, ms * 8);
                let header = *parsed.header();
                assert_eq!(header.marker, next.is_none(), "a spurt begins once");
                if let Some((sequence, timestamp)) = next {
                    assert_eq!((header.sequence, header.timestamp), (sequence, timestamp));
                }
                next = Some((header.sequence.plus(1), header.timestamp.plus(ms * 8)));
                b.receive_rtp(now, &packet).unwrap();
            }
            let mut frame = SILENT_FRAME;
            kinds.push(b.hear(&mut frame));
            heard.extend(frame);
        }
        let figures = b.figures();
        assert_eq!(
            (
                figures.packets_lost,
                figures.packets_late,
                figures.frames_concealed
            ),
            (0, 0, 0),
            "{ms} ms: {figures:?}"
        );
        assert_eq!(figures.packets_received, 10_000 / u64::from(ms), "{ms} ms");
        assert!(
            kinds[6..].iter().all(|kind| *kind == Heard::Audio),
            "{ms} ms"
        );
        assert!(power_at(&heard[960..8_960], 620.0) > 0.98, "{ms} ms");
    }
}

#[test]
fn what_was_said_before_a_digit_goes_out_before_it() {
    for ms in TIMES {
        let epoch = Instant::now();
        let mut a = leg(format(ms), 1, epoch);
        let mut b = leg(format(20), 2, epoch);
        let mut packets = Vec::new();
        for number in 0..100u64 {
            if number == 20 {
                a.send_digit(Digit::from_char('7').unwrap(), 100).unwrap();
            }
            let now = at(epoch, number);
            let frame = [0x55; FRAME_SAMPLES];
            // A pause of nothing at the end of the talking.
            let outgoing = if (60..80).contains(&number) {
                Outgoing::Nothing
            } else {
                Outgoing::Encoded(&frame)
            };
            for packet in tick(&mut a, now, outgoing) {
                b.receive_rtp(now, &packet).unwrap();
                packets.push(packet);
            }
        }
        assert_eq!(b.poll_digit().map(|digit| digit.digit.as_char()), Some('7'));
        let headers: Vec<_> = packets
            .iter()
            .map(|packet| *RtpPacket::parse(packet).unwrap().header())
            .collect();
        for pair in headers.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.plus(1), "{ms} ms");
            assert!(pair[1].timestamp.since(pair[0].timestamp) >= 0, "{ms} ms");
        }
        // All that was said is there: 20 ticks, what the digit left until 60, and the last 20 but for a packet at most.
        let digit = headers
            .iter()
            .position(|header| header.payload_type.number() == 101)
            .unwrap();
        let octets =
            |packets: &[Vec<u8>]| -> usize { packets.iter().map(|packet| packet.len() - 12).sum() };
        assert_eq!(octets(&packets[..digit]), 20 * FRAME_SAMPLES, "{ms} ms");
        assert_eq!(b.figures().packets_lost, 0);
    }
}

#[test]
fn each_direction_has_its_own_numbers() {
    let epoch = Instant::now();
    // We offered 101 and 8; the answer names 96 and 118.
    let mut ours = Format::new(Codec::Pcma, PayloadType::new(96));
    ours.payload_type = PayloadType::new(118).unwrap();
    ours.receive_events = PayloadType::new(101);
    let mut theirs = Format::new(Codec::Pcma, PayloadType::new(101));
    theirs.receive_payload_type = PayloadType::new(118).unwrap();
    theirs.receive_events = PayloadType::new(96);
    let (mut a, mut b) = (leg(ours, 1, epoch), leg(theirs, 2, epoch));
    a.send_digit(Digit::from_char('1').unwrap(), 80).unwrap();
    b.send_digit(Digit::from_char('2').unwrap(), 80).unwrap();
    let mut numbers = [Vec::new(), Vec::new()];
    for number in 0..20 {
        let now = at(epoch, number);
        for packet in tick(&mut a, now, Outgoing::Silence) {
            numbers[0].push(
                RtpPacket::parse(&packet)
                    .unwrap()
                    .header()
                    .payload_type
                    .number(),
            );
            b.receive_rtp(now, &packet).unwrap();
        }
        for packet in tick(&mut b, now, Outgoing::Silence) {
            numbers[1].push(
                RtpPacket::parse(&packet)
                    .unwrap()
                    .header()
                    .payload_type
                    .number(),
            );
            a.receive_rtp(now, &packet).unwrap();
        }
    }
    for numbers in &mut numbers {
        numbers.sort_unstable();
        numbers.dedup();
    }
    assert_eq!(numbers, [vec![96, 118], vec![8, 101]]);
    assert_eq!(a.poll_digit().map(|digit| digit.digit.as_char()), Some('2'));
    assert_eq!(b.poll_digit().map(|digit| digit.digit.as_char()), Some('1'));
    // A peer that sends under the number under which it receives is understood; a number of nobody's is not.
    let mut packet = tick(&mut b, at(epoch, 20), Outgoing::Silence).remove(0);
    let mut as_number = |number: u8| {
        packet[1] = number;
        // Another packet each time.
        packet[3] = packet[3].wrapping_add(1);
        a.receive_rtp(at(epoch, 20), &packet)
            .map(|received| received.media)
    };
    assert_eq!(as_number(96), Ok(Media::Event));
    assert_eq!(as_number(118), Ok(Media::Audio(Codec::Pcma)));
    assert_eq!(as_number(101), Ok(Media::Event));
    assert_eq!(
        as_number(97),
        Err(Rejected::PayloadType(PayloadType::new(97).unwrap()))
    );
}
