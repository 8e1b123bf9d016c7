//! The control API reaches calls of both processes.

use std::time::{Duration, Instant};

use serde_json::json;
use skillcall_sip::sdp::Direction;

use crate::api::Api;
use crate::installation::{Running, handler, installation};
use crate::support::{Behaviour, LIMIT, NUMBER, Phone};
use crate::{ONE, PROMPT};

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_reaches_the_older_one_s_calls() {
    let one = ONE.lock().await;
    let handler = handler().await;
    let (folder, file) = installation(&handler, None, "");
    let phone = Phone::start(400.0, Behaviour::Answer);
    let first = tokio::task::block_in_place(|| {
        let first = Running::start(&file);
        phone.call(first.sip, NUMBER, &[]);
        phone.hears(PROMPT);
        first
    });
    let api = Api::new(first.control);
    let calls = api.calls().await;
    let event = tokio::task::block_in_place(|| handler.wait("NEW_INBOUND_CALL", 1));
    let details = &event["CallDetails"];
    let id = details["TransactionId"].as_str().unwrap();
    let leg = details["Participants"][0]["CallId"].as_str().unwrap();
    assert_eq!(calls.len(), 1);
    let (_, shown) = api.ask("GET", &format!("/v1/calls/{id}"), None).await;

    let next = tokio::task::block_in_place(|| first.hands_over(&file));
    let (status, again) = api.ask("GET", &format!("/v1/calls/{id}"), None).await;
    assert_eq!(status, 200);
    assert_eq!(again["transactionId"], shown["transactionId"], "{again}");
    let path = format!("/v1/calls/{id}");
    let (status, _) = api.ask_with("wrong", "GET", &path, None).await;
    assert_eq!(status, 401, "the token is wanted as before");
    for unknown in ["/v1/calls/none", "/v1/captures/none", "/v1/traces/none"] {
        assert_eq!(api.ask("GET", unknown, None).await.0, 404, "{unknown}");
    }

    // Hold and off, asked for by the phone and by the API.
    tokio::task::block_in_place(|| {
        phone.direct(Direction::SendOnly);
        phone.wait("the answer to hold", |state| state.answers.len() == 1);
        phone.direct(Direction::SendRecv);
        phone.wait("the answer to off", |state| state.answers.len() == 2);
    });
    let hold = format!("/v1/legs/{leg}/hold");
    for (on, offers) in [(true, 1), (false, 2)] {
        // The ACK of the change before may be on its way.
        let until = Instant::now() + LIMIT;
        loop {
            let (status, told) = api.ask("POST", &hold, Some(json!({"on": on}))).await;
            if status == 202 {
                break;
            }
            assert!(status == 409 && Instant::now() < until, "{told}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::task::block_in_place(|| {
            phone.wait("the offer", |state| state.offers.len() == offers);
        });
    }
    tokio::task::block_in_place(|| {
        phone.forget_heard();
        phone.hears(PROMPT);
    });
    // A capture of it, and the trace that both write.
    let (status, begun) = api
        .ask("POST", "/v1/captures", Some(json!({"call": id})))
        .await;
    assert_eq!(status, 201, "{begun}");
    let capture = format!("/v1/captures/{}", begun["id"].as_str().unwrap());
    assert_eq!(api.ask("GET", &capture, None).await.0, 200);
    assert_eq!(api.ask("DELETE", &capture, None).await.0, 204);
    let (status, trace) = api.ask("GET", &format!("/v1/traces/{id}"), None).await;
    assert_eq!(status, 200);
    assert!(!trace["records"].as_array().unwrap().is_empty());

    let (status, _) = api.ask("DELETE", &path, None).await;
    assert_eq!(status, 202);
    tokio::task::block_in_place(|| {
        phone.wait("BYE", |state| state.ended);
        drop(one);
        first.ends_by_itself();
    });
    assert_eq!(api.ask("GET", &path, None).await.0, 404);
    // Nothing is left of the older one but what both share.
    let sockets: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("handover"))
        .collect();
    assert_eq!(sockets, ["handover.sock"]);
    assert!(!folder.path().join("journal/calls-before.jsonl").exists());
    drop(next);
}
