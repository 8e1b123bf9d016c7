use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};
use skillcall_protocol::sma::action::Action;
use skillcall_protocol::sma::{Event, RequestedAction};

use super::ask;
use crate::testing::{Memory, installation};
use crate::trace::Recorder;

fn event(sequence: u32, kind: &str) -> Event {
    serde_json::from_value(json!({
        "Sequence": sequence,
        "InvocationEventType": kind,
        "CallDetails": {"TransactionId": "t-1"},
    }))
    .unwrap()
}

fn action(name: &str, parameters: Value) -> RequestedAction {
    let parameters: Map<String, Value> = serde_json::from_value(parameters).unwrap();
    RequestedAction {
        name: name.to_owned(),
        checked: Action::parse(0, name, &parameters),
        parameters,
    }
}

fn plugged(
    decide: impl Fn(&Event) -> Result<Option<Vec<RequestedAction>>, String> + Send + Sync + 'static,
) -> Memory {
    let mut host = installation();
    host.plug_in = Some(Box::new(decide));
    host
}

fn asked(host: &Memory, event: &Event) -> Option<Vec<String>> {
    let recorder = Recorder::begin(host, None);
    let names = |actions: Vec<RequestedAction>| actions.into_iter().map(|action| action.name);
    ask(host, &recorder, event).map(|reply| names(reply.actions.unwrap()).collect())
}

fn pause() -> RequestedAction {
    action("Pause", json!({"DurationInMilliseconds": 100}))
}

#[test]
fn what_the_plug_in_says_is_the_reply_and_none_is_the_plans() {
    let host = plugged(|event| Ok((event.sequence == 1).then(|| vec![pause(), pause()])));
    assert_eq!(
        asked(&host, &event(1, "NEW_INBOUND_CALL")),
        Some(vec!["Pause".to_owned(), "Pause".to_owned()])
    );
    assert_eq!(asked(&host, &event(2, "ACTION_SUCCESSFUL")), None);
    assert!(host.state.lock().unwrap().is_empty(), "no note is left");
    assert_eq!(asked(&installation(), &event(1, "NEW_INBOUND_CALL")), None);
}

#[test]
fn wrong_actions_are_named_and_the_plan_decides() {
    type Wrong = fn() -> Result<Option<Vec<RequestedAction>>, String>;
    let cases: [(Wrong, &str); 5] = [
        (|| Ok(Some(vec![])), "no action for a new call"),
        (
            || Ok(Some((0..11).map(|_| pause()).collect())),
            "11 actions; expected at most 10",
        ),
        (
            || Ok(Some(vec![pause(), action("Sing", json!({}))])),
            "action 2: Type is \"Sing\"",
        ),
        (
            || Ok(Some(vec![action("Pause", json!({}))])),
            "DurationInMilliseconds",
        ),
        (
            || Err("other: no JSON".into()),
            "the plug-in: other: no JSON",
        ),
    ];
    for (wrong, says) in cases {
        let host = plugged(move |_| wrong());
        assert_eq!(asked(&host, &event(1, "NEW_INBOUND_CALL")), None, "{says}");
        assert!(host.log_says(says), "{says}: {:?}", host.logged);
        assert!(host.log_says("the plan decides"));
    }
    let host = plugged(|_| Ok(Some(vec![])));
    assert_eq!(
        asked(&host, &event(2, "HANGUP")),
        Some(vec![]),
        "nothing new is an answer, later"
    );
}

#[test]
fn an_event_at_which_the_plug_in_trapped_is_the_plans_when_it_comes_again() {
    let times = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&times);
    let host = plugged(move |event| {
        counted.fetch_add(1, Ordering::SeqCst);
        assert_ne!(event.sequence, 1, "a trap");
        Ok(Some(vec![pause()]))
    });
    let first = event(1, "NEW_INBOUND_CALL");
    let trapped = catch_unwind(AssertUnwindSafe(|| asked(&host, &first)));
    assert!(trapped.is_err());
    assert_eq!(asked(&host, &first), None);
    assert!(host.log_says("did not answer this event when it came before"));
    assert_eq!(times.load(Ordering::SeqCst), 1);
    assert_eq!(
        asked(&host, &event(2, "HANGUP")),
        Some(vec!["Pause".to_owned()]),
        "the next event is asked about again"
    );
}

/// A plug-in's types are those of `call-flow` word for word: who knows the one knows the other.
#[test]
fn the_types_of_both_interfaces_are_the_same() {
    let after = |text: &'static str, mark: &str| {
        let at = text.find(mark).unwrap_or_else(|| panic!("no {mark:?}"));
        &text[at..]
    };
    let flow = include_str!("../../wit/call-flow.wit");
    let plug_in = include_str!("../../wit/deps/skillcall-flow/custom-flow.wit");
    let begin = "    /// An event of a call.";
    // What only a host is told stands between: the reply and the errors.
    let (own, pairs) = (
        "    /// What the call is told to do.",
        "    /// A name and its value",
    );
    let (events, rest) = after(flow, begin).split_once(own).unwrap();
    let (plugged, world) = after(plug_in, begin).split_once("\n}\n\n").unwrap();
    assert!(world.contains("world plug-in"));
    assert_eq!(
        plugged,
        format!(
            "{events}{}",
            after(rest, pairs)
                .trim_end()
                .trim_end_matches('}')
                .trim_end()
        )
    );
}
