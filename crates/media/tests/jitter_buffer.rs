//! The jitter buffer against a network that loses, doubles, reorders and delays, in sample time.

use proptest::prelude::*;
use skillcall_media::{
    FRAME_SAMPLES, Frame, SILENT_FRAME,
    codec::Codec,
    jitter::{Inserted, JitterBuffer, JitterConfig, Played},
    rtp::{Sequence, Timestamp},
};

const START: u32 = u32::MAX - 2_000;
const CONFIG: JitterConfig = JitterConfig {
    initial_ms: 40,
    min_ms: 20,
    max_ms: 200,
    capacity: 32,
};

/// The code of every sample of packet `number`: PCMA's codes decode to levels that differ.
fn level(number: u32) -> u8 {
    (number % 100) as u8
}

fn number_of(frame: &Frame) -> Option<u32> {
    (0..100).find(|n| Codec::Pcma.decode_sample(level(*n)) == frame[80])
}

fn insert(buffer: &mut JitterBuffer, number: u32, marker: bool) -> Inserted {
    let timestamp = Timestamp(START).plus(number * FRAME_SAMPLES as u32);
    buffer.insert(
        Sequence(number as u16),
        timestamp,
        marker,
        Codec::Pcma,
        &[level(number); FRAME_SAMPLES],
    )
}

/// Plays `frames` frames; packet n arrives just before frame `arrives(n)`.
fn run(
    frames: u32,
    packets: u32,
    arrives: impl Fn(u32) -> Option<u32>,
) -> (Vec<(Played, Option<u32>)>, JitterBuffer) {
    let mut buffer = JitterBuffer::new(CONFIG);
    let mut played = Vec::new();
    for frame in 0..frames {
        for number in 0..packets {
            if arrives(number) == Some(frame) {
                insert(&mut buffer, number, number == 0);
            }
        }
        let mut out = SILENT_FRAME;
        let kind = buffer.play(&mut out);
        played.push((kind, number_of(&out)));
    }
    (played, buffer)
}

fn numbers(played: &[(Played, Option<u32>)]) -> Vec<u32> {
    played
        .iter()
        .filter(|(kind, _)| *kind == Played::Audio)
        .filter_map(|(_, number)| *number)
        .collect()
}

#[test]
fn a_steady_stream_is_played_whole_after_the_initial_delay() {
    let (played, buffer) = run(102, 100, Some);
    assert_eq!(played[0].0, Played::Silence);
    assert_eq!(numbers(&played), (0..100).collect::<Vec<_>>());
    assert_eq!(
        played.iter().position(|(kind, _)| *kind == Played::Audio),
        Some(2)
    );
    assert_eq!(buffer.counters(), Default::default());
}

#[test]
fn reordering_within_the_delay_is_undone() {
    let (played, buffer) = run(60, 50, |n| Some(if n % 5 == 3 { n + 1 } else { n }));
    assert_eq!(numbers(&played), (0..50).collect::<Vec<_>>());
    assert_eq!(buffer.counters().late, 0);
}

#[test]
fn losses_are_missing_and_pauses_are_silent() {
    let (played, _) = run(60, 50, |n| (n != 10 && n != 20).then_some(n));
    assert_eq!(
        played
            .iter()
            .filter(|(kind, _)| *kind == Played::Missing)
            .count(),
        2 + 3,
        "two losses, and the end"
    );
    assert_eq!(played[12].0, Played::Missing);

    // A sender with silence suppression: numbers go on, timestamps jump, the marker is set.
    let mut buffer = JitterBuffer::new(CONFIG);
    let mut kinds = Vec::new();
    for frame in 0..200u32 {
        let speaks = !(50..120).contains(&frame);
        if speaks {
            let number = if frame < 50 { frame } else { frame - 70 };
            let timestamp = Timestamp(START).plus(frame * 160);
            buffer.insert(
                Sequence(number as u16),
                timestamp,
                frame == 120,
                Codec::Pcma,
                &[level(frame); 160],
            );
        }
        let mut out = SILENT_FRAME;
        kinds.push(buffer.play(&mut out));
    }
    assert!(kinds[60..118].iter().all(|kind| *kind == Played::Silence));
    assert!(kinds[122..].iter().all(|kind| *kind == Played::Audio));
    assert_eq!(buffer.counters().late, 0);
}

