//! Finds digits in the audio itself, for peers that agreed on no telephone events (ITU-T Q.23, Q.24).
//!
//! Windows of 12.75 ms, each half over the one before, are measured at the eight frequencies. A digit is four windows
//! in a row in which one tone of each group holds nearly all of the energy, both are about as loud as the other, both
//! are steady, and both have the frequency that they must have, by the advance of their phases. Speech and music have
//! two such tones for an instant, but not for 32 ms with the right frequencies and nothing beside them.

use std::f32::consts::TAU;

use super::Digit;
use crate::SAMPLE_RATE;

/// Samples of a window.
const WINDOW: usize = 102;
/// Samples from one window to the next.
const HOP: usize = 51;
/// Windows in a row that make a digit: 32 ms, so that 40 ms always suffice and 23 ms never do (Q.24).
const NEEDED: u8 = 4;
/// Windows in a row without the tones that end a digit: 25 ms (Q.24: pauses of 40 ms and more must part digits).
const ENDING: u8 = 3;
/// The share of the energy that the two tones must hold.
const SHARE: f32 = 0.86;
/// How much louder one tone may be than the other: 9 dB (Q.24: 4 to 8 dB).
const TWIST: f32 = 7.9;
/// How far a tone's power may move between windows: 4 dB.
const STEADY: f32 = 2.5;
/// Least amplitude of a tone: about −31 dBm0.
const FAINTEST: f32 = 650.0;
/// How far off a frequency may be (Q.24: 1.5 % must be taken, 3.5 % refused), and in Hz on top of it, because the
/// measure itself is not exact.
const OFF: f32 = 0.019;
const OFF_HZ: f32 = 4.0;

const FREQUENCIES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
/// By row and column of the keypad.
const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];

/// A window at one frequency.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    re: f32,
    im: f32,
}

impl Line {
    /// The energy of the pure tone that would give this.
    fn energy(self) -> f32 {
        (self.re * self.re + self.im * self.im) * 2.0 / WINDOW as f32
    }

    fn phase(self) -> f32 {
        self.im.atan2(self.re)
    }
}

#[derive(Clone, Copy, Debug)]
struct Tones {
    row: usize,
    column: usize,
    low: f32,
    high: f32,
}

/// Finds each digit once, when it has sounded for 32 ms.
#[derive(Clone, Debug)]
pub struct ToneDetector {
    samples: [f32; WINDOW],
    filled: usize,
    lines: Option<[Line; 8]>,
    /// The tones of the latest window, and how many windows in a row had them.
    run: Option<(Tones, u8)>,
    /// The digit that was reported and still sounds, and for how many windows it has not been heard.
    sounding: Option<((usize, usize), u8)>,
}

impl Default for ToneDetector {
    fn default() -> Self {
        Self {
            samples: [0.0; WINDOW],
            filled: 0,
            lines: None,
            run: None,
            sounding: None,
        }
    }
}

impl ToneDetector {
    /// A detector that has heard nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes samples in the order in which they were heard; a digit that has now sounded for long enough. Give it no
    /// more than a frame at a time: two digits do not fit into it.
    pub fn push(&mut self, samples: &[i16]) -> Option<Digit> {
        let mut found = None;
        for &sample in samples {
            if let Some(place) = self.samples.get_mut(self.filled) {
                *place = sample.into();
            }
            self.filled += 1;
            if self.filled == WINDOW {
                found = self.window().or(found);
                self.samples.copy_within(HOP.., 0);
                self.filled = WINDOW - HOP;
            }
        }
        found
    }

    fn window(&mut self) -> Option<Digit> {
        let lines = measure(&self.samples);
        let before = self.lines.replace(lines);
        let energy: f32 = self.samples.iter().map(|sample| sample * sample).sum();
        let tones = before.and_then(|before| tones(&before, &lines, energy));
        if let Some((sounding, missed)) = &mut self.sounding {
            match tones {
                Some(tones) if (tones.row, tones.column) == *sounding => *missed = 0,
                _ => *missed += 1,
            }
            if *missed >= ENDING {
                self.sounding = None;
            }
        }
        let Some(tones) = tones else {
            self.run = None;
            return None;
        };
        let windows = match &self.run {
            Some((last, windows)) if last.is_followed_by(&tones) => windows.saturating_add(1),
            // The measure of the phases takes two windows, so that this is the second.
            _ => 2,
        };
        self.run = Some((tones, windows));
        let key = (tones.row, tones.column);
        if windows < NEEDED || self.sounding.is_some_and(|(sounding, _)| sounding == key) {
            return None;
        }
        self.sounding = Some((key, 0));
        let key = KEYS.get(tones.row)?.get(tones.column)?;
        Digit::from_char(*key)
    }
}

