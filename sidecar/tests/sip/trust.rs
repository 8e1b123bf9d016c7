//! What a trunk says of a caller goes on to trunks of the same circle of trust, and to nobody else (RFC 3325).

use crate::support;

use serde_json::json;
use skillcall_sidecar::config::TrunkConfig;
use support::{Behaviour, Bench, Handler, NUMBER, Phone};

const SAID: [(&str, &str); 6] = [
    ("P-Asserted-Identity", "<sip:+12045550100@carrier.example>"),
    (
        "P-Asserted-Identity",
        "<tel:+12045550100;verstat=TN-Validation-Passed>",
    ),
    ("Privacy", "id"),
    (
        "Diversion",
        "<sip:+16075550123@carrier.example>;reason=unconditional",
    ),
    ("History-Info", "<sip:+16075550123@carrier.example>;index=1"),
    (
        "Identity",
        "eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://cert.example/c.pem>;alg=ES256",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn identities_stay_within_the_circle_of_trust() {
    for (from, to) in [(true, true), (true, false), (false, true), (false, false)] {
        let desk = Phone::at("127.0.0.3", 700.0, Behaviour::Answer);
        let handler =
            Handler::start(
                |event| match event["InvocationEventType"].as_str().unwrap() {
                    "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 20, "CallerIdNumber": "+12045550100",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550101"}]}}]),
                    _ => json!([]),
                },
            )
            .await;
        let bench = Bench::with(handler, Some(desk.address), "", |config| {
            let trunk = |name: &str, address: &str, trusted| TrunkConfig {
                trusted,
                addresses: vec![address.parse().unwrap()],
                ..TrunkConfig::new(name, desk.address.to_string())
            };
            let mut carrier = trunk("carrier", "127.0.0.2", from);
            carrier.target.clear();
            config.trunk = vec![carrier, trunk("desk", "127.0.0.3", to)];
            config.route[0].uri = None;
            config.route[0].trunk = Some("desk".into());
        })
        .await;
        let caller = Phone::at("127.0.0.2", 400.0, Behaviour::Answer);
        bench.call(&caller, &SAID);
        caller.wait("the answer", |state| state.answered);
        let state = desk.wait("a call", |state| state.invite.is_some());
        let invite = state.invite.unwrap();
        // What we add to the call's way: where it was asked for, and where it leads.
        let sip = bench.sidecar.sip_udp().unwrap();
        let (first, second) = if from {
            ("1.1", "1.1.1;mp=1.1")
        } else {
            ("1", "1.1;mp=1")
        };
        for line in [
            format!("History-Info: <sip:{NUMBER}@{sip}>;index={first}\r\n"),
            format!(
                "History-Info: <sip:+16075550101@{}>;index={second}\r\n",
                desk.address
            ),
        ] {
            assert_eq!(invite.contains(&line), to, "{line}:\n{invite}");
        }
        assert_eq!(invite.contains("History-Info:"), to, "{invite}");
        for (name, value) in SAID {
            assert_eq!(
                invite.contains(&format!("{name}: {value}\r\n")),
                from && to,
                "{name} from a trunk that is {from} to one that is {to}:\n{invite}"
            );
        }
    }
}
