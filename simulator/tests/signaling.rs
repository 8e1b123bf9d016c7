//! CallSignaling: the counterpart's rules over HTTP, what reaches the skill, and the control API (facts G2 to G5).

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use skillcall_simulator::Simulator;
use skillcall_simulator::customer::Customer;
use skillcall_simulator::signaling::State;
use skillcall_simulator::signaling::endpoint::{Scripted, Told};
use support::{Answering, Asked, Skill, TOKEN};

const SECRET: &str = "the-client-secret";
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.20\r\n";

/// A simulator with two customers, a skill that takes messages, and the first customer's token.
struct Bench {
    simulator: Simulator,
    skill: Skill,
    token: String,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

async fn bench() -> Bench {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config(folder.path());
    config.skill.client_secrets = vec![SECRET.to_owned()];
    let other = Customer {
        user_id: "amzn1.ask.account.OTHER".to_owned(),
        device_id: "amzn1.ask.device.OTHER".to_owned(),
        addresses: ["room205".to_owned()].into(),
        ..Customer::default()
    };
    let first = Customer {
        addresses: ["room204".to_owned()].into(),
        ..Customer::default()
    };
    config.customers = vec![first, other];
    let simulator = Simulator::start(config).await.expect("it starts");
    let (skill, url) = Skill::start(answer).await;
    simulator.set_skill_endpoint(url);
    simulator.accept_grant(None).await.expect("told");
    let code = skill.requests()[0].body["request"]["body"]["grant"]["code"].clone();
    let http = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let code = code.as_str().expect("a code");
    let client = "amzn1.application-oa2-client.00000000000000000000000000000000";
    let form = format!(
        "grant_type=authorization_code&code={code}&client_id={client}&client_secret={SECRET}"
    );
    let reply = http
        .post(simulator.login_url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await;
    let reply: Value = reply.expect("answered").json().await.expect("tokens");
    let token = reply["access_token"].as_str().expect("a token").to_owned();
    Bench {
        simulator,
        skill,
        token,
        http,
        _folder: folder,
    }
}

fn answer(asked: &Asked) -> Answering {
    let kind = asked.body["request"]["type"].as_str().unwrap_or_default();
    Answering::Answer(if kind == "Alexa.Authorization.Grant" {
        json!({"event": {"header": {"namespace": "Alexa.Authorization", "name": "AcceptGrant.Response",
            "messageId": "m", "payloadVersion": "3"}, "payload": {}}})
    } else {
        json!({"version": "1.0", "response": {}})
    })
}

impl Bench {
    /// Says something to Alexa: the status, and the exception's name.
    async fn say(&self, operation: &str, session: &str, more: Value) -> (u16, String) {
        let mut body =
            json!({"type": format!("Alexa.Comms.CallSignaling.{operation}"), "sessionId": session});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name.as_str()] = value.clone();
        }
        self.post(Some(&self.token), &body).await
    }

