//! The gateway as a user of a PBX: it registers, answers challenges, renews, tries again, and takes its binding back. The
//! registrars are Asterisk and Kamailio.

use crate::support;

use std::time::Duration;

use serde_json::{Value, json};
use support::asterisk::{Asterisk, Dialplan, free_port};
use support::{Behaviour, Bench, Handler, NUMBER, Phone, hang_up_all, write_secret};

const PASSWORD: &str = "a word between us";

/// Bridges a call to +16075550102, an echo of the PBX; answers the PBX's own calls and hangs them up.
async fn handler() -> Handler {
    Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => {
            let from = &event["CallDetails"]["Participants"][0]["From"];
            if from == "anonymous" {
                return json!([{"Type": "Hangup", "Parameters": {"SipResponseCode": "480"}}]);
            }
            json!([{"Type": "CallAndBridge", "Parameters": {
                "CallTimeoutSeconds": 20, "CallerIdNumber": "+16075550199",
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": "+16075550102"}]}}])
        }
        Some("ACTION_FAILED" | "HANGUP") => hang_up_all(event),
        _ => json!([]),
    })
    .await
}

fn trunk(target: &str, register: &str) -> String {
    format!(
        "[[route]]\nprefix = \"+\"\ntrunk = \"pbx\"\n[[trunk]]\nname = \"pbx\"\n\
         target = [{{ address = \"{target}\" }}]\nusername = \"account\"\n\
         password-file = \"secrets/pbx.password\"\nregister = {register}\n"
    )
}

async fn registering(target: &str, register: &str, password: &str) -> Bench {
    let extra = trunk(target, register);
    Bench::with(handler().await, None, &extra, |config| {
        write_secret(
            &config.origin.folder().join("secrets/pbx.password"),
            password,
        );
    })
    .await
}

/// An account of Asterisk's that registers: its calls are challenged, too.
fn plan(pjsip: &str) -> Dialplan<'_> {
    Dialplan {
        // It is told by registration.
        gateway: free_port(),
        endpoint: "aors=account\nauth=account",
        pjsip,
        extensions: "exten = _+16075550102,1,Answer()\nsame = n,Echo()\nexten = 600,1,Wait(5)\n",
    }
}

const ACCOUNT: &str = "[account]\ntype=auth\nauth_type=digest\nusername=account\n\
     password=a word between us\n[account]\ntype=aor\nmax_contacts=1\nremove_existing=yes\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_registered_gateway_is_called_and_calls_with_credentials() {
    let sip = free_port();
    let contact = format!("{{ contact = \"{NUMBER}\", retry-seconds = 1 }}");
    // Over TCP it is known at once that nobody is there.
    let target = format!("sip:{sip};transport=tcp");
    let bench = registering(&target, &contact, PASSWORD).await;
    // Nobody is there yet; it is tried again.
    bench
        .registration("a failure", |state| {
            state["state"] == "trying" && state["lastAnswer"] == "it cannot be reached"
        })
        .await;
    let Some(pbx) = Asterisk::start(sip, &plan(ACCOUNT)) else {
        return;
    };
    bench.is_registered().await;
    let contacts = pbx.cli("pjsip show contacts");
    assert!(contacts.contains(&format!("sip:{NUMBER}@")), "{contacts}");
    let health = bench.get("/health").await;
    assert_eq!(
        health["registrations"],
        json!({"wanted": 1, "registered": 1})
    );
    let metrics = bench
        .client
        .get(bench.url("/metrics"))
        .bearer_auth(support::TOKEN)
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(metrics.contains("skillcall_trunk_registered{trunk=\"pbx\"} 1"));

    // The PBX calls where it was told to.
    pbx.call_to(NUMBER, "600");
    let event = bench.handler.wait("NEW_INBOUND_CALL", 1);
    assert_eq!(event["CallDetails"]["Participants"][0]["To"], NUMBER);

    // And is called, with the challenge answered.
    let phone = Phone::start(400.0, Behaviour::Answer);
    bench.call(&phone, &[]);
    phone.hears(400.0);
    phone.hang_up();
    phone.wait("the end", |state| state.ended);
    pbx.logs("WWW-Authenticate");
    pbx.is_idle();

    // Whoever takes no calls is not to be sent any.
    let drain = |on: bool| {
        let request = if on {
            bench.client.post(bench.url("/v1/drain"))
        } else {
            bench.client.delete(bench.url("/v1/drain"))
        };
        request.bearer_auth(support::TOKEN).send()
    };
    assert!(drain(true).await.unwrap().status().is_success());
    bench
        .registration("taken back", |state| state["state"] == "off")
        .await;
    let nobody = |pbx: &Asterisk| !pbx.cli("pjsip show contacts").contains("sip:+");
    pbx.wait("no contact is left", || nobody(&pbx));
    assert!(drain(false).await.unwrap().status().is_success());
    bench.is_registered().await;
    assert!(!nobody(&pbx));
    bench.sidecar.shutdown().await;
    assert!(nobody(&pbx), "{}", pbx.cli("pjsip show contacts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_is_renewed_before_it_ends() {
    let sip = free_port();
    // Asterisk gives six seconds, whatever is asked for.
    let account = format!("{ACCOUNT}maximum_expiration=6\nminimum_expiration=1\n");
    let Some(_pbx) = Asterisk::start(sip, &plan(&account)) else {
        return;
    };
    let bench = registering(&sip.to_string(), "{ retry-seconds = 1 }", PASSWORD).await;
    let first = bench.is_registered().await;
    let end = |state: &Value| {
        state["until"]
            .as_str()
            .map(|until| until.parse::<jiff::Timestamp>())
    };
    let first_end = end(&first).unwrap().unwrap();
    let later = bench
        .registration("renewed twice", |state| {
            end(state).is_some_and(|until| until.unwrap() > first_end + Duration::from_secs(5))
        })
        .await;
    assert_eq!(later["since"], first["since"], "it never was unregistered");
    bench.sidecar.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_and_not_tried_again_and_again() {
    let sip = free_port();
    let Some(pbx) = Asterisk::start(sip, &plan(ACCOUNT)) else {
        return;
    };
    let bench = registering(&sip.to_string(), "{ retry-seconds = 1 }", "another word").await;
    let state = bench
        .registration("the refusal", |state| {
            state["lastAnswer"]
                .as_str()
                .is_some_and(|answer| answer.starts_with("401"))
        })
        .await;
    assert_eq!(state["state"], "trying");
    let asked = |log: String| log.matches("REGISTER sip:").count();
    assert!(asked(pbx.log()) <= 4, "{}", pbx.log());
    bench.sidecar.shutdown().await;
}
