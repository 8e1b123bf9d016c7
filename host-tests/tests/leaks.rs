//! File handles of the whole process. A program of its own, because what other tests hold would be counted, too.

use skillcall_host_tests::{Stage, Staging, plans, until};
use skillcall_simulator::line::CallState;

/// One call, put through and hung up.
async fn one_call(stage: &Stage) {
    let (_, call) = stage.call().await;
    let phone = stage.phone(CallState::Talking).await;
    stage
        .call_is(&phone.id, |call| call.media.received > 10)
        .await;
    stage.simulator.hang_up(&phone.id).await.expect("hung up");
    stage.over(&call.id).await;
    stage.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_calls_leave_no_file_handle_behind() {
    let stage = Staging::new(plans::straight()).start().await;
    for _ in 0..2 {
        one_call(&stage).await;
    }
    let before = stage.sidecar.figures().open_files;
    assert!(before > 0, "this test needs /proc/self/fd");
    for _ in 0..10 {
        one_call(&stage).await;
    }
    // HTTP clients may keep a connection or two more than before; one handle a call would be ten.
    until("the handles to be given back", async || {
        (stage.sidecar.figures().open_files < before + 5).then_some(())
    })
    .await;
    stage.end().await;
}
