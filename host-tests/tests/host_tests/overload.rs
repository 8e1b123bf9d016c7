//! More calls than there may be: 503 with Retry-After for what is too much, and all is as before when they end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use skillcall_host_tests::handler::{action, nothing};
use skillcall_host_tests::{Answer, Handler, PATIENCE, Stage, Staging, plans, until};
use skillcall_protocol::trace::{Kind, Protocol};
use skillcall_simulator::line::{CallState, EndedBy};
use tokio::net::UdpSocket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_too_many_is_turned_away_and_the_next_one_is_not() {
    let stage = Staging::new(plans::straight())
        .sidecar_toml("[limits]\ncalls = 2\n")
        .start()
        .await;
    let mut calls = Vec::new();
    for _ in 0..2 {
        let (_, call) = stage.call().await;
        stage
            .call_is(&call.id, |call| call.state == CallState::Talking)
            .await;
        calls.push(call);
    }
    let (said, third) = stage.call().await;
    let third = stage
        .call_is(&third.id, |call| call.is_over() && call.spoken.is_some())
        .await;
    let ended = third.ended.expect("an ending");
    assert_eq!((ended.by, ended.status), (EndedBy::Refused, 503));
    assert_eq!(
        third.spoken.as_deref(),
        Some("The contact is not available."),
        "facts D3"
    );
    let trace = stage.trace(&said.request_id.expect("a request")).await;
    let refusal = trace.records.iter().find_map(|record| match &record.kind {
        Kind::Message(message) if message.protocol == Protocol::Sip => message
            .body
            .as_ref()
            .map(|body| body.as_str())
            .filter(|text| text.starts_with("SIP/2.0 503")),
        _ => None,
    });
    let refusal = refusal.expect("the refusal in the device's trace");
    assert!(refusal.contains("\r\nRetry-After: "), "{refusal}");
    assert_eq!(stage.sidecar.figures().refused_overload, 1);
    assert_eq!(stage.sidecar.figures().calls, 2, "the others go on");

    stage
        .simulator
        .hang_up(&calls[0].id)
        .await
        .expect("hung up");
    until("a place", async || {
        (stage.sidecar.figures().calls == 1).then_some(())
    })
    .await;
    let (_, fourth) = stage.call().await;
    stage
        .call_is(&fourth.id, |call| call.state == CallState::Talking)
        .await;
    for call in [&calls[1], &fourth] {
        stage.simulator.hang_up(&call.id).await.expect("hung up");
    }
    stage.quiet().await;
    assert_eq!(stage.sidecar.figures().calls_total, 3);
    stage.end().await;
}

/// Callers who all call at the same moment, from one socket.
struct Crowd {
    socket: UdpSocket,
    waves: usize,
}