impl Tones {
    fn is_followed_by(&self, next: &Self) -> bool {
        let steady = |a: f32, b: f32| a < b * STEADY && b < a * STEADY;
        (self.row, self.column) == (next.row, next.column)
            && steady(self.low, next.low)
            && steady(self.high, next.high)
    }
}

fn measure(samples: &[f32; WINDOW]) -> [Line; 8] {
    FREQUENCIES.map(|frequency| {
        // A phasor that turns by one sample's angle; 102 turns lose nothing that matters.
        let (step_im, step_re) = (-TAU * frequency / SAMPLE_RATE as f32).sin_cos();
        let (mut re, mut im) = (1.0_f32, 0.0_f32);
        let mut line = Line::default();
        for sample in samples {
            line.re += sample * re;
            line.im += sample * im;
            (re, im) = (re * step_re - im * step_im, re * step_im + im * step_re);
        }
        line
    })
}

/// The tones of a digit, if these two windows have them and nothing else.
fn tones(before: &[Line; 8], now: &[Line; 8], energy: f32) -> Option<Tones> {
    let (low, high) = now.split_at(4);
    let (row, column) = (strongest(low), strongest(high));
    let column_line = column + 4;
    let (low_off, high_off) = (offset(row, before, now)?, offset(column_line, before, now)?);
    let near = |line: usize, off: f32| off.abs() <= FREQUENCIES[line] * OFF + OFF_HZ;
    if !near(row, low_off) || !near(column_line, high_off) {
        return None;
    }
    let low = now.get(row)?.energy() / loss(low_off);
    let high = now.get(column_line)?.energy() / loss(high_off);
    let faintest = FAINTEST * FAINTEST * WINDOW as f32 / 2.0;
    let pure = low.min(high) >= faintest
        && low <= high * TWIST
        && high <= low * TWIST
        && low + high >= energy * SHARE;
    pure.then_some(Tones {
        row,
        column,
        low,
        high,
    })
}

fn strongest(lines: &[Line]) -> usize {
    lines
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.energy().total_cmp(&b.1.energy()))
        .map_or(0, |(index, _)| index)
}

/// By how many Hz the tone near a line is off it: how much further its phase went from one window to the next.
fn offset(line: usize, before: &[Line; 8], now: &[Line; 8]) -> Option<f32> {
    let expected = TAU * FREQUENCIES.get(line)? * HOP as f32 / SAMPLE_RATE as f32;
    let turned = now.get(line)?.phase() - before.get(line)?.phase() - expected;
    let turned = turned - (turned / TAU).round() * TAU;
    Some(turned * SAMPLE_RATE as f32 / (TAU * HOP as f32))
}

