//! Connections that go both ways (RFC 5923): a trunk that cannot be connected to is called over the connection that it has opened,
//! if it says so and its certificate fits; OpenSSL is the trunk.

use crate::support;

use std::path::Path;

use serde_json::json;
use support::authority::Authority;
use support::peer::{Peer, s_client};
use support::{Behaviour, Bench, Handler, Phone};

/// Where the trunk would be: nobody listens there.
const PLACE: &str = "127.0.0.9:5061";

fn request(call_id: &str, via: &str) -> String {
    format!(
        "OPTIONS sip:sip.example SIP/2.0\r\nVia: SIP/2.0/TLS {via};branch=z9hG4bK{call_id};rport\r\n\
         From: <sip:a@carrier.example>;tag=a\r\nTo: <sip:sip.example>\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// What says no to the INVITE that has come.
fn refusal(peer: &mut Peer) -> String {
    peer.line("Content-Length:").expect("a whole INVITE");
    let copied = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
    let headers: Vec<&String> = (peer.seen.iter())
        .filter(|line| copied.iter().any(|name| line.starts_with(name)))
        .collect();
    let mut answer = String::from("SIP/2.0 603 Decline\r\n");
    for line in headers {
        let tag = if line.starts_with("To:") {
            ";tag=d"
        } else {
            ""
        };
        answer.push_str(&format!("{}{tag}\r\n", line.trim_end()));
    }
    answer + "Content-Length: 0\r\n\r\n"
}

async fn bench(folder: &Path) -> Bench {
    let authority = Authority::new();
    authority.write(&folder.join("roots.pem"));
    authority.issue(folder, "sip", &["sip.example"]);
    authority.issue(folder, "carrier", &["sip:carrier.example"]);
    authority.issue(folder, "other", &["other.example"]);
    let at = |name: &str| folder.join(name).display().to_string();
    // Both certificates are the trunk's.
    let text = format!(
        "[tls]\ncertificate = \"{}\"\nkey-file = \"{}\"\nclients = \"{}\"\n[[route]]\nprefix = \"+\"\n\
         trunk = \"carrier\"\n[[trunk]]\nname = \"carrier\"\ntls-name = \"carrier.example\"\n\
         certificate-names = [\"carrier.example\", \"other.example\"]\n\
         target = [{{ address = \"sip:{PLACE};transport=tls\" }}]\n",
        at("sip.pem"),
        at("sip.key"),
        at("roots.pem"),
    );
    let handler = Handler::start(
        |event| match event["InvocationEventType"].as_str().unwrap() {
            "NEW_INBOUND_CALL" => json!([{"Type": "CallAndBridge", "Parameters": {
                    "CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
                    "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550100"}]}}]),
            _ => json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "480"}}]),
        },
    )
    .await;
    Bench::with(handler, None, &text, |config| {
        config.sip.listen.push("tls:127.0.0.1:0".parse().unwrap());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_is_called_over_its_own_connection_if_its_certificate_fits() {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench(folder.path()).await;
    let (tls, at) = (bench.sidecar.sip_tls().unwrap(), |name| {
        folder.path().join(name)
    });
    for (certificate, via, taken) in [
        ("carrier", "carrier.example:5061;alias", true),
        // A connection without the word, for another port, of a trunk's certificate that is not the host's.
        ("carrier", "carrier.example:5061", false),
        ("carrier", "carrier.example:5070;alias", false),
        ("other", "carrier.example:5061;alias", false),
        ("other", "other.example:5061;alias", false),
        ("carrier", "carrier.example;alias", true),
    ] {
        let mut trunk = s_client(tls, &at("roots.pem"), Some(&at(certificate)));
        trunk.say(&request("one", via));
        trunk.line("SIP/2.0 200").expect("an answer");
        let caller = Phone::start(400.0, Behaviour::Answer);
        bench.call(&caller, &[]);
        if taken {
            trunk
                .line("INVITE sip:+16075550100@127.0.0.9")
                .expect("an INVITE");
            trunk.line("Via: SIP/2.0/TLS").unwrap();
            let own = trunk.seen.last().unwrap();
            assert!(own.trim_end().ends_with(";alias"), "{own}");
            // All that belongs to the INVITE is behind its first line.
            let begin = trunk
                .seen
                .iter()
                .rposition(|line| line.starts_with("INVITE"));
            trunk.seen.drain(..begin.unwrap());
            let no = refusal(&mut trunk);
            trunk.say(&no);
            trunk.line("ACK sip:").expect("an ACK");
        }
        caller.wait("a refusal", |state| state.failed == Some(480));
        trunk.say(&request("two", via));
        trunk.line("SIP/2.0 200").expect("an answer");
        let called = trunk.seen.iter().any(|line| line.starts_with("INVITE"));
        assert_eq!(called, taken, "{certificate} {via}");
        let failed = bench.handler.wait("ACTION_FAILED", 1);
        drop((trunk, failed));
        // Its connection is over before the next one begins.
        bench
            .figures_become("the connection ends", |now| now.connections == 0)
            .await;
    }
    bench.sidecar.shutdown().await;
}
