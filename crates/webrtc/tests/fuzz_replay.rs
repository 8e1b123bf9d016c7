//! The fuzz bodies on stable: good inputs, mutated in ways that repeat from run to run.

use fuzz_replay::Replay;
use proptest::prelude::*;
use skillcall_webrtc::fuzz;

const DESCRIPTIONS: [&[u8]; 3] = [
    include_bytes!("../../../fuzz/corpus/webrtc_description/alexa"),
    include_bytes!("../../../fuzz/corpus/webrtc_description/chromium"),
    include_bytes!("../../../fuzz/corpus/webrtc_description/aiortc"),
];
const DATAGRAMS: &[u8] = include_bytes!("../../../fuzz/corpus/webrtc_datagrams/plain");

#[test]
fn no_target_fails_on_good_inputs_or_their_mutations() {
    let replay = Replay {
        rounds: 500,
        spice: &[
            b"\r\n",
            b"m=audio 9 UDP/TLS/RTP/SAVPF 0 8\r\n",
            b"a=group:BUNDLE 0 0 1\r\n",
            b"a=setup:passive\r\n",
            b"a=rtpmap:127 telephone-event/\r\n",
            b" 255 128 -1 99999999999",
            b"a=candidate:1 1 udp 1 ::1 9 typ host\r\n",
            b"a=inactive\r\n",
            b"\xff\xff",
        ],
    };
    replay.run("webrtc_description", fuzz::description, &DESCRIPTIONS);
    replay.run("webrtc_datagrams", fuzz::datagrams, &[DATAGRAMS]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        rng_seed: prop::test_runner::RngSeed::Fixed(4_733),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzz::description(&bytes);
        fuzz::datagrams(&bytes);
    }
}
