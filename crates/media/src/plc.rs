//! Packet loss concealment for G.711, after the manner of ITU-T G.711 Appendix I: the last pitch period is repeated, fades out within
//! 60 ms, and is blended into the first good frame.
//!
//! Two things are done otherwise. Appendix I delays all audio by a quarter of a period to make the first joint smooth; here nothing
//! is delayed, and a repetition begins from the sample beside it. And where what follows a loss is there already, as it mostly is in
//! a jitter buffer, its first pitch period is repeated backwards, and the one goes over into the other: the end of a lost frame is
//! more like what comes after it than like what came before.

#[cfg(test)]
use crate::FRAME_SAMPLES;

/// Longest pitch period that is looked for: 66 Hz.
const LONGEST_PERIOD: usize = 120;
/// Shortest: 200 Hz; a higher voice is repeated by several of its periods.
const SHORTEST_PERIOD: usize = 40;
/// Samples compared to find the period: 20 ms.
const COMPARED: usize = 160;
/// Least samples that are compared, where there are no more.
const LEAST_COMPARED: usize = 40;
const HISTORY: usize = LONGEST_PERIOD + COMPARED;
/// Samples at full volume, before the fade begins.
const HELD: usize = 80;
/// Samples until silence.
const FADED: usize = 480;
/// Samples over which the first good frame is blended in: 2 ms.
const BLENDED: usize = 16;

/// Keeps what was heard last, and fills in for what is missing.
#[derive(Clone, Debug)]
pub struct Concealment {
    /// What was heard last, what was made up included.
    history: [i16; HISTORY],
    /// The history as it was when the loss began, the latest sample first: what is repeated.
    before: [i16; HISTORY],
    period: usize,
    /// Samples made up since the last good frame.
    made: usize,
}

impl Default for Concealment {
    fn default() -> Self {
        Self {
            history: [0; HISTORY],
            before: [0; HISTORY],
            period: SHORTEST_PERIOD,
            made: 0,
        }
    }
}

impl Concealment {
    /// Takes samples that arrived. The first ones after a loss are blended with what was made up, in place.
    pub fn good(&mut self, samples: &mut [i16]) {
        if self.made > 0 {
            for (index, sample) in samples.iter_mut().enumerate().take(BLENDED) {
                let share = (index + 1) as f32 / (BLENDED + 1) as f32;
                let made = self.next_made();
                *sample = mixed(made, f32::from(*sample), share);
            }
            self.made = 0;
        }
        self.remember(samples);
    }

    /// Makes up samples in place of lost ones; silence after 60 ms. `next` is what follows on them, if it is there already; else it
    /// is empty.
    pub fn lost(&mut self, samples: &mut [i16], next: &[i16]) {
        if self.made == 0 {
            self.before = self.history;
            self.before.reverse();
            self.period = find_period(&self.before).unwrap_or(SHORTEST_PERIOD);
        }
        let after = find_period(next);
        let len = samples.len();
        for (index, sample) in samples.iter_mut().enumerate() {
            let made = self.next_made();
            *sample = match after {
                Some(period) => {
                    let made_of_next = repeated(next, period, len - index);
                    mixed(made, made_of_next, share_of_next(index, len))
                }
                None => made as i16,
            };
        }
        if after.is_some() {
            // It leads to what follows: nothing is to be blended.
            self.made = 0;
        }
        self.remember(samples);
    }

    /// Forgets what was heard: after a silence, nothing is repeated.
    pub fn silent(&mut self) {
        *self = Self::default();
    }

    fn remember(&mut self, samples: &[i16]) {
        let (_, latest) = samples.split_at(samples.len().saturating_sub(HISTORY));
        self.history.copy_within(latest.len().., 0);
        self.history[HISTORY - latest.len()..].copy_from_slice(latest);
    }

    fn next_made(&mut self) -> f32 {
        let gain = match self.made {
            0..HELD => 1.0,
            HELD..FADED => (FADED - self.made) as f32 / (FADED - HELD) as f32,
            _ => return 0.0,
        };
        self.made += 1;
        repeated(&self.before, self.period, self.made) * gain
    }
}

/// Two samples, the second by its share, 0 to 1.
fn mixed(one: f32, other: f32, share: f32) -> i16 {
    (one * (1.0 - share) + other * share) as i16
}

/// How much of a sample of `len` lost ones is made of what follows: nothing in the first quarter, all in the last.
fn share_of_next(index: usize, len: usize) -> f32 {
    let way = (index + 1) as f32 / (len + 1) as f32;
    ((way - 0.25) * 2.0).clamp(0.0, 1.0)
}

/// The first `period` samples of what is beside a loss, the nearest first, again and again: the sample so far in, from 1.
fn repeated(beside: &[i16], period: usize, distance: usize) -> f32 {
    let at = |index: usize| f32::from(beside.get(index).copied().unwrap_or_default());
    let quarter = period / 4;
    // How far it is to the next joint, where the period begins anew.
    let left = period - 1 - (distance - 1) % period;
    let sample = if left < quarter {
        // It leads to where the period begins.
        let share = (quarter - left) as f32 / (quarter + 1) as f32;
        at(left) * (1.0 - share) + at(left + period) * share
    } else {
        at(left)
    };
    if distance <= quarter {
        // It begins from the sample beside it, whose distance from where the period begins fades away.
        let share = distance as f32 / (quarter + 1) as f32;
        sample + (at(0) - at(period)) * (1.0 - share)
    } else {
        sample
    }
}

