//! Alexa.Authorization.Grant (facts A2, G7, H), and messages to customers' skills.

use super::*;
use crate::host::{OutboundReply, SendError};
use crate::testing::signed_event_to;

fn set_up() -> Memory {
    let host = installation();
    host.set("lwa_client_secrets", "the-secret");
    host.set(
        "token_keys",
        "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );
    host
}

/// Login with Amazon and the Skill Messaging API.
fn answering(host: &Memory, login: (u16, Value), messaging: u16) {
    host.answers(move |request| {
        let (status, body) = if request.url == "https://api.amazon.com/auth/o2/token" {
            login.clone()
        } else {
            assert!(
                request.url.starts_with(
                    "https://api.amazonalexa.com/v1/skillmessages/users/amzn1.ask.account.GUEST"
                ),
                "{}",
                request.url
            );
            (messaging, Value::Null)
        };
        Ok::<_, SendError>(OutboundReply {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        })
    });
}

fn grant(n: u32, body: Value) -> Value {
    let mut request = call(n);
    request["request"] = json!({"type": "Alexa.Authorization.Grant", "requestId": format!("g{n}"), "timestamp": "2027-01-15T08:00:00Z", "body": body});
    request
}

fn code() -> Value {
    json!({"grant": {"type": "OAuth2.AuthorizationCode", "code": "GRANT-CODE"}})
}

fn tokens() -> Value {
    json!({"access_token": "Atza|access", "refresh_token": "Atzr|refresh", "expires_in": 3600})
}

#[test]
fn a_grant_is_answered_in_its_own_envelope_and_its_code_is_nowhere() {
    let host = set_up();
    host.set("sidecar_url", "http://127.0.0.1:7080");
    answering(&host, (200, tokens()), 202);
    let served = http::serve_trusted(&host, grant(1, code()).to_string().as_bytes());
    let answer: Value = serde_json::from_slice(&served.response.body).unwrap();
    let header = &answer["event"]["header"];
    assert_eq!(answer["event"]["payload"], json!({}));
    assert_eq!(
        (
            header["namespace"].as_str(),
            header["name"].as_str(),
            header["payloadVersion"].as_str()
        ),
        (
            Some("Alexa.Authorization"),
            Some("AcceptGrant.Response"),
            Some("3")
        )
    );
    assert_eq!(header["messageId"].as_str().unwrap().len(), 32);
    host.answers(|request| {
        assert!(request.url.ends_with("/v1/traces"));
        Ok(OutboundReply {
            status: 202,
            headers: Vec::new(),
            body: Vec::new(),
        })
    });
    served.aftermath.run(&host);
    let sent = host.sent.lock().unwrap();
    let records = String::from_utf8(sent.last().unwrap().body.clone()).unwrap();
    let log = host.logged.lock().unwrap().join("\n");
    for secret in ["GRANT-CODE", "Atza", "Atzr", "the-secret"] {
        assert!(
            !records.contains(secret) && !log.contains(secret),
            "{secret}"
        );
    }
    assert!(records.contains("200 to authorization_code"), "{records}");
}

#[test]
fn a_grant_that_cannot_be_taken_is_answered_as_failed() {
    for (host, body, login) in [
        (installation(), code(), (200, tokens())),
        (set_up(), json!({}), (200, tokens())),
        (set_up(), code(), (400, json!({"error": "invalid_grant"}))),
        (set_up(), code(), (500, json!({}))),
    ] {
        answering(&host, login, 202);
        let answer = ask(&host, &grant(1, body));
        assert_eq!(answer["event"]["header"]["name"], "ErrorResponse");
        assert_eq!(answer["event"]["payload"]["type"], "ACCEPT_GRANT_FAILED");
        assert!(host.log_says("a grant could not be taken"));
    }
}

#[test]
fn who_disables_the_skill_leaves_no_token() {
    let host = set_up();
    answering(&host, (200, tokens()), 202);
    ask(&host, &grant(1, code()));
    let kept = |host: &Memory| {
        host.state
            .lock()
            .unwrap()
            .keys()
            .filter(|key| key.starts_with("lwa/user/"))
            .count()
    };
    assert_eq!(kept(&host), 1);
    let mut disabled = call(2);
    disabled["request"] = json!({"type": "AlexaSkillEvent.SkillDisabled", "requestId": "d", "timestamp": "2027-01-15T08:00:00Z"});
    ask(&host, &disabled);
    assert_eq!(kept(&host), 0);
}

#[test]
fn messages_go_with_the_skills_own_token() {
    let host = set_up();
    answering(
        &host,
        (200, json!({"access_token": "Atc|own", "expires_in": 3600})),
        202,
    );
    let order = json!({"userId": "amzn1.ask.account.GUEST", "message": {"data": {"missed": "1"}, "expiresAfterSeconds": 60}});
    let response = http::serve(&host, &signed_event_to("/messages", &order, 1)).response;
    assert_eq!(
        response.status,
        202,
        "{}",
        String::from_utf8_lossy(&response.body)
    );
    assert!(
        response
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("skillcall-signature"))
    );
    {
        let sent = host.sent.lock().unwrap();
        let message = sent.last().unwrap();
        assert!(
            message
                .headers
                .contains(&("authorization", "Bearer Atc|own".to_owned()))
        );
        assert_eq!(
            serde_json::from_slice::<Value>(&message.body).unwrap(),
            order["message"]
        );
    }
    let mut foreign = order.clone();
    foreign["apiEndpoint"] = json!("https://evil.example");
    assert_eq!(
        http::serve(&host, &signed_event_to("/messages", &foreign, 2))
            .response
            .status,
        400
    );
    answering(&host, (200, json!({"access_token": "Atc|own"})), 403);
    assert_eq!(
        http::serve(&host, &signed_event_to("/messages", &order, 3))
            .response
            .status,
        502
    );
    assert_eq!(
        http::serve(&installation(), &signed_event_to("/messages", &order, 4))
            .response
            .status,
        503
    );
}
