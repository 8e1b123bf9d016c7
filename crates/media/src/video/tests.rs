//! Numbers over holds and new sources, requests, reports, bounds.

use std::time::{Duration, Instant};

use super::*;
use crate::rtp::{HEADER_LEN, RtpHeader, Sequence, Timestamp};

const TYPE: PayloadType = match PayloadType::new(99) {
    Some(number) => number,
    None => PayloadType::PCMU,
};
const THEIRS: PayloadType = match PayloadType::new(107) {
    Some(number) => number,
    None => PayloadType::PCMU,
};

fn session(now: Instant) -> VideoSession {
    let ntp = NtpTime::from_unix(Duration::from_secs(1_000));
    VideoSession::new(0xaaaa, "name".to_owned(), 7, ntp, now)
}

fn packet(ssrc: u32, sequence: u16, timestamp: u32, marker: bool) -> Vec<u8> {
    let header = RtpHeader {
        marker,
        payload_type: TYPE,
        sequence: Sequence(sequence),
        timestamp: Timestamp(timestamp),
        ssrc,
    };
    let mut out = vec![0; HEADER_LEN + 3];
    header.write(&[1, 2, 3], &mut out).unwrap();
    out
}

/// Through one session to another: the header of what comes out, and whether it begins.
fn pass(
    from: &mut VideoSession,
    to: &mut VideoSession,
    now: Instant,
    packet: &[u8],
) -> Option<(RtpHeader, bool)> {
    let packet = from.receive_rtp(now, packet, |it| it == TYPE)?;
    let mut out = [0; 64];
    let (len, begins) = to.relay(now, &packet, THEIRS, &mut out)?;
    let out = RtpPacket::parse(&out[..len]).unwrap();
    assert_eq!(out.payload(), [1, 2, 3]);
    Some((*out.header(), begins))
}

#[test]
fn packets_pass_at_once_under_numbers_of_ours() {
    let now = Instant::now();
    let (mut from, mut to) = (session(now), session(now));
    let (first, begins) = pass(&mut from, &mut to, now, &packet(5, 65_534, 100, false)).unwrap();
    assert!(begins && first.ssrc == 0xaaaa && first.payload_type == THEIRS);
    assert!(!first.marker && first.sequence.0 < 0x8000);
    for (number, timestamp, marker) in [(65_535, 100, true), (1, 3_100, true), (0, 3_100, false)] {
        let (header, begins) = pass(
            &mut from,
            &mut to,
            now,
            &packet(5, number, timestamp, marker),
        )
        .unwrap();
        assert!(!begins);
        // What was lost or has lost its order stays so.
        assert_eq!(
            header.sequence.since(first.sequence),
            Sequence(number).since(Sequence(65_534))
        );
        assert_eq!(
            header.timestamp.since(first.timestamp),
            timestamp as i32 - 100
        );
        assert_eq!(header.marker, marker);
    }
    // What comes twice passes once; what is of no agreed type does not.
    assert_eq!(
        pass(&mut from, &mut to, now, &packet(5, 1, 3_100, true)),
        None
    );
    assert!(
        from.receive_rtp(now, &packet(5, 2, 3_100, true), |_| false)
            .is_none()
    );
    let figures = from.figures();
    assert_eq!((figures.received, figures.dropped), (4, 2));
}

#[test]
fn after_a_hold_or_with_another_source_numbers_go_on() {
    let now = Instant::now();
    let (mut from, mut to) = (session(now), session(now));
    let (before, _) = pass(&mut from, &mut to, now, &packet(5, 10, 100, true)).unwrap();
    to.pause();
    let later = now + Duration::from_secs(2);
    let (resumed, begins) =
        pass(&mut from, &mut to, later, &packet(5, 200, 180_100, true)).unwrap();
    assert!(begins);
    assert_eq!(resumed.sequence.since(before.sequence), 1);
    assert_eq!(resumed.timestamp.since(before.timestamp), 180_001);
    // What is older than its beginning would take a number that was used.
    let late = packet(5, 199, 179_000, true);
    assert_eq!(pass(&mut from, &mut to, later, &late), None);
    // Another source has to wait for the end of the one before.
    let other = packet(6, 40_000, 7, true);
    assert_eq!(pass(&mut from, &mut to, later, &other), None);
    let then = later + Duration::from_secs(1);
    let (taken, begins) = pass(&mut from, &mut to, then, &other).unwrap();
    assert!(begins && from.remote_ssrc() == Some(6));
    assert_eq!(taken.sequence.since(resumed.sequence), 1);
    assert_eq!(taken.timestamp.since(resumed.timestamp), 90_001);
}