    async fn post(&self, token: Option<&str>, body: &Value) -> (u16, String) {
        let origin = self.simulator.api_endpoint();
        let mut request = self
            .http
            .post(format!("{origin}/v1/communications/signaling"))
            .json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let reply = request.send().await.expect("answered");
        let status = reply.status().as_u16();
        let body: Value =
            serde_json::from_slice(&reply.bytes().await.expect("a body")).unwrap_or_default();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The control API.
    async fn control(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("http://{}/sim/v1{path}", self.simulator.address());
        let mut request = self
            .http
            .request(method.parse().expect("a method"), url)
            .bearer_auth(TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.expect("answered");
        let status = reply.status().as_u16();
        let body = reply.bytes().await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Waits for a message at the skill.
    async fn at_skill(&self, session: &str, operation: &str) -> Value {
        let kind = format!("Alexa.Comms.CallSignaling.{operation}");
        let mut wanted = 1;
        loop {
            let asked = self.skill.wait_for(wanted).await;
            let found = asked.iter().find(|asked| {
                let request = &asked.body["request"];
                request["type"] == *kind && request["sessionId"] == *session
            });
            if let Some(found) = found {
                return found.body.clone();
            }
            wanted = asked.len() + 1;
        }
    }
}

fn sdp(kind: &str) -> Value {
    json!({"sdpDetails": {"type": kind, "value": ANSWER}})
}

fn call(to: &str) -> Value {
    json!({"participants": [
        {"id": {"type": "RAW_ADDRESS", "value": "frontdesk"}, "isOriginator": true},
        {"id": {"type": "RAW_ADDRESS", "value": to}, "isOriginator": false}],
        "sdpDetails": {"type": "OFFER", "value": ANSWER}})
}

#[tokio::test]
async fn a_call_from_the_control_api_goes_its_way_and_the_device_hears_of_it() {
    let bench = bench().await;
    let scripted = Scripted::default();
    bench.simulator.set_endpoint(Arc::new(scripted.clone()));
    let to = json!({"to": {"type": "RAW_ADDRESS", "value": "frontdesk"}});
    let (status, begun) = bench.control("POST", "/sessions", Some(to)).await;
    assert_eq!(status, 201, "{begun}");
    let id = begun["sessionId"].as_str().expect("an id").to_owned();
    let request = bench.at_skill(&id, "InitiateOutboundCall").await;
    assert!(request.get("session").is_none() && request["request"].get("locale").is_none());
    assert_eq!(
        request["request"]["participants"][1]["id"]["value"],
        "frontdesk"
    );
    assert_eq!(bench.say("CallRinging", &id, Value::Null).await.0, 202);
    bench.at_skill(&id, "CallRingingAck").await;
    assert_eq!(bench.say("CallAccepted", &id, sdp("ANSWER")).await.0, 202);
    bench.at_skill(&id, "CallAcceptedAck").await;
    let path = format!("/sessions/{id}");
    assert_eq!(
        bench
            .control("POST", &format!("{path}/answer"), None)
            .await
            .0,
        409,
        "the device calls"
    );
    assert_eq!(
        bench
            .control("POST", &format!("{path}/dance"), None)
            .await
            .0,
        404
    );
    let held = bench.control("POST", &format!("{path}/hold"), None).await;
    assert_eq!(held.0, 204, "{}", held.1);
    let update = bench.at_skill(&id, "CallUpdate").await;
    assert_eq!(update["request"]["renegotiationType"], "CALL_HOLD");
    let mut response = sdp("ANSWER");
    response["renegotiationType"] = json!("CALL_HOLD");
    assert_eq!(bench.say("CallUpdateResponse", &id, response).await.0, 202);
    bench.at_skill(&id, "CallUpdateAck").await;
    let (_, view) = bench.control("GET", &path, None).await;
    assert_eq!(
        (&view["state"], &view["held"], &view["direction"]),
        (&json!("accepted"), &json!(true), &json!("outbound"))
    );
    let hung_up = bench.control("POST", &format!("{path}/hangup"), None).await;
    assert_eq!(hung_up.0, 204);
    let ended = bench.at_skill(&id, "CallEnded").await;
    assert_eq!(ended["request"]["callResult"]["code"], "SUCCESS");
    let told = scripted.told(&id);
    assert_eq!(
        told,
        [
            Told::Offered,
            Told::Ringing,
            Told::Answer(ANSWER.to_owned()),
            Told::Accepted,
            Told::Offered,
            Told::Answer(ANSWER.to_owned()),
            Told::Ended("SUCCESS".to_owned()),
        ]
    );
    let (_, all) = bench.control("GET", "/sessions", None).await;
    assert_eq!(all["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(bench.control("GET", "/sessions/none", None).await.0, 404);
    for (body, expected) in [
        (json!({"to": {"type": "RAW_ADDRESS", "value": ""}}), 400),
        (
            json!({"to": {"type": "RAW_ADDRESS", "value": "x"}, "device": "none"}),
            404,
        ),
        (
            json!({"to": {"type": "RAW_ADDRESS", "value": "x"}, "sdp": ""}),
            400,
        ),
        (json!({"too": 1}), 422),
    ] {
        let (status, _) = bench.control("POST", "/sessions", Some(body.clone())).await;
        assert_eq!(status, expected, "{body}");
    }
    bench.simulator.shutdown().await;
}

#[tokio::test]
async fn each_rule_of_the_counterpart_has_its_exception() {
    let bench = bench().await;
    let ringing = json!({"type": "Alexa.Comms.CallSignaling.CallRinging", "sessionId": "none"});
    for (token, status, name) in [
        (None, 401, "BadTokenException"),
        (Some("Atza|made-up"), 401, "BadTokenException"),
        (Some(bench.token.as_str()), 404, "ResourceNotFoundException"),
    ] {
        assert_eq!(bench.post(token, &ringing).await, (status, name.to_owned()));
    }
    let invalid = (400, "InvalidInputException".to_owned());
    for body in [
        json!([]),
        json!({"type": "CallRinging", "sessionId": "s"}),
        json!({"type": "Alexa.Comms.CallSignaling.CallRinging"}),
        json!({"type": "Alexa.Comms.CallSignaling.CallInProgress", "sessionId": "s"}),
        json!({"type": "Alexa.Comms.CallSignaling.CallEnded", "sessionId": "s", "callResult": {}}),
    ] {
        assert_eq!(
            bench.post(Some(&bench.token), &body).await,
            invalid,
            "{body}"
        );
    }
    let mut outbound = call("room204");
    outbound["sdpDetails"]["type"] = json!("OFFER");
    assert_eq!(
        bench.say("InitiateOutboundCall", "s", outbound).await,
        invalid
    );
    assert_eq!(
        bench
            .say("InitiateInboundCall", "s-1", call("nowhere"))
            .await,
        (404, "ResourceNotFoundException".to_owned())
    );
    assert_eq!(
        bench
            .say("InitiateInboundCall", "s-1", call("room205"))
            .await,
        (403, "AccessDeniedException".to_owned()),
        "another account's device"
    );
    assert_eq!(
        bench
            .say("InitiateInboundCall", "s-1", call("room204"))
            .await
            .0,
        202
    );
    assert_eq!(
        bench
            .say("InitiateInboundCall", "s-1", call("room204"))
            .await,
        (409, "ResourceConflictException".to_owned())
    );
    bench.at_skill("s-1", "CallRinging").await;
    assert_eq!(
        bench.say("CallAcceptedAck", "s-1", Value::Null).await,
        (400, "InvalidCallStateException".to_owned())
    );
    assert_eq!(bench.say("CallRingingAck", "s-1", Value::Null).await.0, 202);
    bench.simulator.accept_session("s-1").expect("accepted");
    bench.at_skill("s-1", "CallAccepted").await;
    assert_eq!(
        bench.say("CallAcceptedAck", "s-1", Value::Null).await.0,
        202
    );
    let bye = json!({"callResult": {"code": "SUCCESS"}});
    assert_eq!(bench.say("CallEnded", "s-1", bye.clone()).await.0, 202);
    for (operation, more) in [
        ("CallEnded", bye),
        ("CallRinging", Value::Null),
        ("InitiateInboundCall", call("room204")),
    ] {
        assert_eq!(
            bench.say(operation, "s-1", more).await,
            (400, "InvalidCallStateException".to_owned()),
            "{operation}"
        );
    }
    bench.simulator.shutdown().await;
}

#[tokio::test]
async fn a_call_that_the_skill_refuses_ends_at_the_device() {
    let bench = bench().await;
    let (_skill, url) = Skill::start(|_| Answering::Answer(support::speech("No.", None))).await;
    bench.simulator.set_skill_endpoint(url);
    let to = serde_json::from_value(json!({"type": "RAW_ADDRESS", "value": "frontdesk"}));
    let id = bench
        .simulator
        .begin_session(None, to.expect("an id"), None)
        .expect("begun");
    let over = bench
        .simulator
        .wait_for_session(PATIENCE, |all| {
            let found = all.iter().find(|session| session.session_id == id)?;
            (found.state == State::Ended).then(|| found.clone())
        })
        .await
        .expect("it ends");
    assert_eq!(
        over.result.expect("a result").code.as_str(),
        "INTERNAL_ERROR",
        "speech is no answer to a message"
    );
    bench.simulator.shutdown().await;
}
