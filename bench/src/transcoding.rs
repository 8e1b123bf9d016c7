//! Opus between G.711 as the gateway does it, beside libopus alone.

use std::hint::black_box;
use std::time::Duration;

use skillcall_media::codec::Codec;
use skillcall_media::encoding::Encoding;
use skillcall_media::rtp::PayloadType;
use skillcall_media::transcode::{OpusSettings, Side, Transcoder};

use crate::Pace;
use crate::report::{Table, count};

/// Samples of 20 ms of G.711, and of Opus at 16 kHz.
const NARROW: usize = 160;
const WIDE: usize = 320;
/// 20 ms.
const FRAME: Duration = Duration::from_millis(20);
/// Packets of one round: ten seconds.
const FRAMES: usize = 500;
/// The payload type of Opus.
const OPUS: u8 = 111;
/// Room for a packet.
const ROOM: usize = 1500;

/// Measures, and gives the figures as Markdown.
pub(crate) fn measure(pace: Pace) -> anyhow::Result<String> {
    let rounds = if pace.quick { 5 } else { 41 };
    let mut table = Table::new(&[
        "complexity",
        "what",
        "Opus to G.711, µs a packet",
        "G.711 to Opus",
        "both",
        "calls a core",
        "of libopus alone",
    ]);
    for complexity in [5, 0] {
        let settings = OpusSettings {
            complexity,
            ..OpusSettings::default()
        };
        let work = Work::new(settings)?;
        let mut times = [const { Vec::new() }; 6];
        for _ in 0..rounds {
            // They take turns, so that what disturbs one disturbs the others.
            let round = [
                work.transcoded(&work.opus, Encoding::Opus)?,
                work.transcoded(&work.pcmu, Encoding::Pcmu)?,
                work.decoded(8_000)?,
                work.encoded(8_000)?,
                work.decoded(16_000)?,
                work.encoded(16_000)?,
            ];
            for (times, time) in times.iter_mut().zip(round) {
                times.push(time);
            }
        }
        let [a, b, c, d, e, f] = times.map(median);
        let alone = c + d;
        for (what, down, up) in [
            ("`crates/media`'s transcoders", a, b),
            ("libopus alone, at 8 kHz as they use it", c, d),
            ("libopus alone, at 16 kHz", e, f),
        ] {
            let both = down + up;
            table.row(&[
                complexity.to_string(),
                what.to_owned(),
                format!("{down:.1}"),
                format!("{up:.1}"),
                format!("{both:.1}"),
                count((FRAME.as_secs_f64() * 1e6 / both) as u64),
                format!("{:.0} %", alone / both * 100.0),
            ]);
            eprintln!("  complexity {complexity}, {what}: {down:.1} + {up:.1} µs");
        }
    }
    Ok(format!(
        "Processor time, medians of {rounds} rounds of {FRAMES} packets of 20 ms; the Opus packets that are decoded are wideband, {} bit/s, with error correction.\n\n{}",
        OpusSettings::default().bitrate,
        table.into_text()
    ))
}

/// What both are given.
struct Work {
    settings: OpusSettings,
    /// 8 kHz, and the same at 16 kHz.
    narrow: Vec<i16>,
    wide: Vec<i16>,
    /// RTP packets.
    pcmu: Vec<Vec<u8>>,
    opus: Vec<Vec<u8>>,
}

impl Work {
    fn new(settings: OpusSettings) -> anyhow::Result<Self> {
        let (mut narrow, wide) = (voice(8_000), voice(16_000));
        // As G.711 has it, for both.
        for sample in &mut narrow {
            *sample = Codec::Pcmu.decode_sample(Codec::Pcmu.encode_sample(*sample));
        }
        let pcmu = narrow.chunks_exact(NARROW).enumerate().map(|(n, frame)| {
            let mut codes = [0; NARROW];
            Codec::Pcmu.encode(frame, &mut codes);
            packet(0, n, NARROW, &codes)
        });
        let pcmu = pcmu.collect();
        let mut encoder = encoder(16_000, settings)?;
        let mut opus = Vec::with_capacity(FRAMES);
        for (n, frame) in wide.chunks_exact(WIDE).enumerate() {
            let mut room = [0; ROOM];
            let len = encoder.encode(frame, &mut room)?;
            opus.push(packet(OPUS, n, 960, room.get(..len).unwrap_or_default()));
        }
        Ok(Self {
            settings,
            narrow,
            wide,
            pcmu,
            opus,
        })
    }