#[test]
fn a_longer_path_raises_the_delay_and_a_shorter_one_lowers_it() {
    // From packet 100 on the path takes 120 ms longer, from packet 600 on as long as before.
    let arrives = |n: u32| Some(if (100..600).contains(&n) { n + 6 } else { n });
    let (played, buffer) = run(2_000, 2_000, arrives);
    let counters = buffer.counters();
    assert!(counters.late <= 4, "{counters:?}");
    let between = &played[109..590];
    assert!(
        between.iter().all(|(kind, _)| *kind == Played::Audio),
        "audio flows on the longer path"
    );
    assert!((4..=6).contains(&counters.skipped), "{counters:?}");
    assert!(buffer.delay_ms() <= 100, "{}", buffer.delay_ms());
}

#[test]
fn packets_late_again_and_again_raise_the_delay() {
    // Every tenth packet takes 80 ms longer: none is in time for a delay of 40 ms, all are for one of 100 ms.
    let (played, buffer) = run(1_000, 1_000, |n| Some(if n % 10 == 5 { n + 4 } else { n }));
    let counters = buffer.counters();
    assert!((2..=4).contains(&counters.stretched), "{counters:?}");
    assert!(counters.late <= 6, "{counters:?}");
    assert!(played[100..].iter().all(|(kind, _)| *kind == Played::Audio));
}

#[test]
fn one_late_packet_moves_nothing() {
    let (played, buffer) = run(400, 398, |n| Some(if n == 100 { n + 5 } else { n }));
    assert_eq!(buffer.counters().late, 1);
    assert_eq!(buffer.counters().stretched, 0);
    let expected: Vec<u32> = (0..398).filter(|n| *n != 100).map(|n| n % 100).collect();
    assert_eq!(numbers(&played), expected);
}

#[test]
fn in_the_first_second_each_late_packet_counts() {
    // Of the first packets every third takes 60 ms longer than the delay has room for; later ones are single, and move nothing.
    let late = |n: u32| (n % 3 == 1 && n < 12) || n == 300;
    let (_, buffer) = run(500, 500, |n| Some(if late(n) { n + 5 } else { n }));
    let counters = buffer.counters();
    assert!(counters.late <= 3, "{counters:?}");
    assert!((3..=4).contains(&counters.stretched), "{counters:?}");
}

#[test]
fn what_comes_next_is_known_when_all_of_it_is_there() {
    let mut buffer = JitterBuffer::new(CONFIG);
    for number in [0, 1, 3, 5] {
        insert(&mut buffer, number, number == 0);
    }
    let mut known = Vec::new();
    for _ in 0..9 {
        let (mut frame, mut next) = (SILENT_FRAME, SILENT_FRAME);
        let kind = buffer.play(&mut frame);
        let next = buffer.peek(&mut next).then(|| number_of(&next));
        known.push((kind, next.flatten()));
    }
    let (silence, audio, missing) = (Played::Silence, Played::Audio, Played::Missing);
    let expected = [
        (silence, None),
        (silence, Some(0)),
        (audio, Some(1)),
        (audio, None),
        (missing, Some(3)),
        (audio, None),
        (missing, Some(5)),
        (audio, None),
    ];
    assert_eq!(known[..8], expected);
}

#[test]
fn a_clock_that_runs_differently_is_followed() {
    // 2000 ppm, forty times what a telephone may have: over 100 s the sender makes 10 frames more or fewer.
    for (gains, name) in [(true, "faster"), (false, "slower")] {
        let mut buffer = JitterBuffer::new(CONFIG);
        let mut sent = 0u32;
        let mut missing = 0;
        let mut longest = 0;
        for frame in 0..20_000u32 {
            let due = if gains {
                frame + frame / 500
            } else {
                frame - frame / 500
            };
            while sent <= due {
                insert(&mut buffer, sent, sent == 0);
                sent += 1;
            }
            let mut out = SILENT_FRAME;
            missing += u32::from(buffer.play(&mut out) == Played::Missing);
            longest = longest.max(buffer.delay_ms());
        }
        assert!(longest <= 160, "{name}: {longest} ms");
        assert!(missing <= 60, "{name}: {missing}");
    }
}

