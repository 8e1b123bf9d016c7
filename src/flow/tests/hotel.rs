//! The plan that says everything: hours, attempts, hand-overs.

use super::*;
use crate::flow::HandOver;

const HOTEL: &str = include_str!("../../../examples/hotel.toml");
/// A Sunday, 3:00 in Berlin.
const NIGHT: i64 = 1_800_151_200;

fn run(now: i64, event: Value) -> Decision {
    let bytes = skillcall_plan::compile(HOTEL).unwrap().0;
    let plan = Plan::decode(&bytes).unwrap();
    let decision = decide(&plan, &serde_json::from_value(event).unwrap(), now, |_| {
        None
    })
    .unwrap();
    for action in decision.reply.requested() {
        action.checked.as_ref().unwrap();
    }
    decision
}

fn actions(decision: &Decision) -> Vec<&str> {
    decision
        .reply
        .requested()
        .iter()
        .map(|action| action.name.as_str())
        .collect()
}

/// A call at the step `greet`, whose greeting is over.
fn greeted(now: i64) -> Decision {
    let start = run(
        now,
        event(
            1,
            "NEW_INBOUND_CALL",
            json!(null),
            json!(null),
            json!([leg("LEG-A", None)]),
        ),
    );
    assert_eq!(actions(&start), ["Speak"]);
    let done = json!({"Type": "Speak", "Parameters": {"Text": "x"}});
    run(
        now,
        event(
            2,
            "ACTION_SUCCESSFUL",
            done,
            attributes(&start),
            json!([leg("LEG-A", Some("Connected"))]),
        ),
    )
}

fn pressed(key: &str) -> Decision {
    let menu = greeted(NOW);
    let data = json!({"Type": "SpeakAndGetDigits", "Parameters": {}, "ReceivedDigits": key});
    run(
        NOW,
        event(
            3,
            "ACTION_SUCCESSFUL",
            data,
            attributes(&menu),
            json!([leg("LEG-A", Some("Connected"))]),
        ),
    )
}

#[test]
fn opening_hours_decide_what_follows() {
    let by_day = greeted(NOW);
    assert_eq!(
        (
            actions(&by_day),
            attributes(&by_day)["skillcall.step"].as_str()
        ),
        (vec!["SpeakAndGetDigits"], Some("menu"))
    );
    let by_night = greeted(NIGHT);
    assert_eq!(
        (
            actions(&by_night),
            attributes(&by_night)["skillcall.step"].as_str()
        ),
        (vec!["Speak", "RecordAudio"], Some("message"))
    );
}

#[test]
fn attempts_follow_each_other_and_do_not_count_as_failures() {
    let mut decision = pressed("1");
    let mut steps = Vec::new();
    for sequence in 4..9 {
        let at = attributes(&decision);
        steps.push(at["skillcall.step"].as_str().unwrap().to_owned());
        if at["skillcall.step"] == "message" {
            break;
        }
        let data =
            json!({"Type": "CallAndBridge", "Parameters": {}, "ErrorType": "CallNotAnswered"});
        decision = run(
            NOW,
            event(
                sequence,
                "ACTION_FAILED",
                data,
                at,
                json!([leg("LEG-A", Some("Connected"))]),
            ),
        );
    }
    assert_eq!(steps, ["desk", "desk#2", "desk#3", "desk#4", "message"]);
    assert_eq!(
        attributes(&decision)["skillcall.failures"],
        "1",
        "only the last one"
    );
}

#[test]
fn a_call_that_was_handed_over_stays_with_its_handler() {
    let decision = pressed("3");
    let hand_over: HandOver = decision.hand_over.clone().unwrap();
    assert_eq!(hand_over.url, "https://billing.example.com/events");
    let before = event(
        3,
        "ACTION_SUCCESSFUL",
        json!(null),
        json!({"old": "1", "skillcall.step": "menu"}),
        json!([leg("LEG-A", None)]),
    );
    let before: Event = serde_json::from_value(before).unwrap();
    let kept = hand_over.taken(&before, Reply::default());
    let AttributeUpdate::Set(kept) = kept.transaction_attributes else {
        panic!("the position travels on")
    };
    assert_eq!(
        (kept["old"].as_str(), kept["skillcall.step"].as_str()),
        ("1", "bill")
    );
    let own = [
        ("mine".to_owned(), "2".to_owned()),
        ("skillcall.step".to_owned(), "menu".to_owned()),
    ];
    let taken = hand_over.taken(
        &before,
        Reply::default().attributes(own.into_iter().collect()),
    );
    let AttributeUpdate::Set(taken) = taken.transaction_attributes else {
        panic!("the position travels on")
    };
    assert_eq!(
        taken.get("old"),
        None,
        "what the handler says is what holds"
    );
    assert_eq!(
        (taken["mine"].as_str(), taken["skillcall.step"].as_str()),
        ("2", "bill")
    );
    // Each later event is the handler's, also those that the plan has nothing to decide about.
    for kind in [
        "ACTION_SUCCESSFUL",
        "ACTION_FAILED",
        "HANGUP",
        "INVALID_LAMBDA_RESPONSE",
        "ACTION_INTERRUPTED",
        "SOMETHING_NEW",
    ] {
        let later = run(
            NOW,
            event(
                4,
                kind,
                json!(null),
                json!(taken),
                json!([leg("LEG-A", None)]),
            ),
        );
        assert_eq!(
            later.hand_over.map(|to| to.url).as_deref(),
            Some("https://billing.example.com/events"),
            "{kind}"
        );
    }
}

#[test]
fn a_handler_that_fails_leads_where_its_step_says() {
    let bytes = skillcall_plan::compile(HOTEL).unwrap().0;
    let plan = Plan::decode(&bytes).unwrap();
    let hand_over = pressed("3").hand_over.unwrap();
    let event: Event = serde_json::from_value(event(
        3,
        "ACTION_SUCCESSFUL",
        json!(null),
        json!({}),
        json!([leg("LEG-A", None)]),
    ))
    .unwrap();
    let decision = hand_over.failed(&plan, &event, NOW, "no answer").unwrap();
    assert_eq!(actions(&decision), ["Speak", "Hangup"]);
    assert_eq!(attributes(&decision)["skillcall.step"], "goodbye");
}
