//! The component composed for Spin, with Spin's store and variables, under the manifest's outbound hosts.

use skillcall_host_tests::stage::Hosted;
use skillcall_host_tests::{Manifest, Staging, plans, until};
use skillcall_protocol::trace::{Kind, Party};
use skillcall_simulator::line::{CallState, EndedBy};
use skillcall_simulator::trouble::{Fault, Place, Trouble};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_request_starts_a_call_and_its_events_are_answered() {
    let staging = Staging::new(plans::menu()).on_spin(Manifest::Installations);
    let stage = staging.start().await;
    stage
        .simulator
        .trouble(Trouble::once(Place::Request, Fault::Repeated { copies: 3 }))
        .expect("ordered");
    let (said, call) = stage.call().await;
    assert_eq!(
        said.spoken.last().map(String::as_str),
        Some("Calling the front desk.")
    );
    assert!(
        said.repeats
            .iter()
            .all(|(status, body)| *status == 200 && body.contains("Calling the front desk.")),
        "each repetition gets the stored answer: {said:?}"
    );
    stage.control.running("SpeakAndGetDigits").await;
    stage.simulator.press(&call.id, "1").await.expect("pressed");
    let phone = stage.phone(CallState::Talking).await;
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    let device = stage.over(&call.id).await;
    assert_eq!(device.ended.expect("an ending").by, EndedBy::Peer);
    stage.quiet().await;
    assert_eq!(
        stage.device_calls().len(),
        1,
        "one call, whatever is repeated"
    );

    let request = said.request_id.expect("a request");
    until("what the component tells of its work", async || {
        let trace = stage.trace(&request).await;
        let names: Vec<&str> = trace
            .records
            .iter()
            .filter(|record| record.part == Party::Component)
            .filter_map(|record| match &record.kind {
                Kind::Message(message) => Some(message.name.as_str()),
                _ => None,
            })
            .collect();
        let has = |part: &str| names.iter().any(|name| name.contains(part));
        (has("/v1/communications/session") && has("HANGUP")).then_some(())
    })
    .await;
    let Hosted::Spin(spin) = &stage.server else {
        panic!("it is hosted by Spin");
    };
    let keys = spin.store("default").expect("its store").keys();
    assert!(!keys.is_empty(), "state lies in Spin's store");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_projects_manifest_lets_nothing_reach_a_test_authority() {
    let staging = Staging::new(plans::straight()).on_spin(Manifest::Projects);
    let stage = staging.start().await;
    let why = "the chain cannot be fetched from where spin.toml does not allow";
    stage.refused(why).await;
    let health = stage.http.get(stage.component("/health")).send().await;
    let health = health.expect("an answer").text().await.expect("its body");
    assert!(health.contains("TEST TRUST"), "{health}");
    stage.end().await;
}
