//! Killed in the moment after an answer, and after a party has taken another one's place.

use serde_json::json;

use crate::support::process::Process;
use crate::support::{Behaviour, Handler, NUMBER, Phone};
use crate::{ONE, again, are_written, config, is_forgotten};

/// It answers, and does nothing for long.
async fn answering() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([
            {"Type": "ReceiveDigits", "Parameters": {"InputDigitsRegex": "^0$", "InBetweenDigitsDurationInMilliseconds": 1000,
                "FlushDigitsDurationInMilliseconds": 10000}},
            {"Type": "Pause", "Parameters": {"DurationInMilliseconds": "60000"}},
        ]),
        _ => json!([]),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_answer_was_not_written_down_is_hung_up_on() {
    let _one = ONE.lock().await;
    let handler = answering().await;
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), &handler.url, None, "");
    let (first, sip) = Process::sidecar(&file);
    let phone = Phone::start(400.0, Behaviour::Answer);
    phone.call(sip, NUMBER, &[]);
    tokio::task::block_in_place(|| {
        phone.wait("an answer", |state| state.answered);
        are_written(folder.path(), "leg", 1);
        let mut first = first;
        first.0.kill().unwrap();
        first.0.wait().unwrap();
        // As if it had come a moment too late.
        let journal = folder.path().join("journal/calls.jsonl");
        let text = std::fs::read_to_string(&journal).unwrap();
        let lines = text
            .lines()
            .filter(|line| !line.contains("\"what\":\"leg\""));
        let before: String = lines.map(|line| format!("{line}\n")).collect();
        assert!(before.contains("\"what\":\"waiting\"") && before != text);
        std::fs::write(&journal, before).unwrap();
        let (next, _, _) = Process::sidecar_with_control(&file);
        let state = phone.wait("the end", |state| state.ended);
        assert_eq!(state.failed, None);
        handler.wait("HANGUP", 1);
        is_forgotten(folder.path(), &file, 1, next);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_taken_a_place_is_hung_up_on() {
    let _one = ONE.lock().await;
    let handler = answering().await;
    let folder = tempfile::tempdir().unwrap();
    let file = config(folder.path(), &handler.url, None, "");
    let (first, sip) = Process::sidecar(&file);
    let [one, other] = [400.0, 500.0].map(|tone| Phone::start(tone, Behaviour::Answer));
    one.call(sip, NUMBER, &[]);
    tokio::task::block_in_place(|| {
        let state = one.wait("an answer", |state| state.answered);
        let ok = state
            .came
            .iter()
            .find(|came| came.starts_with("SIP/2.0 200"));
        let of = |name: &str| {
            let mut lines = ok.unwrap().lines();
            let value = lines.find_map(|line| line.strip_prefix(name)).unwrap();
            value.rsplit_once(";tag=").map_or(value, |(_, tag)| tag)
        };
        let (call_id, ours, its) = (of("Call-ID: "), of("To: "), of("From: "));
        let replaces = format!("{call_id};to-tag={ours};from-tag={its}");
        other.call(sip, NUMBER, &[("Replaces", &replaces)]);
        other.wait("an answer", |state| state.answered);
        one.wait("the end of who was there", |state| state.ended);
        are_written(folder.path(), "leg", 2);
        let (next, _) = again(first, &file);
        other.wait("the end", |state| state.ended);
        handler.wait("HANGUP", 1);
        is_forgotten(folder.path(), &file, 1, next);
    });
}
