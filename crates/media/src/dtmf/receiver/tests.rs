//! Presses as peers send them, lose them and repeat them.

use super::{super::sender::*, *};

type Step = (u64, u32, bool, &'static str, bool, u16);

/// Name, when to report, what comes, and which digits with how many milliseconds are wanted.
type Case = (
    &'static str,
    DigitReport,
    &'static [Step],
    &'static [(char, u32)],
);

fn play(report: DigitReport, steps: &[Step]) -> Vec<(char, u32)> {
    let epoch = Instant::now();
    let mut receiver = DtmfReceiver::new(report);
    for &(ms, timestamp, marker, digit, end, duration) in steps {
        let now = epoch + Duration::from_millis(ms);
        if let Some(digit) = digit.chars().next().and_then(Digit::from_char) {
            let payload = EventPayload {
                event: digit.event(),
                end,
                volume: 10,
                duration,
            };
            receiver.receive(now, Timestamp(timestamp), marker, &payload.to_bytes());
        } else {
            receiver.other_media(Timestamp(timestamp));
            receiver.expire(now);
        }
    }
    std::iter::from_fn(|| receiver.poll())
        .map(|got| (got.digit.as_char(), got.duration_ms))
        .collect()
}

#[test]
fn each_press_counts_once() {
    use DigitReport::{AtEnd, AtStart};
    let cases: &[Case] = &[
        (
            "three final reports",
            AtEnd,
            &[
                (0, 0, true, "1", false, 160),
                (20, 0, false, "1", true, 400),
                (40, 0, false, "1", true, 400),
                (60, 0, false, "1", true, 400),
            ],
            &[('1', 50)],
        ),
        (
            "marker and all but one final lost",
            AtEnd,
            &[(40, 800, false, "7", true, 800)],
            &[('7', 100)],
        ),
        ("not yet over", AtEnd, &[(0, 0, true, "1", false, 160)], &[]),
        (
            "reported at the start",
            AtStart,
            &[
                (0, 0, true, "1", false, 160),
                (20, 0, false, "1", true, 320),
            ],
            &[('1', 20)],
        ),
        (
            "same digit twice, told apart by the timestamp",
            AtEnd,
            &[
                (0, 0, true, "5", true, 160),
                (100, 800, true, "5", true, 160),
                (120, 800, false, "5", true, 160),
            ],
            &[('5', 20), ('5', 20)],
        ),
        (
            "end lost, the next digit ends it",
            AtEnd,
            &[
                (0, 0, true, "1", false, 400),
                (60, 480, true, "2", true, 400),
            ],
            &[('1', 50), ('2', 50)],
        ),
        (
            "end lost, time-out, late end",
            AtEnd,
            &[
                (0, 0, true, "1", false, 400),
                (200, 0, false, "", false, 0),
                (300, 0, false, "1", true, 600),
            ],
            &[('1', 50)],
        ),
        (
            "end lost, audio passes by",
            AtEnd,
            &[
                (0, 0, true, "1", false, 400),
                (20, 880, false, "", false, 0),
            ],
            &[('1', 50)],
        ),
        (
            "audio beside the event does not end it",
            AtEnd,
            &[
                (0, 0, true, "1", false, 400),
                (20, 400, false, "", false, 0),
            ],
            &[],
        ),
        (
            "reordered: the end before the middle",
            AtEnd,
            &[
                (0, 0, true, "3", false, 160),
                (20, 0, false, "3", true, 480),
                (21, 0, false, "3", false, 320),
            ],
            &[('3', 60)],
        ),
        (
            "an older event arrives after a newer",
            AtEnd,
            &[
                (0, 0, true, "1", true, 160),
                (40, 4000, true, "2", true, 160),
                (45, 2000, true, "9", true, 160),
                (46, 0, false, "1", true, 160),
            ],
            &[('1', 20), ('2', 20)],
        ),
        (
            "two segments are one press",
            AtEnd,
            &[
                (0, 10, true, "4", false, 0xff00),
                (60, 10, false, "4", false, 0xffff),
                (80, 10 + 0xffff, false, "4", false, 200),
                (100, 10 + 0xffff, false, "4", true, 400),
            ],
            &[('4', (0xffff + 400) / 8)],
        ),
        (
            "the segment's border lost",
            AtStart,
            &[
                (0, 10, true, "4", false, 0xfe00),
                (80, 10 + 0xffff, false, "4", true, 400),
                (81, 10, false, "4", false, 0xffff),
            ],
            &[('4', 0xfe00 / 8)],
        ),
        (
            "a sender that restarts its timestamps",
            AtEnd,
            &[
                (0, 900_000, true, "1", true, 160),
                (90, 5, true, "2", true, 160),
            ],
            &[('1', 20), ('2', 20)],
        ),
    ];
    for (name, report, steps, digits) in cases {
        assert_eq!(&play(*report, steps), digits, "{name}");
    }
}

#[test]
fn packed_events_follow_each_other() {
    let mut receiver = DtmfReceiver::new(DigitReport::AtEnd);
    let now = Instant::now();
    let packed = [1, 0x80, 0, 160, 2, 0x80, 0, 160];
    receiver.receive(now, Timestamp(0), true, &packed);
    receiver.receive(now, Timestamp(0), true, &packed);
    let got: Vec<char> = std::iter::from_fn(|| receiver.poll())
        .map(|got| got.digit.as_char())
        .collect();
    assert_eq!(got, ['1', '2']);
}

#[test]
fn events_that_are_no_digits_are_not_reported() {
    let mut receiver = DtmfReceiver::new(DigitReport::AtStart);
    receiver.receive(Instant::now(), Timestamp(0), true, &[16, 0x80, 0, 160]);
    receiver.receive(Instant::now(), Timestamp(900), true, &[1, 0x80]);
    assert_eq!(receiver.poll(), None);
}

#[test]
fn a_press_of_24_seconds_arrives_once_with_its_length() {
    let mut sender = DtmfSender::new();
    sender
        .queue_digit(Digit::from_char('*').unwrap(), 24_000)
        .unwrap();
    let mut receiver = DtmfReceiver::new(DigitReport::AtEnd);
    let epoch = Instant::now();
    for frame in 0..1_400 {
        let now = epoch + Duration::from_millis(20 * u64::from(frame));
        if let SendStep::Report(report) = sender.step(Timestamp(frame * 160)) {
            receiver.receive(
                now,
                report.timestamp,
                report.marker,
                &report.payload.to_bytes(),
            );
        }
        receiver.expire(now);
    }
    assert_eq!(
        receiver
            .poll()
            .map(|got| (got.digit.as_char(), got.duration_ms)),
        Some(('*', 24_000))
    );
    assert_eq!(receiver.poll(), None);
}
