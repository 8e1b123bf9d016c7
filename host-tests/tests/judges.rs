//! Amazon's own packages judge what skill and simulator say: `ask-sdk-model` every reply that the tests produced,
//! `ask-sdk-core` every request that the simulator produced, `ask-sdk-express-adapter` every signature.
//!
//! A program of its own, whose name comes after that of the others: it judges what they left, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use skillcall_host_tests::alexa::{Envelope, Signed};
use skillcall_host_tests::judges::{self, Exchange};
use skillcall_host_tests::{Stage, Staging, plans, until};
use skillcall_simulator::authority::ChainFault;
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use url::Url;

/// Replies and requests that the component's own tests compare with its answers, one by one.
const CORPUS: &str = include_str!("../../crates/protocol/tests/golden/skill-requests.json");
/// Judges by `script`; `what` names the cases in the same order.
async fn all_well(script: &'static str, question: &Value, what: &[&str]) {
    let judged = judges::ask(script, question).await;
    let wrong: Vec<String> = judged
        .as_array()
        .expect("a list")
        .iter()
        .zip(what)
        .filter(|(found, _)| found.as_array().is_some_and(|found| !found.is_empty()))
        .map(|(found, what)| format!("{found} in {what}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A conversation with everything that a skill can answer.
async fn conversation() -> Stage {
    let stage = Staging::new(plans::straight()).with_login().start().await;
    for utterance in ["open harbour hotel", "help", "call the moon", "yes", "stop"] {
        stage.simulator.say(utterance).await.expect("said");
    }
    stage
        .simulator
        .change_customer(None, |customer| customer.granted.clear());
    stage
        .simulator
        .say("call the front desk")
        .await
        .expect("said");
    stage.simulator.accept_grant(None).await.expect("told");
    let slot = json!({"name": "destination", "value": "front desk", "confirmationStatus": "NONE"});
    let intent =
        json!({"name": "CallIntent", "confirmationStatus": "NONE", "slots": {"destination": slot}});
    for request in [
        json!({"type": "CanFulfillIntentRequest", "intent": intent}),
        json!({"type": "Messaging.MessageReceived", "message": {}}),
        json!({"type": "AlexaSkillEvent.SkillEnabled"}),
    ] {
        stage.simulator.ask(request, None).await.expect("told");
    }
    stage
}

/// What each message of CallSignaling gets unless a setting chooses otherwise (facts G6).
fn empty_response() -> Value {
    json!({"version": "1.0", "response": {}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amazons_types_take_every_reply_and_its_helpers_read_every_request() {
    conversation().await.end().await;
    let exchanges = judges::take_ended();
    let corpus: Vec<Value> = serde_json::from_str(CORPUS).expect("the corpus");
    let mut requests: BTreeMap<String, Value> = BTreeMap::new();
    let mut replies: BTreeSet<String> = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for exchange in exchanges.iter().filter(|exchange| exchange.status == 200) {
        let request: Value = serde_json::from_str(&exchange.request).expect("JSON");
        let kind = request["request"]["type"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        // A grant is answered in an envelope of its own (facts G7), which is no response of a skill. Nor does the SDK
        // know the two older forms of a deferred response to CallSignaling (facts G6).
        let is_of_the_sdk = kind != "Alexa.Authorization.Grant"
            && !(kind.starts_with("Alexa.Comms.CallSignaling.")
                && serde_json::from_str(&exchange.reply).ok() != Some(empty_response()));
        if is_of_the_sdk {
            replies.insert(exchange.reply.clone());
        }
        kinds.insert(kind.clone());
        requests.insert(exchange.request.clone(), request);
    }
    for case in &corpus {
        if case["reply"]["response"].is_object() {
            replies.insert(case["reply"].to_string());
        }
    }
    let wanted = [
        "LaunchRequest",
        "IntentRequest",
        "CanFulfillIntentRequest",
        "Alexa.Authorization.Grant",
    ];
    for kind in wanted {
        assert!(
            kinds.contains(kind),
            "{kind} is among what is judged: {kinds:?}"
        );
    }
    let whole: Vec<Value> = requests.values().cloned().collect();
    let texts: Vec<&str> = requests.keys().map(String::as_str).collect();
    all_well("requests.js", &Value::from(whole.clone()), &texts).await;

    let replies: Vec<Value> = replies
        .iter()
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .collect();
    let count = replies.len();
    let found = judges::ask("replies.js", &Value::from(replies.clone())).await;
    let found: Vec<String> = found
        .as_array()
        .expect("a list")
        .iter()
        .map(|found| {
            let index = found["index"]
                .as_u64()
                .and_then(|at| usize::try_from(at).ok());
            let reply = index.and_then(|at| replies.get(at)).cloned();
            format!("{} in {}", found["message"], reply.unwrap_or_default())
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    eprintln!("judged: {count} replies, {} requests", requests.len());
}

/// A request, what the skill made of it, and what Amazon's verifier is told of it.
struct Case {
    what: String,
    /// Why we alone may refuse it.
    reason: Option<&'static str>,
    exchange: Exchange,
    /// Whether its chain has been verified before.
    cached: bool,
    /// When the skill had it.
    at: SystemTime,
}

impl Case {
    fn question(&self) -> Value {
        let at = self.at.duration_since(UNIX_EPOCH).expect("after 1970");
        json!({
            "headers": self.exchange.headers, "body": self.exchange.request, "cached": self.cached,
            "at": u64::try_from(at.as_millis()).expect("milliseconds"),
        })
    }
}

/// A refusal of ours that Amazon's verifier does not share, with its reason.
fn reason(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Future { .. } => {
            Some("facts B: the SDK looks into the past alone; ±150 s is our choice")
        }
        Fault::OtherSkill { .. } => {
            Some("facts B: the SDK compares the id elsewhere (withSkillId)")
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_refusal_is_one_of_amazons_or_has_its_reason() {
    let stage = Staging::new(plans::straight()).start().await;
    let number = stage.simulator.authority().chain().number();
    let file = format!("echo-api-cert-{number}.pem");
    let url = |url: String| Fault::ChainUrl { url };
    let other = "amzn1.ask.skill.11111111-1111-1111-1111-111111111111".to_owned();
    let mut faults = vec![
        None,
        Some(Fault::Unsigned),
        Some(Fault::LegacySignatureOnly),
        Some(Fault::Tampered),
        Some(Fault::NoChainUrl),
        Some(Fault::Stale { seconds: 140 }),
        Some(Fault::Stale { seconds: 160 }),
        Some(Fault::Future { seconds: 140 }),
        Some(Fault::Future { seconds: 200 }),
        Some(Fault::NoTimestamp),
        Some(Fault::OtherSkill { skill_id: other }),
        Some(url(format!("HTTPS://s3.amazonaws.com:443/echo.api/{file}"))),
        Some(url(format!("http://s3.amazonaws.com/echo.api/{file}"))),
        Some(url(format!(
            "https://s3.amazonaws.com.example.com/echo.api/{file}"
        ))),
        Some(url(format!("https://example.com/echo.api/{file}"))),
        Some(url(format!("https://s3.amazonaws.com:444/echo.api/{file}"))),
        Some(url(format!("https://s3.amazonaws.com/EcHo.aPi/{file}"))),
        Some(url(format!("https://s3.amazonaws.com/echo.api/../{file}"))),
        Some(url(format!(
            "https://s3.amazonaws.com@example.com/echo.api/{file}"
        ))),
        Some(url(
            "https://s3.amazonaws.com/echo.api/echo-api-cert-999999999.pem".to_owned(),
        )),
    ];
    for chain in [
        ChainFault::WrongName,
        ChainFault::ForeignRoot,
        ChainFault::Expired,
        ChainFault::NotYetValid,
        ChainFault::Incomplete,
    ] {
        faults.push(Some(Fault::BadChain { chain }));
    }
    let mut cases = Vec::new();
    for fault in faults {
        if let Some(fault) = &fault {
            let order = Trouble::once(Place::Request, fault.clone());
            stage.simulator.trouble(order).expect("ordered");
        }
        let said = stage.simulator.say("help").await.expect("said");
        let id = said.request_id.expect("a request");
        let exchange = judges::exchanges(&stage.exchanges)
            .into_iter()
            .find(|exchange| exchange.request.contains(&id))
            .expect("the exchange");
        cases.push(Case {
            what: format!("{fault:?}"),
            reason: fault.as_ref().and_then(reason),
            exchange,
            cached: false,
            at: SystemTime::now(),
        });
    }
    cases.push(expired_in_the_cache(&stage).await);

    let mut chains = serde_json::Map::new();
    for case in &cases {
        let Some(url) = case.exchange.headers["SignatureCertChainUrl"].as_str() else {
            continue;
        };
        // As Node fetches it: dots in the path lead away.
        let Ok(place) = Url::parse(url) else { continue };
        let from = format!("{}{}", stage.simulator.chain_origin(), place.path());
        let answer = stage.http.get(from).send().await.expect("an answer");
        if answer.status().is_success() {
            chains.insert(url.to_owned(), answer.text().await.expect("PEM").into());
        }
    }
    let question = json!({
        "root": stage.simulator.roots_pem(),
        "chains": chains,
        "cases": cases.iter().map(Case::question).collect::<Vec<_>>(),
    });
    let judged = judges::ask("verify.js", &question).await;
    let mut both = [0, 0];
    for (case, judged) in cases.iter().zip(judged.as_array().expect("a list")) {
        let Case {
            what,
            reason,
            exchange,
            ..
        } = case;
        let (ours, amazons) = (exchange.status == 200, judged.is_null());
        assert!(
            ours || exchange.status == 400,
            "{what}: {}",
            exchange.status
        );
        match (ours, amazons) {
            (true, true) => both[0] += 1,
            (false, false) => both[1] += 1,
            (true, false) => panic!("{what}: we take what Amazon's verifier refuses: {judged}"),
            (false, true) => assert!(
                reason.is_some(),
                "{what}: we alone refuse it, for no reason that is listed"
            ),
        }
    }
    assert!(both[0] >= 4 && both[1] >= 18, "{both:?}");
    stage.end().await;
}

/// A chain that was good when it was fetched and has ended since: the SDK goes on with it (facts B), we do not.
async fn expired_in_the_cache(stage: &Stage) -> Case {
    let authority = stage.simulator.authority();
    let chain = authority.short_lived_chain(Duration::from_secs(3));
    let chain = chain.expect("a chain");
    let (signed, status) = until("the chain to be refused", async || {
        let mut envelope = Envelope::call_the_front_desk(&stage.simulator);
        envelope.body["request"] = json!({
            "type": "LaunchRequest", "locale": "en-US",
            "requestId": envelope.request_id, "timestamp": envelope.body["request"]["timestamp"],
        });
        let signed = envelope.signed(&chain);
        let status = post(stage, &signed).await;
        (status != 200).then_some((signed, status))
    })
    .await;
    let headers: serde_json::Map<String, Value> = signed
        .headers
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let exchange = Exchange {
        headers: headers.into(),
        request: String::from_utf8(signed.body).expect("text"),
        status,
        reply: String::new(),
    };
    let reason = "facts B: the SDK never looks at the end of a chain that it has cached";
    Case {
        what: "a cached chain that has ended".to_owned(),
        reason: Some(reason),
        exchange,
        cached: true,
        at: SystemTime::now(),
    }
}

async fn post(stage: &Stage, signed: &Signed) -> u16 {
    let mut request = stage.http.post(stage.component("/alexa"));
    for (name, value) in &signed.headers {
        request = request.header(name, value);
    }
    let answer = request.body(signed.body.clone()).send().await;
    answer.expect("an answer").status().as_u16()
}
