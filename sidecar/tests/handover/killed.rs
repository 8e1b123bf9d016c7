//! One of both processes is killed.

use std::time::Duration;

use crate::api::Api;
use crate::installation::{Running, handler, installation};
use crate::support::process::wait;
use crate::support::{Behaviour, NUMBER, Phone};
use crate::{ONE, PROMPT};

#[tokio::test(flavor = "multi_thread")]
async fn when_the_older_one_is_killed_its_calls_are_ended() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let desk = Phone::start(600.0, Behaviour::Ring);
    let (folder, file) = installation(&handler, Some(desk.address), "");
    tokio::task::block_in_place(|| {
        let mut first = Running::start(&file);
        let (talks, waits) = (
            Phone::start(400.0, Behaviour::Answer),
            Phone::start(450.0, Behaviour::Answer),
        );
        talks.call(first.sip, NUMBER, &[]);
        talks.hears(PROMPT);
        waits.call(first.sip, NUMBER, &[("X-To", "desk")]);
        desk.wait("the INVITE", |state| state.rung);
        let journal = |name: &str| {
            std::fs::read_to_string(folder.path().join("journal").join(name)).unwrap_or_default()
        };
        wait("the journal's lines", || {
            let text = journal("calls.jsonl");
            (text.contains("\"what\":\"ringing\"") && text.contains("\"what\":\"leg\""))
                .then_some(())
        });
        let mut next = first.hands_over(&file);
        talks.forget_heard();
        talks.hears(PROMPT);
        assert!(!talks.seen(|state| state.ended));
        assert!(handler.events("HANGUP").is_empty());

        let killed = first.kill();
        talks.wait("BYE", |state| state.ended);
        desk.wait("CANCEL", |state| state.cancelled);
        let took = killed.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
        handler.wait("HANGUP", 2);
        wait("the journal's end", || {
            let ended = journal("calls.jsonl").matches("\"what\":\"ended\"").count();
            (ended >= 2 || journal("calls.jsonl").is_empty()).then_some(())
        });
        next.runs();
        // It takes calls as before, and may be taken over from.
        let new = Phone::start(420.0, Behaviour::Answer);
        new.call(next.sip, NUMBER, &[]);
        new.hears(PROMPT);
        let last = next.hands_over(&file);
        new.hang_up();
        new.wait("the end", |state| state.ended);
        drop(one);
        next.ends_by_itself();
        drop(last);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_newer_one_is_killed_the_older_one_goes_on_as_before() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (_folder, file) = installation(&handler, None, "");
    let (first, old) = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        let (old, new) = (
            Phone::start(400.0, Behaviour::Answer),
            Phone::start(450.0, Behaviour::Answer),
        );
        old.call(first.sip, NUMBER, &[]);
        old.hears(PROMPT);
        let mut next = first.hands_over(&file);
        new.call(next.sip, NUMBER, &[]);
        new.hears(PROMPT);
        next.kill();
        // The calls of the one that died are ended, its own go on, and what is new is its own again.
        new.wait("BYE", |state| state.ended);
        old.forget_heard();
        old.hears(PROMPT);
        new.call(first.sip, NUMBER, &[]);
        new.hears(PROMPT);
        new.hang_up();
        new.wait("the end", |state| state.ended);
        (first, old)
    });
    let api = Api::new(first.control);
    assert_eq!(api.calls().await.len(), 1);
    tokio::task::block_in_place(|| {
        let next = first.hands_over(&file);
        old.hang_up();
        old.wait("the end", |state| state.ended);
        drop(one);
        first.ends_by_itself();
        drop(next);
    });
}
