//! Tokens over a scripted Login with Amazon.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use skillcall_protocol::lwa::SKILL_MESSAGING_SCOPE;

use super::*;
use crate::host::{OutboundReply, OutboundRequest, SendError};
use crate::testing::{Memory, installation};

const CLIENT: &str = "amzn1.application-oa2-client.00000000000000000000000000000000";
const KEYS: &str = "t1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn user() -> UserId {
    UserId::parse("amzn1.ask.account.GUEST").unwrap()
}

fn set_up() -> Memory {
    let host = installation();
    host.set("lwa_client_secrets", "secret-1");
    host.set("token_keys", KEYS);
    host
}

/// Login with Amazon, scripted: the form's fields in, status and body out.
fn login(host: &Memory, answer: impl Fn(&str) -> (u16, Value) + Send + Sync + 'static) {
    host.answers(move |request: &OutboundRequest| {
        assert_eq!(request.url, "https://api.amazon.com/auth/o2/token");
        let (status, body) = answer(std::str::from_utf8(&request.body).unwrap());
        if status == 0 {
            return Err(SendError::Timeout(request.timeout));
        }
        Ok(OutboundReply {
            status,
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
        })
    });
}

fn with<T>(host: &Memory, act: impl FnOnce(&Tokens<'_, Memory>) -> T) -> T {
    let recorder = Recorder::begin(host, None);
    let deadline = Deadline::within(host, Duration::from_secs(7));
    act(&Tokens::of(host, &recorder, Some(CLIENT), deadline).unwrap())
}

fn forms(host: &Memory) -> Vec<String> {
    let sent = host.sent.lock().unwrap();
    sent.iter()
        .map(|request| String::from_utf8(request.body.clone()).unwrap())
        .collect()
}

/// A login that counts the tokens that it gives out.
fn counting(host: &Memory) {
    let given = AtomicUsize::new(0);
    login(host, move |_| {
        let n = given.fetch_add(1, Ordering::SeqCst);
        (
            200,
            json!({"access_token": format!("Atza|{n}"), "refresh_token": format!("Atzr|{n}"), "expires_in": 3600}),
        )
    });
}

#[test]
fn a_grant_is_exchanged_kept_encrypted_and_renewed_before_its_end() {
    let host = set_up();
    counting(&host);
    with(&host, |tokens| tokens.accept(&user(), "CODE")).unwrap();
    assert_eq!(
        with(&host, |tokens| tokens.user(&user())).unwrap().expose(),
        "Atza|0"
    );
    host.pass_seconds(3200);
    assert_eq!(
        with(&host, |tokens| tokens.user(&user())).unwrap().expose(),
        "Atza|0"
    );
    host.pass_seconds(200);
    assert_eq!(
        with(&host, |tokens| tokens.user(&user())).unwrap().expose(),
        "Atza|1"
    );
    host.pass_seconds(100_000);
    assert_eq!(
        with(&host, |tokens| tokens.user(&user())).unwrap().expose(),
        "Atza|2",
        "a refresh token has no end"
    );
    let client = "client_id=amzn1.application-oa2-client.00000000000000000000000000000000&client_secret=secret-1";
    assert_eq!(
        forms(&host),
        [
            format!("grant_type=authorization_code&code=CODE&{client}"),
            format!("grant_type=refresh_token&refresh_token=Atzr%7C0&{client}"),
            format!("grant_type=refresh_token&refresh_token=Atzr%7C1&{client}"),
        ]
    );
    for (value, _) in host.state.lock().unwrap().values() {
        assert!(
            !value
                .windows(4)
                .any(|bytes| bytes == b"Atza" || bytes == b"Atzr")
        );
    }
    let log = host.logged.lock().unwrap().join("\n");
    for secret in ["Atza", "Atzr", "CODE", "secret-1"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}

#[test]
fn a_refresh_token_that_is_not_replaced_stays() {
    let host = set_up();
    login(&host, |form| {
        let mut answer = json!({"access_token": "Atza|x", "expires_in": 3600});
        if form.contains("authorization_code") {
            answer["refresh_token"] = json!("Atzr|only");
        }
        (200, answer)
    });
    with(&host, |tokens| tokens.accept(&user(), "CODE")).unwrap();
    for _ in 0..2 {
        host.pass_seconds(4000);
        with(&host, |tokens| tokens.user(&user())).unwrap();
    }
    assert!(
        forms(&host)[1..]
            .iter()
            .all(|form| form.contains("Atzr%7Conly"))
    );
}

#[test]
fn of_many_requests_at_once_one_renews() {
    let host = Arc::new(set_up());
    counting(&host);
    with(&host, |tokens| tokens.accept(&user(), "CODE")).unwrap();
    for round in 0..10 {
        host.pass_seconds(4000);
        let barrier = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            let running = [(); 4].map(|()| {
                scope.spawn(|| {
                    barrier.wait();
                    with(&host, |tokens| tokens.user(&user())).unwrap()
                })
            });
            for thread in running {
                assert_eq!(
                    thread.join().unwrap().expose(),
                    format!("Atza|{}", round + 1)
                );
            }
        });
        assert_eq!(forms(&host).len(), round + 2, "one request each time");
    }
}

