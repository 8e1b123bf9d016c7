//! Strangers, scanners, floods and fraud: over sockets, and with programs that nobody here wrote.

use crate::support;

use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Behaviour, Bench, Handler, LIMIT, NUMBER, Phone, TOKEN};

async fn talking() -> Handler {
    Handler::start(
        |event: &Value| match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => json!([
                {"Type": "Speak", "Parameters": {"Text": "Hello."}},
                {"Type": "Pause", "Parameters": {"DurationInMilliseconds": 20000}},
            ]),
            _ => json!([]),
        },
    )
    .await
}

/// A sidecar that knows 127.0.0.2 and 127.0.0.3, and nobody else.
async fn two_trunks(extra: &str) -> Bench {
    let extra = format!("sources = [\"127.0.0.2\", \"127.0.0.3\"]\n{extra}");
    Bench::with(talking().await, None, &extra, |config| {
        config.guard.scanners.retain(|scanner| scanner != "sipsak");
    })
    .await
}

struct Peer(UdpSocket);

impl Peer {
    fn at(address: &str) -> Self {
        let socket = UdpSocket::bind((address, 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        Self(socket)
    }

    fn request(&self, method: &str, id: u32, more: &str) -> String {
        let local = self.0.local_addr().unwrap();
        format!(
            "{method} sip:{NUMBER}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{id}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:probe@{local}>;tag=t{id}\r\nTo: <sip:{NUMBER}@127.0.0.1>\r\n\
             Call-ID: call-{id}@{local}\r\nCSeq: 1 {method}\r\nContact: <sip:probe@{local}>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    fn send(&self, to: SocketAddr, message: &str) {
        self.0.send_to(message.as_bytes(), to).unwrap();
    }

    /// What comes until nothing more does for 20 ms.
    fn received(&self) -> Vec<String> {
        let mut received = Vec::new();
        let mut buffer = [0; 65_536];
        while let Ok((len, _)) = self.0.recv_from(&mut buffer) {
            received.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
        }
        received
    }

    fn one(&self, what: &str) -> String {
        let until = Instant::now() + LIMIT;
        let mut buffer = [0; 65_536];
        loop {
            if let Ok((len, _)) = self.0.recv_from(&mut buffer) {
                return String::from_utf8_lossy(&buffer[..len]).into_owned();
            }
            assert!(Instant::now() < until, "{what}: nothing came");
        }
    }

    /// The first line of the final answer to a request.
    fn final_answer(&self, id: u32) -> String {
        let call = format!("call-{id}@");
        loop {
            let answer = self.one("a final answer");
            let line = answer.lines().next().unwrap_or_default();
            if answer.contains(&call) && !line.starts_with("SIP/2.0 1") {
                return line.to_owned();
            }
        }
    }
}

/// Takes all of the machine's time while it lives.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start(threads: usize) -> Self {
        let over = Arc::<AtomicBool>::default();
        for _ in 0..threads {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(over)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn bans(bench: &Bench) -> Vec<Value> {
    let listed = bench.get("/v1/bans").await;
    listed["bans"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_gets_one_short_answer_and_then_a_ban_that_can_be_lifted() {
    let bench = two_trunks("").await;
    let to = bench.sidecar.sip_udp().unwrap();
    let stranger = Peer::at("127.0.0.9");
    let request = stranger.request("OPTIONS", 1, "");
    stranger.send(to, &request);
    let answer = stranger.one("the answer");
    assert!(answer.starts_with("SIP/2.0 403 "), "{answer}");
    assert!(answer.len() <= request.len());
    assert!(!answer.contains("Server:"), "{answer}");
    // An answer that would be longer than what asked for it is not given.
    let short = "INVITE sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;branch=z9hG4bK1\r\nf:<sip:a>;tag=1\r\nt:<sip:a>\r\ni:1\r\nCSeq:1 INVITE\r\n\r\n";
    stranger.send(to, short);
    bench
        .figures_become("it was heard", |now| now.strangers_silenced == 1)
        .await;
    assert_eq!(stranger.received(), Vec::<String>::new());
    // An INVITE's refusal is not repeated, as nobody waits for its ACK.
    stranger.send(to, &stranger.request("INVITE", 2, ""));
    stranger.one("the refusal");
    for id in 3..40 {
        stranger.send(to, &stranger.request("REGISTER", id, ""));
    }
    bench
        .figures_become("a ban", |now| now.bans_total == 1 && now.unheard > 0)
        .await;
    let answers = stranger.received();
    assert!(answers.len() < 18, "{} answers", answers.len());
    let listed = bans(&bench).await;
    assert_eq!(listed[0]["address"], "127.0.0.9");
    assert_eq!(listed[0]["offence"], "knocked");
    assert_eq!(listed[0]["proven"], false);
    let lift = |address: &str| {
        let url = bench.url(&format!("/v1/bans/{address}"));
        let request = bench.client.delete(url).bearer_auth(TOKEN);
        async { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(lift("127.0.0.9").await, 204);
    assert_eq!(lift("127.0.0.9").await, 404);
    assert_eq!(lift("nobody").await, 400);
    stranger.send(to, &stranger.request("OPTIONS", 50, ""));
    assert!(stranger.one("an answer again").starts_with("SIP/2.0 403 "));
    assert_eq!(bench.sidecar.figures().calls_total, 0);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_where_it_is_set() {
    let bench = two_trunks("unlisted-source = \"drop\"").await;
    let to = bench.sidecar.sip_udp().unwrap();
    let stranger = Peer::at("127.0.0.9");
    for method in ["OPTIONS", "INVITE", "REGISTER"] {
        stranger.send(to, &stranger.request(method, 1, ""));
    }
    bench
        .figures_become("all were heard", |now| now.strangers_silenced == 3)
        .await;
    assert_eq!(stranger.received(), Vec::<String>::new());
    bench.sidecar.shutdown().await;
}

/// Complaint 10: what floods from one trunk's forged address leaves the others, and its own calls, alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_with_a_trunks_forged_address_disturbs_nobody() {
    let extra = "sources = [\"127.0.0.2\", \"127.0.0.3\"]";
    let bench = Bench::with(talking().await, None, extra, |config| {
        config.limits.calls = 40;
        config.limits.calls_per_second = 40;
    })
    .await;
    let to = bench.sidecar.sip_udp().unwrap();
    let own = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
    own.call(to, NUMBER, &[]);
    own.wait("the trunk's call", |state| state.answered);
    let flood = Peer::at("127.0.0.2");
    let other = Phone::at("127.0.0.3", 500.0, Behaviour::Answer);
    for round in 0..5 {
        for n in 0..200 {
            flood.send(to, &flood.request("INVITE", 1000 * round + n, ""));
        }
        other.call(to, NUMBER, &[]);
        other.wait("the other trunk's call", |state| {
            assert_eq!(state.failed, None, "the other trunk was refused");
            state.answered
        });
        other.hang_up();
        other.wait("its end", |state| state.ended);
    }
    let refused = flood.received();
    assert!(
        refused
            .iter()
            .any(|answer| answer.starts_with("SIP/2.0 503 ") && answer.contains("Retry-After: ")),
        "nothing was shed"
    );
    assert!(bench.sidecar.figures().refused_share > 0);
    assert_eq!(bans(&bench).await, Vec::<Value>::new());
    // Requests within its dialog are never shed.
    own.hang_up();
    own.wait("the end of the trunk's own call", |state| state.ended);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_programs_are_answered_once_and_banned() {
    let Some(sipsak) = support::program("sipsak") else {
        return;
    };
    let bench = two_trunks("").await;
    let to = bench.sidecar.sip_udp().unwrap();
    let answered = Command::new(&sipsak)
        .args(["-vv", "-s", &format!("sip:1000@{to}")])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&answered.stdout).into_owned();
    assert!(text.contains("403"), "{text}");
    // Its flood mode ends when it is killed: by the ban nobody answers it any longer.
    let mut flood = Command::new(&sipsak)
        .args(["-F", "-s", &format!("sip:1000@{to}")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    bench
        .figures_become("the ban", |now| now.bans_total >= 1 && now.unheard > 10)
        .await;
    let _ = flood.kill();
    let _ = flood.wait();
    let listed = bans(&bench).await;
    assert_eq!(listed[0]["offence"], "knocked", "{listed:?}");
    // A trunk calls while the ban holds.
    let trunk = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
    trunk.call(to, NUMBER, &[]);
    trunk.wait("a trunk's call", |state| state.answered);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sipvicious_finds_nothing_and_is_banned_at_its_first_message() {
    let Some(svmap) = support::stranger("sipvicious_svmap") else {
        return;
    };
    let bench = two_trunks("").await;
    let to = bench.sidecar.sip_udp().unwrap();
    let scan = Command::new(&svmap)
        .args(["127.0.0.1", "-p", &to.port().to_string(), "--first", "1"])
        .output()
        .unwrap();
    let seen = format!(
        "{}{}",
        String::from_utf8_lossy(&scan.stdout),
        String::from_utf8_lossy(&scan.stderr)
    );
    bench
        .figures_become("the ban", |now| now.bans_total == 1)
        .await;
    assert!(!seen.contains("skillcall"), "{seen}");
    let listed = bans(&bench).await;
    assert_eq!(listed[0]["offence"], "scanner", "{seen} {listed:?}");
    // Whoever looks for records waits until all are written.
    assert_eq!(bench.sidecar.traces().find("none").await.len(), 0);
    let told: String = std::fs::read_dir(bench.folder.path().join("traces"))
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert_eq!(told.matches("is banned for").count(), 1, "{told}");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_we_call_is_heard_within_its_call_and_no_further() {
    let called = Phone::at("127.0.0.8", 400.0, Behaviour::Answer);
    let number = called.address;
    let handler = Handler::start(|event: &Value| {
        match event["InvocationEventType"].as_str() {
            Some("NEW_INBOUND_CALL") => json!([
                {"Type": "CallAndBridge", "Parameters": {"CallTimeoutSeconds": 30, "CallerIdNumber": "+12045550100",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+12045550142"}]}},
            ]),
            _ => json!([]),
        }
    })
    .await;
    let bench = Bench::with(
        handler,
        Some(number),
        "sources = [\"127.0.0.2\"]\nproduct = \"\"",
        |config| {
            config.toll.calls_per_caller_and_hour = 2;
        },
    )
    .await;
    let to = bench.sidecar.sip_udp().unwrap();
    let caller = Phone::at("127.0.0.2", 500.0, Behaviour::Answer);
    for _ in 0..2 {
        caller.call(to, NUMBER, &[]);
        caller.wait("the bridge", |state| state.answered);
        called.wait("it rings", |state| state.rung && state.answered);
        let invite = called
            .wait("its INVITE", |state| state.invite.is_some())
            .invite
            .unwrap();
        assert!(
            !invite.contains("127.0.0.2"),
            "the caller's side shows: {invite}"
        );
        assert!(
            !invite.contains("User-Agent") && !invite.contains("skillcall/"),
            "{invite}"
        );
        // Its BYE comes from where nobody else may send from.
        called.hang_up();
        called.wait("its end", |state| state.ended);
        bench
            .figures_become("no call", |now| now.port_pairs < 2)
            .await;
        caller.hang_up();
        caller.wait("the end", |state| state.ended);
        bench.figures_become("no call", |now| now.calls == 0).await;
        called.forget();
    }
    // What it begins by itself is a stranger's.
    let peer = Peer::at("127.0.0.8");
    peer.send(to, &peer.request("INVITE", 9, ""));
    assert!(peer.one("a refusal").starts_with("SIP/2.0 403 "));
    // The third call of this caller within an hour is not carried on.
    caller.call(to, NUMBER, &[]);
    let failed = bench.handler.wait("ACTION_FAILED", 1);
    assert!(failed.to_string().contains("CallAndBridge"), "{failed}");
    bench
        .figures_become("counted", |now| now.refused_toll == 1)
        .await;
    assert!(!called.wait("nothing", |_| true).rung);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_refuses_calls_by_sip_and_through_the_api_and_ends() {
    let bench = Bench::start(talking().await, None).await;
    let running = Phone::start(400.0, Behaviour::Answer);
    bench.call(&running, &[]);
    running.wait("an answer", |state| state.answered);
    let drain = bench.url("/v1/drain");
    let begun = bench.client.post(&drain).bearer_auth(TOKEN).send().await;
    assert_eq!(begun.unwrap().status(), 204);
    assert_eq!(bench.get("/health").await["status"], "draining");
    let phone = Phone::start(500.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.wait("a refusal", |state| state.failed == Some(503));
    let create = || {
        let path = "/sip-media-applications/c3b8a6f0-0000-4000-8000-000000000001/calls";
        bench
            .client
            .post(bench.url(path))
            .bearer_auth(TOKEN)
            .json(&json!({"FromPhoneNumber": NUMBER, "ToPhoneNumber": "+12045550142"}))
            .send()
    };
    assert_eq!(create().await.unwrap().status(), 503);
    let ended = bench.client.delete(&drain).bearer_auth(TOKEN).send().await;
    assert_eq!(ended.unwrap().status(), 204);
    assert_eq!(create().await.unwrap().status(), 201);
    bench.call(&phone, &[]);
    phone.wait("an answer", |state| state.answered);
    running.hang_up();
    running.wait("the end", |state| state.ended);
    bench.sidecar.shutdown().await;
}

/// An order is answered when it holds, also on a machine whose threads wait for each other.
#[tokio::test(flavor = "multi_thread")]
async fn no_call_comes_in_behind_a_drain_that_was_answered() {
    const ROUNDS: u32 = 60;
    let bench = two_trunks("").await;
    let (to, drain) = (bench.sidecar.sip_udp().unwrap(), bench.url("/v1/drain"));
    let trunk = Peer::at("127.0.0.2");
    let busy = Busy::start(8);
    for id in 5000..5000 + ROUNDS {
        let begun = bench.client.post(&drain).bearer_auth(TOKEN).send().await;
        assert_eq!(begun.unwrap().status(), 204);
        trunk.send(to, &trunk.request("INVITE", id, ""));
        let answer = trunk.final_answer(id);
        assert!(answer.starts_with("SIP/2.0 503 "), "{id}: {answer}");
        let ended = bench.client.delete(&drain).bearer_auth(TOKEN).send().await;
        assert_eq!(ended.unwrap().status(), 204);
    }
    drop(busy);
    assert_eq!(bench.sidecar.figures().calls, 0);
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_what_happened() {
    let bench = Bench::start(talking().await, None).await;
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.wait("an answer", |state| state.answered);
    // What a phone hears before the first packet is silence of its own.
    phone.wait("its voice", |state| {
        skillcall_media::tone::level_dbov(&state.heard) > -50.0
    });
    let scrape = || async {
        let request = bench.client.get(bench.url("/metrics")).bearer_auth(TOKEN);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    };
    let value = |text: &str, name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
            .trim()
            .parse()
            .unwrap()
    };
    let during = scrape().await;
    assert_eq!(value(&during, "skillcall_calls{state=\"answered\"} "), 1.0);
    assert!(
        value(
            &during,
            "skillcall_sip_requests_total{direction=\"received\",method=\"INVITE\"} "
        ) >= 1.0
    );
    assert!(
        value(
            &during,
            "skillcall_sip_responses_total{direction=\"sent\",status=\"200\"} "
        ) >= 1.0
    );
    assert!(value(&during, "skillcall_sip_transactions ") >= 1.0);
    assert!(value(&during, "skillcall_rtp_port_pairs ") >= 1.0);
    phone.hang_up();
    phone.wait("the end", |state| state.ended);
    bench.figures_become("no call", |now| now.calls == 0).await;
    // A leg's packets are added up at its end, which may be after its call's.
    let until = Instant::now() + LIMIT;
    let mut after = scrape().await;
    while value(&after, "skillcall_rtp_packets_total{direction=\"sent\"} ") < 1.0 {
        assert!(Instant::now() < until, "no packet in\n{after}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        after = scrape().await;
    }
    assert_eq!(
        value(&after, "skillcall_calls_ended_total{outcome=\"answered\"} "),
        1.0
    );
    assert!(value(&after, "skillcall_handler_duration_seconds_count ") >= 1.0);
    assert!(after.ends_with("# EOF\n"));
    if let Some(python) = support::stranger("python") {
        let mut child = Command::new(python)
            .args(["-c", "import sys\nfrom prometheus_client.openmetrics.parser import text_string_to_metric_families as read\nprint(len(list(read(sys.stdin.read()))))"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), after.as_bytes()).unwrap();
        let read = child.wait_with_output().unwrap();
        let families: u32 = String::from_utf8_lossy(&read.stdout)
            .trim()
            .parse()
            .unwrap();
        assert!(families > 25, "{families}");
    }
    bench.sidecar.shutdown().await;
}
