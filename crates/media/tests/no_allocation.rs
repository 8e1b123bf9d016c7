//! In steady traffic, a packet costs no allocation: neither relayed, nor played, nor heard.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    time::{Duration, Instant},
};

use skillcall_media::{
    SILENT_FRAME,
    codec::Codec,
    player::{Player, Step},
    prompt::EncodedPrompt,
    rtp::{MAX_PACKET, PayloadType},
    session::{AudioSession, Format, Outgoing, SessionConfig},
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn leg(codec: Codec, seed: u64, now: Instant) -> AudioSession {
    AudioSession::new(
        SessionConfig::new(Format::new(codec, PayloadType::new(101)), seed),
        now,
    )
}

#[test]
fn steady_traffic_allocates_nothing() {
    let epoch = Instant::now();
    let mut peer = leg(Codec::Pcmu, 1, epoch);
    let mut a = leg(Codec::Pcmu, 2, epoch);
    let mut b = leg(Codec::Pcma, 3, epoch);
    a.listen(true);
    let mut player = Player::endless(EncodedPrompt::from_pcm(&[1_000; 800]));
    let (mut out, mut relayed, mut frame) = ([0; MAX_PACKET], [0; MAX_PACKET], SILENT_FRAME);
    let mut before = 0;
    for tick in 0..2_000u32 {
        if tick == 200 {
            before = ALLOCATIONS.get();
        }
        let now = epoch + Duration::from_millis(20) * tick;
        let Step::Frame(prompt) = player.step() else {
            panic!("the prompt has no end")
        };
        let len = peer
            .tick(
                now,
                Outgoing::Encoded(prompt.encoded(Codec::Pcmu)),
                &mut out,
            )
            .unwrap();
        let received = a.receive_rtp(now, &out[..len]).unwrap();
        assert_eq!(b.relay(now, &received, &mut relayed), Some(len));
        b.tick(now, Outgoing::Nothing, &mut out);
        a.hear(&mut frame);
        a.poll_rtcp(now, &mut out);
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
}