#[test]
fn a_token_that_lives_is_used_while_it_cannot_be_renewed() {
    let host = set_up();
    counting(&host);
    with(&host, |tokens| tokens.accept(&user(), "CODE")).unwrap();
    login(&host, |_| (500, json!({"error": "ServerError"})));
    host.pass_seconds(3400);
    assert_eq!(
        with(&host, |tokens| tokens.user(&user())).unwrap().expose(),
        "Atza|0"
    );
    host.pass_seconds(190);
    assert!(matches!(
        with(&host, |tokens| tokens.user(&user())),
        Err(TokenError::Endpoint(EndpointError::Refused {
            status: 500,
            ..
        }))
    ));
    counting(&host);
    with(&host, |tokens| tokens.user(&user())).unwrap();
}

#[test]
fn a_grant_that_was_taken_back_is_forgotten() {
    let host = set_up();
    counting(&host);
    assert!(matches!(
        with(&host, |tokens| tokens.user(&user())),
        Err(TokenError::NotGranted)
    ));
    with(&host, |tokens| tokens.accept(&user(), "CODE")).unwrap();
    login(&host, |_| (400, json!({"error": "invalid_grant"})));
    host.pass_seconds(4000);
    assert!(matches!(
        with(&host, |tokens| tokens.user(&user())),
        Err(TokenError::NotGranted)
    ));
    assert!(
        !host
            .state
            .lock()
            .unwrap()
            .keys()
            .any(|key| key.starts_with("lwa/user/"))
    );
    counting(&host);
    with(&host, |tokens| tokens.accept(&user(), "CODE")).unwrap();
    forget(&host, &user()).unwrap();
    assert!(matches!(
        with(&host, |tokens| tokens.user(&user())),
        Err(TokenError::NotGranted)
    ));
}

#[test]
fn two_client_secrets_and_two_keys_are_valid_at_once() {
    let host = set_up();
    host.set("lwa_client_secrets", "new, old");
    login(&host, |form| {
        if form.ends_with("client_secret=old") {
            (
                200,
                json!({"access_token": "Atza|1", "refresh_token": "Atzr|1"}),
            )
        } else {
            (401, json!({"error": "invalid_client"}))
        }
    });
    with(&host, |tokens| tokens.accept(&user(), "CODE")).unwrap();
    assert_eq!(forms(&host).len(), 2);
    host.set(
        "token_keys",
        format!("t2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=,{KEYS}"),
    );
    assert_eq!(
        with(&host, |tokens| tokens.user(&user())).unwrap().expose(),
        "Atza|1"
    );
    host.set("lwa_client_secrets", "wrong");
    host.pass_seconds(4000);
    assert!(matches!(
        with(&host, |tokens| tokens.user(&user())),
        Err(TokenError::Endpoint(EndpointError::WrongSecret))
    ));
}

#[test]
fn the_skills_own_token_is_kept_by_its_scope() {
    let host = set_up();
    login(&host, |_| {
        (200, json!({"access_token": "Atc|1", "expires_in": 3600}))
    });
    for _ in 0..3 {
        let token = with(&host, |tokens| tokens.client(SKILL_MESSAGING_SCOPE)).unwrap();
        assert_eq!(token.expose(), "Atc|1");
    }
    with(&host, |tokens| tokens.client("alexa::proactive_events")).unwrap();
    let asked = forms(&host);
    assert_eq!(asked.len(), 2);
    assert!(asked[0].starts_with("grant_type=client_credentials&scope=alexa%3Askill_messaging&"));
    host.pass_seconds(3601);
    with(&host, |tokens| tokens.client(SKILL_MESSAGING_SCOPE)).unwrap();
    assert_eq!(forms(&host).len(), 3);
}

#[test]
fn an_endpoint_that_fails_is_asked_once_more() {
    for (status, body) in [
        (500, json!({})),
        (0, Value::Null),
        (200, json!("nonsense")),
        (429, json!({})),
    ] {
        let host = set_up();
        let tries = AtomicUsize::new(0);
        login(&host, move |_| {
            if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                (status, body.clone())
            } else {
                (200, json!({"access_token": "Atc|1"}))
            }
        });
        with(&host, |tokens| tokens.client(SKILL_MESSAGING_SCOPE)).unwrap();
        assert_eq!(forms(&host).len(), 2, "{status}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let host = installation();
    let recorder = Recorder::begin(&host, None);
    let deadline = Deadline::within(&host, Duration::from_secs(7));
    let error = Tokens::of(&host, &recorder, Some(CLIENT), deadline)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "missing settings: lwa_client_secrets, token_keys"
    );
    for (name, value, told) in [
        ("lwa_client_secrets", "a,b,c", "1 or 2"),
        ("token_keys", "t1:short", "token_keys"),
        ("lwa_url", "api.amazon.com", "URL"),
    ] {
        let host = set_up();
        host.set(name, value);
        let error = Tokens::of(&host, &recorder_of(&host), Some(CLIENT), deadline)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(told) && !error.contains("short"), "{error}");
    }
    assert!(matches!(
        Tokens::of(&set_up(), &recorder, None, deadline).err(),
        Some(TokenError::NoClient)
    ));
}

fn recorder_of(host: &Memory) -> Recorder {
    Recorder::begin(host, None)
}