    /// One direction through a transcoder: microseconds a packet.
    fn transcoded(&self, packets: &[Vec<u8>], from: Encoding) -> anyhow::Result<f64> {
        let of = |encoding: Encoding| Side {
            encoding,
            payload_type: encoding
                .static_payload_type()
                .or_else(|| PayloadType::new(OPUS))
                .unwrap_or(PayloadType::PCMU),
            events: None,
        };
        let to = match from {
            Encoding::Opus => Encoding::Pcmu,
            _ => Encoding::Opus,
        };
        let mut transcoder = Transcoder::new(of(from), of(to), self.settings)?;
        let (mut given, begun) = (0, used());
        for packet in packets {
            transcoder.push(black_box(packet), |packet| {
                black_box(packet);
                given += 1;
            })?;
        }
        let time = each(begun);
        anyhow::ensure!(given == packets.len(), "{given} packets came of {FRAMES}");
        Ok(time)
    }

    /// The same packets through libopus' decoder.
    fn decoded(&self, rate: u32) -> anyhow::Result<f64> {
        let mut decoder = opus::Decoder::new(rate, opus::Channels::Mono)?;
        let begun = used();
        for packet in &self.opus {
            let mut room = [0; 1_920];
            let payload = packet.get(12..).unwrap_or_default();
            black_box(decoder.decode(black_box(payload), &mut room, false)?);
        }
        Ok(each(begun))
    }

    /// The same audio through libopus' encoder.
    fn encoded(&self, rate: u32) -> anyhow::Result<f64> {
        let mut encoder = encoder(rate, self.settings)?;
        let (audio, frame) = if rate == 8_000 {
            (&self.narrow, NARROW)
        } else {
            (&self.wide, WIDE)
        };
        let begun = used();
        for frame in audio.chunks_exact(frame) {
            let mut room = [0; ROOM];
            black_box(encoder.encode(black_box(frame), &mut room)?);
        }
        Ok(each(begun))
    }
}

fn each(begun: Duration) -> f64 {
    used().saturating_sub(begun).as_secs_f64() * 1e6 / FRAMES as f64
}

/// Processor time of this thread: what other programs take meanwhile is not in it.
fn used() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call fills the struct, which lives on this stack.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// As the transcoders set theirs.
fn encoder(rate: u32, settings: OpusSettings) -> anyhow::Result<opus::Encoder> {
    let mut encoder = opus::Encoder::new(rate, opus::Channels::Mono, opus::Application::Voip)?;
    encoder.set_complexity(i32::from(settings.complexity))?;
    encoder.set_bitrate(opus::Bitrate::Bits(i32::try_from(settings.bitrate)?))?;
    encoder.set_inband_fec(settings.in_band_fec)?;
    encoder.set_packet_loss_perc(i32::from(settings.expected_loss))?;
    encoder.set_dtx(settings.dtx)?;
    Ok(encoder)
}

/// An RTP packet (RFC 3550 §5.1), the `n`th of its stream.
fn packet(payload_type: u8, n: usize, ticks: usize, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend((n as u16).to_be_bytes());
    packet.extend(((n * ticks) as u32).to_be_bytes());
    packet.extend(7u32.to_be_bytes());
    packet.extend(payload);
    packet
}

/// Ten seconds of something like a voice: a buzz that glides, through two resonances, in syllables, with breath between.
fn voice(rate: u32) -> Vec<i16> {
    let (rate, mut noise) = (f64::from(rate), 1u32);
    let (mut phase, mut low, mut high) = (0.0f64, [0.0f64; 2], [0.0f64; 2]);
    let count = (rate * FRAME.as_secs_f64()) as usize * FRAMES;
    let resonate = |state: &mut [f64; 2], hz: f64, input: f64| {
        let angle = std::f64::consts::TAU * hz / rate;
        let radius = (-std::f64::consts::PI * 90.0 / rate).exp();
        let out = input + 2.0 * radius * angle.cos() * state[0] - radius * radius * state[1];
        *state = [out, state[0]];
        out * (1.0 - radius)
    };
    let samples = (0..count).map(|n| {
        let at = n as f64 / rate;
        phase += (110.0 + 25.0 * (at * 1.3).sin()) / rate;
        let buzz = if phase >= 1.0 {
            phase -= 1.0;
            (rate / 110.0).sqrt()
        } else {
            0.0
        };
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let breath = f64::from(noise as i32) / f64::from(i32::MAX);
        let syllable = (at * 4.0 * std::f64::consts::PI).sin().max(0.0);
        let source = buzz * syllable + 0.02 * breath;
        let sound = resonate(&mut low, 500.0 + 200.0 * (at * 2.7).sin(), source)
            + resonate(&mut high, 1500.0 + 500.0 * (at * 1.9).sin(), source);
        (sound * 9000.0).clamp(-30_000.0, 30_000.0) as i16
    });
    samples.collect()
}