#[test]
fn numbers_hold_over_many_rounds() {
    let now = Instant::now();
    let (mut from, mut to) = (session(now), session(now));
    let mut last = None;
    for number in 0..200_000_u32 {
        let now = now + Duration::from_millis(number.into());
        let packet = packet(5, number as u16, 90 * number, true);
        let (header, begins) = pass(&mut from, &mut to, now, &packet).unwrap();
        assert_eq!(begins, number == 0);
        if let Some(last) = last.replace(header.sequence) {
            assert_eq!(header.sequence.since(last), 1);
        }
    }
}

#[test]
fn key_frames_are_asked_for_and_requests_are_read() {
    let now = Instant::now();
    let (mut device, mut phone) = (session(now), session(now));
    let mut out = [0; 256];
    assert_eq!(
        device.ask(now, KeyFrame::PictureLoss, &mut out),
        None,
        "nothing came yet"
    );
    // The peer's source is the other session's.
    device.receive_rtp(now, &packet(0xaaaa, 1, 1, true), |_| true);
    for (how, asks) in [
        (KeyFrame::PictureLoss, true),
        (KeyFrame::FullIntra, true),
        (KeyFrame::FullIntra, true),
        (KeyFrame::PictureLoss, true),
    ] {
        let len = device.ask(now, how, &mut out).unwrap();
        assert_eq!(phone.receive_rtcp(now, &out[..len]), asks, "{how:?}");
        // The same request once more is no other one.
        let again = phone.receive_rtcp(now, &out[..len]);
        assert_eq!(again, how == KeyFrame::PictureLoss);
    }
    let len = device.ask(now, KeyFrame::PictureLoss, &mut out).unwrap();
    let mut other = VideoSession::new(1, String::new(), 1, NtpTime::default(), now);
    assert!(
        !other.receive_rtcp(now, &out[..len]),
        "it is of another source"
    );
    assert!(device.may_ask(now) && !device.may_ask(now + Duration::from_millis(249)));
    assert!(device.may_ask(now + Duration::from_millis(250)));
    // Cut off anywhere it does no harm.
    for end in 0..len {
        phone.receive_rtcp(now, &out[..end]);
    }
}

#[test]
fn reports_say_what_time_a_picture_is_of() {
    let now = Instant::now();
    let (mut from, mut to) = (session(now), session(now));
    let mut out = [0; 256];
    let far = now + Duration::from_secs(60);
    assert_eq!(to.poll_rtcp(far, &mut out), None, "nothing to report");
    let mut last = None;
    // 30 pictures a second, which come up to 40 ms late, but for the tenth.
    for number in 0..60_u32 {
        let late = if number == 10 { 0 } else { 5 + number * 7 % 36 };
        let now = now + Duration::from_micros(u64::from(number) * 33_333 + 1_000 * u64::from(late));
        let packet = packet(5, number as u16, 3_000 * number, true);
        last = pass(&mut from, &mut to, now, &packet).map(|(header, _)| (header, number));
    }
    let (header, number) = last.unwrap();
    let now = now + Duration::from_secs(3);
    let len = to.poll_rtcp(now, &mut out).unwrap();
    let sender = Compound::new(&out[..len]).find_map(|packet| match packet {
        Ok(RtcpPacket::Report { sender, .. }) => sender,
        _ => None,
    });
    let sender = sender.unwrap();
    assert_eq!(sender.packets, 60);
    // By the quickest packet: picture n was taken at n/30 s.
    let wanted = header.timestamp.plus(3 * CLOCK - 3_000 * number);
    assert!(
        Timestamp(sender.rtp).since(wanted).abs() <= 60,
        "{sender:?} {wanted:?}"
    );
    assert_eq!(sender.ntp, NtpTime::from_unix(Duration::from_secs(1_003)));
    assert_eq!(to.poll_rtcp(now, &mut out), None);
    // The other side reports what it has received.
    let len = from.poll_rtcp(now, &mut out).unwrap();
    let blocks: Vec<_> = Compound::new(&out[..len])
        .filter_map(|packet| match packet {
            Ok(RtcpPacket::Report { blocks, .. }) => Some(blocks.iter().collect::<Vec<_>>()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(blocks.len(), 1);
    assert_eq!(
        (blocks[0].ssrc, blocks[0].lost, blocks[0].highest),
        (5, 0, 59)
    );
    assert!(
        blocks[0].jitter > 90 && blocks[0].jitter < 40 * 90,
        "{blocks:?}"
    );
}

#[test]
fn more_than_is_allowed_is_dropped() {
    let now = Instant::now();
    let mut session = session(now);
    let taken = |session: &mut VideoSession, now, from: u32| {
        let numbers = from..from + 10_000;
        numbers
            .filter(|number| {
                let packet = packet(5, *number as u16, 0, true);
                session.receive_rtp(now, &packet, |_| true).is_some()
            })
            .count()
    };
    let first = taken(&mut session, now, 0);
    assert_eq!(first, 1_500);
    // The numbers have jumped, which costs one.
    let second = taken(&mut session, now + Duration::from_secs(100), 10_000);
    assert!((1_499..=1_500).contains(&second), "{second}");
}
