//! The whole call with SIP over TCP: the device's side, the bridge's, and SIPp at either end.

use skillcall_host_tests::program::free_port;
use skillcall_host_tests::sipp::{self, Over};
use skillcall_host_tests::{Stage, Staging, plans, sound};
use skillcall_protocol::trace::{Kind, Protocol};
use skillcall_simulator::line::{CallState, EndedBy, Voice};

use crate::foreign_peers::sipp_hears_goodbye;

const GUEST: f64 = 440.0;
const DESK: f64 = 1000.0;

/// The transports that the Via lines of a call's messages name, as the trace has them.
async fn transports(stage: &Stage, id: &str) -> (usize, usize) {
    let trace = stage.trace(id).await;
    let messages = trace
        .records
        .iter()
        .filter_map(|record| match &record.kind {
            Kind::Message(message) if message.protocol == Protocol::Sip => message.body.as_ref(),
            _ => None,
        });
    let over =
        |name: &str, text: &str| usize::from(text.contains(&format!("Via: SIP/2.0/{name} ")));
    messages.fold((0, 0), |(udp, tcp), body| {
        let text = body.as_str();
        (udp + over("UDP", text), tcp + over("TCP", text))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_share_their_connections_and_both_ends_hear_each_other() {
    let staging = Staging::new(plans::straight()).over_tcp();
    let staging = staging.simulator(|simulator| {
        simulator.device.voice = Voice::Tone { hz: GUEST };
        if let Some(phone) = &mut simulator.phone {
            phone.voice = Voice::Tone { hz: DESK };
        }
    });
    let stage = staging.start().await;
    let mut held = Vec::new();
    for device_hangs_up in [false, true] {
        let (said, call) = stage.call().await;
        let phone = stage.phone(CallState::Talking).await;
        sound::heard(&stage.simulator, &phone.id, GUEST).await;
        sound::heard(&stage.simulator, &call.id, DESK).await;
        let (first, other) = if device_hangs_up {
            (&call.id, &phone.id)
        } else {
            (&phone.id, &call.id)
        };
        stage.simulator.hang_up(first).await.expect("hung up");
        let other = stage.over(other).await;
        assert_eq!(other.ended.expect("an ending").by, EndedBy::Peer);
        stage.quiet().await;
        held.push(stage.sidecar.figures().connections);
        let (udp, tcp) = transports(&stage, &said.request_id.expect("a request")).await;
        assert_eq!(udp, 0, "no message of the call went over UDP");
        assert!(tcp >= 12, "INVITE, 200, ACK, BYE, 200 of both legs: {tcp}");
    }
    assert!(
        (1..=3).contains(&held[0]) && held[1] <= held[0],
        "a connection outlives its call and serves the next: {held:?}"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_as_the_phone_is_called_over_tcp_and_echoes() {
    let (port, media) = (free_port(), free_port());
    let staging = Staging::new(plans::straight()).over_tcp();
    let staging = staging.bridging_to(format!("sip:{{number}}@127.0.0.1:{port};transport=tcp"));
    let stage = staging
        .simulator(|simulator| simulator.device.voice = Voice::Tone { hz: GUEST })
        .start()
        .await;
    let sipp = sipp::phone(&stage, Over::Tcp, (port, media), "-sn uas");
    sipp::listening(Over::Tcp, port).await;
    let (said, call) = stage.call().await;
    sound::heard(&stage.simulator, &call.id, GUEST).await;
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    sipp.succeeds().await;
    stage.quiet().await;
    let (udp, _) = transports(&stage, &said.request_id.expect("a request")).await;
    assert_eq!(udp, 0, "no message of the call went over UDP");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_over_tcp_is_answered_spoken_to_and_hung_up_on() {
    sipp_hears_goodbye(Over::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listens_where_the_bridge_leads_over_tcp() {
    let gone = free_port();
    let staging = Staging::new(plans::straight()).over_tcp();
    let staging = staging.bridging_to(format!("sip:{{number}}@127.0.0.1:{gone};transport=tcp"));
    let stage = staging.start().await;
    let (_, call) = stage.call().await;
    let device = stage.over(&call.id).await;
    assert_eq!(device.answered_at, None, "facts E4: no 200 to the device");
    assert_eq!(device.ended.expect("an ending").by, EndedBy::Refused);
    stage.end().await;
}