/// The lag at which the nearest samples, which come first, are most like those behind them. None: there are too few.
fn find_period(nearest: &[i16]) -> Option<usize> {
    let likeness = |lag: usize| {
        let (product, one, other) = nearest
            .iter()
            .zip(nearest.iter().skip(lag))
            .take(COMPARED)
            .fold((0i64, 1i64, 1i64), |(product, one, other), (&a, &b)| {
                let (a, b) = (i64::from(a), i64::from(b));
                (product + a * b, one + a * a, other + b * b)
            });
        product as f64 / (one as f64 * other as f64).sqrt()
    };
    let longest = nearest
        .len()
        .saturating_sub(LEAST_COMPARED)
        .min(LONGEST_PERIOD);
    (SHORTEST_PERIOD..=longest)
        .map(|lag| (lag, likeness(lag)))
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(lag, _)| lag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{level_dbov, power_at, sine};

    /// What has heard these samples.
    fn hearing(samples: &[i16]) -> Concealment {
        let mut concealment = Concealment::default();
        for chunk in samples.chunks_exact(FRAME_SAMPLES) {
            concealment.good(&mut chunk.to_vec());
        }
        concealment
    }

    /// The largest difference of neighbours.
    fn largest_step(samples: &[i16]) -> i32 {
        let steps = samples
            .windows(2)
            .map(|pair| (i32::from(pair[0]) - i32::from(pair[1])).abs());
        steps.max().unwrap_or(0)
    }

    #[test]
    fn a_lost_frame_goes_on_with_the_tone() {
        let tone = sine(200.0, -20.0, 800);
        let mut made = [0; FRAME_SAMPLES];
        hearing(&tone[..480]).lost(&mut made, &[]);
        assert!(
            power_at(&made, 200.0) > 0.8,
            "the made-up frame is no 200 Hz tone"
        );
        // Where the lost samples begin, the wave goes on without a step.
        let expected = &tone[480..500];
        for (made, wanted) in made.iter().zip(expected) {
            assert!(
                (i32::from(*made) - i32::from(*wanted)).abs() < 200,
                "{made} {wanted}"
            );
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence() {
        let mut concealment = hearing(&sine(300.0, -10.0, 320));
        let mut levels = Vec::new();
        for _ in 0..5 {
            let mut made = [0; FRAME_SAMPLES];
            concealment.lost(&mut made, &[]);
            levels.push(level_dbov(&made));
        }
        assert!(
            levels.windows(2).all(|pair| pair[1] <= pair[0]),
            "{levels:?}"
        );
        assert!(levels[3] < -90.0, "{levels:?}");
    }

    #[test]
    fn a_lost_frame_goes_over_into_what_follows() {
        // The voice changes within the loss: 150 Hz before, 110 Hz and louder after.
        let (before, after) = (sine(150.0, -25.0, 480), sine(110.0, -15.0, 480));
        let mut concealment = hearing(&before);
        let mut made = [0; FRAME_SAMPLES];
        concealment.lost(&mut made, &after[..FRAME_SAMPLES]);
        let mut next: Vec<i16> = after[..FRAME_SAMPLES].to_vec();
        concealment.good(&mut next);
        assert_eq!(next, after[..FRAME_SAMPLES], "nothing is blended into it");
        let (first, last) = made.split_at(FRAME_SAMPLES / 2);
        assert!(
            level_dbov(last) > level_dbov(first) + 4.0,
            "it grows louder: {} {}",
            level_dbov(first),
            level_dbov(last)
        );
        let all = [&before[320..], &made, &after[..FRAME_SAMPLES]].concat();
        let natural = largest_step(&after);
        assert!(largest_step(&all) < natural * 3 / 2, "a step");
    }

    #[test]
    fn what_begins_after_a_silence_is_led_up_to() {
        let after = sine(180.0, -15.0, FRAME_SAMPLES);
        let mut made = [0; FRAME_SAMPLES];
        Concealment::default().lost(&mut made, &after);
        assert!(made[..40].iter().all(|sample| *sample == 0), "{made:?}");
        assert!(power_at(&made[80..], 180.0) > 0.7);
    }

    #[test]
    fn two_losses_with_a_frame_between_them_are_one_time_line() {
        let tone = sine(125.0, -15.0, 1_600);
        let mut concealment = hearing(&tone[..640]);
        let mut all = Vec::new();
        for at in (640..1_280).step_by(FRAME_SAMPLES) {
            let mut frame = tone[at..at + FRAME_SAMPLES].to_vec();
            if (at / FRAME_SAMPLES).is_multiple_of(2) {
                concealment.lost(&mut frame, &[]);
            } else {
                concealment.good(&mut frame);
            }
            all.extend(frame);
        }
        assert!(power_at(&all, 125.0) > 0.95, "{}", power_at(&all, 125.0));
    }

    #[test]
    fn any_length_is_filled_and_followed() {
        let noise: Vec<i16> = (0..800i32)
            .map(|at| (at.wrapping_mul(7_919) % 20_011) as i16)
            .collect();
        for len in [1, 39, 80, 160, 480, 960] {
            for next in [0, 1, 79, 80, 81, 160, 320] {
                let mut concealment = hearing(&noise);
                let mut made = vec![0; len];
                concealment.lost(&mut made, &noise[..next]);
                concealment.good(&mut made);
                concealment.lost(&mut made, &noise[..next]);
            }
        }
    }

    #[test]
    fn the_loudest_samples_do_not_wrap_around() {
        let mut square = vec![i16::MAX; 60];
        square.extend([i16::MIN; 60]);
        let square: Vec<i16> = square.into_iter().cycle().take(480).collect();
        let mut made = [0; FRAME_SAMPLES];
        hearing(&square).lost(&mut made, &square[..FRAME_SAMPLES]);
        assert!(
            made[..20].iter().all(|sample| *sample == i16::MAX),
            "{made:?}"
        );
    }
}
