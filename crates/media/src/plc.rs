//! Packet loss concealment for G.711, after the manner of ITU-T G.711 Appendix I: the last pitch period is repeated,
//! fades out within 60 ms, and is blended into the first good frame.

#[cfg(test)]
use crate::FRAME_SAMPLES;

/// Longest pitch period that is looked for: 66 Hz.
const LONGEST_PERIOD: usize = 120;
/// Shortest: 200 Hz; a higher voice is repeated by several of its periods.
const SHORTEST_PERIOD: usize = 40;
/// Samples compared to find the period: 20 ms.
const COMPARED: usize = 160;
const HISTORY: usize = LONGEST_PERIOD + COMPARED;
/// Samples at full volume, before the fade begins.
const HELD: usize = 80;
/// Samples until silence.
const FADED: usize = 480;
/// Samples over which the first good frame is blended in: 4 ms.
const BLENDED: usize = 32;

/// Keeps what was heard last, and fills in for what is missing.
#[derive(Clone, Debug)]
pub struct Concealment {
    history: [i16; HISTORY],
    period: usize,
    /// Samples made up since the last good frame.
    made: usize,
}

impl Default for Concealment {
    fn default() -> Self {
        Self {
            history: [0; HISTORY],
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
                let made = f32::from(self.next_made());
                let share = (index + 1) as f32 / (BLENDED + 1) as f32;
                *sample = (f32::from(*sample) * share + made * (1.0 - share)) as i16;
            }
            self.made = 0;
        }
        let (_, latest) = samples.split_at(samples.len().saturating_sub(HISTORY));
        self.history.copy_within(latest.len().., 0);
        self.history[HISTORY - latest.len()..].copy_from_slice(latest);
    }

    /// Makes up samples in place of lost ones; silence after 60 ms.
    pub fn lost(&mut self, samples: &mut [i16]) {
        if self.made == 0 {
            self.period = find_period(&self.history);
        }
        for sample in samples {
            *sample = self.next_made();
        }
    }

    /// Forgets what was heard: after a silence, nothing is repeated.
    pub fn silent(&mut self) {
        *self = Self::default();
    }

    fn next_made(&mut self) -> i16 {
        let at = HISTORY - self.period + self.made % self.period;
        let gain = match self.made {
            0..HELD => 1.0,
            HELD..FADED => (FADED - self.made) as f32 / (FADED - HELD) as f32,
            _ => 0.0,
        };
        // Beyond the fade the count only has to stay behind it.
        self.made = (self.made + 1).min(FADED);
        (f32::from(self.history[at]) * gain) as i16
    }
}

/// The lag at which the latest samples are most like those before them.
fn find_period(history: &[i16; HISTORY]) -> usize {
    let recent = &history[LONGEST_PERIOD..];
    let likeness = |lag: usize| {
        let before = &history[LONGEST_PERIOD - lag..HISTORY - lag];
        let (mut product, mut energy) = (0i64, 1i64);
        for (&a, &b) in recent.iter().zip(before) {
            product += i64::from(a) * i64::from(b);
            energy += i64::from(b) * i64::from(b);
        }
        product as f64 / (energy as f64).sqrt()
    };
    (SHORTEST_PERIOD..=LONGEST_PERIOD)
        .map(|lag| (lag, likeness(lag)))
        .fold((SHORTEST_PERIOD, f64::MIN), |best, next| {
            if next.1 > best.1 { next } else { best }
        })
        .0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{level_dbov, power_at, sine};

    #[test]
    fn a_lost_frame_goes_on_with_the_tone() {
        let tone = sine(200.0, -20.0, 800);
        let mut concealment = Concealment::default();
        for chunk in tone.chunks_exact(FRAME_SAMPLES).take(3) {
            concealment.good(&mut chunk.to_vec());
        }
        let mut made = [0; FRAME_SAMPLES];
        concealment.lost(&mut made);
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
        let mut concealment = Concealment::default();
        let tone = sine(300.0, -10.0, 320);
        for chunk in tone.chunks_exact(FRAME_SAMPLES) {
            concealment.good(&mut chunk.to_vec());
        }
        let mut levels = Vec::new();
        for _ in 0..5 {
            let mut made = [0; FRAME_SAMPLES];
            concealment.lost(&mut made);
            levels.push(level_dbov(&made));
        }
        assert!(
            levels.windows(2).all(|pair| pair[1] <= pair[0]),
            "{levels:?}"
        );
        assert!(levels[3] < -90.0, "{levels:?}");
    }
}
