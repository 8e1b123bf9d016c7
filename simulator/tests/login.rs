//! Login with Amazon, linked accounts, skill messages and unit profiles (facts C2, D5, G7, H).

mod support;

use serde_json::{Value, json};
use skillcall_simulator::Simulator;
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use support::{Answering, Skill};

const SECRET: &str = "the-client-secret";
const USER: &str = "amzn1.ask.account.SIMULATEDCUSTOMER";

async fn start() -> (Simulator, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config(folder.path());
    config.skill.client_secrets = vec![SECRET.to_owned()];
    let simulator = Simulator::start(config).await.expect("it starts");
    (simulator, folder)
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().build();
    client.expect("a client")
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("answered");
    let status = response.status().as_u16();
    let bytes = response.bytes().await.expect("a body");
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (status, body)
}

async fn token(simulator: &Simulator, parameters: &[(&str, &str)]) -> (u16, Value) {
    let id = skillcall_simulator::config::SkillConfig::default().lwa_client_id;
    let mut form = vec![("client_id", id.as_str()), ("client_secret", SECRET)];
    form.extend(parameters);
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let request = client()
        .post(simulator.login_url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    answer(request).await
}

async fn own_token(simulator: &Simulator, scope: &str) -> String {
    let asked = [("grant_type", "client_credentials"), ("scope", scope)];
    let (status, body) = token(simulator, &asked).await;
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().expect("a token").to_owned()
}

fn url(simulator: &Simulator, path: &str) -> String {
    format!("{}{path}", simulator.api_endpoint())
}

#[tokio::test]
async fn a_grants_code_is_exchanged_once() {
    let (simulator, _folder) = start().await;
    let (skill, endpoint) = Skill::start(|_| {
        Answering::Answer(json!({"event": {"header": {
            "namespace": "Alexa.Authorization", "name": "AcceptGrant.Response",
            "messageId": "m", "payloadVersion": "3"}, "payload": {}}}))
    })
    .await;
    simulator.set_skill_endpoint(endpoint);
    let told = simulator.accept_grant(None).await.expect("told");
    assert_eq!((told.status, told.problem), (200, None));
    let asked = &skill.requests()[0].body;
    assert_eq!(asked["request"]["type"], "Alexa.Authorization.Grant");
    assert_eq!(asked["session"], Value::Null);
    assert_eq!(asked["context"]["System"]["device"], Value::Null);
    assert_eq!(asked["context"]["System"]["user"]["userId"], USER);
    let grant = &asked["request"]["body"]["grant"];
    assert_eq!(grant["type"], "OAuth2.AuthorizationCode");
    let code = grant["code"].as_str().expect("a code");
    let exchange = [("grant_type", "authorization_code"), ("code", code)];
    let (status, tokens) = token(&simulator, &exchange).await;
    assert_eq!((status, &tokens["token_type"]), (200, &json!("bearer")));
    let (status, error) = token(&simulator, &exchange).await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_grant")));
    assert!(error["error_description"].is_string() && error["request_id"].is_string());
    let refresh = tokens["refresh_token"].as_str().expect("a refresh token");
    let renew = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    assert_eq!(token(&simulator, &renew).await.0, 200);
    simulator.take_grants_back(USER);
    assert_eq!(token(&simulator, &renew).await.0, 400);
    // Neither code nor token stands in the trace.
    let records = serde_json::to_string(&simulator.trace(&told.request_id)).expect("JSON");
    assert!(records.contains("Alexa.Authorization.Grant") && !records.contains(code));
}

#[tokio::test]
async fn a_wrong_answer_to_a_grant_is_named() {
    let (simulator, _folder) = start().await;
    let (_skill, endpoint) = Skill::polite(Some(true)).await;
    simulator.set_skill_endpoint(endpoint);
    let told = simulator.accept_grant(None).await.expect("told");
    let problem = told.problem.expect("a response of a custom skill is none");
    assert!(problem.contains("event.header.namespace"), "{problem}");
}

#[tokio::test]
async fn trouble_of_the_token_endpoint_has_its_shape() {
    let (simulator, _folder) = start().await;
    let asked = [
        ("grant_type", "client_credentials"),
        ("scope", "alexa:skill_messaging"),
    ];
    for (status, error) in [
        (400, "invalid_request"),
        (401, "invalid_client"),
        (500, "ServerError"),
    ] {
        let fault = Fault::Answer {
            status,
            code: None,
            message: None,
        };
        simulator
            .trouble(Trouble::once(Place::Login, fault))
            .expect("ordered");
        let (got, body) = token(&simulator, &asked).await;
        assert_eq!((got, &body["error"]), (status, &json!(error)));
    }
    assert_eq!(token(&simulator, &asked).await.0, 200);
    simulator.set_client_secrets(vec!["another".to_owned()]);
    assert_eq!(token(&simulator, &asked).await.0, 401);
}

#[tokio::test]
async fn a_message_arrives_at_the_customers_skill() {
    let (simulator, _folder) = start().await;
    let (skill, endpoint) =
        Skill::start(|_| Answering::Answer(json!({"version": "1.0", "response": {}}))).await;
    simulator.set_skill_endpoint(endpoint);
    let own = own_token(&simulator, "alexa:skill_messaging").await;
    let other = own_token(&simulator, "alexa::proactive_events").await;
    let path = |user: &str| url(&simulator, &format!("/v1/skillmessages/users/{user}"));
    let good = json!({"data": {"missed": "1"}, "expiresAfterSeconds": 60});
    let post = async |user: &str, token: &str, body: &Value| {
        let request = client().post(path(user)).bearer_auth(token).json(body);
        answer(request).await.0
    };
    assert_eq!(post(USER, &own, &good).await, 202);
    let asked = skill.wait_for(1).await;
    assert_eq!(
        asked[0].body["request"]["type"],
        "Messaging.MessageReceived"
    );
    assert_eq!(asked[0].body["request"]["message"], json!({"missed": "1"}));
    assert_eq!(post(USER, &other, &good).await, 403);
    assert_eq!(post(USER, "Atc|x", &good).await, 403);
    assert_eq!(post("amzn1.ask.account.NOBODY", &own, &good).await, 404);
    for bad in [
        json!({}),
        json!({"data": {}}),
        json!({"data": []}),
        json!({"data": {"a": "1"}, "expiresAfterSeconds": 1}),
        json!({"data": {"a": "1"}, "more": 1}),
        json!({"data": {"a": "x".repeat(7000)}}),
    ] {
        assert_eq!(post(USER, &own, &bad).await, 400, "{bad}");
    }
    assert_eq!(skill.requests().len(), 1);
}

#[tokio::test]
async fn a_linked_account_tells_its_number_and_amazons_does_not() {
    let (simulator, _folder) = start().await;
    simulator.change_customer(None, |customer| {
        customer.access_token = Some("linked".to_owned());
        customer.linked_numbers.insert("+12045550188".to_owned());
        customer.person_access_token = Some("persons".to_owned());
        customer.person_linked_number = Some("+12045550177".to_owned());
    });
    let get = async |path: &str, token: &str| {
        answer(client().get(url(&simulator, path)).bearer_auth(token)).await
    };
    let (status, body) = get("/userinfo", "linked").await;
    assert_eq!(
        (status, &body["phone_number"]),
        (200, &json!("+12045550188"))
    );
    let (_, body) = get("/userinfo", "persons").await;
    assert_eq!(body["phone_number"], "+12045550177");
    let (status, body) = get("/user/profile", "linked").await;
    assert_eq!((status, &body["user_id"]), (200, &json!(USER)));
    assert_eq!(body["phone_number"], Value::Null, "facts C2");
    assert_eq!(get("/userinfo", "another").await.0, 401);
    assert_eq!(
        answer(client().get(url(&simulator, "/userinfo"))).await.0,
        401
    );
}

#[tokio::test]
async fn a_units_profile_wants_the_skills_own_token() {
    let (simulator, _folder) = start().await;
    simulator.change_customer(None, |customer| {
        customer.persistent_unit_id = Some("amzn1.alexa.unit.did.7".to_owned());
        customer.communication_profile = Some("profile-7".to_owned());
    });
    let own = own_token(&simulator, "amazon_communication::network:siptrunk").await;
    let other = own_token(&simulator, "alexa:skill_messaging").await;
    let get = async |query: &str, token: &str| {
        let url = url(&simulator, &format!("/v1/communications/profile?{query}"));
        answer(client().get(url).bearer_auth(token)).await
    };
    let right = "entity.type=UNIT&entity.id=amzn1.alexa.unit.did.7";
    assert_eq!(
        get(right, &own).await,
        (200, json!({"profileId": {"profileId": "profile-7"}}))
    );
    assert_eq!(get(right, &other).await.0, 401);
    assert_eq!(get("entity.type=UNIT&entity.id=other", &own).await.0, 404);
    assert_eq!(get("entity.type=ROOM&entity.id=x", &own).await.0, 400);
    assert_eq!(get("entity.type=UNIT", &own).await.0, 400);
}

#[tokio::test]
async fn what_happens_by_chance_happens_now_and_then() {
    let (simulator, _folder) = start().await;
    let asked = [
        ("grant_type", "client_credentials"),
        ("scope", "alexa:skill_messaging"),
    ];
    let fault = Fault::Answer {
        status: 500,
        code: None,
        message: None,
    };
    simulator
        .trouble(Trouble::one_in(Place::Login, fault.clone(), 2))
        .expect("ordered");
    let mut statuses = std::collections::BTreeSet::new();
    // Both come within so many but once in 2^99 runs.
    for _ in 0..100 {
        statuses.insert(token(&simulator, &asked).await.0);
    }
    assert_eq!(statuses, [200, 500].into());
    assert!(
        simulator
            .trouble(Trouble::one_in(Place::Login, fault, 0))
            .is_err()
    );
    let written = serde_json::to_value(Trouble::one_in(Place::Login, Fault::Close, 20));
    assert_eq!(
        written.expect("JSON"),
        json!({"at": "login", "fault": "close", "times": {"one-in": 20}})
    );
}

#[tokio::test]
async fn a_dialog_goes_on_with_what_its_directive_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config(folder.path());
    let model = support::MODEL.replace(
        r#"]}]}}}"#,
        r#"]}]},"dialog":{"intents":[{"name":"CallIntent","slots":[{"name":"destination","type":"DESTINATION"}]}]}}}"#,
    );
    config.skill.model_json = Some((model, "en-US".to_owned()));
    let simulator = Simulator::start(config).await.expect("it starts");
    let (skill, endpoint) = Skill::start(|asked| {
        let intent = asked.body["request"]["intent"].clone();
        let directive = if intent["slots"]["destination"]["value"] == "front desk" {
            json!({"type": "Dialog.ConfirmIntent", "updatedIntent": intent})
        } else {
            json!({"type": "Dialog.ElicitSlot", "slotToElicit": "destination", "updatedIntent": intent})
        };
        let mut answer = support::speech("Well?", Some(intent["confirmationStatus"] == "CONFIRMED"));
        if intent["confirmationStatus"] == "NONE" {
            answer["response"]["directives"] = json!([directive]);
        }
        Answering::Answer(answer)
    })
    .await;
    simulator.set_skill_endpoint(endpoint);
    for utterance in ["call nobody", "the front desk", "yes"] {
        simulator.say(utterance).await.expect("said");
    }
    let requests = skill.requests();
    let told: Vec<(&str, &str)> = requests
        .iter()
        .map(|asked| {
            let request = &asked.body["request"];
            (
                request["dialogState"].as_str().unwrap_or_default(),
                request["intent"]["confirmationStatus"]
                    .as_str()
                    .unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("STARTED", "NONE"),
            ("IN_PROGRESS", "NONE"),
            ("IN_PROGRESS", "CONFIRMED")
        ]
    );
    let filled = &requests[1].body["request"]["intent"]["slots"]["destination"];
    assert_eq!(
        filled["resolutions"]["resolutionsPerAuthority"][0]["values"][0]["value"]["id"],
        "FRONT_DESK"
    );
    simulator.shutdown().await;
}
