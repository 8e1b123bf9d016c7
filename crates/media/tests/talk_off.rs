//! Talk-off: speech in many voices holds no digit, and digits under speech's pauses are still found.
//!
//! `TALK_OFF_MINUTES=60` makes it an hour; 3 minutes is what every run takes.

use std::io::Write;
use std::process::{Command, Stdio};

use skillcall_media::dtmf::{Digit, ToneDetector, audible};
use skillcall_media::{FRAME_SAMPLES, SAMPLE_RATE, resample, tone};

const WORDS: &[&str] = &[
    "zero", "one", "two", "three", "seven", "alarm", "moon", "window", "oh", "aha", "mama",
    "orange", "yellow", "you", "whale", "willow", "memory", "number", "please", "operator",
    "thank", "again", "eleven", "hello", "mill", "loom", "winning", "rural", "juror", "beer",
    "easy", "ooze", "eerie", "low", "row", "annual", "January", "question", "engine", "oil",
];
/// Voices and their pitch.
const VOICES: &[(&str, u8)] = &[
    ("en-us", 50),
    ("en-us+f3", 60),
    ("en-us+m7", 20),
    ("en-gb+f5", 80),
    ("de+f2", 70),
    ("es+m3", 35),
    ("it+f4", 99),
    ("fr-fr", 10),
];

/// About a minute of speech at 8 kHz.
fn speech(seed: usize) -> Vec<i16> {
    let (voice, pitch) = VOICES[seed % VOICES.len()];
    let mut state = seed as u64 + 1;
    let text: Vec<&str> = (0..170)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            WORDS[(state >> 33) as usize % WORDS.len()]
        })
        .collect();
    let mut child = Command::new("espeak-ng")
        .args(["--stdin", "--stdout", "-v", voice, "-p", &pitch.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("espeak-ng (apt-get install espeak-ng)");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.join(" ").as_bytes()).unwrap();
    drop(stdin);
    let wav = child.wait_with_output().unwrap().stdout;
    let rate = u32::from_le_bytes(wav[24..28].try_into().unwrap());
    let samples: Vec<i16> = wav[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    resample::resample(&samples, rate, SAMPLE_RATE).unwrap()
}

#[test]
fn speech_holds_no_digits() {
    let minutes =
        std::env::var("TALK_OFF_MINUTES").map_or(3, |minutes| minutes.parse::<usize>().unwrap());
    let mut heard = 0;
    let mut seed = 0;
    let mut found = Vec::new();
    while heard < minutes * 60 * SAMPLE_RATE as usize {
        let samples = speech(seed);
        assert!(tone::level_dbov(&samples) > -40.0, "silence was rendered");
        heard += samples.len();
        let mut detector = ToneDetector::new();
        for (n, frame) in samples.chunks(FRAME_SAMPLES).enumerate() {
            let digit = detector.push(frame);
            found.extend(digit.map(|digit| (seed, n * 20, digit)));
        }
        seed += 1;
    }
    assert!(found.is_empty(), "(seed, ms, digit): {found:?}");
}

#[test]
fn digits_between_words_are_found() {
    let mut line = speech(1);
    let pause = vec![0; 800];
    for (at, digits) in [(5, "12"), (20, "9#")] {
        let at = at * SAMPLE_RATE as usize;
        let pressed: Vec<i16> = pause
            .iter()
            .copied()
            .chain(audible(digits, 80))
            .chain(pause.iter().copied())
            .collect();
        line.splice(at..at, pressed);
    }
    let mut detector = ToneDetector::new();
    let found: String = line
        .chunks(FRAME_SAMPLES)
        .filter_map(|frame| detector.push(frame))
        .map(Digit::as_char)
        .collect();
    assert_eq!(found, "129#");
}
