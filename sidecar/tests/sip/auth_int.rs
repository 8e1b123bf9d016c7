//! Credentials that cover a request's body, too (auth-int, RFC 7616 §3.4.3), with SIPp as the phone.

use crate::support;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use support::{Bench, Handler, LIMIT, NUMBER, write_secret};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_proves_what_it_says_with_every_body() {
    let text = "sources = [\"192.0.2.0/24\"]\n[phones]\nqualities = [\"auth-int\"]\n[[phone]]\nuser = \"101\"\n\
                password-file = \"secrets/phone.password\"\nnetworks = [\"127.0.0.0/8\"]\n";
    let handler = Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([
            {"Type": "Speak", "Parameters": {"Text": "Hello."}},
            {"Type": "Hangup", "Parameters": {"SipResponseCode": "0"}},
        ]),
        _ => json!([]),
    })
    .await;
    let bench = Bench::with(handler, None, text, |config| {
        let secret = config.origin.folder().join("secrets/phone.password");
        write_secret(&secret, "sesame");
    })
    .await;
    let to = bench.sidecar.sip_udp().unwrap();
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/auth_int.xml");
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().to_owned();
    let output = tokio::task::spawn_blocking(move || {
        let limit = format!("{}s", LIMIT.as_secs());
        Command::new("sipp")
            .arg("-sf")
            .arg(scenario)
            .args(["-m", "1", "-nostdin", "-i", "127.0.0.1", "-s", NUMBER])
            .args([
                "-trace_err",
                "-trace_msg",
                "-timeout",
                &limit,
                "-timeout_error",
            ])
            .arg(to.to_string())
            .current_dir(at)
            .stdin(Stdio::null())
            .output()
            .expect("sipp; see tools/setup.sh test")
    })
    .await
    .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok())
        .collect();
    assert!(output.status.success(), "{told}\n{errors:?}");
    let event = bench.handler.wait("NEW_INBOUND_CALL", 1);
    assert_eq!(event["CallDetails"]["Participants"][0]["From"], "101");
    bench.sidecar.shutdown().await;
}
