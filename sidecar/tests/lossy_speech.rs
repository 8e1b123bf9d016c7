//! Speech through networks that lose and delay: what a recogniser understands of it behind the gateway, and behind baresip, which got
//! the same packets at the same times.
//!
//! A part of the table of `docs/gateway.md`; `make speech` measures the whole.

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use skillcall_media::codec::Codec;
use skillcall_media::encoding::Encoding;
use skillcall_media::jitter::JitterConfig;
use skillcall_media::rtp::{MAX_PACKET, PayloadType, RtpHeader, Sequence, Timestamp};
use skillcall_media::transcode::{OpusSettings, Side, Transcoder};
use skillcall_media::{FRAME_SAMPLES, wav};
use skillcall_sidecar::config::PortRange;
use support::baresip::Baresip;
use support::device::Device;
use support::lossy::Trace;
use support::plain_call::PlainCall;
use support::recogniser::{SAID, recognise, said_words, spoken, wrong_words};
use support::room::Room;
use support::skill::Skill;
use support::{Bench, Handler, LIMIT, Phone};

/// Voices of espeak-ng that the recogniser understands well.
const VOICES: [&str; 4] = ["en-us+f5", "en-us+f4", "en-us+f3", "en-us+m7"];
/// Packets lost of a hundred.
const LOSSES: [u64; 4] = [0, 1, 5, 20];
/// What one of the tests hears: each voice and loss takes its time.
const IN_PART: (usize, &[u64]) = (2, &[5]);
/// The most milliseconds by which each packet is delayed.
const JITTER: u64 = 100;
/// What those who hear wait for: what the network needs, as baresip does by itself, with room for a machine that is busy.
const PATIENT: JitterConfig = JitterConfig {
    initial_ms: JITTER as u32,
    min_ms: 20,
    max_ms: 400,
    capacity: 64,
};
/// What is said before the speech, to see that the call stands, in Hz.
const TONE: f64 = 440.0;
/// Silence behind the speech: what waits in a buffer of packets comes out by those behind it.
const TAIL: usize = 8_000;
/// Of a hundred words, so many more may be understood wrongly than behind baresip: one more packet in time or late is another word.
const MARGIN: usize = 4;
/// The same where there are few words: a sentence that the recogniser does not get counts for more.
const MARGIN_IN_PART: usize = 15;

const CLEAN: Trace = Trace {
    name: "clean",
    loss: 0,
    jitter: 0,
    seed: 0,
};

fn trace(loss: u64, voice: usize) -> Trace {
    Trace {
        name: "lossy",
        loss,
        jitter: JITTER,
        seed: voice as u64 + 1,
    }
}

/// The speech as packets of PCMU.
fn pcmu_packets(speech: &[i16]) -> Vec<Vec<u8>> {
    let frames = speech.chunks_exact(FRAME_SAMPLES).enumerate();
    frames
        .map(|(number, frame)| {
            let header = RtpHeader {
                marker: number == 0,
                payload_type: PayloadType::PCMU,
                sequence: Sequence(number as u16),
                timestamp: Timestamp((number * FRAME_SAMPLES) as u32),
                ssrc: 7,
            };
            let mut out = [0; MAX_PACKET];
            let write = |body: &mut [u8]| {
                Codec::Pcmu.encode(frame, body);
            };
            let len = header.write_with(FRAME_SAMPLES, &mut out, write).unwrap();
            out[..len].to_vec()
        })
        .collect()
}

/// The same in Opus with error correction, as the device sends it.
fn opus_packets(speech: &[i16]) -> Vec<Vec<u8>> {
    let side = |encoding: Encoding, number| Side {
        encoding,
        payload_type: PayloadType::new(number).unwrap(),
        events: None,
    };
    let (from, to) = (side(Encoding::Pcmu, 0), side(Encoding::Opus, 111));
    let mut transcoder = Transcoder::new(from, to, OpusSettings::default()).unwrap();
    let mut packets = Vec::new();
    for packet in pcmu_packets(speech) {
        let give = |packet: &[u8]| packets.push(packet.to_vec());
        transcoder.push(&packet, give).unwrap();
    }
    packets
}

