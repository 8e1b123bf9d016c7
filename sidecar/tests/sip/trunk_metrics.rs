//! What the metrics say of a trunk's calls: those that came, those that we have placed, and what became of them.

use crate::support;

use std::time::{Duration, Instant};

use serde_json::json;
use skillcall_sidecar::config::TrunkConfig;
use support::{Behaviour, Bench, Handler, LIMIT, Phone, TOKEN};

async fn scrape(bench: &Bench) -> String {
    let request = bench.client.get(bench.url("/metrics")).bearer_auth(TOKEN);
    request.send().await.unwrap().text().await.unwrap()
}

async fn says(bench: &Bench, lines: &[&str]) {
    let until = Instant::now() + LIMIT;
    loop {
        let text = scrape(bench).await;
        let missing = lines.iter().find(|line| !text.lines().any(|l| l == **line));
        let Some(missing) = missing else { return };
        assert!(Instant::now() < until, "{missing}\nin\n{text}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_counts_for_its_trunk() {
    let good = Phone::at("127.0.0.3", 700.0, Behaviour::Answer);
    let busy = Phone::at("127.0.0.4", 700.0, Behaviour::Refuse(486));
    let ringing = Phone::at("127.0.0.5", 700.0, Behaviour::Ring);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    // Whom a call leads to, its caller says.
    let handler = Handler::start(
        |event| match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                    "CallTimeoutSeconds": 20, "CallerIdNumber": "+12045550100",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri":
                        event["CallDetails"]["Participants"][0]["SipHeaders"]["X-Way"]}]}}]),
            "ACTION_FAILED" => {
                json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "480"}}])
            }
            "HANGUP" => json!([{"Type": "Hangup", "Parameters": {}}]),
            _ => json!([]),
        },
    )
    .await;
    let trunks = [
        ("good", good.address.to_string(), "+1607555010"),
        ("busy", busy.address.to_string(), "+1607555020"),
        ("ringing", ringing.address.to_string(), "+1607555030"),
        ("dead", format!("sip:{closed};transport=tcp"), "+1607555040"),
    ];
    let bench = Bench::with(handler, Some(good.address), "", |config| {
        let mut carrier = TrunkConfig::new("carrier", "");
        carrier.addresses = vec!["127.0.0.2".parse().unwrap()];
        carrier.target.clear();
        config.trunk = vec![carrier];
        let template = config.route.remove(0);
        for (name, target, prefix) in &trunks {
            config.trunk.push(TrunkConfig::new(*name, target.clone()));
            let mut route = template.clone();
            (route.uri, route.trunk) = (None, Some((*name).to_owned()));
            route.prefix = Some((*prefix).to_owned());
            config.route.push(route);
        }
    })
    .await;
    let call = |number: &str| {
        let caller = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
        bench.call(&caller, &[("X-Way", number)]);
        caller
    };
    let answered = call("+16075550101");
    answered.wait("the answer", |state| state.answered);
    let placed = "skillcall_trunk_calls_placed{trunk=\"good\"} 1";
    says(
        &bench,
        &[placed, "skillcall_trunk_calls{trunk=\"carrier\"} 1"],
    )
    .await;
    answered.hang_up();
    answered.wait("the end", |state| state.ended);
    for number in ["+16075550201", "+16075550401"] {
        let refused = call(number);
        refused.wait("a refusal", |state| state.failed == Some(480));
    }
    let given_up = call("+16075550301");
    ringing.wait("it rings", |state| state.rung);
    given_up.cancel();
    ringing.wait("the end", |state| state.cancelled);
    let unknown = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
    unknown.call(bench.sidecar.sip_udp().unwrap(), "nobody", &[]);
    unknown.wait("a refusal", |state| state.failed == Some(404));
    says(
        &bench,
        &[
            "skillcall_trunk_calls_placed{trunk=\"good\"} 0",
            "skillcall_trunk_calls_placed{trunk=\"ringing\"} 0",
            "skillcall_trunk_calls{trunk=\"carrier\"} 0",
            "skillcall_trunk_invites_total{trunk=\"good\",direction=\"out\",outcome=\"2xx\"} 1",
            "skillcall_trunk_invites_total{trunk=\"busy\",direction=\"out\",outcome=\"4xx\"} 1",
            "skillcall_trunk_invites_total{trunk=\"dead\",direction=\"out\",outcome=\"unreachable\"} 1",
            "skillcall_trunk_invites_total{trunk=\"ringing\",direction=\"out\",outcome=\"cancelled\"} 1",
            "skillcall_trunk_invites_total{trunk=\"carrier\",direction=\"in\",outcome=\"2xx\"} 1",
            "skillcall_trunk_invites_total{trunk=\"carrier\",direction=\"in\",outcome=\"4xx\"} 3",
            "skillcall_trunk_invites_total{trunk=\"carrier\",direction=\"in\",outcome=\"cancelled\"} 1",
        ],
    )
    .await;
    bench.sidecar.shutdown().await;
}
