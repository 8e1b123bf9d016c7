//! Tones through two transcoders there and back, over losses and disorder.

use super::*;
use crate::{encoding::Encoding, rtp::Timestamp, tone};

const FRAMES: usize = 150;

fn side(encoding: Encoding) -> Side {
    let dynamic = PayloadType::new(96).unwrap();
    Side {
        encoding,
        payload_type: encoding.static_payload_type().unwrap_or(dynamic),
        events: Some(SideEvents {
            payload_type: PayloadType::new(101).unwrap(),
            clock: encoding.clock(),
        }),
    }
}

fn transcoder(from: Encoding, to: Encoding) -> Transcoder {
    Transcoder::new(side(from), side(to), OpusSettings::default()).unwrap()
}

/// Packets of a tone in PCMU.
fn tone_packets(hz: f64, samples_each: usize, frames: usize) -> Vec<Vec<u8>> {
    let audio = tone::sine(hz, -13.0, samples_each * frames);
    let mut packets = Vec::new();
    for (at, frame) in audio.chunks(samples_each).enumerate() {
        let mut out = [0; MAX_PACKET];
        let header = RtpHeader {
            marker: at == 0,
            payload_type: PayloadType::PCMU,
            sequence: Sequence(65_500).plus(at as u16),
            timestamp: Timestamp(u32::MAX - 1_000).plus((at * samples_each) as u32),
            ssrc: 9,
        };
        let len = header
            .write_with(frame.len(), &mut out, |body| {
                Codec::Pcmu.encode(frame, body);
            })
            .unwrap();
        packets.push(out[..len].to_vec());
    }
    packets
}

use crate::codec::Codec;

fn run(transcoder: &mut Transcoder, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for packet in packets {
        let _ = transcoder.push(packet, |packet| out.push(packet.to_vec()));
    }
    out
}

/// What PCMU packets sound like, each at its timestamp; gaps are silent.
fn heard(packets: &[Vec<u8>]) -> Vec<i16> {
    let mut audio: Vec<i16> = Vec::new();
    let mut start = None;
    for packet in packets {
        let view = RtpPacket::parse(packet).unwrap();
        let timestamp = view.header().timestamp;
        let at = timestamp.since(*start.get_or_insert(timestamp));
        let mut samples = vec![0; view.payload().len()];
        Codec::Pcmu.decode(view.payload(), &mut samples);
        let at = usize::try_from(at).unwrap();
        audio.resize(audio.len().max(at + samples.len()), 0);
        audio[at..at + samples.len()].copy_from_slice(&samples);
    }
    audio
}

/// The share of the energy that is at `hz`, from 0 to 1.
fn purity(audio: &[i16], hz: f64) -> f64 {
    let (mut sine, mut cosine, mut energy) = (0.0, 0.0, 0.0);
    for (at, sample) in audio.iter().enumerate() {
        let phase = std::f64::consts::TAU * hz * at as f64 / 8_000.0;
        let sample = f64::from(*sample);
        sine += sample * phase.sin();
        cosine += sample * phase.cos();
        energy += sample * sample;
    }
    2.0 * (sine * sine + cosine * cosine) / (energy * audio.len() as f64)
}

#[test]
fn a_tone_comes_back_through_every_encoding() {
    for middle in [Encoding::Opus, Encoding::G722, Encoding::Pcma] {
        for ms in [10, 20, 30, 60] {
            let packets = tone_packets(1_000.0, 8 * ms, 3_000 / ms);
            let there = run(&mut transcoder(Encoding::Pcmu, middle), &packets);
            let back = run(&mut transcoder(middle, Encoding::Pcmu), &there);
            let audio = heard(&back);
            assert!(audio.len() > 8 * 2_900, "{middle:?} {ms}");
            let settled = &audio[8_000..16_000];
            let pure = purity(settled, 1_000.0);
            assert!(pure > 0.98, "{middle:?} {ms}: {pure}");
            let loud = settled
                .iter()
                .map(|sample| f64::from(*sample).powi(2))
                .sum::<f64>();
            let loud = (loud / settled.len() as f64).sqrt();
            let sent = 32_768.0 * 10f64.powf(-13.0 / 20.0) / 2f64.sqrt();
            assert!(
                (loud / sent - 1.0).abs() < 0.5,
                "{middle:?} {ms}: {loud} of {sent}"
            );
        }
    }
}

