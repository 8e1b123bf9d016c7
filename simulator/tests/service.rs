//! The Alexa APIs: each rule with its status (facts A5, B, C1, D).

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use skillcall_protocol::manifest::Manifest;
use skillcall_simulator::customer::Region;
use skillcall_simulator::tokens::{Grant, login_with_amazon_token};
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use skillcall_simulator::{CallState, Simulator};

const SESSION: &str = "/v1/communications/session";
const NUMBER: &str = "/v2/accounts/~current/settings/Profile.mobileNumber";
const PROVIDER: &str = "amzn1.alexa.csp.id.82bb98bc-384a-11ed-a261-0242ac120002";

struct Client<'a> {
    simulator: &'a Simulator,
    http: reqwest::Client,
}

impl<'a> Client<'a> {
    fn new(simulator: &'a Simulator) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self { simulator, http }
    }

    fn token(&self) -> String {
        self.mint(self.simulator.grant(), Duration::ZERO)
    }

    fn mint(&self, grant: Grant, age: Duration) -> String {
        self.simulator.mint_token(grant, age).expect("minted")
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.api_endpoint())
    }

    async fn get(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        let mut request = self.http.get(self.url(path));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        answer(request.send().await.expect("answered")).await
    }

    async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(self.url(path)).bearer_auth(token).json(body);
        answer(request.send().await.expect("answered")).await
    }
}

async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.expect("a body");
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

fn call_to_desk() -> Value {
    json!({
        "participants": [
            {"id": {"type": "PHONE_NUMBER", "value": "+12045550100"},
             "endpointId": "amzn1.ask.device.SIMULATEDDEVICE", "isOriginator": true},
            {"id": {"type": "PHONE_NUMBER", "value": "+16075550199"}, "communicationProviderId": PROVIDER}],
        "clientContext": {"clientSessionId": "a1-b2"}})
}

