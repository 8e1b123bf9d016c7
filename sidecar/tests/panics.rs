//! What a panic of a thread costs: the calls of a worker, and nothing else; the process, if it was the front.

mod support;

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use skillcall_media::tone;
use skillcall_sip::sdp;
use support::{Behaviour, Bench, Handler, LIMIT, Phone, skill_headers};

/// A handler that keeps its calls: it says something for as long as they last.
async fn talking() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL" | "ACTION_SUCCESSFUL") => json!([
            {"Type": "Speak", "Parameters": {"Text": "You are number one in the queue. Please hold the line."}},
        ]),
        _ => json!([]),
    })
    .await
}

async fn bench() -> Bench {
    Bench::with(talking().await, None, "", |config| {
        config.limits.workers = 2;
    })
    .await
}

fn place(bench: &Bench, phone: &Phone, csi: &str) {
    let headers = skill_headers(csi);
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    bench.call(phone, &headers);
    phone.wait("an answer", |state| state.answered);
}

/// The workers of all calls by client session.
async fn workers(bench: &Bench) -> HashMap<String, usize> {
    let calls = bench.get("/v1/calls").await;
    let calls = calls["calls"].as_array().unwrap().iter();
    calls
        .map(|call| {
            let worker = call["worker"].as_u64().unwrap();
            (
                call["clientSessionId"].as_str().unwrap().to_owned(),
                usize::try_from(worker).unwrap(),
            )
        })
        .collect()
}

/// Calls, each by a phone of its own, until each worker has one; the Call-ID decides by chance.
async fn calls_on_both(bench: &Bench, prefix: &str) -> Vec<(Phone, String, usize)> {
    let mut placed: Vec<(Phone, String, usize)> = Vec::new();
    while placed.iter().all(|call| call.2 == 0) || placed.iter().all(|call| call.2 == 1) {
        assert!(placed.len() < 64, "64 calls, and a worker has none");
        let csi = format!("{prefix}-{}", placed.len());
        let phone = Phone::start(400.0, Behaviour::Answer);
        place(bench, &phone, &csi);
        let worker = workers(bench).await[&csi];
        placed.push((phone, csi, worker));
    }
    placed
}

/// Waits until the ACK has come: before it no BYE may be sent (RFC 3261 §15).
async fn acknowledged(bench: &Bench, csi: &str) {
    let until = Instant::now() + LIMIT;
    loop {
        let trace = bench.get(&format!("/v1/traces/{csi}")).await;
        let mut records = trace["records"].as_array().unwrap().iter();
        if records.any(|record| record["name"] == "ACK") {
            return;
        }
        assert!(Instant::now() < until, "no ACK in {trace:#}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn hears_speech(phone: &Phone) {
    phone.forget_heard();
    phone.wait("speech", |state| {
        let frames = state.heard.chunks(160);
        frames
            .filter(|frame| tone::level_dbov(frame) > -40.0)
            .count()
            >= 10
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_panics_takes_leave_of_its_calls_and_goes_on_with_new_ones() {
    let bench = bench().await;
    let placed = calls_on_both(&bench, "lost").await;
    let (lost, kept): (Vec<_>, Vec<_>) = placed.iter().partition(|call| call.2 == 0);
    bench.sidecar.make_worker_panic(0);

    // The peers of the lost calls are told by BYE, and their counters are given back.
    for (phone, csi, _) in &lost {
        phone.wait(&format!("the BYE of {csi}"), |state| state.ended);
    }
    bench
        .figures_become("the lost calls are given back", |now| {
            (now.calls, now.legs, now.port_pairs, now.sockets)
                == (kept.len(), kept.len(), kept.len(), 2 * kept.len())
        })
        .await;
    assert_eq!(bench.sidecar.figures().worker_panics, 1);
    let trace = bench.get(&format!("/v1/traces/{}", lost[0].1)).await;
    assert!(
        trace.to_string().contains("its worker panicked"),
        "{trace:#}"
    );

    // The other worker's calls have noticed nothing.
    for (phone, ..) in &kept {
        hears_speech(phone);
        assert!(!phone.wait("anything", |_| true).ended);
    }

    // The worker takes calls again, and gives everything back at their end.
    let again = calls_on_both(&bench, "again").await;
    for (phone, ..) in &again {
        hears_speech(phone);
    }
    for (phone, ..) in kept.iter().copied().chain(&again) {
        phone.hang_up();
        phone.wait("its end", |state| state.ended);
    }
    bench
        .figures_become("everything is given back", |now| {
            (now.calls, now.legs, now.port_pairs, now.sockets, now.asking) == (0, 0, 0, 0, 0)
        })
        .await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_panics_again_at_once_begins_with_a_new_endpoint() {
    let bench = Bench::with(talking().await, None, "", |config| {
        config.limits.workers = 1;
    })
    .await;
    bench.sidecar.make_worker_panic(0);
    bench
        .figures_become("the first panic", |now| now.worker_panics == 1)
        .await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    place(&bench, &phone, "csi-lost");
    acknowledged(&bench, "csi-lost").await;
    bench.sidecar.make_worker_panic(0);
    phone.wait("the BYE", |state| state.ended);
    bench
        .figures_become("the second panic", |now| {
            (now.worker_panics, now.calls) == (2, 0)
        })
        .await;
    place(&bench, &phone, "csi-again");
    hears_speech(&phone);
    phone.hang_up();
    phone.wait("its end", |state| state.ended);
    bench
        .figures_become("everything is given back", |now| {
            (now.calls, now.port_pairs) == (0, 0)
        })
        .await;
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_front_a_sidecar_says_that_it_failed_and_ends_its_calls() {
    let bench = bench().await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    place(&bench, &phone, "csi-1");
    // Nobody hangs up before the ACK has come (RFC 3261 §15): it has, when what was sent after it is answered.
    phone.direct(sdp::Direction::SendOnly);
    phone.wait("an answer to its change", |state| !state.answers.is_empty());
    bench.sidecar.make_front_panic();
    let failed = tokio::time::timeout(LIMIT, bench.sidecar.failed())
        .await
        .expect("it is told");
    assert_eq!(
        failed.to_string(),
        "the front thread ended: panic: injected"
    );
    bench.sidecar.shutdown().await;
    phone.wait("the BYE", |state| state.ended);
    let hangup: Value = bench.handler.wait("HANGUP", 1);
    assert_eq!(hangup["InvocationEventType"], "HANGUP");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_front_the_program_ends_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let handler = Handler::absent();
    let text = support::config_text(folder.path(), &handler.url, None, "");
    let file = folder.path().join("sidecar.toml");
    std::fs::write(&file, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_skillcall-sidecar"))
        .arg("--config")
        .arg(&file)
        .arg("--panic")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + LIMIT;
    while program.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            program.kill().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let output = program.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the front thread ended: panic: injected"),
        "{said}"
    );
}