/// What baresip writes down of a call with these packets.
fn baresip_hears(codec: Encoding, speech: &[i16], trace: &Trace) -> Vec<i16> {
    let ((baresip, place), packets, named) = match codec {
        Encoding::Opus => (
            Baresip::alone("opus/48000/2", TONE),
            opus_packets(speech),
            (111, "opus/48000/2"),
        ),
        _ => (
            Baresip::alone("PCMU", TONE),
            pcmu_packets(speech),
            (0, "PCMU/8000"),
        ),
    };
    baresip.logs("baresip is ready");
    let call = PlainCall::dials(place, named);
    call.sends(&packets, trace);
    call.hangs_up();
    let until = Instant::now() + LIMIT;
    loop {
        if let Some(heard) = baresip.recordings().into_iter().next()
            && heard.len() > speech.len() / 2
        {
            return heard;
        }
        assert!(
            Instant::now() < until,
            "nothing is written:\n{}",
            baresip.log()
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// A call through the gateway, in which device and phone say the same at once, each through such a network: what the phone and the
/// device hear.
async fn gateway_hears(codec: Encoding, speech: &[i16], trace: Trace) -> [Vec<i16>; 2] {
    let skill = Arc::new(Skill::start().await);
    let phone = Phone::over([trace, CLEAN], PATIENT);
    let place: SocketAddr = phone.address;
    let settings = skill.settings(&format!(
        "codecs = [\"PCMU\"]\n[[gateway.route]]\naddress = \"desk\"\nuri = \"sip:desk@{place}\"\n"
    ));
    let bench = Bench::with(Handler::absent(), None, &settings, |config| {
        // Above what the system gives away by itself: so many legs at once must not take the ports of other tests.
        config.rtp.ports = PortRange::new(62_000, 64_999).unwrap();
    })
    .await;
    let offering = Device::offering_over(&[codec], [trace, CLEAN], PATIENT);
    let control = bench.sidecar.control();
    let room = Room::calls_with(&skill, control, "s-1", "desk", offering).await;
    room.gets_through().await;
    let heard = tokio::task::block_in_place(|| {
        let device = &room.device;
        phone.mute(false);
        device.mute(false);
        device.hears(TONE);
        phone.hears(TONE);
        phone.mute(true);
        device.mute(true);
        device.hears_nothing();
        phone.hears_nothing();
        device.forget_heard();
        phone.forget_heard();
        device.say(speech);
        phone.say(speech);
        // Who hears goes on by the clock, whatever comes.
        let enough = speech.len() + 2 * TAIL;
        let limit = Instant::now() + 2 * LIMIT;
        while device.heard().len() < enough || phone.seen(|state| state.heard.len() < enough) {
            assert!(Instant::now() < limit, "{device:?}");
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        [phone.wait("speech", |_| true).heard, device.heard()]
    });
    room.hangs_up("SUCCESS").await;
    bench.nothing_is_left().await;
    heard
}

/// Who has heard, in the order of the table's columns.
const HEARERS: [&str; 5] = [
    "Opus, gateway",
    "Opus, baresip",
    "PCMU to Opus, gateway",
    "PCMU, media session",
    "PCMU, baresip",
];

/// What each of them has heard of one voice.
async fn all_hear(voice: usize, loss: u64) -> [Vec<i16>; 5] {
    let mut speech = spoken(SAID, VOICES[voice]);
    speech.extend([0; TAIL]);
    let speech: Arc<[i16]> = speech.into();
    let trace = trace(loss, voice);
    let baresip = |codec| {
        let speech = Arc::clone(&speech);
        tokio::task::spawn_blocking(move || baresip_hears(codec, &speech, &trace))
    };
    let gateway = |codec| {
        let speech = Arc::clone(&speech);
        tokio::spawn(async move { gateway_hears(codec, &speech, trace).await })
    };
    let reference = [baresip(Encoding::Opus), baresip(Encoding::Pcmu)];
    let ours = [gateway(Encoding::Opus), gateway(Encoding::Pcmu)];
    let [opus, pcmu] = ours;
    let ([to_phone, to_device], [passed, _]) = (opus.await.unwrap(), pcmu.await.unwrap());
    let [opus, pcmu] = reference;
    let (opus, pcmu) = (opus.await.unwrap(), pcmu.await.unwrap());
    [to_phone, opus, to_device, passed, pcmu]
}

/// How many voices, with which losses, within which margin.
fn what_is_heard() -> (usize, &'static [u64], usize) {
    match std::env::var_os("SKILLCALL_SPEECH") {
        Some(_) => (VOICES.len(), &LOSSES, MARGIN),
        None => (IN_PART.0, IN_PART.1, MARGIN_IN_PART),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn speech_is_understood_where_baresip_s_is() {
    let (voices, losses, margin) = what_is_heard();
    let mut recordings = Vec::new();
    for &loss in losses {
        let hearings: Vec<_> = (0..voices)
            .map(|voice| tokio::spawn(all_hear(voice, loss)))
            .collect();
        let mut all = [const { Vec::new() }; HEARERS.len()];
        for hearing in hearings {
            for (of_hearer, heard) in all.iter_mut().zip(hearing.await.unwrap()) {
                of_hearer.push(heard);
            }
        }
        recordings.extend(all.into_iter().flatten());
    }
    let texts = tokio::task::block_in_place(|| recognise(&recordings));
    let wrong: Vec<usize> = texts
        .chunks(voices)
        .map(|voices| voices.iter().map(|text| wrong_words(text)).sum())
        .collect();
    let said = said_words() * voices;
    println!("words wrong of {said}, up to {JITTER} ms of jitter");
    println!("| loss | {} |", HEARERS.join(" | "));
    for (loss, row) in losses.iter().zip(wrong.chunks(HEARERS.len())) {
        let row: Vec<String> = row.iter().map(ToString::to_string).collect();
        println!("| {loss} % | {} |", row.join(" | "));
    }
    let room = margin * said / 100;
    for (at, (loss, row)) in losses.iter().zip(wrong.chunks(HEARERS.len())).enumerate() {
        let &[_, opus_baresip, _, _, pcmu_baresip] = row else {
            panic!("a row of the table");
        };
        for (ours, theirs) in [(0, opus_baresip), (2, pcmu_baresip), (3, pcmu_baresip)] {
            let from = (at * HEARERS.len() + ours) * voices;
            assert!(
                row[ours] <= theirs + room,
                "{loss} %, {}: {} of {said} words are wrong, behind baresip {theirs}: {:#?}, recorded in {}",
                HEARERS[ours],
                row[ours],
                &texts[from..from + voices],
                kept(&recordings[from..from + voices]).display(),
            );
        }
    }
}

/// Recordings that stay, to be heard.
fn kept(recordings: &[Vec<i16>]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lossy-speech");
    std::fs::create_dir_all(&folder).unwrap();
    for (voice, samples) in recordings.iter().enumerate() {
        let file = folder.join(format!("{}.wav", VOICES[voice]));
        std::fs::write(file, wav::to_bytes(samples, 1).unwrap()).unwrap();
    }
    folder
}
