//! Speech through networks that lose and delay: what a recogniser understands of it behind the gateway, and behind baresip, which got
//! the same packets at the same times.
//!
//! `make speech` makes the table of `docs/gateway.md`, by calls that take their time. What is judged are the same packets through the
//! same media path by a clock of the test's own, so that no machine is too slow for it.

mod support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skillcall_media::codec::Codec;
use skillcall_media::encoding::Encoding;
use skillcall_media::jitter::JitterConfig;
use skillcall_media::rtp::{MAX_PACKET, PayloadType, RtpHeader, Sequence, Timestamp};
use skillcall_media::session::{AudioSession, Format, SessionConfig};
use skillcall_media::transcode::{OpusSettings, Side, Transcoder};
use skillcall_media::{FRAME_SAMPLES, SILENT_FRAME, wav};
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
/// What is heard against figures: packets lost of a hundred, and words wrong of a hundred behind baresip (`docs/gateway.md`), in Opus and
/// in PCMU.
const BARESIP: (u64, usize, usize) = (5, 8, 8);
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

fn side(encoding: Encoding, number: u8) -> Side {
    Side {
        encoding,
        payload_type: PayloadType::new(number).unwrap(),
        events: None,
    }
}

fn transcoder(from: Side, to: Side) -> Transcoder {
    Transcoder::new(from, to, OpusSettings::default()).unwrap()
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
    let mut transcoder = transcoder(side(Encoding::Pcmu, 0), side(Encoding::Opus, 111));
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
        std::thread::sleep(Duration::from_millis(50));
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
            std::thread::sleep(Duration::from_millis(200));
        }
        [phone.wait("speech", |_| true).heard, device.heard()]
    });
    room.hangs_up("SUCCESS").await;
    bench.nothing_is_left().await;
    heard
}

/// Who has heard, in the order of the table's columns.
const HEARERS: [&str; 8] = [
    "Opus, gateway",
    "Opus, baresip",
    "PCMU to Opus, gateway",
    "PCMU, media session",
    "PCMU, baresip",
    "Opus, own clock",
    "PCMU to Opus, own clock",
    "PCMU, own clock",
];
/// So many of them are called.
const CALLED: usize = 5;
/// Who of them is judged, and by whom.
const JUDGED: [(usize, usize); 3] = [(5, 1), (6, 4), (7, 4)];