#[tokio::test]
async fn the_profile_answers_with_each_status_of_the_facts() {
    let (simulator, _folder) = support::start().await;
    let client = Client::new(&simulator);
    let token = client.token();
    assert_eq!(
        client.get(NUMBER, Some(&token)).await,
        (
            200,
            json!({"countryCode": "+1", "phoneNumber": "2045550100"})
        )
    );
    for key in ["Profile.name", "Profile.givenName", "Profile.email"] {
        let (status, body) = client
            .get(
                &format!("/v2/accounts/~current/settings/{key}"),
                Some(&token),
            )
            .await;
        assert_eq!(
            (status, &body["code"]),
            (403, &json!("ACCESS_DENIED")),
            "{key}"
        );
    }
    simulator.change_customer(None, |customer| {
        customer
            .granted
            .insert("alexa::profile:name:read".to_owned());
    });
    assert_eq!(
        client
            .get("/v2/accounts/~current/settings/Profile.name", Some(&token))
            .await,
        (200, json!("Robin Guest"))
    );

    let person = "/v2/persons/~current/profile/mobileNumber";
    assert_eq!(client.get(person, Some(&token)).await.0, 403);
    simulator.change_customer(None, |customer| {
        customer.granted.insert("alexa::person_id:read".to_owned());
        customer.person_id = Some("amzn1.ask.person.TEST".to_owned());
    });
    assert_eq!(client.get(person, Some(&token)).await.0, 200);

    simulator.change_customer(None, |customer| customer.mobile_number = None);
    assert_eq!(client.get(NUMBER, Some(&token)).await, (204, Value::Null));
    simulator.change_customer(None, |customer| customer.granted.clear());
    assert_eq!(client.get(NUMBER, Some(&token)).await.0, 403);
    assert_eq!(client.get(NUMBER, None).await.0, 401);
    assert_eq!(
        client.get(NUMBER, Some("nonsense")).await.1["code"],
        "INVALID_TOKEN"
    );
    let old = client.mint(simulator.grant(), Duration::from_secs(3600));
    assert_eq!(client.get(NUMBER, Some(&old)).await.0, 401);
    assert_eq!(
        client
            .get(
                "/v2/accounts/~current/settings/Profile.shoeSize",
                Some(&token)
            )
            .await
            .1["code"],
        "INVALID_KEY"
    );
    for status in [401, 403, 429, 500, 503] {
        simulator
            .trouble(Trouble::once(
                Place::Profile,
                Fault::Answer {
                    status,
                    code: None,
                    message: None,
                },
            ))
            .expect("ordered");
        assert_eq!(client.get(NUMBER, Some(&token)).await.0, status);
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_call_is_started_only_with_that_requests_own_token() {
    let (simulator, _folder) = support::start().await;
    let client = Client::new(&simulator);
    let grant = simulator.grant();
    let other_skill = Grant {
        skill_id: "amzn1.ask.skill.other".to_owned(),
        ..grant.clone()
    };
    let other_device = Grant {
        device_id: "amzn1.ask.device.OTHER".to_owned(),
        ..grant.clone()
    };
    let mut forged = client.token();
    forged.push('A');
    for (token, words) in [
        (
            client.mint(grant.clone(), Duration::from_secs(3601)),
            "expired",
        ),
        (client.mint(other_skill, Duration::ZERO), "another skill"),
        (client.mint(other_device, Duration::ZERO), "another device"),
        (login_with_amazon_token(), "Login with Amazon"),
        ("Atc|client-credentials".to_owned(), "Login with Amazon"),
        (forged, "not one that was given"),
    ] {
        let (status, body) = client.post(SESSION, &token, &call_to_desk()).await;
        assert_eq!(
            (status, &body["code"]),
            (401, &json!("BadToken")),
            "{words}"
        );
        assert!(
            body["message"].as_str().expect("a message").contains(words),
            "{body}"
        );
    }
    let bare = client
        .http
        .post(client.url(SESSION))
        .json(&call_to_desk())
        .send()
        .await
        .expect("answered");
    assert_eq!(bare.status().as_u16(), 401);
    let basic = client
        .http
        .post(client.url(SESSION))
        .basic_auth("a", Some("b"))
        .json(&call_to_desk());
    assert_eq!(basic.send().await.expect("answered").status().as_u16(), 401);
    assert!(simulator.calls().is_empty(), "nobody calls");

    let (status, body) = client.post(SESSION, &client.token(), &call_to_desk()).await;
    assert_eq!(status, 200);
    let call = simulator
        .wait_for(Duration::from_secs(10), |calls| calls.first().cloned())
        .await
        .expect("ordered");
    assert_eq!(call.session_id.as_deref(), body["sessionId"].as_str());
    assert_eq!(call.csi.as_deref(), Some("a1-b2"));

    // The same clientSessionId again: it is done, and warned of in the trace.
    assert_eq!(
        client
            .post(SESSION, &client.token(), &call_to_desk())
            .await
            .0,
        200
    );
    let trace = serde_json::to_string(&simulator.trace("a1-b2")).expect("JSON");
    assert!(trace.contains("clientSessionId was used before"), "{trace}");
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_call_is_started_only_by_the_rules() {
    let (simulator, _folder) = support::start().await;
    let client = Client::new(&simulator);
    let token = client.token();
    for (pointer, value, words) in [
        ("/participants", json!([]), "participants"),
        (
            "/participants/0/id/value",
            json!("2045550100"),
            "participants[0].id.value",
        ),
        (
            "/participants/0/id/value",
            json!("+12045550199"),
            "not the customer's own",
        ),
        ("/participants/0/isOriginator", json!(false), "isOriginator"),
        (
            "/participants/1/communicationProviderId",
            json!("amzn1.alexa.csp.id.other"),
            "communicationProviderId",
        ),
        (
            "/participants/1/id/type",
            json!("PIGEON"),
            "participants[1].id.type",
        ),
        (
            "/clientContext/clientSessionId",
            json!("x".repeat(101)),
            "clientSessionId",
        ),
    ] {
        let mut body = call_to_desk();
        *body.pointer_mut(pointer).expect("there") = value;
        let (status, answer) = client.post(SESSION, &token, &body).await;
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("InvalidInput")),
            "{pointer}"
        );
        assert!(
            answer["message"]
                .as_str()
                .expect("a message")
                .contains(words),
            "{answer}"
        );
    }
    let send = |content_type: &'static str, body: String| {
        let request = client
            .http
            .post(client.url(SESSION))
            .bearer_auth(&token)
            .header("content-type", content_type);
        request.body(body).send()
    };
    let text = call_to_desk().to_string();
    assert_eq!(
        send("text/plain", text.clone())
            .await
            .expect("answered")
            .status()
            .as_u16(),
        400
    );
    assert_eq!(
        send("application/json", "{".to_owned())
            .await
            .expect("answered")
            .status()
            .as_u16(),
        400
    );
    assert_eq!(
        send("application/json", " ".repeat(70_000))
            .await
            .expect("answered")
            .status()
            .as_u16(),
        413
    );

    simulator.set_manifest(Manifest::default());
    let (status, body) = client.post(SESSION, &token, &call_to_desk()).await;
    assert_eq!((status, &body["code"]), (403, &json!("AccessDenied")));
    for region in [Region::Eu, Region::Fe] {
        simulator.change_customer(None, |customer| customer.region = region);
        assert_eq!(client.post(SESSION, &token, &call_to_desk()).await.0, 404);
    }
    assert!(simulator.calls().is_empty(), "nobody calls");
    assert_eq!(client.get(SESSION, Some(&token)).await.0, 405);

    let (other, _folder) = support::start().await;
    let client = Client::new(&other);
    other.change_customer(None, |customer| {
        customer.linked_numbers.insert("+442079460000".to_owned());
    });
    let mut linked = call_to_desk();
    linked["participants"][0]["id"]["value"] = json!("+442079460000");
    linked
        .as_object_mut()
        .expect("an object")
        .remove("clientContext");
    let request = client
        .http
        .post(client.url(SESSION))
        .bearer_auth(client.token());
    let request = request
        .header("content-type", "application/json; charset=utf-8")
        .body(linked.to_string());
    assert_eq!(
        request.send().await.expect("answered").status().as_u16(),
        200
    );
    other.shutdown().await;
    simulator.shutdown().await;
}

