//! A called number that rings at two places, played by SIPp.

use crate::support;

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use support::free_port::free_port;
use support::{Behaviour, Bench, Handler, LIMIT, Phone};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_forks_that_ring_the_one_that_answers_is_bridged() {
    let (port, media) = (free_port(), free_port());
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/two_forks.xml");
    let folder = tempfile::tempdir().unwrap();
    let seconds = LIMIT.as_secs();
    let mut sipp = Command::new("sipp")
        .arg("-sf")
        .arg(scenario)
        .args(
            format!(
                "-m 1 -nostdin -rtp_echo -i 127.0.0.1 -mi 127.0.0.1 -p {port} -mp {media} -timeout {seconds}s -timeout_error"
            )
            .split(' '),
        )
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sipp; see tools/setup.sh test");
    // Bound by SIPp once it cannot be bound any more.
    let until = std::time::Instant::now() + LIMIT;
    while UdpSocket::bind(("127.0.0.1", port)).is_ok() {
        assert!(std::time::Instant::now() < until, "SIPp does not listen");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let handler = Handler::start(
        |event| match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
            "CallTimeoutSeconds": 30, "CallerIdNumber": "+16075550199",
            "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+14255550123"}]}}]),
            "HANGUP" => json!([{"Type": "Hangup", "Parameters": {"ParticipantTag": "LEG-B"}}]),
            _ => json!([]),
        },
    )
    .await;
    let phone = Phone::start(440.0, Behaviour::Answer);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let bench = Bench::start(handler, Some(address)).await;
    bench.call(&phone, &[]);
    bench.handler.wait("ACTION_SUCCESSFUL", 1);
    // SIPp gives back what the phone says.
    phone.hears(440.0);
    assert_eq!(
        bench.handler.kinds(),
        ["NEW_INBOUND_CALL", "ACTION_SUCCESSFUL"]
    );
    phone.hang_up();
    bench.handler.wait("HANGUP", 2);
    let output = tokio::task::spawn_blocking(move || {
        let status = sipp.wait().unwrap();
        let mut told = String::new();
        if let Some(mut stderr) = sipp.stderr.take() {
            let _ = std::io::Read::read_to_string(&mut stderr, &mut told);
        }
        (status, told)
    })
    .await
    .unwrap();
    assert!(output.0.success(), "{output:?}");
    bench.sidecar.shutdown().await;
}
