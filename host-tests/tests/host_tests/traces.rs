//! One trace for a call, found by any of its ids; and no secret in anything that is written.

use std::collections::BTreeSet;
use std::path::Path;

use skillcall_host_tests::{Stage, Staging, logs, plans, until};
use skillcall_protocol::trace::{Kind, Party, Protocol, Record, StepKind, Trace};
use skillcall_protocol::traceparent::TraceParent;
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

/// The W3C trace ids of the records that `of` picks.
fn trace_ids(trace: &Trace, of: impl Fn(&Record) -> bool) -> BTreeSet<&str> {
    trace
        .records
        .iter()
        .filter(|record| of(record))
        .filter_map(|record| record.ids.trace.as_deref())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_has_one_trace_id_from_the_first_word_to_the_last_event() {
    let stage = Staging::new(plans::menu()).start().await;
    let said = play(&stage).await;
    let trace = whole(&stage, &said.request_id.expect("a request")).await;
    let csi = trace.ids.csi.as_deref().expect("a csi");
    let expected = TraceParent::of_session(csi, [1; 8]).trace_id();
    assert_eq!(
        trace_ids(&trace, |_| true),
        BTreeSet::from([expected.as_str()])
    );
    assert_eq!(said.trace_id.as_ref(), Some(&expected), "Alexa was told");
    for record in &trace.records {
        // SIP carries no trace id, so the phone knows of none; its records are found by its Call-ID.
        let known = (record.part != Party::Phone).then(|| expected.clone());
        assert_eq!(record.ids.trace, known, "{record:?}");
    }
    // From what the customer says to what the component says of HANGUP.
    let first = trace.records.first().expect("a record");
    assert!(
        matches!(&first.kind, Kind::Message(message) if message.name.starts_with("say ")),
        "{first:?}"
    );
    let of_hangup = trace_ids(&trace, |record| {
        let is_hangup = matches!(&record.kind, Kind::Message(message)
            if message.name.as_str() == "POST /media/events HANGUP");
        is_hangup && record.part == Party::Component
    });
    assert_eq!(of_hangup.len(), 1);
    assert_eq!(
        stage.trace(&expected).await.records.len(),
        trace.records.len()
    );
    stage.end().await;
}

/// The digits of a trace's ladder: from, to, name.
fn digits(trace: &Trace) -> Vec<(String, String, String)> {
    trace
        .ladder()
        .iter()
        .filter_map(|step| match step.kind {
            StepKind::Arrow(message) if message.protocol == Protocol::Rtp => Some((
                message.from.to_string(),
                message.to.to_string(),
                message.label(),
            )),
            _ => None,
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_digit_stands_in_the_ladder_and_which_one_only_if_that_is_wanted() {
    for (toml, names) in [
        ("", ["digit"; 3]),
        ("digits = true", ["digit 1", "digit 4", "digit 7"]),
    ] {
        // The trace's section is the last of the configuration.
        let stage = Staging::new(plans::menu()).sidecar_toml(toml).start().await;
        let (said, call) = stage.call().await;
        stage.control.running("SpeakAndGetDigits").await;
        stage.simulator.press(&call.id, "1").await.expect("pressed");
        let phone = stage.phone(CallState::Talking).await;
        stage
            .call_is(&phone.id, |call| call.media.received > 20)
            .await;
        // While they talk, the device's digits reach the phone too.
        for (digit, so_far) in [("4", "4"), ("7", "47")] {
            stage
                .simulator
                .press(&call.id, digit)
                .await
                .expect("pressed");
            stage
                .call_is(&phone.id, |call| call.digits_heard == so_far)
                .await;
        }
        stage.simulator.hang_up(&phone.id).await.expect("hung up");
        stage.over(&call.id).await;
        stage.quiet().await;
        let trace = whole(&stage, &said.request_id.expect("a request")).await;
        let line =
            |from: &str, to: &str, name: &str| (from.to_owned(), to.to_owned(), name.to_owned());
        let [one, four, seven] = names;
        // A digit that goes on may be told before the one that came in is over: each way has its own order.
        let (came, went): (Vec<_>, Vec<_>) = digits(&trace)
            .into_iter()
            .partition(|(from, _, _)| from == "device");
        assert_eq!(
            came,
            [one, four, seven].map(|name| line("device", "sidecar", name)),
            "{toml}"
        );
        assert_eq!(
            went,
            [four, seven].map(|name| line("sidecar", "phone", name)),
            "{toml}"
        );
        let text = serde_json::to_string(&trace.records).expect("JSON");
        assert!(text.contains(r#"\"ReceivedDigits\":\"[digit]\""#), "{text}");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_named_by_its_bucket_and_key() {
    let stage = Staging::new(plans::menu()).start().await;
    let said = play(&stage).await;
    let trace = whole(&stage, &said.request_id.expect("a request")).await;
    let named = trace.records.iter().find_map(|record| match &record.kind {
        Kind::Recording {
            bucket: Some(bucket),
            path,
            ..
        } if record.part == Party::Sidecar => Some((bucket.clone(), path.clone())),
        _ => None,
    });
    let (bucket, key) = named.expect("a recording");
    assert_eq!(bucket, "recordings");
    assert!(
        stage.recordings().join(key.as_str()).is_file(),
        "{key} lies in the bucket's folder"
    );
    let folder = stage.folder().display().to_string();
    let text = serde_json::to_string(&trace.records).expect("JSON");
    assert!(!text.contains(&folder), "no path of this machine");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_call_says_why_with_its_answer_and_in_its_trace() {
    let stage = Staging::new(plans::menu())
        .simulator(|simulator| {
            simulator.skill.lwa_client_id =
                "amzn1.application-oa2-client.ffffffffffffffffffffffffffffffff".to_owned();
        })
        .start()
        .await;
    let (said, call) = stage.call().await;
    stage.over(&call.id).await;
    let request = said.request_id.expect("a request");
    let trace = until("the refusal", async || {
        let trace = stage.trace(&request).await;
        let told = trace.records.iter().any(|record| {
            record.part == Party::Sidecar && matches!(record.kind, Kind::Note { .. })
        });
        told.then_some(trace)
    })
    .await;
    assert_eq!(trace_ids(&trace, |_| true).len(), 1);
    let [leg] = &trace.legs()[..] else {
        panic!("{:?}", trace.legs())
    };
    let end = leg.ended.as_ref().expect("an end");
    assert_eq!((end.by, end.name), (&Party::Sidecar, "403 Forbidden"));
    let notes: Vec<&str> = trace
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Note { text, .. } if record.part == Party::Sidecar => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        notes,
        ["refused: X-Alexa-LWA-ClientId is not one of [sip] skills"]
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