#[test]
fn jumps_of_the_time_line_are_followed_when_meant() {
    let mut buffer = JitterBuffer::new(CONFIG);
    let mut out = SILENT_FRAME;
    let put = |buffer: &mut JitterBuffer, sequence: u16, timestamp: u32, marker: bool| {
        buffer.insert(
            Sequence(sequence),
            Timestamp(timestamp),
            marker,
            Codec::Pcma,
            &[level(0); 160],
        )
    };
    for n in 0..20u16 {
        put(&mut buffer, n, u32::from(n) * 160, n == 0);
        buffer.play(&mut out);
    }
    assert_eq!(put(&mut buffer, 20, 0x8000_0000, false), Inserted::Stray);
    assert_eq!(put(&mut buffer, 20, 20 * 160, false), Inserted::Kept);
    assert_eq!(put(&mut buffer, 21, 0x4000_0000, false), Inserted::Stray);
    assert_eq!(put(&mut buffer, 22, 0x4000_00a0, false), Inserted::Kept);
    assert_eq!(put(&mut buffer, 23, 77, true), Inserted::Kept);
    assert_eq!(buffer.counters().resynchronised, 2);
    let kinds: Vec<Played> = (0..4).map(|_| buffer.play(&mut out)).collect();
    assert_eq!(kinds[2], Played::Audio);
    assert_eq!(put(&mut buffer, 24, 237, false), Inserted::Late);
}

