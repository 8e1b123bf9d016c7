//! Two sessions over a network in virtual time: tones, digits and figures arrive as they were sent.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proptest::prelude::*;
use skillcall_media::{
    FRAME_SAMPLES, SILENT_FRAME,
    codec::Codec,
    dtmf::{Digit, DigitReport},
    rtp::{MAX_PACKET, PayloadType, RtpPacket},
    session::{AudioSession, Format, Heard, Outgoing, SessionConfig},
    tone::{find, loudest, power_at, sine},
};

/// Packets on their way, by the millisecond of their arrival.
#[derive(Default)]
struct Network {
    flying: BTreeMap<(u64, u64), Vec<u8>>,
    count: u64,
}

impl Network {
    fn send(&mut self, at_ms: u64, packet: &[u8]) {
        self.flying.insert((at_ms, self.count), packet.to_vec());
        self.count += 1;
    }

    fn arrived(&mut self, now_ms: u64) -> Vec<Vec<u8>> {
        let later = self.flying.split_off(&(now_ms + 1, 0));
        std::mem::replace(&mut self.flying, later)
            .into_values()
            .collect()
    }
}

fn leg(codec: Codec, seed: u64, digits: DigitReport, now: Instant) -> AudioSession {
    let mut config = SessionConfig::new(Format::new(codec, PayloadType::new(101)), seed);
    config.digits = digits;
    AudioSession::new(config, now)
}

