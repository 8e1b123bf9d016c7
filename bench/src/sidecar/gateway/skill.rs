//! In the component's place: says to the sidecar what Alexa says, and takes what is to be said to Alexa.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use serde_json::{Value, json};
use skillcall_protocol::signing::{
    KeyRing, NONCE, RequestParts, SignedReply, sign_reply, sign_request,
};

use super::since_1970;
use crate::sidecar::process::KEYS;
use crate::sidecar::serving::Serving;

/// Where Alexa's messages are posted at the sidecar.
const ROUTE: &str = "/v1/signaling";
/// The account whose device it is.
const ACCOUNT: &str = "amzn1.ask.account.BENCH";

/// A message for Alexa.
pub(super) struct Said {
    pub(super) session: String,
    pub(super) kind: String,
    /// The SDP in it, or nothing.
    pub(super) sdp: String,
}

/// A running server. Dropping it stops it.
pub(super) struct Skill {
    serving: Serving,
    keys: Arc<KeyRing>,
    said: Receiver<Said>,
}

impl Skill {
    pub(super) fn start() -> anyhow::Result<Self> {
        let keys = Arc::new(KeyRing::parse(KEYS)?);
        let (tell, said) = channel();
        let desk = Arc::new((Arc::clone(&keys), Mutex::new(tell)));
        let serving = Serving::start("skill", move |request| take(request, Arc::clone(&desk)))?;
        Ok(Self {
            serving,
            keys,
            said,
        })
    }

    /// Its origin.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.serving.address)
    }

    /// The next message for Alexa, if there is one.
    pub(super) fn said(&self) -> Option<Said> {
        self.said.try_recv().ok()
    }

    /// Alexa says something; when its last byte had been written, in time since 1970.
    pub(super) fn says(
        &self,
        to: SocketAddr,
        session: &str,
        operation: &str,
        members: Value,
    ) -> anyhow::Result<Duration> {
        let mut message = json!({
            "type": format!("Alexa.Comms.CallSignaling.{operation}"), "sessionId": session,
        });
        if let (Some(message), Value::Object(members)) = (message.as_object_mut(), members) {
            message.extend(members);
        }
        let request = format!("amzn1.echo-api.request.{:016x}", rand::random::<u64>());
        let body = serde_json::to_vec(&json!({
            "requestId": request, "timestamp": jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "account": ACCOUNT, "apiEndpoint": "https://api.amazonalexa.com", "message": message,
        }))?;
        let parts = RequestParts {
            method: "POST",
            path_and_query: ROUTE,
            body: &body,
        };
        let mut head = format!(
            "POST {ROUTE} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n",
            body.len()
        );
        for (name, value) in sign_request(&self.keys, parts, now()?, rand::random()) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(to).context("the control API")?;
        stream.set_nodelay(true)?;
        stream.write_all(&[head.as_bytes(), &body].concat())?;
        let written = since_1970();
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(
            answer.starts_with("HTTP/1.1 202"),
            "{operation} was answered {answer}"
        );
        Ok(written)
    }
}

/// Seconds since 1970.
fn now() -> anyhow::Result<i64> {
    Ok(i64::try_from(since_1970().as_secs())?)
}

/// Keys, and where messages go.
type Desk = (Arc<KeyRing>, Mutex<Sender<Said>>);

/// Alexa accepts whatever it is.
async fn take(
    request: Request<Incoming>,
    desk: Arc<Desk>,
) -> anyhow::Result<Response<Full<Bytes>>> {
    let nonce = request.headers().get(NONCE).context("no nonce")?;
    let nonce = nonce.to_str()?.to_owned();
    let order = request.into_body().collect().await?.to_bytes();
    let order: Value = serde_json::from_slice(&order)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let message = &order["message"];
    let said = Said {
        session: text(&message["sessionId"]),
        kind: text(&message["type"]),
        sdp: text(&message["sdpDetails"]["value"]),
    };
    if let Ok(tell) = desk.1.lock() {
        // Nobody listens any more at the end of the measurement.
        let _ = tell.send(said);
    }
    let body = json!({"status": 202, "exception": null, "message": null}).to_string();
    let reply = SignedReply {
        status: 200,
        nonce: &nonce,
        body: body.as_bytes(),
    };
    let mut response = Response::builder().header("content-type", "application/json");
    for (name, value) in sign_reply(&desk.0, reply, now()?) {
        response = response.header(name, value);
    }
    Ok(response.body(Full::from(body))?)
}