impl Crowd {
    async fn new(stage: &Stage) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let target = stage.sidecar.sip_udp().expect("SIP over UDP");
        socket.connect(target).await.expect("the sidecar");
        Self { socket, waves: 0 }
    }

    fn request(&self, method: &str, call: &str) -> String {
        let here = self.socket.local_addr().expect("an address");
        let there = self.socket.peer_addr().expect("an address");
        let body = if method == "INVITE" {
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        } else {
            ""
        };
        format!(
            "{method} sip:{number}@{there} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-{call}\r\n\
             From: <sip:+12045550100@{here}>;tag={call}\r\nTo: <sip:{number}@{there}>\r\nCall-ID: {call}\r\n\
             CSeq: 1 {method}\r\nContact: <sip:+12045550100@{here}>\r\nMax-Forwards: 70\r\n\
             Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}",
            number = plans::DESK,
            length = body.len(),
        )
    }

    /// So many INVITEs at once. Who passed, and how many were turned away.
    async fn calls(&mut self, count: usize) -> (Vec<String>, usize) {
        self.waves += 1;
        let ids: Vec<String> = (0..count)
            .map(|index| format!("crowd-{}-{index}", self.waves))
            .collect();
        let invites: Vec<String> = ids.iter().map(|id| self.request("INVITE", id)).collect();
        for invite in &invites {
            self.socket.send(invite.as_bytes()).await.expect("sent");
        }
        let mut answers: BTreeMap<String, u16> = BTreeMap::new();
        while answers.len() < count {
            let (status, call) = self.answer().await;
            if ids.contains(&call) {
                answers.entry(call).or_insert(status);
            }
        }
        let passed: Vec<String> = answers
            .iter()
            .filter(|(_, status)| **status == 100)
            .map(|(call, _)| call.clone())
            .collect();
        let refused = answers.values().filter(|status| **status == 503).count();
        assert_eq!(passed.len() + refused, count, "{answers:?}");
        (passed, refused)
    }

    /// The next answer's status, and its call.
    async fn answer(&self) -> (u16, String) {
        let mut bytes = vec![0; 4096];
        let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut bytes)).await;
        let length = received.expect("an answer in time").expect("an answer");
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let call = text
            .lines()
            .find_map(|line| line.strip_prefix("Call-ID: "))
            .expect("a Call-ID");
        let status = status.expect("a status");
        if status == 503 {
            assert!(text.contains("\r\nRetry-After: "), "{text}");
        }
        (status, call.to_owned())
    }

    async fn give_up(&self, calls: &[String]) {
        for call in calls {
            let cancel = self.request("CANCEL", call);
            self.socket.send(cancel.as_bytes()).await.expect("sent");
        }
    }
}

/// A handler that leaves its calls unanswered, for as long as they like.
async fn patient() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => Answer::Actions(vec![action(
            "Pause",
            json!({"DurationInMilliseconds": "60000"}),
        )]),
        _ => nothing(),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_crowd_at_one_moment_no_more_pass_than_may() {
    let handler = patient().await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .sidecar_toml("[limits]\ncalls = 3\nworkers = 2\n")
        .start()
        .await;
    let mut crowd = Crowd::new(&stage).await;
    let mut turned_away = 0;
    let began = std::time::Instant::now();
    for wave in 1..=3 {
        let (mut passed, refused) = crowd.calls(40).await;
        turned_away += refused;
        assert!(passed.len() <= 3, "wave {wave}: {passed:?}");
        // A machine that is slow sheds more than it must, and takes those who come again.
        while passed.len() < 3 {
            assert!(began.elapsed() < PATIENCE, "none passes any more");
            let (one, refused) = crowd.calls(1).await;
            passed.extend(one);
            turned_away += refused;
        }
        assert_eq!(stage.sidecar.figures().calls, 3, "wave {wave}");
        let (none, refused) = crowd.calls(10).await;
        assert_eq!(
            (none.len(), refused),
            (0, 10),
            "wave {wave}: all places are taken"
        );
        turned_away += refused;
        crowd.give_up(&passed).await;
        stage.quiet().await;
    }
    let figures = stage.sidecar.figures();
    assert_eq!(figures.calls_total, 9);
    assert_eq!(figures.refused_overload, turned_away as u64);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_a_second_than_may_be_are_turned_away_until_the_second_is_over() {
    let handler = patient().await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .sidecar_toml("[limits]\ncalls-per-second = 5\n")
        .start()
        .await;
    let mut crowd = Crowd::new(&stage).await;
    let began = std::time::Instant::now();
    let (mut passed, refused) = crowd.calls(60).await;
    // A second may end while they come.
    let seconds = began.elapsed().as_secs() as usize + 2;
    assert!(
        passed.len() <= 5 * seconds,
        "{} of 60 passed in {:?}",
        passed.len(),
        began.elapsed()
    );
    assert_eq!(refused, 60 - passed.len());
    let mut tries = 0;
    while let (none, 1) = crowd.calls(1).await {
        assert!(none.is_empty());
        assert!(began.elapsed() < PATIENCE, "none passes any more");
        tries += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(tries < 200, "it goes by within a second or so");
    passed.push(format!("crowd-{}-0", crowd.waves));
    crowd.give_up(&passed).await;
    stage.end().await;
}
