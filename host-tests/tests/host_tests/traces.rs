//! One trace for a call, found by any of its ids; and no secret in anything that is written.

use std::collections::BTreeSet;
use std::path::Path;

use skillcall_host_tests::{Stage, Staging, logs, plans, until};
use skillcall_protocol::trace::{Kind, Party, Trace};
use skillcall_simulator::Said;
use skillcall_simulator::line::CallState;

/// A whole call with a menu, up to its last word.
async fn play(stage: &Stage) -> Said {
    let (said, call) = stage.call().await;
    stage.control.running("SpeakAndGetDigits").await;
    stage.simulator.press(&call.id, "1").await.expect("pressed");
    let phone = stage.phone(CallState::Talking).await;
    stage
        .call_is(&phone.id, |call| call.media.received > 50)
        .await;
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    stage.over(&call.id).await;
    stage.quiet().await;
    said
}

async fn whole(stage: &Stage, id: &str) -> Trace {
    until("the whole trace", async || {
        let trace = stage.trace(id).await;
        let figures = trace
            .records
            .iter()
            .filter(|record| matches!(record.kind, Kind::Media(_)))
            .count();
        let recorded = trace
            .records
            .iter()
            .any(|record| matches!(record.kind, Kind::Recording { .. }));
        (trace.missing.is_empty() && figures >= 2 && recorded).then_some(trace)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_id_finds_the_same_whole_call() {
    let stage = Staging::new(plans::menu()).start().await;
    let said = play(&stage).await;
    let request = said.request_id.expect("a request");
    let trace = whole(&stage, &request).await;
    for party in [
        Party::Device,
        Party::Alexa,
        Party::Component,
        Party::Sidecar,
        Party::Phone,
    ] {
        assert!(
            trace.records.iter().any(|record| record.part == party),
            "{party:?} says nothing"
        );
    }
    let ids: BTreeSet<String> = trace.ids.all().map(str::to_owned).collect();
    assert!(
        trace.ids.transaction.is_some() && trace.ids.csi.is_some() && trace.ids.session.is_some(),
        "{:?}",
        trace.ids
    );
    assert!(trace.ids.call.len() >= 2, "{:?}", trace.ids);
    for id in &ids {
        let found = stage.trace(id).await;
        assert_eq!(found.records.len(), trace.records.len(), "{id}");
    }
    stage.end().await;
}

/// The W3C trace ids of a part's records.
fn trace_ids(trace: &Trace, part: &Party) -> BTreeSet<String> {
    trace
        .records
        .iter()
        .filter(|record| record.part == *part)
        .filter_map(|record| record.ids.trace.clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traceparent_crosses_every_http_border() {
    let stage = Staging::new(plans::menu()).start().await;
    let said = play(&stage).await;
    let trace = whole(&stage, &said.request_id.expect("a request")).await;
    let (alexa, component, sidecar) = (
        trace_ids(&trace, &Party::Alexa),
        trace_ids(&trace, &Party::Component),
        trace_ids(&trace, &Party::Sidecar),
    );
    assert!(
        alexa.contains(&said.trace_id) && component.contains(&said.trace_id),
        "Alexa to the component"
    );
    let back = trace.records.iter().any(|record| match &record.kind {
        Kind::Message(message) => {
            record.part == Party::Alexa
                && message.from == Party::Component
                && record.ids.trace.as_deref() == Some(said.trace_id.as_str())
        }
        _ => false,
    });
    assert!(back, "the component to Alexa's APIs");
    assert_eq!(sidecar.len(), 1, "a call is one trace: {sidecar:?}");
    assert!(
        sidecar.is_subset(&component),
        "the sidecar to the component: {sidecar:?} in {component:?}"
    );
    assert!(
        component.len() <= 2,
        "SIP carries no traceparent, so the call is a second one: {component:?}"
    );
    stage.end().await;
}

/// The files under a folder in which one of `secrets` stands.
fn files_with(folder: &Path, secrets: &[String], found: &mut Vec<String>) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        // What holds the secrets themselves.
        if ["ca", "sidecar.key", "sidecar.token"]
            .iter()
            .any(|secret| name == *secret)
        {
            continue;
        }
        if path.is_dir() {
            files += files_with(&path, secrets, found);
            continue;
        }
        files += 1;
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
        let name = path.display().to_string();
        for secret in secrets
            .iter()
            .filter(|secret| text.contains(*secret) || name.contains(*secret))
        {
            found.push(format!("{secret} in {name}"));
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_stands_in_any_file_or_log() {
    logs::keep();
    let stage = Staging::new(plans::menu()).start().await;
    stage.simulator.change_customer(None, |customer| {
        customer.access_token = Some("Atza-planted-account-link-token".to_owned());
        let number = customer.mobile_number.as_mut().expect("a number");
        number.phone_number = "204-731-8264".to_owned();
    });
    let said = play(&stage).await;
    whole(&stage, &said.request_id.expect("a request")).await;
    let key = |keys: &str| keys.split(':').nth(1).unwrap_or_default().to_owned();
    let secrets = vec![
        "2047318264".to_owned(),
        "204-731-8264".to_owned(),
        "204-731".to_owned(),
        plans::PHONE.trim_start_matches('+').to_owned(),
        "Atza-planted".to_owned(),
        // Each token of the simulator is a JWT with this head.
        "eyJhbGciOi".to_owned(),
        key(&stage.secrets.keys),
        stage.secrets.session.clone(),
        stage.secrets.sidecar_token.clone(),
        stage.secrets.simulator_token.clone(),
    ];
    let logged = logs::text();
    for secret in &secrets {
        assert!(!logged.contains(secret), "{secret} was logged");
    }
    let folder = stage.end().await;
    let mut found = Vec::new();
    let files = files_with(folder.path(), &secrets, &mut found);
    assert!(
        files >= 3,
        "traces of two parts and a recording, at least: {files}"
    );
    assert!(found.is_empty(), "{found:#?}");
}
