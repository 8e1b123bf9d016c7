//! What is captured is what went over the wire, as tshark reads it; and a reload loses no call.

use crate::support;

use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Behaviour, Bench, Handler, LIMIT, NUMBER, Phone, TOKEN};

async fn bridging() -> Handler {
    Handler::start(|event: &Value| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => json!([
            {"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 30, "CallerIdNumber": "+12045550100",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+12045550142"}]}},
        ]),
        _ => json!([]),
    })
    .await
}

/// The fields that tshark finds in packets of a display filter, a line each.
fn tshark(
    file: &std::path::Path,
    more: &[&str],
    filter: &str,
    fields: &[&str],
) -> Option<Vec<String>> {
    let program = support::program("tshark")?;
    let mut command = Command::new(program);
    command.arg("-r").arg(file).args(more);
    command.args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let read = command.output().unwrap();
    let said = String::from_utf8_lossy(&read.stderr);
    if said.contains("Unknown protocol") {
        eprintln!("skipped: this tshark is too old: {said}");
        return None;
    }
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    Some(text.lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_is_captured_with_its_audio() {
    let called = Phone::start(400.0, Behaviour::Answer);
    let bench = Bench::start(bridging().await, Some(called.address)).await;
    let url = bench.url("/v1/captures");
    let asked = bench
        .client
        .post(&url)
        .bearer_auth(TOKEN)
        .json(&json!({"number": NUMBER, "rtp": true}));
    let begun: Value = asked.send().await.unwrap().json().await.unwrap();
    let capture = format!("{url}/{}", begun["id"].as_str().unwrap());
    let waiting = bench.client.get(&capture).bearer_auth(TOKEN);
    let waiting = waiting.send().await.unwrap();
    assert_eq!(waiting.headers()["x-capture-state"], "waiting");
    for _ in 0..2 {
        let caller = Phone::start(500.0, Behaviour::Answer);
        bench.call(&caller, &[]);
        caller.wait("the bridge", |state| state.answered);
        caller.hears(400.0);
        caller.hang_up();
        caller.wait("the end", |state| state.ended);
        called.hang_up();
        called.wait("its end", |state| state.ended);
        called.forget();
        bench.figures_become("no call", |now| now.calls == 0).await;
    }
    // Whoever waits for the whole call knows when it is.
    let until = Instant::now() + LIMIT;
    let file = loop {
        let file = bench.client.get(&capture).bearer_auth(TOKEN);
        let file = file.send().await.unwrap();
        assert_eq!(file.status(), 200);
        if file.headers()["x-capture-state"] == "over" {
            break file;
        }
        assert!(Instant::now() < until, "{:?}", file.headers());
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let path = bench.folder.path().join("call.pcap");
    std::fs::write(&path, file.bytes().await.unwrap()).unwrap();
    let sip = bench.sidecar.sip_udp().unwrap().port();
    let ports = format!("udp.port=={sip},sip");
    let decode = [
        "-d",
        ports.as_str(),
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "udp.check_checksum:TRUE",
    ];
    let Some(methods) = tshark(&path, &decode, "sip.Method", &["sip.Method"]) else {
        return;
    };
    let count = |method: &str| methods.iter().filter(|m| *m == method).count();
    assert!(count("INVITE") >= 2 && count("BYE") >= 2, "{methods:?}");
    let calls = tshark(&path, &decode, "sip.Call-ID", &["sip.Call-ID"]).unwrap();
    let calls: std::collections::BTreeSet<_> = calls.iter().collect();
    assert_eq!(
        calls.len(),
        2,
        "both legs of the first call, and no other call's: {calls:?}"
    );
    let audio = tshark(
        &path,
        &[
            "-o",
            "rtp.heuristic_rtp:TRUE",
            "--enable-heuristic",
            "rtp_udp",
        ],
        "rtp",
        &["rtp.p_type"],
    )
    .unwrap();
    assert!(audio.len() > 20, "{} RTP packets", audio.len());
    let wrong = tshark(
        &path,
        &decode,
        "ip.checksum.status==0 || udp.checksum.status==0 || _ws.malformed",
        &["frame.number"],
    );
    assert_eq!(wrong.unwrap(), Vec::<String>::new());
    let forget = || bench.client.delete(&capture).bearer_auth(TOKEN).send();
    assert_eq!(forget().await.unwrap().status(), 204);
    assert_eq!(forget().await.unwrap().status(), 404);
    let both = bench.client.post(&url).bearer_auth(TOKEN).json(&json!({}));
    assert_eq!(both.send().await.unwrap().status(), 400);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_both_legs_under_one_correlation() {
    let collector = UdpSocket::bind("127.0.0.1:0").unwrap();
    collector
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let address = collector.local_addr().unwrap();
    let called = Phone::start(400.0, Behaviour::Answer);
    let bench = Bench::with(bridging().await, Some(called.address), "", |config| {
        config.hep.collector = Some(address);
    })
    .await;
    let caller = Phone::start(500.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    caller.wait("the bridge", |state| state.answered);
    let calls = bench.get("/v1/calls").await;
    let transaction = calls["calls"][0]["transactionId"]
        .as_str()
        .unwrap()
        .to_owned();
    caller.hang_up();
    caller.wait("the end", |state| state.ended);
    called.hang_up();
    called.wait("its end", |state| state.ended);
    bench.figures_become("no call", |now| now.calls == 0).await;
    // Wrapped in pcap, so that a reader that nobody here wrote says what they are.
    let mut packets: Vec<Vec<u8>> = Vec::new();
    let mut buffer = [0; 65_536];
    let until = Instant::now() + LIMIT;
    let byes = |packets: &[Vec<u8>]| {
        let is_bye = |p: &&Vec<u8>| p.windows(4).any(|w| w == b" BYE");
        packets.iter().filter(is_bye).count()
    };
    while byes(&packets) < 4 {
        if let Ok((len, _)) = collector.recv_from(&mut buffer) {
            packets.push(buffer[..len].to_vec());
        }
        assert!(Instant::now() < until, "{} packets", packets.len());
    }
    let with = |text: &str| {
        packets
            .iter()
            .filter(|p| p.windows(text.len()).any(|w| w == text.as_bytes()))
            .count()
    };
    assert!(
        with(&transaction) >= 8,
        "{} of {} packets name the call",
        with(&transaction),
        packets.len()
    );
    let path = bench.folder.path().join("hep.pcap");
    std::fs::write(&path, pcap_of(&packets)).unwrap();
    let Some(read) = tshark(
        &path,
        &["-d", "udp.port==9060,hep"],
        "hep && sip",
        &["hep.proto_type", "sip.CSeq.method"],
    ) else {
        return;
    };
    assert_eq!(read.len(), packets.len(), "{read:?}");
    for method in ["INVITE", "ACK", "BYE"] {
        assert!(
            read.iter().any(|line| line.contains(method)),
            "{method} in {read:?}"
        );
    }
    bench.sidecar.shutdown().await;
}

/// Datagrams from and to port 9060, in a pcap file of raw IP.
fn pcap_of(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        out.extend(word.to_le_bytes());
    }
    for packet in packets {
        let len = 28 + packet.len();
        for word in [0, 0, len as u32, len as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend([0x45, 0]);
        out.extend((len as u16).to_be_bytes());
        out.extend([0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
        for word in [9060_u16, 9060, (8 + packet.len()) as u16, 0] {
            out.extend(word.to_be_bytes());
        }
        out.extend(packet);
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_routes_and_sources_and_loses_no_call() {
    let called = Phone::start(400.0, Behaviour::Answer);
    let bench = Bench::start(bridging().await, None).await;
    let file = bench.folder.path().join("sidecar.toml");
    let write = |route, extra: &str| {
        let text = support::config_text(bench.folder.path(), &bench.handler.url, route, extra);
        std::fs::write(&file, text).unwrap();
    };
    let reload = || async {
        let request = bench
            .client
            .post(bench.url("/v1/reload"))
            .bearer_auth(TOKEN);
        let response = request.send().await.unwrap();
        (
            response.status().as_u16(),
            response.json::<Value>().await.unwrap(),
        )
    };
    write(Some(called.address), "");
    let (status, told) = reload().await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["taken"], json!(["route"]), "{told}");
    let caller = Phone::start(500.0, Behaviour::Answer);
    bench.call(&caller, &[]);
    caller.wait("the bridge", |state| state.answered);
    caller.hears(400.0);
    // Without its source and its route the call goes on, with its audio, and ends as it should.
    write(None, "sources = [\"192.0.2.0/24\"]");
    assert_eq!(reload().await.0, 200);
    caller.forget_heard();
    caller.hears(400.0);
    called.hears(500.0);
    let other = Phone::at("127.0.0.7", 600.0, Behaviour::Answer);
    other.call(bench.sidecar.sip_udp().unwrap(), NUMBER, &[]);
    other.wait("a refusal", |state| state.failed == Some(403));
    // What is wrong is not taken.
    std::fs::write(&file, "[sip]\nlisten = [\"sctp:127.0.0.1:5060\"]\n").unwrap();
    let (status, told) = reload().await;
    assert_eq!(status, 422);
    assert!(
        told["detail"].as_str().unwrap().contains("sidecar.toml:2"),
        "{told}"
    );
    called.hang_up();
    called.wait("the end", |state| state.ended);
    caller.hang_up();
    caller.wait("the end", |state| state.ended);
    bench.figures_become("no call", |now| now.calls == 0).await;
    write(Some(called.address), "");
    assert_eq!(reload().await.0, 200);
    bench.call(&caller, &[]);
    caller.wait("the bridge again", |state| state.answered);
    bench.sidecar.shutdown().await;
}