#[tokio::test]
async fn trouble_comes_as_ordered_and_goes() {
    let (simulator, _folder) = support::start().await;
    let client = Client::new(&simulator);
    for (status, code) in [
        (400, "InvalidInput"),
        (401, "BadToken"),
        (403, "AccessDenied"),
        (429, "Throttling"),
        (500, "InternalServerError"),
    ] {
        simulator
            .trouble(Trouble::once(
                Place::StartSession,
                Fault::Answer {
                    status,
                    code: None,
                    message: None,
                },
            ))
            .expect("ordered");
        let (got, body) = client.post(SESSION, &client.token(), &call_to_desk()).await;
        assert_eq!((got, body["code"].as_str()), (status, Some(code)));
    }
    assert!(simulator.calls().is_empty(), "an error starts no call");

    simulator
        .trouble(Trouble::times(
            Place::StartSession,
            Fault::StartedThenAnswer { status: 500 },
            2,
        ))
        .expect("ordered");
    assert_eq!(
        client
            .post(SESSION, &client.token(), &call_to_desk())
            .await
            .0,
        500
    );
    assert_eq!(
        client
            .post(SESSION, &client.token(), &call_to_desk())
            .await
            .0,
        500
    );
    assert_eq!(simulator.calls().len(), 2, "started all the same");

    let send = |token: String| {
        client
            .http
            .post(client.url(SESSION))
            .bearer_auth(token)
            .json(&call_to_desk())
            .send()
    };
    for (fault, started) in [(Fault::Close, false), (Fault::StartedThenClose, true)] {
        let before = simulator.calls().len();
        simulator
            .trouble(Trouble::once(Place::StartSession, fault))
            .expect("ordered");
        assert!(
            send(client.token()).await.is_err(),
            "the connection is closed"
        );
        assert_eq!(simulator.calls().len() - before, usize::from(started));
    }
    for (fault, started) in [(Fault::Silence, false), (Fault::StartedThenSilence, true)] {
        let before = simulator.calls().len();
        simulator
            .trouble(Trouble::once(Place::StartSession, fault))
            .expect("ordered");
        let (token, url) = (client.token(), client.url(SESSION));
        let waiting = tokio::spawn(
            client
                .http
                .post(url)
                .bearer_auth(token)
                .json(&call_to_desk())
                .send(),
        );
        // Another request overtakes the silent one, which shows that it is not only slow.
        simulator
            .wait_for(Duration::from_secs(10), |calls| {
                (calls.len() - before == usize::from(started)).then_some(())
            })
            .await
            .expect("in time");
        assert_eq!(client.get(NUMBER, Some(&client.token())).await.0, 200);
        assert!(!waiting.is_finished());
        waiting.abort();
    }
    simulator
        .trouble(Trouble::once(Place::StartSession, Fault::NoCall))
        .expect("ordered");
    let before = simulator.calls().len();
    assert_eq!(
        client
            .post(SESSION, &client.token(), &call_to_desk())
            .await
            .0,
        200
    );
    assert_eq!(simulator.calls().len(), before);
    simulator
        .trouble(Trouble::once(Place::StartSession, Fault::Nonsense))
        .expect("ordered");
    assert_eq!(
        client.post(SESSION, &client.token(), &call_to_desk()).await,
        (200, Value::Null)
    );

    simulator
        .trouble(Trouble::always(
            Place::Profile,
            Fault::Answer {
                status: 500,
                code: None,
                message: None,
            },
        ))
        .expect("ordered");
    for _ in 0..3 {
        assert_eq!(client.get(NUMBER, Some(&client.token())).await.0, 500);
    }
    simulator.no_more_trouble();
    assert_eq!(client.get(NUMBER, Some(&client.token())).await.0, 200);
    assert!(
        simulator
            .trouble(Trouble::once(Place::Profile, Fault::NoCall))
            .is_err(),
        "it cannot happen there"
    );
    assert!(
        simulator
            .trouble(Trouble::once(
                Place::Profile,
                Fault::Answer {
                    status: 99,
                    code: None,
                    message: None
                }
            ))
            .is_err()
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn chains_are_served_and_may_be_missing() {
    let (simulator, _folder) = support::start().await;
    let client = Client::new(&simulator);
    let chain = simulator.authority().chain();
    let path = chain.url().replace("https://s3.amazonaws.com", "");
    let served = client
        .http
        .get(client.url(&path))
        .send()
        .await
        .expect("answered");
    assert_eq!(served.status().as_u16(), 200);
    assert_eq!(served.text().await.expect("text"), chain.pem());
    assert_eq!(
        client.get("/echo.api/echo-api-cert-99.pem", None).await.0,
        404
    );
    assert_eq!(client.get("/echo.api/leaf.key", None).await.0, 404);
    simulator
        .trouble(Trouble::once(
            Place::Chain,
            Fault::Answer {
                status: 503,
                code: None,
                message: None,
            },
        ))
        .expect("ordered");
    assert_eq!(client.get(&path, None).await.0, 503);
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_call_without_a_sidecar_is_not_available() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = support::config(folder.path());
    config.device.transport = skillcall_simulator::config::SipTransport::Tcp;
    let simulator = Simulator::start(config).await.expect("started");
    simulator.set_sip_target(
        std::net::TcpListener::bind("127.0.0.1:0")
            .expect("bound")
            .local_addr()
            .expect("an address"),
    );
    let client = Client::new(&simulator);
    assert_eq!(
        client
            .post(SESSION, &client.token(), &call_to_desk())
            .await
            .0,
        200
    );
    let call = simulator
        .wait_for(Duration::from_secs(20), |calls| {
            calls.iter().find(|call| call.spoken.is_some()).cloned()
        })
        .await
        .expect("in time");
    assert_eq!(call.state, CallState::Ended);
    simulator.shutdown().await;
}