/// The share of a tone's energy that is left at a line when it is off by so many Hz.
fn loss(off_hz: f32) -> f32 {
    let x = std::f32::consts::PI * off_hz * WINDOW as f32 / SAMPLE_RATE as f32;
    if x.abs() < 1e-3 {
        1.0
    } else {
        (x.sin() / x).powi(2).max(0.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::session::Random;
    use crate::tone::tones as sines;

    fn heard(samples: &[i16]) -> String {
        let mut detector = ToneDetector::new();
        let mut digits: String = samples
            .chunks(160)
            .filter_map(|frame| detector.push(frame))
            .map(Digit::as_char)
            .collect();
        digits.extend(detector.push(&[0; 1600]).map(Digit::as_char));
        digits
    }

    fn ms(millis: usize) -> usize {
        millis * 8
    }

    /// Two tones with levels in dBov, and silence behind them.
    fn key(low: (f64, f64), high: (f64, f64), millis: usize, gap: usize) -> Vec<i16> {
        let low = sines(&[low.0], low.1, ms(millis));
        let high = sines(&[high.0], high.1, ms(millis));
        let mut key: Vec<i16> = low.iter().zip(high).map(|(a, b)| a + b).collect();
        key.extend(vec![0; ms(gap)]);
        key
    }

    fn frequencies(digit: Digit) -> (f64, f64) {
        let (low, high) = digit.frequencies();
        (low.into(), high.into())
    }

    #[test]
    fn every_digit_of_forty_milliseconds_and_more_is_found_once() {
        for millis in [40, 50, 97, 250, 2000] {
            // At every place of the windows.
            for delay in [0, 7, 23, 40] {
                let mut line = vec![0; ms(20) + delay];
                for digit in Digit::all() {
                    let (low, high) = frequencies(digit);
                    line.extend(key((low, -16.0), (high, -16.0), millis, 40));
                }
                assert_eq!(heard(&line), "0123456789*#ABCD", "{millis} ms, {delay}");
            }
        }
        assert_eq!(heard(&key((697.0, -16.0), (1209.0, -16.0), 22, 100)), "");
    }

    #[test]
    fn the_same_digit_twice_is_two_digits() {
        let one = key((697.0, -16.0), (1209.0, -16.0), 60, 45);
        assert_eq!(heard(&one.repeat(5)), "11111");
    }

    #[test]
    fn levels_twist_and_frequencies_are_those_of_q_24() {
        let five = |low_db, high_db, off: f64| {
            heard(&key(
                (770.0 * (1.0 + off), low_db),
                (1336.0 * (1.0 + off), high_db),
                60,
                60,
            ))
        };
        for level in [-30.0, -20.0, -9.0] {
            for off in [-0.015, 0.0, 0.015] {
                assert_eq!(five(level, level, off), "5", "{level} dB, {off}");
            }
        }
        assert_eq!(five(-20.0, -14.0, 0.0), "5");
        assert_eq!(five(-14.0, -20.0, 0.0), "5");
        assert_eq!(five(-10.0, -22.0, 0.0), "", "one tone alone is no digit");
        assert_eq!(five(-45.0, -45.0, 0.0), "", "too faint");
        for off in [-0.035, 0.035] {
            assert_eq!(five(-16.0, -16.0, off), "", "{off}");
        }
        // Off by more than it may be in one group alone.
        assert_eq!(heard(&key((770.0, -16.0), (1390.0, -16.0), 80, 60)), "");
    }

    #[test]
    fn noise_and_codecs_do_not_hide_digits() {
        let mut random = Random::new(7);
        for codec in Codec::ALL {
            let mut line = Vec::new();
            for digit in Digit::all() {
                let (low, high) = frequencies(digit);
                line.extend(key((low, -18.0), (high, -18.0), 70, 60));
            }
            // About 20 dB below the digits.
            for sample in &mut line {
                *sample += ((random.unit() - 0.5) * 2200.0) as i16;
                *sample = codec.decode_sample(codec.encode_sample(*sample));
            }
            assert_eq!(heard(&line), "0123456789*#ABCD", "{codec:?}");
        }
    }

    #[test]
    fn dial_tones_ringing_and_a_third_tone_are_no_digits() {
        for others in [
            &[350.0, 440.0][..],
            &[440.0, 480.0],
            &[480.0, 620.0],
            &[697.0],
            &[1209.0],
            &[697.0, 770.0],
            &[697.0, 1209.0, 1900.0],
            &[941.0, 1336.0, 400.0],
            // A voice of 150 Hz whose formants lie at a digit's tones.
            &[150.0, 300.0, 697.0, 1209.0, 1350.0],
        ] {
            assert_eq!(heard(&sines(others, -18.0, ms(3000))), "", "{others:?}");
        }
        let mut random = Random::new(3);
        let noise: Vec<i16> = (0..ms(60_000))
            .map(|_| ((random.unit() - 0.5) * 20_000.0) as i16)
            .collect();
        assert_eq!(heard(&noise), "");
        // A whistle and its fifth that glide through all of it.
        let mut phase = 0.0_f64;
        let glide: Vec<i16> = (0..ms(20_000))
            .map(|n| {
                phase += 0.3 + n as f64 / f64::from(20_000 * 8);
                (phase.sin() * 8000.0 + (phase * 1.5).sin() * 8000.0) as i16
            })
            .collect();
        assert_eq!(heard(&glide), "");
    }
}