#[test]
fn a_time_line_laid_anew_does_not_bring_back_what_was_passed() {
    // Packet 0 and its double are overtaken by packet 1; packets 2 to 8 are late together, and lay the time line anew.
    let mut buffer = JitterBuffer::new(CONFIG);
    let arrivals: [(u32, &[u32]); 5] = [
        (1, &[1]),
        (6, &[3]),
        (7, &[0]),
        (8, &[2, 4, 5, 6, 7, 8]),
        (9, &[0, 9]),
    ];
    let mut played = Vec::new();
    for frame in 0..20 {
        for (_, packets) in arrivals.iter().filter(|(at, _)| *at == frame) {
            for number in *packets {
                insert(&mut buffer, *number, false);
            }
        }
        let mut out = SILENT_FRAME;
        let kind = buffer.play(&mut out);
        played.push((kind, number_of(&out)));
    }
    assert_eq!(numbers(&played), [1, 2, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn numbers_or_timestamps_that_begin_anew_are_followed() {
    // After 200 ms of silence the sender goes on, its numbers or its timestamps 20 packets further back.
    for (sequence_back, timestamp_back) in [(20, 0), (0, 20)] {
        let mut buffer = JitterBuffer::new(CONFIG);
        let mut heard = 0;
        for frame in 0..100u32 {
            let back = |by: u32| if frame < 50 { 0 } else { by };
            if !(40..50).contains(&frame) {
                buffer.insert(
                    Sequence((frame - back(sequence_back)) as u16),
                    Timestamp(START).plus((frame - back(timestamp_back)) * 160),
                    false,
                    Codec::Pcma,
                    &[level(frame); FRAME_SAMPLES],
                );
            }
            let mut out = SILENT_FRAME;
            heard += u32::from(buffer.play(&mut out) == Played::Audio);
        }
        assert!(heard >= 85, "{sequence_back} {timestamp_back}: {heard}");
    }
}

#[test]
fn other_packet_times_are_cut_to_frames() {
    for samples in [80u32, 240, 320, 480] {
        let mut buffer = JitterBuffer::new(CONFIG);
        let mut heard = 0;
        for frame in 0..300u32 {
            let due = (frame + 1) * 160 / samples;
            for n in frame * 160 / samples..due {
                let codes = vec![level(7); samples as usize];
                buffer.insert(
                    Sequence(n as u16),
                    Timestamp(n * samples),
                    n == 0,
                    Codec::Pcma,
                    &codes,
                );
            }
            let mut out = SILENT_FRAME;
            if buffer.play(&mut out) == Played::Audio {
                assert!(
                    out[10..150]
                        .iter()
                        .all(|sample| *sample == out[80] && *sample != 0)
                );
                heard += 1;
            }
        }
        assert!(heard >= 290, "{samples}: {heard}");
    }
}

#[test]
fn a_packet_doubled_on_the_way_is_played_once_and_kept_once() {
    let mut buffer = JitterBuffer::new(CONFIG);
    assert_eq!(insert(&mut buffer, 0, true), Inserted::Kept);
    assert_eq!(insert(&mut buffer, 1, false), Inserted::Kept);
    assert_eq!(insert(&mut buffer, 0, true), Inserted::Duplicate);
    assert_eq!(buffer.len(), 2);
    assert_eq!(buffer.counters().duplicates, 1);
}

#[test]
fn a_listener_who_stands_still_finds_no_more_than_the_bound() {
    // 31 packets of 20 ms wait when the listener comes back; only 200 ms and a packet may.
    let mut buffer = JitterBuffer::new(CONFIG);
    for number in 0..31 {
        insert(&mut buffer, number, number == 0);
    }
    let mut out = SILENT_FRAME;
    assert_eq!(buffer.play(&mut out), Played::Audio);
    assert!(number_of(&out).unwrap() >= 20);
    assert!(buffer.delay_ms() <= 220, "{}", buffer.delay_ms());

    // And the count of packets is bounded too, whatever their length.
    let mut buffer = JitterBuffer::new(JitterConfig {
        max_ms: 800,
        ..CONFIG
    });
    for number in 0..400u32 {
        let timestamp = Timestamp(number * 8);
        buffer.insert(
            Sequence(number as u16),
            timestamp,
            number == 0,
            Codec::Pcma,
            &[level(number); 8],
        );
        assert!(buffer.len() <= CONFIG.capacity);
    }
    assert_eq!(buffer.counters().discarded, 400 - CONFIG.capacity as u64);
}

#[derive(Clone, Debug)]
struct Fate {
    lost: bool,
    delay: u32,
    doubled: Option<u32>,
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = (
        prop::bool::weighted(0.1),
        0u32..8,
        prop::option::weighted(0.1, 0u32..3),
    )
        .prop_map(|(lost, delay, doubled)| Fate {
            lost,
            delay,
            doubled,
        });
    prop::collection::vec(fate, 50..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_delay_and_memory_hold_over_any_network(fates in fates()) {
        let mut buffer = JitterBuffer::new(CONFIG);
        let mut last: Option<u32> = None;
        let frames = fates.len() as u32 + 30;
        for frame in 0..frames {
            let first = frame.saturating_sub(12);
            for number in first..=frame.min(fates.len() as u32 - 1) {
                let fate = &fates[number as usize];
                if !fate.lost && number + fate.delay == frame {
                    insert(&mut buffer, number, number == 0);
                }
                if !fate.lost && fate.doubled.is_some_and(|later| number + fate.delay + later == frame) {
                    insert(&mut buffer, number, number == 0);
                }
            }
            prop_assert!(buffer.len() <= CONFIG.capacity);
            prop_assert!(buffer.delay_ms() <= CONFIG.max_ms + 8 * 20, "{} ms", buffer.delay_ms());
            let mut out = SILENT_FRAME;
            if buffer.play(&mut out) == Played::Audio && let Some(number) = number_of(&out) {
                // Numbers are known modulo 100; a stream never goes back, though a frame may be repeated.
                if let Some(last) = last {
                    let ahead = (number + 100 - last) % 100;
                    prop_assert!(ahead < 50, "{last} then {number}");
                }
                last = Some(number);
            }
            prop_assert!(buffer.delay_ms() <= CONFIG.max_ms + 20, "{} ms after playing", buffer.delay_ms());
        }
        // All that was sent has been played, or dropped by its time: nothing stays.
        prop_assert!(buffer.is_empty());
    }
}