#[test]
fn two_wide_encodings_meet_without_the_narrow_one() {
    let mut through = transcoder(Encoding::Opus, Encoding::G722);
    assert_eq!(through.rate, 16_000);
    let packets = tone_packets(1_000.0, 160, FRAMES);
    let opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    let wide = run(&mut through, &opus);
    let audio = heard(&run(&mut transcoder(Encoding::G722, Encoding::Pcmu), &wide));
    assert!(purity(&audio[8_000..16_000], 1_000.0) > 0.98);
}

#[test]
fn numbers_and_timestamps_count_on_over_their_ends() {
    let packets = tone_packets(440.0, 160, FRAMES);
    let opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    assert_eq!(opus.len(), FRAMES);
    let mut last: Option<RtpHeader> = None;
    for packet in &opus {
        let view = RtpPacket::parse(packet).unwrap();
        let header = *view.header();
        assert_eq!(header.payload_type.number(), 96);
        assert_eq!(header.marker, last.is_none());
        if let Some(last) = last {
            assert_eq!(header.sequence.since(last.sequence), 1);
            assert_eq!(header.timestamp.since(last.timestamp), 960);
        }
        last = Some(header);
    }
    let back = run(&mut transcoder(Encoding::Opus, Encoding::Pcmu), &opus);
    let stamps: Vec<_> = back
        .iter()
        .map(|packet| RtpPacket::parse(packet).unwrap().header().timestamp)
        .collect();
    assert!(stamps.windows(2).all(|two| two[1].since(two[0]) == 160));
}

#[test]
fn what_is_lost_of_opus_is_made_up() {
    let packets = tone_packets(500.0, 160, FRAMES);
    let mut opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    // One in ten, never two in a row.
    let mut at = 0;
    opus.retain(|_| {
        at += 1;
        at % 10 != 5
    });
    let back = run(&mut transcoder(Encoding::Opus, Encoding::Pcmu), &opus);
    assert_eq!(back.len(), FRAMES);
    let audio = heard(&back);
    let loud = |frame: &[i16]| {
        frame
            .iter()
            .map(|sample| f64::from(*sample).abs())
            .sum::<f64>()
    };
    let levels: Vec<_> = audio[8_000..].chunks_exact(160).map(loud).collect();
    let usual = levels.iter().sum::<f64>() / levels.len() as f64;
    assert!(
        levels.iter().all(|level| *level > usual / 8.0),
        "no hole is heard: {levels:?}"
    );
    assert!(purity(&audio[8_000..16_000], 500.0) > 0.8);
}

#[test]
fn late_ones_and_repetitions_are_left_out() {
    let packets = tone_packets(500.0, 160, FRAMES);
    let mut opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    opus.swap(50, 51);
    opus.insert(70, opus[69].clone());
    let mut through = transcoder(Encoding::Opus, Encoding::Pcmu);
    let mut out = Vec::new();
    let late: Vec<_> = opus
        .iter()
        .filter_map(|packet| {
            through
                .push(packet, |packet| out.push(packet.to_vec()))
                .err()
        })
        .collect();
    assert_eq!(late.len(), 2, "{late:?}");
    assert!(
        late.iter()
            .all(|error| matches!(error, TranscodeError::Late(_)))
    );
    // The error correction of the packet that came first stands in for the one that came second.
    assert_eq!(out.len(), FRAMES);
}

#[test]
fn where_order_is_lost_each_packet_is_decoded_in_its_place() {
    let packets = tone_packets(500.0, 160, FRAMES);
    let mut opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    let straight = run(&mut transcoder(Encoding::Opus, Encoding::Pcmu), &opus);
    for three in opus[9..].chunks_exact_mut(3) {
        three.rotate_left(1);
    }
    let mut through = transcoder(Encoding::Opus, Encoding::Pcmu);
    let (mut out, mut late) = (Vec::new(), 0);
    for packet in &opus {
        late += usize::from(
            through
                .push(packet, |packet| out.push(packet.to_vec()))
                .is_err(),
        );
    }
    // Only the first one that came late was not waited for.
    assert_eq!(late, 1);
    assert_eq!(out.len(), FRAMES);
    let heads = |packets: &[Vec<u8>]| -> Vec<_> {
        let headers = packets.iter().map(|packet| packet[..12].to_vec());
        headers.collect()
    };
    assert_eq!(heads(&out[40..]), heads(&straight[40..]));
    // The decoder remembers the one that it did not get, for a while.
    let [came, meant] = [&out, &straight].map(|packets| heard(&packets[40..]));
    let off = came.iter().zip(&meant).map(|(a, b)| (a - b).unsigned_abs());
    let loudest = meant.iter().map(|sample| sample.unsigned_abs()).max();
    assert!(off.max() < loudest.map(|loudest| loudest / 4));
    assert!(purity(&came, 500.0) > 0.95, "{}", purity(&came, 500.0));
}

