//! Calls that go on, calls that ring, and calls that stay too long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::api::Api;
use crate::installation::{Running, handler, installation};
use crate::support::crowd::{Crowd, End, Met};
use crate::support::{Behaviour, NUMBER, Phone};
use crate::{CALLS, HEARD, ONE, PROMPT};

/// What each of the crowds has heard so far.
fn mark(crowds: [&Crowd; 2]) -> [BTreeMap<u32, Met>; 2] {
    crowds.map(|crowd| crowd.met(0..CALLS))
}

/// Each end goes on to hear its tone, and has heard nothing else since the mark.
fn went_on(what: &str, crowds: [&Crowd; 2], before: &[BTreeMap<u32, Met>; 2]) {
    let after = mark(crowds);
    for (crowd, after) in crowds.iter().zip(&after) {
        crowd.wait(what, 0..CALLS, |number, met| {
            met.packets >= after[&number].packets + HEARD
        });
    }
    let (mut packets, mut lost) = (0, 0);
    for (before, now) in before.iter().zip(&mark(crowds)) {
        for number in 0..CALLS {
            let (before, now) = (&before[&number], &now[&number]);
            assert!(
                !now.ended && now.failed.is_none(),
                "{what}: {number}: {now:?}"
            );
            assert_eq!(now.wrong, before.wrong, "{what}: {number}: {now:?}");
            packets += now.packets - before.packets;
            lost += now.lost - before.lost;
        }
    }
    eprintln!("{what}: {packets} packets heard, {lost} lost");
    // A machine whose two cores have more to do drops some.
    assert!(lost <= packets / 50, "{what}: {lost} lost of {packets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_hear_each_other_while_the_process_changes_and_end_from_either_side() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let callers = Crowd::start("127.0.0.1", End::Caller);
    let desk = Crowd::start("127.0.0.1", End::Called);
    let (_folder, file) = installation(&handler, Some(desk.address), "");
    let crowds = [&callers, &desk];
    let api = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        for begin in (0..CALLS).step_by(10) {
            callers.call(first.sip, NUMBER, begin..begin + 10);
            callers.wait("answers", begin..begin + 10, |_, met| met.answered);
        }
        for crowd in crowds {
            crowd.wait("tones", 0..CALLS, |_, met| met.packets >= HEARD);
        }
        let before = mark(crowds);
        let next = first.hands_over(&file);
        went_on("the hand-over", crowds, &before);
        (first, next)
    });
    let (first, mut next) = api;
    let api = Api::new(next.control);
    assert_eq!(api.predecessors().await, 1);
    assert!(api.calls().await.is_empty(), "what was there stays there");

    // What is new is the newer one's.
    let new = CALLS..CALLS + 5;
    tokio::task::block_in_place(|| {
        callers.call(next.sip, NUMBER, new.clone());
        callers.wait("new calls", new.clone(), |_, met| met.packets >= HEARD);
    });
    assert_eq!(api.calls().await.len(), new.len());

    // What was there ends from either side.
    tokio::task::block_in_place(|| {
        callers.hang_up(0..CALLS / 2);
        desk.hang_up(CALLS / 2..CALLS);
        for crowd in crowds {
            crowd.wait("their ends", 0..CALLS, |_, met| met.ended);
        }
        let ended = Instant::now();
        drop(one);
        first.ends_by_itself();
        eprintln!(
            "the older one ended {:?} after its last call",
            ended.elapsed()
        );
        next.runs();
        let met = callers.met(new.clone());
        callers.wait("new calls go on", new.clone(), |number, now| {
            now.packets >= met[&number].packets + HEARD && !now.ended
        });
        callers.hang_up(new.clone());
        desk.wait("the last ends", new, |_, met| met.ended);
    });
    assert_eq!(api.predecessors().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rings_is_cancelled_after_it() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let desk = Phone::start(600.0, Behaviour::Ring);
    let (_folder, file) = installation(&handler, Some(desk.address), "");
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let caller = Phone::start(400.0, Behaviour::Ring);
        caller.call(first.sip, NUMBER, &[("X-To", "desk")]);
        desk.wait("the INVITE", |state| state.rung);
        let next = first.hands_over(&file);
        caller.cancel();
        let failed = caller.wait("487", |state| state.failed.is_some());
        assert_eq!(failed.failed, Some(487));
        desk.wait("CANCEL", |state| state.cancelled);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rings_is_answered_after_it() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let desk = Phone::start(600.0, Behaviour::Ring);
    let (_folder, file) = installation(&handler, Some(desk.address), "");
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let caller = Phone::start(450.0, Behaviour::Ring);
        caller.call(first.sip, NUMBER, &[("X-To", "desk")]);
        desk.wait("the INVITE", |state| state.rung);
        let next = first.hands_over(&file);
        desk.answer();
        caller.wait("200", |state| state.answered);
        caller.hears(600.0);
        desk.hears(450.0);
        desk.hang_up();
        caller.wait("BYE", |state| state.ended);
        assert_eq!(handler.events("NEW_INBOUND_CALL").len(), 1);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_stay_no_longer_than_they_may() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (_folder, file) = installation(&handler, None, "stay-seconds = 3\n");
    let phone = Phone::start(400.0, Behaviour::Answer);
    tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        phone.call(first.sip, NUMBER, &[]);
        phone.hears(PROMPT);
        let began = Instant::now();
        let next = first.hands_over(&file);
        phone.wait("BYE", |state| state.ended);
        assert!(began.elapsed() >= Duration::from_secs(3));
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}
