//! One HTTP exchange with a handler.

use std::error::Error as _;
use std::time::SystemTime;

use reqwest::Client;
use skillcall_protocol::signing::{RequestParts, SignedReply, sign_request, verify_reply};

use super::lambda::{FUNCTION_ERROR, INVOCATION_TYPE, function_error};
use super::{Handler, MOST_REPLY_BYTES};
use crate::trace::CallIds;

/// A reply that was read whole, and whose signature fits.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Why the Lambda function that it comes from failed.
    pub(super) function_error: Option<String>,
}

/// No usable reply.
pub(super) struct Failed {
    pub(super) status: Option<u16>,
    pub(super) reason: String,
}

pub(super) async fn post(
    client: &Client,
    handler: &Handler,
    ids: &CallIds,
    body: Vec<u8>,
) -> Result<Reply, Failed> {
    let fail = |status: Option<u16>, reason: String| Failed { status, reason };
    let mut request = client
        .post(handler.url.clone())
        .header("content-type", "application/json")
        .header("traceparent", ids.traceparent());
    if handler.is_lambda {
        request = request.header(INVOCATION_TYPE.0, INVOCATION_TYPE.1);
    }
    let mut nonce = None;
    if let Some(keys) = &handler.keys {
        let random: [u8; 16] = rand::random();
        let path = path_and_query(&handler.url);
        let parts = RequestParts {
            method: "POST",
            path_and_query: &path,
            body: &body,
        };
        for (name, value) in sign_request(keys, parts, unix_seconds(), random) {
            request = request.header(name, value);
        }
        nonce = Some(hex::encode(random));
    }
    let mut response = request
        .body(body)
        .send()
        .await
        .map_err(|error| fail(None, in_words(&error)))?;
    let status = response.status().as_u16();
    let mut reply = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if reply.len() + chunk.len() <= MOST_REPLY_BYTES => {
                reply.extend_from_slice(&chunk)
            }
            Ok(Some(_)) => {
                return Err(fail(
                    Some(status),
                    format!("the reply is longer than {MOST_REPLY_BYTES} bytes"),
                ));
            }
            Ok(None) => break,
            Err(error) => return Err(fail(Some(status), in_words(&error))),
        }
    }
    if handler.signed_replies {
        let (Some(keys), Some(nonce)) = (&handler.keys, &nonce) else {
            return Err(fail(
                Some(status),
                "replies must be signed, and there are no keys".into(),
            ));
        };
        let headers = response.headers();
        let lookup = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let signed = SignedReply {
            status,
            nonce,
            body: &reply,
        };
        verify_reply(keys, signed, &lookup, unix_seconds())
            .map_err(|error| fail(Some(status), format!("the reply's signature: {error}")))?;
    }
    let failed = response
        .headers()
        .get(FUNCTION_ERROR)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let function_error = handler
        .is_lambda
        .then(|| function_error(failed.as_deref(), &reply))
        .flatten();
    Ok(Reply {
        status,
        body: reply,
        function_error,
    })
}

fn path_and_query(url: &url::Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

fn unix_seconds() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        })
}

/// An error with its causes: reqwest's own words say only that sending failed.
fn in_words(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    words
}