/// By how much the numbers of the packets rise, and their timestamps.
fn strides(packets: &[Vec<u8>]) -> Vec<(i16, i32)> {
    let heads: Vec<_> = packets
        .iter()
        .map(|packet| *RtpPacket::parse(packet).unwrap().header())
        .collect();
    let stride = |two: &[RtpHeader]| {
        let [one, next] = [two[0], two[1]];
        let (number, time) = (one.sequence, one.timestamp);
        (next.sequence.since(number), next.timestamp.since(time))
    };
    heads.windows(2).map(stride).collect()
}

#[test]
fn what_is_lost_before_opus_is_concealed() {
    let mut packets = tone_packets(500.0, 160, 60);
    packets.drain(40..43);
    packets.remove(10);
    let opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    assert_eq!(opus.len(), 60);
    assert!(strides(&opus).iter().all(|stride| *stride == (1, 960)));
    let audio = heard(&run(&mut transcoder(Encoding::Opus, Encoding::Pcmu), &opus));
    let across = &audio[9 * 160..13 * 160];
    assert!(purity(across, 500.0) > 0.8, "{}", purity(across, 500.0));
}

#[test]
fn of_many_that_are_lost_those_beside_what_was_heard_are_made_up() {
    for encoding in [Encoding::Pcmu, Encoding::Opus] {
        let packets = tone_packets(500.0, 160, 60);
        let mut sent = run(&mut transcoder(Encoding::Pcmu, encoding), &packets);
        sent.drain(30..40);
        let other = match encoding {
            Encoding::Opus => Encoding::Pcmu,
            _ => Encoding::Opus,
        };
        let came = run(&mut transcoder(encoding, other), &sent);
        let tick = other.clock() as i32 / 50;
        let mut expected = vec![(1, tick); 53];
        // Three go on with what was heard, one leads to what follows, and between them the receiver sees that six are missing.
        expected[32] = (7, 7 * tick);
        assert_eq!(strides(&came), expected, "{encoding:?}");
    }
}

#[test]
fn what_is_broken_off_is_not_concealed() {
    let mut packets = tone_packets(500.0, 160, 90);
    packets.drain(30..60);
    let opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    let mut expected = vec![(1, 960); 59];
    expected[29] = (1, 31 * 960);
    assert_eq!(strides(&opus), expected);
}

#[test]
fn what_is_lost_of_g722_stays_a_gap_that_can_be_seen() {
    let packets = tone_packets(500.0, 160, 20);
    let mut wide = run(&mut transcoder(Encoding::Pcmu, Encoding::G722), &packets);
    wide.remove(10);
    let opus = run(&mut transcoder(Encoding::G722, Encoding::Opus), &wide);
    assert_eq!(strides(&opus)[9], (2, 1_920));
}

#[test]
fn digits_keep_their_place_and_their_length() {
    let mut packets = tone_packets(500.0, 160, 3);
    let mut event = packets[2].clone();
    event[1] = 0x80 | 101;
    event.truncate(12);
    event.extend([5, 0x0a, 0x03, 0x20]);
    packets[2] = event;
    let opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    let view = RtpPacket::parse(&opus[2]).unwrap();
    assert_eq!(view.payload(), [5, 0x0a, 0x12, 0xc0]);
    assert!(view.header().marker && view.header().payload_type.number() == 101);
    let none = Side {
        events: None,
        ..side(Encoding::Opus)
    };
    let mut deaf = Transcoder::new(side(Encoding::Pcmu), none, OpusSettings::default()).unwrap();
    assert_eq!(
        deaf.push(&packets[2], |_| panic!("an event was sent")),
        Err(TranscodeError::PayloadType(PayloadType::new(101).unwrap()))
    );
}