/// Sends `audio` from one leg to the other for `frames`; `path` gives a packet's delay in ms, or loses it.
fn talk(
    from: &mut AudioSession,
    to: &mut AudioSession,
    epoch: Instant,
    frames: u64,
    audio: &[i16],
    mut path: impl FnMut(u64, &RtpPacket<'_>) -> Option<u64>,
) -> (Vec<i16>, Vec<Heard>) {
    let mut network = Network::default();
    let (mut heard, mut kinds) = (Vec::new(), Vec::new());
    let mut chunks = audio.as_chunks::<FRAME_SAMPLES>().0.iter();
    to.listen(true);
    for frame in 0..frames {
        let mut out = [0; MAX_PACKET];
        let outgoing = chunks.next().map_or(Outgoing::Silence, Outgoing::Pcm);
        if let Some(len) = from.tick(
            epoch + Duration::from_millis(frame * 20),
            outgoing,
            &mut out,
        ) {
            let packet = RtpPacket::parse(&out[..len]).unwrap();
            if let Some(delay) = path(frame, &packet) {
                network.send(frame * 20 + delay, &out[..len]);
            }
        }
        let now_ms = frame * 20 + 19;
        for packet in network.arrived(now_ms) {
            let _ = to.receive_rtp(epoch + Duration::from_millis(now_ms), &packet);
        }
        to.tick(
            epoch + Duration::from_millis(now_ms),
            Outgoing::Nothing,
            &mut out,
        );
        let mut frame = SILENT_FRAME;
        kinds.push(to.hear(&mut frame));
        heard.extend(frame);
    }
    (heard, kinds)
}

#[test]
fn a_minute_without_loss_is_heard_without_loss() {
    for codec in Codec::ALL {
        let epoch = Instant::now();
        let mut a = leg(codec, 1, DigitReport::AtEnd, epoch);
        let mut b = leg(codec, 2, DigitReport::AtEnd, epoch);
        let tone = sine(620.0, -20.0, 60 * 8_000);
        let (heard, kinds) = talk(&mut a, &mut b, epoch, 3_003, &tone, |frame, _| {
            Some(5 + frame % 3)
        });
        let figures = b.figures();
        assert_eq!(
            (
                figures.packets_lost,
                figures.packets_late,
                figures.frames_concealed
            ),
            (0, 0, 0),
            "{figures:?}"
        );
        assert_eq!(figures.packets_received, 3_003);
        assert!(figures.mos().unwrap() > 4.2, "{figures:?}");
        assert!(kinds[3..].iter().all(|kind| *kind == Heard::Audio));
        assert_eq!(
            loudest(&heard[800..], &[440.0, 620.0, 1_000.0]),
            Some(620.0)
        );
        assert!(power_at(&heard[800..8_800], 620.0) > 0.98);
        assert_eq!(a.figures().packets_sent, 3_003);
    }
}

#[test]
fn a_sentence_is_found_at_the_other_end() {
    let epoch = Instant::now();
    let mut a = leg(Codec::Pcmu, 1, DigitReport::AtEnd, epoch);
    let mut b = leg(Codec::Pcmu, 2, DigitReport::AtEnd, epoch);
    // A sweep from 200 to 1400 Hz is like itself at one place only.
    let sentence: Vec<i16> = (0..16_000)
        .map(|i| {
            ((f64::from(i) / 8_000.0 * (200.0 + f64::from(i) / 26.0) * std::f64::consts::TAU).sin()
                * 6_000.0) as i16
        })
        .collect();
    let mut audio = vec![0; 8_000];
    audio.extend(&sentence);
    let (heard, _) = talk(&mut a, &mut b, epoch, 200, &audio, |frame, _| {
        (frame % 50 != 49).then_some(5 + frame % 11)
    });
    let found = find(&sentence, &heard).unwrap();
    assert!(found.coefficient > 0.9, "{found:?}");
    assert!(found.lag.abs_diff(8_000 + 320) <= 320, "{found:?}");
}

#[test]
fn concealment_keeps_a_tone_through_five_percent_loss() {
    let epoch = Instant::now();
    let mut a = leg(Codec::Pcma, 1, DigitReport::AtEnd, epoch);
    let mut b = leg(Codec::Pcma, 2, DigitReport::AtEnd, epoch);
    let tone = sine(400.0, -20.0, 10 * 8_000);
    let (heard, kinds) = talk(&mut a, &mut b, epoch, 500, &tone, |frame, _| {
        (frame % 20 != 7).then_some(4)
    });
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == Heard::Concealed)
            .count(),
        25
    );
    assert!(
        power_at(&heard[800..], 400.0) > 0.9,
        "{}",
        power_at(&heard[800..], 400.0)
    );
    let figures = b.figures();
    assert_eq!(figures.packets_lost, 25);
    assert!(
        (3.0..4.2).contains(&figures.mos().unwrap()),
        "{:?}",
        figures.mos()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_digit_arrives_once_though_a_fifth_is_lost(
        keys in "[0-9*#A-D]{1,12}",
        press in 50u32..400,
        fates in prop::collection::vec((prop::bool::weighted(0.2), 0u64..30), 997),
        at_start in any::<bool>(),
    ) {
        let epoch = Instant::now();
        let report = if at_start { DigitReport::AtStart } else { DigitReport::AtEnd };
        let mut a = leg(Codec::Pcmu, 1, report, epoch);
        let mut b = leg(Codec::Pcma, 2, report, epoch);
        b.set_format(Format::new(Codec::Pcmu, PayloadType::new(101)));
        for key in keys.chars() {
            a.send_digit(Digit::from_char(key).unwrap(), press).unwrap();
        }
        let frames = 30 + keys.len() as u64 * u64::from(press / 20 + 9);
        let tone = sine(440.0, -20.0, frames as usize * FRAME_SAMPLES);
        talk(&mut a, &mut b, epoch, frames, &tone, |frame, packet| {
            let (lost, delay) = fates[frame as usize % fates.len()];
            let is_event = packet.header().payload_type == PayloadType::new(101).unwrap();
            let is_final = is_event && packet.payload()[1] & 0x80 != 0;
            (is_final || !lost).then_some(delay)
        });
        let got: String = std::iter::from_fn(|| b.poll_digit()).map(|got| got.digit.as_char()).collect();
        prop_assert_eq!(got, keys);
        prop_assert!(!a.is_sending_digits());
    }
}
