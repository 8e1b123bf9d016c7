//! The fuzz bodies on stable: good inputs, mutated in ways that repeat from run to run.

use fuzz_replay::{Replay, Target};
use proptest::prelude::*;
use skillcall_media::{
    codec::Codec,
    dtmf::{Digit, DtmfSender, SendStep},
    fuzz,
    rtcp::{ReportBlock, SenderInfo, write_compound},
    rtp::{PayloadType, RtpHeader, Sequence, Timestamp},
    wav,
};

fn rtp_packet() -> Vec<u8> {
    let mut out = [0; 200];
    let header = RtpHeader {
        marker: false,
        payload_type: PayloadType::PCMU,
        sequence: Sequence(65_530),
        timestamp: Timestamp(u32::MAX - 100),
        ssrc: 7,
    };
    let len = header.write(&[0xff; 160], &mut out).unwrap();
    // Sources, extension and padding, so that mutations reach their lengths.
    let mut packet = out[..len].to_vec();
    packet[0] |= 0x31;
    packet.splice(
        12..12,
        [0, 0, 0, 9, 0xbe, 0xde, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8],
    );
    *packet.last_mut().unwrap() = 4;
    packet
}

fn rtcp_packet() -> Vec<u8> {
    let mut out = [0; 300];
    let sender = SenderInfo {
        ntp: Default::default(),
        rtp: 1,
        packets: 2,
        bytes: 3,
    };
    let len = write_compound(
        &mut out,
        1,
        Some(sender),
        &[ReportBlock::default(); 3],
        "name@host",
        true,
    )
    .unwrap();
    out[..len].to_vec()
}

fn events() -> Vec<u8> {
    let mut sender = DtmfSender::new();
    for digit in Digit::all() {
        sender.queue_digit(digit, 60).unwrap();
    }
    let mut steps = Vec::new();
    for frame in 0..200u32 {
        if let SendStep::Report(report) = sender.step(Timestamp((frame * 160) << 8)) {
            let [t0, t1, t2, _] = report.timestamp.0.to_be_bytes();
            steps.extend([20, t0, t1, t2, u8::from(report.marker) << 7 | 2]);
            steps.extend(report.payload.to_bytes());
        }
    }
    steps
}

fn jitter_steps() -> Vec<u8> {
    (0..200u32)
        .flat_map(|frame| {
            let [_, _, t1, t2] = (frame * 160).to_be_bytes();
            [1, frame as u8, 0, t1, t2, 20, 0, 0, 0, 0, 0, 0]
        })
        .collect()
}

fn datagrams() -> Vec<u8> {
    [(rtp_packet(), 21), (rtcp_packet(), 20), (rtp_packet(), 19)]
        .into_iter()
        .flat_map(|(packet, kind)| [vec![packet.len() as u8, kind], packet].concat())
        .collect()
}

/// Packets for each transcoder, in order and with one missing.
fn transcoded() -> Vec<u8> {
    let payload_type = PayloadType::new(96).unwrap();
    let mut bytes = Vec::new();
    for at in [0u16, 1, 3, 4] {
        for choice in 0..4 {
            let mut out = [0; 120];
            let header = RtpHeader {
                marker: at == 0,
                payload_type,
                sequence: Sequence(at),
                timestamp: Timestamp(u32::from(at) * 960),
                ssrc: 7,
            };
            // As Opus: one SILK frame of 20 ms.
            let payload: Vec<u8> = (0..80u8)
                .map(|n| if n == 0 { 0x08 } else { n.wrapping_mul(37) })
                .collect();
            let len = header.write(&payload, &mut out).unwrap();
            bytes.extend([len as u8, choice]);
            bytes.extend(&out[..len]);
        }
    }
    bytes
}

/// A recording's file with a chunk that nobody knows.
fn wav_file() -> Vec<u8> {
    let mut file = wav::to_bytes(&[1_000; 500], 2).unwrap();
    file.splice(36..36, *b"LIST\x03\0\0\0abc\0");
    file
}

#[test]
fn no_target_fails_on_good_inputs_or_their_mutations() {
    let replay = Replay {
        rounds: 2_000,
        // Lengths, counts and signs at their ends.
        spice: &[
            b"\0",
            b"\0\0\0\0",
            b"\x7f\xff",
            b"\x80",
            b"\xff\xff\xff\xff",
        ],
    };
    let targets: [(&str, Target, Vec<u8>); 7] = [
        ("rtp", fuzz::rtp, rtp_packet()),
        ("rtcp", fuzz::rtcp, rtcp_packet()),
        ("dtmf", fuzz::dtmf, events()),
        ("jitter", fuzz::jitter, jitter_steps()),
        ("session", fuzz::session, datagrams()),
        ("wav", fuzz::wav, wav_file()),
        ("transcode", fuzz::transcode, transcoded()),
    ];
    for (name, target, seed) in targets {
        replay.run(name, target, &[seed]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        rng_seed: prop::test_runner::RngSeed::Fixed(4_733),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz::rtp(&bytes);
        fuzz::rtcp(&bytes);
        fuzz::dtmf(&bytes);
        fuzz::jitter(&bytes);
        fuzz::session(&bytes);
        fuzz::wav(&bytes);
        fuzz::transcode(&bytes);
        let mut codes = [0; 600];
        Codec::Pcmu.transcode(Codec::Pcma, &bytes, &mut codes);
    }
}