#[test]
fn silence_need_not_be_sent() {
    let settings = OpusSettings {
        dtx: true,
        ..OpusSettings::default()
    };
    let mut through =
        Transcoder::new(side(Encoding::Pcmu), side(Encoding::Opus), settings).unwrap();
    let mut packets = tone_packets(500.0, 160, 250);
    for packet in &mut packets[50..] {
        packet[12..].fill(Codec::Pcmu.silence());
    }
    let opus = run(&mut through, &packets);
    assert!(opus.len() < 150, "{}", opus.len());
    let back = run(&mut transcoder(Encoding::Opus, Encoding::Pcmu), &opus);
    let audio = heard(&back);
    assert!(audio[12_000..].iter().all(|sample| sample.abs() < 200));
}

#[test]
fn reports_count_in_the_other_clock() {
    let mut through = transcoder(Encoding::Pcmu, Encoding::Opus);
    run(&mut through, &tone_packets(500.0, 160, 1));
    let first = u32::MAX - 1_000;
    let mut report = vec![0x81, 200, 0, 12, 0, 0, 0, 9];
    report.extend([0; 8]);
    report.extend(first.wrapping_add(160).to_be_bytes());
    report.extend([0; 8]);
    report.extend([0; 12]);
    report.extend(7u32.to_be_bytes());
    report.extend([0; 8]);
    let before = report.clone();
    through.rewrite_rtcp(&mut report);
    assert_eq!(report[16..20], first.wrapping_add(960).to_be_bytes());
    assert_eq!(report[40..44], 42u32.to_be_bytes());
    for at in (0..16).chain(20..40).chain(44..52) {
        assert_eq!(report[at], before[at]);
    }
    for len in 0..report.len() {
        through.rewrite_rtcp(&mut before.clone()[..len]);
    }
}

#[test]
fn junk_is_refused_and_harmless() {
    let mut through = transcoder(Encoding::Opus, Encoding::Pcmu);
    let mut seed = 7u64;
    for len in 0..400 {
        let mut packet = vec![0x80, 96, 0, len as u8, 0, 0, 0, 0, 0, 0, 0, 1];
        for _ in 0..len {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            packet.push((seed >> 56) as u8);
        }
        let _ = through.push(&packet, |packet| assert!(packet.len() <= MAX_PACKET));
    }
    assert!(matches!(
        through.push(&[1, 2], |_| ()),
        Err(TranscodeError::Rtp(_))
    ));
}

#[test]
fn what_both_ends_share_passes_as_it_is() {
    let packets = tone_packets(500.0, 160, 60);
    let mut opus = run(&mut transcoder(Encoding::Pcmu, Encoding::Opus), &packets);
    opus.remove(20);
    opus.swap(30, 31);
    let mut inward = transcoder(Encoding::Opus, Encoding::Pcmu);
    let mut outward = transcoder(Encoding::Pcmu, Encoding::Opus);
    let mut out = Vec::new();
    for packet in &opus {
        let mut inner = Vec::new();
        inward
            .pass(packet, |packet| inner.push(packet.to_vec()))
            .unwrap();
        let view = RtpPacket::parse(&inner[0]).unwrap();
        assert_eq!(view.header().payload_type, PayloadType::PCMU);
        outward
            .pass(&inner[0], |packet| out.push(packet.to_vec()))
            .unwrap();
    }
    assert_eq!(out.len(), opus.len());
    let view = |packet: &[u8]| {
        let packet = RtpPacket::parse(packet).unwrap();
        (*packet.header(), packet.payload().to_vec())
    };
    let (first_in, first_out) = (view(&opus[0]).0, view(&out[0]).0);
    for (came, went) in opus.iter().zip(&out) {
        let ((came, before), (went, after)) = (view(came), view(went));
        assert_eq!(before, after);
        assert_eq!(
            came.sequence.since(first_in.sequence),
            went.sequence.since(first_out.sequence)
        );
        assert_eq!(
            came.timestamp.since(first_in.timestamp),
            went.timestamp.since(first_out.timestamp)
        );
        assert_eq!(went.payload_type.number(), 96);
    }
    // Decoding goes on where passing ends, under numbers that go on.
    let last = view(&out[out.len() - 1]).0;
    let more = tone_packets(500.0, 160, 61);
    let mut again = Vec::new();
    outward
        .push(&more[60], |packet| again.push(packet.to_vec()))
        .unwrap();
    assert_eq!(view(&again[0]).0.sequence.since(last.sequence), 1);
}
