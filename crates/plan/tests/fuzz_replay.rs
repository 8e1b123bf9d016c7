//! Replays plans, and deterministic mutations of them, through the fuzz targets.
#![cfg(feature = "source")]

use skillcall_plan::fuzz::{compiled_plan, source};

/// Mutations of each seed; a fuzzer goes on where this ends.
const ROUNDS: u64 = 2000;

/// A sequence that is the same each time (xorshift*, after Vigna), so that a failure can be looked at again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) as usize % limit.max(1)
    }
}

/// Pieces that matter in a plan.
const SPICE: &[&[u8]] = &[
    b"\n",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b"=",
    b".",
    b",",
    b"${",
    b"${caller.number}",
    b"#",
    b"0",
    b"-1",
    b"99999999999",
    b"[[flow]]\n",
    b"[[destination]]\n",
    b"start",
    b"then",
    b"\xc3\xa4",
    b"\"\"\"",
];

fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(out.len() + 1);
        let length = random.below(20).min(out.len() - at);
        match random.below(5) {
            0 => {
                out.drain(at..at + length);
            }
            1 => {
                let spice = SPICE[random.below(SPICE.len())];
                out.splice(at..at, spice.iter().copied());
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

#[test]
fn no_target_fails_on_the_example_or_its_mutations() {
    let example = include_str!("../../../examples/skillcall.toml");
    let (bytes, _) = skillcall_plan::compile(example).unwrap();
    type Target<'s> = (&'static str, fn(&[u8]), &'s [u8]);
    let targets: [Target<'_>; 2] = [
        ("source", source, example.as_bytes()),
        ("compiled_plan", compiled_plan, &bytes),
    ];
    for (name, target, seed) in targets {
        let mut random = Random(0x5eed);
        target(seed);
        for _ in 0..ROUNDS {
            let input = mutate(seed, &mut random);
            let held = std::panic::catch_unwind(|| target(&input));
            assert!(
                held.is_ok(),
                "target {name} fails on {:?}",
                input.escape_ascii().to_string()
            );
        }
    }
}
