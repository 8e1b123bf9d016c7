//! What is said at one end is heard at the other: found there by correlation, not by its loudness.

use std::path::{Path, PathBuf};

use skillcall_host_tests::{Stage, Staging, plans, sound, undisturbed, until};
use skillcall_media::{SAMPLE_RATE, resample, wav};
use skillcall_sidecar::speech::{EspeakNg, SpeechEngine as _, SpeechRequest, Voices};
use skillcall_simulator::line::{CallState, Voice};

/// Likeness above which a sentence is the one that was said: G.711 alone leaves more than 0.99.
const SAID: f64 = 0.9;
/// Likeness below which it was not: another sentence of the same language and level stays far below.
const NOT_SAID: f64 = 0.4;

fn voice(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/voice")
        .join(name)
}

/// Three seconds of a voice's sentence, from its beginning.
fn sentence(name: &str) -> Vec<i16> {
    let audio = wav::read_file(&voice(name)).expect("the voice");
    let begin = audio
        .samples
        .iter()
        .position(|sample| sample.unsigned_abs() > 500)
        .expect("it says something");
    audio.samples[begin..begin + 3 * SAMPLE_RATE as usize].to_vec()
}

async fn is_heard(stage: &Stage, call: &str, sentence: &[i16]) {
    until(&format!("the sentence in {call}"), async || {
        let heard = stage.simulator.heard(call)?;
        (sound::likeness(sentence, &heard) > SAID).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_end_of_a_bridge_hears_the_others_sentence_and_so_does_the_recording() {
    undisturbed(async || {
        let staging = Staging::new(plans::menu()).simulator(|simulator| {
            simulator.device.voice = Voice::Wav {
                file: voice("guest.wav"),
            };
            if let Some(phone) = &mut simulator.phone {
                phone.voice = Voice::Wav {
                    file: voice("desk.wav"),
                };
            }
        });
        let stage = staging.start().await;
        let (guest, desk) = (sentence("guest.wav"), sentence("desk.wav"));
        let (_, call) = stage.call().await;
        stage.control.running("SpeakAndGetDigits").await;
        stage.simulator.press(&call.id, "1").await.expect("pressed");
        let phone = stage.phone(CallState::Talking).await;
        is_heard(&stage, &phone.id, &guest).await;
        is_heard(&stage, &call.id, &desk).await;
        stage.simulator.hang_up(&call.id).await.expect("hung up");
        stage.over(&phone.id).await;
        stage.quiet().await;

        let ends = [(&call, &desk, &guest), (&phone, &guest, &desk)];
        for (end, others, own) in ends {
            let heard = stage.simulator.heard(&end.id).expect("what was heard");
            assert!(sound::likeness(others, &heard) > SAID);
            let echo = sound::likeness(own, &heard);
            assert!(echo < NOT_SAID, "nobody hears himself: {echo}");
        }
        let recordings = sound::recordings(&stage.recordings());
        assert_eq!(recordings.len(), 1, "{recordings:?}");
        let (left, right) = sound::stereo(&recordings[0]);
        for (channel, said, other) in [(&left, &guest, &desk), (&right, &desk, &guest)] {
            let (is, is_not) = (
                sound::likeness(said, channel),
                sound::likeness(other, channel),
            );
            assert!(is > SAID && is_not < NOT_SAID, "{is} {is_not}");
        }
        stage.end().await;
    })
    .await;
}

/// What the engine makes of a text, at the line's rate.
async fn spoken(text: &str, voice: &str, language: Option<&str>) -> Vec<i16> {
    let engine = EspeakNg::new("espeak-ng".into(), Voices::default());
    let request = SpeechRequest {
        text: text.to_owned(),
        ssml: false,
        voice: voice.to_owned(),
        language: language.map(str::to_owned),
    };
    let rendered = engine.render(&request).await.expect("it is rendered");
    resample::resample(&rendered.samples, rendered.rate, SAMPLE_RATE).expect("a known rate")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_device_hears_the_greeting_and_then_the_menu() {
    undisturbed(async || {
        let stage = Staging::new(plans::EXAMPLE).start().await;
        let greeting = spoken("Welcome to the Harbour Hotel.", "Joanna", Some("en-US")).await;
        let menu = spoken(
            "Press 1 for the desk, 2 to leave a message.",
            "Joanna",
            Some("en-US"),
        )
        .await;
        let never = spoken("Sorry, I did not get that.", "Joanna", Some("en-US")).await;
        let (_, call) = stage.call().await;
        is_heard(&stage, &call.id, &greeting).await;
        is_heard(&stage, &call.id, &menu).await;
        let heard = stage.simulator.heard(&call.id).expect("what was heard");
        let at = |sentence: &[i16]| {
            skillcall_media::tone::find(sentence, &heard)
                .expect("it was heard")
                .lag
        };
        assert!(
            at(&greeting) + greeting.len() <= at(&menu) + SAMPLE_RATE as usize / 10,
            "one after the other: {} {}",
            at(&greeting),
            at(&menu)
        );
        let other = sound::likeness(&never, &heard);
        assert!(other < NOT_SAID, "what was not said is not heard: {other}");
        stage.simulator.hang_up(&call.id).await.expect("hung up");
        stage.end().await;
    })
    .await;
}
