//! Replays plans, and deterministic mutations of them, through the fuzz targets.
#![cfg(feature = "source")]

use fuzz_replay::Replay;
use skillcall_plan::fuzz::{compiled_plan, source};

/// Mutations of each seed; a fuzzer goes on where this ends.
const ROUNDS: u32 = 2000;

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

#[test]
fn no_target_fails_on_the_example_or_its_mutations() {
    let example = include_str!("../../../examples/skillcall.toml");
    let (bytes, _) = skillcall_plan::compile(example).unwrap();
    let replay = Replay {
        rounds: ROUNDS,
        spice: SPICE,
    };
    replay.run("source", source, &[example]);
    replay.run("compiled_plan", compiled_plan, &[bytes]);
}
