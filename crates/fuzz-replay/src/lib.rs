//! Runs fuzz bodies on a stable compiler: seeds, and mutations of them that repeat from run to run.
//!
//! For tests only. A fuzzer goes on where this ends: `fuzz/run`.

#![forbid(unsafe_code)]

use std::panic::catch_unwind;

/// A fuzz body: takes any bytes, asserts what holds for all of them, and comes back.
pub type Target = fn(&[u8]);

/// What the mutations of a replay are made of.
#[derive(Debug, Clone, Copy)]
pub struct Replay<'a> {
    /// Mutations of each seed.
    pub rounds: u32,
    /// Pieces that matter to the target: they are put into the seeds.
    pub spice: &'a [&'a [u8]],
}

impl Replay<'_> {
    /// Gives a target each seed, and its mutations: the same ones in each run.
    ///
    /// # Panics
    /// When the target does, with the input that it failed on.
    pub fn run(&self, name: &str, target: Target, seeds: &[impl AsRef<[u8]>]) {
        assert!(!seeds.is_empty(), "target {name} has no seed");
        let mut random = Random::new();
        for seed in seeds {
            let seed = seed.as_ref();
            held(name, target, seed);
            for _ in 0..self.rounds {
                held(name, target, &self.mutate(seed, &mut random));
            }
        }
    }

    /// One to four changes: a piece cut out, one put in, one doubled, a bit turned, the end cut off.
    fn mutate(&self, seed: &[u8], random: &mut Random) -> Vec<u8> {
        let mut out = seed.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(out.len() + 1);
            let length = random.below(20).min(out.len() - at);
            match random.below(5) {
                0 => {
                    out.drain(at..at + length);
                }
                1 => {
                    let spice = self.spice.get(random.below(self.spice.len()));
                    out.splice(at..at, spice.copied().unwrap_or_default().iter().copied());
                }
                2 => {
                    let copy = out[at..at + length].to_vec();
                    let to = random.below(out.len() + 1);
                    out.splice(to..to, copy);
                }
                3 if at < out.len() => out[at] ^= 1 << random.below(8),
                _ => out.truncate(at.max(out.len() / 2)),
            }
        }
        out
    }
}

fn held(name: &str, target: Target, input: &[u8]) {
    assert!(
        catch_unwind(|| target(input)).is_ok(),
        "target {name} fails on {:?}",
        input.escape_ascii().to_string()
    );
}

/// A sequence that is the same each time (xorshift*, after Vigna), so that a failure can be looked at again.
struct Random(u64);

impl Random {
    const fn new() -> Self {
        Self(0x5eed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) as usize % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const REPLAY: Replay<'_> = Replay {
        rounds: 2_000,
        spice: &[b"<>", b"\xff\xff\xff"],
    };

    fn mutations(seed: &[u8]) -> Vec<Vec<u8>> {
        let mut random = Random::new();
        (0..REPLAY.rounds)
            .map(|_| REPLAY.mutate(seed, &mut random))
            .collect()
    }

    #[test]
    fn mutations_differ_among_themselves_and_repeat_from_run_to_run() {
        let seed = b"an input of some length";
        let once = mutations(seed);
        assert_eq!(once, mutations(seed));
        let different: BTreeSet<_> = once.iter().collect();
        assert!(different.len() > 1_000, "{}", different.len());
        assert!(once.iter().any(|input| input.len() > seed.len() + 10));
        assert!(once.iter().any(|input| input.len() < seed.len() / 2));
        assert!(
            once.iter()
                .any(|input| input.windows(3).any(|piece| piece == b"\xff\xff\xff"))
        );
        assert!(mutations(b"").iter().any(|input| !input.is_empty()));
    }

    #[test]
    #[should_panic(expected = "target picky fails on")]
    fn a_target_that_fails_is_named_with_its_input() {
        REPLAY.run("picky", |input| assert!(!input.contains(&b'<')), &[b"seed"]);
    }

    #[test]
    #[should_panic(expected = "has no seed")]
    fn a_target_without_seeds_is_no_test() {
        REPLAY.run("idle", |_| {}, &[] as &[&[u8]]);
    }
}
