//! Plug-ins that decide calls: in types and over HTTP, and what becomes of a call when they fail.

use std::sync::Arc;

use skillcall_host::Skill;
use skillcall_host::call_flow::{
    Action, ActionSuccess, CallDetails, Direction, Event, Happening, Outcome, Participant,
    ParticipantTag, RecordAudio, Recording,
};
use skillcall_host_tests::plug_in::PlugIn;
use skillcall_host_tests::settings::TestSettings;
use skillcall_host_tests::{Staging, component, plans, until};
use skillcall_protocol::trace::{Kind, Party};
use skillcall_simulator::customer::{Customer, MobileNumber};
use skillcall_simulator::line::{CallState, EndedBy};

const NOON_MS: u64 = 1_714_564_800_000;
const NIGHT_MS: u64 = NOON_MS + 12 * 3_600_000;

fn event(caller: &str, start_ms: u64, what: Happening) -> Event {
    Event {
        sequence: 1,
        call: CallDetails {
            transaction_id: format!("t-{caller}-{start_ms}"),
            transaction_attributes: Vec::new(),
            account_id: None,
            region: None,
            sip_rule_id: None,
            sip_media_application_id: None,
            participants: vec![Participant {
                call_id: "a".to_owned(),
                tag: ParticipantTag::LegA,
                called: plans::DESK.to_owned(),
                caller: caller.to_owned(),
                direction: Direction::Inbound,
                start_ms: Some(start_ms),
                status: None,
                sip_headers: Vec::new(),
            }],
        },
        what,
    }
}

async fn decided(skill: &Skill, event: Event) -> Vec<Action> {
    let reply = skill.decide(&event).await.expect("it runs");
    reply.expect("a decision").actions.unwrap_or_default()
}

fn welcome(actions: &[Action]) -> Option<&str> {
    match actions {
        [Action::Speak(welcome), ..] => Some(&welcome.speech.text),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn javascript_decides_by_night_and_the_plan_by_day() {
    let skill = component::plugged(PlugIn::JavaScript, with_plan()).await;
    let new = |at| event("+12045550100", at, Happening::NewInboundCall);
    assert_eq!(
        welcome(&decided(&skill, new(NOON_MS)).await),
        Some("Welcome.")
    );

    let night = decided(&skill, new(NIGHT_MS)).await;
    let [Action::Speak(closed), Action::RecordAudio(record)] = &night[..] else {
        panic!("{night:?}");
    };
    assert!(closed.speech.text.starts_with("The desk is closed."));
    assert_eq!(
        (record.bucket.as_str(), record.silence_seconds),
        ("messages", Some(5))
    );

    let recorded = Happening::ActionSuccessful(ActionSuccess {
        action: Action::RecordAudio(RecordAudio { ..record.clone() }),
        outcome: Outcome::Recorded(Recording {
            bucket: "messages".to_owned(),
            key: "night/1.wav".to_owned(),
            terminator: None,
        }),
    });
    let thanks = decided(&skill, event("+12045550100", NIGHT_MS, recorded)).await;
    assert!(
        matches!(&thanks[..], [Action::Speak(_), Action::Hangup(_)]),
        "{thanks:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plug_in_that_fails_leaves_the_call_to_the_plan() {
    let skill = component::plugged(PlugIn::Bad, with_plan()).await;
    for caller in [
        "+12045550100",
        "+12045550181",
        "+12045550182",
        "+12045550183",
        "+12045550184",
    ] {
        let actions = decided(&skill, event(caller, NOON_MS, Happening::NewInboundCall)).await;
        assert_eq!(welcome(&actions), Some("Welcome."), "{caller}: {actions:?}");
    }
}

fn with_plan() -> Arc<TestSettings> {
    let settings = Arc::new(TestSettings::default());
    settings.set_plan(&plans::menu());
    settings.set("sidecar_keys", format!("k1:{}", "A".repeat(43) + "="));
    settings.set("session_key", "A".repeat(43) + "=");
    settings
}

fn caller(number: &str) -> Staging {
    Staging::new(plans::menu()).customers(vec![Customer {
        mobile_number: Some(MobileNumber {
            country_code: "+1".to_owned(),
            phone_number: number.to_owned(),
        }),
        ..Customer::default()
    }])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_puts_a_regular_through_over_http() {
    let stage = caller("2045550170").plugged(PlugIn::Rust).start().await;
    let (said, call) = stage.call().await;
    let phone = stage.phone(CallState::Talking).await;
    assert_eq!(phone.to, "+16135550121", "the regular's own desk");
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    let device = stage.over(&call.id).await;
    assert_eq!(device.ended.expect("an ending").by, EndedBy::Peer);
    stage.quiet().await;
    noted(
        &stage,
        &said.request_id.expect("a request"),
        "the plug-in decides",
    )
    .await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_over_http_is_retried_by_the_sidecar_and_the_plan_decides() {
    let stage = caller("2045550181").plugged(PlugIn::Bad).start().await;
    let (said, call) = stage.call().await;
    stage.control.running("SpeakAndGetDigits").await;
    let request = said.request_id.expect("a request");
    noted(&stage, &request, "did not answer this event").await;
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    stage.over(&call.id).await;
    stage.quiet().await;
    stage.end().await;
}

async fn noted(stage: &skillcall_host_tests::Stage, request: &str, says: &str) {
    until("what the component notes", async || {
        let trace = stage.trace(request).await;
        let notes = trace
            .records
            .iter()
            .filter_map(|record| match &record.kind {
                Kind::Note { text, .. } if record.part == Party::Component => Some(text),
                _ => None,
            });
        notes
            .into_iter()
            .any(|text| text.contains(says))
            .then_some(())
    })
    .await;
}
