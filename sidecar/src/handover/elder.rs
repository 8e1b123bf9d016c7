//! The process that was taken over from, as the control API knows it: what it has to answer is asked of it.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::Response;

use super::link::Link;
use super::successor::TakenFrom;

/// The longest that an answer of it takes.
const ANSWER: Duration = Duration::from_secs(30);

/// An older process whose calls go on.
pub(crate) struct Elder {
    /// Its process id.
    pub(crate) pid: u32,
    link: Link,
    client: reqwest::Client,
    socket: PathBuf,
    sessions: HashSet<String>,
    lives: AtomicBool,
}

impl Elder {
    /// The process that was taken over from.
    ///
    /// # Errors
    /// There is no HTTP client.
    pub(crate) fn new(taken: &TakenFrom) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .unix_socket(taken.control.as_path())
            .no_proxy()
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            pid: taken.pid,
            link: taken.link(),
            client,
            socket: taken.control.clone(),
            sessions: taken.told.gateway_sessions.iter().cloned().collect(),
            lives: AtomicBool::new(true),
        })
    }

    /// The way to it.
    pub(crate) const fn link(&self) -> &Link {
        &self.link
    }

    /// Whether it has calls yet.
    pub(crate) fn lives(&self) -> bool {
        self.lives.load(Ordering::Relaxed)
    }

    /// It has ended.
    pub(crate) fn has_ended(&self) {
        self.lives.store(false, Ordering::Relaxed);
        // One that was killed has left it.
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Whether a session of the gateway is its.
    pub(crate) fn has_session(&self, session: &str) -> bool {
        self.sessions.contains(session)
    }

    /// The sessions that were its.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &str> {
        self.sessions.iter().map(String::as_str)
    }

    /// Asks it what was asked here, with all headers: it checks token or signature again. None: it does not answer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Option<Response> {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut passed = headers.clone();
        for of_the_connection in [
            header::HOST,
            header::CONNECTION,
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::EXPECT,
            header::UPGRADE,
        ] {
            passed.remove(of_the_connection);
        }
        let asked = self
            .client
            .request(method, format!("http://{host}{path}"))
            .headers(passed)
            .body(body)
            .send()
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(pid = self.pid, %error, "the process that was taken over from does not answer");
                return None;
            }
        };
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.ok()?;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        for (name, value) in &headers {
            if name != header::TRANSFER_ENCODING && name != header::CONNECTION {
                response
                    .headers_mut()
                    .append(name, HeaderValue::clone(value));
            }
        }
        Some(response)
    }
}