/// What those of them who are called have heard of one voice.
async fn all_hear(voice: usize, loss: u64) -> [Vec<i16>; CALLED] {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "calls of some minutes that a busy machine disturbs: `make speech`"]
async fn speech_is_understood_where_baresip_s_is() {
    let voices = VOICES.len();
    let mut recordings = Vec::new();
    for loss in LOSSES {
        let hearings: Vec<_> = (0..voices)
            .map(|voice| tokio::spawn(all_hear(voice, loss)))
            .collect();
        let mut all = [const { Vec::new() }; HEARERS.len()];
        for hearing in hearings {
            for (of_hearer, heard) in all.iter_mut().zip(hearing.await.unwrap()) {
                of_hearer.push(heard);
            }
        }
        // When no call is disturbed by it.
        for voice in 0..voices {
            let own = tokio::task::block_in_place(|| heard_by_own_clock(voice, loss));
            for (of_hearer, heard) in all[CALLED..].iter_mut().zip(own) {
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
    for (loss, row) in LOSSES.iter().zip(wrong.chunks(HEARERS.len())) {
        let row: Vec<String> = row.iter().map(ToString::to_string).collect();
        println!("| {loss} % | {} |", row.join(" | "));
    }
    let room = MARGIN * said / 100;
    for (at, (loss, row)) in LOSSES.iter().zip(wrong.chunks(HEARERS.len())).enumerate() {
        for (ours, theirs) in JUDGED {
            let theirs = row[theirs];
            let row_from = at * HEARERS.len() * voices;
            let from = row_from + ours * voices;
            assert!(
                row[ours] <= theirs + room,
                "{loss} %, {}: {} of {said} words are wrong, behind baresip {theirs}: {:#?}, recorded in {}",
                HEARERS[ours],
                row[ours],
                &texts[from..from + voices],
                kept(&recordings[row_from..][..HEARERS.len() * voices], voices).display(),
            );
        }
    }
}

/// What is heard of packets that come as the trace says and pass these transcoders, by a clock of the test's own.
fn heard_of(packets: &[Vec<u8>], trace: Trace, transcoders: &mut [Transcoder]) -> Vec<i16> {
    let mut config = SessionConfig::new(Format::new(Codec::Pcmu, None), 7);
    config.jitter = PATIENT;
    let begin = Instant::now();
    let mut session = AudioSession::new(config, begin);
    session.listen(true);
    let mut arrivals = trace.arrivals(packets.len()).into_iter().peekable();
    let mut heard = Vec::new();
    for tick in 0..packets.len() + PATIENT.max_ms as usize / 20 {
        let now = Duration::from_millis(20 * tick as u64);
        while let Some((at, packet)) = arrivals.next_if(|(at, _)| *at <= now) {
            let mut passing = vec![packets[packet].clone()];
            for transcoder in &mut *transcoders {
                let mut passed = Vec::new();
                for packet in passing {
                    // What is late leads to nothing.
                    let _ = transcoder.push(&packet, |packet| passed.push(packet.to_vec()));
                }
                passing = passed;
            }
            for packet in passing {
                let _ = session.receive_rtp(begin + at, &packet);
            }
        }
        let mut frame = SILENT_FRAME;
        session.hear(&mut frame);
        heard.extend(frame);
    }
    heard
}

/// What is heard of one voice in Opus, of PCMU that becomes Opus on the way, and of PCMU, by a clock of the test's own. A second of
/// silence goes before the speech: nobody speaks before the call stands.
fn heard_by_own_clock(voice: usize, loss: u64) -> [Vec<i16>; 3] {
    let pcmu = || side(Encoding::Pcmu, 0);
    let opus = || side(Encoding::Opus, 111);
    let silence = [0; TAIL];
    let speech = [&silence, spoken(SAID, VOICES[voice]).as_slice(), &silence].concat();
    let (trace, plain) = (trace(loss, voice), pcmu_packets(&speech));
    let decoded = &mut [transcoder(opus(), pcmu())];
    let through = &mut [transcoder(pcmu(), opus()), transcoder(opus(), pcmu())];
    [
        heard_of(&opus_packets(&speech), trace, decoded),
        heard_of(&plain, trace, through),
        heard_of(&plain, trace, &mut []),
    ]
}

#[test]
fn speech_is_understood_as_the_figures_of_baresip_have_it() {
    let (loss, opus_baresip, pcmu_baresip) = BARESIP;
    let mut recordings = [const { Vec::new() }; 3];
    for voice in 0..VOICES.len() {
        for (of_path, heard) in recordings.iter_mut().zip(heard_by_own_clock(voice, loss)) {
            of_path.push(heard);
        }
    }
    let said = said_words() * VOICES.len();
    let texts = recognise(&recordings.concat());
    let most = [opus_baresip, pcmu_baresip, pcmu_baresip].map(|it| (it + MARGIN) * said / 100);
    let names = ["Opus", "PCMU to Opus", "PCMU"];
    for ((texts, name), most) in texts.chunks(VOICES.len()).zip(names).zip(most) {
        let wrong: usize = texts.iter().map(|text| wrong_words(text)).sum();
        println!("{loss} %, {name}: {wrong} of {said} words are wrong");
        assert!(
            wrong <= most,
            "{name}: {wrong} of {said} words are wrong, at most {most} would be right: {texts:#?}"
        );
    }
}

/// Recordings that stay, to be heard: those of each who heard, voice by voice.
fn kept(recordings: &[Vec<i16>], voices: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lossy-speech");
    std::fs::create_dir_all(&folder).unwrap();
    for (at, samples) in recordings.iter().enumerate() {
        let (hearer, voice) = (HEARERS[at / voices], VOICES[at % voices]);
        let file = folder.join(format!("{hearer}, {voice}.wav"));
        std::fs::write(file, wav::to_bytes(samples, 1).unwrap()).unwrap();
    }
    folder
}
