//! Requests to the component's `POST /messages`, signed as the sidecar signs.

use reqwest::StatusCode;
use serde_json::{Value, json};
use skillcall_protocol::signing::{KeyRing, RequestParts, sign_request};

use crate::Stage;

/// The user id of the simulator's first customer.
pub const CUSTOMER: &str = "amzn1.ask.account.SIMULATEDCUSTOMER";

/// Orders a message to the first customer, with the stage's own key.
///
/// # Panics
/// When no answer comes.
pub async fn post(stage: &Stage) -> StatusCode {
    post_with(stage, &stage.secrets.keys.clone()).await
}

/// The same with a key ring of the form of `sidecar_keys`.
///
/// # Panics
/// When the keys are none, or no answer comes.
pub async fn post_with(stage: &Stage, keys: &str) -> StatusCode {
    let order = json!({"userId": CUSTOMER, "message": {"data": {"missed": "1"}, "expiresAfterSeconds": 60}});
    post_order(stage, keys, &order).await
}

/// Posts any order.
///
/// # Panics
/// When the keys are none, or no answer comes.
pub async fn post_order(stage: &Stage, keys: &str, order: &Value) -> StatusCode {
    let body = order.to_string().into_bytes();
    let ring = KeyRing::parse(keys).expect("a key ring");
    let parts = RequestParts {
        method: "POST",
        path_and_query: "/messages",
        body: &body,
    };
    let now = jiff::Timestamp::now().as_second();
    let mut request = stage.http.post(stage.component("/messages"));
    for (name, value) in sign_request(&ring, parts, now, rand::random()) {
        request = request.header(name, value);
    }
    let response = request.body(body).send().await.expect("an answer");
    response.status()
}
