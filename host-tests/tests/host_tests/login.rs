//! Login with Amazon end to end: grants, the tokens' keeping, messages, and secrets that change (facts G7, H).

use reqwest::StatusCode;
use serde_json::json;
use skillcall_host_tests::messages::{self, CUSTOMER};
use skillcall_host_tests::{Stage, Staging, logs, plans, until};
use skillcall_simulator::Told;
use skillcall_simulator::trouble::{Fault, Place, Trouble};

async fn stage() -> Stage {
    Staging::new(plans::straight()).with_login().start().await
}

async fn granted(stage: &Stage) -> Told {
    let told = stage.simulator.accept_grant(None).await.expect("told");
    assert_eq!((told.status, &told.problem), (200, &None), "{told:?}");
    told
}

fn name(told: &Told) -> &str {
    told.body["event"]["header"]["name"]
        .as_str()
        .unwrap_or_default()
}

fn status(status: u16) -> Fault {
    Fault::Answer {
        status,
        code: None,
        message: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_exchanged_and_its_tokens_lie_encrypted() {
    logs::keep();
    let stage = stage().await;
    assert_eq!(name(&granted(&stage).await), "AcceptGrant.Response");
    assert_eq!(stage.simulator.login_figures().codes, 1);
    let kept = stage.state.entries("lwa/user/");
    assert_eq!(kept.len(), 1, "one customer's tokens");
    for (key, value) in stage.state.entries("") {
        let text = String::from_utf8_lossy(&value);
        assert!(
            !text.contains("Atza|") && !text.contains("Atzr|"),
            "{key} shows a token"
        );
        assert!(!key.contains(CUSTOMER), "{key} names the customer");
    }
    let told = stage
        .simulator
        .ask(json!({"type": "AlexaSkillEvent.SkillDisabled"}), None)
        .await
        .expect("told");
    assert_eq!((told.status, told.problem), (200, None));
    assert!(stage.state.entries("lwa/user/").is_empty());
    let logged = logs::text();
    assert!(!logged.contains("Atza|") && !logged.contains(&stage.secrets.client));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_cannot_be_exchanged_is_answered_as_failed_and_may_be_tried_again() {
    let stage = stage().await;
    for fault in [
        status(400),
        status(401),
        status(500),
        Fault::Nonsense,
        Fault::Close,
    ] {
        stage
            .simulator
            .trouble(Trouble::always(Place::Login, fault.clone()))
            .expect("ordered");
        let told = granted(&stage).await;
        assert_eq!(name(&told), "ErrorResponse", "{fault:?}");
        assert_eq!(told.body["event"]["payload"]["type"], "ACCEPT_GRANT_FAILED");
        stage.simulator.no_more_trouble();
    }
    assert!(stage.state.entries("lwa/user/").is_empty());
    // One failure alone is bridged.
    stage
        .simulator
        .trouble(Trouble::once(Place::Login, status(500)))
        .expect("ordered");
    assert_eq!(name(&granted(&stage).await), "AcceptGrant.Response");
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_at_once_ask_for_one_token_and_all_arrive() {
    logs::keep();
    let stage = stage().await;
    let mut sending = Vec::new();
    for _ in 0..12 {
        sending.push(messages::post(&stage));
    }
    let mut sent = 0;
    for status in futures_of(sending).await {
        assert_eq!(status, StatusCode::ACCEPTED);
        sent += 1;
    }
    assert_eq!(sent, 12);
    assert_eq!(
        stage.simulator.login_figures().clients,
        1,
        "one token for all"
    );
    // Each comes back as Messaging.MessageReceived.
    until("the messages at the skill", async || {
        (logs::text().matches("a message with missed came").count() >= 12).then_some(())
    })
    .await;
    stage.end().await;
}

/// All at once, on this task.
async fn futures_of<T>(all: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut waiting = false;
        for (one, done) in &mut all {
            if done.is_none() {
                match one.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => waiting = true,
                }
            }
        }
        if waiting {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    all.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_soon_is_asked_for_anew() {
    let stage = stage().await;
    // Within a minute of its end a token counts as used up (facts H).
    stage
        .simulator
        .set_token_life(std::time::Duration::from_secs(30));
    for asked in 1..=3 {
        assert_eq!(messages::post(&stage).await, StatusCode::ACCEPTED);
        assert_eq!(stage.simulator.login_figures().clients, asked);
    }
    stage
        .simulator
        .set_token_life(std::time::Duration::from_secs(3600));
    for _ in 0..3 {
        assert_eq!(messages::post(&stage).await, StatusCode::ACCEPTED);
    }
    assert_eq!(stage.simulator.login_figures().clients, 4);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_messaging_api_refuses_is_told() {
    let stage = stage().await;
    let keys = stage.secrets.keys.clone();
    let nobody = json!({"userId": "amzn1.ask.account.NOBODY", "message": {"data": {"a": "1"}}});
    assert_eq!(
        messages::post_order(&stage, &keys, &nobody).await,
        StatusCode::BAD_GATEWAY
    );
    for fault in [status(429), status(500), Fault::Close] {
        stage
            .simulator
            .trouble(Trouble::once(Place::Messaging, fault))
            .expect("ordered");
        assert_eq!(messages::post(&stage).await, StatusCode::BAD_GATEWAY);
    }
    stage
        .simulator
        .trouble(Trouble::always(Place::Login, status(500)))
        .expect("ordered");
    assert_eq!(
        messages::post(&stage).await,
        StatusCode::ACCEPTED,
        "the token that is kept needs nobody"
    );
    let foreign = json!({"userId": CUSTOMER, "apiEndpoint": "https://api.example.com", "message": {"data": {"a": "1"}}});
    assert_eq!(
        messages::post_order(&stage, &keys, &foreign).await,
        StatusCode::BAD_REQUEST,
        "no token goes to an API that is not listed"
    );
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_secret_may_be_changed_while_two_are_valid() {
    let stage = stage().await;
    let figures = || stage.simulator.login_figures();
    let (old_keys, old_client) = (stage.secrets.keys.clone(), stage.secrets.client.clone());
    assert_eq!(messages::post(&stage).await, StatusCode::ACCEPTED);

    // The keys of the sidecar.
    let fresh = "BwcH".repeat(10) + "Bwc=";
    let new_keys = format!("k2:{fresh}");
    stage
        .settings
        .set("sidecar_keys", format!("{new_keys},{old_keys}"));
    for keys in [&new_keys, &old_keys] {
        let status = messages::post_with(&stage, keys).await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    stage.settings.set("sidecar_keys", new_keys.clone());
    let status = messages::post_with(&stage, &old_keys).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    stage.settings.set("sidecar_keys", old_keys);
    assert_eq!(figures().clients, 1);

    // The keys that encrypt tokens.
    let old = stage.secrets.token_keys.clone();
    let new = format!("t2:{fresh}");
    stage.settings.set("token_keys", format!("{new},{old}"));
    assert_eq!(messages::post(&stage).await, StatusCode::ACCEPTED);
    assert_eq!(figures().clients, 1, "the old key still opens");
    stage.settings.set("token_keys", new);
    assert_eq!(messages::post(&stage).await, StatusCode::ACCEPTED);
    assert_eq!(
        figures().clients,
        2,
        "without it the token is lost and asked for anew"
    );

    // The client secret: the new one is set before the console knows it, the old one is gone after.
    stage
        .settings
        .set("lwa_client_secrets", format!("the-new-secret,{old_client}"));
    assert_eq!(name(&granted(&stage).await), "AcceptGrant.Response");
    assert_eq!(figures().refused, 1, "the new one was tried first");
    stage
        .simulator
        .set_client_secrets(vec!["the-new-secret".to_owned()]);
    assert_eq!(name(&granted(&stage).await), "AcceptGrant.Response");
    assert_eq!(figures().refused, 1);
    stage.settings.set("lwa_client_secrets", old_client);
    assert_eq!(name(&granted(&stage).await), "ErrorResponse");

    // The key of the calls' ids.
    let former = stage.secrets.session.clone();
    stage
        .settings
        .set("session_key", format!("{fresh},{former}"));
    let (_, call) = stage.call().await;
    assert!(call.csi.is_some());
    stage.over_by_hanging_up(&call.id).await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_login_messages_and_linked_accounts_the_trace_has_notes_alone() {
    let plan = format!(
        "{}\n[caller]\norder = [\"account-link\"]\n[caller.account-link]\nuserinfo = \"{{userinfo}}\"\nnumber = \"/phone_number\"\n",
        plans::straight().replace("caller = [\"profile\"]\n", "")
    );
    let stage = stage().await;
    let userinfo = format!("{}/userinfo", stage.simulator.api_endpoint());
    stage
        .settings
        .set_plan(&plan.replace("{userinfo}", &userinfo));
    stage.simulator.change_customer(None, |customer| {
        customer.access_token = Some("linked-token".to_owned());
        customer.linked_numbers.insert("+12045550188".to_owned());
    });
    let told = granted(&stage).await;
    let (said, call) = stage.call().await;
    stage.over_by_hanging_up(&call.id).await;
    let id = said.request_id.expect("a request");
    let mut texts = Vec::new();
    for (id, note) in [
        (
            told.request_id,
            "Login with Amazon: 200 to authorization_code",
        ),
        (id, "the linked account's userinfo endpoint: 200"),
    ] {
        let records = until("the component's records", async || {
            let records = stage.control.trace(&id).await;
            let text = serde_json::to_string(&records).expect("JSON");
            text.contains(note).then_some(text)
        })
        .await;
        texts.push(records);
    }
    let all = texts.join("\n");
    for secret in [
        "linked-token",
        "2045550188",
        "Atza|",
        "Atzr|",
        "/userinfo",
        "/auth/o2/token",
    ] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    stage.end().await;
}
