//! Files of all formats, and broken ones.

use super::*;
use crate::tone::{level_dbov, power_at, sine};

fn file(spec: WavSpec, write: impl Fn(&mut hound::WavWriter<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
    let mut target = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut target, spec).unwrap();
    write(&mut writer);
    writer.finalize().unwrap();
    target.into_inner()
}

#[test]
fn every_format_becomes_8_khz_mono() {
    let tone: Vec<f32> = (0..24_000)
        .map(|i| (i as f32 * 1_000.0 / 48_000.0 * std::f32::consts::TAU).sin() * 0.5)
        .collect();
    for (bits, channels) in [
        (8, 1),
        (16, 1),
        (16, 2),
        (24, 1),
        (24, 6),
        (32, 2),
        (0, 1),
        (0, 2),
    ] {
        let float = bits == 0;
        let sample_format = if float {
            SampleFormat::Float
        } else {
            SampleFormat::Int
        };
        let bits_per_sample = if float { 32 } else { bits };
        let bytes = file(
            WavSpec {
                channels,
                sample_rate: 48_000,
                bits_per_sample,
                sample_format,
            },
            |writer| {
                for sample in &tone {
                    for _ in 0..channels {
                        if float {
                            writer.write_sample(*sample).unwrap();
                        } else {
                            writer
                                .write_sample((sample * 2f32.powi(i32::from(bits) - 1)) as i32)
                                .unwrap();
                        }
                    }
                }
            },
        );
        let audio = read(&bytes).unwrap();
        assert_eq!(
            (audio.samples.len(), audio.file_rate, audio.file_channels),
            (4_000, 48_000, channels)
        );
        let middle = &audio.samples[400..3_600];
        assert!(
            power_at(middle, 1_000.0) > 0.99,
            "{bits} bits, {channels} channels"
        );
        assert!(
            (level_dbov(middle) + 6.0).abs() < 0.3,
            "{bits} bits: {}",
            level_dbov(middle)
        );
    }
}

#[test]
fn our_own_files_come_back_bit_for_bit() {
    let tone = sine(440.0, -10.0, 1_000);
    assert_eq!(read(&to_bytes(&tone, 1).unwrap()).unwrap().samples, tone);
}

#[test]
fn lengths_of_pipes_and_odd_chunks_are_understood() {
    let tone = sine(440.0, -10.0, 1_000);
    for announced in [0u32, 0x7fff_f000, u32::MAX, 2_001] {
        let mut bytes = to_bytes(&tone, 1).unwrap();
        bytes.splice(40..44, announced.to_le_bytes());
        bytes.splice(36..36, *b"LIST\x03\0\0\0abc\0");
        assert_eq!(read(&bytes).unwrap().samples, tone, "{announced:#x}");
    }
    let mut cut = to_bytes(&tone, 1).unwrap();
    cut.truncate(44 + 1_001);
    assert_eq!(read(&cut).unwrap().samples, tone[..500]);
}

#[test]
fn each_fault_is_named() {
    let good = to_bytes(&[1; 100], 1).unwrap();
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        read(&bytes).unwrap_err().to_string()
    };
    assert!(
        read(b"ID3\x03mp3")
            .unwrap_err()
            .to_string()
            .contains("begins with \"ID3\\x03mp3\"")
    );
    assert!(
        read(&good[..20])
            .unwrap_err()
            .to_string()
            .contains("no \"fmt \" chunk")
    );
    assert!(
        read(&good[..36])
            .unwrap_err()
            .to_string()
            .contains("no \"data\" chunk")
    );
    assert!(changed(20, 17).contains("not supported"), "ADPCM");
    assert!(changed(22, 0).contains("zero channels"));
    assert!(matches!(
        read(&vec![0; MAX_FILE as usize + 1]),
        Err(WavError::TooLarge(50_000_001))
    ));
    let slow = file(
        WavSpec {
            channels: 1,
            sample_rate: 100,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        },
        |writer| writer.write_sample(1i16).unwrap(),
    );
    assert!(read(&slow).unwrap_err().to_string().contains("100 Hz"));
    assert!(matches!(
        read_file(Path::new("/nonexistent.wav")),
        Err(WavError::Io(_))
    ));
}

#[test]
fn a_file_is_valid_before_it_is_finished() {
    let mut target = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut target, 1).unwrap();
    writer.write(&[7; 300]).unwrap();
    writer.flush().unwrap();
    writer.write(&[8; 50]).unwrap();
    // Leaving without dropping is what a crash leaves behind.
    std::mem::forget(writer);
    assert_eq!(read(target.get_ref()).unwrap().samples[..300], [7; 300]);
}
